//! Recordings and what their labels expect.

use crate::recording;
use serde::Deserialize;
use shipslog::cursor::LogId;
use shipslog::event::Record;
use shipslog::time::Timestamp;

/// A recording with its label.
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) log: LogId,
    pub(crate) records: Vec<Record>,
    pub(crate) label: Label,
    /// When the recording ended, a second earlier: what is judged at.
    pub(crate) as_of: Timestamp,
}

#[derive(Deserialize)]
pub(crate) struct Label {
    pub(crate) scenario: String,
    recorded: String,
    pub(crate) incidents: Vec<Expected>,
}

#[derive(Deserialize)]
pub(crate) struct Expected {
    pub(crate) subject: String,
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) kind_any: Vec<String>,
    pub(crate) severity: String,
    #[serde(default)]
    pub(crate) severity_any: Vec<String>,
    pub(crate) cause: Vec<String>,
    pub(crate) start: Start,
    pub(crate) start_slack: Option<f64>,
    pub(crate) state: String,
    pub(crate) resolution: Option<String>,
    #[serde(default)]
    pub(crate) optional: bool,
    #[serde(default)]
    pub(crate) qualified: bool,
    #[serde(default)]
    pub(crate) also: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Start {
    pub(crate) seq: Option<u64>,
    pub(crate) time: Option<String>,
    /// The script's action had no effect.
    unresolved: Option<serde_json::Value>,
}

impl Expected {
    /// Whether something has to be found: notices are looked for apart, and some actions had no effect.
    pub(crate) fn counts(&self) -> bool {
        self.severity != "notice" && self.start.unresolved.is_none() && !self.optional
    }

    pub(crate) fn start(&self) -> i64 {
        self.start.time.as_deref().map_or(0, |text| parse(text).nanos())
    }

    pub(crate) fn is_kind(&self, kind: &str) -> bool {
        self.kind == kind || self.kind_any.iter().any(|any| any == kind)
    }

    pub(crate) fn is_severity(&self, severity: &str) -> bool {
        self.severity == severity || self.severity_any.iter().any(|any| any == severity)
    }
}

fn parse(text: &str) -> Timestamp {
    Timestamp::parse(text, Timestamp::from_nanos(0)).unwrap()
}

/// All recordings, or those whose names begin so.
pub(crate) fn all(begins: &str) -> Vec<Recording> {
    let files = std::fs::read_dir(recording::folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = files.filter_map(|file| file.strip_suffix(".label.json").map(str::to_owned)).collect();
    names.retain(|name| name.starts_with(begins));
    names.sort();
    names.iter().map(|name| read(name)).collect()
}

pub(crate) fn read(name: &str) -> Recording {
    let label: Label = serde_json::from_slice(&std::fs::read(recording::folder().join(format!("{name}.label.json"))).unwrap()).unwrap();
    let (log, records) = recording::read(name);
    let as_of = Timestamp::from_nanos(parse(&label.recorded).nanos() - 1_000_000_000);
    Recording { name: name.to_owned(), log, records, label, as_of }
}
