//! Incidents in sentences that fit a terminal.

use super::asked::rank;
use crate::cli::escape::escape;
use crate::report::duration;
use crate::time::{Timestamp, Tz};
use anstyle::{AnsiColor, Style};
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Columns of a line, at most.
const COLUMNS: usize = 100;
/// Where sentences begin.
const INDENT: usize = 10;
/// Causes that are named; a report names all.
const MAX_CAUSES: usize = 4;
/// Reasons why something may be missing that are named.
const MAX_REASONS: usize = 3;

/// An incident, as far as it is told. What is not there is not said, so that other versions can be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    id: String,
    kind: String,
    pub(super) severity: String,
    pub(super) state: String,
    resolution: Option<String>,
    down: bool,
    title: String,
    source: String,
    start: String,
    end: Option<String>,
    next_start: Option<String>,
    cause: Vec<Cause>,
    confidence: String,
    qualified: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cause {
    time: Option<String>,
    text: String,
}

/// Tells incidents in a zone, as of a time.
pub(super) struct Teller {
    pub(super) zone: Tz,
    pub(super) as_of: Timestamp,
}

impl Teller {
    /// One incident, with its line ends.
    pub(super) fn tell(&self, told: &Told) -> String {
        let style = match told.severity.as_str() {
            "critical" | "major" => AnsiColor::Red.on_default().bold(),
            "minor" => AnsiColor::Yellow.on_default().bold(),
            _ => Style::new().dimmed(),
        };
        let mut out = String::new();
        let severity: String = escape(&told.severity).chars().take(INDENT - 1).collect();
        let lines = wrapped(&told.title);
        let (first, rest) = lines.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let _ = writeln!(out, "{style}{severity:<INDENT$}{style:#}{first}");
        let sentences = [self.lasting(told), self.causes(told), Some(evidence(told))];
        let sentences = sentences.into_iter().flatten().flat_map(|sentence| wrapped(&sentence));
        for line in rest.iter().cloned().chain(sentences) {
            let _ = writeln!(out, "{:INDENT$}{line}", "");
        }
        out
    }

    /// Since when, how long and how it ended.
    fn lasting(&self, told: &Told) -> Option<String> {
        let start = time(&told.start)?;
        let began = format!("It began at {}", self.date(start));
        let text = match told.end.as_deref().and_then(time) {
            Some(end) if end <= start => format!("It happened at {}.", self.date(start)),
            Some(end) => {
                let how = match told.resolution.as_deref() {
                    Some("recovered") => "recovered by itself or by its restart policy",
                    Some("restarted") => "was well after a restart through the API",
                    Some("redeployed") => "was well after it was made again",
                    Some("stopped") => "was stopped",
                    Some("removed") => "was removed",
                    _ => "was over",
                };
                format!("{began}; {} later, at {}, it {how}.", duration(end.since(start)), self.clock(start, end))
            }
            None => {
                let so_far = duration(self.as_of.since(start));
                let state = match (told.state.as_str(), told.down) {
                    ("recovering", _) => "is recovering",
                    (_, true) => "is down",
                    _ => "goes on",
                };
                let next = told.next_start.as_deref().and_then(time);
                let next = next.map_or_else(String::new, |next| format!("; the next start is due at {}", self.clock(start, next)));
                format!("{began} and {state}, for {so_far} so far{next}.")
            }
        };
        Some(text)
    }

