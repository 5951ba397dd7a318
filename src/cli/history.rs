//! Reading the past, page by page.

use super::render::is_noise;
use crate::client::{Client, ClientError, HistoryQuery, Order, Selection};
use crate::cursor::Cursor;
use crate::filter::Filter;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Records per request: a page stays a few MiB at most, as long as records are not unusually large.
const PAGE_RECORDS: usize = 1000;

/// A record's line, verbatim.
pub(super) type Line = Box<RawValue>;

/// Pages of records that are read for the newest ones among health checks, which are then shown in their
/// places. From then on the server leaves them out and counts them.
const FOLDED_PAGES: usize = 10;

/// What a reading of the past comes upon.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item<'a> {
    /// A record of the selection.
    Record(&'a str),
    /// A record of the recorder that the filter hides: events may be missing.
    Missed(&'a str),
    /// So many older ones of these are not told.
    LeftOut(u64),
}

/// Hands every record of the selection to `each`, oldest first. Ends at the head as it was when the reading
/// began, or a busy log would never end.
pub(super) async fn all(
    client: &Client,
    selection: &Selection,
    mut each: impl FnMut(Item<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut query = HistoryQuery { selection: selection.clone(), order: Order::Asc, limit: PAGE_RECORDS, ..HistoryQuery::default() };
    let mut end = None;
    loop {
        let page = client.history(&query).await?;
        let end = *end.get_or_insert(page.log.head);
        page.incomplete.iter().try_for_each(|record| each(Item::Missed(record.get())))?;
        each(Item::LeftOut(page.incomplete_left_out))?;
        for record in &page.records {
            if page.log.head > end && id(record).is_some_and(|id| id.seq > end) {
                return Ok(());
            }
            each(Item::Record(record.get()))?;
        }
        match page.next() {
            Some(next) => query.page = Some(next.to_owned()),
            None => return Ok(()),
        }
    }
}

/// The newest records of a selection.
#[derive(Debug, Default)]
pub(super) struct Newest {
    /// Oldest first. Among them are health checks, which do not count.
    pub(super) lines: Vec<Line>,
    /// Older health checks, which the server has left out.
    pub(super) folded: u64,
    /// Records that tell of events that may be missing, and that the filter hides.
    pub(super) missed: Vec<Line>,
    /// How many older ones of these the server did not tell.
    pub(super) left_out: u64,
}

/// The newest `count` records of the selection; `folds`: without counting health checks.
pub(super) async fn newest(client: &Client, selection: &Selection, count: usize, folds: bool) -> Result<Newest, ClientError> {
    let mut query = HistoryQuery { selection: selection.clone(), order: Order::Desc, ..HistoryQuery::default() };
    let mut found = Newest::default();
    let (mut wanted, mut pages) = (count, 0);
    while wanted > 0 {
        query.fold = folds && pages >= FOLDED_PAGES;
        query.limit = if folds && !query.fold { PAGE_RECORDS } else { wanted.min(PAGE_RECORDS) };
        let page = client.history(&query).await?;
        query.page = page.next().map(str::to_owned);
        found.folded += page.folded;
        found.missed.extend(page.incomplete);
        found.left_out = found.left_out.max(page.incomplete_left_out);
        for line in page.records {
            if wanted == 0 {
                break;
            }
            wanted -= usize::from(!(folds && is_noise(line.get())));
            found.lines.push(line);
        }
        if query.page.is_none() {
            break;
        }
        pages += 1;
    }
    found.lines.reverse();
    Ok(found)
}

/// Whether the log holds records of two hosts or more.
pub(super) async fn has_many_hosts(client: &Client) -> Result<bool, ClientError> {
    let selection = |filter| Selection { filter, ..Selection::default() };
    let one = |filter| HistoryQuery { selection: selection(filter), order: Order::Desc, limit: 1, ..HistoryQuery::default() };
    let newest = client.history(&one(Filter::default())).await?;
    let Some(source) = newest.records.first().and_then(|line| source(line)) else { return Ok(false) };
    let others = client.history(&one(Filter::default().without("source", &source))).await?;
    Ok(!others.records.is_empty())
}

/// The name of a record's Docker host.
fn source(line: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Source {
        source: String,
    }
    serde_json::from_str::<Source>(line.get()).ok().map(|record| record.source)
}

/// A cursor at or before the head such that everything up to it can be read now. Taken from a record that was
/// seen and not from the log's bounds, which may already count records that the same answer does not hold.
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
