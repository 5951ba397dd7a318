//! The prefilter: the lines of a frame that may be wanted, found without laying out the others.

use super::line::{self, Line};
use crate::cursor::Sequence;
use crate::log::{Block, LogError, Scan};
use std::ops::Range;

/// One line in so many may be wanted, at most; of more, the whole frame is laid out at once.
pub(in crate::log) const SPARSE: usize = 4;

/// What is in a frame for a scan.
#[derive(Debug)]
pub(in crate::log) enum Prefiltered {
    /// The lines that may be wanted, as blocks of neighbours that rise.
    Few(Vec<Block>),
    /// The whole frame.
    All(Block),
}

/// Looks for the lines that may be wanted among those of the records from `first` to `last`.
pub(in crate::log) fn prefilter(lines: &[u8], first: Sequence, last: Sequence, scan: &Scan) -> Result<Prefiltered, LogError> {
    match runs(lines, first, last, scan)? {
        Some(runs) => {
            let block = |run: Run| Block::from_lines(run.first, lines.get(run.bytes).unwrap_or_default());
            runs.into_iter().map(block).collect::<Result<_, _>>().map(Prefiltered::Few)
        }
        None => {
            let block = Block::from_lines(first, lines)?;
            if block.last() == last { Ok(Prefiltered::All(block)) } else { Err(misplaced(first)) }
        }
    }
}

/// What is in these lines, which rise and have their ends with them, as blocks of neighbours that rise.
pub(in crate::log) fn pick<'a>(lines: impl Iterator<Item = (Sequence, &'a [u8])>, scan: &Scan) -> Result<Vec<Block>, LogError> {
    let mut blocks = Vec::new();
    let (mut first, mut next, mut run) = (0, 0, Vec::new());
    for (seq, bytes) in lines {
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if sequence(text) != Some(seq) {
            return Err(misplaced(seq));
        }
        if !wanted(Line::of(text, seq), scan) {
            continue;
        }
        if seq != next && !run.is_empty() {
            blocks.push(Block::from_lines(first, &std::mem::take(&mut run))?);
        }
        if run.is_empty() {
            first = seq;
        }
        run.extend_from_slice(bytes);
        next = seq + 1;
    }
    if !run.is_empty() {
        blocks.push(Block::from_lines(first, &run)?);
    }
    Ok(blocks)
}

/// Whether a line may pass.
fn wanted(line: Line<'_>, scan: &Scan) -> bool {
    scan.filter.may_match_text(line.bytes.get(line.json()).unwrap_or_default()) && scan.time.contains(&line.time())
}

fn misplaced(first: Sequence) -> LogError {
    LogError::Damaged(format!("a frame does not hold the record {first} and those after it"))
}

/// Neighbouring lines.
struct Run {
    first: Sequence,
    bytes: Range<usize>,
}

/// The lines that may be wanted. `None` when they are many, or when only parsing can tell.
fn runs(lines: &[u8], first: Sequence, last: Sequence, scan: &Scan) -> Result<Option<Vec<Run>>, LogError> {
    let Some(texts) = scan.filter.rarest_texts() else { return Ok(None) };
    let whole = lines.strip_suffix(b"\n").ok_or_else(|| misplaced(first))?;
    let end = memchr::memrchr(b'\n', whole).map_or(0, |at| at + 1);
    // What lies between is what was written, by its checksum; whether it is what should lie here, its ends
    // tell.
    if sequence(lines) != Some(first) || lines.get(end..).and_then(sequence) != Some(last) {
        return Err(misplaced(first));
    }
    let most = usize::try_from(last - first).unwrap_or(usize::MAX) / SPARSE + 1;
    let mut found = Vec::new();
    let mut look = |find: &dyn Fn(&[u8]) -> Option<usize>| {
        let mut from = 0;
        while let Some(hit) = lines.get(from..).and_then(find) {
            let range = line_around(lines, from + hit);
            from = range.end;
            found.push(range.start..range.end);
            if found.len() > most {
                return false;
            }
        }
        true
    };
    // JSON may write any character as an escape.
    if !texts.iter().all(|text| look(&|bytes| text.find(bytes))) || !look(&|bytes| memchr::memchr(b'\\', bytes)) {
        return Ok(None);
    }
    found.sort_unstable_by_key(|range| range.start);
    found.dedup();
    let mut runs: Vec<Run> = Vec::new();
    for range in found {
        let text = lines.get(range.start..range.end - 1).unwrap_or_default();
        let seq = sequence(text).filter(|seq| (first..=last).contains(seq)).ok_or_else(|| misplaced(first))?;
        if !wanted(Line::of(text, seq), scan) {
            continue;
        }
        match runs.last_mut() {
            Some(run) if run.bytes.end == range.start => run.bytes.end = range.end,
            _ => runs.push(Run { first: seq, bytes: range }),
        }
    }
    Ok(Some(runs))
}

/// The line in which `at` lies, with its end. There is one: the lines end with it.
fn line_around(lines: &[u8], at: usize) -> Range<usize> {
    let start = lines.get(..at).and_then(|before| memchr::memrchr(b'\n', before)).map_or(0, |end| end + 1);
    let end = lines.get(at..).and_then(|rest| memchr::memchr(b'\n', rest)).map_or(lines.len(), |end| at + end + 1);
    start..end
}

/// The sequence in the cursor with which a line begins.
fn sequence(line: &[u8]) -> Option<Sequence> {
    let text = line.get(line::SEQUENCE_AT..)?;
    let text = text.get(..memchr::memchr(b'"', text.get(..21)?)?)?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
