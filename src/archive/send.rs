//! Puts what is sealed into the archive, one segment after the other, oldest first. Nobody waits for it but
//! retention, which has a limit.

use super::limits::MAX_OBJECT_BYTES;
use super::status::{Handle, Status};
use super::store::{Archive, ArchiveError, Found, Put};
use super::take::{Later, take};
use crate::cursor::Sequence;
use crate::log::{EmbeddedLog, EventLog as _, Incoming, LogError, ScratchDir, SealedSegment};
use crate::shutdown::Shutdown;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// The first wait after a failure; each one after that is twice as long,
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Archives a log.
#[derive(Debug)]
pub struct Archiver {
    archive: Archive,
    log: Arc<EmbeddedLog>,
    status: watch::Sender<Status>,
    settled: watch::Sender<Sequence>,
}

/// What became of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was put there.
    Stored,
    /// It was there.
    Found,
    /// Something else was there, and stays.
    Differs(String),
    /// It cannot be archived.
    Unfit(String),
}

impl Archiver {
    /// Of a log, into an archive.
    pub fn new(archive: Archive, log: Arc<EmbeddedLog>) -> Self {
        // What was removed before is nothing that it waits for.
        let settled = log.bounds().oldest.saturating_sub(1);
        let status = watch::Sender::new(Status { settled, ..Status::default() });
        Self { archive, log, status, settled: watch::Sender::new(settled) }
    }

    /// What others see of it.
    pub fn handle(&self) -> Handle {
        Handle { status: self.status.subscribe(), sealed: self.log.watch_sealed() }
    }

    /// Up to which record every sealed segment is in the archive, or will not be, which was told.
    pub fn settled(&self) -> watch::Receiver<Sequence> {
        self.settled.subscribe()
    }

    /// Archives until work ends.
    pub async fn run(self, shutdown: Shutdown) {
        tokio::select! {
            () = self.archive_all() => {}
            () = shutdown.stopping() => {}
        }
    }

    /// Never ends, while the log is there.
    async fn archive_all(&self) {
        let Some(mut sealed) = self.log.watch_sealed() else { return };
        loop {
            // One at a time: a segment that is held takes room also after it was removed.
            let after = *self.settled.borrow();
            let Some(segment) = self.log.sealed_segment_after(after) else {
                self.status.send_modify(|status| status.waiting_since = None);
                if sealed.changed().await.is_err() {
                    return;
                }
                continue;
            };
            if segment.first() > after + 1 {
                tracing::warn!("the records {} to {} went before the archive had them", after + 1, segment.first() - 1);
            }
            let found_at = Instant::now();
            self.status.send_modify(|status| {
                status.waiting_since.get_or_insert(found_at);
            });
            let outcome = self.patiently(&segment).await;
            self.settle(&segment, outcome);
        }
    }

    /// Tries until something becomes of a segment.
    async fn patiently(&self, segment: &SealedSegment) -> Outcome {
        let mut wait = TRY_AGAIN;
        loop {
            match self.once(segment).await {
                Ok(outcome) => return outcome,
                Err(e) => {
                    let (e, name) = (e.to_string(), self.archive.name(segment.log(), segment.first()));
                    if self.status.borrow().error.as_ref() != Some(&e) {
                        tracing::warn!("{name} is not archived yet, it is tried again: {e}");
                    }
                    self.status.send_modify(|status| status.error = Some(e));
                }
            }
            sleep(wait).await;
            wait = (2 * wait).min(LONGEST_WAIT);
        }
    }

    fn settle(&self, segment: &SealedSegment, outcome: Outcome) {
        let name = self.archive.name(segment.log(), segment.first());
        match &outcome {
            Outcome::Stored => tracing::info!("archived {name}, {} bytes", segment.bytes()),
            Outcome::Found => tracing::debug!("{name} was in the archive"),
            Outcome::Differs(why) => tracing::error!("the archive holds something else as {name}, and keeps it: {why}"),
            Outcome::Unfit(why) => tracing::error!("{name} cannot be archived: {why}"),
        }
        self.status.send_modify(|status| {
            (status.error, status.settled) = (None, segment.last());
            status.waiting_since = Some(Instant::now());
            match outcome {
                Outcome::Stored => status.stored += 1,
                Outcome::Found => status.found += 1,
                Outcome::Differs(why) => (status.differ, status.told) = (status.differ + 1, Some(format!("{name}: {why}"))),
                Outcome::Unfit(why) => (status.unfit, status.told) = (status.unfit + 1, Some(format!("{name}: {why}"))),
            }
        });
        self.settled.send_replace(segment.last());
    }

