//! Files of a log's directory, which somebody else may have filled: opened by kind, and read no further than
//! a log can have written them.
//!
//! A log consists of regular files. What else may have the name of one (a FIFO, a device, a socket, a
//! directory, a symbolic link to any of these) is damage: it is never waited for, followed or written
//! through. The data directory itself may be a symbolic link.

use super::durable::io;
use crate::log::LogError;
use rustix::fs::OFlags;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

/// What Linux says of a bad sector.
pub(in crate::log) const EIO: i32 = 5;

/// What a file is, in words; nothing for a regular one.
fn other_kind(kind: FileType) -> Option<&'static str> {
    match kind {
        kind if kind.is_file() => None,
        kind if kind.is_dir() => Some("a directory"),
        kind if kind.is_symlink() => Some("a symbolic link"),
        kind if kind.is_fifo() => Some("a FIFO"),
        kind if kind.is_socket() => Some("a socket"),
        _ => Some("a device"),
    }
}

fn not_regular(path: &Path, what: &str) -> LogError {
    LogError::Damaged(format!("{} is {what}, not a regular file", path.display()))
}

/// Says what is in the place of a regular file; a file that is not there is none of these.
pub(in crate::log) fn check_regular(path: &Path) -> Result<(), LogError> {
    match fs::symlink_metadata(path) {
        Ok(data) => other_kind(data.file_type()).map_or(Ok(()), |what| Err(not_regular(path, what))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(io("cannot look at", path)(e)),
    }
}

/// Opens a regular file; [`LogError::Damaged`] when something else has its name.
pub(in crate::log) fn open(path: &Path, options: &mut OpenOptions) -> Result<File, LogError> {
    // Looked at first, since to open a device may do something; and again after that, since it may have been
    // replaced meanwhile.
    check_regular(path)?;
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY;
    let file = options.custom_flags(flags.bits().cast_signed()).open(path).map_err(io("cannot open", path))?;
    let kind = file.metadata().map_err(io("cannot read", path))?.file_type();
    other_kind(kind).map_or(Ok(file), |what| Err(not_regular(path, what)))
}

/// Opens a regular file for reading.
pub(in crate::log) fn open_to_read(path: &Path) -> Result<File, LogError> {
    open(path, OpenOptions::new().read(true))
}

/// The whole of a file that holds at most `most` bytes; `None` when there is none, [`LogError::Damaged`] when
/// it is longer.
pub(in crate::log) fn read_small(path: &Path, most: u64) -> Result<Option<Vec<u8>>, LogError> {
    let file = match open_to_read(path) {
        Ok(file) => file,
        Err(e) if e.is_not_found() => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut bytes = Vec::new();
    match file.take(most + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > most => Err(LogError::Damaged(format!("{} is longer than {most} bytes", path.display()))),
        Ok(_) => Ok(Some(bytes)),
        Err(e) if e.raw_os_error() == Some(EIO) => Err(LogError::Damaged(format!("{}: {e}", path.display()))),
        Err(e) => Err(io("cannot read", path)(e)),
    }
}

/// Creates a file under a name that only shipslog gives, in the place of whatever a kill or somebody else
/// left there.
pub(in crate::log) fn create_fresh(path: &Path) -> Result<File, LogError> {
    remove(path)?;
    File::options().read(true).write(true).create_new(true).open(path).map_err(io("cannot create", path))
}

/// Removes whatever is there, if anything is.
pub(in crate::log) fn remove(path: &Path) -> Result<(), LogError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    match removed {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io("cannot remove", path)(e)),
        _ => Ok(()),
    }
}

/// Reads until the buffer is full or the file ends; how much that was. A bad sector reads as zeros, which no
/// checksum fits.
pub(in crate::log) fn read_up_to(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) if e.raw_os_error() == Some(EIO) => {
                let next = (at + done as u64 + 1).next_multiple_of(4096) - at;
                done = usize::try_from(next).map_or(buffer.len(), |next| next.min(buffer.len()));
            }
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// The next stretch at or after `at` that takes room on the disk: what lies between reads as zeros, however
/// long it is. `None` when there is none. Of a filesystem that cannot tell, all the rest.
pub(in crate::log) fn next_data(file: &File, at: u64, end: u64) -> Option<(u64, u64)> {
    use rustix::fs::{SeekFrom, seek};
    if at >= end {
        return None;
    }
    match seek(file, SeekFrom::Data(at)) {
        Ok(data) if data >= end => None,
        Ok(data) => Some((data, seek(file, SeekFrom::Hole(data)).map_or(end, |hole| hole.min(end)).max(data + 1))),
        Err(rustix::io::Errno::NXIO) => None,
        Err(_) => Some((at, end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::testing::directory::KINDS;

    #[test]
    fn nothing_but_a_regular_file_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        for (at, (kind, make)) in KINDS.iter().enumerate() {
            let path = dir.path().join(at.to_string());
            make(&path);
            for mut options in [File::options().read(true).clone(), File::options().read(true).write(true).create(true).clone()] {
                assert!(matches!(open(&path, &mut options), Err(LogError::Damaged(_))), "{kind}");
            }
            assert!(matches!(read_small(&path, 10), Err(LogError::Damaged(_))), "{kind}");
            create_fresh(&path).unwrap();
            assert_eq!(read_small(&path, 10).unwrap(), Some(Vec::new()), "{kind}");
        }
        let path = dir.path().join("file");
        assert_eq!(read_small(&path, 10).unwrap(), None);
        fs::write(&path, "0123456789").unwrap();
        assert_eq!(read_small(&path, 10).unwrap().unwrap(), b"0123456789");
        assert!(matches!(read_small(&path, 9), Err(LogError::Damaged(_))));
    }

    #[test]
    fn holes_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let file = create_fresh(&dir.path().join("sparse")).unwrap();
        file.set_len(1 << 40).unwrap();
        file.write_all_at(b"here", 1 << 39).unwrap();
        let (from, to) = next_data(&file, 0, 1 << 40).unwrap();
        assert!(((1 << 39) - (1 << 20)..=1 << 39).contains(&from) && to > 1 << 39 && to < 1 << 40, "{from} {to}");
        assert_eq!(next_data(&file, to, 1 << 40), None);
        assert_eq!(next_data(&file, 5, 5), None);
    }
}
