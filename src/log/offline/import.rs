//! `import`: a log from an export. The records keep their ids; the hash chain is made again from the first
//! one. A log that is there is never added to.

use crate::cursor::{Cursor, LogId, MAX_SEQUENCE, Sequence};
use crate::event::{Event, Marks, Origin, Record, UnknownNoise};
use crate::log::dir::durable::{create_private_dir, io, sync_dir};
use crate::log::dir::manifest::Manifest;
use crate::log::dir::watermark::Watermark;
use crate::log::dir::{files, lock, names};
use crate::log::record::chain::{CHAIN_START, ChainValue};
use crate::log::record::line::Line;
use crate::log::segment::{self, LEVEL, SegmentWriter, WriteError};
use crate::log::{FleetRecord, LogError, MAX_RECORD_BYTES};
use crate::time::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fs::{self, File};
use std::io::{BufRead, BufWriter, ErrorKind, Read as _};
use std::num::NonZeroU64;
use std::path::Path;

/// What came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Records.
    pub records: u64,
    /// Oldest and newest of them.
    pub bounds: (Sequence, Sequence),
    /// Records in between that the export does not hold.
    pub missing: u64,
}

/// Longest line: a record whose message some tool has written again with escapes, which makes it three times
/// as long at most.
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;
const _: () = assert!(MAX_LINE_BYTES > 3 * MAX_RECORD_BYTES);
const _: () = assert!(MAX_LINE_BYTES + segment::RAW_BYTES < segment::MAX_RAW_BYTES);
/// Where a log is made until it is whole.
const UNFINISHED: &str = "log.importing";
/// Logs that an export may go back through.
const MAX_ANCESTORS: usize = 64;
/// Frames in a segment, at most.
const MAX_FRAMES: usize = 1024;

/// A record in any spelling of its JSON.
#[derive(Deserialize)]
struct AnyRecord<'a> {
    id: String,
    time: String,
    received: String,
    source: String,
    noise: Option<String>,
    cut: Option<CutMark>,
    #[serde(default)]
    foreign: bool,
    origin: Option<AnyOrigin>,
    #[serde(borrow)]
    event: &'a RawValue,
}

/// The mark of a message of which a part was kept.
#[derive(Deserialize)]
struct CutMark {
    bytes: NonZeroU64,
}

/// Where the record of a fleet comes from.
#[derive(Deserialize)]
struct AnyOrigin {
    id: String,
    received: String,
    source: Option<String>,
}

/// The last line of an export that says what should be in it.
#[derive(Deserialize)]
struct End {
    records: u64,
    last: Option<String>,
}

/// The last line of an export, in any spelling of its JSON; `None` for another line.
fn end_line(text: &[u8]) -> Option<End> {
    #[derive(Deserialize)]
    struct Line {
        end: End,
    }
    let begins = text.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\"end\""));
    if begins { serde_json::from_slice::<Line>(text).ok().map(|line| line.end) } else { None }
}

/// Makes a log in `data_dir` from lines of JSON. `progress` is told the number of records so far.
///
/// # Errors
/// [`LogError::Refused`] for a line that is no record, which it names, and when there is a log already.
/// Nothing is left behind then.
pub fn import(lines: &mut dyn BufRead, data_dir: &Path, progress: &mut dyn FnMut(u64)) -> Result<Imported, LogError> {
    make(lines, data_dir, progress, Purpose::Record)
}

/// The same for a log that is only read, and goes when it is closed: if its lines are all of one log and none
/// is missing, it keeps the id that their cursors begin with, since nothing is ever recorded into it.
///
/// # Errors
/// As [`import`].
pub fn import_to_read(lines: &mut dyn BufRead, data_dir: &Path) -> Result<Imported, LogError> {
    make(lines, data_dir, &mut |_| {}, Purpose::Read)
}

/// What a log is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To go on with recording.
    Record,
    /// To be read, and nothing else.
    Read,
}

fn make(lines: &mut dyn BufRead, data_dir: &Path, progress: &mut dyn FnMut(u64), purpose: Purpose) -> Result<Imported, LogError> {
    let target = data_dir.join("log");
    if fs::read_dir(&target).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(already_there(data_dir));
    }
    let dir = data_dir.join(UNFINISHED);
    create_private_dir(&dir)?;
    // It goes where the directory goes: once that is a log, this is the lock that keeps a second recorder
    // out.
    let _lock = lock::lock(&dir).map_err(|e| if matches!(e, LogError::InUse(_)) { under_way(data_dir) } else { e })?;
    clear(&dir)?;
    let done = Import::new(&dir, purpose).run(lines, progress).and_then(|imported| {
        sync_dir(&dir)?;
        let _ = fs::remove_dir(&target);
        fs::rename(&dir, &target).map_err(|e| match e.kind() {
            ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => already_there(data_dir),
            _ => io("cannot rename", &dir)(e),
        })?;
        sync_dir(data_dir)?;
        Ok(imported)
    });
    if done.is_err() {
        let _ = fs::remove_dir_all(&dir);
    }
    done
}

