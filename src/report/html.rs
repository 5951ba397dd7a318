//! A report as one HTML file: no script, nothing from elsewhere, well-formed as XML.

use super::model::{LastWords, Report, Row, Told};
use super::picture::{self, Look};
use super::safe::{escaped, html as safe};
use super::style::PARTS;
use super::{marks, neighbours, people, words};
use crate::projection::incidents::{Confidence, Difference, Shown, Standing};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// States that the table of states names.
const MAX_STATES: usize = 600;
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The whole file.
pub(super) fn write(report: &Report) -> String {
    let title = text(&words::title(report));
    let css = PARTS.concat();
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/><meta name=\"color-scheme\" content=\"light dark\"/>\
         <meta name=\"referrer\" content=\"no-referrer\"/><title>{title}</title><style>{css}</style></head>\n<body>\n<h1>{title}</h1>\n"
    );
    head(&mut out, report);
    if report.incidents.len() > 1 {
        overview(&mut out, report);
    }
    figure(&mut out, report);
    for (number, told) in report.incidents.iter().enumerate() {
        incident(&mut out, report, told, number);
    }
    if !report.incidents.is_empty() {
        out.push_str("<div class=\"write\">");
        for (heading, hint) in words::TO_WRITE {
            let _ = write!(out, "<div><h3>{heading}</h3><p class=\"soft\">{hint}</p></div>");
        }
        out.push_str("</div>\n");
    }
    states(&mut out, report);
    manifest(&mut out, report);
    out.push_str("</body></html>\n");
    out
}

/// A text whose numbers keep their units.
fn text(text: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_unit = c == ' ' && before.is_ascii_digit() && rest.peek().is_some_and(|next| matches!(next, 's' | 'm' | 'h'));
        let next: String = rest.clone().take_while(char::is_ascii_alphabetic).collect();
        out.push(if is_unit && matches!(next.as_str(), "s" | "ms" | "min" | "h") { '\u{a0}' } else { c });
        before = c;
    }
    safe(&out)
}

/// Red is for what is open.
fn standing(incident: &Shown) -> &'static str {
    if incident.state == Standing::Closed { "" } else { "open" }
}

fn head(out: &mut String, report: &Report) {
    let manifest = &report.manifest;
    let _ = writeln!(
        out,
        "<p class=\"soft\">{} · as known at {} · all times are UTC</p>",
        words::range(manifest.since, manifest.until),
        words::date_and_time(manifest.as_of)
    );
    if report.incidents.is_empty() {
        out.push_str("<p>Nothing broke in this time.</p>\n");
    }
    let counted = |count: u64, what: &str| if count == 0 { String::new() } else { format!("<p>{what}: {count}.</p>\n") };
    out.push_str(&counted(manifest.left_out, "Incidents left out, being too many, that are less severe or older"));
    out.push_str(&counted(manifest.notices, "Notices not shown, such as stops that were not obeyed and jobs that failed"));
}

fn overview(out: &mut String, report: &Report) {
    out.push_str("<table class=\"over\"><thead><tr><th>Began</th><th>Severity</th><th>State</th><th>What</th></tr></thead><tbody>\n");
    for (number, told) in report.incidents.iter().enumerate() {
        let incident = &told.incident;
        let _ = writeln!(
            out,
            "<tr class=\"{}\"><td class=\"time\">{}</td><td>{}</td><td>{}</td><td><a href=\"#i{number}\">{}</a></td></tr>",
            standing(incident),
            words::date_and_time(incident.start),
            severity(incident),
            text(&people::outcome(incident, report.manifest.as_of)),
            text(&people::headline(incident))
        );
    }
    out.push_str("</tbody></table>\n");
}

/// Its shape and its word.
fn severity(incident: &Shown) -> String {
    format!("<span class=\"shape\">{}</span> {}", people::shape(incident.severity), words::severity(incident.severity))
}

