//! `state`: which containers there were at a time, from a server, an export or a log's directory.

use super::args::{At, Remote};
use super::clock::Clock;
use super::ending::Interrupted;
use super::escape::escape;
use super::incidents::{Extent, Offline, Place, print_text, source};
use super::interrupted;
use super::printer::remark;
use super::stray::Stray;
use crate::projection::Known;
use crate::report::duration;
use crate::shutdown::Stop;
use crate::time::{Timestamp, Tz};
use anyhow::Context as _;
use serde::Deserialize;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio_util::task::AbortOnDropHandle;

/// Columns of a line, at most.
const COLUMNS: usize = 100;
/// The least that a name gets of them, and an image.
const LEAST: usize = 12;

#[derive(Debug, clap::Args)]
pub(super) struct StateArgs {
    #[command(flatten)]
    stray: Stray,
    #[command(flatten)]
    at: At,
    /// Print the state in this form
    #[arg(short, long, alias = "format", value_enum, value_name = "FORM", help_heading = "Output", default_value_t = Form::Human)]
    output: Form,
    #[command(flatten)]
    clock: Clock,
    #[command(flatten)]
    offline: Offline,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A table for people
    Human,
    /// As the server has it, with networks and volumes
    Json,
}

pub(super) async fn run(args: StateArgs) -> anyhow::Result<()> {
    args.stray.refuse("state")?;
    let (at, zone) = (args.at.time(&args.clock)?, args.clock.zone()?);
    let work = async {
        let json = match args.offline.place() {
            Some(place) => offline(place, at).await?,
            None => args.remote.client()?.state(at).await?,
        };
        let state: State = serde_json::from_str(&json).context("the server's state cannot be read")?;
        // A state is never of a later time than what is known.
        let end = Timestamp::from_text(state.at.as_bytes());
        end.and_then(|end| Extent { begin: None, end }.beyond(at, zone)).iter().for_each(|text| remark(text));
        match args.output {
            Form::Json => print_text(&(json + "\n"))?,
            Form::Human => print_text(&table(&state, zone))?,
        }
        anyhow::Ok(())
    };
    tokio::select! {
        result = work => result,
        () = interrupted() => Err(Interrupted.into()),
    }
}

/// Of a place without a server, which knows nothing of the time after its end.
async fn offline(place: Place, at: Option<Timestamp>) -> anyhow::Result<String> {
    let source = source(&place).await?;
    let (known, stop) = (Arc::new(Known::new(Arc::clone(&source.log), None)), Stop::new());
    let _following = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&known).follow(stop.shutdown())));
    let at = at.map_or(source.end, |at| at.min(source.end));
    Ok(serde_json::to_string(&known.state_at(&source.log, at).await?)?)
}

/// The answer, as far as it is shown. What is not there is not said, so that other versions can be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    at: String,
    baseline: Option<Baseline>,
    qualified: Vec<String>,
    containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Baseline {
    age_s: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    key: String,
    source: String,
    image: Option<String>,
    state: String,
    since: Option<String>,
    exit: Option<i64>,
    health: Option<String>,
    restarts_1h: u64,
    may_restart: bool,
    incident: Option<String>,
}

