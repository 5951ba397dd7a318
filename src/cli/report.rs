//! `report`: one incident, or those of a range, for people who were not there.

use super::args::{At, Remote, Since, Until};
use super::clock::Clock;
use super::ending::{Interrupted, Usage};
use super::incidents::{Asked, From, Offline, Which, print_text};
use super::interrupted;
use super::partial::Partial;
use super::printer::remark;
use super::stray;
use crate::report::Format;
use anyhow::Context as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// The incident, as `shipslog incidents` names it; without it, those of the range
    #[arg(value_name = "ID")]
    id: Option<String>,
    #[command(flatten)]
    since: Since,
    #[command(flatten)]
    until: Until,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    clock: Clock,
    /// Write this form [default: what the suffix of FILE says, else markdown]
    #[arg(short = 'o', long, value_enum, value_name = "FORM", help_heading = "Output")]
    format: Option<Form>,
    /// Write this file; .md, .html, .json, .perfetto.json or .csv chooses the form; without it, or with -, to
    /// stdout
    #[arg(short = 'O', long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long, help_heading = "Output")]
    force: bool,
    #[command(flatten)]
    offline: Offline,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A text for an issue, a wiki or a chat
    #[value(alias = "md")]
    Markdown,
    /// One page to read and to print, which needs nothing else
    Html,
    /// The incidents with their timelines
    Json,
    /// A trace for ui.perfetto.dev
    Perfetto,
    /// The timelines as a table for spreadsheets
    Csv,
}

impl std::convert::From<Form> for Format {
    fn from(form: Form) -> Self {
        match form {
            Form::Markdown => Self::Markdown,
            Form::Html => Self::Html,
            Form::Json => Self::Json,
            Form::Perfetto => Self::Perfetto,
            Form::Csv => Self::Csv,
        }
    }
}

pub(super) async fn run(args: ReportArgs) -> anyhow::Result<()> {
    let path = args.output.as_deref().filter(|path| *path != Path::new("-"));
    let format = match path {
        Some(path) => by_name(path, args.format.map(Format::from))?,
        None => args.format.map_or(Format::Markdown, Format::from),
    };
    let asked = Asked::new((&args.since, &args.until, &args.at), &args.which, &args.clock, "minor")?;
    if args.id.is_some() && asked.narrows() {
        return Err(Usage("an ID names one incident; leave out what chooses others".to_owned()).into());
    }
    let mut partial = path.map(|path| Partial::create(path, args.force)).transpose()?;
    let work = async {
        let id = args.id.as_deref();
        if let Some(text) = id.filter(|id| !is_id(id)) {
            return Err(no_id(text, &args, &asked).await.into());
        }
        let from = From::open(&args.offline, &args.remote, &asked).await?;
        from.beyond(&asked).await?.iter().for_each(|text| remark(text));
        let report = from.report(id, &asked, format).await?;
        let Some(report) = report else {
            let id = id.unwrap_or_default();
            anyhow::bail!("there is no such incident in this log: {id}{}", from.meant(id, &asked).await?);
        };
        anyhow::Ok(report)
    };
    let text = tokio::select! {
        result = work => result?,
        () = interrupted() => return Err(Interrupted.into()),
    };
    match &mut partial {
        Some(partial) => partial.write_all(text.as_bytes()).context("cannot write the report")?,
        None => print_text(&text)?,
    }
    partial.map(Partial::finish).transpose()?;
    Ok(())
}

/// What is said of what is no id, with what may be meant if that can be found out.
async fn no_id(text: &str, args: &ReportArgs, asked: &Asked) -> Usage {
    if let Some(option) = stray::place(text) {
        return Usage(format!("{text:?} is no incident's id; to report what is in it: shipslog report {option} {text}"));
    }
    let meant = match From::open(&args.offline, &args.remote, asked).await {
        Ok(from) => from.meant(text, asked).await.unwrap_or_default(),
        Err(_) => String::new(),
    };
    Usage(format!("{text:?} is no incident's id; they look like 7f3c9a1e-1842c (see `shipslog incidents`){meant}"))
}

/// A cursor and a letter.
fn is_id(text: &str) -> bool {
    let parts = text.split_once('-').and_then(|(log, seq)| Some((log, seq.strip_suffix(|c: char| c.is_ascii_lowercase())?)));
    parts.is_some_and(|(log, seq)| {
        log.len() == 8
            && log.bytes().all(|b| b.is_ascii_hexdigit())
            && (1..=20).contains(&seq.len())
            && seq.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The form that a file's name says, unless another was asked for that it does not contradict.
fn by_name(path: &Path, asked: Option<Format>) -> Result<Format, Usage> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let told = match name.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("md" | "markdown") => Some(Format::Markdown),
        Some("html" | "htm") => Some(Format::Html),
        // A trace is JSON, too.
        Some("json") if asked == Some(Format::Perfetto) || name.ends_with(".perfetto.json") => Some(Format::Perfetto),
        Some("json") => Some(Format::Json),
        Some("csv") => Some(Format::Csv),
        _ => None,
    };
    match (asked, told) {
        (Some(asked), Some(told)) if asked != told => {
            Err(Usage(format!("{} names {} and --format asks for {}; change one of the two", path.display(), told.name(), asked.name())))
        }
        (Some(format), _) | (None, Some(format)) => Ok(format),
        (None, None) => Err(Usage(format!(
            "{}: its name says no form; end it in .md, .html, .json, .perfetto.json or .csv, or add --format",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_chooses_the_form_and_a_contradiction_is_refused() {
        for (name, asked, form) in [
            ("a.md", None, Some(Format::Markdown)),
            ("A.HTML", None, Some(Format::Html)),
            ("a.json", None, Some(Format::Json)),
            ("a.perfetto.json", None, Some(Format::Perfetto)),
            ("a.json", Some(Format::Perfetto), Some(Format::Perfetto)),
            ("a.csv", None, Some(Format::Csv)),
            ("a", Some(Format::Html), Some(Format::Html)),
            ("a.md", Some(Format::Html), None),
            ("a.perfetto.json", Some(Format::Json), None),
            ("a", None, None),
            ("a.pdf", None, None),
        ] {
            assert_eq!(by_name(Path::new(name), asked).ok(), form, "{name} {asked:?}");
        }
    }

    #[test]
    fn only_ids_go_into_a_path() {
        assert!(is_id("7f3c9a1e-1842c"));
        for wrong in ["", "7f3c9a1e-1842", "7f3c9a1e-c", "../x-1c", "7f3c9a1e-1842c/x", "7f3c9a1-1c"] {
            assert!(!is_id(wrong), "{wrong}");
        }
    }
}