fn already_there(data_dir: &Path) -> LogError {
    LogError::Refused(format!("{} holds a log already; import into another --data-dir", data_dir.display()))
}

fn under_way(data_dir: &Path) -> LogError {
    LogError::Refused(format!("another import into {} is under way", data_dir.display()))
}

/// Removes what an import that was killed left; the lock stays, which is held.
fn clear(dir: &Path) -> Result<(), LogError> {
    for entry in fs::read_dir(dir).map_err(io("cannot list", dir))? {
        let path = entry.map_err(io("cannot list", dir))?.path();
        if !path.ends_with(lock::LOCK) {
            files::remove(&path)?;
        }
    }
    Ok(())
}

/// Removes what an import into `data_dir` that was killed left. Refused while one is under way.
pub(in crate::log) fn remove_leftover(data_dir: &Path) -> Result<(), LogError> {
    let dir = data_dir.join(UNFINISHED);
    if !fs::symlink_metadata(&dir).is_ok_and(|data| data.is_dir()) {
        return Ok(());
    }
    let lock = lock::lock(&dir);
    match lock {
        Err(LogError::InUse(_)) => Err(under_way(data_dir)),
        Err(e) if e.is_not_found() => Ok(()),
        // Where the disk is full not even a lock may be made, and where it is odd it is a leftover even so.
        _ => files::remove(&dir),
    }
}

struct Import<'a> {
    dir: &'a Path,
    purpose: Purpose,
    writer: Option<SegmentWriter<BufWriter<File>>>,
    chain: ChainValue,
    log: Option<u32>,
    ancestors: Vec<(u32, Sequence)>,
    received: Timestamp,
    first: Sequence,
    next: Sequence,
    records: u64,
}

impl<'a> Import<'a> {
    fn new(dir: &'a Path, purpose: Purpose) -> Self {
        Self {
            dir,
            purpose,
            writer: None,
            chain: CHAIN_START,
            log: None,
            ancestors: Vec::new(),
            received: Timestamp::MIN,
            first: 0,
            next: 0,
            records: 0,
        }
    }

