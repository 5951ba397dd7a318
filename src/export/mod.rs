//! Exports: a range of the log as a file, streamed. Which range is exported and where the bytes go is decided
//! elsewhere (`server/export.rs`). An export that cannot be read to its end ends with an error and without
//! its last line: it must never pass for a whole one.

mod compress;
pub mod docker;
mod last_line;
mod table;
mod trailer;

pub use compress::{Compression, decompress};
pub use last_line::LastLine;

use crate::cursor::Sequence;
use crate::event::{Event, RECORDER_TYPE};
use crate::log::{Block, GapReason, LogError};
use crate::reader::{Reader, Step};
use crate::time::Timestamp;
use bytes::Bytes;
use compress::Compressor;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::str::FromStr;
use trailer::Trailer;

/// Form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One record a line, as the log has them: lossless.
    Jsonl,
    /// The lines that `docker events` prints, in UTC. Records of the recorder's own are left out, since
    /// Docker has none, unless the filter asks for them; gaps are told.
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

/// Why an export ends before its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What was read cannot be written in this form.
    #[error("cannot write an export: {0}")]
    Write(String),
}

impl ExportError {
    fn write(why: impl std::fmt::Display) -> Self {
        Self::Write(why.to_string())
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
    trailer: Option<Trailer>,
    /// What the client has already, which the last line counts as well, with the records besides.
    before: Option<(Reader, Vec<Sequence>)>,
    /// Records besides those that the reader gives, rising.
    losses: VecDeque<Sequence>,
}

impl Export {
    /// Exports what `reader` gives, up to where it ends.
    pub fn new(reader: Reader, format: Format, compression: Compression) -> Self {
        let own = format != Format::Docker || reader.filter().asks_for("type", RECORDER_TYPE);
        let compressor = Some(Compressor::new(compression));
        Self { reader, format, own, begun: false, compressor, trailer: None, before: None, losses: VecDeque::new() }
    }

    /// With these records in their places as well, which rise and which `reader` does not give.
    #[must_use]
    pub fn with_losses(mut self, losses: VecDeque<Sequence>) -> Self {
        self.losses = losses;
        self
    }

    /// With a last line that says how many records there are and up to when, in JSON Lines only.
    #[must_use]
    pub fn with_trailer(mut self, as_of: Timestamp) -> Self {
        self.trailer = (self.format == Format::Jsonl).then(|| Trailer::new(as_of));
        self
    }

    /// As what follows upon the records that `before` gives and these `losses`, which were exported earlier:
    /// the two parts are one file together.
    #[must_use]
    pub fn going_on(mut self, before: Reader, losses: Vec<Sequence>) -> Self {
        self.begun = true;
        self.before = Some((before, losses));
        self
    }

    /// The next bytes; `None` after the last ones.
    ///
    /// # Errors
    /// When the log cannot be read. What was given so far is then not a whole export, and must not pass for
    /// one.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ExportError> {
        let Some(mut compressor) = self.compressor.take() else { return Ok(None) };
        if let (Some(trailer), Some((mut before, losses))) = (&mut self.trailer, self.before.take()) {
            let last = trailer.count(&mut before).await?;
            for loss in losses {
                if let Some(block) = before.one(loss).await? {
                    trailer.beside(block.cursor(loss), loss > last);
                }
            }
        }
        let mut taken = 0;
        if !std::mem::replace(&mut self.begun, true) && self.format == Format::Csv {
            compressor.write(&table::header()?).map_err(ExportError::write)?;
        }
        while taken < CHUNK_BYTES {
            if self.format == Format::Jsonl
                && compressor.takes_frames()
                && let Some((records, frames)) = self.reader.next_packed().await?
            {
                if let Some(trailer) = &mut self.trailer {
                    trailer.packed(records, &frames);
                }
                compressor.put_frames(&frames).map_err(ExportError::write)?;
                taken += frames.len();
                continue;
            }
            match self.reader.next().await? {
                Some(Step::Records(selection)) => {
                    for seq in selection.sequences() {
                        taken += self.losses_before(seq, &mut compressor).await?;
                        let line = self.record(&selection.block, seq)?;
                        compressor.write(&line).map_err(ExportError::write)?;
                        taken += line.len();
                    }
                    if let Some(trailer) = &mut self.trailer {
                        let records = selection.sequences().count() as u64;
                        trailer.records(records, selection.block.cursor(selection.last()));
                    }
                }
                Some(Step::Gap(range, GapReason::Damage)) => compressor.write(&self.gap(&range)?).map_err(ExportError::write)?,
                // An export begins with the oldest record kept; what a trim takes meanwhile was old.
                Some(Step::Gap(_, GapReason::Retention | GapReason::Export) | Step::Nothing) => {}
                None => {
                    self.losses_before(Sequence::MAX, &mut compressor).await?;
                    if let Some(trailer) = self.trailer.take() {
                        compressor.write(trailer.line()?.as_bytes()).map_err(ExportError::write)?;
                    }
                    return compressor.finish().map(Some).map_err(ExportError::write);
                }
            }
        }
        let bytes = compressor.take();
        self.reader.let_go();
        self.compressor = Some(compressor);
        Ok(Some(bytes))
    }