fn figure(out: &mut String, report: &Report) {
    let mut seen = BTreeSet::new();
    let drawing = picture::write(report, &mut seen);
    if drawing.is_empty() {
        return;
    }
    let _ = write!(out, "<figure>{drawing}<figcaption>");
    for what in ["failure", "oom", "health", "change", "deaf", "stop"] {
        let word = people::letter(what).map_or("", |(_, word)| word);
        let _ = write!(out, "<span class=\"key\">{} {word}</span> ", marks::inline(what));
    }
    let boxed =
        |inside: &str| format!("<svg class=\"sign\" width=\"14\" height=\"14\" viewBox=\"0 0 14 14\" aria-hidden=\"true\">{inside}</svg>");
    // What starts and fails looks like what waits.
    for look in seen.iter().filter(|look| **look != Look::Looping || !seen.contains(&Look::Restarting)) {
        let mut path = String::new();
        look.draw(&mut path, "0", -3, "14", "");
        let _ = write!(out, "<span class=\"key\">{} {}</span> ", boxed(&path), look.name());
    }
    for (class, word) in [("during", "an incident"), ("gap", "not known: events may be missing")] {
        let rect = boxed(&format!("<rect class=\"{class}\" width=\"14\" height=\"14\"/>"));
        let _ = write!(out, "<span class=\"key\">{rect} {word}</span> ");
    }
    out.push_str("</figcaption></figure>\n");
}

fn incident(out: &mut String, report: &Report, told: &Told, number: usize) {
    let incident = &told.incident;
    let _ = write!(out, "<section class=\"{}\" id=\"i{number}\">", standing(incident));
    if !report.is_one {
        let _ = write!(out, "<h2>{}</h2>", text(&people::headline(incident)));
    }
    let _ = write!(
        out,
        "\n<p><span class=\"badge how\">{}</span><span class=\"badge\">{}</span><span class=\"badge\">{}</span></p>\n",
        severity(incident),
        text(&people::outcome(incident, report.manifest.as_of)),
        words::kind(incident.kind)
    );
    let evidence = safe(&words::evidence(incident));
    if incident.confidence == Confidence::Qualified {
        let _ = writeln!(out, "<p class=\"warn\">{evidence}</p>");
    }
    out.push_str("<dl>");
    for (what, value) in [
        ("What", people::told(&incident.title)),
        ("When", words::lasted(incident, report.manifest.as_of)),
        ("Where", words::subjects(incident)),
        ("Resolution", words::ended(incident)),
        ("Detection", words::detected(incident, !told.notified.is_empty())),
        ("Incident", format!("{}, revision {}", incident.id, incident.revision)),
    ] {
        let _ = write!(out, "<dt>{what}</dt><dd>{}</dd>", text(&value));
    }
    if let Some(notified) = words::notified(&told.notified) {
        let _ = write!(out, "<dt>Told</dt><dd>{}</dd>", safe(&notified));
    }
    if incident.confidence == Confidence::Complete {
        let _ = write!(out, "<dt>Evidence</dt><dd>{evidence}</dd>");
    }
    out.push_str("</dl>\n<h3>Trigger</h3>");
    let causes = words::causes(incident);
    if causes.is_empty() {
        out.push_str("<p>Events name nothing that came before.</p>");
    } else {
        out.push_str("<ul>");
        for cause in causes {
            let _ = write!(out, "<li>{}</li>", text(&cause));
        }
        out.push_str("</ul>\n");
    }
    if let Some(unsaid) = words::unsaid_of(incident, !told.last_words.is_empty()) {
        let _ = writeln!(out, "<p>{}</p>", safe(&unsaid));
    }
    incident.cause.iter().filter(|cause| !cause.changes.is_empty()).for_each(|cause| changes(out, &cause.changes));
    timeline(out, told);
    if report.is_one || !told.related.is_empty() || !told.deploys.is_empty() {
        out.push_str("<h3>At the same time</h3>");
    }
    if report.is_one && told.related.is_empty() {
        let _ = write!(out, "<p>{}</p>", words::NOTHING_ELSE);
    }
    if !told.related.is_empty() || !told.deploys.is_empty() {
        out.push_str("<ul>");
        for other in &told.related {
            let (shape, severity) = (people::shape(other.severity), words::severity(other.severity));
            let (start, title) = (words::date_and_time(other.start), text(&people::short(&other.title)));
            let _ = write!(out, "<li>{shape} {severity}, since {start}: {title} (<code>{}</code>)</li>", safe(&other.id));
        }
        for deploy in &told.deploys {
            let (what, when) = (text(&neighbours::deployed(deploy)), words::date_and_time(deploy.time));
            let after = neighbours::beside(deploy.time, told.incident.start);
            let _ = write!(out, "<li>{} {what}, {when}, {after} (<code>{}</code>)</li>", marks::inline("change"), safe(&deploy.record));
        }
        out.push_str("</ul>");
    }
    out.push_str("</section>\n");
}

fn changes(out: &mut String, changes: &[Difference]) {
    out.push_str("<table class=\"diff\"><thead><tr><th>What changed</th><th>Before</th><th>After</th></tr></thead><tbody>");
    for change in changes {
        let _ = write!(out, "<tr><td>{}</td>{}{}</tr>", safe(&change.what), value(change.from.as_ref()), value(change.to.as_ref()));
    }
    out.push_str("</tbody></table>\n");
}

