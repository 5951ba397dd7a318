//! The lanes of a report as a drawing. Shape tells apart what colour does, each part has a title, and the
//! tables beside it say the same.

use super::model::{Lane, Report, Run, Span};
use super::safe::{html as safe, plain};
use super::words;
use crate::time::Timestamp;
use std::fmt::Write as _;

/// Subjects that are drawn; the table has the others, too.
const MAX_DRAWN: usize = 40;
/// Of these, subjects that no incident is about.
const MAX_QUIET: usize = 12;
/// Layout, in units of the drawing.
const WIDTH: i64 = 1000;
const LEFT: i64 = 190;
const RIGHT: i64 = 12;
const TOP: i64 = 24;
const ROW: i64 = 26;
const BAR: i64 = 16;
const TICKS: i64 = 5;
/// States narrower than this, in tenths, melt with their neighbours.
const NARROW: i64 = 20;
/// Marks of one class nearer than this, in tenths, are one.
const NEAR: i64 = 70;
/// Characters of a name at the left.
const MAX_NAME: usize = 27;

/// From times to tenths of a unit.
struct Scale {
    from: i128,
    length: i128,
}

impl Scale {
    fn x(&self, time: Timestamp) -> i64 {
        let inner = i128::from((WIDTH - LEFT - RIGHT) * 10);
        let at = (i128::from(time.nanos()) - self.from).clamp(0, self.length);
        LEFT * 10 + i64::try_from(at * inner / self.length).unwrap_or(0)
    }

    fn time(&self, part: i64) -> Timestamp {
        let nanos = self.from + self.length * i128::from(part) / i128::from(TICKS);
        Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(0))
    }
}

/// Tenths as a number with one decimal.
fn tenths(of: i64) -> String {
    format!("{}.{}", of / 10, of % 10)
}

/// Rows of the drawing: lanes of one subject share one.
pub(super) fn rows(lanes: &[Lane]) -> Vec<Vec<&Lane>> {
    let mut rows: Vec<Vec<&Lane>> = Vec::new();
    for lane in lanes {
        let of = rows.iter_mut().find(|row| row.first().is_some_and(|first| first.source == lane.source && first.subject == lane.subject));
        match of {
            Some(row) => row.push(lane),
            None => rows.push(vec![lane]),
        }
    }
    rows
}

/// The drawing; nothing where there is nothing to draw.
pub(super) fn write(report: &Report) -> String {
    let rows = rows(&report.lanes);
    if rows.is_empty() {
        return String::new();
    }
    let (from, to) = (report.manifest.since, report.manifest.until);
    let from_nanos = i128::from(from.nanos());
    let scale = Scale { from: from_nanos, length: (i128::from(to.nanos()) - from_nanos).max(1) };
    let hit = rows.iter().filter(|row| row.iter().any(|lane| lane.hit)).count();
    let drawn = rows.len().min(hit + MAX_QUIET).min(MAX_DRAWN);
    let height = TOP + ROW * i64::try_from(drawn).unwrap_or(0) + 4;
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"States of the containers of {drawn} subjects over time; the tables below say the same\">\
         <defs><pattern id=\"waits\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect class=\"stripe\" width=\"2.5\" height=\"5\"/></pattern>\
         <pattern id=\"gap\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(-45)\"><rect class=\"hatch\" width=\"1.5\" height=\"7\"/></pattern></defs>"
    );
    grid(&mut out, &scale, height, from, to);
    for (number, row) in rows.iter().take(drawn).enumerate() {
        let y = TOP + ROW * i64::try_from(number).unwrap_or(0);
        self::row(&mut out, report, &scale, row, y);
    }
    gaps(&mut out, report, &scale, height);
    out.push_str("</svg>");
    if rows.len() > drawn {
        let _ = write!(out, "<p>{} more subjects are not drawn.</p>", rows.len() - drawn);
    }
    out
}

fn grid(out: &mut String, scale: &Scale, height: i64, from: Timestamp, to: Timestamp) {
    let days = words::date_and_time(from).get(..10) != words::date_and_time(to).get(..10);
    for part in 0..=TICKS {
        let time = scale.time(part);
        let x = scale.x(time);
        let label = words::date_and_time(time);
        let label = if days { label.get(5..16) } else { label.get(11..19) }.unwrap_or_default();
        let anchor = if part == TICKS { "end" } else { "middle" };
        let (x, y) = (tenths(x), TOP - 6);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{x}\" x2=\"{x}\" y1=\"{y}\" y2=\"{height}\"/><text x=\"{x}\" y=\"12\" text-anchor=\"{anchor}\">{label}</text>"
        );
    }
}

fn row(out: &mut String, report: &Report, scale: &Scale, row: &[&Lane], y: i64) {
    let Some(first) = row.first() else { return };
    let hit = row.iter().any(|lane| lane.hit);
    let name = plain(&first.subject);
    let shown: String =
        if name.chars().count() > MAX_NAME { name.chars().take(MAX_NAME - 1).chain(['…']).collect() } else { name.clone() };
    let class = if hit { " class=\"hit\"" } else { "" };
    let _ = write!(
        out,
        "<text x=\"4\" y=\"{}\"{class}>{}<title>{} on {}</title></text>",
        y + 13,
        safe(&shown),
        safe(&name),
        safe(&first.source)
    );
    for told in &report.incidents {
        let incident = &told.incident;
        if incident.source == first.source && incident.subject == first.subject {
            let (a, b) = (scale.x(incident.start), scale.x(incident.end.unwrap_or(report.manifest.as_of)));
            let _ = write!(
                out,
                "<rect class=\"during\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"3\"><title>{}</title></rect>",
                tenths(a),
                y + BAR + 3,
                tenths((b - a).max(10)),
                safe(&format!("incident: {}", incident.title))
            );
        }
    }
    // What is only made lies under what runs.
    for created in [true, false] {
        for lane in row {
            spans(out, report, scale, lane, y, created);
        }
    }
    for lane in row {
        marks(out, scale, lane, y);
    }
}

