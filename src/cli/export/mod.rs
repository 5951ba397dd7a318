//! `export`: a selection as a file, whole or not at all. The server chooses and writes the records
//! (`export/`); here they are only passed on.

mod suffix;

use super::args::{Remote, Since, Terms, Until, choose};
use super::clock::Clock;
use super::ending::Interrupted;
use super::escape::Safe;
use super::partial::Partial;
use super::printer::{Printer, remark};
use super::{history, interrupted, nothing};
use crate::client::{Client, ClientError, Compression, Export, Selection};
use crate::event::LAST_WORDS;
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    since: Since,
    #[command(flatten)]
    until: Until,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    clock: Clock,
    /// Write this format [default: what the suffix of FILE says, else jsonl]
    #[arg(long, value_enum, help_heading = "Output")]
    format: Option<FormatArg>,
    /// Write this file; .csv, .jsonl or .txt (docker) chooses the format, .gz or .zst after it compresses;
    /// without it, or with -, to stdout
    #[arg(short = 'O', long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long, help_heading = "Output")]
    force: bool,
    /// Leave out the last line of a jsonl FILE, which says how many records it holds
    #[arg(long, help_heading = "Output")]
    no_trailer: bool,
    /// Leave out what containers printed before they died, as for a file that goes to others
    #[arg(long, help_heading = "Output")]
    no_last_words: bool,
    #[command(flatten)]
    remote: Remote,
}

/// A format of exports as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FormatArg {
    /// One record a line, as JSON: a full backup, which import reads
    #[value(alias = "json")]
    Jsonl,
    /// The lines that `docker events` prints, in UTC; the recorder's own records only if type=recorder is
    /// asked for
    Docker,
    /// A table for spreadsheets
    Csv,
}

impl FormatArg {
    /// As the server knows it.
    fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Docker => "docker",
            Self::Csv => "csv",
        }
    }
}

/// A file with fewer bytes may hold no record, whatever its format and compression.
const MAYBE_EMPTY_BYTES: u64 = 1024;

pub(super) async fn run(mut args: ExportArgs) -> anyhow::Result<()> {
    if args.no_last_words {
        args.terms.leave_out(format!("event={LAST_WORDS}"));
    }
    let chosen = choose(&args.since, &args.until, &args.terms, &args.clock)?;
    let selection = chosen.selection;
    let path = args.output.as_deref().filter(|path| *path != Path::new("-"));
    let form = match path {
        Some(path) => suffix::form(path, args.format)?,
        None => suffix::Form { format: args.format.unwrap_or(FormatArg::Jsonl), compression: Compression::None },
    };
    chosen.remarks.iter().for_each(|text| remark(text));
    let client = args.remote.client()?;
    // Before the first request: a name that cannot be written is no reason to make the server work.
    let mut partial = path.map(|path| Partial::create(path, args.force)).transpose()?;
    let trailer = path.is_some() && form.format == FormatArg::Jsonl && !args.no_trailer;
    let work = async {
        let export = start(&client, &selection, form, trailer).await?;
        let bytes = match &mut partial {
            Some(partial) => copy(export, partial, form.compression, &progress()).await?,
            None if io::stdout().is_terminal() => {
                let mut out = Safe::new(io::stdout().lock(), form.format == FormatArg::Jsonl);
                copy(export, &mut out, form.compression, &ProgressBar::hidden()).await?
            }
            None => copy(export, &mut io::stdout().lock(), form.compression, &ProgressBar::hidden()).await?,
        };
        if bytes < MAYBE_EMPTY_BYTES && history::newest(&client, &selection, 1, false).await.is_ok_and(|newest| newest.lines.is_empty()) {
            nothing::explain(&client, &selection, &mut Printer::remarks_only()).await?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        result = work => result?,
        () = interrupted() => return Err(Interrupted.into()),
    }
    partial.map(Partial::finish).transpose()?;
    Ok(())
}

/// Asks for the export, with its last line where the server knows that one.
async fn start(client: &Client, selection: &Selection, form: suffix::Form, trailer: bool) -> Result<Export, ClientError> {
    let export = async |trailer| client.export(selection, form.format.name(), form.compression, trailer).await;
    match export(trailer).await {
        Err(ClientError::Refused { status: 400, detail }) if trailer && detail.contains("trailer") => export(false).await,
        answer => answer,
    }
}

/// Passes the export on piece by piece; it may be larger than memory.
async fn copy(mut export: Export, out: &mut dyn Write, compression: Compression, progress: &ProgressBar) -> anyhow::Result<u64> {
    let (mut bytes, mut last) = (0, b'\n');
    while let Some(chunk) = export.chunk().await? {
        out.write_all(&chunk).context("cannot write the export")?;
        bytes += chunk.len() as u64;
        last = chunk.last().copied().unwrap_or(last);
        progress.set_position(bytes);
    }
    out.flush().context("cannot write the export")?;
    progress.finish_and_clear();
    if compression == Compression::None && last != b'\n' {
        anyhow::bail!("the export ends in the middle of a line");
    }
    Ok(bytes)
}

/// indicatif draws on stderr, and only if that is a terminal. The size is not known beforehand.
fn progress() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {bytes} ({bytes_per_sec}, {elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests;
