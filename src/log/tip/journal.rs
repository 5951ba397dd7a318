//! The journal of a tip: its blocks in one file, one after the other, each durable before it is visible. A
//! block that is written is never changed.
//!
//! sled alone waits for the disk twice a commit: once for its own log, and once to be safe (active.rs). A
//! write into space that was filled with zeros before waits once, and shortly: the file's size does not
//! change.
//!
//! ```text
//! offset  0 "shipslog journal" · log id (16 bytes) · crc32 u32 of both, big-endian · zeros
//! offset 64 blocks as codec/mod.rs describes them, then zeros
//! ```

use super::codec::{self, HEADER_BYTES, Header};
use crate::cursor::{LogId, Sequence};
use crate::log::LogError;
use crate::log::dir::durable::io;
use crate::log::dir::files::{self, next_data, read_up_to};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Its name in a tip's directory.
pub(in crate::log) const NAME: &str = "journal";
const MAGIC: &[u8; 16] = b"shipslog journal";
/// Where the blocks begin.
const BLOCKS: u64 = 64;
/// Bytes that are looked through at a time for a block after damage.
const SEARCH_BYTES: usize = 1024 * 1024;
/// Bytes of blocks that turn out not to be whole, at most, that one opened journal is read for. A torn block
/// takes one try; somebody else's file may look like the begin of a block everywhere.
const MAX_FUTILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Zeros are written ahead in steps of this many bytes.
const AHEAD: u64 = 1024 * 1024;

/// An open journal.
#[derive(Debug)]
pub(in crate::log) struct Journal {
    path: PathBuf,
    file: File,
    log: Option<LogId>,
    ends: Mutex<Ends>,
    /// Of the file, for those who must not wait for a commit.
    size: AtomicU64,
    /// Where blocks lie that sled could not give.
    places: Mutex<Places>,
    /// Bytes read for blocks that were not whole, and how many may be.
    futile: AtomicU64,
    max_futile: u64,
}

#[derive(Debug)]
struct Ends {
    /// Of the last whole block.
    blocks: u64,
    /// Of the zeros after it.
    file: u64,
}

#[derive(Debug, Default)]
struct Places {
    known: HashMap<Sequence, u64>,
    looked: u64,
}

/// A whole block of a journal.
#[derive(Debug)]
pub(in crate::log) struct Entry {
    pub(in crate::log) header: Header,
    pub(in crate::log) value: Vec<u8>,
    at: u64,
}

impl Entry {
    fn end(&self) -> u64 {
        self.at + self.value.len() as u64
    }
}

