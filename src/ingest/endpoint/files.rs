//! Files that somebody else wrote: configuration and certificates of the docker CLI.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Bytes of a file; a longer one is refused.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The bytes of a regular file. Others are refused: a pipe would never end, or never begin.
pub(in crate::ingest) fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Before it is opened, which for a pipe waits for somebody who writes.
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_regular_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(read(&path).unwrap().len(), 1 << 20);
        File::options().append(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("longer than"));
        assert!(read(dir.path()).unwrap_err().to_string().contains("no regular file"));
        assert!(read(Path::new("/dev/zero")).unwrap_err().to_string().contains("no regular file"));
        rustix::fs::mknodat(rustix::fs::CWD, dir.path().join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(read(&dir.path().join("pipe")).is_err());
        assert_eq!(read(&dir.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
