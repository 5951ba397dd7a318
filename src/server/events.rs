//! `GET /api/v1/events`: history by time range, pages, and polling. `GET /api/v1/events/{id}`: one record.

use super::asker::Asker;
use super::coming::Lagging;
use super::context::Context;
use super::lines::{CHUNK_BYTES, Lines};
use super::missed::Missed;
use super::negotiate;
use super::page::{At, Direction, Loaded, Order, Page, PageRequest, Token};
use super::params::{FOLD, Params};
use super::positions::Positions;
use super::problem::ApiError;
use crate::cursor::{Cursor, Sequence};
use crate::filter::Filter;
use crate::log::{Bounds, EventLog, LogError, Piece, Scan};
use crate::projection::Asked;
use crate::reader::{Reader, ResetReason, Step, Want, check_cursor};
use crate::time::Timestamp;
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

const PARAMS: [&str; 10] = ["since", "until", "filters", "exclude", FOLD, "order", "limit", "after", "before", "cursor"];
const DEFAULT_LIMIT: usize = 500;
const MAX_LIMIT: usize = 10_000;
/// Longest wait that `Prefer: wait=` is given. Proxies give up on an answer after 60 s (nginx, AWS) or 50 s
/// (HAProxy as Debian ships it).
const MAX_WAIT_SECONDS: u64 = 45;

/// One page of history, or what is new since a cursor.
pub(super) async fn list(context: Arc<Context>, query: String, headers: HeaderMap, asker: Asker) -> Result<Response, ApiError> {
    let params = Params::parse(&query, &PARAMS)?;
    come_to(&context, &params).await?;
    let query = Query::parse(&params, &context)?;
    let log = context.log_for(&asker);
    let known = headers.contains_key(header::IF_NONE_MATCH);
    let polling = query.after.is_some() || known;
    let wait = prefer_wait(&headers).filter(|_| polling);
    let deadline = Instant::now() + Duration::from_secs(wait.unwrap_or(0));
    let shutdown = context.shutdown.clone();
    let revoked = || ApiError::new(StatusCode::UNAUTHORIZED, "the token is no longer one of ours");
    let mut woken = false;
    loop {
        let (mut answer, head) = tokio::select! {
            biased;
            () = asker.revoked() => return Err(revoked()),
            answer = query.answer(&context, &log) => answer?,
        };
        let unchanged = negotiate::has(&headers, &answer.etag);
        if unchanged {
            answer.page = Page::default();
        }
        // A loss that the filter hides is news as well, and no record of the answer.
        let nothing_new = unchanged || (!known && query.after.is_some() && answer.page.records.is_empty() && !woken);
        if wait.is_some() && nothing_new {
            woken = tokio::select! {
                biased;
                () = asker.revoked() => return Err(revoked()),
                news = timeout_at(deadline, query.news(&log, head)) => matches!(news, Ok(Ok(true))),
                () = shutdown.stopping() => false,
            };
            if woken {
                continue;
            }
        }
        return Ok(answer.into_response(&log, &asker, &params, unchanged, wait));
    }
}

/// Waits for what a server of a fleet does not have yet.
async fn come_to(context: &Context, params: &Params) -> Result<(), Lagging> {
    for cursor in ["after", "before"].into_iter().filter_map(|name| params.get(name)) {
        context.come_to(cursor).await?;
    }
    match params.get("cursor").map(str::parse::<Token>) {
        Some(Ok(token)) => context.come_to(&token.at.to_string()).await,
        _ => Ok(()),
    }
}

/// `Prefer: wait=SECONDS` (RFC 7240, 4.3), at most [`MAX_WAIT_SECONDS`].
pub(super) fn prefer_wait(headers: &HeaderMap) -> Option<u64> {
    let preferences = headers.get_all("prefer").into_iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split([',', ';']));
    let seconds = preferences.filter_map(|p| p.trim().strip_prefix("wait=")).find_map(|s| whole_number(s.trim()));
    seconds.map(|s| s.min(MAX_WAIT_SECONDS))
}

