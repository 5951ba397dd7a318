//! What is left of a log, compared with what any reader saw.

use crate::child::{limits, message, number};
use shipslog::log::{EmbeddedLog, EventLog, GapReason, Recovery};
use shipslog::reader::{Reader, Step, Want};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

/// Everything that any reader was ever given: number of the record by sequence.
#[derive(Debug, Default)]
pub(crate) struct Seen(pub(crate) BTreeMap<u64, u64>);

impl Seen {
    /// Takes one line of a child; a sequence that comes back with another record fails at once.
    pub(crate) fn take(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("saw ") else { return };
        let Some((seq, number)) = rest.split_once(' ').and_then(|(a, b)| Some((a.parse().ok()?, b.trim_end().parse().ok()?))) else {
            return;
        };
        let before = self.0.insert(seq, number);
        assert!(before.is_none_or(|before| before == number), "sequence {seq} names record {before:?} and {number}");
    }

    /// Takes all that a child says until its end; the last line may be cut off by a kill. Returns the other
    /// lines.
    pub(crate) fn take_all(&mut self, out: impl Read) -> Vec<String> {
        let mut others = Vec::new();
        let mut reader = BufReader::new(out);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|n| n > 0) {
            if line.ends_with('\n') {
                if line.starts_with("saw ") { self.take(&line) } else { others.push(line.trim().to_owned()) }
            }
            line.clear();
        }
        others
    }

    /// The number after the highest seen.
    pub(crate) fn next_number(&self) -> u64 {
        self.0.values().max().map_or(1, |n| n + 1)
    }
}

/// What a log holds.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) records: BTreeMap<u64, u64>,
    pub(crate) gaps: Vec<(RangeInclusive<u64>, GapReason)>,
    pub(crate) recovery: Recovery,
}

/// Opens the log and reads it whole: every line must be what was appended, in order, dense but for gaps that
/// are told.
pub(crate) fn look(dir: &Path, padding: usize) -> Left {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let left = runtime.block_on(async {
        let (log, recovery) = EmbeddedLog::open_with(dir, limits()).unwrap();
        let log: Arc<dyn EventLog> = Arc::new(log);
        let mut left = Left { records: BTreeMap::new(), gaps: Vec::new(), recovery };
        let mut reader = Reader::new(Arc::clone(&log), 0, Want::default());
        let mut last = 0;
        while let Some(step) = reader.next().await.unwrap() {
            match step {
                Step::Records(selection) => {
                    for seq in selection.sequences() {
                        let json = selection.block.json(seq);
                        let number = number(json);
                        assert_eq!(json, message(number, padding), "record {seq} is what was appended");
                        assert_eq!(seq, last + 1, "dense, or told");
                        left.records.insert(seq, number);
                        last = seq;
                    }
                }
                Step::Gap(range, reason) => {
                    assert_eq!(*range.start(), last + 1, "a gap begins where the records end");
                    last = *range.end();
                    left.gaps.push((range, reason));
                }
                Step::Nothing => {}
            }
        }
        assert_eq!(last.max(log.bounds().head), last, "everything up to the head");
        log.close().await.unwrap();
        left
    });
    drop(runtime);
    // Sealing may continue for a moment; the lock tells when the log has let go.
    std::fs::File::open(dir.join("log/lock")).unwrap().lock().unwrap();
    left
}

impl Left {
    /// Nothing that was seen is gone or names something else, but for what was trimmed on purpose.
    pub(crate) fn holds(&self, seen: &Seen, about: &str) {
        for (seq, number) in &seen.0 {
            let trimmed = self.gaps.iter().any(|(gap, reason)| *reason == GapReason::Retention && gap.contains(seq));
            assert!(
                trimmed || self.records.get(seq) == Some(number),
                "{about}: record {seq} was seen as {number} and is {:?}; gaps {:?}, {:?}",
                self.records.get(seq),
                self.gaps,
                self.recovery
            );
        }
    }

    /// Nothing else is missing.
    pub(crate) fn is_whole(&self, about: &str) {
        assert!(self.gaps.iter().all(|(_, reason)| *reason == GapReason::Retention), "{about}: {:?}", self.gaps);
        assert!(self.recovery.lost.is_empty() && self.recovery.quarantined.is_empty(), "{about}: {:?}", self.recovery);
    }
}

/// There is no file that only unfinished work needs.
pub(crate) fn no_litter(dir: &Path) {
    for entry in std::fs::read_dir(dir.join("log")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let known = ["LOG", "lock", "watermark"].contains(&name.as_str()) || name.ends_with(".jsonl.zst") || name.starts_with("tip-");
        assert!(known, "{name} was left behind");
    }
}
