//! A cold server: the segments of its fleet come from the archive before it follows. Newest first, since each
//! is joined to the one after it by the hash chain, and the newest to what the stream says; so the archive
//! can tell nothing about the past that the stream does not bear out.

use super::limits::MAX_OBJECT_BYTES;
use super::store::{Archive, ArchiveError};
use super::take::{Later, take};
use crate::chain::ChainValue;
use crate::cursor::{LogId, Sequence};
use crate::log::{Assembly, Follow, Ids, LogError, SealedSegment};
use crate::shutdown::Shutdown;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::sleep;

/// The first wait after a failure; each one after that is twice as long,
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Why nothing was fetched.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FetchError {
    /// The archive refuses, or is not what it should be.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// What was fetched cannot be kept.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl From<Later> for FetchError {
    fn from(e: Later) -> Self {
        match e {
            Later::Archive(e) => Self::Archive(e),
            Later::Log(e) => Self::Log(e),
        }
    }
}

/// How much of the archive is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Records in a segment, as the fleet cuts them.
    pub segment_records: u64,
    /// Bytes of segments that retention keeps.
    pub bytes: Option<u64>,
    /// Age that it keeps, counted from the newest segment that is fetched: clocks may be wrong.
    pub age: Option<Duration>,
}

/// What a cold server fetches.
#[derive(Debug)]
pub struct Fetch {
    archive: Archive,
    data_dir: PathBuf,
    wanted: Wanted,
    /// What was fetched and is not taken, by first record.
    refused: BTreeSet<Sequence>,
    /// Something was read: a refusal is of one object, and not of this server.
    has_read: bool,
}

/// An object of the archive.
#[derive(Debug, Clone, Copy)]
struct Object {
    /// Of which id,
    log: LogId,
    /// and the last record that has it.
    ends: Sequence,
    first: Sequence,
    bytes: u64,
}

/// What is joined to the segments that are taken.
#[derive(Debug, Clone, Copy)]
struct Join {
    /// The first record that is there,
    first: Sequence,
    /// and the hash chain's value before it.
    chain: ChainValue,
    /// It is what the stream says: a segment may hold more than what lies before it, of which nothing is
    /// taken.
    is_stream: bool,
}

impl Fetch {
    /// Into a data directory that has no log.
    pub fn new(archive: Archive, data_dir: &Path, wanted: Wanted) -> Self {
        Self { archive, data_dir: data_dir.to_owned(), wanted, refused: BTreeSet::new(), has_read: false }
    }

    /// Gathers what lies before the record with which `follow` begins, of each id what has it. What is
    /// gathered already is not fetched again. `None` when there is nothing, or when work ends.
    ///
    /// # Errors
    /// When the archive refuses, or what came cannot be kept. While it does not answer, it is waited for.
    pub async fn gather(&mut self, follow: &Follow, ids: &Ids, shutdown: &Shutdown) -> Result<Option<Assembly>, FetchError> {
        let mut wait = TRY_AGAIN;
        loop {
            let gathered = tokio::select! {
                gathered = self.gather_once(follow, ids) => gathered,
                () = shutdown.stopping() => return Ok(None),
            };
            match gathered {
                Err(FetchError::Archive(ArchiveError::Unavailable(why))) => {
                    tracing::warn!("waiting for the archive; without --archive, this server begins with what the stream has: {why}");
                }
                gathered => return gathered,
            }
            tokio::select! {
                () = sleep(wait) => wait = (2 * wait).min(LONGEST_WAIT),
                () = shutdown.stopping() => return Ok(None),
            }
        }
    }

    /// The objects that may hold what is wanted, from oldest to newest. Of those that hold records of the
    /// same segment, the one that begins first holds most: it comes first.
    async fn list(&self, follow: &Follow, ids: &Ids) -> Result<Vec<Vec<Object>>, FetchError> {
        let segment_of = |first: Sequence| (first - 1) / self.wanted.segment_records.max(1);
        let (mut segments, mut after): (Vec<Vec<Object>>, _) = (Vec::new(), 0);
        for (log, ends) in ids.all() {
            let mut same = None;
            for (first, bytes) in self.archive.list(log).await? {
                if first <= after || first > ends || first >= follow.first {
                    continue;
                }
                let object = Object { log, ends, first, bytes };
                match segments.last_mut().filter(|_| same == Some(segment_of(first))) {
                    Some(last) => last.push(object),
                    None => segments.push(vec![object]),
                }
                same = Some(segment_of(first));
            }
            after = ends;
        }
        Ok(segments)
    }

