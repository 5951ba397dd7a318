//! `GET /api/v1/stream?view=incidents`: each revision of each incident, as Server-Sent Events.

use super::control::Control;
use super::feed::{CHECKPOINT_EVERY, KEEP_ALIVE};
use super::query::{OF_RECORDS, PARAMS, start};
use super::sse::{CHUNK_BYTES, KEEP_ALIVE_FRAME, RETRY_MS, SHUTDOWN_RETRY_MS, answer, ended};
use crate::cursor::LogId;
use crate::log::{EventLog, GapReason, LogError};
use crate::projection::incidents::{Severity, VERSION};
use crate::projection::{Change, Follower, Known, Place, Portion};
use crate::reader::{Reset, ResetReason, StartAt};
use crate::server::asker::Asker;
use crate::server::coming::LAGGING;
use crate::server::context::{Context, StreamGuard};
use crate::server::incidents::named;
use crate::server::params::Params;
use crate::server::problem::ApiError;
use crate::shutdown::Shutdown;
use bytes::Bytes;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::time::Instant;
use warp::http::HeaderMap;
use warp::reply::Response;

/// Answers with a stream, also to cursors that cannot be used, as the stream of records does.
pub(super) async fn stream(context: Arc<Context>, query: &str, headers: &HeaderMap, asker: Asker) -> Result<Response, ApiError> {
    let params = Params::parse(query, &PARAMS)?;
    if let Some(name) = OF_RECORDS.into_iter().find(|name| params.get(name).is_some()) {
        return Err(ApiError::bad_request(format!("{name} does not go with view=incidents, which takes since and severity")));
    }
    let severity = named(&params, "severity")?.unwrap_or(Severity::Notice);
    let start = start(&params, headers)?;
    if let StartAt::After(text) = &start
        && context.come_to(Place::parts(text).map_or(text, |(cursor, _)| cursor)).await.is_err()
    {
        return Ok(ended(LAGGING));
    }
    let log = context.log_for(&asker);
    let counted = context.enter_stream()?;
    let (known, shutdown) = (context.known(), context.shutdown.clone());
    // Before the place is looked up: what follows it is kept from then on.
    let followed = known.followed();
    let (after, reset) = resolved(start, &log).await?;
    let bounds = log.bounds();
    let mut waiting = String::new();
    let why = reset.as_ref().map(|reset| reset.reason);
    let hello = Control::Hello { oldest: bounds.oldest, head: bounds.head, after: after.seq, reset: why, hosts: log.hosts().cloned() };
    // In the block of `hello`, as in the stream of records.
    let hello = hello.frame_with(bounds.log, after.id(bounds.log), Some(("fold", VERSION.into())));
    let _ = write!(waiting, "retry: {RETRY_MS}\n{hello}");
    if let Some(reset) = reset {
        waiting += &Control::Reset { reset, oldest: bounds.oldest, head: bounds.head, after: after.seq }.to_sse(bounds.log);
    }
    let id = bounds.log;
    let state = Revisions {
        known,
        log,
        id,
        asker,
        shutdown,
        severity,
        waiting,
        changes: VecDeque::new(),
        after,
        told: after,
        retold: None,
        caught_up: None,
        idle: false,
        ended: false,
        spoke: Instant::now(),
        _counted: (counted, followed),
    };
    let frames = futures_util::stream::unfold(state, |mut state| async move {
        let chunk = state.next().await?;
        Some((Ok::<_, Infallible>(chunk), state))
    });
    Ok(answer(frames))
}

/// Where it starts, and why not where the client wanted.
async fn resolved(start: StartAt, log: &Arc<dyn EventLog>) -> Result<(Place, Option<Reset>), LogError> {
    let (start, nth) = match start {
        StartAt::After(text) => match Place::parts(&text) {
            Some((cursor, nth)) => (StartAt::After(cursor.to_owned()), nth),
            // Told as what it is: no cursor.
            None => (StartAt::After(text), None),
        },
        start => (start, None),
    };
    let start = start.resolve(&**log).await?;
    let place = match (&start.reset, nth) {
        (None, Some(nth)) => Place::within(start.after, nth),
        _ => Place::after(start.after),
    };
    let malformed = |reset: Reset| match (reset.reason, nth) {
        (ResetReason::Malformed, Some(nth)) => Reset { requested: format!("{}.{nth}", reset.requested), ..reset },
        _ => reset,
    };
    Ok((place, start.reset.map(malformed)))
}

