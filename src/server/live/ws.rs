//! `GET /api/v1/ws`: the same stream over WebSocket.

use super::control::Control;
use super::feed::{Feed, Item, KEEP_ALIVE};
use super::query::elsewhere;
use crate::filter::Filter;
use crate::log::LogError;
use crate::reader::{Part, StartAt, Want};
use crate::server::asker::Asker;
use crate::server::coming::LAGGING;
use crate::server::context::Context;
use crate::server::net::Permit;
use crate::server::params::{FOLD, NOISE, folded};
use crate::time::{self, TimeParser, Timestamp};
use futures_util::SinkExt;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_stream::StreamExt;
use warp::ws::{Message, WebSocket, Ws};

/// A client has this long to say what it wants.
const FIRST_MESSAGE: Duration = Duration::from_secs(10);
/// A write that makes no progress for this long ends the connection; the client resumes by cursor.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Nothing heard, not even the answer to a ping, for this long: the peer is gone.
const DEAD_AFTER: Duration = Duration::from_secs(45);
/// Largest message a client may send: a filter and a cursor.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;
/// Violation of what the server expects (RFC 6455, 7.4.1).
const POLICY_VIOLATION: u16 = 1008;
/// The server has no place just now (IANA's registry of close codes).
const TRY_AGAIN_LATER: u16 = 1013;
/// The server is going away (RFC 6455, 7.4.1).
const GOING_AWAY: u16 = 1001;
/// Reasons in close frames end at this many bytes (RFC 6455, 5.5: 125 less the code).
const MAX_REASON_BYTES: usize = 120;

