//! `GET /events`: history, then live, as the Docker Engine sends them.
//!
//! The hand-over is by sequence: what the log held when the request came is history, and chosen by time;
//! everything after it is live, whatever its time, as in Docker.

use super::legacy;
use super::query::EventsQuery;
use crate::cursor::Sequence;
use crate::event::{Event, begins_as_own};
use crate::filter::{Filter, Subject};
use crate::log::{EventLog, GapReason, LogError};
use crate::reader::{Reader, Selection, StartAt, Step, Want};
use crate::server::asker::Asker;
use crate::server::context::{Context, StreamGuard};
use crate::server::live::CACHING;
use crate::server::problem::ApiError;
use crate::shutdown::Shutdown;
use crate::time::Timestamp;
use bytes::Bytes;
use std::ops::RangeInclusive;
use std::sync::Arc;
use sync_wrapper::SyncStream;
use tokio::time::Instant;
use warp::http::{HeaderValue, Method, header};
use warp::reply::{Reply, Response};

/// What a client that lags is sent at once, about.
const CHUNK_BYTES: usize = 64 * 1024;

/// Answers with a stream of lines. No signs of life are sent: docker-py takes an empty line for an error, and
/// bollard holds an event back until more bytes come. TCP keeps the connection alive. `before_image_create`:
/// the client's version of the API knows no `image create`.
pub(super) async fn events(
    context: Arc<Context>,
    query: &str,
    method: &Method,
    asker: Asker,
    before_image_create: bool,
) -> Result<Response, ApiError> {
    let query = EventsQuery::parse(query)?;
    let mut response = if method == Method::HEAD {
        "".into_response()
    } else {
        let counted = context.enter_stream()?;
        let source = Source::open(&context, &asker, query).await?;
        let state =
            Stream { source, before_image_create, asker, shutdown: context.shutdown.clone(), left: None, ended: false, _counted: counted };
        let lines = futures_util::stream::unfold(state, |mut state| async move {
            let chunk = state.next().await?;
            Some((chunk, state))
        });
        warp::reply::stream(SyncStream::new(Box::pin(lines))).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHING));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The records that a request asks for, in order of arrival.
struct Source {
    log: Arc<dyn EventLog>,
    filter: Arc<Filter>,
    /// What is left of history.
    past: Option<Reader>,
    live: Live,
    /// Whether gaps are told.
    recorder: bool,
}

/// What follows history.
enum Live {
    Nothing,
    Ever(Reader),
    Until(Reader, Instant),
    /// The time is over: what had come by then, up to this sequence.
    Rest(Reader, Sequence),
}

/// What a source gave.
enum Given {
    Records(Selection),
    Gap(RangeInclusive<Sequence>, GapReason),
    /// Nothing for now; there is more to look at.
    Nothing,
    /// Nothing more until [`Source::wait`] comes back.
    AtHead,
    End,
}

impl Source {
    async fn open(context: &Context, asker: &Asker, query: EventsQuery) -> Result<Self, LogError> {
        let (log, now) = (context.log_for(asker), Timestamp::now());
        let head = log.bounds().head;
        let time = query.past();
        let EventsQuery { since, until, filter, recorder } = query;
        let filter = context.filters.shared(filter);
        let past = match time {
            Some(time) => {
                let start = since.map_or(StartAt::Oldest, StartAt::Time).resolve(&*log).await?;
                let want = Want { filter: Arc::clone(&filter), time, until: head };
                Some(Reader::new(Arc::clone(&log), start.after, want))
            }
            None => None,
        };
        let reader = Reader::new(Arc::clone(&log), head, Want { filter: Arc::clone(&filter), ..Want::default() });
        let live = match until {
            None => Live::Ever(reader),
            Some(until) if until < now => Live::Nothing,
            Some(until) => Live::Until(reader, Instant::now() + until.since(now)),
        };
        Ok(Self { log, filter, past, live, recorder })
    }

    /// One step, without waiting for the head to move.
    async fn ready(&mut self) -> Result<Given, LogError> {
        if let Some(past) = &mut self.past {
            match past.next().await? {
                Some(step) => return Ok(step.into()),
                None => self.past = None,
            }
        }
        if let Live::Until(_, end) = &self.live
            && Instant::now() >= *end
            && let Live::Until(reader, _) = std::mem::replace(&mut self.live, Live::Nothing)
        {
            self.live = Live::Rest(reader, self.log.bounds().head);
        }
        let (reader, last) = match &mut self.live {
            Live::Nothing => return Ok(Given::End),
            Live::Ever(reader) | Live::Until(reader, _) => (reader, Sequence::MAX),
            Live::Rest(reader, last) => (reader, *last),
        };
        if reader.position() >= last {
            return Ok(Given::End);
        }
        Ok(reader.next().await?.map_or(Given::AtHead, Given::from))
    }

    /// Whether history has been given, and the present is.
    fn is_live(&self) -> bool {
        self.past.is_none() && !matches!(self.live, Live::Nothing)
    }

    /// What was read ahead is read again when it is wanted.
    fn let_go(&mut self) {
        if let Some(past) = &mut self.past {
            past.let_go();
        }
        match &mut self.live {
            Live::Ever(reader) | Live::Until(reader, _) | Live::Rest(reader, _) => reader.let_go(),
            Live::Nothing => {}
        }
    }