/// A client's place among revisions. Nothing is lost when what it does is dropped while it waits.
struct Revisions {
    known: Arc<Known>,
    log: Arc<dyn EventLog>,
    id: LogId,
    asker: Asker,
    shutdown: Shutdown,
    /// At least so bad.
    severity: Severity,
    /// Frames that are to be sent before anything else.
    waiting: String,
    /// What follows, as far as it has been looked for.
    changes: VecDeque<(Place, Change)>,
    /// Everything up to here has been sent or is in `changes`.
    after: Place,
    /// What the client can resume with.
    told: Place,
    retold: Option<u64>,
    /// It has come to the head as that was, and whether that has been said.
    caught_up: Option<bool>,
    /// Nothing followed when it was looked at last.
    idle: bool,
    ended: bool,
    spoke: Instant,
    _counted: (StreamGuard, Follower),
}

impl Revisions {
    /// The next bytes. What there is goes out before anything else is looked for.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.ended {
            let frames = self.frames();
            if !frames.is_empty() {
                self.spoke = Instant::now();
                return Some(frames.into());
            }
            let asker = self.asker.clone();
            let shutdown = self.shutdown.clone();
            let looked = tokio::select! {
                biased;
                // A client that may no longer ask is told nothing more; its next request is refused.
                () = asker.revoked() => return self.end(),
                () = shutdown.stopping() => {
                    self.ended = true;
                    let retry_ms = rand::random_range(SHUTDOWN_RETRY_MS);
                    let closing = Control::Closing { seq: self.told.seq, retry_ms };
                    return Some(format!("retry: {retry_ms}\n{}", closing.frame(self.id, self.told.id(self.id))).into());
                }
                looked = self.look() => looked,
            };
            match looked {
                Ok(Some(portion)) => self.take(portion),
                Ok(None) => {
                    self.spoke = Instant::now();
                    if self.after == self.told {
                        return Some(Bytes::from_static(KEEP_ALIVE_FRAME));
                    }
                    self.told = self.after;
                    return Some(Control::Checkpoint { seq: self.after.seq }.frame(self.id, self.after.id(self.id)).into());
                }
                Err(error) => {
                    tracing::error!(%error, "a stream of incidents ends because the log cannot be read");
                    return self.end();
                }
            }
        }
        None
    }

    fn end(&mut self) -> Option<Bytes> {
        self.ended = true;
        None
    }

    /// What follows, or `None` after a time of silence.
    async fn look(&self) -> Result<Option<Portion>, LogError> {
        let silence = if self.after == self.told { KEEP_ALIVE } else { CHECKPOINT_EVERY };
        let looking = async {
            if self.idle {
                self.known.more_than(self.after, self.retold).await;
            }
            self.known.revisions(&self.log, self.after).await.map(Some)
        };
        tokio::time::timeout_at(self.spoke + silence, looking).await.unwrap_or(Ok(None))
    }

    fn take(&mut self, portion: Portion) {
        let bounds = self.log.bounds();
        if self.retold.is_some_and(|retold| retold != portion.retold) {
            // What goes on may be told under another id now. The place is the client's own: what it lacks
            // lies after it.
            let gap = Control::Gap { from: 1, to: bounds.oldest.saturating_sub(1), reason: GapReason::Retention };
            self.waiting += &gap.frame(self.id, self.told.id(self.id));
        }
        self.retold = Some(portion.retold);
        let severity = self.severity;
        let wanted = portion.changes.into_iter().filter(|(_, change)| !matches!(change, Change::Revision(_, of) if *of < severity));
        self.changes.extend(wanted);
        self.idle = self.after == portion.reached;
        self.after = portion.reached;
        if self.caught_up.is_none() && self.after >= Place::after(bounds.head) {
            self.caught_up = Some(false);
        }
    }

    /// Frames of what there is, about [`CHUNK_BYTES`].
    fn frames(&mut self) -> String {
        let mut frames = std::mem::take(&mut self.waiting);
        while frames.len() < CHUNK_BYTES
            && let Some((place, change)) = self.changes.pop_front()
        {
            self.told = place;
            let id = place.id(self.id);
            let _ = match change {
                Change::Revision(json, _) => write!(frames, "id: {id}\ndata: {json}\n\n"),
                Change::Gap(range, reason) => {
                    let gap = Control::Gap { from: *range.start(), to: *range.end(), reason };
                    write!(frames, "{}", gap.frame(self.id, id))
                }
            };
        }
        if self.changes.is_empty() && self.caught_up == Some(false) {
            self.caught_up = Some(true);
            self.told = self.after;
            frames += &Control::CaughtUp { head: self.after.seq }.frame(self.id, self.after.id(self.id));
        }
        frames
    }
}
