//! Records as rows of comma-separated values (RFC 4180), safe to open in a spreadsheet.

use super::ExportError;
use crate::event::{EventView, Record};
use crate::log::GapReason;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The first row.
pub(super) const COLUMNS: [&str; 11] =
    ["id", "time", "received", "source", "type", "action", "actor", "name", "image", "exit_code", "attributes"];

/// A row with its end.
fn row(cells: [&str; COLUMNS.len()]) -> Result<Vec<u8>, ExportError> {
    let failed = |e: String| ExportError::Write(format!("a row: {e}"));
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::with_capacity(512));
    writer.write_record(cells.map(guarded).iter().map(|cell| cell.as_bytes())).map_err(|e| failed(e.to_string()))?;
    writer.into_inner().map_err(|e| failed(e.to_string()))
}

/// Spreadsheets take a text that begins so for a formula, which could send what is in the sheet elsewhere
/// (OWASP, "CSV Injection"). An apostrophe in front makes it a text.
fn guarded(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{cell}").into()
    } else {
        cell.into()
    }
}

pub(super) fn header() -> Result<Vec<u8>, ExportError> {
    row(COLUMNS)
}

/// A record, with the cursor `id`. All attributes are in the last column, as an object of JSON.
pub(super) fn record(id: &str, record: &Record, event: &EventView<'_>) -> Result<Vec<u8>, ExportError> {
    let text = |field: &Option<Cow<'_, str>>| field.as_deref().unwrap_or("").to_owned();
    let attribute = |key| event.attribute(key).unwrap_or("");
    let attributes: BTreeMap<&str, &str> = event.attributes.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).collect();
    let attributes = if attributes.is_empty() { String::new() } else { serde_json::json!(attributes).to_string() };
    row([
        id,
        &record.time.to_string(),
        &record.received.to_string(),
        &record.source,
        &text(&event.kind),
        &text(&event.action),
        &text(&event.actor_id),
        attribute("name"),
        attribute("image"),
        attribute("exitCode"),
        &attributes,
    ])
}

/// A stretch that is gone.
pub(super) fn gap(range: &std::ops::RangeInclusive<u64>, reason: GapReason) -> Result<Vec<u8>, ExportError> {
    let attributes = serde_json::json!({ "from": range.start(), "to": range.end(), "reason": reason }).to_string();
    row(["", "", "", "", "recorder", "gap", "", "", "", "", &attributes])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_become_texts() {
        for (cell, shown) in
            [("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("-1", "'-1"), ("\t=1", "'\t=1"), ("web", "web"), ("", ""), ("a=b", "a=b")]
        {
            assert_eq!(guarded(cell), shown);
        }
    }

    proptest! {
        #[test]
        fn cells_come_back_and_no_formula_is_among_them(cells in prop::array::uniform11("[=+@,\"\r\n'a-é ]{0,12}")) {
            let row = row(std::array::from_fn(|i| cells[i].as_str())).unwrap();
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(&row[..]);
            let read: Vec<::csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            prop_assert_eq!(read.len(), 1);
            for (read, written) in read[0].iter().zip(&cells) {
                prop_assert!(read == written || read.strip_prefix('\'') == Some(written));
                prop_assert!(!read.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
            }
        }
    }
}
