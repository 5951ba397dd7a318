//! Marks of a drawing as on the live page: a shape and a letter each. Marks that would lie over each other
//! are one, with their number. `src/ui/spans.js` does the same.

use super::model::{Lane, Mark};
use super::people;
use super::safe::html as safe;
use super::scale::{Scale, tenths};
use super::words;
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

/// Width of a mark, of a digit, and of what is around its number, in tenths of a unit.
const MARK: i64 = 140;
const DIGIT: i64 = 70;
const AROUND: i64 = 40;
/// A mark farther from its time than this, in tenths, has a line that leads there.
const LEAD: i64 = 30;
/// Room for the word in a bar, in tenths.
const WORD: i64 = 340;
/// A death that follows a lack of memory within this time is the same failure.
const OF_OOM: Duration = Duration::from_secs(5);
/// Texts that the title of one mark has.
const MAX_TEXTS: usize = 3;
/// Classes of marks, those first that keep their place.
const ORDER: [&str; 5] = ["failure", "oom", "change", "health", "stop"];

/// Marks that are drawn as one.
#[derive(Debug, Clone)]
pub(super) struct Drawn<'a> {
    pub(super) what: &'static str,
    /// In tenths.
    pub(super) x: i64,
    pub(super) width: i64,
    of: Vec<&'a Mark>,
}

/// What is drawn of the marks of one row.
pub(super) fn melted<'a>(scale: &Scale, row: &[&'a Lane]) -> Vec<Drawn<'a>> {
    let told = told(row);
    let mut placed: Vec<Drawn<'a>> = Vec::new();
    for what in ORDER {
        let mut alike: Vec<Drawn<'a>> = Vec::new();
        for mark in told.iter().filter(|mark| mark.what == what) {
            let at = scale.x(mark.time) - MARK / 2;
            let x = at.clamp(scale.left(), scale.right() - MARK);
            match alike.last_mut() {
                Some(last) if x < last.x + last.width => {
                    last.of.push(mark);
                    last.width = width(what, last.of.len());
                }
                _ => alike.push(Drawn { what, x, width: width(what, 1), of: vec![mark] }),
            }
        }
        for mut mark in alike {
            if give_way(scale, &mut mark, &placed) {
                placed.push(mark);
            }
        }
    }
    placed.sort_by_key(|mark| mark.x);
    placed
}

/// Moves a mark to the left of those that it would lie over, or to the right of them where the drawing
/// begins; whether there is a place for it.
fn give_way(scale: &Scale, mark: &mut Drawn<'_>, placed: &[Drawn<'_>]) -> bool {
    mark.x = mark.x.min(scale.right() - mark.width).max(scale.left());
    let (own, width) = (mark.x, mark.width);
    let met = |x: i64| placed.iter().filter(move |one| x < one.x + one.width && one.x < x + width);
    // What was asked for gives way to all.
    if mark.what == "stop" {
        return met(own).next().is_none();
    }
    let (mut before, mut after) = (own, own);
    while let Some(x) = met(before).map(|one| one.x - width).min() {
        before = x;
    }
    while let Some(x) = met(after).map(|one| one.x + one.width).max() {
        after = x;
    }
    mark.x = if before >= scale.left() { before } else { after };
    mark.x + width <= scale.right()
}

/// What happened in a row, in order of time: a lack of memory and its death are one, and what is made first
/// is no change.
fn told<'a>(row: &[&'a Lane]) -> Vec<&'a Mark> {
    let mut told: Vec<&Mark> = Vec::new();
    let began = row.iter().filter_map(|lane| lane.spans.first()).map(|span| span.from).min().unwrap_or(Timestamp::MIN);
    for lane in row {
        let mut oom: Option<Timestamp> = None;
        for mark in &lane.marks {
            let is_of_oom = mark.what == "failure" && oom.is_some_and(|oom| mark.time.since(oom) <= OF_OOM);
            oom = (mark.what == "oom").then_some(mark.time);
            let is_first = mark.what == "change" && mark.time <= began;
            if !is_of_oom && !is_first {
                told.push(mark);
            }
        }
    }
    told.sort_by_key(|mark| mark.time);
    told
}

fn width(what: &str, n: usize) -> i64 {
    let digits = i64::try_from(n.to_string().len()).unwrap_or(1);
    match (what, n) {
        (_, 2..) => MARK + AROUND + DIGIT * digits,
        ("oom", _) => MARK + 30,
        _ => MARK,
    }
}

