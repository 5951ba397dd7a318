//! `incidents`: what broke, from a server, an export or a log's directory.

mod asked;
mod human;
mod offline;

pub(super) use asked::{Asked, Offline, Place, Which};
pub(super) use offline::{Opened, source};

use super::args::{At, Remote, Since, Until};
use super::clock::Clock;
use super::ending::{Found, Interrupted};
use super::escape::{Safe, escape_json};
use super::interrupted;
use super::printer::styled;
use crate::client::Client;
use crate::report::{Format, Of};
use crate::time::Timestamp;
use anyhow::Context as _;
use asked::{SEVERITIES, rank};
use human::{Teller, Told};
use std::io::{self, IsTerminal as _, Write};

#[derive(Debug, clap::Args)]
pub(super) struct IncidentsArgs {
    #[command(flatten)]
    since: Since,
    #[command(flatten)]
    until: Until,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    which: Which,
    /// Print incidents in this form
    #[arg(short, long, value_enum, value_name = "FORM", help_heading = "Output", default_value_t = Form::Human)]
    output: Form,
    /// Exit with 3 if one of them is at least so bad
    #[arg(long, value_name = "SEVERITY", help_heading = "Output", value_parser = SEVERITIES)]
    fail_on: Option<String>,
    /// Use colours; auto is for terminals only and honours NO_COLOR
    #[arg(long, value_enum, value_name = "WHEN", help_heading = "Output", default_value_t = clap::ColorChoice::Auto)]
    color: clap::ColorChoice,
    #[command(flatten)]
    clock: Clock,
    #[command(flatten)]
    offline: Offline,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Sentences for people
    Human,
    /// One incident a line, as the server has it; notices too, unless --severity says otherwise
    Json,
    /// A report for an issue or a chat; `shipslog report` has more forms
    Markdown,
}

/// Where incidents come from.
enum From {
    Server(Client),
    Opened(Box<Opened>),
}

/// Incidents, each a line of JSON, oldest first.
struct Answer {
    lines: Vec<String>,
    /// Notices in the range.
    notices: u64,
    as_of: Timestamp,
}

pub(super) async fn run(args: IncidentsArgs) -> anyhow::Result<()> {
    let least = if args.output == Form::Json { "notice" } else { "minor" };
    let asked = Asked::new((&args.since, &args.until, &args.at), &args.which, &args.clock, least)?;
    let zone = args.clock.zone()?;
    let work = async {
        let from = match args.offline.place() {
            Some(place) => From::Opened(Box::new(Opened::new(&place, &asked).await?)),
            None => From::Server(args.remote.client()?),
        };
        // What --fail-on looks for may be less bad than what is shown.
        let answer = from.incidents(&asked.down_to(args.fail_on.as_deref())).await?;
        let told: Vec<Told> = answer.lines.iter().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>()?;
        let fails = args.fail_on.as_deref().is_some_and(|least| told.iter().any(|one| rank(&one.severity) >= rank(least)));
        let shown = |told: &Told| rank(&told.severity) >= rank(asked.severity());
        match args.output {
            Form::Json => {
                let lines = answer.lines.iter().zip(&told).filter(|(_, told)| shown(told)).map(|(line, _)| line);
                print_lines(lines)?;
            }
            Form::Human => {
                let teller = Teller { zone, as_of: answer.as_of };
                let told: Vec<Told> = told.into_iter().filter(shown).collect();
                let mut out = styled(args.color);
                for one in &told {
                    writeln!(out, "{}", teller.tell(one))?;
                }
                write!(out, "{}", teller.sum(&told, answer.notices))?;
                out.flush()?;
            }
            Form::Markdown => print_text(&from.report(&asked, Format::Markdown).await?)?,
        }
        anyhow::Ok(fails)
    };
    let fails = tokio::select! {
        result = work => result?,
        // "No" would be an answer.
        () = interrupted() => return Err(Interrupted.into()),
    };
    if fails { Err(Found.into()) } else { Ok(()) }
}

impl From {
    async fn incidents(&self, asked: &Asked) -> anyhow::Result<Answer> {
        match self {
            Self::Server(client) => from_server(client, asked).await,
            Self::Opened(opened) => {
                let (lines, notices, as_of) = opened.lines(&asked.selection()?)?;
                Ok(Answer { lines, notices, as_of })
            }
        }
    }

    async fn report(&self, asked: &Asked, format: Format) -> anyhow::Result<String> {
        match self {
            Self::Server(client) => {
                let mut params = asked.params();
                params.push(("format", format.name().to_owned()));
                Ok(String::from_utf8(client.report(None, &params).await?).context("the server's report is no text")?)
            }
            Self::Opened(opened) => Ok(opened.report(&Of::Many(asked.selection()?), format).await?.unwrap_or_default()),
        }
    }
}

/// All pages.
async fn from_server(client: &Client, asked: &Asked) -> anyhow::Result<Answer> {
    let mut params = asked.params();
    params.push(("limit", "1000".to_owned()));
    let mut lines = Vec::new();
    loop {
        let page = client.incidents(&params).await?;
        lines.extend(page.incidents.iter().map(|incident| incident.get().to_owned()));
        let next = page.next().map(str::to_owned);
        let Some(next) = next else {
            let as_of = Timestamp::from_text(page.as_of.as_bytes()).context("the server does not say as of when it judges")?;
            return Ok(Answer { lines, notices: page.notices.count, as_of });
        };
        params.retain(|(name, _)| *name != "cursor");
        params.push(("cursor", next));
    }
}

fn print_lines<'a>(lines: impl Iterator<Item = &'a String>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let terminal = out.is_terminal();
    for line in lines {
        if terminal {
            writeln!(out, "{}", escape_json(line))?;
        } else {
            writeln!(out, "{line}")?;
        }
    }
    out.flush()
}

/// Prints a text, of which a terminal obeys nothing.
pub(super) fn print_text(text: &str) -> io::Result<()> {
    let out = io::stdout().lock();
    if out.is_terminal() {
        let mut safe = Safe::new(out, false);
        safe.write_all(text.as_bytes())?;
        return safe.flush();
    }
    let mut out = out;
    out.write_all(text.as_bytes())?;
    out.flush()
}
