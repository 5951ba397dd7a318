//! A report as one HTML file: no script, nothing from elsewhere, well-formed as XML.

use super::model::{Report, Row, Run, Told};
use super::picture;
use super::safe::html as safe;
use super::style::CSS;
use super::words;
use crate::projection::incidents::{Confidence, Difference};
use std::fmt::Write as _;

/// States that the table of states names.
const MAX_STATES: usize = 600;
/// What people write, and events cannot say.
const TO_WRITE: [&str; 4] = ["Impact", "Root causes", "Action items", "Lessons learned"];
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The whole file.
pub(super) fn write(report: &Report) -> String {
    let title = safe(&words::title(report));
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/><meta name=\"color-scheme\" content=\"light dark\"/>\
         <meta name=\"referrer\" content=\"no-referrer\"/><title>{title}</title><style>{CSS}</style></head>\n<body>\n<h1>{title}</h1>\n"
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
        for heading in TO_WRITE {
            let _ = write!(out, "<div><h3>{heading}</h3></div>");
        }
        out.push_str("</div>\n");
    }
    states(&mut out, report);
    manifest(&mut out, report);
    out.push_str("</body></html>\n");
    out
}

fn head(out: &mut String, report: &Report) {
    let manifest = &report.manifest;
    let _ = writeln!(
        out,
        "<p class=\"soft\">{} UTC · judged as of {} UTC · times are UTC (+00:00)</p>",
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
    out.push_str("<table class=\"fixed over\"><thead><tr><th>Began</th><th>Severity</th><th>State</th><th>What</th></tr></thead><tbody>\n");
    for (number, told) in report.incidents.iter().enumerate() {
        let incident = &told.incident;
        let severity = words::severity(incident.severity);
        let _ = writeln!(
            out,
            "<tr><td class=\"time\">{}</td><td>{severity}</td><td>{}</td><td><a href=\"#i{number}\">{}</a></td></tr>",
            words::date_and_time(incident.start),
            words::state(incident),
            safe(&incident.title)
        );
    }
    out.push_str("</tbody></table>\n");
}

fn figure(out: &mut String, report: &Report) {
    let drawing = picture::write(report);
    if drawing.is_empty() {
        return;
    }
    let _ = write!(out, "<figure>{drawing}<figcaption>");
    for run in [Run::Running, Run::Restarting, Run::Unhealthy, Run::Paused, Run::Exited, Run::Created, Run::Changing] {
        let (top, height) = match run {
            Run::Exited | Run::Created => (3, 2),
            Run::Restarting => (2, 4),
            Run::Running | Run::Unhealthy | Run::Paused | Run::Changing => (0, 8),
        };
        let stripes = if run == Run::Restarting { "<rect fill=\"url(#waits)\" y=\"2\" width=\"13\" height=\"4\"/>" } else { "" };
        let _ = write!(
            out,
            "<span class=\"key\"><svg viewBox=\"0 0 13 8\" aria-hidden=\"true\"><rect class=\"{}\" y=\"{top}\" width=\"13\" height=\"{height}\"/>{stripes}</svg> {}</span> ",
            run.class(),
            run.name()
        );
    }
    let named = |what: &str| match what {
        "failure" => "failure",
        "oom" => "out of memory",
        "health" => "unhealthy",
        "change" => "made or changed",
        "start" => "restarted through the API",
        _ => "stopped through the API",
    };
    for (what, sign) in picture::SIGNS {
        let _ = write!(out, "<span class=\"key\">{sign} {}</span> ", named(what));
    }
    out.push_str("<span class=\"key\">red line: an incident; hatched: events may be missing</span></figcaption></figure>\n");
}

fn incident(out: &mut String, report: &Report, told: &Told, number: usize) {
    let incident = &told.incident;
    let severity = words::severity(incident.severity);
    let _ = write!(out, "<section class=\"{severity}\" id=\"i{number}\">");
    if !report.is_one {
        let _ = write!(out, "<h2>{}</h2>", safe(&incident.title));
    }
    let _ = write!(
        out,
        "\n<p><span class=\"badge {severity}\">{severity}</span><span class=\"badge\">{}</span><span class=\"badge\">{}</span></p>\n",
        words::kind(incident.kind),
        words::state(incident)
    );
    let evidence = safe(&words::evidence(incident));
    if incident.confidence == Confidence::Qualified {
        let _ = writeln!(out, "<p class=\"warn\">{evidence}</p>");
    }
    out.push_str("<dl>");
    for (what, value) in [
        ("When", words::lasted(incident, report.manifest.as_of)),
        ("Where", words::subjects(incident)),
        ("Resolution", words::ended(incident)),
        ("Detection", words::detected(incident)),
        ("Incident", format!("{}, revision {}", incident.id, incident.revision)),
    ] {
        let _ = write!(out, "<dt>{what}</dt><dd>{}</dd>", safe(&value));
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
            let _ = write!(out, "<li>{}</li>", safe(&cause));
        }
        out.push_str("</ul>\n");
    }
    incident.cause.iter().filter(|cause| !cause.changes.is_empty()).for_each(|cause| changes(out, &cause.changes));
    timeline(out, &told.timeline);
    if !told.related.is_empty() {
        out.push_str("<h3>At the same time</h3><ul>");
        for other in &told.related {
            let (severity, start) = (words::severity(other.severity), words::date_and_time(other.start));
            let _ = write!(out, "<li>{severity}, since {start}: {} (<code>{}</code>)</li>", safe(&other.title), safe(&other.id));
        }
        out.push_str("</ul>");
    }
    out.push_str("</section>\n");
}

