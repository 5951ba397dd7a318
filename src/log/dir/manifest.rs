//! Which log this is: the manifest of a log, which is its file `LOG`.
//!
//! `LOG` is one line of JSON and a line with its CRC-32. It is replaced as a whole (temporary file, fsync,
//! rename, fsync of the directory). It reserves sequences ahead of their use, so that even a log that came
//! back shorter never uses one twice.

use super::durable::{io, sync_dir};
use super::files;
use super::lineage::Lineage;
use crate::cursor::{LogId, MAX_SEQUENCE, Sequence};
use crate::log::record::chain::CHAIN_START;
use crate::log::{Follow, LogError};
use crate::migrations;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Format of the directory as a whole; `migrations/` holds the steps between formats.
pub(in crate::log) const LOG_FORMAT: u32 = 7;
/// The oldest that is read; no release wrote an older one.
const OLDEST_FORMAT: u32 = migrations::OLDEST;
/// Longest `LOG`, in bytes: some 400,000 holes.
const MAX_LOG_BYTES: u64 = 16 * 1024 * 1024;
/// How many sequences are reserved at a time.
pub(in crate::log) const RESERVE: u64 = 65_536;

/// Contents of `LOG`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::log) struct Manifest {
    /// Format of the directory.
    pub(in crate::log) format: u32,
    /// Identity of the log, a UUID.
    pub(in crate::log) log: String,
    /// No sequence above this one has been used.
    pub(in crate::log) reserved: Sequence,
    /// Everything below this one was removed by retention.
    pub(in crate::log) trimmed: Sequence,
    /// Set by a clean stop: the head. Absent while the log is in use.
    pub(in crate::log) clean_head: Option<Sequence>,
    /// Missing sequences that a `gap` record in the log tells of, rising.
    #[serde(default)]
    pub(in crate::log) holes: Vec<(Sequence, Sequence)>,
    /// Logs whose copy this one is, oldest first: the id, and the last sequence that both have.
    #[serde(default)]
    pub(in crate::log) ancestors: Vec<(String, Sequence)>,
    /// Up to here the log was made from an export, which may have left records out.
    #[serde(default)]
    pub(in crate::log) imported: Sequence,
    /// The file in which this was written. Another one is a copy.
    #[serde(default)]
    pub(in crate::log) file: Option<FileIdentity>,
    /// It is known to be a copy, whatever `file` says: it takes another name when it is opened next.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::log) forks: bool,
    /// Of a follower's log: where it begins. A recorder's has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::log) follows: Option<Follows>,
}

/// Where a follower's log begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::log) struct Follows {
    first: Sequence,
    /// The value of the hash chain before it, in hex.
    chain: String,
}

/// What a copy of a file has not in common with it. Not the device: its number may change from one boot to
/// the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::log) struct FileIdentity {
    inode: u64,
    /// Nanoseconds since the Unix epoch; absent where the filesystem keeps no time of birth.
    born: Option<u64>,
}

impl FileIdentity {
    /// By the time of birth, which nothing that copies a file can set. Inodes are a stopgap: some filesystems
    /// number them again at each mount.
    fn is_another(self, than: Self) -> bool {
        match (self.born, than.born) {
            (Some(born), Some(other)) => born != other,
            _ => self.inode != than.inode,
        }
    }

    fn of(file: &File) -> std::io::Result<Self> {
        let data = file.metadata()?;
        let born = data.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        Ok(Self { inode: data.ino(), born: born.and_then(|time| u64::try_from(time.as_nanos()).ok()) })
    }
}

impl Manifest {
    /// A new log.
    pub(in crate::log) fn create() -> Self {
        Self {
            format: LOG_FORMAT,
            log: LogId::random().to_string(),
            reserved: 0,
            trimmed: 0,
            clean_head: Some(0),
            holes: Vec::new(),
            ancestors: Vec::new(),
            imported: 0,
            file: None,
            forks: false,
            follows: None,
        }
    }

