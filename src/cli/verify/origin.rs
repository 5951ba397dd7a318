//! `verify --origin`: what a fleet's log proves of one log of one host. It changes nothing, and it judges the
//! lines that are here: whether the host has the same, its own `verify --through` says.

use crate::chain::ChainValue;
use crate::cli::ending::{AnsweredNo, Usage};
use crate::cli::escape::escape;
use crate::cursor::Sequence;
use crate::follow::{Proof, is_own_gap};
use crate::log::{EmbeddedLog, EventLog};
use crate::reader::{Reader, Step, Want};
use anyhow::Context as _;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

/// Hosts and logs that are offered where a log is not known.
const MAX_OFFERED: usize = 20;
/// Stretches that the fleet's log lacks which are named; more are counted.
const MAX_LACKS: usize = 100;

/// A host's log by the first eight hex digits of its id.
pub(super) fn log_of(text: &str) -> Result<u32, String> {
    let is_id = text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then(|| u32::from_str_radix(text, 16).ok()).flatten().ok_or_else(|| {
        "it is the first 8 digits of the id of a host's log, such as 7f3c9a1e: the beginning of `origin.id` in a record".to_owned()
    })
}

/// `N:VALUE`, as `verify --through N` prints it at the host.
pub(super) fn known_of(text: &str) -> Result<(Sequence, ChainValue), String> {
    let read = || {
        let (seq, hex) = text.split_once(':')?;
        let mut value = ChainValue::default();
        hex::decode_to_slice(hex, &mut value).ok()?;
        Some((seq.parse().ok()?, value))
    };
    read().ok_or_else(|| "it is N:VALUE: a record of the host and the 64 hex digits of its chain after that".to_owned())
}

/// Of one log of a host, what was found.
#[derive(Debug, Default)]
struct Found {
    /// By the name of the host: a host that was renamed, or copied, has sent the same log under another one,
    /// and each is a log of its own in the fleet.
    proofs: BTreeMap<String, Proof>,
    /// Logs of hosts that there are otherwise.
    others: BTreeSet<String>,
    /// Records of the fleet's log that it lacks itself, the first of them; more are counted.
    lacks: Vec<RangeInclusive<Sequence>>,
    lacks_more: u64,
}

fn open(data_dir: &Path) -> anyhow::Result<Arc<dyn EventLog>> {
    let log = EmbeddedLog::open_read_only(data_dir).with_context(|| format!("cannot read the log in {}", data_dir.display()))?;
    Ok(Arc::new(log))
}

/// The value of a log's own chain after one of its records.
pub(super) async fn through(data_dir: &Path, seq: Sequence) -> anyhow::Result<String> {
    let log = open(data_dir)?;
    let bounds = log.bounds();
    match log.chain_around(seq).await? {
        Some((_, after)) => Ok(hex::encode(after)),
        None => Err(Usage(format!("--through {seq}: the log has the records {} to {}", bounds.oldest, bounds.head)).into()),
    }
}

async fn read(data_dir: &Path, wanted: u32, through: Option<Sequence>, known: Option<(Sequence, ChainValue)>) -> anyhow::Result<Found> {
    let log = open(data_dir)?;
    let bounds = log.bounds();
    let mut found = Found::default();
    let mut reader = Reader::new(log, bounds.oldest.saturating_sub(1), Want { until: bounds.head, ..Want::default() });
    while let Some(step) = reader.next().await? {
        let selection = match step {
            Step::Records(selection) => selection,
            Step::Nothing => continue,
            Step::Gap(..) if found.lacks.len() >= MAX_LACKS => {
                found.lacks_more += 1;
                continue;
            }
            Step::Gap(range, _) => {
                found.lacks.push(range);
                continue;
            }
        };
        for seq in selection.sequences() {
            let Some(origin) = selection.block.origin(seq) else { continue };
            let host = || selection.block.source(seq).split('/').next().unwrap_or_default().to_owned();
            if origin.id.log != wanted {
                if found.others.len() < MAX_OFFERED {
                    found.others.insert(format!("{:08x} of {}", origin.id.log, host()));
                }
                continue;
            }
            let is_gap = selection.block.record(seq).is_some_and(|record| is_own_gap(&record.event));
            let (false, Some(line)) = (is_gap || through.is_some_and(|last| origin.id.seq > last), selection.block.host_line(seq)) else {
                continue;
            };
            found.proofs.entry(host()).or_insert_with(|| Proof::new(known)).take(origin.id.seq, &line);
        }
    }
    Ok(found)
}

/// Says what the fleet's log in `data_dir` proves of a host's log.
pub(super) async fn run(
    data_dir: &Path,
    wanted: u32,
    through: Option<Sequence>,
    known: Option<(Sequence, ChainValue)>,
) -> anyhow::Result<()> {
    let found = read(data_dir, wanted, through, known).await?;
    if found.proofs.is_empty() {
        let others: Vec<String> = found.others.into_iter().collect();
        let there = if others.is_empty() { "this is no log of a fleet".to_owned() } else { format!("there are {}", others.join(", ")) };
        return Err(Usage(format!("--origin: no record is of the log {wanted:08x}; {there}")).into());
    }
    if found.tell(wanted, &mut io::stdout().lock())? { Ok(()) } else { Err(AnsweredNo.into()) }
}

impl Found {
    /// Whether nothing contradicts it, and nothing is lost here that could.
    fn tell(&self, wanted: u32, out: &mut impl Write) -> io::Result<bool> {
        let mut is_well = self.lacks.is_empty();
        for (host, proof) in &self.proofs {
            is_well &= self.tell_host(wanted, host, proof, out)?;
        }
        for lacks in &self.lacks {
            writeln!(
                out,
                "DAMAGE: this fleet's log lacks its own records {} to {}; nothing here tells which of them were of {wanted:08x}",
                lacks.start(),
                lacks.end()
            )?;
        }
        if self.lacks_more > 0 {
            writeln!(out, "DAMAGE: it lacks {} more stretches of its own records", self.lacks_more)?;
        }
        Ok(is_well)
    }

    fn tell_host(&self, wanted: u32, host: &str, proof: &Proof, out: &mut impl Write) -> io::Result<bool> {
        let (first, last) = (proof.first, proof.last());
        writeln!(out, "log {wanted:08x} of {}: records {first} to {last}, {} of them here", escape(host), proof.records)?;
        let why = if self.lacks.is_empty() { "a gap record tells why" } else { "a gap record tells why, or they are lost here" };
        for missing in &proof.missing {
            writeln!(out, "note: the records {} to {} are not here; {why}", missing.start(), missing.end())?;
        }
        if proof.missing_more > 0 {
            writeln!(out, "note: {} more stretches are not here", proof.missing_more)?;
        }
        if proof.misplaced > 0 {
            writeln!(out, "DAMAGE: {} records of it stand after a later one", proof.misplaced)?;
            return Ok(false);
        }
        match proof.chain() {
            Some(chain) => writeln!(
                out,
                "chain {} after record {last}; nothing was altered if `shipslog verify --through {last}` prints the same at the host",
                hex::encode(chain)
            )?,
            None => writeln!(
                out,
                "not proven: what was before the record {} is not here; add --chain {}:VALUE, with what `shipslog verify --through {}` prints at the host",
                proof.needed() + 1,
                proof.needed(),
                proof.needed()
            )?,
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