fn table(state: &State, zone: Tz) -> String {
    let at = Timestamp::from_text(state.at.as_bytes());
    let mut out = String::new();
    let looked = match &state.baseline {
        Some(baseline) => format!("the last full look was {} before", duration(std::time::Duration::from_secs(baseline.age_s))),
        None => "there was no full look before".to_owned(),
    };
    let time = at.map_or_else(|| state.at.clone(), |at| at.to_datetime().with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z").to_string());
    let _ = writeln!(out, "{} at {time}; {looked}.", count(state.containers.len()));
    for reason in &state.qualified {
        let _ = writeln!(out, "May be incomplete: {}.", escape(reason));
    }
    if state.containers.is_empty() {
        return out;
    }
    let several = state.containers.iter().any(|one| one.source != state.containers.first().map_or("", |first| &first.source));
    let rows: Vec<[String; 4]> = state.containers.iter().map(|one| row(one, at, several)).collect();
    let widths = widths(&rows);
    for row in std::iter::once(&["subject", "state", "since", "image"].map(str::to_owned)).chain(&rows) {
        let mut line = String::new();
        for (text, width) in row.iter().zip(widths) {
            let _ = write!(line, "{:width$}  ", shortened(text, width));
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

fn count(containers: usize) -> String {
    if containers == 1 { "1 container".to_owned() } else { format!("{containers} containers") }
}

fn row(one: &Container, at: Option<Timestamp>, several: bool) -> [String; 4] {
    let subject = if several { format!("{}: {}", one.source, one.key) } else { one.key.clone() };
    // What comes after an end is not certain until it comes.
    let waits = one.state == "restarting";
    let mut state = if waits { "exited".to_owned() } else { one.state.clone() };
    if let Some(exit) = one.exit.filter(|_| matches!(one.state.as_str(), "exited" | "restarting")) {
        let _ = write!(state, " ({exit})");
    }
    if let Some(health) = &one.health {
        let _ = write!(state, ", {health}");
    }
    if waits || one.may_restart {
        state.push_str(", may restart");
    }
    match one.restarts_1h {
        0 => {}
        1 => state.push_str(", 1 restart in 1 h"),
        many => {
            let _ = write!(state, ", {many} restarts in 1 h");
        }
    }
    if one.incident.is_some() {
        state.push_str(", in an incident");
    }
    let since = one.since.as_deref().and_then(|since| Timestamp::from_text(since.as_bytes()));
    let since = since.zip(at).map_or_else(|| "?".to_owned(), |(since, at)| duration(at.since(since)));
    [subject, state, since, one.image.clone().unwrap_or_else(|| "?".to_owned())].map(|text| escape(&text).into_owned())
}

/// Of each column; names and images give way where there is not enough room.
fn widths(rows: &[[String; 4]]) -> [usize; 4] {
    let long = |row: &[String; 4], column: usize| row.get(column).map_or(0, |text| text.chars().count());
    let widest = |column: usize, least: usize| rows.iter().map(|row| long(row, column)).max().unwrap_or(0).max(least);
    let (state, since) = (widest(1, 5), widest(2, 5));
    let room = COLUMNS.saturating_sub(state + since + 6);
    let subject = widest(0, 7).min(room.saturating_sub(LEAST).max(LEAST));
    [subject, state, since, widest(3, 5).min(room.saturating_sub(subject).max(LEAST))]
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_a_terminal_and_obeys_nobody() {
        let json = serde_json::json!({
            "at": "2026-11-29T10:00:00.000000000Z", "baseline": {"age_s": 812}, "qualified": ["local: events may be missing"],
            "containers": [
                {"key": "shop/api", "source": "local", "image": "acme/api:7", "state": "restarting", "since": "2026-11-29T09:59:00.000000000Z", "exit": 1,
                 "restarts_1h": 6, "incident": "7f3c9a1e-42c"},
                {"key": "pg", "source": "local", "image": "pg:1", "state": "exited", "exit": 11, "may_restart": true, "restarts_1h": 1},
                {"key": "done", "source": "local", "image": "job:1", "state": "exited", "exit": 0, "may_restart": false},
                {"key": "x".repeat(200), "source": "local", "image": "y".repeat(200), "state": "running", "since": null, "health": "healthy"},
                {"key": "\u{1b}[31m\u{202e}", "source": "local", "state": "unknown"},
            ],
        });
        let text = table(&serde_json::from_value(json).unwrap(), Tz::UTC);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "5 containers at 2026-11-29 10:00:00 UTC; the last full look was 13 min 32 s before.");
        assert_eq!(lines[1], "May be incomplete: local: events may be missing.");
        assert!(lines[3].contains("exited (1), may restart, 6 restarts in 1 h, in an incident"), "{text}");
        assert!(lines[3].contains("1 min"), "{text}");
        assert!(lines.iter().any(|line| line.contains("exited (11), may restart, 1 restart in 1 h")), "{text}");
        assert!(lines.iter().any(|line| line.starts_with("done") && line.contains("exited (0)  ")), "{text}");
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }

    #[test]
    fn what_another_version_says_is_shown_as_far_as_it_is_known() {
        let text = table(&serde_json::from_str(r#"{"at":"then","containers":[{"key":"web","new":1}]}"#).unwrap(), Tz::UTC);
        assert!(text.starts_with("1 container at then; there was no full look before.\n") && text.contains("web"), "{text}");
    }
}
