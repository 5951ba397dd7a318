//! The lanes of a report as a drawing, in the signs of the live page. Shape tells apart what colour does,
//! each part has a title, and the tables beside it say the same. Nothing in a report can measure a screen, so
//! there is a drawing for each of three widths, and the style shows one.

use super::marks;
use super::model::{Lane, Report, Run, Span};
use super::safe::{html as safe, plain};
use super::scale::{Scale, tenths};
use super::words;
use crate::projection::incidents::{Severity, Standing};
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Subjects that are drawn; the table has the others, too.
const MAX_DRAWN: usize = 40;
/// Of these, subjects that no incident is about.
const MAX_QUIET: usize = 12;
/// Layout, in units of the drawing.
const TOP: i64 = 22;
/// A bar and its marks.
const BAR: i64 = 20;
/// Between two rows.
const APART: i64 = 3;
/// A name above its bar.
const NAME: i64 = 14;
/// Units from which on a bar has room for a word, in tenths.
const WORD: i64 = 500;
/// States narrower than this, in tenths, melt with their neighbours.
const NARROW: i64 = 20;
/// These melt no farther than this, in tenths.
const NEAR: i64 = 70;

/// One of the drawings.
struct Layout {
    class: &'static str,
    width: i64,
    /// Room for names at the left; none where they stand above their bars.
    left: i64,
    /// Parts of the axis.
    ticks: i64,
    /// Characters of a name.
    name: usize,
}

const LAYOUTS: [Layout; 3] = [
    Layout { class: "wide", width: 1000, left: 190, ticks: 5, name: 27 },
    Layout { class: "mid", width: 640, left: 140, ticks: 4, name: 19 },
    Layout { class: "narrow", width: 340, left: 0, ticks: 3, name: 46 },
];

impl Layout {
    fn pitch(&self) -> i64 {
        BAR + APART + self.above()
    }

    fn above(&self) -> i64 {
        if self.left == 0 { NAME } else { 0 }
    }
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

/// What a bar looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Running,
    Restarting,
    Looping,
    Down,
    Unhealthy,
    Paused,
    Ended,
    Changing,
}

impl Look {
    /// In the words of the page.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Running => "runs",
            Self::Restarting => "waits to be started",
            Self::Looping => "starts and fails",
            Self::Down => "down",
            Self::Unhealthy => "unhealthy",
            Self::Paused => "paused",
            Self::Ended => "ended, or not started",
            Self::Changing => "starts and ends often",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restarting | Self::Looping => "waiting",
            Self::Down => "down",
            Self::Unhealthy => "unhealthy",
            Self::Paused => "paused",
            Self::Ended => "ended",
            Self::Changing => "changing",
        }
    }

    /// Of a failure that nothing has followed, or of an end that was asked for.
    fn of(lane: &Lane, span: &Span) -> Self {
        let failed = || lane.marks.iter().any(|mark| mark.time == span.from && matches!(mark.what, "failure" | "oom"));
        match span.run {
            Run::Running => Self::Running,
            Run::Restarting => Self::Restarting,
            Run::Unhealthy => Self::Unhealthy,
            Run::Paused => Self::Paused,
            Run::Exited if failed() => Self::Down,
            Run::Exited | Run::Created => Self::Ended,
            Run::Changing => Self::Changing,
        }
    }

    /// Of several that have no room.
    fn of_many(lane: &Lane, many: &[&Span]) -> Self {
        let looks: Vec<Self> = many.iter().map(|span| Self::of(lane, span)).collect();
        if looks.iter().any(|look| matches!(look, Self::Restarting | Self::Down)) {
            return Self::Looping;
        }
        [Self::Unhealthy, Self::Running].into_iter().find(|look| looks.contains(look)).unwrap_or(Self::Ended)
    }

    /// The outline from `x` on, `y` at the upper edge of a row; in units.
    pub(super) fn path(self, x: &str, y: i64, width: &str) -> String {
        let bar = |top: &str, height: i64| format!("M{x} {top}h{width}v{height}h-{width}z");
        match self {
            Self::Running | Self::Changing => bar(&(y + 8).to_string(), 4),
            Self::Restarting | Self::Looping => bar(&(y + 5).to_string(), 10),
            Self::Down => bar(&format!("{}.5", y + 4), 12),
            Self::Unhealthy => bar(&(y + 6).to_string(), 8),
            Self::Paused => bar(&(y + 6).to_string(), 2) + &bar(&(y + 11).to_string(), 2),
            Self::Ended => format!("M{x} {}h{width}", y + 10),
        }
    }

    /// An element of it.
    pub(super) fn draw(self, out: &mut String, x: &str, y: i64, width: &str, title: &str) {
        let (class, d) = (self.class(), self.path(x, y, width));
        let _ = write!(out, "<path class=\"{class}\" d=\"{d}\">{title}</path>");
    }
}

