//! The tip of the log, in sled. The only file that knows sled.
//!
//! sled 0.34.7 has four habits that shape this code, each measured for the design (DESIGN.md 4):
//! `flush()` is `sync_file_range`, not `fsync`, so a second handle on its file is synced as well; a value over
//! a quarter of a leaf's segment goes to files that are never synced, so values are small and blocks are cut into parts;
//! batches cost several times a plain insert, so there are none; and it may panic on damage, so every call is guarded.

use super::LogError;
use super::codec::{self, HEADER_BYTES, Header};
use super::identity::sync_dir;
use super::listing::{UNFINISHED, create_private_dir, io};
use crate::cursor::{LogId, Sequence};
use std::fs::File;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// sled's log segment. `17 * MAX_VALUE_BYTES < SEGMENT_BYTES / 4` keeps leaves out of sled's blob files.
const SEGMENT_BYTES: usize = 2 * 1024 * 1024;
/// Largest value given to sled.
pub(super) const MAX_VALUE_BYTES: usize = 24 * 1024;
/// sled's page cache. Readers have their own cache of finished blocks, so this one stays small.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// How long sled may take to let go of a database that was dropped.
const LET_GO: Duration = Duration::from_secs(5);
/// Only sled's flush thread collects its garbage, hence not never.
const FLUSH_EVERY_MS: u64 = 200;

/// An open tip.
#[derive(Debug)]
pub(super) struct Tip {
    dir: PathBuf,
    log: Option<LogId>,
    db: sled::Db,
    file: File,
    /// Dropped when sled has let go of its files.
    removal: Removal,
    /// Keeps other processes out until then. Dropped last.
    _lock: Lock,
}

/// The lock of a log's directory; everything that has files open in it holds it.
pub(super) type Lock = Arc<File>;

/// Removes the directory when it is dropped, if it is to.
#[derive(Debug)]
struct Removal {
    dir: PathBuf,
    due: AtomicBool,
    /// Not removed but set aside: it may hold what nothing else does.
    aside: AtomicBool,
}

/// What a tip's directory is called: this, and a number in 20 digits that rises from tip to tip and tells about where it begins.
pub(super) const NAME: &str = "tip-";
/// Key of the log's id, which is no key of a block.
const LOG_KEY: &[u8] = b"log";
/// A directory that is being removed has this name, so that a kill in the middle leaves nothing that looks like a tip.
pub(super) const REMOVED: &str = "removed-";

impl Drop for Removal {
    fn drop(&mut self) {
        if self.due.load(Ordering::Acquire)
            && let Err(e) = if self.aside.load(Ordering::Acquire) { set_aside(&self.dir) } else { remove_dir(&self.dir) }
        {
            tracing::warn!(store.tip = %self.dir.display(), error = %e, "a sealed tip cannot be removed; the next start tries again");
        }
    }
}

/// Moves a tip from `<data>/log/` to `<data>/quarantine/`.
fn set_aside(dir: &Path) -> std::io::Result<()> {
    let quarantine = dir.parent().and_then(Path::parent).unwrap_or(dir).join("quarantine");
    create_private_dir(&quarantine).map_err(std::io::Error::other)?;
    let name = format!("{}-{}", dir.file_name().unwrap_or_default().to_string_lossy(), crate::time::Timestamp::now().nanos());
    std::fs::rename(dir, quarantine.join(name))
}

/// Removes a directory so that a kill at any moment leaves either all of it or something that the next start removes.
fn remove_dir(dir: &Path) -> std::io::Result<()> {
    let name = format!("{REMOVED}{}", dir.file_name().unwrap_or_default().to_string_lossy());
    let aside = dir.with_file_name(name);
    std::fs::rename(dir, &aside)?;
    std::fs::remove_dir_all(aside)
}

/// Name of the tip for records from `first` on.
pub(super) fn dir_name(first: Sequence) -> String {
    format!("{NAME}{first:020}")
}

