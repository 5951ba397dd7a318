//! Questions with one answer: history, export, stats, readiness.

use super::{Client, ClientError, read_at_most, refusal};
use crate::cursor::{Cursor, LogId, Sequence};
use crate::filter::Filter;
use crate::text::root_cause;
use crate::time::Timestamp;
use bytes::Bytes;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Most that one page of history may take.
const MAX_PAGE_BYTES: usize = 256 << 20;
/// Most that stats and readiness may take.
pub(super) const MAX_STATUS_BYTES: usize = 4 << 20;

/// Which records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// First event time, inclusive.
    pub since: Option<Timestamp>,
    /// Last event time, inclusive.
    pub until: Option<Timestamp>,
    /// Which of these.
    pub filter: Filter,
}

/// Order of a history query, by sequence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    #[default]
    Asc,
    /// Newest first.
    Desc,
}

/// One page of history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Which records.
    pub selection: Selection,
    /// In which order.
    pub order: Order,
    /// How many at most; the server's own limit is 10,000.
    pub limit: usize,
    /// The `next` of the page before.
    pub page: Option<String>,
    /// Whether health checks are left out and counted.
    pub fold: bool,
}

/// The server's answer to a [`HistoryQuery`].
#[derive(Debug, Deserialize)]
pub struct HistoryPage {
    /// The records, each as its verbatim line.
    pub records: Vec<Box<RawValue>>,
    /// Records of the recorder that tell of events that may be missing, and that the filter hides; none from
    /// older servers.
    #[serde(default)]
    pub incomplete: Vec<Box<RawValue>>,
    /// How many older ones of these the server does not tell.
    #[serde(default)]
    pub incomplete_left_out: u64,
    /// Health checks that were left out, where that was asked for.
    #[serde(default)]
    pub folded: u64,
    page: PageLinks,
    /// The log's bounds when the page was made.
    pub log: LogBounds,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PageLinks {
    next: Option<String>,
}

impl HistoryPage {
    /// What to ask for as [`HistoryQuery::page`] to continue; `None` at the end.
    pub fn next(&self) -> Option<&str> {
        self.page.next.as_deref()
    }
}

/// A log and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LogBounds {
    /// The log's id.
    pub id: String,
    /// The oldest sequence kept.
    #[serde(default)]
    pub oldest: Sequence,
    /// The newest sequence; 0 for none.
    #[serde(default)]
    pub head: Sequence,
}

impl LogBounds {
    /// The cursor of `seq` in this log.
    pub fn cursor(&self, seq: Sequence) -> Option<Cursor> {
        self.id.parse().ok().map(|id: LogId| id.cursor(seq))
    }
}

/// How an export comes over the wire, and is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

/// An export on its way.
#[derive(Debug)]
pub struct Export(Response);

impl Export {
    /// The next piece; `None` at the true end.
    ///
    /// # Errors
    /// [`ClientError::Cut`] when the body ends early.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        self.0.chunk().await.map_err(|e| ClientError::Cut { why: root_cause(&e) })
    }
}

/// Whether the server says it is ready, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Readiness {
    /// Ready to be relied on.
    pub ready: bool,
    /// The whole answer.
    pub body: Value,
}

impl Client {
    /// One page of history.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn history(&self, query: &HistoryQuery) -> Result<HistoryPage, ClientError> {
        let mut params = selection_params(&query.selection);
        params.push(("order", if query.order == Order::Asc { "asc" } else { "desc" }.to_owned()));
        params.push(("limit", query.limit.to_string()));
        if let Some(page) = &query.page {
            params.push(("cursor", page.clone()));
        }
        if query.fold {
            params.push(("fold", "noise".to_owned()));
        }
        let response = self.get("/api/v1/events", &params, &[]).await?;
        parse(&read_at_most(response, MAX_PAGE_BYTES).await?)
    }

    /// Starts an export in this format. `trailer`: its last line says how many records it holds.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn export(
        &self,
        selection: &Selection,
        format: &str,
        compression: Compression,
        trailer: bool,
    ) -> Result<Export, ClientError> {
        let mut params = vec![("format", format.to_owned())];
        if trailer {
            params.push(("trailer", "1".to_owned()));
        }
        match compression {
            Compression::None => {}
            Compression::Gzip => params.push(("compression", "gzip".to_owned())),
            Compression::Zstd => params.push(("compression", "zstd".to_owned())),
        }
        params.extend(selection_params(selection));
        let response = self.get("/api/v1/export", &params, &[]).await?;
        let chunked = response.headers().get("transfer-encoding").is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if chunked || response.headers().contains_key("content-length") {
            return Ok(Export(response));
        }
        // An HTTP/1.0 proxy strips the marks; a broken connection would then pass for the end of a backup.
        Err(ClientError::NotShipslog { why: "the export's end is not marked, so that a cut could not be told from it".to_owned() })
    }

    /// The server's statistics, as JSON text.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn stats(&self) -> Result<String, ClientError> {
        let body = read_at_most(self.get("/api/v1/stats", &[], &[]).await?, MAX_STATUS_BYTES).await?;
        parse::<Box<RawValue>>(&body).map(|raw| raw.get().to_owned())
    }

    /// Whether the server is ready. "No" is an answer, not an error.
    ///
    /// # Errors
    /// [`ClientError`] when there is no such answer.
    pub async fn readiness(&self) -> Result<Readiness, ClientError> {
        let response = self.send("/readyz", &[], &[]).await?;
        let status = response.status();
        if status != StatusCode::OK && status != StatusCode::SERVICE_UNAVAILABLE {
            return Err(refusal(response).await);
        }
        let body: Value = parse(&read_at_most(response, MAX_STATUS_BYTES).await?)?;
        let said = body.get("ready").and_then(Value::as_bool).unwrap_or(status == StatusCode::OK);
        Ok(Readiness { ready: said && status == StatusCode::OK, body })
    }
}

pub(super) fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|e| ClientError::NotShipslog { why: e.to_string() })
}

fn selection_params(selection: &Selection) -> Vec<(&'static str, String)> {
    let mut params = filter_params(&selection.filter);
    params.extend(selection.since.map(|time| ("since", time.to_string())));
    params.extend(selection.until.map(|time| ("until", time.to_string())));
    params
}

/// A filter as query parameters.
pub(super) fn filter_params(filter: &Filter) -> Vec<(&'static str, String)> {
    let (filters, exclude) = filter.to_params();
    let filters = filters.map(|json| ("filters", json));
    filters.into_iter().chain(exclude.map(|json| ("exclude", json))).collect()
}