    /// A new log of a follower, or of a recorder.
    pub(in crate::log) fn create_for(follow: Option<&Follow>) -> Self {
        let Some(follow) = follow else { return Self::create() };
        Self {
            log: follow.log.to_string(),
            // What came before is not here, as if it had been trimmed.
            trimmed: follow.first,
            clean_head: Some(follow.first.saturating_sub(1)),
            ..Self::create()
        }
        .beginning(follow)
    }

    /// The same log with another beginning.
    pub(in crate::log) fn beginning(self, follow: &Follow) -> Self {
        Self { follows: Some(Follows { first: follow.first, chain: hex::encode(follow.chain) }), ..self }
    }

    /// What it follows; nothing when it is a recorder's.
    pub(in crate::log) fn follow(&self) -> Result<Option<Follow>, LogError> {
        let Some(Follows { first, chain }) = &self.follows else { return Ok(None) };
        let mut value = CHAIN_START;
        hex::decode_to_slice(chain, &mut value)
            .map_err(|_| LogError::Damaged(format!("LOG holds {chain:?}, which is no value of a chain")))?;
        Ok(Some(Follow { log: self.log_id()?, first: *first, chain: value }))
    }

    /// Refuses a log of another kind, of another fleet, or with another beginning. `follow`: of a follower.
    pub(in crate::log) fn check_follow(&self, dir: &Path, follow: Option<&Follow>) -> Result<(), LogError> {
        let path = dir.to_owned();
        match (self.follow()?, follow) {
            (None, None) => Ok(()),
            (Some(found), Some(wanted)) if found == *wanted => Ok(()),
            (Some(found), Some(wanted)) => Err(LogError::OtherFollow { path, found: Box::new(found), wanted: Box::new(*wanted) }),
            (Some(found), None) => Err(LogError::IsFollower { path, log: found.log }),
            (None, Some(_)) => Err(LogError::NotFollower { path }),
        }
    }

    /// Reads `LOG`; `None` when there is none yet.
    pub(in crate::log) fn read(dir: &Path) -> Result<Option<Self>, LogError> {
        let path = dir.join("LOG");
        let Some(bytes) = files::read_small(&path, MAX_LOG_BYTES)? else { return Ok(None) };
        let damaged = |why: &str| LogError::Damaged(format!("{}: {why}", path.display()));
        let text = String::from_utf8(bytes).map_err(|_| damaged("it is no text"))?;
        let (json, crc) = text.trim_end().split_once('\n').ok_or_else(|| damaged("it is not two lines"))?;
        if format!("{:08x}", crc32fast::hash(json.as_bytes())) != crc {
            return Err(damaged("its checksum does not fit"));
        }
        // The format is looked at first: a newer one may have other fields.
        let value: serde_json::Value = serde_json::from_str(json).map_err(|e| damaged(&e.to_string()))?;
        let found = value.get("format").and_then(serde_json::Value::as_u64).and_then(|f| u32::try_from(f).ok());
        match found {
            Some(found) if found > LOG_FORMAT => Err(LogError::NewerFormat { path, found, known: LOG_FORMAT }),
            Some(found) if found < OLDEST_FORMAT => Err(LogError::OlderFormat { path, found, oldest: OLDEST_FORMAT }),
            Some(_) => {
                let manifest: Self = serde_json::from_value(value).map_err(|e| damaged(&e.to_string()))?;
                if manifest.makes_sense() { Ok(Some(manifest)) } else { Err(damaged("it names a sequence that no log has")) }
            }
            None => Err(damaged("it names no format")),
        }
    }

    fn makes_sense(&self) -> bool {
        let holes = self.holes.iter().flat_map(|(from, to)| [*from, *to]);
        let forks = self.ancestors.iter().map(|(_, fork)| *fork);
        let first = self.follows.as_ref().map_or(0, |follows| follows.first);
        let ends = [self.reserved, self.trimmed, self.clean_head.unwrap_or(0), self.imported, first];
        // What is reserved may lie beyond the last sequence.
        ends.into_iter().chain(holes).chain(forks).all(|seq| seq <= MAX_SEQUENCE + 2 * RESERVE)
    }

