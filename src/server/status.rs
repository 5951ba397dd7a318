//! How the recorder is: `/healthz`, `/readyz`, `/api/v1/stats` and `/metrics`.

use super::asker::Asker;
use super::context::Context;
use super::pages;
use crate::ingest::{SourceState, SourceStatus};
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

fn sources(context: &Context) -> Vec<SourceStatus> {
    let shown = |status: SourceStatus| SourceStatus {
        name: shown(&status.name),
        endpoint: shown(&status.endpoint),
        error: status.error.as_deref().map(shown),
        hint: status.hint.as_deref().map(shown),
        engine: status.engine.as_deref().map(shown),
        ..status
    };
    context.recording.sources.iter().map(|source| shown(source.get())).collect()
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

/// The process answers.
pub(super) fn healthz() -> Response {
    respond(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned())
}

/// Ready when the writer takes records and at least one Docker host is connected; otherwise 503, what is
/// wrong and what to do.
pub(super) fn readyz(context: &Arc<Context>) -> Response {
    let sources = sources(context);
    let writer = context.log.watch_writer();
    // The sender lives in the writer: if it is gone, so is the writer.
    let stopped = writer.has_changed().is_err() && !context.shutdown.is_stopping();
    let (state, error) = match &*writer.borrow() {
        WriterState::ReadOnly => ("read-only", None),
        WriterState::Full(why) => ("full", Some(why.clone())),
        WriterState::Poisoned(why) => ("poisoned", Some(why.clone())),
        WriterState::Ok if stopped => ("stopped", Some("the writer has ended unexpectedly".to_owned())),
        WriterState::Ok => ("ok", None),
    };
    let ready = error.is_none() && (state == "read-only" || sources.iter().any(|s| s.state == SourceState::Connected));
    let hint = error.as_ref().map(|_| match state {
        "full" => "recording pauses: make room on the disk, or keep less with --retain-bytes; it continues by itself",
        _ => "recording has stopped: check the disk, then restart shipslog; what was recorded can still be read",
    });
    let sources: Vec<Value> = sources
        .iter()
        .map(|s| json!({ "name": s.name, "endpoint": s.endpoint, "state": s.state, "error": s.error, "hint": s.hint }))
        .collect();
    let body = json!({ "ready": ready, "sources": sources, "writer": { "state": state, "error": error, "hint": hint }, "derived": context.known.progress(), "page": pages::HASH });
    respond(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, "application/json", body.to_string())
}

/// Figures for people and scripts.
pub(super) fn stats(context: &Arc<Context>) -> Response {
    let bounds = context.log.bounds();
    let recorder = &context.recording.recorder;
    let sources = sources(context);
    let body = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": context.started.elapsed().as_secs(),
        "log": {
            "id": bounds.log.to_string(), "oldest": bounds.oldest, "head": bounds.head,
            "records": (bounds.head + 1).saturating_sub(bounds.oldest), "bytes": context.log.disk_bytes(),
        },
        "sources": sources,
        "derived": context.known.progress(),
        "ingest": {
            "received": recorder.received.load(Relaxed), "stored": recorder.stored.load(Relaxed),
            "duplicates": recorder.duplicates.load(Relaxed), "malformed": recorder.malformed.load(Relaxed),
            "redacted": recorder.redacted.load(Relaxed), "dropped_noise": recorder.dropped_noise.load(Relaxed),
            "lost": recorder.lost.load(Relaxed) + recorder.overflowed(), "queued": recorder.queued(),
        },
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
    for source in sources(context) {
        let _ = writeln!(
            out,
            "shipslog_source_connected{{source=\"{}\"}} {}",
            label(&source.name),
            u64::from(source.state == SourceState::Connected)
        );
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
    fn a_daemon_s_text_is_short_and_plain() {
        assert_eq!(shown("Docker 28.5 (ä)"), "Docker 28.5 (ä)");
        assert_eq!(shown("\u{1b}[2J\u{9b}31m\u{202e}x\n"), "\u{fffd}[2J\u{fffd}31m\u{fffd}x\u{fffd}");
        let long = shown(&"x".repeat(70_000_000));
        assert!(long.ends_with("x…") && long.chars().count() == MAX_TEXT_CHARS + 1);
        assert_eq!(label("a\"b\\c\u{1b}"), "a\\\"b\\\\c\u{fffd}");
    }
}
