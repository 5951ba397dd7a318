//! A follower's log that goes on under another id, since its hub lost messages that it had acknowledged.
//!
//! Nothing that was recorded is thrown away. A log that ends with the last record that both have only gets
//! another id; of one that holds more, everything up to there is put into a new directory, and the old one is
//! set aside whole ([`forking`]).

use super::dir::durable::{create_private_dir, io, sync_dir};
use super::dir::listing::Listing;
use super::dir::manifest::Manifest;
use super::dir::{files, forking, free_space, lock};
use super::segment::Segment;
use super::{Block, EventLog, FleetRecord, Follow, FollowerLog, Limits, LogError, Piece, Scan};
use crate::chain::ChainValue;
use crate::cursor::{LogId, Sequence};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The place of a record in the stream, where that is not known any more.
const UNKNOWN: u64 = 0;
/// Records that are appended at a time.
const BATCH: usize = 8192;
/// How long a log that was closed may take until its threads have let go of it.
const RELEASED_WITHIN: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// How a follower's log goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fork {
    /// The last record that it keeps.
    pub last: Sequence,
    /// The id of the records after it.
    pub log: LogId,
}

/// What came of a fork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forked {
    /// The log does not come up to there yet.
    Behind,
    /// Retention has removed everything up to there.
    Gone,
    /// It ended there, and goes on under its new id.
    Renamed,
    /// It held more, and lies here as it was.
    SetAside(PathBuf),
}

/// The ids that the records of a follower's log have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// Of the newest ones and those to come.
    pub log: LogId,
    /// Those before it, oldest first, each with the last record that has it.
    pub ancestors: Vec<(LogId, Sequence)>,
}

impl Ids {
    /// One id for all.
    pub fn only(log: LogId) -> Self {
        Self { log, ancestors: Vec::new() }
    }

    /// The id of a record.
    pub fn at(&self, seq: Sequence) -> LogId {
        self.ancestors.iter().find(|(_, last)| seq <= *last).map_or(self.log, |(log, _)| *log)
    }

    /// All, oldest first, each with the last record that can have it.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = (LogId, Sequence)> {
        self.ancestors.iter().copied().chain(std::iter::once((self.log, Sequence::MAX)))
    }

    /// Of the records up to `last`.
    fn up_to(&self, last: Sequence) -> Vec<(LogId, Sequence)> {
        let mut kept: Vec<(LogId, Sequence)> = Vec::new();
        for (id, end) in self.all() {
            let end = end.min(last);
            // Of an id that no record has, there is no cursor.
            if kept.last().is_none_or(|(_, before)| *before < end) {
                kept.push((id, end));
            }
        }
        kept
    }

    /// The ancestors of a log that goes on as `log` after `last`: perhaps under an id that it has had.
    pub(super) fn before(&self, last: Sequence, log: LogId) -> Vec<(String, Sequence)> {
        texts(&self.up_to(last).into_iter().filter(|(id, _)| *id != log).collect::<Vec<_>>())
    }

    fn of(manifest: &Manifest) -> Result<Self, LogError> {
        let id = |text: &str| text.parse().map_err(|_| LogError::Damaged(format!("LOG holds {text:?}, which is not a log id")));
        let ancestors = manifest.ancestors.iter().map(|(log, last)| Ok((id(log)?, *last))).collect::<Result<_, LogError>>()?;
        Ok(Self { log: manifest.log_id()?, ancestors })
    }
}

fn texts(ids: &[(LogId, Sequence)]) -> Vec<(String, Sequence)> {
    ids.iter().map(|(log, last)| (log.to_string(), *last)).collect()
}

/// Waits until nobody has a log open that was closed, and takes its lock.
pub(super) async fn released(dir: &Path) -> Result<File, LogError> {
    let until = Instant::now() + RELEASED_WITHIN;
    loop {
        match lock::lock(dir) {
            Err(LogError::InUse(_)) if Instant::now() < until => tokio::time::sleep(LOOK).await,
            taken => return taken,
        }
    }
}

pub(super) fn read_manifest(dir: &Path) -> Result<Manifest, LogError> {
    Manifest::read(dir)?.ok_or_else(|| LogError::Damaged(format!("{} holds no LOG", dir.display())))
}

impl FollowerLog {
    /// The ids of the log in `data_dir`; `None` when there is no log.
    ///
    /// # Errors
    /// As [`FollowerLog::found`].
    pub fn ids(data_dir: &Path) -> Result<Option<Ids>, LogError> {
        match Self::found(data_dir)? {
            Some(_) => Ids::of(&read_manifest(&data_dir.join("log"))?).map(Some),
            None => Ok(None),
        }
    }