fn spans(out: &mut String, report: &Report, scale: &Scale, lane: &Lane, y: i64, created: bool) {
    let end = report.manifest.until;
    let seen = |span: &&Span| span.from <= end && span.to.is_none_or(|to| to >= report.manifest.since);
    let mut narrow: Vec<&Span> = Vec::new();
    for span in lane.spans.iter().filter(seen).filter(|span| (span.run == Run::Created) == created) {
        let wide = scale.x(span.to.unwrap_or(end)) - scale.x(span.from) >= NARROW;
        if wide {
            melted(out, scale, lane, y, &mut narrow, end);
            bar(out, scale, lane, y, span, end);
        } else {
            let far = narrow.first().is_some_and(|first| scale.x(span.from) - scale.x(first.from) > NEAR);
            if far {
                melted(out, scale, lane, y, &mut narrow, end);
            }
            narrow.push(span);
        }
    }
    melted(out, scale, lane, y, &mut narrow, end);
}

fn melted(out: &mut String, scale: &Scale, lane: &Lane, y: i64, narrow: &mut Vec<&Span>, end: Timestamp) {
    match narrow.as_slice() {
        [] => {}
        [one] => bar(out, scale, lane, y, one, end),
        [first, .., last] => {
            let many = Span { from: first.from, to: last.to, run: Run::Changing, inferred: false };
            bar(out, scale, lane, y, &many, end);
        }
    }
    narrow.clear();
}

fn bar(out: &mut String, scale: &Scale, lane: &Lane, y: i64, span: &Span, end: Timestamp) {
    let (a, b) = (scale.x(span.from), scale.x(span.to.unwrap_or(end)));
    // What does not run is thin.
    let (top, height) = match span.run {
        Run::Running | Run::Unhealthy | Run::Paused | Run::Changing => (y, BAR),
        Run::Restarting => (y + 3, BAR - 6),
        Run::Created | Run::Exited => (y + 6, 4),
    };
    let (x, width) = (tenths(a), tenths((b - a).max(8)));
    let title = format!("{}: {}", lane.container, said(span));
    let _ = write!(
        out,
        "<rect class=\"{}\" x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"><title>{}</title></rect>",
        span.run.class(),
        safe(&title)
    );
    if span.run == Run::Restarting {
        let _ =
            write!(out, "<rect fill=\"url(#waits)\" pointer-events=\"none\" x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"/>");
    }
}

/// A state in words.
pub(super) fn said(span: &Span) -> String {
    let inferred = if span.inferred { " (before the first record that was read)" } else { "" };
    match span.to {
        Some(to) => format!("{} {}{inferred}", span.run.name(), words::range(span.from, to)),
        None => format!("{} since {}{inferred}", span.run.name(), words::date_and_time(span.from)),
    }
}

fn marks(out: &mut String, scale: &Scale, lane: &Lane, y: i64) {
    for (what, sign) in SIGNS {
        let mut last: Option<(i64, String, u64)> = None;
        for mark in lane.marks.iter().filter(|mark| mark.what == what) {
            let x = scale.x(mark.time);
            match &mut last {
                Some((at, _, more)) if x - *at < NEAR => *more += 1,
                _ => {
                    sign_at(out, last.take(), what, sign, y);
                    last = Some((x, format!("{}: {}", words::clock(mark.time), mark.text), 0));
                }
            }
        }
        sign_at(out, last, what, sign, y);
    }
}

/// Signs of classes of marks; later ones lie over earlier ones.
pub(super) const SIGNS: [(&str, &str); 6] =
    [("stop", "■"), ("start", "↻"), ("health", "♥"), ("failure", "✕"), ("oom", "◆"), ("change", "▼")];

fn sign_at(out: &mut String, at: Option<(i64, String, u64)>, what: &str, sign: &str, y: i64) {
    let Some((x, text, more)) = at else { return };
    let more = if more == 0 { String::new() } else { format!(", and {more} more near it") };
    let y = if what == "change" { y + 6 } else { y + 13 };
    let _ = write!(
        out,
        "<text class=\"mark {what}\" x=\"{}\" y=\"{y}\" text-anchor=\"middle\">{sign}<title>{}</title></text>",
        tenths(x),
        safe(&format!("{text}{more}"))
    );
}

fn gaps(out: &mut String, report: &Report, scale: &Scale, height: i64) {
    for gap in &report.manifest.gaps {
        let Some(until) = gap.until else { continue };
        let (a, b) = (scale.x(gap.from.unwrap_or(until)), scale.x(until));
        let _ = write!(
            out,
            "<rect fill=\"url(#gap)\" x=\"{}\" y=\"{TOP}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>",
            tenths(a),
            tenths((b - a).max(30)),
            height - TOP,
            safe(&format!("events of {} may be missing: {}", gap.source, gap.reason))
        );
    }
}
