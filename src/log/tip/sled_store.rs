//! What sled keeps of a tip: its blocks, in order. The only file that knows sled.
//!
//! sled 0.34.7 has four habits that shape this code, each measured: `flush()` is `sync_file_range`, not
//! `fsync`, so what is acknowledged does not count on it (journal.rs); a value over a quarter of a leaf's
//! segment goes to files that are never synced, so values are small and blocks are cut into parts; batches
//! cost several times a plain insert, so there are none; and it may panic on damage, so every call is
//! guarded.

use super::codec::{self, HEADER_BYTES, Header};
use crate::cursor::{LogId, Sequence};
use crate::log::LogError;
use crate::log::dir::durable::io;
use crate::log::dir::files;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// sled's log segment. `17 * MAX_VALUE_BYTES < SEGMENT_BYTES / 4` keeps leaves out of sled's blob files.
const SEGMENT_BYTES: usize = 2 * 1024 * 1024;
/// Largest value given to sled.
pub(in crate::log) const MAX_VALUE_BYTES: usize = 24 * 1024;
/// sled's page cache. Readers have their own cache of finished blocks, so this one stays small.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// How long sled may take to let go of a database that was dropped.
const LET_GO: Duration = Duration::from_secs(5);
/// Only sled's flush thread collects its garbage, hence not never. It waits for the disk each time, also when
/// nothing has come, hence not often.
const FLUSH_EVERY_MS: u64 = 1000;

/// How often garbage is looked for at a time.
const COLLECTIONS: usize = 16;

/// Longest file with sled's settings, in bytes. It has 63.
const MAX_CONF_BYTES: u64 = 64 * 1024;
/// Longest snapshot of sled's, in bytes. It reads one as a whole; that of a full tip has some 20 KB.
const MAX_SNAPSHOT_BYTES: u64 = 64 * 1024 * 1024;
/// Longest file with sled's data, in bytes. sled looks at each 2 MiB of it. A larger one is made again from
/// the journal.
const MAX_DB_BYTES: u64 = 1024 * 1024 * 1024;

/// Key of the log's id, which is no key of a block.
const LOG_KEY: &[u8] = b"log";

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

/// An open database of blocks.
#[derive(Debug)]
pub(in crate::log) struct SledStore(sled::Db);

impl SledStore {
    /// Opens or creates the one in `dir`.
    pub(in crate::log) fn open(dir: &Path) -> Result<Self, LogError> {
        check_files(dir)?;
        open_db(dir).map(Self)
    }

    /// Which log its blocks are of, if it was told.
    pub(in crate::log) fn log_id(&self) -> Result<Option<LogId>, LogError> {
        let bytes = guard("cannot read", || self.0.get(LOG_KEY))?;
        Ok(bytes.and_then(|bytes| Some(LogId::from_bytes(bytes.as_ref().try_into().ok()?))))
    }

    /// Notes which log its blocks are of.
    pub(in crate::log) fn set_log_id(&self, log: LogId) -> Result<(), LogError> {
        guard("cannot insert into", || self.0.insert(LOG_KEY, &log.to_bytes()))?;
        guard("cannot flush", || self.0.flush()).map(|_| ())
    }

    /// Stores a block. A crash leaves a prefix of its parts at worst.
    pub(in crate::log) fn insert(&self, first: Sequence, value: &[u8]) -> Result<(), LogError> {
        for (part, bytes) in (0u16..).zip(value.chunks(MAX_VALUE_BYTES)) {
            guard("cannot insert into", || self.0.insert(key(first, part), bytes))?;
        }
        Ok(())
    }

    /// The whole value of a block of `parts` parts.
    pub(in crate::log) fn get(&self, first: Sequence, parts: u16) -> Result<Vec<u8>, LogError> {
        let mut value = Vec::new();
        for part in 0..parts {
            let bytes = guard("cannot read", || self.0.get(key(first, part)))?;
            let bytes = bytes.ok_or_else(|| LogError::Damaged(format!("part {part} of the block at {first} is missing")))?;
            value.extend_from_slice(&bytes);
        }
        codec::check(&value).map(|_| ())?;
        Ok(value)
    }

