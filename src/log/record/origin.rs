//! A host's line as a record of a fleet, and back.
//!
//! Nothing here looks at a clock, a version or a setting: what two followers make of one line is the same
//! bytes, for ever (tests/fixtures/fleet-lines.txt).

use super::line::{BEFORE_CURSOR, LOG_BYTES, Line};
use crate::cursor::{Cursor, LogId, MAX_CURSOR_BYTES, Sequence};
use crate::event::{Event, LineWriter, Origin, RecordParts};
use crate::log::{FleetRecord, LogError};
use crate::time::Timestamp;
use std::sync::Arc;

fn refused(why: &str) -> LogError {
    LogError::Refused(format!("a host's line cannot be taken into a fleet's log: {why}"))
}

/// A line with the cursor that it begins with.
fn line(bytes: &[u8]) -> Option<(Cursor, Line<'_>)> {
    let text = bytes.strip_prefix(BEFORE_CURSOR.as_bytes())?;
    let end = memchr::memchr(b'"', text.get(..=MAX_CURSOR_BYTES).unwrap_or(text))?;
    let cursor: Cursor = std::str::from_utf8(text.get(..end)?).ok()?.parse().ok()?;
    Some((cursor, Line { bytes, digits: end.checked_sub(LOG_BYTES)? }))
}

/// The record of a fleet that a host's line, given without its end, becomes.
pub(in crate::log) fn of_host_line(bytes: &[u8], source: Arc<str>, received: Timestamp, place: u64) -> Result<FleetRecord, LogError> {
    let (id, line) = line(bytes).ok_or_else(|| refused("it does not begin with an id"))?;
    let json = bytes.get(line.json()).ok_or_else(|| refused("it holds no message"))?;
    let event = Event::from_line(json).map_err(|e| refused(&e.to_string()))?.with_marks(line.marks());
    let host_source = line.source();
    let parts = RecordParts {
        time: line.time(),
        received: line.received(),
        source: &host_source,
        origin: None,
        marks: event.marks(),
        json: event.as_json(),
    };
    // Whatever else a line holds, it could not be had back.
    let mut again = String::with_capacity(bytes.len());
    LineWriter::default().write(&mut again, &id.to_string(), id.seq, &parts);
    if again.as_bytes() != bytes {
        return Err(refused("it is not in the form in which shipslog writes a host's record"));
    }
    let (time, host_received) = (parts.time, parts.received);
    let host_source = (*host_source != *source).then(|| host_source.into());
    let origin = Origin { id, time, received: host_received, source: host_source };
    Ok(FleetRecord { source, received, event, origin, place })
}

/// The host's line that a line of a fleet was made from. Both are without their ends.
///
/// # Errors
/// [`LogError::Refused`] when it is no line of a fleet.
pub fn host_line(fleet_line: &[u8]) -> Result<Vec<u8>, LogError> {
    let found = line(fleet_line).and_then(|(_, line)| host_line_of(line));
    found.ok_or_else(|| LogError::Refused("a line is not that of a fleet's record".to_owned()))
}

pub(super) fn host_line_of(line: Line<'_>) -> Option<Vec<u8>> {
    let (origin, end) = line.origin_and_end();
    let origin = origin?;
    let source = match origin.source {
        Some(source) => source,
        None => line.bytes.get(line.source_text())?,
    };
    let Origin { id, time, .. } = origin.origin(line.time())?;
    let mut host = Vec::with_capacity(line.bytes.len());
    host.extend_from_slice(format!(r#"{BEFORE_CURSOR}{id}","seq":{},"time":"{time}","received":""#, id.seq).as_bytes());
    host.extend_from_slice(origin.received);
    host.extend_from_slice(br#"","source":"#);
    host.extend_from_slice(source);
    host.extend_from_slice(line.bytes.get(end..)?);
    Some(host)
}

impl FleetRecord {
    /// From a host's line, given without its end.
    ///
    /// # Errors
    /// [`LogError::Refused`] for a line that could not be had back byte for byte.
    pub fn of_host_line(line: &[u8], source: Arc<str>, received: Timestamp, place: u64) -> Result<Self, LogError> {
        of_host_line(line, source, received, place)
    }

    /// The record's line as the record `seq` of the fleet `log`, without its end.
    pub fn to_line(&self, log: LogId, seq: Sequence) -> String {
        let mut line = String::with_capacity(self.event.as_json().len() + 320);
        LineWriter::default().write(&mut line, &log.cursor(seq).to_string(), seq, &self.parts());
        line
    }

    fn parts(&self) -> RecordParts<'_> {
        let Self { source, received, event, origin, place: _ } = self;
        let (origin_parts, marks, json) = (Some(origin.parts()), event.marks(), event.as_json());
        RecordParts { time: origin.time, received: *received, source, origin: origin_parts, marks, json }
    }
}

#[cfg(test)]
mod tests;
