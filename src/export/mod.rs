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
    pub fn new(reader: Reader, format: Format, compression: Compression) -> Self {
        Self { reader, format, compressor: Some(Compressor::new(compression)) }
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
            if compressor.takes_frames()
                && let Some(frames) = self.reader.next_packed().await?
            {
                compressor.put_frames(&frames).map_err(failed)?;
                taken += frames.len();
                continue;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::log::{EmbeddedLog, EventLog, Limits, NewRecord};
    use crate::reader::Want;
    use crate::time::Timestamp;
    use std::sync::Arc;
    use std::time::Duration;

    #[tokio::test]
    async fn every_compression_gives_the_same_lines_from_segments_and_tips() {
        let dir = tempfile::TempDir::new().unwrap();
        let limits = Limits { tip_records: 1500, merge_after: Duration::from_secs(3600), ..Limits::default() };
        let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open_with(dir.path(), limits).unwrap().0);
        for n in 0..60u64 {
            let record = |n: u64| NewRecord {
                source: "s".into(),
                received: Timestamp::now(),
                event: Event::recorder("start", &n.to_string(), &[], Timestamp::now()),
            };
            log.append((n * 100..(n + 1) * 100).map(record).collect()).await.unwrap();
        }
        while log.next_trim().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for (after, until) in [(0, 6000), (1, 6000), (1024, 5999), (700, 900), (5990, 6000)] {
            let export = async |compression| {
                let mut export =
                    Export::new(Reader::new(Arc::clone(&log), after, Want { until, ..Want::default() }), Format::Jsonl, compression);
                let mut out = Vec::new();
                while let Some(bytes) = export.next().await.unwrap() {
                    out.extend_from_slice(&bytes);
                }
                out
            };
            let plain = export(Compression::None).await;
            assert_eq!(std::str::from_utf8(&plain).unwrap().lines().count() as u64, until - after);
            assert!(zstd::decode_all(&*export(Compression::Zstd).await).unwrap() == plain, "{after}..={until}");
        }
        let mut reader = Reader::new(Arc::clone(&log), 0, Want::default());
        assert!(reader.next_packed().await.unwrap().is_some(), "whole frames are copied");
    }
}
