//! Which log this is and how far it may have been seen: the files `LOG`, `watermark` and `lock`.
//!
//! `LOG` is one line of JSON and a line with its CRC-32. It is replaced as a whole (temporary file, fsync, rename, fsync of the directory). It
//! reserves sequences ahead of their use, so that even a log that came back shorter never uses one twice.
//! `watermark` holds the last sequence that readers may have seen; it is written at each commit and synced each second.

use super::LogError;
use crate::cursor::{LogId, Sequence};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Format of the directory as a whole; `migrations/` holds the steps between formats.
pub(super) const LOG_FORMAT: u32 = 2;
/// How many sequences are reserved at a time.
pub(super) const RESERVE: u64 = 65_536;

/// Contents of `LOG`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// Format of the directory.
    pub(super) format: u32,
    /// Identity of the log, a UUID.
    pub(super) log: String,
    /// No sequence above this one has been used.
    pub(super) reserved: Sequence,
    /// Everything below this one was removed by retention.
    pub(super) trimmed: Sequence,
    /// Set by a clean stop: the head. Absent while the log is in use.
    pub(super) clean_head: Option<Sequence>,
    /// Missing sequences that a `gap` record in the log tells of, rising.
    #[serde(default)]
    pub(super) holes: Vec<(Sequence, Sequence)>,
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> LogError {
    let path = path.to_owned();
    move |e| LogError::Io { doing, path, source: Arc::new(e) }
}

/// Makes a directory entry durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), LogError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(io("cannot sync", dir))
}

/// Takes the lock that keeps a second process out. It is released when the file is closed, also by kill -9.
pub(super) fn lock(dir: &Path) -> Result<File, LogError> {
    let path = dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io("cannot open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogError::InUse(dir.to_owned())),
        Err(TryLockError::Error(e)) => Err(io("cannot lock", &path)(e)),
    }
}

impl Identity {
    /// A new log.
    pub(super) fn create() -> Self {
        Self { format: LOG_FORMAT, log: LogId::random().to_string(), reserved: 0, trimmed: 0, clean_head: Some(0), holes: Vec::new() }
    }

    /// Reads `LOG`; `None` when there is none yet.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, LogError> {
        let path = dir.join("LOG");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io("cannot read", &path)(e)),
        };
        let damaged = |why: &str| LogError::Damaged(format!("{}: {why}", path.display()));
        let (json, crc) = text.trim_end().split_once('\n').ok_or_else(|| damaged("it is not two lines"))?;
        if format!("{:08x}", crc32fast::hash(json.as_bytes())) != crc {
            return Err(damaged("its checksum does not fit"));
        }
        // The format is looked at first: a newer one may have other fields.
        let value: serde_json::Value = serde_json::from_str(json).map_err(|e| damaged(&e.to_string()))?;
        let found = value.get("format").and_then(serde_json::Value::as_u64).and_then(|f| u32::try_from(f).ok());
        match found {
            Some(found) if found > LOG_FORMAT => Err(LogError::NewerFormat { path, found, known: LOG_FORMAT }),
            Some(_) => serde_json::from_value(value).map(Some).map_err(|e| damaged(&e.to_string())),
            None => Err(damaged("it names no format")),
        }
    }

    /// Replaces `LOG`, durably.
    pub(super) fn write(&self, dir: &Path) -> Result<(), LogError> {
        let (path, temporary) = (dir.join("LOG"), dir.join("LOG.new"));
        let json = serde_json::to_string(self).map_err(|e| LogError::Damaged(e.to_string()))?;
        let text = format!("{json}\n{:08x}\n", crc32fast::hash(json.as_bytes()));
        let mut file = File::create(&temporary).map_err(io("cannot create", &temporary))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io("cannot write", &temporary))?;
        fs::rename(&temporary, &path).map_err(io("cannot replace", &path))?;
        sync_dir(dir)
    }

    /// The log's id.
    pub(super) fn log_id(&self) -> Result<LogId, LogError> {
        self.log.parse().map_err(|_| LogError::Damaged(format!("LOG holds {:?}, which is not a log id", self.log)))
    }
}

/// The file with the last sequence that may have been seen.
#[derive(Debug)]
pub(super) struct Watermark {
    path: PathBuf,
    file: File,
}

impl Watermark {
    /// Opens or creates it and reads what it holds; `None` when it holds nothing readable.
    pub(super) fn open(dir: &Path) -> Result<(Self, Option<Sequence>), LogError> {
        let path = dir.join("watermark");
        let file = File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(io("cannot open", &path))?;
        let mut bytes = [0; 12];
        let seq = file.read_exact_at(&mut bytes, 0).ok().and_then(|()| {
            let (seq, crc) = bytes.split_first_chunk::<8>()?;
            (crc == crc32fast::hash(seq).to_be_bytes()).then(|| u64::from_be_bytes(*seq))
        });
        Ok((Self { path, file }, seq))
    }

    /// Writes without syncing: exact after a kill, up to a second old after a power cut.
    pub(super) fn write(&self, seq: Sequence) -> Result<(), LogError> {
        let seq = seq.to_be_bytes();
        let mut bytes = [0; 12];
        let (head, tail) = bytes.split_at_mut(8);
        head.copy_from_slice(&seq);
        tail.copy_from_slice(&crc32fast::hash(&seq).to_be_bytes());
        self.file.write_all_at(&bytes, 0).map_err(io("cannot write", &self.path))
    }

    pub(super) fn sync(&self) -> Result<(), LogError> {
        self.file.sync_data().map_err(io("cannot sync", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_file_round_trips_and_notices_damage() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Identity::read(dir.path()).unwrap(), None);
        let identity = Identity { reserved: 9, clean_head: Some(4), ..Identity::create() };
        identity.write(dir.path()).unwrap();
        assert_eq!(Identity::read(dir.path()).unwrap(), Some(identity.clone()));
        let path = dir.path().join("LOG");
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() - 1 {
            let mut bad = good.clone();
            bad[at] ^= 4;
            fs::write(&path, bad).unwrap();
            assert!(Identity::read(dir.path()).is_err(), "flip at {at}");
        }
        Identity { format: LOG_FORMAT + 1, ..identity }.write(dir.path()).unwrap();
        let error = Identity::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("format 3") && error.contains("run the newer shipslog"), "{error}");
    }

    #[test]
    fn watermark_survives_and_notices_damage() {
        let dir = tempfile::tempdir().unwrap();
        let (watermark, nothing) = Watermark::open(dir.path()).unwrap();
        assert_eq!(nothing, None);
        watermark.write(77).unwrap();
        watermark.sync().unwrap();
        assert_eq!(Watermark::open(dir.path()).unwrap().1, Some(77));
        fs::write(dir.path().join("watermark"), b"short").unwrap();
        assert_eq!(Watermark::open(dir.path()).unwrap().1, None);
    }

    #[test]
    fn second_lock_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock(dir.path()).unwrap();
        assert!(matches!(lock(dir.path()), Err(LogError::InUse(_))));
        drop(held);
        lock(dir.path()).unwrap();
    }
}
