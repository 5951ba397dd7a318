//! Files beside a log that are made from it: `derived/` in its directory. Nothing needs them, and whoever
//! removes them, or changes one, costs time only.
//!
//! ```text
//! header: offset 0 "shipslog" · 8 version u32 · 12 bytes of the content u32
//!         16 CRC-32 of offset 8 to 15 and the content
//! ```

use super::durable::io;
use super::files;
use crate::log::LogError;
use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"shipslog";
const HEADER: usize = 20;
/// Bytes of one such file, at most. A longer one is as good as none.
pub const MAX_DERIVED_BYTES: usize = 16 * 1024 * 1024;
/// Files of one version, at most: more are not looked at.
const MAX_FILES: usize = 1_000_000;
/// How files end that are whole.
const SUFFIX: &str = ".bin";
/// How files end that are not whole yet.
const UNFINISHED: &str = ".unfinished";

/// The derived files of one log and one version of what is in them, each under a number.
#[derive(Debug, Clone)]
pub struct DerivedFiles {
    root: PathBuf,
    dir: PathBuf,
    version: u32,
}

impl DerivedFiles {
    /// Those of the log in a data directory. Nothing is made before something is written.
    pub fn new(data_dir: &Path, log: crate::cursor::LogId, version: u32) -> Self {
        let root = data_dir.join("log").join("derived");
        let dir = root.join(format!("{log}-{version}"));
        Self { root, dir, version }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:020}{SUFFIX}"))
    }

    /// The content of a file; `None` when there is none that is whole.
    pub fn read(&self, number: u64) -> Option<Vec<u8>> {
        let path = self.path(number);
        match files::read_small(&path, (MAX_DERIVED_BYTES + HEADER) as u64) {
            Ok(Some(bytes)) => self.content(bytes).or_else(|| {
                tracing::warn!(store.file = %path.display(), "a derived file is damaged; it is made again");
                None
            }),
            Ok(None) => None,
            Err(e) => {
                tracing::warn!(store.file = %path.display(), error = %e, "a derived file cannot be read; it is made again");
                None
            }
        }
    }

    fn content(&self, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (version, rest) = rest.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (crc, content) = rest.split_first_chunk::<4>()?;
        let whole = magic == MAGIC
            && u32::from_be_bytes(*version) == self.version
            && usize::try_from(u32::from_be_bytes(*length)).is_ok_and(|length| length == content.len())
            && u32::from_be_bytes(*crc) == checksum(*version, *length, content);
        whole.then(|| bytes.split_off(HEADER))
    }

    /// Writes a file, which is there as a whole or not at all. It is not synced: a checksum tells whether it
    /// has come through a power cut.
    ///
    /// # Errors
    /// When the content is longer than [`MAX_DERIVED_BYTES`], or the disk does not take it.
    pub fn write(&self, number: u64, content: &[u8]) -> Result<(), LogError> {
        if content.len() > MAX_DERIVED_BYTES {
            return Err(LogError::Refused(format!("a derived file of {} bytes is too long", content.len())));
        }
        self.make_dir()?;
        let (path, length) = (self.path(number), u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
        let (unfinished, version) = (path.with_extension(UNFINISHED.trim_start_matches('.')), self.version.to_be_bytes());
        let mut file = files::create_fresh(&unfinished)?;
        let header = [&MAGIC[..], &version, &length, &checksum(version, length, content).to_be_bytes()].concat();
        let written = file.write_all(&header).and_then(|()| file.write_all(content));
        let placed = written.map_err(io("cannot write", &unfinished)).and_then(|()| {
            files::check_regular(&path).or_else(|_| files::remove(&path))?;
            fs::rename(&unfinished, &path).map_err(io("cannot replace", &path))
        });
        placed.inspect_err(|_| drop(fs::remove_file(&unfinished)))
    }

    /// The directory, in the place of whatever else has its name; of other versions and logs nothing is left.
    fn make_dir(&self) -> Result<(), LogError> {
        for dir in [&self.root, &self.dir] {
            if !fs::symlink_metadata(dir).is_ok_and(|data| data.is_dir()) {
                files::remove(dir)?;
                fs::create_dir_all(dir).map_err(io("cannot create", dir))?;
                if *dir == self.dir {
                    self.remove_others();
                }
            }
        }
        Ok(())
    }

    fn remove_others(&self) {
        let all = fs::read_dir(&self.root).into_iter().flatten().flatten().map(|entry| entry.path());
        for other in all.filter(|path| *path != self.dir) {
            let _ = files::remove(&other);
        }
    }

    /// The numbers of the files that there are, rising.
    pub fn numbers(&self) -> Vec<u64> {
        if !fs::symlink_metadata(&self.dir).is_ok_and(|data| data.is_dir()) {
            return Vec::new();
        }
        numbers(fs::read_dir(&self.dir).into_iter().flatten().flatten().map(|entry| entry.file_name()))
    }

    /// Removes one.
    pub fn remove(&self, number: u64) {
        let _ = files::remove(&self.path(number));
    }
}