    /// Writes the records besides that come before this one; their bytes.
    async fn losses_before(&mut self, seq: Sequence, compressor: &mut Compressor) -> Result<usize, ExportError> {
        let mut taken = 0;
        while let Some(loss) = self.losses.front().copied().filter(|loss| *loss < seq) {
            self.losses.pop_front();
            // What retention took meanwhile was old.
            let Some(block) = self.reader.one(loss).await? else { continue };
            let line = self.record(&block, loss)?;
            compressor.write(&line).map_err(ExportError::write)?;
            if let Some(trailer) = &mut self.trailer {
                trailer.records(1, block.cursor(loss));
            }
            taken += line.len();
        }
        Ok(taken)
    }

    /// A record with its end; nothing for one that this format leaves out.
    fn record(&self, block: &Block, seq: Sequence) -> Result<Bytes, ExportError> {
        // Nothing is decoded for these.
        if self.format == Format::Jsonl {
            return Ok(block.line(seq, true));
        }
        let Some(record) = block.record(seq) else { return Ok(Bytes::new()) };
        let event = record.event.view();
        Ok(match self.format {
            Format::Docker if !self.own && record.event.is_own() => Bytes::new(),
            Format::Docker => (docker::line(&event, &record.time.to_datetime(), docker::verbatim) + "\n").into(),
            Format::Jsonl => block.line(seq, true),
            Format::Csv => table::record(block.cursor(seq), &record, &event)?.into(),
        })
    }

    fn gap(&self, range: &RangeInclusive<Sequence>) -> Result<Vec<u8>, ExportError> {
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
    use crate::testing::until;
    use std::sync::Arc;
    use std::time::Duration;

    /// With its last line, packed and unpacked.
    async fn export_ended(log: &Arc<dyn EventLog>, after: Sequence, until: Sequence) -> String {
        let mut reader = Reader::new(Arc::clone(log), after, Want { until, ..Want::default() });
        if until == 5999 {
            // One that passes everything and does not say so.
            reader = Reader::new(Arc::clone(log), after, Want { until, time: Timestamp::MIN..=Timestamp::now(), ..Want::default() });
        }
        let mut export = Export::new(reader, Format::Jsonl, Compression::Zstd).with_trailer(Timestamp::from_nanos(7));
        let mut out = Vec::new();
        while let Some(bytes) = export.next().await.unwrap() {
            out.extend_from_slice(&bytes);
        }
        String::from_utf8(zstd::decode_all(&*out).unwrap()).unwrap()
    }

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
        until("a sealed tip", async || log.next_trim().is_some()).await;
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
            let ended = export_ended(&log, after, until).await;
            let (lines, last) = ended.rsplit_once("\n{").unwrap();
            assert!(lines.as_bytes() == plain.trim_ascii_end(), "{after}..={until}");
            let id = lines.lines().last().unwrap().split('"').nth(3).unwrap();
            let end =
                format!("\"end\":{{\"as_of\":\"1970-01-01T00:00:00.000000007Z\",\"last\":\"{id}\",\"records\":{}}}}}\n", until - after);
            assert_eq!(last, end, "{after}..={until}");
            assert_eq!(std::str::from_utf8(&plain).unwrap().lines().count() as u64, until - after);
            assert!(zstd::decode_all(&*export(Compression::Zstd).await).unwrap() == plain, "{after}..={until}");
        }
        let mut reader = Reader::new(Arc::clone(&log), 0, Want::default());
        assert!(reader.next_packed().await.unwrap().is_some(), "whole frames are copied");
    }
}