/// A drawing for each width; nothing where there is nothing to draw. What it shows goes to `seen`.
pub(super) fn write(report: &Report, seen: &mut BTreeSet<Look>) -> String {
    let rows = rows(&report.lanes);
    if rows.is_empty() {
        return String::new();
    }
    let hit = rows.iter().filter(|row| row.iter().any(|lane| lane.hit)).count();
    let drawn = rows.len().min(hit + MAX_QUIET).min(MAX_DRAWN);
    // What is not shown cannot lend its patterns, so that these stand apart.
    let mut out = "<svg class=\"defs\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\
         <pattern id=\"waits\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\"><rect class=\"stripe\" width=\"1.5\" height=\"4\"/></pattern>\
         <pattern id=\"often\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\"><rect class=\"running\" width=\"2.5\" height=\"4\"/></pattern>\
         <pattern id=\"gap\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
         <rect class=\"lost\" width=\"8\" height=\"8\"/><rect class=\"hatch\" width=\"1\" height=\"8\"/></pattern></defs></svg>"
        .to_owned();
    for layout in &LAYOUTS {
        drawing(&mut out, report, rows.get(..drawn).unwrap_or(&rows), layout, seen);
    }
    if rows.len() > drawn {
        let _ = write!(out, "<p>{} more subjects are not drawn.</p>", rows.len() - drawn);
    }
    out
}

fn drawing(out: &mut String, report: &Report, rows: &[Vec<&Lane>], layout: &Layout, seen: &mut BTreeSet<Look>) {
    let (from, to) = (report.manifest.since, report.manifest.until);
    let scale = Scale::new(from.nanos(), to.nanos(), (layout.left * 10, (layout.width - 2) * 10));
    let height = TOP + layout.pitch() * i64::try_from(rows.len()).unwrap_or(0);
    let (class, width, count) = (layout.class, layout.width, rows.len());
    let _ = write!(
        out,
        "<svg class=\"lanes {class}\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"States of the containers of {count} subjects over time; the tables below say the same\">"
    );
    bands(out, report, &scale, height);
    grid(out, &scale, layout, height, (from, to));
    for (number, row) in rows.iter().enumerate() {
        let y = TOP + layout.pitch() * i64::try_from(number).unwrap_or(0);
        self::row(out, report, &scale, layout, row, y, seen);
    }
    out.push_str("</svg>");
}

/// Incidents, over all rows.
fn bands(out: &mut String, report: &Report, scale: &Scale, height: i64) {
    for incident in report.incidents.iter().map(|told| &told.incident).filter(|incident| incident.severity > Severity::Notice) {
        let (a, b) = (scale.x(incident.start), scale.x(incident.end.unwrap_or(report.manifest.as_of)));
        let (x, width, height) = (tenths(a), tenths((b - a).max(20)), height - TOP + 4);
        let over = if incident.state == Standing::Closed { " over" } else { "" };
        let y = TOP - 4;
        let _ = write!(
            out,
            "<rect class=\"during\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"><title>{}</title></rect>\
             <path class=\"edge{over}\" d=\"M{x} {y}v{height}\"/>",
            safe(&format!("incident: {}", super::people::headline(incident)))
        );
        if incident.end.is_some() {
            let _ = write!(out, "<path class=\"edge{over}\" d=\"M{} {y}v{height}\"/>", tenths(b.max(a + 20)));
        }
    }
}

fn grid(out: &mut String, scale: &Scale, layout: &Layout, height: i64, (from, to): (Timestamp, Timestamp)) {
    let days = words::date_and_time(from).get(..10) != words::date_and_time(to).get(..10);
    for part in 0..=layout.ticks {
        let time = scale.time(part, layout.ticks);
        let label = words::date_and_time(time);
        let label = if days { label.get(5..16) } else { label.get(11..19) }.unwrap_or_default();
        let anchor = match part {
            0 if layout.left == 0 => "start",
            part if part == layout.ticks => "end",
            _ => "middle",
        };
        let (x, y) = (tenths(scale.x(time)), TOP - 6);
        let _ =
            write!(out, "<path class=\"grid\" d=\"M{x} {y}V{height}\"/><text x=\"{x}\" y=\"12\" text-anchor=\"{anchor}\">{label}</text>");
    }
}

