//! `GET /api/v1/events`: history by time range, pages, and polling. `GET /api/v1/events/{id}`: one record.

use super::context::{Context, stopping};
use super::page::{At, Direction, Loaded, Order, Page, PageRequest, Token};
use super::params::Params;
use super::problem::ApiError;
use crate::cursor::{Cursor, Sequence};
use crate::log::{Bounds, LogError, Piece, Scan};
use crate::reader::{Reader, ResetReason, Step, Want, check_cursor};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

const PARAMS: [&str; 8] = ["since", "until", "filters", "exclude", "order", "limit", "after", "cursor"];
const DEFAULT_LIMIT: usize = 500;
const MAX_LIMIT: usize = 10_000;
/// Longest wait that `Prefer: wait=` is given.
const MAX_WAIT_SECONDS: u64 = 60;

/// One page of history, or what is new since a cursor.
pub(super) async fn list(context: Arc<Context>, query: String, headers: HeaderMap) -> Result<Response, ApiError> {
    let params = Params::parse(&query, &PARAMS)?;
    let query = Query::parse(&params, &context)?;
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let polling = query.after.is_some() || known.is_some();
    let wait = prefer_wait(&headers).filter(|_| polling);
    let deadline = Instant::now() + Duration::from_secs(wait.unwrap_or(0));
    let mut shutdown = context.shutdown.clone();
    loop {
        let (answer, head) = {
            let _place = context.heavy.acquire().await;
            query.answer(&context).await?
        };
        let unchanged = known.as_ref().is_some_and(|known| known.split(',').any(|tag| tag.trim() == answer.etag));
        let nothing_new = unchanged || (known.is_none() && query.after.is_some() && answer.empty);
        if wait.is_some() && nothing_new {
            let news = tokio::select! {
                news = timeout_at(deadline, query.news(&context, head)) => matches!(news, Ok(Ok(true))),
                () = stopping(&mut shutdown) => false,
            };
            if news {
                continue;
            }
        }
        return Ok(answer.into_response(&params, unchanged, wait));
    }
}

/// `Prefer: wait=SECONDS` (RFC 7240, 4.3), at most [`MAX_WAIT_SECONDS`].
fn prefer_wait(headers: &HeaderMap) -> Option<u64> {
    let preferences = headers.get_all("prefer").into_iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split([',', ';']));
    let seconds = preferences.filter_map(|p| p.trim().strip_prefix("wait=")).find_map(|s| s.trim().parse::<u64>().ok());
    seconds.map(|s| s.min(MAX_WAIT_SECONDS))
}

#[derive(Debug)]
struct Query {
    want: Want,
    order: Order,
    limit: usize,
    after: Option<Sequence>,
    token: Option<Token>,
}

impl Query {
    fn parse(params: &Params, context: &Context) -> Result<Self, ApiError> {
        let order = match params.get("order") {
            None | Some("asc") => Order::Asc,
            Some("desc") => Order::Desc,
            Some(other) => return Err(ApiError::bad_request(format!("order must be asc or desc, not {:?}", shorten(other)))),
        };
        let limit = params.get("limit").map_or(Ok(DEFAULT_LIMIT), |text| match text.parse() {
            Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
            _ => Err(ApiError::bad_request(format!("limit must be a number from 1 to {MAX_LIMIT}, not {:?}", shorten(text)))),
        })?;
        let token = params.get("cursor").map(|text| text.parse::<Token>().map_err(ApiError::bad_request)).transpose()?;
        let after = params.get("after").map(|text| poll_position(text, context)).transpose()?;
        if after.is_some() && order == Order::Desc {
            return Err(ApiError::bad_request("after= polls upwards from a record's id: leave out order=desc"));
        }
        // Beyond the first page of a poll the token says where to go on.
        let after = after.filter(|_| token.is_none());
        if let Some(token) = &token {
            check_cursor(&token.at.to_string(), &*context.log).map_err(|reason| cursor_problem(reason, context.log.bounds()))?;
        }
        let time = token.as_ref().map_or_else(|| params.time_range(), |token| Ok(token.time.clone()))?;
        let want = Want { time, ..Want::filtered(params.filter()?) };
        Ok(Self { want, order, limit, after, token })
    }

    /// Waits until a record after `head` is wanted. Only what is new is looked at, so that a wait costs nothing but that.
    async fn news(&self, context: &Context, head: Sequence) -> Result<bool, LogError> {
        let mut reader = Reader::new(Arc::clone(&context.log), head, self.want.clone());
        loop {
            match reader.next().await? {
                Some(Step::Records(_)) => return Ok(true),
                Some(Step::Gap(..) | Step::Nothing) => {}
                None if reader.wait().await => {}
                None => return Ok(false),
            }
        }
    }

