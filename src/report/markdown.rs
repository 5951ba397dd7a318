//! A report as Markdown: for an issue, a chat, a wiki.

use super::model::{Report, Told};
use super::safe::markdown as safe;
use super::{neighbours, people, words};
use crate::projection::incidents::{Difference, Severity};
use std::fmt::Write as _;

/// What stands before the rows that have a letter.
const LETTERS: &str = "X failed, M out of memory, H unhealthy, C changed, K did not stop and was killed, P stopped as asked, ? not known";

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
            let _ = writeln!(out, "## {}\n", safe(&people::headline(&told.incident)));
        }
        incident(&mut out, report, told, if report.is_one { "##" } else { "###" });
    }
    if !report.incidents.is_empty() {
        for (heading, hint) in words::TO_WRITE {
            let _ = writeln!(out, "## {heading}\n\n*(to be written: {hint})*\n");
        }
    }
    manifest(&mut out, report);
    out
}

fn overview(out: &mut String, report: &Report) {
    out.push_str("| Began (UTC) | Severity | State | What |\n|---|---|---|---|\n");
    for told in &report.incidents {
        let incident = &told.incident;
        let (start, outcome) = (words::date_and_time(incident.start), people::outcome(incident, report.manifest.as_of));
        let _ = writeln!(out, "| {start} | {} | {outcome} | {} |", severity(incident.severity), safe(&people::headline(incident)));
    }
    out.push('\n');
}

/// Its shape and its word.
fn severity(of: Severity) -> String {
    format!("{} {}", people::shape(of), words::severity(of))
}

fn incident(out: &mut String, report: &Report, told: &Told, level: &str) {
    let incident = &told.incident;
    let as_of = report.manifest.as_of;
    let (worst, kind) = (severity(incident.severity), words::kind(incident.kind));
    let _ = writeln!(out, "- **Status:** {worst} {kind}, {}", people::outcome(incident, as_of));
    let _ = writeln!(out, "- **What:** {}", safe(&people::told(&incident.title)));
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
    if let Some(unsaid) = words::unsaid_of(incident, !told.last_words.is_empty()) {
        let _ = writeln!(out, "{}\n", safe(&unsaid));
    }
    for cause in incident.cause.iter().filter(|cause| !cause.changes.is_empty()) {
        changes(out, &cause.changes);
    }
    let _ = writeln!(out, "{level} Resolution\n\n{}\n", safe(&words::ended(incident)));
    let _ = writeln!(out, "{level} Detection\n\n{}\n", words::detected(incident, !told.notified.is_empty()));
    if let Some(told) = words::notified(&told.notified) {
        let _ = writeln!(out, "{}\n", safe(&told));
    }
    let _ = writeln!(out, "{level} Timeline\n\n{LETTERS}.\n\n| UTC | Subject | What | Record |\n|---|---|---|---|");
    for row in &told.timeline {
        let record = row.record.as_ref().map_or_else(String::new, |id| format!("`{id}`"));
        let mark = people::mark(row).map_or_else(String::new, |(letter, _)| format!("**{letter}** "));
        let (subject, text) = (safe(&row.subject), safe(&people::step(&row.text)));
        let _ = writeln!(out, "| {} | {subject} | {mark}{text} | {record} |", words::clock(row.time));
    }
    out.push('\n');
    last_words(out, told, level);
    if report.is_one || !told.related.is_empty() || !told.deploys.is_empty() {
        let _ = writeln!(out, "{level} At the same time\n");
    }
    if report.is_one && told.related.is_empty() {
        let _ = writeln!(out, "{}\n", words::NOTHING_ELSE);
    }
    if !told.related.is_empty() || !told.deploys.is_empty() {
        for other in &told.related {
            let (worst, start) = (severity(other.severity), words::date_and_time(other.start));
            let _ = writeln!(out, "- {worst}, since {start} UTC: {} (`{}`)", safe(&people::short(&other.title)), other.id);
        }
        for deploy in &told.deploys {
            let (what, when) = (safe(&neighbours::deployed(deploy)), words::date_and_time(deploy.time));
            let _ = writeln!(out, "- {what}, {when} UTC, {} (`{}`)", neighbours::beside(deploy.time, told.incident.start), deploy.record);
        }
        out.push('\n');
    }
}

fn last_words(out: &mut String, told: &Told, level: &str) {
    if told.last_words.is_empty() {
        return;
    }
    let _ = writeln!(out, "{level} Last words\n");
    for words in &told.last_words {
        let _ = writeln!(out, "{} (`{}`):\n", safe(&words::last_words(words)), words.record);
        if !words.lines.is_empty() {
            // Longer than any fence that was printed. Nothing acts within it.
            let longest = words.lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
            let fence = "`".repeat(longest.max(2) + 1);
            let _ = writeln!(out, "{fence}text\n{}\n{fence}\n", words.lines.join("\n"));
        }
        if let Some(more) = words::of_last_words(words) {
            let _ = writeln!(out, "{}\n", safe(&more));
        }
    }
    if told.last_words_more > 0 {
        let _ = writeln!(out, "Deaths whose last words are not here: {}.\n", told.last_words_more);
    }
}

fn changes(out: &mut String, changes: &[Difference]) {
    out.push_str("| What changed | Before | After |\n|---|---|---|\n");
    let shown = |value: &Option<String>| value.as_ref().map_or_else(|| "–".to_owned(), |value| safe(&people::value(value)));
    for change in changes {
        let _ = writeln!(out, "| {} | {} | {} |", safe(&change.what), shown(&change.from), shown(&change.to));
    }
    out.push('\n');
}

fn manifest(out: &mut String, report: &Report) {
    out.push_str("## Supporting information\n\nTimes are UTC. Events name nobody: Docker does not tell who called its API.\n\n");
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
