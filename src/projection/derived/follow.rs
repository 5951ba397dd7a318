//! The reader that keeps up what is derived: it follows the log, a bounded piece at a time, and makes again
//! what is missing.

use super::class::WINDOW;
use super::folded::{Finished, Folded};
use super::known::Known;
use super::stretch_of;
use crate::cursor::Sequence;
use crate::log::{Bounds, LogError};
use crate::reader::{Reader, Step, Want};
use crate::shutdown::Shutdown;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

type Sealed = tokio::sync::watch::Receiver<Sequence>;

/// How long is waited after the log could not be read.
const RETRY: Duration = Duration::from_secs(1);
/// How long it rests at most after a portion of what nobody waits for: as long as that took, so that it takes
/// half of one processor's time.
const REST: Duration = Duration::from_millis(200);
/// Pieces of the log that are read anew before it is looked whether new records have come.
const PIECES: usize = 64;

impl Known {
    /// Follows the log until `shutdown` says so.
    pub async fn follow(self: Arc<Self>, shutdown: Shutdown) {
        let (mut anew, mut sealed) = (None, self.log.watch_sealed());
        let mut since = Instant::now();
        while !shutdown.is_stopping() {
            if anew.is_none() {
                self.gather(since, &shutdown).await;
            }
            let worked = tokio::select! {
                biased;
                () = shutdown.stopping() => return,
                worked = self.work(&mut anew, &mut sealed) => worked,
            };
            since = Instant::now();
            match worked {
                // Others have their turn between two portions.
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) => self.wait(&shutdown, &mut sealed).await,
                Err(e) => {
                    tracing::warn!(error = %e, "the log cannot be read for incidents; it is tried again");
                    self.failed(&e);
                    let _ = tokio::time::timeout(RETRY, shutdown.stopping()).await;
                }
            }
        }
    }

    /// Lets records gather since a piece was read, unless somebody waits for them.
    async fn gather(&self, since: Instant, shutdown: &Shutdown) {
        if self.waiting.is_anybody() || self.is_followed() || !self.standing.borrow().ready {
            return;
        }
        tokio::select! {
            () = shutdown.stopping() => {}
            () = self.waiting.came() => {}
            () = tokio::time::sleep_until(since + self.gathers) => {}
        }
    }

    /// A portion of work; whether there may be more.
    async fn work(self: &Arc<Self>, anew: &mut Option<Folded>, sealed: &mut Option<Sealed>) -> Result<bool, LogError> {
        let sealed = sealed.as_mut().map_or(0, |sealed| *sealed.borrow_and_update());
        let bounds = self.log.bounds();
        let oldest = self.folded.read().as_ref().map(|folded| folded.oldest);
        if oldest != Some(bounds.oldest) || self.is_lost() {
            // What has been begun is of records that are gone, or of files that are.
            if anew.as_ref().is_none_or(|anew| anew.oldest != bounds.oldest) {
                self.begin(bounds);
                *anew = Some(self.first(bounds).await?);
            }
        }
        if oldest.is_some() {
            self.catch_up(bounds).await?;
        }
        let Some(mut folded) = anew.take() else {
            self.caught_up();
            self.store(sealed).await;
            return Ok(self.log.bounds() != bounds);
        };
        let began = Instant::now();
        let whole = self.go_on(&mut folded, bounds).await;
        if self.progress().ready {
            // Nobody waits for it: others come first.
            tokio::time::sleep(began.elapsed().min(REST)).await;
        }
        match whole {
            Ok(true) => self.publish(folded),
            Ok(false) => *anew = Some(folded),
            Err(e) => {
                *anew = Some(folded);
                return Err(e);
            }
        }
        self.store(sealed).await;
        Ok(true)
    }

    /// The state before the oldest record, with what is stored of later ones.
    async fn first(self: &Arc<Self>, bounds: Bounds) -> Result<Folded, LogError> {
        self.taken_over(Folded::new(bounds.oldest), bounds).await
    }

    async fn taken_over(self: &Arc<Self>, mut folded: Folded, bounds: Bounds) -> Result<Folded, LogError> {
        let (this, missing) = (Arc::clone(self), self.log.missing());
        let taking = tokio::task::spawn_blocking(move || {
            let taken = folded.take_over(&this.store, bounds.head, &missing);
            (folded, taken)
        });
        let (mut folded, taken) = taking.await.map_err(|e| LogError::Internal(e.to_string()))?;
        if taken {
            // Deaths are told apart by what came before them.
            let through = folded.through;
            let after = through.saturating_sub(WINDOW).max(bounds.oldest.saturating_sub(1));
            let mut reader = Reader::new(Arc::clone(&self.log), after, Want { until: through, ..Want::default() });
            while let Some(step) = reader.next().await? {
                if let Step::Records(selection) = step {
                    let records = selection.sequences().filter_map(|seq| selection.block.view(seq));
                    records.for_each(|record| drop(folded.counting.classifier.read(&record)));
                }
            }
        }
        Ok(folded)
    }

    /// Folds some more of the log anew; whether that is all.
    async fn go_on(self: &Arc<Self>, folded: &mut Folded, bounds: Bounds) -> Result<bool, LogError> {
        let mut reader = Reader::new(Arc::clone(&self.log), folded.through, Want { until: bounds.head, ..Want::default() });
        for _ in 0..PIECES {
            let mut finished = Vec::new();
            match reader.next().await? {
                Some(Step::Records(selection)) => folded.read(&selection, &mut finished),
                Some(Step::Gap(range, why)) => folded.miss(&range, why, &mut finished),
                Some(Step::Nothing) => {}
                None => return Ok(true),
            }
            let over = !finished.is_empty();
            self.keep(finished);
            self.went(folded.through);
            if over {
                let begun = std::mem::replace(folded, Folded::new(0));
                *folded = self.taken_over(begun, bounds).await?;
                return Ok(false);
            }
            tokio::task::yield_now().await;
        }
        Ok(false)
    }

    /// Brings what is answered from up to the head.
    async fn catch_up(&self, bounds: Bounds) -> Result<(), LogError> {
        let through = self.folded.read().as_ref().map_or(bounds.head, |folded| folded.through);
        let mut reader = Reader::new(Arc::clone(&self.log), through, Want { until: bounds.head, ..Want::default() });
        while let Some(step) = reader.next().await? {
            let mut finished = Vec::new();
            if let Some(folded) = self.folded.write().as_mut() {
                self.follow_revisions(folded);
                match step {
                    Step::Records(selection) => folded.read(&selection, &mut finished),
                    Step::Gap(range, why) => folded.miss(&range, why, &mut finished),
                    Step::Nothing => {}
                }
            }
            self.keep(finished);
            self.reached();
        }
        Ok(())
    }

    fn keep(&self, finished: Vec<Finished>) {
        for Finished { number, last, content } in finished {
            if let Some(content) = content {
                self.store.put(number, last, content);
            }
        }
    }

    /// Stores what is sealed by now. What somebody waits for whose files went away stays where nobody can
    /// remove it.
    async fn store(self: &Arc<Self>, sealed: Sequence) {
        if self.is_asked_anew() || !self.store.is_ready(sealed) {
            return;
        }
        let this = Arc::clone(self);
        let _ = tokio::task::spawn_blocking(move || this.store.store(sealed)).await;
    }

    /// Waits until there is something to do.
    async fn wait(&self, shutdown: &Shutdown, sealed: &mut Option<Sealed>) {
        let (mut head, through) = (self.log.watch_head(), self.through());
        let sealing = async {
            match sealed {
                Some(sealed) => {
                    if sealed.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
                None => std::future::pending().await,
            }
        };
        let moving = async { head.wait_for(|head| *head > through).await.is_ok() };
        tokio::select! {
            () = shutdown.stopping() => {}
            moved = moving => if !moved {
                // Nothing will come any more, but what is asked for may be lost.
                tokio::select! {
                    () = shutdown.stopping() => {}
                    () = self.work.notified() => {}
                }
            },
            () = sealing => {}
            () = self.work.notified() => {}
        }
    }

    /// Records before this one are gone, with what was derived from them.
    fn begin(&self, bounds: Bounds) {
        self.store.trim(stretch_of(bounds.oldest));
        self.began(bounds);
    }

    /// How far the fold is that is answered from.
    pub(super) fn through(&self) -> Sequence {
        self.folded.read().as_ref().map_or(0, |folded| folded.through)
    }
}