/// First sequence, then part, big-endian: sled's order is the order of the log.
fn key(first: Sequence, part: u16) -> [u8; 10] {
    let mut key = [0; 10];
    let (seq, rest) = key.split_at_mut(8);
    seq.copy_from_slice(&first.to_be_bytes());
    rest.copy_from_slice(&part.to_be_bytes());
    key
}

fn parse_key(key: &[u8]) -> Option<(Sequence, u16)> {
    let (seq, part) = key.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*seq), u16::from_be_bytes(part.try_into().ok()?)))
}

impl Tip {
    /// Creates a tip in the log directory `dir` for records of `log` from `first` on.
    pub(super) fn create(dir: &Path, first: Sequence, log: LogId, lock: Lock) -> Result<Self, LogError> {
        let path = dir.join(dir_name(first));
        let unfinished = dir.join(format!("{}{UNFINISHED}", dir_name(first)));
        // sled writes several files; a kill between them leaves something that does not open.
        create_private_dir(&unfinished)?;
        let tip = Self::open(&unfinished, Arc::clone(&lock))?;
        guard("cannot insert into", || tip.db.insert(LOG_KEY, &log.to_bytes()))?;
        tip.sync()?;
        drop(tip);
        std::fs::rename(&unfinished, &path).map_err(io("cannot rename", &unfinished))?;
        sync_dir(dir)?;
        Self::open(&path, lock)
    }

    /// Which log it belongs to; those of format 1 do not tell.
    pub(super) fn log_id(&self) -> Option<LogId> {
        self.log
    }

    /// Opens the tip in `dir`.
    pub(super) fn open(dir: &Path, lock: Lock) -> Result<Self, LogError> {
        let config = sled::Config::new()
            .path(dir)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .mode(sled::Mode::LowSpace);
        // A kill while sled writes a snapshot leaves one that it takes for whole and then refuses; a snapshot only saves time.
        remove_snapshots(dir, ".generating")?;
        let open = || open_sled(&config);
        let db = match open() {
            Err(LogError::Damaged(why)) if remove_snapshots(dir, "")? => {
                tracing::warn!(store.tip = %dir.display(), error = why, "the tip does not open; trying without sled's snapshots");
                open()?
            }
            opened => opened?,
        };
        let path = dir.join("db");
        let file = File::options().read(true).write(true).open(&path).map_err(io("cannot open", &path))?;
        file.sync_all().map_err(io("cannot sync", &path))?;
        File::open(dir).and_then(|d| d.sync_all()).map_err(io("cannot sync", dir))?;
        let removal = Removal { dir: dir.to_owned(), due: AtomicBool::new(false), aside: AtomicBool::new(false) };
        let log = guard("cannot read", || db.get(LOG_KEY))?.and_then(|bytes| Some(LogId::from_bytes(bytes.as_ref().try_into().ok()?)));
        Ok(Self { dir: dir.to_owned(), log, db, file, removal, _lock: lock })
    }

    /// Stores one block, durable when this returns. Parts go in order, so that a crash leaves a prefix of them, which
    /// [`Tip::headers`] recognises by its header.
    pub(super) fn commit(&self, first: Sequence, value: &[u8]) -> Result<(), LogError> {
        for (part, bytes) in (0u16..).zip(value.chunks(MAX_VALUE_BYTES)) {
            guard("cannot insert into", || self.db.insert(key(first, part), bytes))?;
        }
        self.sync()
    }

    fn sync(&self) -> Result<(), LogError> {
        guard("cannot flush", || self.db.flush())?;
        self.file.sync_data().map_err(|e| LogError::Io { doing: "cannot sync", path: self.dir.join("db"), source: Arc::new(e) })
    }

    /// The whole value of a block of `parts` parts.
    pub(super) fn get(&self, first: Sequence, parts: u16) -> Result<Vec<u8>, LogError> {
        let mut value = Vec::new();
        for part in 0..parts {
            let bytes = guard("cannot read", || self.db.get(key(first, part)))?;
            let bytes = bytes.ok_or_else(|| LogError::Damaged(format!("part {part} of the block at {first} is missing")))?;
            value.extend_from_slice(&bytes);
        }
        Ok(value)
    }

