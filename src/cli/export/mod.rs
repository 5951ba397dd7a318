//! `export`: a selection as a file, whole or not at all.

mod partial;

use super::args::{Remote, Since, Terms, Until, selection};
use super::escape::Safe;
use super::interrupted;
use super::report::Interrupted;
use crate::client::{Compression, Export};
use anyhow::Context as _;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use partial::Partial;
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
    /// jsonl is a full backup
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// File to write, compressed if it ends in .gz or .zst; without it, or with -, to stdout
    #[arg(short = 'O', long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One record of JSON per line
    Jsonl,
    /// As `docker events` prints, in UTC; without the recorder's own records, unless type=recorder is asked for
    Docker,
    /// A table for spreadsheets
    Csv,
}

impl Format {
    /// As the server knows it.
    fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Docker => "docker",
            Self::Csv => "csv",
        }
    }
}

pub(super) async fn run(args: ExportArgs) -> anyhow::Result<()> {
    let selection = selection(&args.since, &args.until, &args.terms)?;
    let client = args.remote.client()?;
    let path = args.output.as_deref().filter(|path| *path != Path::new("-"));
    let compression = path.map_or(Compression::None, compression);
    // Before the first request: a name that cannot be written is no reason to make the server work.
    let mut partial = path.map(|path| Partial::create(path, args.force)).transpose()?;
    let work = async {
        let export = client.export(&selection, args.format.name(), compression).await?;
        match &mut partial {
            Some(partial) => copy(export, partial, compression, &progress()).await,
            None if io::stdout().is_terminal() => {
                let mut out = Safe::new(io::stdout().lock(), args.format == Format::Jsonl);
                copy(export, &mut out, compression, &ProgressBar::hidden()).await
            }
            None => copy(export, &mut io::stdout().lock(), compression, &ProgressBar::hidden()).await,
        }
    };
    let bytes = tokio::select! {
        result = work => result?,
        () = interrupted() => return Err(Interrupted.into()),
    };
    if let Some(partial) = partial {
        let path = partial.finish()?;
        if io::stderr().is_terminal() {
            eprintln!("{}: {}", super::escape::escape(&path.to_string_lossy()), HumanBytes(bytes));
        }
    }
    Ok(())
}

/// What a file's name says that is in it.
fn compression(path: &Path) -> Compression {
    match path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).as_deref() {
        Some("gz") => Compression::Gzip,
        Some("zst") => Compression::Zstd,
        _ => Compression::None,
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