    /// The answer, and the head up to which it looked.
    async fn answer(&self, context: &Context) -> Result<(Answer, Sequence), ApiError> {
        let bounds = context.log.bounds();
        let at = match (&self.token, self.after) {
            (Some(token), _) => At::Behind(token.at.seq),
            (None, Some(after)) => At::Behind(after),
            (None, None) => At::Edge { oldest: bounds.oldest },
        };
        let direction = self.token.as_ref().map_or(Direction::Next, |token| token.direction);
        let want = Want { until: bounds.head, ..self.want.clone() };
        let request = PageRequest { order: self.order, direction, at, want, limit: self.limit };
        let Loaded { page, next, mut prev } = Page::load(&context.log, request).await?;
        if self.after.is_some() {
            if let Some((range, _)) = page.gaps.first().filter(|(range, _)| self.after.is_some_and(|after| *range.start() == after + 1)) {
                let detail = format!(
                    "the records {} to {} after this cursor are gone; the oldest record kept is {}",
                    range.start(),
                    range.end(),
                    bounds.log.cursor(bounds.oldest)
                );
                return Err(ApiError::new(StatusCode::GONE, detail));
            }
            prev = None;
        }
        Ok((Answer::build(&page, next, prev.as_ref(), bounds), bounds.head))
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

/// The position after which to poll. A cursor that cannot be used is an error here: status codes reach such clients.
fn poll_position(text: &str, context: &Context) -> Result<Sequence, ApiError> {
    check_cursor(text, &*context.log).map_err(|reason| cursor_problem(reason, context.log.bounds()))
}

fn cursor_problem(reason: ResetReason, bounds: Bounds) -> ApiError {
    let oldest = bounds.log.cursor(bounds.oldest);
    match reason {
        ResetReason::Malformed => ApiError::bad_request(crate::cursor::CursorError),
        ResetReason::ForeignLog => {
            ApiError::new(StatusCode::CONFLICT, format!("this cursor is of another log; start again at the oldest record, {oldest}"))
        }
        ResetReason::Future => ApiError::new(
            StatusCode::CONFLICT,
            format!(
                "this cursor lies behind the newest record, {}; start again at the oldest one, {oldest}",
                bounds.log.cursor(bounds.head)
            ),
        ),
    }
}

struct Answer {
    body: String,
    etag: String,
    empty: bool,
    next: Option<Token>,
}

impl Answer {
    /// Records go into the body as the lines they are, not re-encoded. The tag leaves out the head: nothing new *for this
    /// query* is nothing new.
    fn build(page: &Page, next: Option<Token>, prev: Option<&Token>, bounds: Bounds) -> Self {
        let mut body = String::with_capacity(page.records.iter().map(|(_, line)| line.len() + 1).sum::<usize>() + 512);
        body.push_str(r#"{"records":["#);
        for (i, (_, line)) in page.records.iter().enumerate() {
            if i > 0 {
                body.push(',');
            }
            body.push_str(&String::from_utf8_lossy(line));
        }
        let gaps: Vec<_> =
            page.gaps.iter().map(|(range, reason)| json!({ "from": range.start(), "to": range.end(), "reason": reason })).collect();
        let token = |token: Option<&Token>| token.map(ToString::to_string);
        let page_tokens = json!({ "next": token(next.as_ref()), "prev": token(prev) });
        let _ = write!(body, r#"],"page":{page_tokens},"gaps":{}"#, serde_json::Value::from(gaps));
        let digest = Sha256::digest(format!("{}{}{body}", bounds.log, bounds.oldest).as_bytes());
        let etag = format!("W/\"{}\"", hex::encode(digest.get(..12).unwrap_or_default()));
        let log = json!({ "id": bounds.log.to_string(), "oldest": bounds.oldest, "head": bounds.head });
        let _ = write!(body, r#","log":{log}}}"#);
        Self { body, etag, empty: page.records.is_empty(), next }
    }

    fn into_response(self, params: &Params, unchanged: bool, waited: Option<u64>) -> Response {
        let mut response = if unchanged { String::new().into_response() } else { self.body.into_response() };
        if unchanged {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // A browser may keep the answer, but has to ask whether it still holds.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let mut set = |name: header::HeaderName, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        };
        set(header::ETAG, self.etag);
        if let Some(next) = self.next {
            set(header::LINK, format!("</api/v1/events?{}>; rel=\"next\"", params.for_page(&next.to_string())));
        }
        if let Some(seconds) = waited {
            set(header::HeaderName::from_static("preference-applied"), format!("wait={seconds}"));
        }
        response
    }
}

/// One record.
pub(super) async fn one(context: Arc<Context>, id: String) -> Result<Response, ApiError> {
    let bounds = context.log.bounds();
    let not_found = || ApiError::new(StatusCode::NOT_FOUND, "there is no such record in this log");
    let cursor: Cursor = id.parse().map_err(ApiError::bad_request)?;
    if !context.log.owns(cursor) || cursor.seq > bounds.head || cursor.seq == 0 {
        return Err(not_found());
    }
    let chunk = context.log.read_after(cursor.seq - 1, &Scan { max_bytes: 1, ..Scan::default() }).await?;
    match chunk.pieces.first() {
        Some(Piece::Block(block)) if block.sequences().contains(&cursor.seq) => {
            let mut response = block.line(cursor.seq, true).to_vec().into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            Ok(response)
        }
        Some(Piece::Gap(_, reason)) => {
            let why = serde_json::to_value(reason).unwrap_or_default();
            Err(ApiError::new(StatusCode::GONE, format!("this record is gone (reason: {})", why.as_str().unwrap_or("unknown"))))
        }
        _ => Err(not_found()),
    }
}
