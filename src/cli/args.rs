//! Arguments that several commands share.

use super::clock::Clock;
use super::ending::Usage;
use super::render::OutputForm;
use crate::client::{Client, Selection, Target};
use crate::file;
use crate::filter::Filter;
use crate::time::{Remark, TimeParser, Timestamp};
use anyhow::Context as _;
use std::path::{Path, PathBuf};

const DEFAULT_URL: &str = "http://127.0.0.1:7070";

/// Which server.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub(super) struct Remote {
    /// Ask the recorder at this address
    #[arg(long, env = "SHIPSLOG_URL", default_value = DEFAULT_URL)]
    pub(super) url: String,
    /// Read the token that the server wants from this file: its first line that is neither empty nor a
    /// comment (#)
    #[arg(long, env = "SHIPSLOG_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Trust the certificates in this PEM file, besides those that the system trusts
    #[arg(long, env = "SHIPSLOG_CA_CERT", value_name = "FILE")]
    ca_cert: Option<PathBuf>,
}

impl Remote {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        // An empty variable counts as absent, since compose files and units cannot unset.
        let url = if self.url.trim().is_empty() { DEFAULT_URL } else { self.url.trim() };
        let given = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        let token = given(&self.token_file).map(|path| first_token(&path)).transpose()?;
        let ca_cert = given(&self.ca_cert).map(|path| file::read_pipe(&path).with_context(|| format!("cannot read {}", path.display())));
        Ok(Client::to(&Target { url: url.to_owned(), token, ca_cert: ca_cert.transpose()? })?)
    }
}

fn first_token(path: &Path) -> anyhow::Result<String> {
    let text = file::read_pipe(path).and_then(file::text).with_context(|| format!("cannot read the token file {}", path.display()))?;
    let token = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    // The file may be the server's, which says on the same line of which Docker hosts it reads.
    let token = token.and_then(|line| line.split_whitespace().next());
    token.map(str::to_owned).with_context(|| format!("{} holds no token", path.display()))
}

/// Which kinds of events.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Which events")]
pub(super) struct Terms {
    /// Keep only events that match: type=container, event=die, container=NAME, exit=137, project=NAME,
    /// text=WORDS, …; repeatable
    ///
    /// Values of one key are alternatives (labels must all be there), and different keys must all match. A *
    /// at the end of a value stands for anything.
    ///
    /// Docker's keys: type, event, container, image, label, network, volume, plugin, daemon, scope, service,
    /// node, secret, config. A container, network or volume is found by the beginning of its name or of its
    /// id.
    ///
    /// More keys: exit=137, exit!=0 (an exit code other than 0), project and service (of Docker Compose),
    /// source (the Docker host), noise=healthcheck, and text, which looks into everything that is shown of an
    /// event and ignores the case of letters.
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Leave out events that match, written in the same way: event=exec_*; repeatable
    #[arg(short = 'x', long, value_name = "KEY=VALUE")]
    exclude: Vec<String>,
}

impl Terms {
    /// Leaves out what matches as well, written as for `--exclude`.
    pub(super) fn leave_out(&mut self, term: String) {
        self.exclude.push(term);
    }

    pub(super) fn filter(&self) -> Result<Filter, Usage> {
        Filter::from_terms(&self.filter, &self.exclude).map_err(|e| Usage(e.to_string()))
    }
}

/// First time.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Times")]
pub(super) struct Since {
    /// Begin with events of this time: 10m (ago), 02:00, yesterday, 2026-11-29 02:00, …, or oldest
    ///
    /// A time is a duration back from now (10m, 2h30m, 7d), now, today, yesterday, a time of day (02:00,
    /// yesterday 23:10), a date (2026-11-29, which stands for its first moment), a date with a time
    /// (2026-11-29 02:00:05), RFC 3339 (2026-11-22T10:49:37Z), or Unix seconds.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
}

/// Last time.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Times")]
pub(super) struct Until {
    /// End with events of this time, written in the same ways
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
}

impl Since {
    pub(super) fn is_given(&self) -> bool {
        self.since.is_some()
    }
}

/// As of when.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Times")]
pub(super) struct At {
    /// Judge as it was known at this time: only what had been received by then counts
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
}

impl At {
    /// The time.
    pub(super) fn time(&self, clock: &Clock) -> Result<Option<Timestamp>, Usage> {
        let parser = TimeParser { now: Timestamp::now(), zone: clock.zone()? };
        let read = |text: &str| parser.parse(text).map(|reading| reading.time).map_err(|e| Usage(format!("--at: {e}")));
        self.at.as_deref().map(read).transpose()
    }
}

/// What a user has chosen, and what there is to say about it.
#[derive(Debug)]
pub(super) struct Chosen {
    /// As the server takes it.
    pub(super) selection: Selection,
    /// Remarks about times.
    pub(super) remarks: Vec<String>,
}

/// Time range and filter together. `None` as its beginning also stands for `oldest`.
pub(super) fn choose(since: &Since, until: &Until, terms: &Terms, clock: &Clock) -> Result<Chosen, Usage> {
    let parser = TimeParser { now: Timestamp::now(), zone: clock.zone()? };
    let mut remarks = Vec::new();
    let mut read = |flag: &str, text: Option<&str>| {
        let Some(text) = text else { return Ok(None) };
        let reading = parser.parse(text).map_err(|e| Usage(format!("{flag}: {e}")))?;
        // An end that is still to come is nothing unusual.
        if let Some(remark) = reading.remark.filter(|remark| *remark != Remark::StillToCome || flag == "--since") {
            remarks.push(format!("{flag} {text}: {remark}"));
        }
        Ok(Some(reading.time))
    };
    let since = read("--since", since.since.as_deref().filter(|text| text.trim() != "oldest"))?;
    let until = read("--until", until.until.as_deref())?;
    if since.zip(until).is_some_and(|(since, until)| since > until) {
        return Err(Usage("--since lies after --until; swap them".to_owned()));
    }
    Ok(Chosen { selection: Selection { since, until, filter: terms.filter()? }, remarks })
}

/// How fast.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Speed {
    /// Replay the events N times as fast as they came, from 1 to 1000; without --until, continue with new
    /// events
    #[arg(long, value_name = "N", help_heading = "Times", value_parser = parse_speed, requires = "since", conflicts_with = "number")]
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
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// Print events in this form
    #[arg(short = 'o', long = "output", alias = "format", value_enum, value_name = "FORM", default_value_t = OutputForm::Human)]
    pub(super) format: OutputForm,
    /// Show every event of a health check, instead of counting them in one line (json and docker always show
    /// all)
    #[arg(long)]
    pub(super) all: bool,
    /// Use colours; auto is for terminals only and honours NO_COLOR
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = clap::ColorChoice::Auto)]
    pub(super) color: clap::ColorChoice,
    #[command(flatten)]
    pub(super) clock: Clock,
}

impl Output {
    /// Whether health checks are counted instead of shown. Who asks for them wants to see them.
    pub(super) fn folds(&self, filter: &Filter) -> bool {
        self.format == OutputForm::Human && !self.all && !filter.asks_about("noise")
    }
}

/// Most records that `-n` takes: they are held in memory, since the newest come first from the server.
pub(super) const MAX_NUMBER: u64 = 100_000;

/// How many.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Number {
    /// Show only the newest N of them
    #[arg(short, long, value_name = "N", help_heading = "Which events", value_parser = clap::value_parser!(u64).range(..=MAX_NUMBER))]
    number: Option<u64>,
}

impl Number {
    pub(super) fn get(&self) -> Option<usize> {
        self.number.and_then(|n| usize::try_from(n).ok())
    }
}
