//! `verify`: looks at everything that a log's directory holds, and changes nothing.

mod look;
mod segments;
mod tips;

use crate::cursor::{LogId, Sequence};
use crate::log::dir::lineage::Lineage;
use crate::log::dir::listing::Listing;
use crate::log::dir::manifest::Manifest;
use crate::log::dir::watermark::Watermark;
use crate::log::record::chain::{self, ChainValue};
use crate::log::record::line::Line;
use crate::log::segment::Segment;
use crate::log::{Block, LogError};
use crate::time::Timestamp;
use look::Look;
use std::path::Path;
use tips::OpenedTip;

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Which log.
    pub log: String,
    /// Oldest and newest record.
    pub bounds: Option<(Sequence, Sequence)>,
    /// Records that are whole.
    pub records: u64,
    /// Sealed segments.
    pub segments: usize,
    /// Bytes looked at.
    pub bytes: u64,
    /// The chain's value after the newest record, in hex: a reader who notes it can prove later that nothing
    /// before it was altered.
    pub chain: String,
    /// What is not as it should be, one sentence each.
    pub damage: Vec<String>,
    /// What is unusual and in order.
    pub notes: Vec<String>,
    /// Whether a recorder was writing into the log meanwhile: what came since the look began may not have
    /// been looked at.
    pub recording: bool,
}

/// Findings of a kind that are listed; more are counted.
const MAX_FINDINGS: usize = 100;

