//! A program that begins again in the same process, since its log goes on under another id: what it keeps
//! from before, and how long it waits. Nothing is started here (`app.rs`).

use super::serving::admission;
use crate::config::ServeConfig;
use crate::cursor::Sequence;
use crate::forward::Since;
use crate::log::EmbeddedLog;
use crate::server::{Admission, Options};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::Instant;

/// Wait before a log is opened anew; doubled where it was open for less than [`SHORT`],
const AGAIN: Duration = Duration::from_millis(200);
/// up to this.
const MAX_AGAIN: Duration = Duration::from_secs(10);
/// Nothing that a fleet does has a log opened anew so soon after the last time.
const SHORT: Duration = Duration::from_secs(60);
/// Wait before a log that could not be given an id of its own is closed for that once more.
const FORK_AGAIN: Duration = Duration::from_secs(600);

/// What one run of the program leaves to the next one.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    /// It has begun before, and said where it listens.
    pub(super) begun: bool,
    /// The log of a recorder has got an id of its own.
    pub(super) forked: bool,
    /// It did not get one, and is not closed for that before then.
    pub(super) fork_after: Option<Instant>,
    admission: Option<(Admission, Options)>,
    /// The newest record when the program began to forward.
    head: Option<Sequence>,
    /// The last wait between two runs.
    wait: Duration,
}

impl Kept {
    /// Whom the server admits. What was read once is kept: the server reads changed files again by itself,
    /// and one that is half written does not keep a log from being opened anew.
    pub(super) fn admission(&mut self, config: &ServeConfig) -> anyhow::Result<(Admission, Options)> {
        if let Some(admission) = &self.admission {
            return Ok(admission.clone());
        }
        Ok(self.admission.insert(admission(config)?).clone())
    }

    /// Where forwarding begins when the hub has nothing of a log that ends with `head`: what is said counts
    /// from the first time on.
    pub(super) fn since(&mut self, said: Since, head: Sequence) -> Since {
        let first = *self.head.get_or_insert(head);
        if said == Since::Now { Since::After(first) } else { said }
    }

    /// Does what is to be done between two runs, the one before of which lasted `open`: the log of a recorder
    /// in `forks`, which is closed, goes on under another id. `false` when the program is to stop.
    pub(super) async fn begin_again(&mut self, forks: Option<&Path>, open: Duration, stop: Pin<&mut impl Future<Output = ()>>) -> bool {
        (self.begun, self.wait) = (true, wait_before(self.wait, open));
        let wait = self.wait;
        let work = async {
            if let Some(data_dir) = forks {
                self.fork(data_dir).await;
            }
            tokio::time::sleep(wait).await;
        };
        tokio::select! {
            biased;
            () = stop => false,
            () = work => true,
        }
    }

    /// Has a log go on under another id when it is opened. Where that fails, recording goes on under the old
    /// one.
    async fn fork(&mut self, data_dir: &Path) {
        match EmbeddedLog::fork_next(data_dir).await {
            Ok(()) => self.forked = true,
            Err(e) => {
                tracing::error!(
                    error = %e,
                    "the log cannot be given an id of its own, which is tried again in {} minutes; recording goes on, and nothing is forwarded \
                     until then",
                    FORK_AGAIN.as_secs() / 60
                );
                self.fork_after = Some(Instant::now() + FORK_AGAIN);
            }
        }
    }
}

/// The wait before a log is opened anew that was open for some time: `before` is the last one.
fn wait_before(before: Duration, open: Duration) -> Duration {
    if open < SHORT { (2 * before).clamp(AGAIN, MAX_AGAIN) } else { AGAIN }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServeArgs;
    use crate::log::EventLog as _;
    use clap::{Args as _, FromArgMatches as _};
    use std::fs;

    #[test]
    fn a_log_that_is_opened_anew_again_and_again_waits_longer() {
        let mut wait = wait_before(Duration::ZERO, Duration::ZERO);
        assert_eq!(wait, AGAIN);
        for _ in 0..20 {
            let next = wait_before(wait, Duration::from_secs(1));
            assert!(next > wait || next == MAX_AGAIN);
            wait = next;
        }
        assert_eq!((wait, wait_before(wait, SHORT)), (MAX_AGAIN, AGAIN));
    }

    #[test]
    fn a_file_of_tokens_that_is_half_written_keeps_only_the_first_start_from_serving() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = dir.path().join("tokens");
        fs::write(&tokens, "a-token-that-is-long-enough-to-be-one\n").unwrap();
        let matches = ServeArgs::augment_args(clap::Command::new("serve")).get_matches_from(["serve"]);
        let config = ServeConfig::load(&ServeArgs::from_arg_matches(&matches).unwrap(), &|_| None).unwrap();
        let config = ServeConfig { token_file: Some(tokens.clone()), ..config };
        let mut kept = Kept::default();
        assert!(kept.admission(&config).unwrap().0.access.is_some());
        fs::remove_file(&tokens).unwrap();
        assert!(kept.admission(&config).unwrap().0.access.is_some());
        assert!(Kept::default().admission(&config).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_could_not_fork_may_do_so_later() {
        let dir = tempfile::tempdir().unwrap();
        let mut kept = Kept::default();
        // There is nothing yet.
        kept.fork(dir.path()).await;
        assert!(!kept.forked && kept.fork_after.is_some_and(|after| after > Instant::now()));
        let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
        log.close().await.unwrap();
        drop(log);
        fs::File::open(dir.path().join("log/lock")).unwrap().lock().unwrap();
        kept.fork(dir.path()).await;
        assert!(kept.forked);
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_for_a_log_that_somebody_still_has() {
        let dir = tempfile::tempdir().unwrap();
        let (_log, _) = EmbeddedLog::open(dir.path()).unwrap();
        let mut kept = Kept::default();
        let stop = tokio::time::sleep(Duration::from_millis(50));
        tokio::pin!(stop);
        assert!(!kept.begin_again(Some(dir.path()), Duration::ZERO, stop).await);
        // Nor for the log's being let go of: that would have been told.
        assert!(!kept.forked && kept.fork_after.is_none());
    }

    #[test]
    fn from_now_on_is_from_the_first_start_on() {
        let mut kept = Kept::default();
        assert_eq!(kept.since(Since::Now, 40), Since::After(40));
        assert_eq!(kept.since(Since::Now, 110), Since::After(40));
        assert_eq!(kept.since(Since::Oldest, 110), Since::Oldest);
    }
}
