//! A log or an export that is not ours, opened for reading: nothing is written into it or beside it.

use crate::export::{self, LastLine};
use crate::log::{EmbeddedLog, ScratchDir};
use crate::time::Timestamp;
use std::io::{BufRead, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A log that is not ours.
pub(super) struct Foreign {
    pub(super) log: EmbeddedLog,
    /// Until when its export says that it was recorded.
    pub(super) as_of: Option<Timestamp>,
    pub(super) scratch: Option<ScratchDir>,
}

/// A directory as it is; an export by way of a log that goes when it is closed.
pub(super) fn open(path: &Path, cancelled: &AtomicBool) -> anyhow::Result<Foreign> {
    if path.is_dir() {
        return Ok(Foreign { log: EmbeddedLog::open_read_only(path)?, as_of: None, scratch: None });
    }
    let lines = Cancellable { lines: export::decompress(std::fs::File::open(path)?)?, cancelled };
    let mut lines = LastLine::of(lines);
    let scratch = ScratchDir::new()?;
    crate::log::import_to_read(&mut lines, scratch.path())?;
    Ok(Foreign { log: EmbeddedLog::open_read_only(scratch.path())?, as_of: lines.as_of(), scratch: Some(scratch) })
}

/// Lines that end with an error when nobody wants them any more.
struct Cancellable<'a, R> {
    lines: R,
    cancelled: &'a AtomicBool,
}

impl<R: BufRead> Read for Cancellable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut filled = self.fill_buf()?;
        let read = filled.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Cancellable<'_, R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        // Not `Interrupted`, after which it would be read again.
        if self.cancelled.load(Relaxed) { Err(std::io::Error::other("the program is to stop")) } else { self.lines.fill_buf() }
    }

    fn consume(&mut self, bytes: usize) {
        self.lines.consume(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_when_nobody_wants_them() {
        let cancelled = AtomicBool::new(false);
        let mut lines = Cancellable { lines: &b"one\ntwo\n"[..], cancelled: &cancelled };
        let mut line = String::new();
        assert_eq!((lines.read_line(&mut line).unwrap(), line.as_str()), (4, "one\n"));
        cancelled.store(true, Relaxed);
        assert!(lines.read_line(&mut line).is_err());
    }
}