/// Checks every checksum, the chain, density, order and the index of the log in `data_dir`. `progress` is
/// told how many of how many bytes are done. Beside a recorder, the sealed segments are checked and of the
/// newest records the copy in the journal, up to what readers had seen when the look began.
///
/// # Errors
/// When there is no log, or a file cannot be read for a passing reason. Damage is no error but in the report.
pub fn verify(data_dir: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, LogError> {
    let dir = data_dir.join("log");
    let mut look = Look::take(&dir)?;
    // After the files, since a trim of a recorder moves the beginning.
    let mut check = Check::new(&dir, &look.listing)?;
    (check.report.recording, check.seen) = (look.beside, look.seen);
    let total = look.listing.bytes();
    for (_, path) in look.listing.segments.clone() {
        let segment = look.segment(&path);
        check.segment(&path, segment, &mut |done| progress(done.min(total), total))?;
    }
    let mut tips = Vec::new();
    for (_, path) in look.listing.tips.clone() {
        let copy = look.tip(&path);
        tips.extend(check.open_tip(&path, copy)?);
    }
    // Where writing went on in a newer tip, that one holds.
    let firsts: Vec<_> = tips.iter().map(OpenedTip::first).collect();
    for (at, tip) in tips.into_iter().enumerate() {
        let end = firsts.iter().skip(at + 1).flatten().min().copied().unwrap_or(Sequence::MAX);
        check.tip(tip, end)?;
        progress(total, total);
    }
    check.end(&dir, data_dir)
}

/// What is wrong with a segment by itself, one sentence each: its frames and their lines, the hash chain
/// through them, index and summaries.
///
/// # Errors
/// When it cannot be read for a passing reason.
pub(in crate::log) fn verify_segment(path: &Path, segment: Segment) -> Result<Vec<String>, LogError> {
    let lineage = Some(Lineage::new(segment.log(), Vec::new()));
    let mut check =
        Check { report: Report::default(), manifest: None, lineage, next: None, chain: None, received: Timestamp::MIN, seen: None };
    check.segment(path, Ok(segment), &mut |_| ())?;
    Ok(check.report.damage)
}

/// Where the records of a log come from that was not recorded here, a sentence for each log.
fn origins(manifest: &Manifest) -> Vec<String> {
    let origin = |(ancestor, fork): &(String, Sequence)| {
        // An export names its log by the beginning of the id, as cursors do.
        let known = ancestor.parse().ok().filter(|id: &LogId| *fork <= manifest.imported && *id == LogId::with_prefix(id.prefix()));
        match known {
            Some(id) => format!("up to the record {fork} this was imported from an export of the log {:08x}", id.prefix()),
            None => format!("up to the record {fork} this is a copy of the log {ancestor}"),
        }
    };
    manifest.ancestors.iter().map(origin).collect()
}

struct Check {
    report: Report,
    manifest: Option<Manifest>,
    lineage: Option<Lineage>,
    /// The next sequence expected, and the chain's value before it; `None` before the first record and after
    /// a hole.
    next: Option<Sequence>,
    chain: Option<ChainValue>,
    received: Timestamp,
    /// Beside a recorder: what readers may have seen before the look began.
    seen: Option<Sequence>,
}

impl Check {
    fn new(dir: &Path, listing: &Listing) -> Result<Self, LogError> {
        let mut report = Report::default();
        let manifest = match Manifest::read(dir) {
            Ok(manifest) => manifest,
            Err(LogError::Damaged(why)) => {
                report
                    .damage
                    .push(format!("LOG cannot be read: {why}; the next start makes it again from what the log holds, after a gap"));
                None
            }
            Err(e) => return Err(e),
        };
        if manifest.is_none() && report.damage.is_empty() {
            if listing.is_empty() {
                return Err(LogError::Damaged(format!("{} holds no log", dir.display())));
            }
            report.damage.push("LOG is missing; the next start makes it again from what the log holds, after a gap".to_owned());
        }
        let lineage = manifest.as_ref().and_then(|manifest| manifest.lineage().ok());
        report.log = manifest.as_ref().map_or_else(|| "unknown".to_owned(), |manifest| manifest.log.clone());
        report.notes.extend(manifest.iter().flat_map(origins));
        report.segments = listing.segments.len();
        Ok(Self { report, manifest, lineage, next: None, chain: None, received: Timestamp::MIN, seen: None })
    }

    fn damage(&mut self, what: String) {
        if self.report.damage.len() < MAX_FINDINGS {
            self.report.damage.push(what);
        } else if self.report.damage.len() == MAX_FINDINGS {
            self.report.damage.push("… and more".to_owned());
        }
    }

    /// The sequence that comes next; 0 where nothing tells it.
    fn expected(&self) -> Sequence {
        self.next.unwrap_or_else(|| self.manifest.as_ref().map_or(0, |manifest| manifest.trimmed.max(1)))
    }

    /// Whether the record `first` stands behind one that a recorder wrote while the journal was copied: the
    /// copy may hold half of that block and all of the next one. Readers saw neither before the look began.
    fn is_behind_the_look(&self, first: Sequence) -> bool {
        let expected = self.expected();
        self.report.recording && first > expected && self.seen.is_some_and(|seen| expected > seen)
    }

    /// The records from `first` on follow.
    fn begin(&mut self, first: Sequence, about: &str) {
        let expected = self.expected();
        if first > expected && expected > 0 {
            let known = self.manifest.as_ref().is_some_and(|i| i.holes.iter().any(|(from, to)| *from <= expected && first - 1 <= *to));
            let what = format!("the records {expected} to {} are missing before {about}", first - 1);
            if self.manifest.as_ref().is_some_and(|manifest| first - 1 <= manifest.imported) {
                self.report.notes.push(format!("{what}; the export that this log was made from did not have them"));
            } else if known && self.manifest.as_ref().is_some_and(|manifest| manifest.follows.is_some()) {
                self.report.notes.push(format!("{what}; the archive that this log was begun from did not have them"));
            } else if known {
                self.report.notes.push(format!("{what}; a gap record tells of it"));
            } else {
                self.damage(what);
            }
        } else if first < expected {
            self.damage(format!("{about} begins with the record {first}, which was there before (expected {expected})"));
        }
        self.report.bounds = Some(self.report.bounds.map_or((first, first), |(oldest, _)| (oldest, first)));
    }

    /// Looks at every line of a block; the chain's value after it.
    fn lines(&mut self, block: &Block, about: &str, before: ChainValue) -> ChainValue {
        let mut value = before;
        for seq in block.sequences() {
            let line = block.line(seq, false);
            let parts = Line::of(&line, seq);
            let ours = self.lineage.as_ref().is_none_or(|lineage| parts.cursor() == lineage.log_at(seq).cursor(seq).to_string().as_bytes());
            if let Err(e) = parts.check(seq) {
                self.damage(format!("record {seq} in {about}: {e}"));
            } else if !ours {
                self.damage(format!("record {seq} in {about} is of another log"));
            } else if parts.received() < self.received && !parts.is_start() {
                self.damage(format!("record {seq} in {about} was received before the one before it"));
            } else {
                self.report.records += 1;
                self.received = parts.received();
            }
            value = chain::next(&value, &line);
        }
        if let Some((oldest, _)) = self.report.bounds {
            self.report.bounds = Some((oldest, block.last()));
        }
        self.next = Some(block.last() + 1);
        value
    }

    /// Whether the chain continues with `first`. Across a hole it may not: what is missing has been told, and
    /// is not told as altered.
    fn joins(&mut self, first: Sequence, before: ChainValue, about: &str) {
        let imported = self.manifest.as_ref().map_or(0, |manifest| manifest.imported);
        let hole = self.next.is_some_and(|next| first > next) && first > imported + 1;
        if self.chain.is_some_and(|chain| chain != before) && !hole {
            self.damage(format!("the hash chain breaks before {about}: records were altered, removed or put in"));
        }
    }

    fn end(mut self, dir: &Path, data_dir: &Path) -> Result<Report, LogError> {
        let before = self.manifest.as_ref().map_or(0, |manifest| manifest.trimmed.saturating_sub(1));
        let end = self.next.map_or(before, |next| next - 1);
        if let Some(manifest) = self.manifest.clone() {
            let seen = if self.report.recording { self.seen } else { manifest.clean_head.or(Watermark::look(dir)?) }.unwrap_or(0);
            let told = manifest.holes.iter().any(|(from, to)| *from <= end + 1 && seen <= *to);
            if seen > end && !told {
                self.damage(format!("the log ends with the record {end}, but readers may have seen up to {seen}; the next start tells of it and continues after that"));
            }
            if manifest.clean_head.is_none() && !self.report.recording {
                self.report.notes.push("the recorder was not stopped cleanly, or this is a copy of a running one".to_owned());
            }
        }
        if data_dir.join("quarantine").is_dir() {
            self.report.notes.push(format!("{} holds what could not be opened at earlier starts", data_dir.join("quarantine").display()));
        }
        self.report.chain = self.chain.map(hex::encode).unwrap_or_default();
        Ok(self.report)
    }
}