/// A number that is too large for the type counts as the largest.
fn whole_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[derive(Debug)]
struct Query {
    want: Want,
    /// What is worth an answer to one that waits: no health checks where they are folded, and losses.
    news: Arc<Filter>,
    fold: bool,
    order: Order,
    limit: usize,
    after: Option<Sequence>,
    /// What lies before this record, newest first.
    before: Option<Sequence>,
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
        let before = params.get("before").map(|text| poll_position(text, context)).transpose()?;
        if before.is_some() && (order == Order::Asc || after.is_some()) {
            return Err(ApiError::bad_request("before= goes back from a record's id: add order=desc, and leave out after="));
        }
        // After the first page of a poll the token says where to continue.
        let after = after.filter(|_| token.is_none());
        let before = before.filter(|_| token.is_none());
        if let Some(token) = &token {
            check_cursor(&token.at.to_string(), &*context.log).map_err(|reason| cursor_problem(reason, context.log.bounds()))?;
        }
        let time = token.as_ref().map_or_else(|| params.time_range(), |token| Ok(token.time.clone()))?;
        let want = Want { time, ..Want::filtered(params.filter()?) };
        let fold = params.folds()?;
        let news = Arc::new(params.folded_filter()?.telling_losses());
        Ok(Self { want, news, fold, order, limit, after, before, token })
    }

    /// Waits until a record after `head` is wanted. Only what is new is looked at, so that a wait costs
    /// nothing but that.
    async fn news(&self, log: &Arc<dyn EventLog>, head: Sequence) -> Result<bool, LogError> {
        let mut reader = Reader::new(Arc::clone(log), head, Want { filter: Arc::clone(&self.news), ..self.want.clone() });
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
    async fn answer(&self, context: &Context, log: &Arc<dyn EventLog>) -> Result<(Answer, Sequence), ApiError> {
        let bounds = log.bounds();
        let at = match (&self.token, self.after.or(self.before)) {
            (Some(token), _) => At::After(token.at.seq),
            (None, Some(place)) => At::After(place),
            (None, None) => At::Edge { oldest: bounds.oldest },
        };
        let direction = self.token.as_ref().map_or(Direction::Next, |token| token.direction);
        let want = Want { until: bounds.head, ..self.want.clone() };
        let request = PageRequest { order: self.order, direction, at, want, limit: self.limit, fold: self.fold };
        let Loaded { page, next, mut prev, span } = Page::load(log, request).await?;
        if self.after.is_some() {
            if let Some((range, _)) = page.gaps.first().filter(|(range, _)| self.after.is_some_and(|after| *range.start() == after + 1)) {
                return Err(gone(range, bounds));
            }
            prev = None;
        }
        let missed = self.missed(context, log, span).await?;
        let folded = self.fold.then_some(page.folded);
        Ok((Answer::build(page, next, prev.as_ref(), bounds, &missed, folded), bounds.head))
    }
}

impl Query {
    /// What the recorder may have missed in the time of a page, where its records are not among those asked
    /// for. A poll is told of what has come since, whatever time it is of.
    async fn missed(&self, context: &Context, log: &Arc<dyn EventLog>, span: RangeInclusive<Timestamp>) -> Result<Missed, LogError> {
        let Want { filter, time, .. } = &self.want;
        if self.want.everything() {
            return Ok(Missed::default());
        }
        let polled = self.after.filter(|_| *time.end() == Timestamp::MAX);
        let asked = Asked { after: polled.unwrap_or(Sequence::MAX), ..Asked::at(span) };
        context.missed(log, &asked, |loss| loss.is_hidden(filter, time)).await
    }
}

/// The answer to a cursor whose next records are not there any more.
pub(super) fn gone(range: &RangeInclusive<Sequence>, bounds: Bounds) -> ApiError {
    let (from, to, oldest) = (range.start(), range.end(), bounds.log.cursor(bounds.oldest));
    let detail = format!("the records {from} to {to} after this cursor are gone; the oldest record kept is {oldest}");
    ApiError::new(StatusCode::GONE, detail)
}

fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

/// The position after which to poll. A cursor that cannot be used is an error here: status codes reach such
/// clients.
pub(super) fn poll_position(text: &str, context: &Context) -> Result<Sequence, ApiError> {
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
                "this cursor lies after the newest record, {}; start again at the oldest one, {oldest}",
                bounds.log.cursor(bounds.head)
            ),
        ),
    }
}

struct Answer {
    page: Page,
    etag: String,
    next: Option<Token>,
    /// What follows the records.
    tail: String,
}

/// What stands before the records.
const BEFORE: &str = r#"{"records":["#;

