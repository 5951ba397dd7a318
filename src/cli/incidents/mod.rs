//! `incidents`: what broke, from a server, an export or a log's directory. Nothing is judged here:
//! `projection/incidents` does that, at the server or in this process, by the same rules.

mod asked;
mod extent;
mod from;
mod human;
mod offline;
mod rehearsal;

pub(super) use asked::{Asked, Offline, Place, Which};
pub(super) use extent::Extent;
pub(super) use from::From;
pub(super) use offline::source;

use super::args::{At, Remote, Since, Until};
use super::clock::Clock;
use super::ending::{Found, Interrupted};
use super::escape::{Safe, escape_json};
use super::interrupted;
use super::printer::{remark, styled};
use super::stray::Stray;
use crate::projection::incidents;
use crate::report::Format;
use asked::{SEVERITIES, rank};
use human::{Teller, Told};
use std::io::{self, IsTerminal as _, Write};

#[derive(Debug, clap::Args)]
pub(super) struct IncidentsArgs {
    #[command(flatten)]
    stray: Stray,
    #[command(flatten)]
    since: Since,
    #[command(flatten)]
    until: Until,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    which: Which,
    /// Print incidents in this form
    #[arg(short, long, alias = "format", value_enum, value_name = "FORM", help_heading = "Output", default_value_t = Form::Human)]
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
    hooks: rehearsal::HooksArgs,
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

pub(super) async fn run(args: IncidentsArgs) -> anyhow::Result<()> {
    args.stray.refuse("incidents")?;
    let least = if args.output == Form::Json { "notice" } else { "minor" };
    let asked = Asked::new((&args.since, &args.until, &args.at), &args.which, &args.clock, least)?;
    let zone = args.clock.zone()?;
    if args.hooks.are_asked() {
        let place = args.offline.place();
        let rehearsing = rehearsal::run(&args.hooks, place.as_ref(), &asked, args.output == Form::Json, zone);
        return tokio::select! {
            result = rehearsing => result,
            () = interrupted() => Err(Interrupted.into()),
        };
    }
    let work = async {
        let from = From::open(&args.offline, &args.remote, &asked).await?;
        // What --fail-on looks for may be less bad than what is shown.
        let answer = from.incidents(&asked.down_to(args.fail_on.as_deref())).await?;
        let mut said = from.beyond(&asked).await?;
        if said.is_none() && answer.lines.is_empty() {
            said = from.unknown_subject(&asked).await?;
        }
        if let Some(text) = &said {
            remark(text);
        }
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
                let lines = answer.lines.iter().zip(&told).filter(|(_, told)| shown(told)).map(|(line, _)| line);
                let alike: Vec<_> = lines.filter_map(|line| incidents::Told::of_json(line)).collect();
                let told: Vec<Told> = Told::across(told.into_iter().filter(shown).collect(), &incidents::across(&alike));
                let mut out = styled(args.color);
                for one in &told {
                    writeln!(out, "{}", teller.tell(one))?;
                }
                write!(out, "{}", teller.sum(&told, answer.notices))?;
                out.flush()?;
            }
            Form::Markdown => print_text(&from.report(None, &asked, Format::Markdown).await?.unwrap_or_default())?,
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
