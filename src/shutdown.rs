//! The end of the program, or of a part of it: whoever holds the [`Stop`] says that work is to end, and
//! everybody who holds a [`Shutdown`] is told. Nothing is ended by force here: each task that is told ends by
//! itself. They are two types, although there is one token behind both, so that a task that is told cannot
//! say so to others.

use tokio_util::sync::CancellationToken;

/// The side that says so. Dropping it says so as well: nobody is left to work for.
#[derive(Debug, Default)]
pub struct Stop(CancellationToken);

/// The side that is told. Clones are told together.
#[derive(Debug, Clone)]
pub struct Shutdown(CancellationToken);

impl Stop {
    /// Nothing has been said yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Work is to end. Saying it again changes nothing.
    pub fn stop(&self) {
        self.0.cancel();
    }

    /// A side that is told.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        Shutdown(self.0.clone())
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shutdown {
    /// Whether work is to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Returns when work is to end.
    pub async fn stopping(&self) {
        self.0.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn all_who_wait_are_told_once_it_is_said_or_nobody_can_say_it() {
        for say in [|stop: Stop| stop.stop(), drop] {
            let stop = Stop::new();
            let shutdowns = [stop.shutdown(), stop.shutdown().clone()];
            for shutdown in &shutdowns {
                assert!(!shutdown.is_stopping());
                assert!(timeout(Duration::from_secs(60), shutdown.stopping()).await.is_err(), "told before it was said");
            }
            let waiting = shutdowns.clone().map(|shutdown| tokio::spawn(async move { shutdown.stopping().await }));
            tokio::task::yield_now().await;
            say(stop);
            for task in waiting {
                timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
            }
            assert!(shutdowns.iter().all(Shutdown::is_stopping));
        }
    }
}