impl Answer {
    /// Records go out as the lines they are, not re-encoded. The tag is of where they lie, since what lies
    /// there never changes; it leaves out the head: nothing new *for this query* is nothing new.
    fn build(page: Page, next: Option<Token>, prev: Option<&Token>, bounds: Bounds, missed: &Missed, folded: Option<u64>) -> Self {
        let gaps: Vec<_> =
            page.gaps.iter().map(|(range, reason)| json!({ "from": range.start(), "to": range.end(), "reason": reason })).collect();
        let token = |token: Option<&Token>| token.map(ToString::to_string);
        let page_tokens = json!({ "next": token(next.as_ref()), "prev": token(prev) });
        let mut tail = format!(r#"],"page":{page_tokens},"gaps":{}"#, serde_json::Value::from(gaps));
        let lines: Vec<_> = missed.lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
        let _ = write!(tail, r#","incomplete":[{}]"#, lines.join(","));
        if missed.left_out > 0 {
            let _ = write!(tail, r#","incomplete_left_out":{}"#, missed.left_out);
        }
        let mut digest = Sha256::new();
        // Not the number of health checks: it rises all the time, and a client that waits does not wait for
        // that.
        digest.update(format!("{} {} {} {tail}", bounds.log, bounds.oldest, folded.is_some()));
        digest.update(page.records.packed());
        let digest = digest.finalize();
        let etag = format!("W/\"{}\"", hex::encode(digest.get(..12).unwrap_or_default()));
        let log = json!({ "id": bounds.log.to_string(), "oldest": bounds.oldest, "head": bounds.head });
        if let Some(folded) = folded {
            let _ = write!(tail, r#","folded":{folded}"#);
        }
        let _ = write!(tail, r#","log":{log}}}"#);
        Self { page, etag, next, tail }
    }

    /// The body: at once if it is small, else while it is sent.
    fn body(page: Page, tail: &str, log: &Arc<dyn EventLog>, asker: &Asker) -> Response {
        match page.lines {
            Some(lines) => [BEFORE.as_bytes(), &lines.join(&b","[..]), tail.as_bytes()].concat().into_response(),
            None => {
                let (before, after) = (Bytes::from_static(BEFORE.as_bytes()), Bytes::copy_from_slice(tail.as_bytes()));
                Lines { before, records: page.records, bytes: page.bytes, after }.into_response(log, asker)
            }
        }
    }

    fn into_response(self, log: &Arc<dyn EventLog>, asker: &Asker, params: &Params, unchanged: bool, waited: Option<u64>) -> Response {
        let mut response = if unchanged { String::new().into_response() } else { Self::body(self.page, &self.tail, log, asker) };
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
            // Relative: a proxy may have put a prefix before our paths.
            set(header::LINK, format!("<events?{}>; rel=\"next\"", params.for_page(&next.to_string())));
        }
        if let Some(remark) = params.remark() {
            set(header::HeaderName::from_static("shipslog-remark"), remark);
        }
        if let Some(seconds) = waited {
            set(header::HeaderName::from_static("preference-applied"), format!("wait={seconds}"));
        }
        response
    }
}

/// One record.
pub(super) async fn one(context: Arc<Context>, id: String, asker: Asker) -> Result<Response, ApiError> {
    context.come_to(&id).await?;
    let log = context.log_for(&asker);
    let bounds = log.bounds();
    let not_found = || ApiError::new(StatusCode::NOT_FOUND, "there is no such record in this log");
    let cursor: Cursor = id.parse().map_err(ApiError::bad_request)?;
    if !log.owns(cursor) || cursor.seq > bounds.head || cursor.seq == 0 {
        return Err(not_found());
    }
    let chunk = log.read_after(cursor.seq - 1, &Scan { max_bytes: 1, ..Scan::default() }).await?;
    match chunk.pieces.into_iter().next() {
        Some(Piece::Block(block)) if block.sequences().contains(&cursor.seq) && log.may_tell_of(&block.source(cursor.seq)) => {
            let line = block.line(cursor.seq, true);
            let mut response = if line.len() <= CHUNK_BYTES {
                line.to_vec().into_response()
            } else {
                let mut records = Positions::default();
                records.push(cursor.seq);
                let after = Bytes::from_static(b"\n");
                Lines { before: Bytes::new(), records, bytes: line.len() - after.len(), after }.into_response(&log, &asker)
            };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_before_proxies_give_up() {
        for (fields, seconds) in [
            (&["wait=60"][..], Some(45)),
            (&["wait=45"], Some(45)),
            (&["respond-async, wait=7"], Some(7)),
            (&["return=minimal", "wait=9"], Some(9)),
            (&["wait=99999999999999999999"], Some(45)),
            (&["wait"], None),
            (&["wait=-1"], None),
            (&[], None),
        ] {
            let headers: HeaderMap =
                fields.iter().map(|field| (header::HeaderName::from_static("prefer"), HeaderValue::from_static(field))).collect();
            assert_eq!(prefer_wait(&headers), seconds, "{fields:?}");
        }
    }
}
