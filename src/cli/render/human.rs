//! One line per record for people.

use super::super::escape::escape;
use super::{Missed, RecordLine, at};
use crate::event::EventView;
use crate::time::{Timestamp, Tz};
use anstyle::{AnsiColor, Style};
use chrono::NaiveDate;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Docker's actions may carry whole command lines.
const MAX_ACTION_CHARS: usize = 80;
/// What explains an event, in the order shown.
const DETAILS: [&str; 6] = ["exitCode", "signal", "oldName", "execDuration", "image", "container"];
const COMPOSE_PROJECT: &str = "com.docker.compose.project";
const COMPOSE_SERVICE: &str = "com.docker.compose.service";

pub(in crate::cli) struct Human {
    zone: Tz,
    day: Option<NaiveDate>,
    first_source: Option<String>,
    many_sources: bool,
}

impl Human {
    pub(super) fn new(zone: Tz) -> Self {
        Self { zone, day: None, first_source: None, many_sources: false }
    }

    pub(super) fn name_hosts(&mut self) {
        self.many_sources = true;
    }

    /// A row of what may be missing, marked so that it is not taken for an event.
    pub(super) fn missed(&mut self, missed: &Missed) -> String {
        let style = if missed.is_loss() { AnsiColor::Red } else { AnsiColor::Cyan }.on_default();
        format!("{} {style}! {}{style:#}", self.clock(missed.time), missed.say(self.zone))
    }

    /// The time, with its day where that is another one than in the line before.
    fn clock(&mut self, time: Timestamp) -> String {
        let time = at(self.zone, time);
        let same_day = self.day.replace(time.date_naive()) == Some(time.date_naive());
        time.format(if same_day { "%H:%M:%S%.3f" } else { "%Y-%m-%d %H:%M:%S%.3f" }).to_string()
    }

    pub(super) fn render(&mut self, record: &RecordLine<'_>, event: &EventView<'_>) -> String {
        let mut out = self.clock(record.time());
        // One host needs no column; from the second one on, each line says whose event it is.
        let first = self.first_source.get_or_insert_with(|| record.source.as_ref().to_owned());
        self.many_sources |= first.as_str() != record.source;
        if self.many_sources {
            let _ = write!(out, " {:<8}", escape(&record.source));
        }
        let own = record.is_own(event);
        let style = style(event, own);
        let action = shortened(event.action.as_deref().unwrap_or("-"));
        let kind = escape(event.kind.as_deref().unwrap_or("-"));
        let _ = write!(out, " {kind:<9} {style}{:<12}{style:#} {}", escape(&action), escape(&name(event)));
        details(&mut out, event, own);
        out
    }
}

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_ACTION_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)).into(),
        None => text.into(),
    }
}

/// The actor's name, else its id as Docker shortens it.
fn name<'a>(event: &'a EventView<'_>) -> Cow<'a, str> {
    match (event.attribute("name").filter(|n| !n.is_empty()), event.actor_id.as_deref()) {
        (Some(name), _) => name.into(),
        (None, Some(id)) if !id.is_empty() => short_id(id).into(),
        _ => "-".into(),
    }
}

/// 12 digits of a 64-digit id; other ids are names (volumes, images) and stay whole.
fn short_id(id: &str) -> &str {
    let hex = id.strip_prefix("sha256:").unwrap_or(id);
    let is_id = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    if is_id { hex.get(..12).unwrap_or(hex) } else { id }
}

fn details(out: &mut String, event: &EventView<'_>, own: bool) {
    let mut put = |key: &str, value: &str| {
        // A value with white space in it must not pass for several.
        let quote = if value.is_empty() || value.contains([' ', '"', '=']) { "\"" } else { "" };
        let _ = write!(out, " {}={quote}{}{quote}", escape(key), escape(value));
    };
    if own {
        event.attributes.iter().filter(|(key, _)| key != "name").for_each(|(key, value)| put(key, value));
        return;
    }
    for key in DETAILS {
        if let Some(value) = event.attribute(key) {
            put(key, short_id(value));
        }
    }
    if let Some(project) = event.attribute(COMPOSE_PROJECT) {
        put("compose", &[project, event.attribute(COMPOSE_SERVICE).unwrap_or("")].join("/"));
    }
}

/// Red for what broke, yellow for what was ended, green for what came up, dim for routine.
fn style(event: &EventView<'_>, own: bool) -> Style {
    let action = event.action.as_deref().unwrap_or("");
    let color = match (own, action.split_once(':').map_or(action, |(verb, _)| verb)) {
        (true, "gap") | (_, "oom") => AnsiColor::Red,
        (true, "disconnect") | (_, "kill" | "stop" | "destroy" | "delete" | "remove") => AnsiColor::Yellow,
        (true, _) => AnsiColor::Cyan,
        (_, "die") if event.attribute("exitCode").is_none_or(|code| code != "0") => AnsiColor::Red,
        (_, "die") => AnsiColor::Yellow,
        (_, "health_status") if action.ends_with(": unhealthy") => AnsiColor::Red,
        (_, "start" | "unpause" | "health_status") => AnsiColor::Green,
        (_, "exec_create" | "exec_start" | "exec_die") => return Style::new().dimmed(),
        _ => return Style::new(),
    };
    color.on_default()
}