/// Upgrades, and serves in a task of its own.
pub(in crate::server) fn upgrade(context: Arc<Context>, permit: Permit, asker: Asker, ws: Ws) -> warp::reply::Response {
    let ws = ws.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES);
    warp::reply::Reply::into_response(ws.on_upgrade(move |socket| async move {
        let _held = permit;
        tokio::select! {
            () = serve(&context, &asker, socket) => {}
            () = asker.revoked() => {}
        }
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    subscribe: Subscribe,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Subscribe {
    after: Option<String>,
    since: Option<String>,
    tz: Option<String>,
    filters: Option<serde_json::Value>,
    exclude: Option<serde_json::Value>,
    fold: Option<String>,
}

/// What a client asked for.
struct Chosen {
    start: StartAt,
    /// The time from which on, also where a cursor says more.
    since: Option<Timestamp>,
    filter: Filter,
}

/// Reads the first message: the bare text `start`, or a subscription.
fn parse(text: &str) -> Result<Chosen, String> {
    if text == "start" {
        return Ok(Chosen { start: StartAt::Now, since: None, filter: Filter::default() });
    }
    let request: Request = serde_json::from_str(text).map_err(|e| {
        format!(r#"the first message must be the text start or {{"subscribe":{{"after":cursor,"since":time,"filters":{{}}}}}}: {e}"#)
    })?;
    let Subscribe { after, since, tz, filters, exclude, fold } = request.subscribe;
    let json = |value: Option<serde_json::Value>| value.filter(|v| !v.is_null()).map(|v| v.to_string());
    let filter = Filter::from_params(json(filters).as_deref(), json(exclude).as_deref()).map_err(|e| e.to_string())?;
    let filter = match fold.as_deref() {
        None | Some("") => filter,
        Some(NOISE) => folded(filter),
        Some(_) => return Err(format!("{FOLD} must be {NOISE}")),
    };
    let zone = tz.as_deref().filter(|name| !name.is_empty()).map_or(Ok(time::Tz::UTC), time::zone).map_err(|e| format!("tz: {e}"))?;
    let clock = TimeParser { now: Timestamp::now(), zone };
    // As over SSE, an empty cursor is none.
    let (begin, since) = match since.as_deref() {
        Some("oldest") => (StartAt::Oldest, Some(Timestamp::MIN)),
        None | Some("now") => (StartAt::Now, None),
        Some(time) => {
            let time = clock.parse(time).map_err(|e| e.to_string())?.time;
            (StartAt::Time(time), Some(time))
        }
    };
    let start = after.filter(|cursor| !cursor.is_empty()).map_or(begin, StartAt::After);
    Ok(Chosen { start, since, filter })
}

async fn serve(context: &Context, asker: &Asker, mut socket: WebSocket) {
    let first = match timeout(FIRST_MESSAGE, first_text(&mut socket)).await {
        Ok(Some(text)) => parse(&text),
        Ok(None) => return,
        Err(_) => Err("no message came within 10 s: send start or a subscription".to_owned()),
    };
    let Chosen { start, since, filter } = match first {
        Ok(first) => first,
        Err(why) => return close(&mut socket, POLICY_VIOLATION, &why).await,
    };
    let want = Want { filter: context.filters.shared(filter.telling_losses().within_any(asker.hosts())), ..Want::default() };
    let Ok(_stream) = context.enter_stream() else {
        return close(&mut socket, TRY_AGAIN_LATER, "too many live streams (see --max-connections)").await;
    };
    if context.come_to_start(&start).await.is_err() {
        return close(&mut socket, TRY_AGAIN_LATER, LAGGING).await;
    }
    let log = context.log_for(asker);
    let open = async {
        let feed = Feed::open(Arc::clone(&log), start.clone(), want.clone(), context.shutdown.clone()).await?;
        let missed = elsewhere(context, &log, &start, since, &want, feed.position()).await?;
        Ok::<_, LogError>(feed.telling(missed))
    };
    match open.await {
        Ok(feed) => run(socket, feed).await,
        Err(e) => close(&mut socket, 1011, &e.to_string()).await,
    }
}

/// The first message that is not a ping or pong; an empty text stands for a binary one, which is none of
/// ours.
async fn first_text(socket: &mut WebSocket) -> Option<String> {
    loop {
        let message = socket.next().await?.ok()?;
        if message.is_text() || message.is_binary() {
            return Some(message.to_str().unwrap_or("").to_owned());
        }
        if message.is_close() {
            return None;
        }
    }
}

async fn run(mut socket: WebSocket, mut feed: Feed) {
    let log = feed.log;
    let mut pings = tokio::time::interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
    let mut heard = Instant::now();
    loop {
        // The wait for the next item outlives the client's messages: a read of the log that was begun is not
        // begun again.
        let item = {
            let next = feed.next();
            tokio::pin!(next);
            loop {
                tokio::select! {
                    item = next.as_mut() => break item,
                    message = socket.next() => match message {
                        Some(Ok(message)) if !message.is_close() => heard = Instant::now(),
                        _ => return,
                    },
                    _ = pings.tick() => {
                        let ping = timeout(WRITE_TIMEOUT, socket.send(Message::ping(Vec::new())));
                        if heard.elapsed() > DEAD_AFTER || !matches!(ping.await, Ok(Ok(()))) {
                            return;
                        }
                    }
                }
            }
        };
        feed.let_go();
        let Some(item) = item else {
            return close(&mut socket, GOING_AWAY, "the stream ends here; resume with your last id").await;
        };
        if !matches!(timeout(WRITE_TIMEOUT, send(&mut socket, item, log)).await, Ok(Ok(()))) {
            return;
        }
    }
}

async fn send(socket: &mut WebSocket, item: Item, log: crate::cursor::LogId) -> Result<(), warp::Error> {
    match item {
        Item::Control(control) => socket.feed(Message::text(control.to_message(log))).await?,
        Item::Records(selection) => {
            for part in selection.parts() {
                let run = match part {
                    Part::Records(run) => run,
                    Part::Loss(seq) => {
                        socket.feed(Message::text(Control::loss(&selection.block, seq).to_message(log))).await?;
                        continue;
                    }
                };
                for seq in run {
                    let line = selection.block.line(seq, false);
                    socket.feed(Message::text(String::from_utf8_lossy(&line))).await?;
                }
            }
        }
        // Pings have a clock of their own, since comments have no form here.
        Item::Quiet => return Ok(()),
    }
    socket.flush().await
}

async fn close(socket: &mut WebSocket, code: u16, reason: &str) {
    let end = (0..=MAX_REASON_BYTES.min(reason.len())).rev().find(|at| reason.is_char_boundary(*at)).unwrap_or(0);
    let reason = reason.get(..end).unwrap_or("").to_owned();
    let farewell = async {
        let _ = socket.send(Message::close_with(code, reason)).await;
        // The peer's own close frame, so that the reason arrives before the connection ends.
        while let Some(Ok(_)) = socket.next().await {}
    };
    let _ = timeout(Duration::from_secs(1), farewell).await;
}
