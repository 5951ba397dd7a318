//! Exports: a range of the log as a file, streamed.

mod compress;
pub mod docker;
mod table;

pub use compress::{Compression, decompress};

use crate::cursor::Sequence;
use crate::event::{Event, RECORDER_TYPE};
use crate::log::{Block, GapReason, LogError};
use crate::reader::{Reader, Step};
use crate::time::Timestamp;
use bytes::Bytes;
use compress::Compressor;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One record a line, as the log has them: lossless.
    Jsonl,
    /// The lines that `docker events` prints, in UTC. Records of the recorder's own are left out, since Docker has none, unless the
    /// filter asks for them; gaps are told.
    Docker,
    /// A table.
    Csv,
}

impl Format {
    /// As in a `Content-Type` header.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl",
            Self::Docker => "text/plain; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// Ending of a file's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Docker => "txt",
            Self::Csv => "csv",
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
            "docker" => Ok(Self::Docker),
            "csv" => Ok(Self::Csv),
            _ => Err(UnknownName { what: "format", name: name.chars().take(32).collect(), accepted: "jsonl, docker or csv" }),
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
    own: bool,
    begun: bool,
    compressor: Option<Compressor>,
}

impl Export {
    /// Exports what `reader` gives, up to where it ends.
    pub fn new(reader: Reader, format: Format, compression: Compression) -> Self {
        let own = format != Format::Docker || reader.filter().asks_for("type", RECORDER_TYPE);
        Self { reader, format, own, begun: false, compressor: Some(Compressor::new(compression)) }
    }

    /// The next bytes; `None` after the last ones.
    ///
    /// # Errors
    /// When the log cannot be read. What was given so far is then not a whole export, and must not pass for one.
    pub async fn next(&mut self) -> Result<Option<Bytes>, LogError> {
        let Some(mut compressor) = self.compressor.take() else { return Ok(None) };
        let failed = |e: std::io::Error| LogError::Damaged(format!("cannot compress an export: {e}"));
        let mut taken = 0;
        if !std::mem::replace(&mut self.begun, true) && self.format == Format::Csv {
            compressor.write(&table::header()?).map_err(failed)?;
        }
        while taken < CHUNK_BYTES {
            if self.format == Format::Jsonl
                && compressor.takes_frames()
                && let Some(frames) = self.reader.next_packed().await?
            {
                compressor.put_frames(&frames).map_err(failed)?;
                taken += frames.len();
                continue;
            }
            match self.reader.next().await? {
                Some(Step::Records(selection)) => {
                    for seq in selection.sequences() {
                        let line = self.record(&selection.block, seq)?;
                        compressor.write(&line).map_err(failed)?;
                        taken += line.len();
                    }
                }
                Some(Step::Gap(range, GapReason::Damage)) => compressor.write(&self.gap(&range)?).map_err(failed)?,
                // An export begins with the oldest record kept; what a trim takes meanwhile was old.
                Some(Step::Gap(_, GapReason::Retention | GapReason::Export) | Step::Nothing) => {}
                None => return compressor.finish().map(Some).map_err(failed),
            }
        }
        let bytes = compressor.take();
        self.reader.let_go();
        self.compressor = Some(compressor);
        Ok(Some(bytes))
    }

    /// A record with its end; nothing for one that this format leaves out.
    fn record(&self, block: &Block, seq: Sequence) -> Result<Bytes, LogError> {
        if self.format == Format::Jsonl {
            return Ok(block.line(seq, true));
        }
        let Some(record) = block.record(seq) else { return Ok(Bytes::new()) };
        let event = record.event.view();
        Ok(match self.format {
            Format::Docker if !self.own && record.event.is_own() => Bytes::new(),
            Format::Docker => (docker::line(&event, &record.time.to_datetime(), docker::verbatim) + "\n").into(),
            _ => table::record(block.cursor(seq), &record, &event)?.into(),
        })
    }

    fn gap(&self, range: &RangeInclusive<Sequence>) -> Result<Vec<u8>, LogError> {
        let (from, to) = (range.start(), range.end());
        match self.format {
            Format::Jsonl => Ok(format!("{{\"gap\":{{\"from\":{from},\"to\":{to},\"reason\":\"damage\"}}}}\n").into_bytes()),
            Format::Docker => {
                let now = Timestamp::now();
                let (from, to) = (from.to_string(), to.to_string());
                let event = Event::recorder("gap", "shipslog", &[("reason", "damage"), ("from", &from), ("to", &to)], now);
                Ok((docker::line(&event.view(), &now.to_datetime(), docker::verbatim) + "\n").into_bytes())
            }
            Format::Csv => table::gap(range, GapReason::Damage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{EmbeddedLog, EventLog, Limits, NewRecord};
    use crate::reader::Want;
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
        for (after, until) in [(0, 6000), (1, 6000), (768, 5999), (700, 900), (5990, 6000)] {
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
