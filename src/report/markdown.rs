//! A report as Markdown: for an issue, a chat, a wiki.

use super::model::{Report, Told};
use super::safe::markdown as safe;
use super::words;
use crate::projection::incidents::Difference;
use std::fmt::Write as _;

/// What people write, and events cannot say.
const TO_WRITE: [&str; 4] = ["Impact", "Root causes", "Action items", "Lessons learned"];

/// The whole report.
pub(super) fn write(report: &Report) -> String {
    let mut out = format!("# {}\n\n", safe(&words::title(report)));
    if report.incidents.is_empty() {
        let _ = writeln!(out, "Nothing broke between {} UTC.\n", words::range(report.manifest.since, report.manifest.until));
    }
    if report.incidents.len() > 1 {
        overview(&mut out, report);
    }
    for told in &report.incidents {
        if !report.is_one {
            let _ = writeln!(out, "## {}\n", safe(&told.incident.title));
        }
        incident(&mut out, report, told, if report.is_one { "##" } else { "###" });
    }
    if !report.incidents.is_empty() {
        for heading in TO_WRITE {
            let _ = writeln!(out, "## {heading}\n\n*(to be written)*\n");
        }
    }
    manifest(&mut out, report);
    out
}

fn overview(out: &mut String, report: &Report) {
    out.push_str("| Began (UTC) | Severity | State | What |\n|---|---|---|---|\n");
    for told in &report.incidents {
        let incident = &told.incident;
        let (start, severity) = (words::date_and_time(incident.start), words::severity(incident.severity));
        let _ = writeln!(out, "| {start} | {severity} | {} | {} |", words::state(incident), safe(&incident.title));
    }
    out.push('\n');
}

fn incident(out: &mut String, report: &Report, told: &Told, level: &str) {
    let incident = &told.incident;
    let as_of = report.manifest.as_of;
    let (severity, kind) = (words::severity(incident.severity), words::kind(incident.kind));
    let _ = writeln!(out, "- **Status:** {severity} {kind}, {}", words::state(incident));
    let _ = writeln!(out, "- **When:** {}", words::lasted(incident, as_of));
    let _ = writeln!(out, "- **Where:** {}", safe(&words::subjects(incident)));
    let _ = writeln!(out, "- **Incident:** `{}`, revision {}", incident.id, incident.revision);
    let _ = writeln!(out, "- **Evidence:** {}\n", safe(&words::evidence(incident)));
    let _ = writeln!(out, "{level} Trigger\n");
    let causes = words::causes(incident);
    if causes.is_empty() {
        out.push_str("Events name nothing that came before.\n");
    }
    for cause in causes {
        let _ = writeln!(out, "- {}", safe(&cause));
    }
    out.push('\n');
    for cause in incident.cause.iter().filter(|cause| !cause.changes.is_empty()) {
        changes(out, &cause.changes);
    }
    let _ = writeln!(out, "{level} Resolution\n\n{}\n", safe(&words::ended(incident)));
    let _ = writeln!(out, "{level} Detection\n\n{}\n", words::detected(incident));
    let _ = writeln!(out, "{level} Timeline\n\n| UTC | Subject | What | Record |\n|---|---|---|---|");
    for row in &told.timeline {
        let record = row.record.as_ref().map_or_else(String::new, |id| format!("`{id}`"));
        let _ = writeln!(out, "| {} | {} | {} | {record} |", words::clock(row.time), safe(&row.subject), safe(&row.text));
    }
    out.push('\n');
    if !told.related.is_empty() {
        let _ = writeln!(out, "{level} At the same time\n");
        for other in &told.related {
            let (severity, start) = (words::severity(other.severity), words::date_and_time(other.start));
            let _ = writeln!(out, "- {severity}, since {start} UTC: {} (`{}`)", safe(&other.title), other.id);
        }
        out.push('\n');
    }
}

fn changes(out: &mut String, changes: &[Difference]) {
    out.push_str("| What changed | Before | After |\n|---|---|---|\n");
    let shown = |value: &Option<String>| value.as_ref().map_or_else(|| "–".to_owned(), |value| safe(value));
    for change in changes {
        let _ = writeln!(out, "| {} | {} | {} |", safe(&change.what), shown(&change.from), shown(&change.to));
    }
    out.push('\n');
}

fn manifest(out: &mut String, report: &Report) {
    out.push_str("## Supporting information\n\nTimes are UTC (+00:00). Events name nobody: Docker does not tell who called its API.\n\n");
    for (what, value) in words::manifest(&report.manifest) {
        let _ = writeln!(out, "- {what}: {}", safe(&value));
    }
    if report.manifest.notices > 0 {
        let _ = writeln!(out, "- Notices, not shown: {}", report.manifest.notices);
    }
    if report.manifest.left_out > 0 {
        let _ = writeln!(out, "- Left out, being too many: {} incidents that are less severe or older", report.manifest.left_out);
    }
}
