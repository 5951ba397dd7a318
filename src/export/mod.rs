//! Exports: a range of the log as a file, streamed.

mod compress;

pub use compress::{Compression, decompress};

use crate::log::{GapReason, LogError};
use crate::reader::{Reader, Selection, Step};
use bytes::Bytes;
use compress::Compressor;
use std::str::FromStr;

/// Form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One record a line, as the log has them: lossless.
    Jsonl,
}

impl Format {
    /// As in a `Content-Type` header.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl",
        }
    }

    /// Ending of a file's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
        }
    }
}

/// A name that is none of those accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {name:?} is not available; use {accepted}")]
pub struct UnknownName {
    what: &'static str,
    name: String,
    accepted: &'static str,
}

impl FromStr for Format {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "jsonl" => Ok(Self::Jsonl),
            _ => Err(UnknownName { what: "format", name: name.chars().take(32).collect(), accepted: "jsonl" }),
        }
    }
}

/// Bytes gathered before they are passed on.
const CHUNK_BYTES: usize = 64 * 1024;

/// An export under way. Memory stays at a chunk, whatever the range.
#[derive(Debug)]
pub struct Export {
    reader: Reader,
    format: Format,
    compressor: Option<Compressor>,
}

impl Export {
    /// Exports what `reader` gives, up to where it ends.
    ///
    /// # Errors
    /// When the compressor cannot be set up.
    pub fn new(reader: Reader, format: Format, compression: Compression) -> std::io::Result<Self> {
        Ok(Self { reader, format, compressor: Some(Compressor::new(compression)?) })
    }

    /// The next bytes; `None` after the last ones.
    ///
    /// # Errors
    /// When the log cannot be read. What was given so far is then not a whole export, and must not pass for one.
    pub async fn next(&mut self) -> Result<Option<Bytes>, LogError> {
        let Some(mut compressor) = self.compressor.take() else { return Ok(None) };
        let failed = |e: std::io::Error| LogError::Damaged(format!("cannot compress an export: {e}"));
        let mut taken = 0;
        while taken < CHUNK_BYTES {
            match self.reader.next().await? {
                Some(Step::Records(selection)) => taken += self.write(&selection, &mut compressor).map_err(failed)?,
                Some(Step::Gap(range, GapReason::Damage)) => {
                    let line = format!("{{\"gap\":{{\"from\":{},\"to\":{},\"reason\":\"damage\"}}}}\n", range.start(), range.end());
                    compressor.write(line.as_bytes()).map_err(failed)?;
                }
                // An export begins with the oldest record kept; what a trim takes meanwhile was old.
                Some(Step::Gap(_, GapReason::Retention | GapReason::Export) | Step::Nothing) => {}
                None => return compressor.finish().map(Some).map_err(failed),
            }
        }
        let bytes = compressor.take();
        self.compressor = Some(compressor);
        Ok(Some(bytes))
    }

    fn write(&self, selection: &Selection, to: &mut Compressor) -> std::io::Result<usize> {
        let mut bytes = 0;
        for seq in selection.sequences() {
            let line = match self.format {
                Format::Jsonl => selection.block.line(seq, true),
            };
            to.write(&line)?;
            bytes += line.len();
        }
        Ok(bytes)
    }
}