    /// Waits for more, or for the end. Nothing is lost when the wait is dropped.
    async fn wait(&mut self) {
        match &mut self.live {
            Live::Ever(reader) => {
                if !reader.wait().await {
                    self.live = Live::Nothing;
                }
            }
            Live::Until(reader, end) => {
                let end = *end;
                tokio::select! {
                    moved = reader.wait() => if !moved { self.live = Live::Nothing },
                    () = tokio::time::sleep_until(end) => {}
                }
            }
            Live::Nothing | Live::Rest(..) => self.live = Live::Nothing,
        }
    }

    /// A gap in the shape of the recorder's own records, for those who want them.
    fn gap(&self, range: &RangeInclusive<Sequence>, reason: GapReason) -> Option<Event> {
        if !self.recorder {
            return None;
        }
        let log = self.log.bounds().log;
        let reason = serde_json::to_value(reason).unwrap_or_default();
        let (first, last) = (log.cursor(*range.start()).to_string(), log.cursor(*range.end()).to_string());
        let attributes = [("reason", reason.as_str().unwrap_or("unknown")), ("first", &first), ("last", &last)];
        let event = Event::recorder("gap", &log.to_string(), &attributes, Timestamp::now());
        self.filter.matches(&Subject { source: "", noise: None, foreign: false, event: &event.view() }).then_some(event)
    }
}

impl From<Step> for Given {
    fn from(step: Step) -> Self {
        match step {
            Step::Records(selection) => Self::Records(selection),
            Step::Gap(range, reason) => Self::Gap(range, reason),
            Step::Nothing => Self::Nothing,
        }
    }
}

/// Why a stream was broken off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the log cannot be read: {0}")]
    Log(#[from] LogError),
    #[error("the token is no longer one of ours")]
    Revoked,
    #[error("the server stops")]
    Stopping,
}

struct Stream {
    source: Source,
    before_image_create: bool,
    asker: Asker,
    shutdown: Shutdown,
    /// Records that did not fit the last chunk.
    left: Option<Selection>,
    ended: bool,
    _counted: StreamGuard,
}

impl Stream {
    /// The next lines; `None` at the end. An error breaks the connection off, so that nobody takes what came
    /// before for everything.
    async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        if self.ended {
            return None;
        }
        let asker = self.asker.clone();
        let shutdown = self.shutdown.clone();
        let stopped = tokio::select! {
            biased;
            () = asker.revoked() => Broken::Revoked,
            () = shutdown.stopping() => Broken::Stopping,
            chunk = self.chunk() => {
                self.source.let_go();
                self.ended = !matches!(chunk, Some(Ok(_)));
                return chunk.map(|chunk| chunk.map_err(Broken::from));
            }
        };
        self.ended = true;
        // A client that has all of history is left as by an Engine that stops.
        if self.left.is_none() && self.source.is_live() { None } else { Some(Err(stopped)) }
    }

    /// Waits for lines, and gathers what there is, up to about [`CHUNK_BYTES`].
    async fn chunk(&mut self) -> Option<Result<Bytes, LogError>> {
        let mut out = Vec::new();
        loop {
            if let Some(selection) = self.left.take() {
                self.left = push(&mut out, selection, self.source.recorder, self.before_image_create);
            }
            if out.len() >= CHUNK_BYTES {
                return Some(Ok(out.into()));
            }
            match self.source.ready().await {
                Ok(Given::Records(selection)) => self.left = Some(selection),
                Ok(Given::Gap(range, reason)) => {
                    if let Some(event) = self.source.gap(&range, reason) {
                        legacy::push_line(&mut out, event.as_json());
                    }
                }
                // What there is goes out before a wait, and before a long look for more.
                Ok(Given::Nothing | Given::AtHead | Given::End) if !out.is_empty() => return Some(Ok(out.into())),
                Ok(Given::Nothing) => {}
                Ok(Given::AtHead) => self.source.wait().await,
                Ok(Given::End) => return None,
                Err(e) if out.is_empty() => {
                    tracing::error!(error = %e, "a stream of Docker events is broken off because the log cannot be read");
                    return Some(Err(e));
                }
                // Asked again, it fails again.
                Err(_) => return Some(Ok(out.into())),
            }
        }
    }
}

/// Appends lines until there are [`CHUNK_BYTES`], and gives back those that are left. The recorder's own go
/// out if `recorder` says so.
fn push(out: &mut Vec<u8>, mut selection: Selection, recorder: bool, before_image_create: bool) -> Option<Selection> {
    let mut through = None;
    for seq in selection.sequences() {
        let json = selection.block.json(seq);
        let is_own = || begins_as_own(json) && selection.block.record(seq).is_some_and(|record| record.event.is_own());
        if !recorder && is_own() || before_image_create && legacy::is_image_create(json) {
            continue;
        }
        legacy::push_line(out, json);
        if out.len() >= CHUNK_BYTES {
            through = Some(seq);
            break;
        }
    }
    let _pushed = selection.take_through(through?);
    (!selection.runs.is_empty()).then_some(selection)
}
