//! A synthetic Docker host for `--demo`: three compose projects with all the trouble that makes a recorder
//! worth having. It asks no Docker Engine, and its events take the same way through the queue as those of a
//! real host.

mod fleet;
mod host;
mod look;
mod message;
mod stories;
mod story;

pub use host::{DemoHost, Pace};

use super::docker::by_exec_type;
use super::{Input, Source, SourceSender, StatusHandle};
use crate::event::Event;
use crate::shutdown::Shutdown;
use crate::time::{Timestamp, received_now};
use std::sync::Arc;
use std::time::Duration;

/// What `Connected` gives as the Engine's version.
const ENGINE: &str = "demo";
/// The back-history reaches back about this far.
const HISTORY_SPAN: Duration = Duration::from_secs(3600);
/// A source that is this late was asleep, and does not catch up.
const ASLEEP_AFTER: Duration = Duration::from_secs(5);

/// What the synthetic host is like.
#[derive(Debug, Clone, PartialEq)]
pub struct DemoOptions {
    /// Name of the host; `source` of its records.
    pub name: Arc<str>,
    /// How much faster than in life things happen; at 1 there are about 5 events a second.
    pub rate: f64,
    /// The same seed gives the same host; without one, each is another.
    pub seed: Option<u64>,
    /// How many events of the last hour come first, as a daemon's replay. 0 for a log that has some already.
    pub history: usize,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self { name: "demo".into(), rate: 1.0, seed: None, history: 200 }
    }
}

/// Behaves like a Docker host, without one.
#[derive(Debug)]
pub struct DemoSource {
    options: DemoOptions,
}

impl DemoSource {
    /// A synthetic host.
    pub fn new(options: DemoOptions) -> Self {
        Self { options }
    }

    /// Runs until the recorder is gone. May be dropped at any time.
    async fn play(&self, sender: &mut SourceSender, status: &StatusHandle) {
        let seed = self.options.seed.unwrap_or_else(rand::random);
        let pace = Pace::rate(self.options.rate);
        let (history, mut host) = DemoHost::with_history(seed, Timestamp::now(), HISTORY_SPAN, self.options.history, pace);
        if !replay(&history, sender, status).await {
            return;
        }
        let observations = sender.observations();
        let mut has_looked = false;
        loop {
            // A look in the middle of a story would tell what no event has told yet.
            if !has_looked && host.is_quiet() {
                has_looked = true;
                let now = Timestamp::now();
                for event in host.look(&self.options.name, now) {
                    if !observations.send(event, received_now()).await {
                        return;
                    }
                }
            }
            let Some((_, line)) = host.next() else { return };
            let due = host.clock();
            loop {
                let now = Timestamp::now();
                let wait = due.since(now);
                if wait.is_zero() {
                    break;
                }
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = sender.flush_overflow(), if sender.overflowed() => {}
                    () = observations.closed() => return,
                }
            }
            let behind = Timestamp::now().since(due);
            if behind > ASLEEP_AFTER {
                host.put_forward(behind);
            }
            if let Some(input) = input(&line, received_now(), status) {
                sender.offer(input);
            }
            // At a high rate nothing above ever waits.
            tokio::task::consume_budget().await;
        }
    }
}

/// There is no socket to drain, so the history may wait for room. False if the recorder is gone.
async fn replay(lines: &[String], sender: &mut SourceSender, status: &StatusHandle) -> bool {
    for line in lines {
        if let Some(input) = input(line, received_now(), status)
            && !sender.send(input).await
        {
            return false;
        }
    }
    let first = lines.first().and_then(|line| Event::from_line(line.as_bytes()).ok()?.view().time);
    sender.send_reserved(Input::ReplayEnd { replayed: lines.len() as u64, first })
}

/// The generator writes JSON only, so there is always one.
fn input(line: &str, received: Timestamp, status: &StatusHandle) -> Option<Input> {
    let event = Event::from_line(line.as_bytes()).ok()?;
    status.read(1, received);
    let noise = by_exec_type(&event);
    Some(Input::Event { event: event.marked(noise), received })
}

#[async_trait::async_trait]
impl Source for DemoSource {
    fn name(&self) -> Arc<str> {
        Arc::clone(&self.options.name)
    }

    fn endpoint(&self) -> String {
        "demo".to_owned()
    }

    async fn run(self: Box<Self>, mut sender: SourceSender, status: StatusHandle, shutdown: Shutdown) {
        let reserved = tokio::select! {
            () = shutdown.stopping() => false,
            reserved = sender.reserve() => reserved,
        };
        if !reserved {
            return;
        }
        status.connected(ENGINE);
        sender.send_reserved(Input::Connected { engine: ENGINE.to_owned(), reason: "start".to_owned(), attempts: 1 });
        tokio::select! {
            biased;
            () = shutdown.stopping() => {}
            () = self.play(&mut sender, &status) => {}
        }
        sender.send_reserved(Input::Disconnected { reason: "shutdown".to_owned(), doubt: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::queue;
    use crate::shutdown::Stop;
    use crate::testing::within;

    #[tokio::test]
    async fn plays_history_then_live_and_stops_promptly() {
        let (sender, mut receiver) = queue(10_000, 64 << 20);
        let options = DemoOptions { rate: 200.0, seed: Some(3), ..DemoOptions::default() };
        let source = Box::new(DemoSource::new(options));
        let status = StatusHandle::new("demo", source.endpoint());
        let stop = Stop::new();
        let task = tokio::spawn(source.run(sender.for_source("demo".into()), status.clone(), stop.shutdown()));
        let mut inputs = Vec::new();
        while inputs.len() < 1000 {
            assert!(within("inputs", receiver.recv_many(&mut inputs, 1000)).await > 0);
        }
        stop.stop();
        tokio::time::timeout(Duration::from_secs(3), task).await.expect("it waits for nobody").unwrap();
        drop(sender);
        while within("the end", receiver.recv_many(&mut inputs, 1000)).await > 0 {}
        let mut inputs = inputs.into_iter().map(|tagged| tagged.input);
        assert!(matches!(inputs.next(), Some(Input::Connected { .. })));
        assert_eq!(inputs.by_ref().take(200).filter(|input| matches!(input, Input::Event { .. })).count(), 200);
        assert!(matches!(inputs.next(), Some(Input::ReplayEnd { replayed: 200, first: Some(_) })));
        assert_eq!(inputs.next_back(), Some(Input::Disconnected { reason: "shutdown".to_owned(), doubt: None }));
        let mut observed = Vec::new();
        for input in inputs {
            match input {
                Input::Event { event, received } => assert!(received >= event.view().time.unwrap()),
                Input::Observed { event, .. } => observed.push(event.view().action.unwrap().into_owned()),
                input => panic!("{input:?}"),
            }
        }
        // Ten containers, three networks, five volumes, and the end of the look.
        assert_eq!((observed.len(), observed.last().map(String::as_str)), (19, Some("baseline")));
        assert_eq!(status.get().connects, 1);
    }
}