/// A cell with a value, and all of it to be had where it is shortened.
fn value(value: Option<&String>) -> String {
    let Some(value) = value else { return "<td>–</td>".to_owned() };
    let (whole, shown) = (safe(value), safe(&people::value(value)));
    if whole == shown { format!("<td>{shown}</td>") } else { format!("<td title=\"{whole}\">{shown}</td>") }
}

fn timeline(out: &mut String, told: &Told) {
    let mut rest: Vec<&LastWords> = told.last_words.iter().collect();
    out.push_str("<h3>Timeline</h3>\n<table class=\"course\"><thead><tr><th>UTC</th><th>Subject</th><th>What</th><th>Record</th></tr></thead><tbody>\n");
    for row in &told.timeline {
        let _ = writeln!(
            out,
            "<tr class=\"{}\"><td class=\"time\">{}</td> <td>{}</td> <td class=\"what\">{}{}</td> <td class=\"id\">{}</td></tr>",
            row.what,
            words::clock(row.time),
            safe(&row.subject),
            people::mark(row).map_or_else(String::new, |_| marks::inline(row.what)),
            text(&people::step(&row.text)),
            safe(row.record.as_deref().unwrap_or_default())
        );
        // Below the death that they belong to.
        let (own, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|words| is_of(row, words));
        for words in own {
            out.push_str("<tr class=\"words\"><td></td><td colspan=\"3\">");
            last_words(out, words);
            out.push_str("</td></tr>\n");
        }
        rest = others;
    }
    out.push_str("</tbody></table>\n");
    if !rest.is_empty() || told.last_words_more > 0 {
        out.push_str("<h3>Last words</h3>\n");
        for words in rest {
            last_words(out, words);
        }
        if told.last_words_more > 0 {
            let _ = writeln!(out, "<p>Deaths whose last words are not here: {}.</p>", told.last_words_more);
        }
    }
}

/// Whether a row is the death before which something was printed.
fn is_of(row: &Row, words: &LastWords) -> bool {
    row.record.is_some() && Some(row.time) == words.died && row.subject == words.subject && matches!(row.what, "failure" | "deaf" | "stop")
}

fn last_words(out: &mut String, words: &LastWords) {
    let _ = write!(out, "<p class=\"soft\">Last words of {} <code>{}</code></p>", safe(&words::last_words(words)), safe(&words.record));
    if !words.lines.is_empty() {
        let lines: Vec<String> = words.lines.iter().map(|line| escaped(line)).collect();
        let _ = write!(out, "<pre>{}</pre>", lines.join("\n"));
    }
    if let Some(more) = words::of_last_words(words) {
        let _ = write!(out, "<p class=\"soft\">{}</p>", safe(&more));
    }
}

/// What the drawing shows, in words.
fn states(out: &mut String, report: &Report) {
    let total: usize = report.lanes.iter().map(|lane| lane.spans.len()).sum();
    if total == 0 {
        return;
    }
    out.push_str("<details><summary>The drawing as a table</summary><table class=\"states\"><thead><tr><th>Subject</th><th>Container</th><th>State</th></tr></thead><tbody>\n");
    let all = report.lanes.iter().flat_map(|lane| lane.spans.iter().map(move |span| (lane, span)));
    for (lane, span) in all.take(MAX_STATES) {
        let _ = writeln!(
            out,
            "<tr><td>{}</td> <td class=\"time\">{}</td> <td>{}</td></tr>",
            safe(&lane.subject),
            safe(&lane.container),
            safe(&picture::said(span))
        );
    }
    out.push_str("</tbody></table>");
    if total > MAX_STATES {
        let _ = write!(out, "<p>{} more states are not listed.</p>", total - MAX_STATES);
    }
    out.push_str("</details>\n");
}

fn manifest(out: &mut String, report: &Report) {
    out.push_str("<h2>Supporting information</h2>\n<dl>");
    for (what, value) in words::manifest(&report.manifest) {
        let _ = write!(out, "<dt>{what}</dt><dd>{}</dd>", safe(&value));
    }
    if report.more_lanes > 0 {
        let _ = write!(out, "<dt>Containers</dt><dd>{} more are not drawn</dd>", report.more_lanes);
    }
    out.push_str("</dl>\n<p class=\"soft\">Events name nobody: Docker does not tell who called its API.</p>\n");
}