    async fn gather_once(&mut self, follow: &Follow, ids: &Ids) -> Result<Option<Assembly>, FetchError> {
        if follow.first == 1 {
            return Ok(None);
        }
        let segments = self.list(follow, ids).await?;
        if segments.is_empty() {
            return Ok(None);
        }
        let (dir, of) = (self.data_dir.clone(), ids.clone());
        let assembly = blocking(move || Assembly::open(&dir, |first| of.at(first))).await?;
        let gathered = assembly.clone();
        let gathered = blocking(move || gathered.gathered()).await?;
        let mut have: BTreeMap<_, _> = gathered.into_iter().map(|segment| (segment.first(), segment)).collect();
        let (mut join, mut kept) = (Join { first: follow.first, chain: follow.chain, is_stream: true }, Kept::default());
        'all: for same in segments.into_iter().rev() {
            for object in same {
                // What is too large for a segment is none, and says nothing of what is older.
                let is_segment = object.bytes <= MAX_OBJECT_BYTES;
                if is_segment && self.wanted.bytes.is_some_and(|most| kept.bytes + object.bytes > most) {
                    tracing::info!("what lies before the record {} stays in the archive: retention would not keep it", join.first);
                    break 'all;
                }
                let Some(segment) = self.one(&assembly, join, have.remove(&object.first), object).await? else { continue };
                let received = segment.received();
                let newest = *kept.newest.get_or_insert(received);
                if self.wanted.age.is_some_and(|age| newest.since(received) > age) {
                    have.insert(object.first, segment);
                    break 'all;
                }
                kept.bytes += object.bytes;
                if segment.last() + 1 < join.first {
                    kept.missing.push((segment.last() + 1, join.first - 1));
                }
                let facts = blocking(move || segment.facts()).await?;
                join = Join { first: facts.first, chain: facts.chain_before, is_stream: false };
                break;
            }
        }
        // What an earlier start has gathered and nobody wants any more.
        for segment in have.into_values() {
            let assembly = assembly.clone();
            blocking(move || assembly.remove(&segment)).await?;
        }
        for (first, last) in &kept.missing {
            tracing::warn!("the archive does not have the records {first} to {last}, as they should be; they are a gap here");
        }
        Ok((kept.bytes > 0).then_some(assembly))
    }

    /// One segment, if it is there and as it should be; otherwise that is told.
    async fn one(
        &mut self,
        assembly: &Assembly,
        join: Join,
        have: Option<SealedSegment>,
        object: Object,
    ) -> Result<Option<SealedSegment>, FetchError> {
        if self.refused.contains(&object.first) {
            return Ok(None);
        }
        let why = match have {
            Some(segment) => {
                let (at, checked) = (assembly.clone(), segment.clone());
                let joins = blocking(move || join.takes(&checked, object.ends).inspect_err(|_| drop(at.remove(&checked)))).await;
                match joins {
                    Ok(()) => return Ok(Some(segment)),
                    Err(LogError::Damaged(why)) => why,
                    Err(e) => return Err(e.into()),
                }
            }
            None => match self.fetch(assembly, join, object).await {
                Ok(Some(segment)) => {
                    self.has_read = true;
                    return Ok(Some(segment));
                }
                Ok(None) => "it is gone".to_owned(),
                Err(FetchError::Log(LogError::Damaged(why))) => {
                    self.has_read = true;
                    why
                }
                Err(FetchError::Archive(e @ (ArchiveError::TooMuch(_) | ArchiveError::Moved(_)))) => e.to_string(),
                Err(FetchError::Archive(e @ ArchiveError::Refused(_))) if self.has_read => e.to_string(),
                Err(e) => return Err(e),
            },
        };
        tracing::error!("{} of the archive is not taken: {why}", self.archive.name(object.log, object.first));
        self.refused.insert(object.first);
        Ok(None)
    }

    async fn fetch(&self, assembly: &Assembly, join: Join, object: Object) -> Result<Option<SealedSegment>, FetchError> {
        let Object { log, ends, first, bytes } = object;
        if bytes > MAX_OBJECT_BYTES {
            return Err(ArchiveError::TooMuch(format!("it has {bytes} bytes, and a segment has {MAX_OBJECT_BYTES} at most")).into());
        }
        let at = assembly.clone();
        let incoming = blocking(move || at.receive(first)).await?;
        let Some(incoming) = take(&self.archive, log, bytes, incoming).await? else { return Ok(None) };
        let segment = blocking(move || incoming.keep(log, |segment| join.takes(segment, ends))).await?;
        tracing::info!("fetched the records {first} to {} from the archive", segment.last());
        Ok(Some(segment))
    }
}

/// What is taken so far.
#[derive(Debug, Default)]
struct Kept {
    bytes: u64,
    /// When the newest record was received.
    newest: Option<Timestamp>,
    /// Records that are missing, from newest to oldest.
    missing: Vec<(Sequence, Sequence)>,
}

impl Join {
    /// Whether a segment, of an id that `ends` with a record, continues up to here. Where records between
    /// are missing, nothing says that it does not.
    fn takes(self, segment: &SealedSegment, ends: Sequence) -> Result<(), LogError> {
        let damaged = |why: &str| Err(LogError::Damaged(why.to_owned()));
        let end = segment.last() + 1;
        if end > self.first && !self.is_stream {
            return damaged("it holds records that the one after it holds");
        }
        // What lies after where the stream begins is not taken.
        if segment.last() > ends && ends + 1 < self.first {
            return damaged("it goes on after the record with which its id ends: it is of what the hub has lost");
        }
        if end >= self.first && segment.chain_before(self.first)? != self.chain {
            return damaged("its hash chain is not that of what comes after it: it is of another history");
        }
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, LogError> + Send + 'static) -> Result<T, LogError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| LogError::Internal(e.to_string()))?
}
