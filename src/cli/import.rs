//! `import`: a log from an export.

use crate::{export, log};
use anyhow::Context as _;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// File that `shipslog export` wrote as jsonl, compressed or not
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Make the log in this directory, which must not hold one yet
    #[arg(long, value_name = "DIR", env = "SHIPSLOG_DATA_DIR", default_value = "data")]
    data_dir: PathBuf,
}

pub(super) async fn run(args: ImportArgs) -> anyhow::Result<()> {
    let name = args.file.display().to_string();
    let file = File::open(&args.file).with_context(|| format!("cannot open {name}"))?;
    let imported = tokio::task::spawn_blocking(move || {
        let bar = if io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} records, {per_sec}") {
            bar.set_style(style);
        }
        let mut lines = export::decompress(file)?;
        let imported = log::import(&mut *lines, &args.data_dir, &mut |records| bar.set_position(records))?;
        bar.finish_and_clear();
        anyhow::Ok(imported)
    })
    .await?
    .with_context(|| format!("cannot import {name}"))?;
    let mut out = io::stdout().lock();
    let (oldest, newest) = imported.bounds;
    write!(out, "imported {} records, {oldest} to {newest}, under their ids", HumanCount(imported.records))?;
    if imported.missing > 0 {
        write!(out, "; the export does not hold {} in between, readers will be told", HumanCount(imported.missing))?;
    }
    writeln!(out)?;
    Ok(())
}