fn changes(out: &mut String, changes: &[Difference]) {
    out.push_str("<table class=\"fixed diff\"><thead><tr><th>What changed</th><th>Before</th><th>After</th></tr></thead><tbody>");
    let shown = |value: &Option<String>| value.as_ref().map_or_else(|| "–".to_owned(), |value| safe(value));
    for change in changes {
        let _ = write!(out, "<tr><td>{}</td><td>{}</td><td>{}</td></tr>", safe(&change.what), shown(&change.from), shown(&change.to));
    }
    out.push_str("</tbody></table>\n");
}

fn timeline(out: &mut String, rows: &[Row]) {
    out.push_str("<h3>Timeline</h3>\n<table class=\"fixed\"><thead><tr><th>UTC</th><th>Subject</th><th>What</th><th>Record</th></tr></thead><tbody>\n");
    for row in rows {
        let _ = writeln!(
            out,
            "<tr class=\"{}\"><td class=\"time\">{}</td><td>{}</td><td>{}{}</td><td class=\"id\">{}</td></tr>",
            row.what,
            words::clock(row.time),
            safe(&row.subject),
            sign(row.what),
            safe(&row.text),
            safe(row.record.as_deref().unwrap_or_default())
        );
    }
    out.push_str("</tbody></table>\n");
}

/// The same signs as in the drawing, where they matter.
fn sign(what: &str) -> &'static str {
    match what {
        "failure" => "✕ ",
        "oom" => "◆ ",
        "change" => "▼ ",
        _ => "",
    }
}

/// What the drawing shows, in words.
fn states(out: &mut String, report: &Report) {
    let total: usize = report.lanes.iter().map(|lane| lane.spans.len()).sum();
    if total == 0 {
        return;
    }
    out.push_str("<details><summary>The drawing as a table</summary><table><thead><tr><th>Subject</th><th>Container</th><th>State</th></tr></thead><tbody>\n");
    let all = report.lanes.iter().flat_map(|lane| lane.spans.iter().map(move |span| (lane, span)));
    for (lane, span) in all.take(MAX_STATES) {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"id\">{}</td><td>{}</td></tr>",
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