impl Journal {
    /// Creates the journal of a new tip. The directory is still to be synced.
    pub(in crate::log) fn create(dir: &Path, log: LogId) -> Result<(), LogError> {
        let path = dir.join(NAME);
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&log.to_bytes());
        head.extend_from_slice(&crc32fast::hash(&head).to_be_bytes());
        head.resize(usize::try_from(AHEAD).unwrap_or_default(), 0);
        let file = File::create(&path).map_err(io("cannot create", &path))?;
        file.write_all_at(&head, 0).and_then(|()| file.sync_all()).map_err(io("cannot write", &path))
    }

    /// Opens the journal of the tip in `dir`. `None` when it is gone.
    pub(in crate::log) fn open(dir: &Path) -> Result<Option<Self>, LogError> {
        let path = dir.join(NAME);
        let file = match files::open(&path, File::options().read(true).write(true)) {
            Ok(file) => file,
            Err(e) if e.is_not_found() => return Ok(None),
            Err(e) => return Err(e),
        };
        let bytes = file.metadata().map_err(io("cannot read", &path))?.len();
        let mut head = [0; 36];
        let log = file.read_exact_at(&mut head, 0).ok().and_then(|()| read_head(&head));
        let ends = Mutex::new(Ends { blocks: BLOCKS, file: bytes });
        let (places, futile, size) = (Mutex::default(), AtomicU64::new(0), AtomicU64::new(bytes));
        Ok(Some(Self { path, file, log, ends, size, places, futile, max_futile: MAX_FUTILE_BYTES }))
    }

    /// The log that it belongs to, unless that is damaged.
    pub(in crate::log) fn log_id(&self) -> Option<LogId> {
        self.log
    }

    /// Size of the file.
    pub(in crate::log) fn bytes(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    /// Adds a block; it is durable when this returns.
    pub(in crate::log) fn append(&self, value: &[u8]) -> Result<(), LogError> {
        let mut ends = self.ends.lock();
        let end = ends.blocks + value.len() as u64;
        if end <= ends.file {
            self.file.write_all_at(value, ends.blocks)
        } else {
            let file = end.next_multiple_of(AHEAD);
            let mut longer = value.to_vec();
            longer.resize(usize::try_from(file - ends.blocks).unwrap_or(value.len()), 0);
            self.file.write_all_at(&longer, ends.blocks).map(|()| ends.file = file)
        }
        .map_err(io("cannot write", &self.path))
        .and_then(|()| {
            #[cfg(test)]
            crate::log::testing::held_sync::wait(&self.path);
            self.file.sync_data().map_err(io("cannot sync", &self.path))
        })
        // What was not acknowledged is not to come back: its sequences are given to others.
        .inspect_err(|_| drop(self.file.write_all_at(&[0; HEADER_BYTES], ends.blocks)))?;
        self.size.store(ends.file, Ordering::Relaxed);
        ends.blocks = end;
        Ok(())
    }

    /// Gives each whole block in order, and puts the end after the last one. Whether nothing but zeros lay
    /// between and after them; what a crash tore off at the end is no damage that anyone could have seen,
    /// but looks the same.
    pub(in crate::log) fn recover(&self, mut found: impl FnMut(Entry) -> Result<(), LogError>) -> Result<bool, LogError> {
        let end = self.ends.lock().file;
        let (mut at, mut last, mut whole) = (BLOCKS, 0, true);
        let mut newest = None;
        while let Some((entry, clean)) = self.next(at, last, end)? {
            whole &= clean;
            (at, last) = (entry.end(), entry.header.last());
            newest = Some((entry.at, entry.value.clone()));
            found(entry)?;
        }
        // A kill may have come before its sync. Written again, since a sync that failed leaves pages that
        // look clean and are not on the disk.
        if let Some((at, value)) = newest {
            let synced = self.file.write_all_at(&value, at).and_then(|()| self.file.sync_data());
            synced.map_err(io("cannot sync", &self.path))?;
        }
        self.ends.lock().blocks = at;
        // A search that was given up has not seen what follows.
        Ok(whole && self.futile.load(Ordering::Relaxed) <= self.max_futile)
    }

    /// The block that begins with `first`, if it is whole.
    pub(in crate::log) fn find(&self, first: Sequence) -> Result<Option<Vec<u8>>, LogError> {
        let mut places = self.places.lock();
        if !places.known.contains_key(&first) {
            let end = self.ends.lock().blocks;
            let mut at = places.looked.max(BLOCKS);
            while let Some((entry, _)) = self.next(at, 0, end)? {
                at = entry.end();
                places.known.insert(entry.header.first, entry.at);
            }
            places.looked = at;
        }
        let Some(at) = places.known.get(&first).copied() else { return Ok(None) };
        // Not held while the disk is read: commits need it.
        let end = self.ends.lock().blocks;
        Ok(self.read(at, end)?.map(|entry| entry.value))
    }

    /// The first whole block at or after `at`, and whether it lies right there.
    fn next(&self, at: u64, last: Sequence, end: u64) -> Result<Option<(Entry, bool)>, LogError> {
        let fits = |entry: &Entry| entry.header.first > last;
        if let Some(entry) = self.read(at, end)?.filter(fits) {
            return Ok(Some((entry, true)));
        }
        // Damage, or the end. All of the rest is looked at, a piece at a time: a block's header is as easily
        // hit as anything else.
        let is_start = |bytes: &[u8]| matches!(bytes, [format, flags] if codec::begins_block(*format, *flags));
        let mut piece = Vec::new();
        let mut from = at;
        while let Some((data, _)) = next_data(&self.file, from, end) {
            piece.resize(usize::try_from(end - data).map_or(SEARCH_BYTES, |rest| rest.min(SEARCH_BYTES)), 0);
            let read = read_up_to(&self.file, &mut piece, data).map_err(io("cannot read", &self.path))?;
            piece.truncate(read);
            let starts = piece.windows(2).enumerate().filter(|(_, bytes)| is_start(bytes));
            for (offset, _) in starts {
                let plausible = piece.get(offset..).and_then(|rest| Header::read(rest.get(..HEADER_BYTES)?).ok());
                let Some(header) = plausible.filter(|header| header.first > last) else { continue };
                if let Some(entry) = self.read(data + offset as u64, end)?.filter(fits) {
                    return Ok(Some((entry, false)));
                }
                let futile = HEADER_BYTES as u64 + u64::from(header.packed_bytes);
                if self.futile.fetch_add(futile, Ordering::Relaxed) > self.max_futile {
                    tracing::error!(path = %self.path.display(), "too much of the journal looks like blocks and is none; what follows is not read");
                    return Ok(None);
                }
            }
            // A header may begin in one piece and end in the next.
            if read <= HEADER_BYTES {
                break;
            }
            from = data + (read - HEADER_BYTES + 1) as u64;
        }
        Ok(None)
    }

    /// The block at `at`, if there is a whole one.
    fn read(&self, at: u64, end: u64) -> Result<Option<Entry>, LogError> {
        let mut value = vec![0; HEADER_BYTES];
        if at + HEADER_BYTES as u64 > end || read_up_to(&self.file, &mut value, at).map_err(io("cannot read", &self.path))? < HEADER_BYTES {
            return Ok(None);
        }
        let Ok(header) = Header::read(&value) else { return Ok(None) };
        let packed = header.packed_bytes as usize;
        let from = at + HEADER_BYTES as u64;
        if u64::from(header.packed_bytes) > end - from {
            return Ok(None);
        }
        value.resize(HEADER_BYTES + packed, 0);
        let read = value
            .get_mut(HEADER_BYTES..)
            .map_or(Ok(0), |rest| read_up_to(&self.file, rest, from))
            .map_err(io("cannot read", &self.path))?;
        Ok((read == packed && codec::check(&value).is_ok()).then_some(Entry { header, value, at }))
    }
}

fn read_head(head: &[u8; 36]) -> Option<LogId> {
    let (known, crc) = head.split_last_chunk::<4>()?;
    let id = known.strip_prefix(MAGIC)?.try_into().ok()?;
    (crc32fast::hash(known) == u32::from_be_bytes(*crc)).then(|| LogId::from_bytes(id))
}

#[cfg(test)]
mod tests;