    /// Its directory goes when the last reader has let go of it.
    pub(super) fn retire(&self) {
        self.removal.due.store(true, Ordering::Release);
    }

    /// As [`Tip::retire`], but its directory goes to the quarantine.
    pub(super) fn retire_aside(&self) {
        self.removal.aside.store(true, Ordering::Release);
        self.retire();
    }

    /// The number in its name.
    pub(super) fn name(&self) -> Sequence {
        self.dir.file_name().and_then(|n| n.to_str()?.strip_prefix(NAME)?.parse().ok()).unwrap_or(0)
    }

    /// Where it lies.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The headers of all readable blocks in order. A last block that a crash left incomplete was never visible: it is
    /// removed, so that its sequences can be used.
    pub(super) fn headers(&self) -> Result<Vec<Header>, LogError> {
        let mut headers: Vec<Header> = Vec::new();
        let mut stray: Vec<Sequence> = Vec::new();
        guard("cannot scan", || {
            for item in self.db.iter() {
                let (key, value) = item?;
                let Some((first, 0)) = parse_key(&key) else { continue };
                match Header::read(value.get(..HEADER_BYTES).unwrap_or(&value)) {
                    Ok(header) if header.first == first => headers.push(header),
                    _ => stray.push(first),
                }
            }
            Ok(())
        })?;
        if let Some(last) = headers.last() {
            match self.get(last.first, last.parts).and_then(|value| codec::check(&value).map(|_| ())) {
                Ok(()) => {}
                Err(LogError::Damaged(_)) => {
                    let first = last.first;
                    headers.pop();
                    self.remove_from(first)?;
                }
                Err(e) => return Err(e),
            }
        }
        for first in stray {
            tracing::error!(event.seq = first, "a block in the log's tip has an unreadable header; its records are lost");
        }
        Ok(headers)
    }

    /// Removes everything at and behind `first`.
    fn remove_from(&self, first: Sequence) -> Result<(), LogError> {
        guard("cannot remove from", || {
            for item in self.db.range(key(first, 0)..).keys() {
                self.db.remove(item?)?;
            }
            Ok(())
        })?;
        self.sync()
    }

    /// Bytes on disk.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.db.size_on_disk().unwrap_or(0)
    }
}

/// Opens sled. Its threads may hold on to a database for a moment after it was dropped; no other process can, since ours is the lock of the
/// whole directory.
fn open_sled(config: &sled::Config) -> Result<sled::Db, LogError> {
    let began = Instant::now();
    loop {
        match guard("cannot open", || config.open()) {
            Err(LogError::Io { source, .. }) if source.to_string().contains("acquire lock") && began.elapsed() < LET_GO => {
                std::thread::sleep(Duration::from_millis(1));
            }
            opened => return opened,
        }
    }
}

/// Removes sled's snapshots whose names end with `suffix`; whether there were any.
fn remove_snapshots(dir: &Path, suffix: &str) -> Result<bool, LogError> {
    let mut any = false;
    for entry in std::fs::read_dir(dir).map_err(io("cannot list", dir))? {
        let path = entry.map_err(io("cannot list", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(suffix) {
            std::fs::remove_file(&path).map_err(io("cannot remove", &path))?;
            any = true;
        }
    }
    Ok(any)
}

/// Runs one sled operation (`doing`: "cannot …"); its errors and its panics become ours.
fn guard<T>(doing: &'static str, operation: impl FnOnce() -> sled::Result<T>) -> Result<T, LogError> {
    match catch_unwind(AssertUnwindSafe(operation)) {
        Ok(Ok(value)) => Ok(value),
        // What the disk refuses now it may grant later; only what it gives wrongly is damage.
        Ok(Err(sled::Error::Io(e))) if !matches!(e.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
            Err(LogError::Io { doing, path: PathBuf::from("the log's tip"), source: Arc::new(e) })
        }
        Ok(Err(e)) => Err(LogError::Damaged(format!("sled {doing}: {e}"))),
        Err(panic) => {
            let why = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            Err(LogError::Damaged(format!("sled panicked, {doing}: {}", why.unwrap_or("no reason given"))))
        }
    }
}