    /// The ids of a log that is open.
    pub fn ids_of(log: &Self) -> Ids {
        let (log, ancestors) = log.log().lineage().parts();
        Ids { log, ancestors }
    }

    /// Waits until nobody has the log in `data_dir` open any more that was closed in this program: the thread
    /// that seals does not end in the middle of a segment.
    ///
    /// # Errors
    /// [`LogError::InUse`] when that takes over 30 s; as the disk says.
    pub async fn released(data_dir: &Path) -> Result<(), LogError> {
        let dir = data_dir.join("log");
        if dir.is_dir() { released(&dir).await.map(drop) } else { Ok(()) }
    }

    /// Whether the disk takes something again, as far as it tells.
    pub fn has_room(data_dir: &Path) -> bool {
        free_space::check(data_dir, true).is_ok()
    }

    /// Makes the directory of a log that begins in the middle of a fleet's, whose earlier records had other
    /// ids.
    ///
    /// # Errors
    /// As the disk says. Where there is a log, nothing is done.
    pub fn make(data_dir: &Path, follow: &Follow, ancestors: &[(LogId, Sequence)]) -> Result<(), LogError> {
        let dir = data_dir.join("log");
        create_private_dir(&dir)?;
        let _lock = lock::lock(&dir)?;
        if Manifest::read(&dir)?.is_some() || !Listing::read(&dir)?.is_empty() {
            return Ok(());
        }
        Manifest { ancestors: texts(ancestors), ..Manifest::create_for(Some(follow)) }.write(&dir)
    }

    /// Sets the log in `data_dir` aside, whole, and gives where it lies then.
    ///
    /// # Errors
    /// As the disk says, and [`LogError::InUse`].
    pub fn set_aside(data_dir: &Path) -> Result<PathBuf, LogError> {
        let dir = data_dir.join("log");
        let _lock = lock::lock(&dir)?;
        forking::set_aside(data_dir, &read_manifest(&dir)?.log)
    }

    /// Bytes that all that was set aside in `data_dir` takes beside the log, as far as it can be read.
    pub fn aside_bytes(data_dir: &Path) -> u64 {
        forking::aside_bytes(data_dir)
    }

    /// Has the log in `data_dir`, which nobody has open, go on otherwise after a record. A kill leaves
    /// either what was, or what the next start finishes.
    ///
    /// # Errors
    /// As [`FollowerLog::open`]; [`LogError::Damaged`] where what is to be kept is not whole. Then the log is
    /// as it was.
    pub async fn fork(data_dir: &Path, fork: Fork, limits: Limits) -> Result<Forked, LogError> {
        let Some(follow) = Self::found(data_dir)? else { return Ok(Forked::Gone) };
        let dir = data_dir.join("log");
        let (log, resume, _) = Self::open_with(data_dir, &follow, limits)?;
        let bounds = log.log().bounds();
        let done = match () {
            () if resume.next <= fork.last => Ok(Forked::Behind),
            () if resume.next - 1 == fork.last => Ok(Forked::Renamed),
            () if fork.last < bounds.oldest => Ok(Forked::Gone),
            () => build(data_dir, &log, &follow, fork, limits).await.map(|()| Forked::SetAside(PathBuf::new())),
        };
        let closed = log.log().close().await;
        drop(log);
        let lock = released(&dir).await?;
        let done = done.inspect_err(|_| drop(files::remove(&forking::place(data_dir))))?;
        closed?;
        match done {
            Forked::Renamed => {
                let manifest = read_manifest(&dir)?;
                let ancestors = Ids::of(&manifest)?.before(fork.last, fork.log);
                Manifest { log: fork.log.to_string(), ancestors, ..manifest }.write(&dir)?;
                Ok(Forked::Renamed)
            }
            Forked::SetAside(_) => {
                forking::seal(data_dir)?;
                drop(lock);
                let aside = forking::finish(data_dir, |_| follow.log.to_string())?;
                Ok(Forked::SetAside(aside.unwrap_or_default()))
            }
            other => Ok(other),
        }
    }
}

