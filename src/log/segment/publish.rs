//! Segments on their way to the disk.

use super::{SegmentWriter, WriteError};
use crate::cursor::Sequence;
use crate::log::LogError;
use crate::log::dir::durable::{io, sync_dir};
use crate::log::dir::{files, names};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// Buffer towards a segment's file.
const BUFFER: usize = 256 * 1024;

/// Removes a file that may be gone already.
pub(in crate::log) fn remove_file(path: &Path) -> Result<(), LogError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io("cannot remove", path)(e)),
        _ => Ok(()),
    }
}

/// A segment on its way to the disk.
pub(in crate::log) struct Unfinished {
    pub(in crate::log) writer: SegmentWriter<BufWriter<File>>,
    path: PathBuf,
    leftover: Leftover,
}

impl Unfinished {
    pub(in crate::log) fn create(
        dir: &Path,
        first: Sequence,
        writer: impl FnOnce(BufWriter<File>) -> SegmentWriter<BufWriter<File>>,
    ) -> Result<Self, LogError> {
        let path = dir.join(names::segment(first));
        let unfinished = dir.join(format!("{}{}", names::segment(first), names::UNFINISHED));
        let file = files::create_fresh(&unfinished)?;
        Ok(Self { writer: writer(BufWriter::with_capacity(BUFFER, file)), path, leftover: Leftover(unfinished) })
    }

    /// Makes what was written durable. `None` when it would hold nothing.
    pub(in crate::log) fn finish(self) -> Result<Option<Written>, WriteError> {
        let (out, any) = self.writer.finish()?;
        let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        let written = Written { path: self.path, leftover: self.leftover };
        if !any {
            return Ok(None);
        }
        file.sync_all()?;
        Ok(Some(written))
    }
}

/// A durable segment under another name.
pub(in crate::log) struct Written {
    path: PathBuf,
    leftover: Leftover,
}

/// A file that goes when it is dropped, unless it has got another name: what is not finished is not to take
/// room.
struct Leftover(PathBuf);

impl Drop for Leftover {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Written {
    /// Gives it its name, durably.
    pub(in crate::log) fn publish(self, dir: &Path) -> Result<PathBuf, LogError> {
        fs::rename(&self.leftover.0, &self.path).map_err(io("cannot rename", &self.leftover.0))?;
        sync_dir(dir)?;
        Ok(self.path)
    }
}
