//! What a client of a stream asks for.

use crate::cursor::Sequence;
use crate::filter::Hosts;
use crate::log::{EventLog, LogError};
use crate::projection::{Asked, Loss};
use crate::reader::{Reader, StartAt, Step, Want, check_cursor};
use crate::server::context::Context;
use crate::server::live::filters::Filters;
use crate::server::missed::Missed;
use crate::server::params::{FOLD, Params};
use crate::server::problem::ApiError;
use crate::time::Timestamp;
use std::sync::Arc;
use warp::http::HeaderMap;

pub(super) const PARAMS: [&str; 10] =
    ["view", "last_event_id", "lastEventId", "since", "until", "speed", "filters", "exclude", FOLD, "severity"];
/// What goes with records only.
pub(super) const OF_RECORDS: [&str; 5] = ["until", "speed", "filters", "exclude", FOLD];
/// How many times faster than it was recorded an incident may be replayed.
const SPEEDS: std::ops::RangeInclusive<f64> = 1.0..=1000.0;

/// A request for a stream.
#[derive(Debug)]
pub(super) struct StreamQuery {
    pub(super) start: StartAt,
    /// The time from which on it was asked for, also where a cursor says more.
    pub(super) since: Option<Timestamp>,
    pub(super) want: Want,
    /// Ends the stream; `want` holds it too.
    pub(super) until: Option<Timestamp>,
    /// Of a paced replay.
    pub(super) speed: Option<f64>,
}

impl StreamQuery {
    /// `hosts`: those of which the asker may be told. The reader sees to that as well; here it is in the
    /// filter by which those who ask the same share what is sent.
    pub(super) fn parse(query: &str, headers: &HeaderMap, filters: &Filters, hosts: Option<&Hosts>) -> Result<Self, ApiError> {
        let params = Params::parse(query, &PARAMS)?;
        if params.get("severity").is_some() {
            return Err(ApiError::bad_request("severity goes with view=incidents only"));
        }
        let start = start(&params, headers)?;
        let speed = speed(&params)?;
        let until = params.time("until")?;
        if speed.is_some() && start == StartAt::Now && params.get("since").is_none() {
            let why =
                "speed replays the past and needs a start: add since= a time or oldest, or a cursor as Last-Event-ID or last_event_id=";
            return Err(ApiError::bad_request(why));
        }
        if let (StartAt::Time(since), Some(until)) = (&start, until)
            && *since > until
        {
            return Err(ApiError::bad_request(format!("since ({since}) lies after until ({until})")));
        }
        // No lower bound: `since` names a place to begin at, and for one who resumes it lies in the past.
        let time = Timestamp::MIN..=until.unwrap_or(Timestamp::MAX);
        let filter = filters.shared(params.folded_filter()?.telling_losses().within_any(hosts));
        let want = Want { filter, time, ..Want::default() };
        let since = since(&params)?;
        Ok(Self { start, since, want, until, speed })
    }

    /// Whether everything that the fan-out sends is wanted, at the moment it comes.
    pub(super) fn is_live(&self) -> bool {
        self.until.is_none() && self.speed.is_none()
    }

    /// Whether this is a client that has had everything up to `until`. Told with 204, an `EventSource` does
    /// not come back (WHATWG HTML, 9.2.3).
    pub(super) async fn is_done(&self, log: &Arc<dyn EventLog>) -> Result<bool, LogError> {
        let past = self.until.is_some_and(|until| until < Timestamp::now());
        match self.position(&**log).filter(|_| past) {
            Some(after) => nothing_follows(log, after, &self.want).await,
            None => Ok(false),
        }
    }

    /// Where a client that comes back stands.
    fn position(&self, log: &dyn EventLog) -> Option<Sequence> {
        let StartAt::After(cursor) = &self.start else { return None };
        check_cursor(cursor, log).ok()
    }
}

/// The losses that meet what a stream reads and whose records it does not come to: they lie before its start,
/// or are of a time after its end.
///
/// `after`: where it starts. A client that resumes has been told, unless it resumes where it began.
pub(super) async fn elsewhere(
    context: &Context,
    log: &Arc<dyn EventLog>,
    start: &StartAt,
    since: Option<Timestamp>,
    want: &Want,
    after: Sequence,
) -> Result<Missed, LogError> {
    let (filter, until) = (&want.filter, *want.time.end());
    let Some(since) = since.filter(|_| filter.tells_losses() || until < Timestamp::MAX) else { return Ok(Missed::default()) };
    let began = match since {
        Timestamp::MIN => StartAt::Oldest,
        since => StartAt::Time(since),
    };
    if matches!(start, StartAt::After(_)) && began.resolve(&**log).await?.after != after {
        return Ok(Missed::default());
    }
    let lies_elsewhere = |told: Timestamp, seq| seq <= after || !want.time.contains(&told);
    let wanted = |loss: &Loss| filter.wants_source(&loss.source) && lies_elsewhere(loss.told, loss.seq);
    context.missed(log, &Asked::at(since..=until), wanted).await
}

/// Whether a stream would have nothing to send: no record and no gap.
async fn nothing_follows(log: &Arc<dyn EventLog>, after: Sequence, want: &Want) -> Result<bool, LogError> {
    let mut reader = Reader::new(Arc::clone(log), after, want.clone());
    loop {
        match reader.next().await? {
            Some(Step::Nothing) => {}
            Some(Step::Records(_) | Step::Gap(..)) => return Ok(false),
            None => return Ok(true),
        }
    }
}

fn since(params: &Params) -> Result<Option<Timestamp>, ApiError> {
    match params.get("since") {
        Some("oldest") => Ok(Some(Timestamp::MIN)),
        Some("now") | None => Ok(None),
        Some(_) => params.time("since"),
    }
}

fn speed(params: &Params) -> Result<Option<f64>, ApiError> {
    let Some(text) = params.get("speed") else { return Ok(None) };
    match text.parse() {
        Ok(speed) if SPEEDS.contains(&speed) => Ok(Some(speed)),
        _ => {
            let text: String = text.chars().take(64).collect();
            Err(ApiError::bad_request(format!("speed must be a number from {} to {}, not {text:?}", SPEEDS.start(), SPEEDS.end())))
        }
    }
}

/// Whether revisions of incidents are asked for instead of records.
pub(super) fn wants_incidents(query: &str) -> Result<bool, ApiError> {
    match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "view") {
        None => Ok(false),
        Some((_, view)) if view.is_empty() || view == "records" => Ok(false),
        Some((_, view)) if view == "incidents" => Ok(true),
        Some((_, view)) => {
            let view: String = view.chars().take(64).collect();
            Err(ApiError::bad_request(format!("view must be records or incidents, not {view:?}")))
        }
    }
}

/// The start position: header, then parameters (docs/api.md, "Live stream"). An empty header is none: some
/// clients send one before the first id. A header that is not text names no record, which the reset will say.
pub(super) fn start(params: &Params, headers: &HeaderMap) -> Result<StartAt, ApiError> {
    let header = headers.get("last-event-id").map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let cursor = header.filter(|text| !text.is_empty());
    let cursor = cursor.or_else(|| params.get("last_event_id").or(params.get("lastEventId")).map(str::to_owned));
    match (cursor, params.get("since")) {
        (Some(cursor), _) => Ok(StartAt::After(cursor)),
        (None, Some("oldest")) => Ok(StartAt::Oldest),
        (None, None | Some("now")) => Ok(StartAt::Now),
        (None, Some(_)) => Ok(params.time("since")?.map_or(StartAt::Now, StartAt::Time)),
    }
}
