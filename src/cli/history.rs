//! Reading the past, page by page.

use crate::client::{Client, ClientError, HistoryQuery, Order, Selection};
use crate::cursor::Cursor;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Records per request: a page stays a few MiB at most, as long as records are not unusually large.
const PAGE_RECORDS: usize = 1000;

/// A record's line, verbatim.
pub(super) type Line = Box<RawValue>;

/// Hands every record of the selection to `each`, oldest first. Ends at the head as it was when the reading began, or a
/// busy log would never end.
pub(super) async fn all(client: &Client, selection: &Selection, mut each: impl FnMut(&str) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut query = HistoryQuery { selection: selection.clone(), order: Order::Asc, limit: PAGE_RECORDS, page: None };
    let mut end = None;
    loop {
        let page = client.history(&query).await?;
        let end = *end.get_or_insert(page.log.head);
        for record in &page.records {
            if page.log.head > end && id(record).is_some_and(|id| id.seq > end) {
                return Ok(());
            }
            each(record.get())?;
        }
        match page.next() {
            Some(next) => query.page = Some(next.to_owned()),
            None => return Ok(()),
        }
    }
}

/// The newest `count` records of the selection, oldest first.
pub(super) async fn newest(client: &Client, selection: &Selection, count: usize) -> Result<Vec<Line>, ClientError> {
    let mut query = HistoryQuery { selection: selection.clone(), order: Order::Desc, limit: 0, page: None };
    let mut lines = Vec::new();
    while lines.len() < count {
        query.limit = (count - lines.len()).min(PAGE_RECORDS);
        let mut page = client.history(&query).await?;
        query.page = page.next().map(str::to_owned);
        lines.append(&mut page.records);
        if query.page.is_none() {
            break;
        }
    }
    lines.truncate(count);
    lines.reverse();
    Ok(lines)
}

/// A cursor at or before the head such that everything up to it can be read now. Taken from a record that was seen and not
/// from the log's bounds, which may already count records that the same answer does not hold.
pub(super) async fn edge(client: &Client) -> Result<Option<Cursor>, ClientError> {
    let query = HistoryQuery { order: Order::Desc, limit: 1, ..HistoryQuery::default() };
    let page = client.history(&query).await?;
    Ok(page.records.first().and_then(|line| id(line)).or_else(|| page.log.cursor(page.log.oldest.saturating_sub(1))))
}

/// The record's cursor.
pub(super) fn id(line: &RawValue) -> Option<Cursor> {
    #[derive(Deserialize)]
    struct Id {
        id: String,
    }
    serde_json::from_str::<Id>(line.get()).ok()?.id.parse().ok()
}
