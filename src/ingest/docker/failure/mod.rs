//! A closer look at containers that have just failed. An inspection tells what no event does (why a start was
//! refused, whether memory ran out, the restart policy), and the output tells what the container said last;
//! both are gone once it is removed. Reading the event stream never waits for this, which has tasks of its
//! own. When too many fail at once, some are not looked at.

mod logs;
mod watch;

use super::engine::Engine;
use super::lists::Fields;
use super::observe::{Observer, Snapshot};
use crate::event::Event;
use crate::ingest::Observations;
use crate::time::{Timestamp, received_now};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;
pub(super) use watch::Watch;
use watch::{Failure, Why};

/// Failures that wait to be looked at; more are not looked at.
const MAX_ASKED: usize = 64;
/// Looked at at a time: the daemon has other work, and an answer may have 4 MiB.
const CONCURRENT: usize = 4;
/// Between two looks, on average, and how many may come at once after a pause.
const EVERY: Duration = Duration::from_millis(200);
const AT_ONCE: u32 = 5;
/// A container that ran out of memory dies 22 to 728 ms after the `oom` (measured on an Engine 20.10); one
/// that does not within this time has lost a process inside.
const OOM_GRACE: Duration = Duration::from_secs(1);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Hears the events of one connection.
pub(super) struct Failures {
    watch: Arc<Watch>,
    ask: mpsc::Sender<Failure>,
    _looking: AbortOnDropHandle<()>,
}

/// Whoever looks.
struct Looker {
    watch: Arc<Watch>,
    engine: Engine,
    observer: Observer,
    out: Observations,
    /// Lines of a container's output that are asked for; 0 for none.
    last_words: u32,
    places: Semaphore,
}

impl Failures {
    /// `last_words`: how many lines of its output are asked for; 0 for none.
    pub(super) fn new(engine: Engine, observer: &Observer, watch: &Arc<Watch>, out: Observations, last_words: u32) -> Self {
        let (ask, asked) = mpsc::channel(MAX_ASKED);
        let (watch, places) = (Arc::clone(watch), Semaphore::new(CONCURRENT));
        let looker = Looker { watch: Arc::clone(&watch), engine, observer: observer.clone(), out, last_words, places };
        Self { watch, ask, _looking: AbortOnDropHandle::new(tokio::spawn(looker.run(asked))) }
    }

    /// Takes a new event into account.
    pub(super) fn heard(&self, event: &Event) {
        if let Some(failure) = self.watch.heard(event, Instant::now())
            && self.ask.try_send(failure).is_err()
        {
            tracing::debug!("too many failures at once: one is not looked at");
        }
    }
}

impl Looker {
    async fn run(self, mut asked: mpsc::Receiver<Failure>) {
        let (mut pace, mut looks, mut waiting) = (Pace::default(), FuturesUnordered::new(), FuturesUnordered::new());
        loop {
            let failure = tokio::select! {
                failure = asked.recv(), if looks.len() + waiting.len() < MAX_ASKED => match failure {
                    Some(failure) => failure,
                    None => return,
                },
                Some(()) = looks.next(), if !looks.is_empty() => continue,
                Some(failure) = waiting.next(), if !waiting.is_empty() => failure,
            };
            let now = Instant::now();
            if failure.why == Why::Oom && now < failure.heard + OOM_GRACE {
                waiting.push(async move {
                    sleep_until(failure.heard + OOM_GRACE).await;
                    failure
                });
            // It has died meanwhile, and that was looked at.
            } else if failure.why != Why::Oom || self.watch.claims(&failure.id, now) {
                looks.push(self.look(failure, pace.next(now)));
            }
        }
    }

    async fn look(&self, failure: Failure, at: Instant) {
        sleep_until(at).await;
        let Ok(_place) = self.places.acquire().await else { return };
        let words = async {
            if failure.why == Why::Died && self.last_words > 0 {
                let event = logs::last_words(&self.engine, &failure, self.last_words).await;
                self.out.send(event, received_now()).await;
            }
        };
        // The output first: of a container that is removed when it ends, there is only a moment for it.
        tokio::join!(words, self.inspect(&failure));
    }

    async fn inspect(&self, failure: &Failure) {
        let asked = Timestamp::now();
        let answer = match timeout(ANSWER_TIMEOUT, self.engine.inspect(&failure.id)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return tracing::debug!(container = %failure.id, %error, "a container that failed cannot be inspected"),
            Err(_) => return tracing::debug!(container = %failure.id, "inspecting a container that failed took too long"),
        };
        let Ok(container) = Fields::of(&answer) else { return };
        self.observer.probes().learn(&failure.id, &container);
        let mut seen = Snapshot::container(&failure.id, asked, &container);
        seen.set("observation", Some("failure".to_owned()));
        // What events imply is left as it is: more of them may have come since it was asked.
        self.out.send(Event::recorder("observed", &failure.id, &seen.attributes(), asked), received_now()).await;
    }
}

/// When the next look may be.
#[derive(Debug, Default)]
struct Pace {
    /// When all looks so far would be done, were each of them to take [`EVERY`].
    busy_until: Option<Instant>,
}

impl Pace {
    fn next(&mut self, now: Instant) -> Instant {
        let busy_until = self.busy_until.map_or(now, |until| until.max(now));
        self.busy_until = Some(busy_until + EVERY);
        now.max(busy_until.checked_sub(EVERY * (AT_ONCE - 1)).unwrap_or(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_at_once_and_five_a_second() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let waits: Vec<u128> = (0..8).map(|_| pace.next(now).duration_since(now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 200, 400, 600]);
        let later = now + Duration::from_secs(10);
        assert_eq!(pace.next(later), later);
    }
}
