//! Puts what is sealed into the archive, one segment after the other, oldest first; one that cannot be put is
//! tried again later, and keeps no other one. Nobody waits for it but retention, which has a limit.

use super::limits::MAX_OBJECT_BYTES;
use super::status::{Handle, Status};
use super::store::{Archive, ArchiveError, Put};
use super::take::{Later, take};
use crate::cursor::Sequence;
use crate::log::{EmbeddedLog, EventLog as _, Incoming, LogError, ScratchDir, SealedSegment};
use crate::shutdown::Shutdown;
use bytes::Bytes;
use std::collections::BTreeMap;
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

/// Segments after those that are settled, by first record.
#[derive(Debug, Default)]
struct Pending {
    /// Something has become of them; with the last record of each.
    done: BTreeMap<Sequence, Sequence>,
    /// Why those that were tried are not archived yet.
    failing: BTreeMap<Sequence, String>,
}

/// What became of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was put there.
    Stored,
    /// It was there.
    Found,
    /// Something is there under its name, which cannot be read at once, and so is not compared.
    Unread(String),
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
        let (mut pending, mut at, mut wait) = (Pending::default(), *self.settled.borrow(), TRY_AGAIN);
        loop {
            self.advance(&mut pending);
            // One at a time: a segment that is held takes room also after it was removed.
            let Some(segment) = self.next(&pending, at) else {
                self.status.send_modify(|status| status.waiting_since = None);
                if sealed.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let found_at = Instant::now();
            self.status.send_modify(|status| {
                status.waiting_since.get_or_insert(found_at);
            });
            at = segment.last();
            match self.once(&segment).await {
                Ok(outcome) => {
                    wait = TRY_AGAIN;
                    self.told(&segment, outcome, &mut pending);
                }
                // The next one may be taken; this one is tried again after the newest.
                Err(e) => {
                    self.failed(&segment, &e, &mut pending);
                    sleep(wait).await;
                    wait = (2 * wait).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// The oldest segment after `at` of which nothing has become; behind the newest one, the oldest of all.
    fn next(&self, pending: &Pending, at: Sequence) -> Option<SealedSegment> {
        let undone = |mut after| loop {
            let segment = self.log.sealed_segment_after(after)?;
            if !pending.done.contains_key(&segment.first()) {
                return Some(segment);
            }
            after = segment.last();
        };
        let settled = *self.settled.borrow();
        undone(at.max(settled)).or_else(|| undone(settled))
    }

    /// Notes up to where something has become of every segment.
    fn advance(&self, pending: &mut Pending) {
        let before = *self.settled.borrow();
        let mut settled = before;
        while let Some(segment) = self.log.sealed_segment_after(settled) {
            let Some(last) = pending.done.remove(&segment.first()) else { break };
            if segment.first() > settled + 1 {
                tracing::warn!("the records {} to {} went before the archive had them", settled + 1, segment.first() - 1);
            }
            settled = last;
        }
        // Retention may have removed one of which nothing became.
        let oldest = self.log.bounds().oldest;
        pending.failing.retain(|first, _| *first > settled && *first >= oldest);
        self.status.send_modify(|status| {
            status.error = pending.failing.values().next().cloned();
            status.ahead = pending.done.iter().map(|(first, last)| last + 1 - first).sum();
            if settled > before {
                (status.settled, status.waiting_since) = (settled, Some(Instant::now()));
            }
        });
        if settled > before {
            self.settled.send_replace(settled);
        }
    }

    fn failed(&self, segment: &SealedSegment, e: &Later, pending: &mut Pending) {
        let (name, why) = (self.archive.name(segment.log(), segment.first()), e.to_string());
        // A dead archive is told once, and not for each segment.
        if !pending.failing.values().any(|known| *known == why) {
            tracing::warn!("{name} is not archived yet, it is tried again: {why}");
        }
        pending.failing.insert(segment.first(), why);
        self.status.send_modify(|status| status.error = pending.failing.values().next().cloned());
    }

    fn told(&self, segment: &SealedSegment, outcome: Outcome, pending: &mut Pending) {
        let name = self.archive.name(segment.log(), segment.first());
        match &outcome {
            Outcome::Stored => tracing::info!("archived {name}, {} bytes", segment.bytes()),
            Outcome::Found => tracing::debug!("{name} was in the archive"),
            Outcome::Unread(why) => tracing::info!("{name} is in the archive, and is not compared: {why}"),
            Outcome::Differs(why) => tracing::error!("the archive holds something else as {name}, and keeps it: {why}"),
            Outcome::Unfit(why) => tracing::error!("{name} cannot be archived: {why}"),
        }
        pending.failing.remove(&segment.first());
        pending.done.insert(segment.first(), segment.last());
        self.status.send_modify(|status| match outcome {
            Outcome::Stored => status.stored += 1,
            Outcome::Found | Outcome::Unread(_) => status.found += 1,
            Outcome::Differs(why) => (status.differ, status.told) = (status.differ + 1, Some(format!("{name}: {why}"))),
            Outcome::Unfit(why) => (status.unfit, status.told) = (status.unfit + 1, Some(format!("{name}: {why}"))),
        });
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
        let (log, first) = (segment.log(), segment.first());
        if let Some(found) = self.archive.look(log, first).await? {
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
        match (self.archive.look(log, first).await?, put) {
            (Some(found), _) => self.compare(segment, &tail, found).await,
            (None, Err(e)) => Err(e.into()),
            (None, Ok(_)) => Err(ArchiveError::Unavailable("it refuses what it does not have".to_owned()).into()),
        }
    }

    /// Whether what is there, of so many bytes, is the segment. What cannot be read for now is there.
    async fn compare(&self, segment: &SealedSegment, tail: &Bytes, bytes: u64) -> Result<Outcome, Later> {
        match self.compare_read(segment, tail, bytes).await {
            Err(Later::Archive(e @ ArchiveError::Moved(_))) if bytes == segment.bytes() => Ok(Outcome::Unread(e.to_string())),
            Err(Later::Archive(e @ ArchiveError::Moved(_))) => {
                Ok(Outcome::Unread(format!("it has {bytes} bytes there and {} here, and {e}", segment.bytes())))
            }
            outcome => outcome,
        }
    }

    /// With size and index, which holds checksums of all frames and the hash chain, it is the same byte for
    /// byte; another version may have packed the same records otherwise.
    async fn compare_read(&self, segment: &SealedSegment, tail: &Bytes, bytes: u64) -> Result<Outcome, Later> {
        let is_as_long = bytes == segment.bytes();
        if is_as_long && self.archive.tail(segment.log(), segment.first(), tail.len() as u64).await?.as_ref() == Some(tail) {
            return Ok(Outcome::Found);
        }
        let own = match blocking(segment, SealedSegment::facts).await {
            Err(LogError::Damaged(why)) => return Ok(Outcome::Unfit(why)),
            own => own?,
        };
        let scratch = ScratchDir::new()?;
        let incoming = Incoming::into(scratch.path(), segment.first())?;
        let incoming = match take(&self.archive, own.log, bytes, incoming).await {
            Err(Later::Archive(ArchiveError::TooMuch(why))) => return Ok(Outcome::Differs(why)),
            taken => taken?,
        };
        let Some(incoming) = incoming else {
            return Err(ArchiveError::Unavailable("it is gone again".to_owned()).into());
        };
        let theirs = tokio::task::spawn_blocking(move || {
            let theirs = incoming.check(own.log)?;
            let goes_on = theirs.last() > own.last && theirs.chain_before(own.last + 1)? == own.chain_after;
            Ok::<_, LogError>((theirs.facts()?, goes_on))
        });
        match theirs.await.map_err(|e| LogError::Internal(e.to_string()))? {
            Ok((theirs, _)) if theirs == own => Ok(Outcome::Found),
            // The fleet went on under another id after the last record here; it was archived before the hub
            // lost what came then.
            Ok((_, true)) if self.log.id_ends(own.log, own.last) => Ok(Outcome::Found),
            Ok((theirs, _)) => {
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