/// Makes the new directory: segments that lie wholly before the fork are the same files, the other records
/// are appended once more, under the ids that they have.
pub(super) async fn build(data_dir: &Path, old: &FollowerLog, follow: &Follow, fork: Fork, limits: Limits) -> Result<(), LogError> {
    let place = forking::place(data_dir);
    let (from, dir) = (data_dir.join("log"), place.join("log"));
    files::remove(&place)?;
    create_private_dir(&place)?;
    create_private_dir(&dir)?;
    let manifest = read_manifest(&from)?;
    let ids = Ids::of(&manifest)?;
    let linked = link_segments(&from, &dir, fork.last)?;
    let first = linked.map_or(manifest.trimmed.max(1), |last| last + 1);
    let (chain, _) = old.log().chain_around(first).await?.ok_or_else(|| not_whole(first))?;
    // Of one that came from an archive, records lie before the one with which it follows.
    let begins = if linked.is_some() && follow.first <= first { *follow } else { Follow { first, chain, ..*follow } };
    let holes = manifest.holes.iter().copied().filter(|(_, last)| *last < first).collect();
    let mut stage = Manifest { clean_head: Some(first - 1), holes, ..manifest.clone() };
    let (mut next, mut before, mut chain) = (first, Vec::new(), chain);
    for (log, last) in ids.up_to(fork.last) {
        if last >= next {
            let begins = Follow { log, ..begins };
            stage = Manifest { log: log.to_string(), ancestors: texts(&before), ..stage }.beginning(&begins);
            stage.write(&dir)?;
            chain = append(&place, old, &begins, next..=last, chain, limits).await?;
            stage = read_manifest(&dir)?;
            next = last + 1;
        }
        before.push((log, last));
    }
    if old.log().chain_around(fork.last).await?.is_none_or(|(_, after)| after != chain) {
        return Err(not_whole(fork.last));
    }
    let ancestors = ids.before(fork.last, fork.log);
    let follow = if follow.first <= fork.last + 1 { *follow } else { Follow { first: fork.last + 1, chain, ..*follow } };
    Manifest { log: fork.log.to_string(), ancestors, ..stage }.beginning(&Follow { log: fork.log, ..follow }).write(&dir)
}

/// Links the segments that end ahead of `last`, so that the newest record is in a tip; the last record in
/// them.
pub(super) fn link_segments(from: &Path, to: &Path, last: Sequence) -> Result<Option<Sequence>, LogError> {
    let mut linked = None;
    for (_, path) in Listing::read(from)?.segments {
        let end = Segment::open(&path)?.last();
        if end >= last {
            break;
        }
        let link = to.join(path.file_name().unwrap_or_default());
        // Not every filesystem has links.
        if fs::hard_link(&path, &link).is_err() {
            fs::copy(&path, &link).and_then(|_| File::open(&link)?.sync_all()).map_err(io("cannot copy", &path))?;
        }
        linked = Some(end);
    }
    sync_dir(to)?;
    Ok(linked)
}

/// Appends records of the old log to the new one, whose chain goes on with `chain`; its value after them.
async fn append(
    data_dir: &Path,
    old: &FollowerLog,
    follow: &Follow,
    range: std::ops::RangeInclusive<Sequence>,
    chain: ChainValue,
    limits: Limits,
) -> Result<ChainValue, LogError> {
    let (new, resume, _) = FollowerLog::open_with(data_dir, follow, limits)?;
    let copied = if (resume.next, resume.chain) == (*range.start(), chain) {
        copy(old, &new, range, chain).await
    } else {
        Err(not_whole(*range.start()))
    };
    let closed = new.log().close().await;
    drop(new);
    released(&data_dir.join("log")).await?;
    closed.and(copied)
}

async fn copy(
    old: &FollowerLog,
    new: &FollowerLog,
    range: std::ops::RangeInclusive<Sequence>,
    mut chain: ChainValue,
) -> Result<ChainValue, LogError> {
    let (mut next, last) = range.into_inner();
    while next <= last {
        let before = next;
        let chunk = old.log().read_after(next - 1, &Scan::default()).await?;
        for piece in chunk.pieces {
            let Piece::Block(block) = piece else { return Err(not_whole(next)) };
            let records = block.sequences().filter(|seq| (next..=last).contains(seq)).map(|seq| fleet_record(&block, seq));
            let records: Vec<FleetRecord> = records.collect::<Option<_>>().ok_or_else(|| not_whole(next))?;
            for batch in records.chunks(BATCH) {
                chain = new.append_at(next, batch.to_vec()).await?.chain;
                next += batch.len() as u64;
            }
        }
        if next == before {
            return Err(not_whole(next));
        }
    }
    Ok(chain)
}

/// A record of a block, to be appended once more.
pub(super) fn fleet_record(block: &Block, seq: Sequence) -> Option<FleetRecord> {
    let (record, origin) = (block.record(seq)?, block.origin(seq)?);
    Some(FleetRecord { source: record.source, received: record.received, event: record.event, origin, place: UNKNOWN })
}

fn not_whole(seq: Sequence) -> LogError {
    LogError::Damaged(format!("record {seq} cannot be carried over into the log under its new id; give this server an empty --data-dir"))
}