    /// The headers of its blocks; what is wrong goes into `damage`. The blocks themselves are not looked at.
    pub(in crate::log) fn headers(&self, damage: &mut Vec<String>) -> Result<BTreeMap<Sequence, Header>, LogError> {
        let mut headers = BTreeMap::new();
        guard("cannot scan", || {
            for item in self.0.iter() {
                let (key, value) = item?;
                let Some((first, 0)) = parse_key(&key) else { continue };
                match Header::read(value.get(..HEADER_BYTES).unwrap_or(&value)) {
                    Ok(header) if header.first == first => drop(headers.insert(first, header)),
                    Ok(_) => damage.push(format!("sled has a block at {first} with the header of another one")),
                    Err(e) => damage.push(format!("sled has a block at {first} that cannot be read: {e}")),
                }
            }
            Ok(())
        })?;
        Ok(headers)
    }

    /// Removes the last of the blocks `headers` if a crash left it in part.
    pub(in crate::log) fn drop_torn_end(&self, headers: &mut BTreeMap<Sequence, Header>) -> Result<(), LogError> {
        let Some((first, header)) = headers.last_key_value() else { return Ok(()) };
        match self.get(*first, header.parts) {
            Ok(_) => Ok(()),
            Err(LogError::Damaged(_)) => {
                let first = *first;
                headers.remove(&first);
                self.remove_from(first)
            }
            Err(e) => Err(e),
        }
    }

    /// Removes everything at and after `first`.
    fn remove_from(&self, first: Sequence) -> Result<(), LogError> {
        guard("cannot remove from", || {
            for item in self.0.range(key(first, 0)..).keys() {
                self.0.remove(item?)?;
            }
            Ok(())
        })
    }

    /// Writes what sled has in memory, and sees to it that it is on the disk, which [sled's own flush](self)
    /// does not.
    pub(in crate::log) fn flush(&self, dir: &Path) -> Result<(), LogError> {
        guard("cannot flush", || self.0.flush())?;
        let path = dir.join("db");
        files::open_to_read(&path)?.sync_all().map_err(io("cannot sync", &path))
    }

    /// Bytes on disk.
    pub(in crate::log) fn disk_bytes(&self) -> u64 {
        self.0.size_on_disk().unwrap_or(0)
    }
}

/// Frees what sled has thrown away on this thread. It collects such things by the thread, and each only after
/// some hundred calls on that one: a thread that has nothing to do any more keeps up to 64 of its buffers of
/// 2 MiB.
pub(in crate::log) fn collect_garbage() {
    // The epoch has to advance twice until nobody can see them any more, and one call frees a few of them.
    for _ in 0..COLLECTIONS {
        crossbeam_epoch::pin().flush();
    }
}

/// sled opens whatever has the name of one of its files, and reads all of some.
fn check_files(dir: &Path) -> Result<(), LogError> {
    for entry in std::fs::read_dir(dir).map_err(io("cannot list", dir))? {
        let path = entry.map_err(io("cannot list", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let data = std::fs::symlink_metadata(&path).map_err(io("cannot look at", &path))?;
        let fits = |most| data.is_file() && data.len() <= most;
        match &*name {
            "conf" if fits(MAX_CONF_BYTES) => {}
            "db" if fits(MAX_DB_BYTES) => {}
            "blobs" if data.is_dir() => {}
            "conf" | "db" | "blobs" => return Err(LogError::Damaged(format!("{} is not what sled makes", path.display()))),
            // A snapshot only saves time.
            snapshot if snapshot.starts_with("snap.") && !fits(MAX_SNAPSHOT_BYTES) => files::remove(&path)?,
            _ => {}
        }
    }
    Ok(())
}

fn open_db(dir: &Path) -> Result<sled::Db, LogError> {
    let config = sled::Config::new()
        .path(dir)
        .segment_size(SEGMENT_BYTES)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(Some(FLUSH_EVERY_MS))
        .mode(sled::Mode::LowSpace);
    // A kill while sled writes a snapshot leaves one that it takes for whole and then refuses; a snapshot
    // only saves time.
    remove_snapshots(dir, ".generating")?;
    match open_sled(&config) {
        Err(LogError::Damaged(why)) if remove_snapshots(dir, "")? => {
            tracing::warn!(store.tip = %dir.display(), error = why, "the tip does not open; trying without sled's snapshots");
            open_sled(&config)
        }
        opened => opened,
    }
}

/// Opens sled. Its threads may hold on to a database for a moment after it was dropped; no other process can,
/// since ours is the lock of the whole directory.
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
