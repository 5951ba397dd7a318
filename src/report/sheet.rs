//! Timelines as a table, safe to open in a spreadsheet.

use super::model::{Report, Row, Told};
use super::safe::plain;
use std::borrow::Cow;

const COLUMNS: [&str; 8] = ["incident", "time", "record", "source", "subject", "what", "text", "folded"];

/// All timelines, one after the other.
pub(super) fn write(report: &Report) -> String {
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
    let rows = report.incidents.iter().flat_map(|told| told.timeline.iter().map(move |row| cells(told, row)));
    let header = COLUMNS.map(str::to_owned);
    // A vector takes whatever is written.
    for row in std::iter::once(header).chain(rows) {
        let _ = writer.write_record(row.iter().map(|cell| guarded(cell).into_owned()));
    }
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

fn cells(told: &Told, row: &Row) -> [String; COLUMNS.len()] {
    [
        told.incident.id.clone(),
        row.time.to_string(),
        row.record.clone().unwrap_or_default(),
        plain(&told.incident.source),
        plain(&row.subject),
        row.what.to_owned(),
        plain(&row.text),
        row.folded.to_string(),
    ]
}

/// Spreadsheets take a text that begins so for a formula (OWASP, "CSV Injection").
fn guarded(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{cell}").into()
    } else {
        cell.into()
    }
}
