//! `verify`: whether a log is whole.

mod origin;

use super::ending::AnsweredNo;
use super::escape::escape;
use crate::chain::ChainValue;
use crate::cursor::Sequence;
use crate::log;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// Check the log in this directory, or a copy of it; a recorder may be running on it
    #[arg(long, value_name = "DIR", env = "SHIPSLOG_DATA_DIR", default_value = "data")]
    data_dir: PathBuf,

    /// Print the value of the chain after this record as well, to be compared with that of another place
    #[arg(long, value_name = "N")]
    through: Option<Sequence>,

    /// In a fleet's log: restore the lines of this log of a host and print the value of its own chain. It is
    /// named by the first 8 digits of its id, as in `origin.id`
    #[arg(long, value_name = "LOG", value_parser = origin::log_of)]
    origin: Option<u32>,

    /// With --origin: a record of the host and the value of its chain after that, where earlier records are
    /// not here
    #[arg(long, value_name = "N:VALUE", value_parser = origin::known_of, requires = "origin")]
    chain: Option<(Sequence, ChainValue)>,
}

pub(super) async fn run(args: VerifyArgs) -> anyhow::Result<()> {
    if let Some(origin) = args.origin {
        return origin::run(&args.data_dir, origin, args.through, args.chain).await;
    }
    let (through, dir) = (args.through, args.data_dir.clone());
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
        if let Some(seq) = through {
            writeln!(out, "chain {} after record {seq}", origin::through(&dir, seq).await?)?;
        }
        return Ok(());
    }
    writeln!(out, "damaged: what is not named above is whole and can be read; an export made before the damage can be imported beside it")?;
    Err(AnsweredNo.into())
}