    fn run(mut self, mut lines: &mut dyn BufRead, progress: &mut dyn FnMut(u64)) -> Result<Imported, LogError> {
        let (mut line, mut number) = (Vec::new(), 0u64);
        let mut end: Option<End> = None;
        loop {
            line.clear();
            number += 1;
            let refuse = |why: &dyn std::fmt::Display| LogError::Refused(format!("line {number} cannot be imported: {why}"));
            let read = (&mut lines).take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut line).map_err(|e| refuse(&e))?;
            if read == 0 {
                end.map_or(Ok(()), |end| self.has_all(&end))?;
                return self.end();
            }
            if read == MAX_LINE_BYTES {
                return Err(refuse(&format!("it is longer than {} MiB", MAX_LINE_BYTES >> 20)));
            }
            let text = line.trim_ascii();
            // The second: a stretch that the exporting log had lost.
            if text.is_empty() || text.starts_with(br#"{"gap":"#) {
                continue;
            }
            if end.is_some() {
                return Err(refuse(&"it comes after the line that ends the export"));
            }
            if let Some(found) = end_line(text) {
                end = Some(found);
                continue;
            }
            let (cursor, text) = canonical(text).map_err(|e| refuse(&e))?;
            self.push(cursor, &text).map_err(|e| match e {
                WriteError::Log(e) => refuse(&e),
                WriteError::Io(e) => io("cannot write into", self.dir)(e),
            })?;
            if self.records.is_multiple_of(1000) {
                progress(self.records);
            }
        }
    }

    fn push(&mut self, cursor: Cursor, line: &[u8]) -> Result<(), WriteError> {
        let refuse = |why: String| Err(LogError::Refused(why).into());
        let seq = cursor.seq;
        let log = *self.log.get_or_insert(cursor.log);
        if log != cursor.log {
            if self.ancestors.len() >= MAX_ANCESTORS || self.ancestors.iter().any(|(ancestor, _)| *ancestor == cursor.log) {
                return refuse("its log is another one than that of the lines before it".to_owned());
            }
            // A log that is a copy of another one holds records under the name of its ancestor.
            self.ancestors.push((log, self.next.saturating_sub(1)));
            self.log = Some(cursor.log);
            self.end_segment()?;
        }
        if seq > MAX_SEQUENCE {
            return refuse(format!("its sequence {seq} is over {MAX_SEQUENCE}"));
        }
        if seq < self.next || seq == 0 {
            return refuse(format!("its sequence {seq} does not rise"));
        }
        let received = Line::of(line, seq).received();
        if received < self.received && !Line::of(line, seq).is_start() {
            return refuse("it was received before the record in front of it".to_owned());
        }
        self.received = received;
        if self.writer.as_ref().is_some_and(|writer| writer.frames() >= MAX_FRAMES) {
            self.end_segment()?;
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let out = BufWriter::new(files::create_fresh(&self.dir.join(names::segment(seq)))?);
                self.writer.insert(SegmentWriter::new(out, LogId::with_prefix(cursor.log), seq, self.chain, LEVEL))
            }
        };
        if writer.next() != seq {
            writer.skip_to(seq)?;
        }
        writer.push(line)?;
        self.chain = writer.chain();
        if self.records == 0 {
            self.first = seq;
        }
        self.records += 1;
        self.next = seq + 1;
        Ok(())
    }

    fn end_segment(&mut self) -> Result<(), WriteError> {
        if let Some(writer) = self.writer.take() {
            let (out, _) = writer.finish()?;
            out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        }
        Ok(())
    }

    /// Whether what came is what the export's last line says.
    fn has_all(&self, end: &End) -> Result<(), LogError> {
        let last = self.log.map(|log| LogId::with_prefix(log).cursor(self.next.saturating_sub(1)).to_string());
        if self.records == end.records && (end.last.is_none() || end.last == last) {
            return Ok(());
        }
        let (records, last) = (self.records, last.unwrap_or_default());
        Err(LogError::Refused(format!(
            "it is not whole: its last line says {} records up to {}, and it holds {records} up to {last}; to import what is there, take out \
             that line",
            end.records,
            end.last.as_deref().unwrap_or("none")
        )))
    }

    fn end(mut self) -> Result<Imported, LogError> {
        self.end_segment().map_err(|e| match e {
            WriteError::Log(e) => e,
            WriteError::Io(e) => io("cannot write into", self.dir)(e),
        })?;
        let Some(log) = self.log else { return Err(LogError::Refused("it holds no records".to_owned())) };
        let head = self.next - 1;
        let mut manifest = Manifest {
            log: LogId::with_prefix(log).to_string(),
            reserved: head,
            trimmed: self.first,
            imported: head,
            ancestors: self.ancestors.iter().map(|(log, fork)| (LogId::with_prefix(*log).to_string(), *fork)).collect(),
            clean_head: Some(head),
            ..Manifest::create()
        };
        let missing = self.next - self.first - self.records;
        if self.purpose == Purpose::Record || missing > 0 || !self.ancestors.is_empty() {
            // Where the export comes from, recording may continue: from here on this is another log.
            manifest.fork(head);
        }
        Watermark::open(self.dir)?.0.write(head)?;
        manifest.write(self.dir)?;
        Ok(Imported { records: self.records, bounds: (self.first, head), missing })
    }
}

/// The line as shipslog writes it, and its cursor.
fn canonical(text: &[u8]) -> Result<(Cursor, Vec<u8>), LogError> {
    let refuse = |e: &dyn std::fmt::Display| {
        LogError::Refused(format!("it is no record of an export ({e}); was it made by shipslog export --format jsonl?"))
    };
    let record: AnyRecord<'_> = serde_json::from_slice(text).map_err(|e| refuse(&e))?;
    let cursor: Cursor = record.id.parse().map_err(|e| refuse(&e))?;
    if Line::of(text, cursor.seq).check(cursor.seq).is_ok() {
        return Ok((cursor, text.to_vec()));
    }
    // Another tool has written it again: the envelope is put in order, the message stays as it is.
    let time = |text: &str| Timestamp::parse(text, Timestamp::MIN).map_err(|e| refuse(&e));
    let noise = record.noise.as_deref().map(str::parse).transpose().map_err(|e: UnknownNoise| refuse(&e))?;
    let event = Event::from_line(record.event.get().as_bytes()).map_err(|e| refuse(&e))?;
    let marks = Marks { noise, cut: record.cut.map(|cut| cut.bytes.get()), foreign: record.foreign };
    let (seq, log, event, source) = (cursor.seq, LogId::with_prefix(cursor.log), event.with_marks(marks), record.source.into());
    let (own_time, received) = (time(&record.time)?, time(&record.received)?);
    let line = match record.origin {
        None => Record { seq, time: own_time, received, source, event }.to_line(log),
        Some(AnyOrigin { id, received: host_received, source: host_source }) => {
            let id = id.parse().map_err(|e| refuse(&e))?;
            let origin = Origin { id, time: own_time, received: time(&host_received)?, source: host_source.map(Into::into) };
            FleetRecord { source, received, event, origin, place: 0 }.to_line(log, seq)
        }
    };
    Ok((cursor, line.into_bytes()))
}
