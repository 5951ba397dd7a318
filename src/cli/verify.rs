//! `verify`: whether a log is whole.

use super::ending::AnsweredNo;
use super::escape::escape;
use crate::log;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// Check the log in this directory, or a copy of it; a recorder may be running on it
    #[arg(long, value_name = "DIR", env = "SHIPSLOG_DATA_DIR", default_value = "data")]
    data_dir: PathBuf,
}

pub(super) async fn run(args: VerifyArgs) -> anyhow::Result<()> {
    let report = tokio::task::spawn_blocking(move || {
        let bar = if io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}") {
            bar.set_style(style);
        }
        let report = log::verify(&args.data_dir, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        report
    })
    .await??;
    let mut out = io::stdout().lock();
    let range = report.bounds.map_or_else(|| "no records".to_owned(), |(oldest, newest)| format!("records {oldest} to {newest}"));
    writeln!(
        out,
        "log {}: {range}, {} whole, {} segments, {}",
        report.log,
        HumanCount(report.records),
        report.segments,
        HumanBytes(report.bytes)
    )?;
    if report.recording {
        writeln!(out, "note: a recorder is writing into this log; what it has added since this check began may not be counted")?;
    }
    for note in &report.notes {
        writeln!(out, "note: {}", escape(note))?;
    }
    for damage in &report.damage {
        writeln!(out, "DAMAGE: {}", escape(damage))?;
    }
    if report.damage.is_empty() {
        writeln!(out, "whole: every checksum, the hash chain, density and order hold; chain {}", report.chain)?;
        return Ok(());
    }
    writeln!(out, "damaged: what is not named above is whole and can be read; an export made before the damage can be imported beside it")?;
    Err(AnsweredNo.into())
}
