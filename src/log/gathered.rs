//! A follower's log out of the segments that were gathered for it. The newest of them may reach beyond where
//! the follower begins; nothing bears out what it holds there, so that only the records before that are
//! taken, and the follower gets the others from its stream.

use super::dir::durable::{create_private_dir, io, sync_dir};
use super::dir::files;
use super::dir::manifest::Manifest;
use super::dir::watermark::Watermark;
use super::fork::{fleet_record, link_segments, read_manifest, released};
use super::{Assembly, EventLog as _, Follow, FollowerLog, Ids, Limits, LogError, SealedSegment};
use crate::chain::ChainValue;
use crate::cursor::Sequence;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Records that are appended at a time.
const BATCH: usize = 8192;

impl Assembly {
    /// Makes a log of what was gathered, which goes on as `follow` says and whose records have these ids;
    /// what is missing within, and up to there, is noted.
    ///
    /// # Errors
    /// [`LogError::Refused`] when there is a log already; a file operation that failed.
    pub async fn finish(self, follow: &Follow, ids: &Ids, limits: Limits) -> Result<(), LogError> {
        let mut segments = self.gathered()?;
        let cut = segments.pop_if(|segment| segment.last() >= follow.first);
        let begins = match &cut {
            Some(cut) => Follow { log: cut.log(), first: cut.first(), chain: cut.facts()?.chain_before },
            None => *follow,
        };
        let oldest = segments.first().map_or(begins.first, |segment| segment.first().min(begins.first));
        let (mut holes, mut next) = (Vec::new(), oldest);
        for segment in &segments {
            if segment.first() > next {
                holes.push((next, segment.first() - 1));
            }
            next = next.max(segment.last() + 1);
        }
        if begins.first > next {
            holes.push((next, begins.first - 1));
        }
        let head = next.max(begins.first) - 1;
        let ancestors = ids.before(begins.first - 1, begins.log);
        let manifest =
            Manifest { trimmed: oldest, clean_head: Some(head), reserved: head, holes, ancestors, ..Manifest::create_for(Some(&begins)) };
        let Some(cut) = cut else {
            Watermark::open(self.dir())?.0.write(head)?;
            manifest.write(self.dir())?;
            return self.becomes(self.dir());
        };
        // In a directory within: a kill leaves it to be made again of what was gathered.
        let made = self.dir().join("log");
        files::remove(&made)?;
        create_private_dir(&made)?;
        link_segments(self.dir(), &made, cut.first())?;
        Watermark::open(&made)?.0.write(head)?;
        manifest.write(&made)?;
        let chain = append(self.dir(), &cut, &begins, follow.first, limits).await?;
        if chain != follow.chain {
            return Err(LogError::Damaged(format!("{} is of another history than what comes after it", cut.path().display())));
        }
        let manifest =
            Manifest { log: follow.log.to_string(), ancestors: ids.before(follow.first - 1, follow.log), ..read_manifest(&made)? };
        manifest.beginning(follow).write(&made)?;
        self.becomes(&made)?;
        files::remove(self.dir())?;
        sync_dir(self.data_dir())
    }

    /// Makes `made` the log of the data directory.
    fn becomes(&self, made: &Path) -> Result<(), LogError> {
        let target = self.data_dir().join("log");
        let _ = fs::remove_dir(&target);
        fs::rename(made, &target).map_err(|e| match e.kind() {
            ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => {
                LogError::Refused(format!("{} holds a log already", self.data_dir().display()))
            }
            _ => io("cannot rename", made)(e),
        })?;
        sync_dir(self.data_dir())
    }
}

/// Appends the records of a segment before `until` to the log in `data_dir`, which begins with them; the hash
/// chain's value after them.
async fn append(data_dir: &Path, cut: &SealedSegment, begins: &Follow, until: Sequence, limits: Limits) -> Result<ChainValue, LogError> {
    let (log, ..) = FollowerLog::open_with(data_dir, begins, limits)?;
    let copied = copy(&log, cut, begins, until).await;
    let closed = log.log().close().await;
    drop(log);
    released(&data_dir.join("log")).await?;
    closed.and(copied)
}

async fn copy(log: &FollowerLog, cut: &SealedSegment, begins: &Follow, until: Sequence) -> Result<ChainValue, LogError> {
    let (mut next, mut chain) = (begins.first, begins.chain);
    let unread = |seq| LogError::Damaged(format!("{} does not give the record {seq}", cut.path().display()));
    for block in cut.blocks() {
        let block = block?;
        let sequences = block.sequences().filter(|seq| (next..until).contains(seq));
        let records: Vec<_> = sequences.map(|seq| fleet_record(&block, seq)).collect::<Option<_>>().ok_or_else(|| unread(next))?;
        for batch in records.chunks(BATCH) {
            chain = log.append_at(next, batch.to_vec()).await?.chain;
            next += batch.len() as u64;
        }
        if block.last() + 1 >= until {
            break;
        }
    }
    if next == until { Ok(chain) } else { Err(unread(next)) }
}
