//! How the recorder is: `/healthz`, `/readyz`, `/api/v1/stats` and `/metrics`.

use super::asker::Asker;
use super::context::Context;
use super::fleet::{Fleet, FollowState, Followed};
use super::pages;
use crate::archive::Archived;
use crate::filter::Hosts;
use crate::forward::{ForwardState, Forwarded};
use crate::ingest::{SourceState, SourceStatus, StatusHandle};
use crate::log::WriterState;
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};

/// How long `/metrics` may read the log; Prometheus gives up after 10 s.
const MAX_READING: Duration = Duration::from_secs(3);
/// Characters of a daemon's text that are shown.
const MAX_TEXT_CHARS: usize = 1000;

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = body.into_response();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The state of each Docker host of which the asker may be told.
fn sources(context: &Context, asker: &Asker) -> Vec<SourceStatus> {
    let shown = |status: SourceStatus| SourceStatus {
        name: shown(&status.name),
        endpoint: shown(&status.endpoint),
        error: status.error.as_deref().map(shown),
        hint: status.hint.as_deref().map(shown),
        engine: status.engine.as_deref().map(shown),
        ..status
    };
    let all = context.recording.sources.iter().map(StatusHandle::get);
    all.filter(|status| asker.may_be_told_of(&status.name)).map(shown).collect()
}

/// A text as it is shown: what a daemon calls itself or answers may be of any length, and hold what a
/// terminal would act on.
fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let mut out: String = chars.by_ref().take(MAX_TEXT_CHARS).map(|c| if acts(c) { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

/// Whether a terminal acts on a character, or lets it disguise others: control characters (C1 as well) and
/// those that turn the direction.
fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether the asker may be told what concerns all Docker hosts together.
fn is_told_all(asker: &Asker) -> bool {
    asker.hosts().is_none()
}

/// How a fleet is followed; what is wrong with it may name any host.
fn followed(context: &Context, asker: &Asker) -> Option<Followed> {
    let followed = context.recording.fleet.as_ref().map(Fleet::followed);
    if is_told_all(asker) { followed } else { followed.map(Followed::narrowed) }
}

/// How forwarding is; it makes nobody unready, since recording does not depend on it.
fn forwarding(context: &Context, asker: &Asker) -> Option<Forwarded> {
    if !is_told_all(asker) {
        return None;
    }
    let forwarded = context.recording.forward.as_ref()?.get(context.log.bounds().head, Timestamp::now());
    Some(Forwarded { error: forwarded.error.as_deref().map(shown), ..forwarded })
}

/// How archiving is; it makes nobody unready, since nothing that is served depends on it.
fn archived(context: &Context, asker: &Asker) -> Option<Archived> {
    if !is_told_all(asker) {
        return None;
    }
    let archived = context.recording.fleet.as_ref()?.archive()?;
    Some(Archived { warning: archived.warning.as_deref().map(shown), ..archived })
}

/// The process answers.
pub(super) fn healthz() -> Response {
    respond(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned())
}

/// Ready when the writer takes records and at least one Docker host is connected, or the hub of a fleet is
/// followed without a lag; otherwise 503, what is wrong and what to do.
pub(super) fn readyz(context: &Arc<Context>, asker: &Asker) -> Response {
    let connected = |source: &StatusHandle| source.get().state == SourceState::Connected;
    let any_connected = context.recording.sources.iter().any(connected);
    let sources = sources(context, asker);
    let writer = context.log.watch_writer();
    // The sender lives in the writer: if it is gone, so is the writer.
    let stopped = writer.has_changed().is_err() && !context.shutdown.is_stopping();
    let followed = followed(context, asker);
    let lags = followed.as_ref().is_some_and(|followed| followed.error.is_some());
    let (state, error) = match &*writer.borrow() {
        WriterState::ReadOnly => ("read-only", None),
        WriterState::Full(why) => ("full", Some(why.clone())),
        WriterState::Poisoned(why) => ("poisoned", Some(why.clone())),
        WriterState::Ok if stopped => ("stopped", Some("the writer has ended unexpectedly".to_owned())),
        WriterState::Ok => ("ok", None),
    };
    let has_source = state == "read-only" || followed.is_some() || any_connected;
    let ready = error.is_none() && !lags && has_source;
    let hint = error.as_ref().map(|_| match state {
        "full" => "recording pauses: make room on the disk, or keep less with --retain-bytes; it continues by itself",
        _ => "recording has stopped: check the disk, then restart shipslog; what was recorded can still be read",
    });
    let sources: Vec<Value> = sources
        .iter()
        .map(|s| json!({ "name": s.name, "endpoint": s.endpoint, "state": s.state, "error": s.error, "hint": s.hint }))
        .collect();
    let body = json!({ "ready": ready, "sources": sources, "writer": { "state": state, "error": error, "hint": hint }, "forward": forwarding(context, asker), "fleet": followed, "archive": archived(context, asker), "derived": context.known.progress(), "page": pages::HASH });
    respond(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, "application/json", body.to_string())
}

/// Figures for people and scripts.
pub(super) fn stats(context: &Arc<Context>, asker: &Asker) -> Response {
    let bounds = context.log.bounds();
    let recorder = &context.recording.recorder;
    let ingest = is_told_all(asker).then(|| {
        json!({
            "received": recorder.received.load(Relaxed), "stored": recorder.stored.load(Relaxed),
            "duplicates": recorder.duplicates.load(Relaxed), "malformed": recorder.malformed.load(Relaxed),
            "redacted": recorder.redacted.load(Relaxed), "dropped_noise": recorder.dropped_noise.load(Relaxed),
            "lost": recorder.lost.load(Relaxed) + recorder.overflowed(), "queued": recorder.queued(),
        })
    });
    let body = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": context.started.elapsed().as_secs(),
        "log": {
            "id": bounds.log.to_string(), "oldest": bounds.oldest, "head": bounds.head,
            "records": (bounds.head + 1).saturating_sub(bounds.oldest), "bytes": context.log.disk_bytes(),
        },
        "sources": sources(context, asker),
        "hosts": asker.hosts().map(Hosts::names),
        "derived": context.known.progress(),
        "links": context.links,
        "forward": forwarding(context, asker),
        "fleet": followed(context, asker),
        "archive": archived(context, asker),
        "ingest": ingest,
        "server": { "connections": context.connections.get(), "streams": context.streams.get(), "requests": context.requests.load(Relaxed) },
    });
    respond(StatusCode::OK, "application/json", body.to_string())
}

