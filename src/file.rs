//! Small files that the operator names: settings, tokens, certificates, contexts of the docker CLI. Reading
//! one takes bounded memory, whatever it turns out to be, and only [`read_pipe`] ever waits for a writer.
//! Files of a log are not read by these functions (`log/dir/files.rs`).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Bytes of a file; a longer one is refused.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// The bytes of a regular file. Others are refused: a pipe would never end, or never begin.
///
/// # Errors
/// What the system says, [`io::ErrorKind::InvalidInput`] when it is no regular file, and
/// [`io::ErrorKind::InvalidData`] when it is longer than [`MAX_FILE_BYTES`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Before it is opened, which for a pipe waits for somebody who writes.
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    read_pipe(path)
}

/// The bytes of a file that may be a pipe too, as a shell makes of `<(pass show shipslog)`. It is waited for.
///
/// # Errors
/// As [`read`] has them, but for the kind of file.
pub fn read_pipe(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}

/// `bytes` as text.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when it is no UTF-8.
pub fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8 text"))
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
        assert!(read_pipe(Path::new("/dev/zero")).unwrap_err().to_string().contains("longer than"));
        rustix::fs::mknodat(rustix::fs::CWD, dir.path().join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(read(&dir.path().join("pipe")).is_err());
        assert_eq!(read(&dir.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn text_is_utf_8() {
        assert_eq!(text("grün".into()).unwrap(), "grün");
        assert!(text(vec![0xff]).unwrap_err().to_string().contains("UTF-8"));
    }
}