    /// One try.
    pub(super) async fn once(&self, segment: &SealedSegment) -> Result<Outcome, Later> {
        if segment.bytes() > MAX_OBJECT_BYTES {
            return Ok(Outcome::Unfit(format!("it has {} bytes, and {MAX_OBJECT_BYTES} can be", segment.bytes())));
        }
        let tail = match blocking(segment, SealedSegment::tail).await {
            Err(LogError::Damaged(why)) => return Ok(Outcome::Unfit(why)),
            tail => tail?,
        };
        let (log, first, bytes) = (segment.log(), segment.first(), tail.len() as u64);
        if let Some(found) = self.archive.look(log, first, bytes).await? {
            return self.compare(segment, &tail, found).await;
        }
        // What is damaged here may be whole at another server.
        if let Some(why) = blocking(segment, SealedSegment::check).await?.into_iter().next() {
            return Ok(Outcome::Unfit(why));
        }
        let pieces = blocking(segment, SealedSegment::read).await?;
        let put = self.archive.put(log, first, pieces).await;
        if put == Ok(Put::Stored) {
            return Ok(Outcome::Stored);
        }
        // Another server was first, or the answer was lost; not every store says which in the same way.
        match (self.archive.look(log, first, bytes).await?, put) {
            (Some(found), _) => self.compare(segment, &tail, found).await,
            (None, Err(e)) => Err(e.into()),
            (None, Ok(_)) => Err(ArchiveError::Unavailable("it refuses what it does not have".to_owned()).into()),
        }
    }

    /// Whether what is there is the segment. With size and index, which holds checksums of all frames and the
    /// hash chain, it is the same byte for byte; another version may have packed the same records otherwise.
    async fn compare(&self, segment: &SealedSegment, tail: &Bytes, found: Found) -> Result<Outcome, Later> {
        if found.bytes == segment.bytes() && found.tail == *tail {
            return Ok(Outcome::Found);
        }
        let own = match blocking(segment, SealedSegment::facts).await {
            Err(LogError::Damaged(why)) => return Ok(Outcome::Unfit(why)),
            own => own?,
        };
        let scratch = ScratchDir::new()?;
        let incoming = Incoming::into(scratch.path(), segment.first())?;
        let incoming = match take(&self.archive, own.log, found.bytes, incoming).await {
            Err(Later::Archive(ArchiveError::TooMuch(why))) => return Ok(Outcome::Differs(why)),
            taken => taken?,
        };
        let Some(incoming) = incoming else {
            return Err(ArchiveError::Unavailable("it is gone again".to_owned()).into());
        };
        let theirs = tokio::task::spawn_blocking(move || incoming.check(own.log).and_then(|theirs| theirs.facts())).await;
        match theirs.map_err(|e| LogError::Internal(e.to_string()))? {
            Ok(theirs) if theirs == own => Ok(Outcome::Found),
            Ok(theirs) => {
                let end = |facts: &crate::log::SegmentFacts| format!("{} (chain {:.8})", facts.last, hex::encode(facts.chain_after));
                Ok(Outcome::Differs(format!("here it goes up to {}, there to {}", end(&own), end(&theirs))))
            }
            Err(LogError::Damaged(why)) => Ok(Outcome::Differs(why)),
            Err(e) => Err(e.into()),
        }
    }
}

async fn blocking<T: Send + 'static>(
    segment: &SealedSegment,
    work: impl FnOnce(&SealedSegment) -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let segment = segment.clone();
    tokio::task::spawn_blocking(move || work(&segment)).await.map_err(|e| LogError::Internal(e.to_string()))?
}
