//! Which incidents are asked for, and from where.

use crate::cli::args::{At, Since, Terms, Until, choose};
use crate::cli::clock::Clock;
use crate::cli::ending::Usage;
use crate::cli::printer::remark;
use crate::report::Selection;
use crate::time::{Timestamp, Tz};
use serde::de::DeserializeOwned;
use std::path::PathBuf;

pub(super) const SEVERITIES: [&str; 4] = ["notice", "minor", "major", "critical"];
/// At least so bad, where a kind is asked for by its name: some kinds are only ever notices.
const NAMED: &str = "notice";
const STATES: [&str; 3] = ["open", "recovering", "closed"];
const KINDS: [&str; 12] = [
    "crash",
    "crash-loop",
    "oom",
    "start-failed",
    "unhealthy",
    "restart-loop",
    "cascade",
    "mass",
    "host",
    "stop-timeout",
    "job-failed",
    "paused",
];

/// Which incidents.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Which incidents")]
pub(in crate::cli) struct Which {
    /// Only those that are at least so bad; where a --kind is named, notices of that kind too
    #[arg(long, value_name = "SEVERITY", value_parser = SEVERITIES)]
    severity: Option<String>,
    /// Only those in this state; open also has those that recover and are not over yet
    #[arg(long, value_name = "STATE", value_parser = STATES)]
    state: Option<String>,
    /// Only those of this kind
    #[arg(long, value_name = "KIND", value_parser = KINDS)]
    kind: Option<String>,
    /// Only those about this subject, as incidents name it (shop/api), or about the container whose id begins
    /// with these 12 characters
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
}

/// Where records are read from, unless from a server.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Without a server")]
pub(in crate::cli) struct Offline {
    /// Read this export (jsonl, also .gz or .zst; - for stdin) instead of asking a server
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Read the log in this directory instead of asking a server; nothing in it is changed
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    data_dir: Option<PathBuf>,
}

/// A place without a server.
#[derive(Debug, Clone)]
pub(in crate::cli) enum Place {
    File(PathBuf),
    Directory(PathBuf),
}

impl Offline {
    pub(in crate::cli) fn place(&self) -> Option<Place> {
        self.file.clone().map(Place::File).or_else(|| self.data_dir.clone().map(Place::Directory))
    }
}

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Asked {
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) at: Option<Timestamp>,
    which: Which,
    /// At least so bad, where nothing else was said.
    least: &'static str,
    /// The zone of what is said about times.
    pub(super) zone: Tz,
}

impl Asked {
    pub(in crate::cli) fn new(
        (since, until, at): (&Since, &Until, &At),
        which: &Which,
        clock: &Clock,
        least: &'static str,
    ) -> Result<Self, Usage> {
        let chosen = choose(since, until, &Terms::default(), clock)?;
        chosen.remarks.iter().for_each(|text| remark(text));
        let (since, until) = (chosen.selection.since, chosen.selection.until);
        Ok(Self { since, until, at: at.time(clock)?, which: which.clone(), least, zone: clock.zone()? })
    }

    /// All incidents and notices, as of the same time.
    pub(super) fn of_all(&self) -> Self {
        Self { at: self.at, least: NAMED, zone: self.zone, ..Self::default() }
    }

    /// The subject, if one was asked for.
    pub(super) fn subject(&self) -> Option<&str> {
        self.which.subject.as_deref()
    }

    /// At least so bad.
    pub(super) fn severity(&self) -> &str {
        self.which.severity.as_deref().unwrap_or(if self.which.kind.is_some() { NAMED } else { self.least })
    }

    /// The same for what is at least so bad, if that is less.
    pub(super) fn down_to(&self, severity: Option<&str>) -> Self {
        let lower = severity.filter(|severity| rank(severity) < rank(self.severity())).map(str::to_owned);
        let which = Which { severity: lower.or_else(|| self.which.severity.clone()), ..self.which.clone() };
        Self { which, ..self.clone() }
    }

    /// Whether anything chooses some of the incidents.
    pub(in crate::cli) fn narrows(&self) -> bool {
        let Which { severity, state, kind, subject } = &self.which;
        self.since.is_some() || self.until.is_some() || [severity, state, kind, subject].into_iter().any(Option::is_some)
    }

    /// As of when, as a query of the server's.
    pub(in crate::cli) fn at_params(&self) -> Vec<(&'static str, String)> {
        self.at.map(|time| ("at", time.to_string())).into_iter().collect()
    }

    /// As a query of the server's.
    pub(in crate::cli) fn params(&self) -> Vec<(&'static str, String)> {
        let mut params = vec![("severity", self.severity().to_owned())];
        let time = |name, time: Option<Timestamp>| time.map(|time| (name, time.to_string()));
        params.extend([time("since", self.since), time("until", self.until), time("at", self.at)].into_iter().flatten());
        let text = |name, text: &Option<String>| text.clone().map(|text| (name, text));
        let texts = [text("state", &self.which.state), text("kind", &self.which.kind), text("subject", &self.which.subject)];
        params.extend(texts.into_iter().flatten());
        params
    }

    /// The same where there is no server.
    pub(in crate::cli) fn selection(&self) -> Result<Selection, Usage> {
        Ok(Selection {
            range: self.since.unwrap_or(Timestamp::MIN)..=self.until.unwrap_or(Timestamp::MAX),
            severity: named(self.severity())?,
            state: self.which.state.as_deref().map(named).transpose()?,
            kind: self.which.kind.as_deref().map(named).transpose()?,
            subject: self.which.subject.clone(),
        })
    }

    /// As of when a place is judged, where not as of its end.
    pub(super) fn judged(&self, place: &Place) -> Option<Timestamp> {
        match place {
            Place::File(_) => self.at.or(self.until),
            Place::Directory(_) => self.at,
        }
    }
}

/// How bad a severity is; an unknown one is worse than all.
pub(super) fn rank(severity: &str) -> usize {
    SEVERITIES.iter().position(|known| *known == severity).unwrap_or(SEVERITIES.len())
}

/// A value by its name in answers, of which the command line has let through no other.
fn named<T: DeserializeOwned>(name: &str) -> Result<T, Usage> {
    serde_json::from_value(name.into()).map_err(|e| Usage(format!("{name}: {e}")))
}
