//! Incidents in sentences that fit a terminal.

use super::asked::rank;
use super::extent::date;
use crate::cli::escape::escape;
use crate::projection::incidents::{Across, Difference};
use crate::report::{duration, how_it_ended, unsaid};
use crate::time::{Timestamp, Tz};
use anstyle::{AnsiColor, Style};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Columns of a line, at most.
const COLUMNS: usize = 100;
/// Where sentences begin.
pub(super) const INDENT: usize = 10;
/// Causes that are named; a report names all.
const MAX_CAUSES: usize = 4;
/// Hosts of one trouble that are named; JSON has all.
const MAX_HOSTS: usize = 8;
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
    subject: String,
    subjects: Vec<Part>,
    containers: Vec<String>,
    start: String,
    end: Option<String>,
    next_start: Option<String>,
    cause: Vec<Cause>,
    actions: Vec<Action>,
    confidence: String,
    qualified: Vec<String>,
    /// The same on other hosts: each with its id.
    #[serde(skip)]
    elsewhere: Vec<(String, String)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    key: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cause {
    kind: String,
    time: Option<String>,
    text: String,
    changes: Vec<Difference>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Action {
    time: Option<String>,
    changes: Vec<Difference>,
}

impl Told {
    /// What it can be asked for by, besides its id.
    pub(super) fn about(&self) -> impl Iterator<Item = &str> {
        [&self.subject].into_iter().chain(&self.containers).chain(self.subjects.iter().map(|part| &part.key)).map(String::as_str)
    }

    /// Whether it may be what somebody wrote in the place of its id: a part of that, or a subject.
    pub(super) fn may_be(&self, text: &str) -> bool {
        let end = |id: &str| id.split_once('-').map_or_else(|| id.to_owned(), |(_, end)| end.to_owned());
        let without = |end: &str| end.trim_end_matches(|c: char| c.is_ascii_lowercase()).to_owned();
        let (own, asked) = (end(&self.id), end(text));
        !asked.is_empty() && (own == asked || without(&own) == asked || self.about().any(|name| is_part(name, text)))
    }

    /// Its id, and what it is.
    pub(super) fn name(&self) -> String {
        format!("{} ({} of {})", self.id, self.kind, self.subject)
    }

    /// Tells the same trouble on several hosts as one.
    pub(super) fn across(mut all: Vec<Self>, groups: &[Across]) -> Vec<Self> {
        for group in groups {
            let (Some((first, rest)), severity) = (group.incidents.split_first(), name_of(group.severity)) else { continue };
            all.retain(|one| !rest.contains(&one.id));
            let Some(one) = all.iter_mut().find(|one| one.id == *first) else { continue };
            (one.title, one.severity, one.state) = (group.title.clone(), severity, name_of(group.state));
            one.end = group.end.map(|end| end.to_string());
            one.elsewhere = group.sources.iter().zip(&group.incidents).skip(1).map(|(source, id)| (source.clone(), id.clone())).collect();
        }
        all
    }

    /// Its kind, as it is read.
    fn kind(&self) -> &str {
        if self.kind == "mass" { "mass failure" } else { &self.kind }
    }
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
        let sentences = [self.lasting(told), self.causes(told), Some(evidence(told)), elsewhere(told)];
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
                let acts = told.actions.iter().filter(|act| act.time.as_deref().and_then(time).is_none_or(|at| at <= end));
                let causes = told.cause.iter().map(|cause| cause.changes.as_slice());
                let acts: Vec<&[Difference]> = causes.chain(acts.map(|act| act.changes.as_slice())).collect();
                let many = told.kind == "mass";
                let how = how_it_ended(told.resolution.as_deref().unwrap_or_default(), many, told.down, &acts);
                format!("{began}; {} later, at {}, {how}.", duration(end.since(start)), self.clock(start, end))
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
        // In order of time; a cause without one is the last.
        let mut all: Vec<&Cause> = told.cause.iter().collect();
        all.sort_by_key(|cause| cause.time.as_deref().and_then(time).unwrap_or(Timestamp::MAX));
        for cause in all {
            let cause = said(cause);
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        let more = causes.len().saturating_sub(MAX_CAUSES);
        causes.truncate(MAX_CAUSES);
        if more > 0 {
            causes.push(format!("and {more} more {}", if more == 1 { "cause" } else { "causes" }));
        }
        let unsaid = unsaid(told.cause.iter().map(|cause| (cause.kind.as_str(), cause.text.as_str())), told.kind == "mass", "look at");
        let unsaid = unsaid.map_or_else(String::new, |unsaid| format!(" {unsaid}"));
        (!causes.is_empty()).then(|| format!("What events say: {}.{unsaid}", causes.join("; ")))
    }

    pub(super) fn date(&self, time: Timestamp) -> String {
        date(time, self.zone)
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
        let is_removed = |one: &&Told| rank(&one.severity) > 0 && one.state == "closed" && one.resolution.as_deref() == Some("removed");
        let removed = told.iter().filter(is_removed).count();
        let only = match (incidents, removed) {
            (_, 0) => String::new(),
            (1, _) => " only because what failed was removed".to_owned(),
            (many, removed) if many == removed => " (only because what failed was removed)".to_owned(),
            (_, removed) => format!(" ({removed} of them only because what failed was removed)"),
        };
        let mut parts = vec![match (incidents, open) {
            (0, _) => "No incident".to_owned(),
            (1, 0) => format!("1 incident, which is over{only}"),
            (1, _) => "1 incident, which is open".to_owned(),
            (many, 0) => format!("{many} incidents, all over{only}"),
            (many, open) => format!("{many} incidents, {open} of them open"),
        }];
        let counted = |count: u64| if count == 1 { "1 notice".to_owned() } else { format!("{count} notices") };
        if notices > 0 {
            parts.push(counted(notices as u64));
        } else if notices_unseen > 0 {
            parts.push(format!("{} (--severity notice shows them)", counted(notices_unseen)));
        }
        let text = format!("{}; as of {}.", parts.join("; "), self.date(self.as_of));
        let next = "One of them in full: shipslog report ID, with the same --file, --data-dir or --url.";
        let next = (!told.is_empty()).then(|| next.to_owned());
        [text].into_iter().chain(next).flat_map(|line| wrap(&line, COLUMNS)).map(|line| line + "\n").collect()
    }
}

fn evidence(told: &Told) -> String {
    let rests = if told.confidence == "qualified" {
        let reasons: Vec<&str> = told.qualified.iter().take(MAX_REASONS).map(String::as_str).collect();
        format!("The evidence may be incomplete: {}.", reasons.join("; "))
    } else {
        "No event is known to be missing.".to_owned()
    };
    format!("{rests} {} on {}, {}", told.kind(), told.source, told.id)
}

/// The other hosts of the same trouble.
fn elsewhere(told: &Told) -> Option<String> {
    let named: Vec<String> = told.elsewhere.iter().take(MAX_HOSTS).map(|(source, id)| format!("{source} ({id})")).collect();
    let more = told.elsewhere.len().saturating_sub(MAX_HOSTS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!named.is_empty()).then(|| format!("Also on {}{more}.", named.join(", ")))
}

/// As it is written in JSON.
fn name_of(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn time(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text, Timestamp::MIN).ok()
}

pub(super) fn wrapped(text: &str) -> Vec<String> {
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

/// Whether one name is the end of another: `api` of `shop/api`, and of `shop/api/2`.
pub(super) fn is_part(name: &str, part: &str) -> bool {
    name.split('/').any(|one| one.eq_ignore_ascii_case(part)) || name.eq_ignore_ascii_case(part)
}

#[cfg(test)]
mod tests;