/// Prometheus text exposition, format 0.0.4.
///
/// What the log has to be read for is left out where it takes long (a first look at a large log on a slow
/// disk); the next answer continues from there.
pub(super) async fn metrics(context: Arc<Context>, asker: Asker) -> Response {
    let context = &context;
    let mut out = String::with_capacity(4096);
    let bounds = context.log.bounds();
    let recorder = &context.recording.recorder;
    let mut metric = |name: &str, kind: &str, help: &str, value: u64| {
        let _ = writeln!(out, "# HELP shipslog_{name} {help}\n# TYPE shipslog_{name} {kind}\nshipslog_{name} {value}");
    };
    metric("log_head_sequence", "gauge", "Sequence of the newest record.", bounds.head);
    metric("log_oldest_sequence", "gauge", "Sequence of the oldest record kept.", bounds.oldest);
    metric("log_bytes", "gauge", "Bytes of the log on disk.", context.log.disk_bytes());
    metric(
        "log_writable",
        "gauge",
        "1 while the log takes records, 0 after a failed write.",
        u64::from(*context.log.watch_writer().borrow() == WriterState::Ok),
    );
    metric("events_received_total", "counter", "Events read from Docker, repeated ones included.", recorder.received.load(Relaxed));
    metric("records_stored_total", "counter", "Records stored durably.", recorder.stored.load(Relaxed));
    metric("events_duplicate_total", "counter", "Events that were stored already.", recorder.duplicates.load(Relaxed));
    metric("lines_malformed_total", "counter", "Lines that were no events.", recorder.malformed.load(Relaxed));
    metric("values_redacted_total", "counter", "Values that held a secret and were replaced.", recorder.redacted.load(Relaxed));
    metric("events_dropped_as_noise_total", "counter", "Events that were noise and not stored.", recorder.dropped_noise.load(Relaxed));
    metric(
        "events_lost_total",
        "counter",
        "Events that could not be queued or stored.",
        recorder.lost.load(Relaxed) + recorder.overflowed(),
    );
    metric("ingest_queue_inputs", "gauge", "Inputs waiting for the writer.", recorder.queued());
    metric("http_connections", "gauge", "Open connections.", context.connections.get());
    metric("streams", "gauge", "Open live streams.", context.streams.get());
    metric("http_requests_total", "counter", "Requests.", context.requests.load(Relaxed));
    if let Some(access) = &context.admission.access {
        let (wrong, slowed) = (access.failures.wrong.load(Relaxed), access.failures.slowed.load(Relaxed));
        metric("auth_failures_total", "counter", "Requests and logins with a wrong token.", wrong);
        metric("auth_slowed_total", "counter", "Those of them that were answered with 429.", slowed);
    }
    metric("uptime_seconds", "gauge", "Seconds since start.", context.started.elapsed().as_secs());
    let _ = writeln!(out, "# HELP shipslog_source_connected 1 while the Docker host is connected.\n# TYPE shipslog_source_connected gauge");
    for source in sources(context, &asker) {
        let _ = writeln!(
            out,
            "shipslog_source_connected{{source=\"{}\"}} {}",
            label(&source.name),
            u64::from(source.state == SourceState::Connected)
        );
    }
    if let Some(forwarded) = forwarding(context, &asker) {
        forward_metrics(&mut out, &forwarded);
    }
    if let Some(fleet) = &context.recording.fleet {
        fleet_metrics(&mut out, &fleet.followed());
    }
    if let Some(archived) = archived(context, &asker) {
        super::archive::metrics(&mut out, &archived);
    }
    by_source(&mut out, context, &asker).await;
    let log = context.log_for(&asker);
    let as_of = timeout_at(Instant::now() + MAX_READING, super::export::as_of(context, &*log, bounds, Timestamp::now())).await;
    if let Some(open) = as_of.ok().and_then(Result::ok).and_then(|as_of| context.known.open(as_of)) {
        let _ = writeln!(out, "# HELP shipslog_incidents_open Incidents that are not over.\n# TYPE shipslog_incidents_open gauge");
        for (severity, count) in open {
            let severity = serde_json::to_value(severity).ok();
            let severity = severity.as_ref().and_then(Value::as_str).unwrap_or_default();
            let _ = writeln!(out, "shipslog_incidents_open{{severity=\"{severity}\"}} {count}");
        }
    }
    let _ = writeln!(out, "# HELP docker_events_total Docker events stored, by type and action.\n# TYPE docker_events_total counter");
    // What is cut or replaced may be the same for several, and a label may stand once.
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for ((kind, action), count) in recorder.by_action() {
        *counts.entry((label(&kind), label(&action))).or_default() += count;
    }
    for ((kind, action), count) in counts {
        let _ = writeln!(out, "docker_events_total{{type=\"{kind}\",action=\"{action}\"}} {count}");
    }
    respond(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", out)
}

/// How forwarding is.
fn forward_metrics(out: &mut String, forwarded: &Forwarded) {
    let Forwarded { state, behind_records, behind_seconds, records, messages, bytes, missing, .. } = *forwarded;
    let is_well = matches!(state, ForwardState::Live | ForwardState::CatchingUp);
    for (name, kind, help, value) in [
        ("up", "gauge", "1 while the fleet's hub takes what is recorded here.", u64::from(is_well)),
        ("behind_records", "gauge", "Records that the fleet's hub lacks.", behind_records),
        ("behind_seconds", "gauge", "Since when the fleet's hub lacks the oldest of them.", behind_seconds),
        ("records_total", "counter", "Records that the fleet's hub has taken.", records),
        ("messages_total", "counter", "Messages in which they were.", messages),
        ("bytes_total", "counter", "Bytes of these messages.", bytes),
        ("missing_records_total", "counter", "Records that will not reach the fleet; a gap tells of them there.", missing),
    ] {
        let _ =
            writeln!(out, "# HELP shipslog_forward_{name} {help}\n# TYPE shipslog_forward_{name} {kind}\nshipslog_forward_{name} {value}");
    }
}

/// How a fleet is followed.
fn fleet_metrics(out: &mut String, followed: &Followed) {
    for (name, help, value) in [
        (
            "up",
            "1 while the fleet's hub answers and is followed.",
            u64::from(matches!(followed.state, FollowState::Live | FollowState::CatchingUp)),
        ),
        ("folded", "Place of the newest message of the hub that is in the log.", followed.folded),
        ("hub_last", "Place of the newest message that the hub has, when it last answered.", followed.hub_last.unwrap_or(0)),
        ("lag_seconds", "Since when the log lacks the oldest message that the hub has.", followed.lag_seconds),
    ] {
        let _ = writeln!(out, "# HELP shipslog_fleet_{name} {help}\n# TYPE shipslog_fleet_{name} gauge\nshipslog_fleet_{name} {value}");
    }
}

/// What the log tells of each source.
async fn by_source(out: &mut String, context: &Context, asker: &Asker) {
    let (log, names) = (context.log_for(asker), context.recording.sources.iter().map(|source| source.get().name).collect::<Vec<_>>());
    let until = Instant::now() + MAX_READING;
    if let Ok(Ok(newest)) = timeout_at(until, context.by_source.newest(&log, &names)).await {
        let _ = writeln!(
            out,
            "# HELP shipslog_source_last_event_timestamp_seconds Time of the newest event of the Docker host, by its own clock.\n\
             # TYPE shipslog_source_last_event_timestamp_seconds gauge"
        );
        for (source, time) in newest.into_iter().filter(|(source, _)| names.contains(source)) {
            let (seconds, nanos) = (time.nanos().max(0) / 1_000_000_000, time.nanos().max(0) % 1_000_000_000);
            let _ = writeln!(out, "shipslog_source_last_event_timestamp_seconds{{source=\"{}\"}} {seconds}.{nanos:09}", label(&source));
        }
    }
    if let Ok(Ok(gaps)) = timeout_at(until, context.by_source.gaps(&log)).await {
        let _ = writeln!(
            out,
            "# HELP shipslog_source_gaps_total Gap records in the log: events may be missing (first-contact: recording began).\n\
             # TYPE shipslog_source_gaps_total counter"
        );
        // What is cut or replaced may be the same for several, and a label may stand once.
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for ((source, reason), count) in gaps {
            *counts.entry((label(&source), label(&reason))).or_default() += count;
        }
        for ((source, reason), count) in counts {
            let _ = writeln!(out, "shipslog_source_gaps_total{{source=\"{source}\",reason=\"{reason}\"}} {count}");
        }
    }
}

/// A label value; backslash and quote are escaped, as the format wants, and line feeds are not shown.
fn label(text: &str) -> String {
    shown(text).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarding_has_figures_whatever_it_does() {
        let status = crate::forward::ForwardStatus::default();
        let mut out = String::new();
        forward_metrics(&mut out, &status.get(42, Timestamp::now()));
        for line in ["shipslog_forward_up 0", "shipslog_forward_behind_records 42", "shipslog_forward_behind_seconds 0"] {
            assert!(out.lines().any(|found| found == line), "{line}: {out}");
        }
        assert!(out.lines().all(|line| line.starts_with("shipslog_forward_") || line.starts_with("# ")));
    }

    #[test]
    fn following_has_figures_whatever_the_hub_does() {
        let followed = Followed { state: FollowState::Unavailable, error: None, warning: None, folded: 7, hub_last: None, lag_seconds: 0 };
        let mut out = String::new();
        fleet_metrics(&mut out, &followed);
        for line in ["shipslog_fleet_up 0", "shipslog_fleet_folded 7", "shipslog_fleet_hub_last 0", "shipslog_fleet_lag_seconds 0"] {
            assert!(out.lines().any(|found| found == line), "{line}: {out}");
        }
    }

    #[test]
    fn a_daemon_s_text_is_short_and_plain() {
        assert_eq!(shown("Docker 28.5 (ä)"), "Docker 28.5 (ä)");
        assert_eq!(shown("\u{1b}[2J\u{9b}31m\u{202e}x\n"), "\u{fffd}[2J\u{fffd}31m\u{fffd}x\u{fffd}");
        let long = shown(&"x".repeat(70_000_000));
        assert!(long.ends_with("x…") && long.chars().count() == MAX_TEXT_CHARS + 1);
        assert_eq!(label("a\"b\\c\u{1b}"), "a\\\"b\\\\c\u{fffd}");
    }
}