    /// Replaces `LOG`, durably.
    pub(in crate::log) fn write(&self, dir: &Path) -> Result<(), LogError> {
        let temporary = dir.join("LOG.new");
        self.write_as(dir, &temporary).inspect_err(|_| drop(fs::remove_file(&temporary)))
    }

    fn write_as(&self, dir: &Path, temporary: &Path) -> Result<(), LogError> {
        let path = dir.join("LOG");
        let mut file = files::create_fresh(temporary)?;
        let manifest = Self { file: Some(FileIdentity::of(&file).map_err(io("cannot read", temporary))?), ..self.clone() };
        let json = serde_json::to_string(&manifest).map_err(|e| LogError::Internal(e.to_string()))?;
        let text = format!("{json}\n{:08x}\n", crc32fast::hash(json.as_bytes()));
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io("cannot write", temporary))?;
        fs::rename(temporary, &path).map_err(io("cannot replace", &path))?;
        sync_dir(dir)
    }

    /// Whether a log of the same name may continue elsewhere: `LOG` is a copy of the file that was written,
    /// or the log is known to be one.
    pub(in crate::log) fn is_copy(&self, dir: &Path) -> Result<bool, LogError> {
        if self.forks {
            return Ok(true);
        }
        let path = dir.join("LOG");
        let Some(written) = self.file else { return Ok(false) };
        let found = FileIdentity::of(&files::open_to_read(&path)?).map_err(io("cannot read", &path))?;
        Ok(found.is_another(written))
    }

    /// Goes on under a new name after `fork`.
    pub(in crate::log) fn fork(&mut self, fork: Sequence) {
        let ancestor = std::mem::replace(&mut self.log, LogId::random().to_string());
        // What an ancestor had beyond this fork is not here; what it had before is, under its name.
        for (_, at) in &mut self.ancestors {
            *at = fork.min(*at);
        }
        self.ancestors.push((ancestor, fork));
        self.forks = false;
    }

    /// Which log each record is of.
    pub(in crate::log) fn lineage(&self) -> Result<Lineage, LogError> {
        let ancestors = self.ancestors.iter().map(|(log, fork)| Ok((parse_id(log)?, *fork))).collect::<Result<_, LogError>>()?;
        Ok(Lineage::new(self.log_id()?, ancestors))
    }

    /// The log's id.
    pub(in crate::log) fn log_id(&self) -> Result<LogId, LogError> {
        parse_id(&self.log)
    }
}

fn parse_id(text: &str) -> Result<LogId, LogError> {
    text.parse().map_err(|_| LogError::Damaged(format!("LOG holds {text:?}, which is not a log id")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_file_round_trips_and_notices_damage() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), None);
        let manifest = Manifest { reserved: 9, clean_head: Some(4), ..Manifest::create() };
        manifest.write(dir.path()).unwrap();
        let read = Manifest::read(dir.path()).unwrap().unwrap();
        assert_eq!(read, Manifest { file: read.file, ..manifest.clone() });
        assert!(!read.is_copy(dir.path()).unwrap());
        let path = dir.path().join("LOG");
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() - 1 {
            let mut bad = good.clone();
            for bit in 0..8 {
                bad[at] = good[at] ^ 1 << bit;
                fs::write(&path, &bad).unwrap();
                assert!(matches!(Manifest::read(dir.path()), Err(LogError::Damaged(_))), "bit {bit} of byte {at}");
            }
        }
        Manifest { format: LOG_FORMAT + 1, ..manifest.clone() }.write(dir.path()).unwrap();
        let error = Manifest::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("format {}", LOG_FORMAT + 1)) && error.contains("run the newer shipslog"), "{error}");
        Manifest { format: OLDEST_FORMAT - 1, ..manifest }.write(dir.path()).unwrap();
        let error = Manifest::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("no release wrote"), "{error}");
    }
}