/// Draws them, `y` at the upper edge of their row.
pub(super) fn draw(out: &mut String, scale: &Scale, marks: &[Drawn<'_>], y: i64) {
    for mark in marks {
        let Some(first) = mark.of.first() else { continue };
        let at = scale.x(first.time);
        if (at - at.clamp(mark.x, mark.x + mark.width)).abs() > LEAD {
            let (from, y) = (tenths(mark.x + mark.width / 2), y + 17);
            let _ = write!(out, "<path class=\"lead {}\" d=\"M{from} {y}v1.5H{}v1.5\"/>", mark.what, tenths(at));
        }
        let _ = write!(out, "<g transform=\"translate({} {})\">", tenths(mark.x), y + 3);
        glyph(out, mark.what, mark.width, mark.of.len());
        let _ = write!(out, "<title>{}</title></g>", safe(&said(mark)));
    }
}

/// The shape and the letter.
fn glyph(out: &mut String, what: &str, width: i64, n: usize) {
    let letter = people::letter(what).map_or("", |(letter, _)| letter);
    let _ = write!(out, "<g class=\"mark {what}\">");
    let (w, inner, half) = (tenths(width), tenths(width - 10), tenths((width - 10) / 2));
    let _ = match what {
        "oom" => write!(out, "<path d=\"M5 0h{}l5 7-5 7h-{}l-5-7z\"/>", tenths(width - 100), tenths(width - 100)),
        "health" => write!(out, "<rect width=\"{w}\" height=\"14\" rx=\"7\"/>"),
        "change" => write!(out, "<path d=\"M.5 0h{inner}v9l-{half} 5-{half}-5z\"/>"),
        "deaf" | "stop" => write!(out, "<rect x=\".5\" y=\".5\" width=\"{inner}\" height=\"13\" rx=\"6.5\"/>"),
        "recorder" => write!(out, "<rect x=\".5\" y=\".5\" width=\"{inner}\" height=\"13\"/>"),
        _ => write!(out, "<rect width=\"{w}\" height=\"14\" rx=\"2\"/>"),
    };
    let count = if n > 1 { format!(" {n}") } else { String::new() };
    let _ = write!(out, "<text x=\"{}\" y=\"10.5\" text-anchor=\"middle\">{letter}{count}</text></g>", tenths(width / 2));
}

/// A mark that stands in a text.
pub(super) fn inline(what: &str) -> String {
    let width = width(what, 1);
    let w = tenths(width);
    let mut out = format!("<svg class=\"sign\" width=\"{w}\" height=\"14\" viewBox=\"0 0 {w} 14\" aria-hidden=\"true\">");
    glyph(&mut out, what, width, 1);
    out.push_str("</svg>");
    out
}

fn said(mark: &Drawn<'_>) -> String {
    let (Some(first), Some(last)) = (mark.of.first(), mark.of.last()) else { return String::new() };
    if mark.of.len() == 1 {
        return format!("{}: {}", words::clock(first.time), first.text);
    }
    let texts: BTreeSet<&str> = mark.of.iter().map(|mark| mark.text.as_str()).collect();
    let more = if texts.len() > MAX_TEXTS { "; …" } else { "" };
    let texts: Vec<&str> = texts.into_iter().take(MAX_TEXTS).collect();
    format!("{} to {}: {} times: {}{more}", words::clock(first.time), words::clock(last.time), mark.of.len(), texts.join("; "))
}

/// Where the word of a bar has room, beside the marks; in tenths.
pub(super) fn word_at(from: i64, until: i64, marks: &[Drawn<'_>]) -> Option<i64> {
    let mut at = from + MARK;
    for mark in marks {
        if mark.x < at + WORD && at < mark.x + mark.width {
            at = mark.x + mark.width + 30;
        }
    }
    (at + WORD <= until).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(marks: &[(i64, &'static str)]) -> Lane {
        let mark = |(at, what): &(i64, &'static str)| Mark {
            time: Timestamp::from_nanos(*at),
            record: "7f3c9a1e-1".into(),
            what,
            text: format!("{what}!"),
        };
        let of = "x".to_owned();
        Lane {
            source: of.clone(),
            subject: of.clone(),
            container: of,
            hit: true,
            spans: Vec::new(),
            marks: marks.iter().map(mark).collect(),
            more_marks: 0,
        }
    }

    #[test]
    fn marks_that_would_lie_over_each_other_are_one_and_none_overlaps() {
        let scale = Scale::new(0, 10_000, (1000, 11_000));
        let lane = lane(&[(0, "stop"), (5, "change"), (10, "failure"), (20, "failure"), (30, "failure"), (9000, "oom"), (9001, "failure")]);
        let drawn = melted(&scale, &[&lane]);
        let of: Vec<(&str, usize)> = drawn.iter().map(|mark| (mark.what, mark.of.len())).collect();
        assert_eq!(of, [("failure", 3), ("change", 1), ("oom", 1)], "an oom and its death are one, and a stop gives way");
        assert!(drawn.windows(2).all(|two| two[0].x + two[0].width <= two[1].x), "{drawn:?}");
        assert!(drawn.iter().all(|mark| mark.x >= 1000 && mark.x + mark.width <= 11_000), "{drawn:?}");
        let mut out = String::new();
        draw(&mut out, &scale, &drawn, 0);
        assert!(out.contains(">X 3</text>") && out.contains(">C</text>") && out.contains(">M</text>"), "{out}");
        assert!(out.contains("3 times: failure!</title>") && out.contains("class=\"lead change\""), "{out}");
    }
}