    fn causes(&self, told: &Told) -> Option<String> {
        let start = time(&told.start);
        let said = |cause: &Cause| match cause.time.as_deref().and_then(time).zip(start) {
            Some((at, start)) => format!("at {} {}", self.clock(start, at), cause.text),
            None => cause.text.clone(),
        };
        let mut causes: Vec<String> = Vec::new();
        for cause in &told.cause {
            let cause = said(cause);
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        let more = causes.len().saturating_sub(MAX_CAUSES);
        causes.truncate(MAX_CAUSES);
        if more > 0 {
            causes.push(format!("and {more} more"));
        }
        (!causes.is_empty()).then(|| format!("What events say: {}.", causes.join("; ")))
    }

    pub(super) fn date(&self, time: Timestamp) -> String {
        time.to_datetime().with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S%:z").to_string()
    }

    /// The time of day, with its day where that is another one.
    fn clock(&self, near: Timestamp, time: Timestamp) -> String {
        let of = |time: Timestamp| time.to_datetime().with_timezone(&self.zone);
        if of(near).date_naive() == of(time).date_naive() { of(time).format("%H:%M:%S").to_string() } else { self.date(time) }
    }

    /// The last line: how many there are.
    pub(super) fn sum(&self, told: &[Told], notices_unseen: u64) -> String {
        let open = told.iter().filter(|one| one.state != "closed" && rank(&one.severity) > 0).count();
        let incidents = told.iter().filter(|one| rank(&one.severity) > 0).count();
        let notices = told.len() - incidents;
        let mut parts = vec![match (incidents, open) {
            (0, _) => "No incident".to_owned(),
            (1, 0) => "1 incident, which is over".to_owned(),
            (1, _) => "1 incident, which is open".to_owned(),
            (many, 0) => format!("{many} incidents, all over"),
            (many, open) => format!("{many} incidents, {open} of them open"),
        }];
        let counted = |count: u64| if count == 1 { "1 notice".to_owned() } else { format!("{count} notices") };
        if notices > 0 {
            parts.push(counted(notices as u64));
        } else if notices_unseen > 0 {
            parts.push(format!("{} (--severity notice shows them)", counted(notices_unseen)));
        }
        let text = format!("{}; as of {}.", parts.join("; "), self.date(self.as_of));
        wrap(&text, COLUMNS).join("\n") + "\n"
    }
}

fn evidence(told: &Told) -> String {
    let rests = if told.confidence == "qualified" {
        let reasons: Vec<&str> = told.qualified.iter().take(MAX_REASONS).map(String::as_str).collect();
        format!("The evidence may be incomplete: {}.", reasons.join("; "))
    } else {
        "The evidence is complete as far as the log knows.".to_owned()
    };
    format!("{rests} {} on {}, {}", told.kind, told.source, told.id)
}

fn time(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text, Timestamp::MIN).ok()
}

fn wrapped(text: &str) -> Vec<String> {
    wrap(text, COLUMNS - INDENT)
}

/// Lines of at most so many characters, broken between words; a longer word is cut.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let text: Cow<'_, str> = escape(text);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let mut word = word;
        loop {
            let length = word.chars().count();
            let space = usize::from(used > 0);
            if used + space + length <= columns {
                if let Some(line) = lines.last_mut() {
                    line.push_str(if used > 0 { " " } else { "" });
                    line.push_str(word);
                }
                used += space + length;
                break;
            }
            if used > 0 {
                lines.push(String::new());
                used = 0;
                continue;
            }
            let cut = word.char_indices().nth(columns).map_or(word.len(), |(at, _)| at);
            let (head, tail) = word.split_at(cut);
            if let Some(line) = lines.last_mut() {
                line.push_str(head);
            }
            lines.push(String::new());
            word = tail;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_none_is_too_long() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("aaaaaaa b", 3), ["aaa", "aaa", "a b"]);
        assert_eq!(wrap("a\u{1b}[2Jb", 20), [r"a\u{1b}[2Jb"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn an_incident_is_told_in_sentences() {
        let teller = Teller { zone: Tz::UTC, as_of: Timestamp::from_nanos(90_000_000_000_000) };
        let mut told = Told {
            id: "0000000a-1c".into(),
            kind: "crash-loop".into(),
            severity: "major".into(),
            state: "open".into(),
            title: "api crashed 3 times".into(),
            source: "host-1".into(),
            start: "1970-01-01T00:00:10.5Z".into(),
            cause: vec![Cause { time: Some("1970-01-01T00:00:09Z".into()), text: "deploy: image a:1 -> a:2".into() }],
            ..Told::default()
        };
        let plain = |told: &Told| anstream::adapter::strip_str(&teller.tell(told)).to_string();
        assert_eq!(
            plain(&told),
            "major     api crashed 3 times\n          It began at 1970-01-01 00:00:10+00:00 and goes on, for 1 d 0 h so far.\n          \
             What events say: at 00:00:09 deploy: image a:1 -> a:2.\n          The evidence is complete as far as the log knows. \
             crash-loop on host-1, 0000000a-1c\n"
        );
        told.end = Some("1970-01-02T00:00:10.5Z".into());
        told.state = "closed".into();
        told.resolution = Some("redeployed".into());
        told.confidence = "qualified".into();
        told.qualified = vec!["events may be missing: ring-overflow".into()];
        let text = plain(&told);
        assert!(text.contains("; 1 d 0 h later, at 1970-01-02 00:00:10+00:00, it was\n          well after it was made again."), "{text}");
        assert!(text.contains("may be incomplete: events may be missing: ring-overflow."), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS));
        assert_eq!(
            teller.sum(&[told], 2),
            "1 incident, which is over; 2 notices (--severity notice shows them); as of 1970-01-02\n01:00:00+00:00.\n"
        );
        assert_eq!(teller.sum(&[], 0), "No incident; as of 1970-01-02 01:00:00+00:00.\n");
    }
}
