//! Arguments that several commands share.

use super::render::Format;
use super::report::Usage;
use crate::client::{Client, Selection, Target};
use crate::filter::Filter;
use crate::time::Timestamp;
use anyhow::Context as _;
use std::path::{Path, PathBuf};

const DEFAULT_URL: &str = "http://127.0.0.1:7070";

/// Which server.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Remote {
    /// The recorder to ask
    #[arg(long, env = "SHIPSLOG_URL", default_value = DEFAULT_URL)]
    pub(super) url: String,
    /// File with the token that the server wants; its first line that is not empty or a comment
    #[arg(long, env = "SHIPSLOG_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates in PEM to trust besides those of the system
    #[arg(long, env = "SHIPSLOG_CA_CERT", value_name = "FILE")]
    ca_cert: Option<PathBuf>,
}

impl Remote {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        // An empty variable counts as absent, since compose files and units cannot unset.
        let url = if self.url.trim().is_empty() { DEFAULT_URL } else { self.url.trim() };
        let given = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        let token = given(&self.token_file).map(|path| first_token(&path)).transpose()?;
        let ca_cert = given(&self.ca_cert).map(|path| std::fs::read(&path).with_context(|| format!("cannot read {}", path.display())));
        Ok(Client::to(&Target { url: url.to_owned(), token, ca_cert: ca_cert.transpose()? })?)
    }
}

fn first_token(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the token file {}", path.display()))?;
    let token = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    token.map(str::to_owned).with_context(|| format!("{} holds no token", path.display()))
}

/// Which kinds of events.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Terms {
    /// Keep only events with this: type=container, event=die, container=NAME, label=KEY=VALUE, …; repeatable
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Leave out events with this; a * at the end stands for anything: event=exec_*; repeatable
    #[arg(short = 'x', long, value_name = "KEY=VALUE")]
    exclude: Vec<String>,
}

impl Terms {
    pub(super) fn filter(&self) -> Result<Filter, Usage> {
        Filter::from_terms(&self.filter, &self.exclude).map_err(|e| Usage(e.to_string()))
    }
}

/// First time.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Since {
    /// First time: 10m, 2h30m or 7d ago, 2026-11-22T10:49:37Z, Unix seconds, or oldest
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

/// Last time.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Until {
    /// Last time, written in the same ways
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Since {
    pub(super) fn is_given(&self) -> bool {
        self.since.is_some()
    }

    /// `None` also stands for `oldest`.
    pub(super) fn time(&self, now: Timestamp) -> Result<Option<Timestamp>, Usage> {
        parse("--since", self.since.as_deref().filter(|text| text.trim() != "oldest"), now)
    }
}

fn parse(flag: &str, text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Usage> {
    text.map(|text| Timestamp::parse(text, now).map_err(|e| Usage(format!("{flag}: {e}")))).transpose()
}

/// The three together, as the server takes them.
pub(super) fn selection(since: &Since, until: &Until, terms: &Terms) -> Result<Selection, Usage> {
    let now = Timestamp::now();
    let (since, until) = (since.time(now)?, parse("--until", until.until.as_deref(), now)?);
    if since.zip(until).is_some_and(|(since, until)| since > until) {
        return Err(Usage("--since lies after --until; swap them".to_owned()));
    }
    Ok(Selection { since, until, filter: terms.filter()? })
}

/// How fast.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Speed {
    /// Replay at N times the pace of the events, 1 to 1000; without --until it goes on live
    #[arg(long, value_name = "N", value_parser = parse_speed, requires = "since", conflicts_with = "number")]
    speed: Option<f64>,
}

impl Speed {
    pub(super) fn get(&self) -> Option<f64> {
        self.speed
    }
}

fn parse_speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (1.0..=1000.0).contains(speed));
    speed.ok_or_else(|| "must be a number from 1 to 1000".to_owned())
}

/// How to show records.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Output {
    /// human: one short line each; json: the whole record; docker: as `docker events` prints
    #[arg(short = 'o', long = "output", value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    /// Show times in UTC instead of the local time zone
    #[arg(long)]
    pub(super) utc: bool,
    /// Colours; auto is for terminals only and honours NO_COLOR
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = clap::ColorChoice::Auto)]
    pub(super) color: clap::ColorChoice,
}

/// The most records that `-n` takes: they are held in memory, since the newest come first from the server.
pub(super) const MAX_NUMBER: u64 = 100_000;

/// How many.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Number {
    /// Only the newest N of them
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=MAX_NUMBER))]
    number: Option<u64>,
}

impl Number {
    pub(super) fn get(&self) -> Option<usize> {
        self.number.and_then(|n| usize::try_from(n).ok())
    }
}