fn row(out: &mut String, report: &Report, scale: &Scale, layout: &Layout, row: &[&Lane], y: i64, seen: &mut BTreeSet<Look>) {
    let Some(first) = row.first() else { return };
    let class = if row.iter().any(|lane| lane.hit) { "name hit" } else { "name" };
    let name = plain(&first.subject);
    let at = y + if layout.left == 0 { 11 } else { 14 };
    let shown = safe(&cut(&name, layout.name));
    let _ =
        write!(out, "<text x=\"2\" y=\"{at}\" class=\"{class}\">{shown}<title>{} on {}</title></text>", safe(&name), safe(&first.source));
    let y = y + layout.above();
    let marks = marks::melted(scale, row);
    let mut words: Vec<i64> = Vec::new();
    // What is only made lies under what runs.
    for created in [true, false] {
        for lane in row {
            for (look, x, width, title) in spans(report, scale, lane, created) {
                seen.insert(look);
                look.draw(out, &tenths(x), y, &tenths(width), &format!("<title>{}</title>", safe(&title)));
                let at = if look == Look::Down && width > WORD { marks::word_at(x, x + width, &marks) } else { None };
                // Of several over each other once.
                if let Some(at) = at.filter(|at| !words.iter().any(|word| (word - at).abs() < WORD)) {
                    words.push(at);
                    let _ = write!(out, "<text class=\"word\" x=\"{}\" y=\"{}\">down</text>", tenths(at), y + 14);
                }
            }
        }
    }
    gaps(out, report, scale, &first.source, y);
    marks::draw(out, scale, &marks, y);
}

/// As much of a name as has room.
fn cut(name: &str, most: usize) -> String {
    if name.chars().count() > most { name.chars().take(most - 1).chain(['…']).collect() } else { name.to_owned() }
}

/// What is drawn of the states of a lane: its look, place and width in tenths, and its title.
fn spans(report: &Report, scale: &Scale, lane: &Lane, created: bool) -> Vec<(Look, i64, i64, String)> {
    let end = report.manifest.until;
    let is_seen = |span: &&Span| span.from <= end && span.to.is_none_or(|to| to >= report.manifest.since);
    let mut drawn = Vec::new();
    let mut narrow: Vec<&Span> = Vec::new();
    let melt = |narrow: &mut Vec<&Span>, drawn: &mut Vec<_>| {
        if let (Some(first), Some(last)) = (narrow.first(), narrow.last()) {
            let (a, b) = (scale.x(first.from), scale.x(last.to.unwrap_or(end)));
            let (look, said) = match narrow.as_slice() {
                [one] => (Look::of(lane, one), said(one)),
                many => {
                    let look = Look::of_many(lane, many);
                    (look, format!("{} ({} short states) {}", look.name(), many.len(), words::range(first.from, last.to.unwrap_or(end))))
                }
            };
            drawn.push((look, a, (b - a).max(8), format!("{}: {said}", lane.container)));
        }
        narrow.clear();
    };
    for span in lane.spans.iter().filter(is_seen).filter(|span| (span.run == Run::Created) == created) {
        let is_wide = scale.x(span.to.unwrap_or(end)) - scale.x(span.from) >= NARROW;
        if is_wide || narrow.first().is_some_and(|first| scale.x(span.from) - scale.x(first.from) > NEAR) {
            melt(&mut narrow, &mut drawn);
        }
        narrow.push(span);
        if is_wide {
            melt(&mut narrow, &mut drawn);
        }
    }
    melt(&mut narrow, &mut drawn);
    drawn
}

/// A state in words.
pub(super) fn said(span: &Span) -> String {
    let inferred = if span.inferred { " (before the first record that was read)" } else { "" };
    match span.to {
        Some(to) => format!("{} {}{inferred}", span.run.name(), words::range(span.from, to)),
        None => format!("{} since {}{inferred}", span.run.name(), words::date_and_time(span.from)),
    }
}

fn gaps(out: &mut String, report: &Report, scale: &Scale, source: &str, y: i64) {
    for gap in report.manifest.gaps.iter().filter(|gap| gap.source.is_empty() || gap.source == source) {
        let Some(until) = gap.until else { continue };
        let (a, b) = (scale.x(gap.from.unwrap_or(until)), scale.x(until));
        let _ = write!(
            out,
            "<rect class=\"gap\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{BAR}\"><title>{}</title></rect>",
            tenths(a),
            tenths((b - a).max(20)),
            safe(&format!("events of {} may be missing: {}", gap.source, gap.reason))
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_so_much_room() {
        for Layout { name, .. } in LAYOUTS {
            let fits = "é".repeat(name);
            assert_eq!(cut(&fits, name), fits);
            assert_eq!(cut(&format!("{fits}x"), name), format!("{}…", "é".repeat(name - 1)));
        }
    }
}
