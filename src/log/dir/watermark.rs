//! How far a log may have been seen: the file `watermark`.
//!
//! It holds the last sequence that readers may have seen; it is written at each commit and synced each
//! second.

use super::durable::io;
use super::files;
use super::manifest::RESERVE;
use crate::cursor::{MAX_SEQUENCE, Sequence};
use crate::log::LogError;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes of `watermark`: a sequence and its CRC-32.
const WATERMARK_BYTES: usize = 12;

/// The file with the last sequence that may have been seen.
#[derive(Debug)]
pub(in crate::log) struct Watermark {
    path: PathBuf,
    file: File,
}

fn parse_watermark(bytes: &[u8]) -> Option<Sequence> {
    let (seq, crc) = bytes.split_first_chunk::<8>()?;
    let whole = crc == crc32fast::hash(seq).to_be_bytes();
    whole.then(|| u64::from_be_bytes(*seq)).filter(|seq| *seq <= MAX_SEQUENCE + RESERVE)
}

impl Watermark {
    /// Opens or creates it and reads what it holds; `None` when it holds nothing readable.
    pub(in crate::log) fn open(dir: &Path) -> Result<(Self, Option<Sequence>), LogError> {
        let path = dir.join("watermark");
        let file = files::open(&path, File::options().create(true).truncate(false).read(true).write(true))?;
        let mut bytes = [0; WATERMARK_BYTES];
        let seq = file.read_exact_at(&mut bytes, 0).ok().and_then(|()| parse_watermark(&bytes));
        Ok((Self { path, file }, seq))
    }

    /// What it holds, without making it.
    pub(in crate::log) fn look(dir: &Path) -> Result<Option<Sequence>, LogError> {
        let path = dir.join("watermark");
        match files::read_small(&path, WATERMARK_BYTES as u64) {
            Ok(bytes) => Ok(bytes.and_then(|bytes| parse_watermark(&bytes))),
            Err(LogError::Damaged(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Writes without syncing: exact after a kill, up to a second old after a power cut.
    pub(in crate::log) fn write(&self, seq: Sequence) -> Result<(), LogError> {
        let seq = seq.to_be_bytes();
        let mut bytes = [0; WATERMARK_BYTES];
        let (head, tail) = bytes.split_at_mut(8);
        head.copy_from_slice(&seq);
        tail.copy_from_slice(&crc32fast::hash(&seq).to_be_bytes());
        self.file.write_all_at(&bytes, 0).map_err(io("cannot write", &self.path))
    }

    pub(in crate::log) fn sync(&self) -> Result<(), LogError> {
        self.file.sync_data().map_err(io("cannot sync", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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
}