/// The numbers in names of files, rising.
fn numbers(names: impl Iterator<Item = OsString>) -> Vec<u64> {
    let number = |name: &str| name.strip_suffix(SUFFIX).filter(|digits| digits.len() == 20)?.parse().ok();
    let mut numbers: Vec<u64> = names.take(MAX_FILES).filter_map(|name| number(name.to_str()?)).collect();
    numbers.sort_unstable();
    numbers
}

fn checksum(version: [u8; 4], length: [u8; 4], content: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    for part in [&version[..], &length[..], content] {
        crc.update(part);
    }
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::LogId;

    fn files(dir: &Path) -> DerivedFiles {
        fs::create_dir_all(dir.join("log")).unwrap();
        DerivedFiles::new(dir, LogId::from_bytes([7; 16]), 3)
    }

    #[test]
    fn what_is_not_whole_is_as_good_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path());
        assert_eq!((files.read(5), files.numbers()), (None, vec![]));
        files.write(5, b"content").unwrap();
        assert_eq!((files.read(5).unwrap(), files.numbers()), (b"content".to_vec(), vec![5]));
        let good = fs::read(files.path(5)).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(files.path(5), &bad).unwrap();
            assert_eq!(files.read(5), None, "byte {at}");
            fs::write(files.path(5), &good[..at]).unwrap();
            assert_eq!(files.read(5), None, "cut at {at}");
        }
        let other = DerivedFiles { version: 4, ..files.clone() };
        fs::write(files.path(5), &good).unwrap();
        assert_eq!((other.read(5), files.read(5).is_some()), (None, true));
        File::options().write(true).open(files.path(5)).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(files.read(5), None, "longer than any is");
        assert!(files.write(6, &vec![0; MAX_DERIVED_BYTES + 1]).is_err());
    }

    #[test]
    fn of_files_without_end_so_many_are_looked_at() {
        let mut looked = 0_u64;
        let names = std::iter::from_fn(|| {
            looked += 1;
            Some(OsString::from(if looked.is_multiple_of(1000) { format!("{looked:020}.bin") } else { "else".to_owned() }))
        });
        let numbers = numbers(names);
        assert_eq!((numbers.len(), numbers.last()), (MAX_FILES / 1000, Some(&(MAX_FILES as u64))));
        assert_eq!(looked, MAX_FILES as u64);
    }

    #[test]
    fn whatever_has_its_name_is_replaced_and_what_is_removed_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path());
        std::os::unix::fs::symlink("/dev/zero", dir.path().join("log/derived")).unwrap();
        assert_eq!(files.read(1), None);
        files.write(1, b"one").unwrap();
        fs::remove_file(files.path(1)).unwrap();
        std::os::unix::fs::symlink("/dev/zero", files.path(1)).unwrap();
        assert_eq!(files.read(1), None);
        files.write(1, b"one").unwrap();
        assert_eq!(files.read(1).unwrap(), b"one");
        fs::remove_dir_all(dir.path().join("log/derived")).unwrap();
        assert_eq!((files.read(1), files.numbers()), (None, vec![]));
        files.write(2, b"two").unwrap();
        // Another version takes the place of this one.
        let next = DerivedFiles::new(dir.path(), LogId::from_bytes([7; 16]), 4);
        next.write(1, b"1").unwrap();
        assert_eq!((files.numbers(), next.numbers()), (vec![], vec![1]));
    }

    use std::fs::File;
}
