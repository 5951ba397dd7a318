//! A report as a trace for ui.perfetto.dev, in the JSON of Chrome's tracing: a process for each project, a
//! thread for each container, incidents above them.

use super::model::{Lane, Report};
use super::safe::plain;
use super::{people, words};
use crate::projection::incidents::Shown;
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The process of incidents, which are not in any container's.
const INCIDENTS: usize = 1;

pub(super) fn write(report: &Report) -> String {
    let mut events = vec![named("process_name", INCIDENTS, 0, "incidents")];
    let end = report.manifest.until.max(report.manifest.as_of);
    for (number, told) in report.incidents.iter().enumerate() {
        incident(&mut events, number, &told.incident, end);
    }
    let mut processes: BTreeMap<String, usize> = BTreeMap::new();
    for (number, lane) in report.lanes.iter().enumerate() {
        let next = processes.len() + INCIDENTS + 1;
        let name = process(lane);
        let pid = *processes.entry(name.clone()).or_insert(next);
        if pid == next {
            events.push(named("process_name", pid, 0, &name));
        }
        self::lane(&mut events, lane, pid, number + 1, end);
    }
    let trace = json!({ "displayTimeUnit": "ms", "otherData": report.manifest, "traceEvents": events });
    trace.to_string() + "\n"
}

/// The project of a lane, with its Docker host.
fn process(lane: &Lane) -> String {
    let project = lane.subject.split_once('/').map_or("containers", |(project, _)| project);
    format!("{}: {}", plain(&lane.source), plain(project))
}

fn named(what: &str, pid: usize, tid: usize, name: &str) -> Value {
    json!({ "ph": "M", "name": what, "pid": pid, "tid": tid, "args": { "name": name } })
}

/// Incidents overlap, so they are not spans of a thread.
fn incident(events: &mut Vec<Value>, number: usize, incident: &Shown, end: Timestamp) {
    let title = plain(&incident.title);
    let until = incident.end.unwrap_or(end).max(incident.start);
    let args = json!({
        "id": incident.id,
        "severity": words::severity(incident.severity),
        "state": people::outcome(incident, end),
        "subject": plain(&incident.subject),
        "evidence": words::evidence(incident),
    });
    let id = format!("{number}");
    events.push(
        json!({ "ph": "b", "cat": "incident", "id": id, "name": title, "pid": INCIDENTS, "tid": 0, "ts": micros(incident.start), "args": args }),
    );
    events.push(json!({ "ph": "e", "cat": "incident", "id": id, "name": title, "pid": INCIDENTS, "tid": 0, "ts": micros(until) }));
}

fn lane(events: &mut Vec<Value>, lane: &Lane, pid: usize, tid: usize, end: Timestamp) {
    events.push(named("thread_name", pid, tid, &format!("{} {}", plain(&lane.subject), lane.container)));
    for span in &lane.spans {
        let (from, to) = (micros(span.from), micros(span.to.unwrap_or(end).max(span.from)));
        let args = json!({ "container": lane.container, "inferred": span.inferred, "goes on": span.to.is_none() });
        events.push(
            json!({ "ph": "X", "cat": "state", "name": span.run.name(), "pid": pid, "tid": tid, "ts": from, "dur": to - from, "args": args }),
        );
    }
    for mark in &lane.marks {
        let args = json!({ "record": mark.record, "class": mark.what });
        events.push(
            json!({ "ph": "i", "s": "t", "cat": mark.what, "name": plain(&mark.text), "pid": pid, "tid": tid, "ts": micros(mark.time), "args": args }),
        );
    }
}

/// Rounded down, so that spans which follow each other still do.
fn micros(time: Timestamp) -> i64 {
    time.nanos().div_euclid(1000)
}
