//! What `verify` asks of a segment: whether it opens and belongs here, its index, and each of its frames.

use super::Check;
use crate::log::record::chain::CHAIN_START;
use crate::log::segment::{CHUNK_FRAMES, FrameMeta, IndexData, Segment, SummaryChunk};
use crate::log::{Block, LogError};
use std::path::Path;

/// What a segment says of its frames.
struct Told<'a> {
    /// The name of its file.
    name: &'a str,
    /// Nothing when it is damaged.
    index: Option<&'a IndexData>,
    /// Of the chunk in which the frame lies; nothing when it is damaged.
    summary_chunk: Option<&'a SummaryChunk>,
}

impl Check {
    /// Looks at a segment. `progress` is told the bytes that are done.
    pub(super) fn segment(
        &mut self,
        path: &Path,
        opened: Result<Segment, LogError>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), LogError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let segment = match opened {
            Ok(segment) => segment,
            Err(LogError::Damaged(why)) => {
                self.damage(format!("{name} cannot be read: {why}; the next start sets it aside"));
                self.chain = None;
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        if self.is_superseded(&segment, &name) {
            return Ok(());
        }
        let index = self.index(&segment, &name);
        let mut summary_chunk = None;
        for (at, frame) in segment.frames().iter().enumerate() {
            if at.is_multiple_of(CHUNK_FRAMES) {
                summary_chunk = segment.summary_chunk(at);
            }
            let told = Told { name: &name, index: index.as_ref(), summary_chunk: summary_chunk.as_ref() };
            self.frame(&segment, at, frame, &told)?;
            self.report.bytes += u64::from(frame.packed_bytes());
            progress(self.report.bytes);
        }
        Ok(())
    }

    /// Whether its records were trimmed, or are in another segment. A recorder removes such by itself.
    fn is_superseded(&mut self, segment: &Segment, name: &str) -> bool {
        let trimmed = self.manifest.as_ref().map_or(0, |manifest| manifest.trimmed);
        let superseded = segment.last() < trimmed || self.next.is_some_and(|next| segment.last() < next);
        if superseded && !self.report.recording {
            self.report.notes.push(format!("{name} holds what another segment holds or what was trimmed; the next start removes it"));
        }
        superseded
    }

    /// Looks at the index, and whether the chain continues with the segment.
    fn index(&mut self, segment: &Segment, name: &str) -> Option<IndexData> {
        let index = segment.index().ok();
        if !segment.has_index() {
            self.damage(format!("{name} has no whole index; its records are read without it"));
        } else if !segment.has_summaries() {
            self.damage(format!("{name} has damaged summaries; filtered reads unpack all of it"));
        }
        if let Some(index) = &index {
            self.joins(segment.first(), index.chain_before, name);
        }
        self.chain = index.as_ref().map(|index| index.chain_before);
        index
    }

    /// Looks at the frame at place `at` of a segment.
    fn frame(&mut self, segment: &Segment, at: usize, frame: &FrameMeta, told: &Told<'_>) -> Result<(), LogError> {
        let name = told.name;
        self.begin(frame.first, &format!("the frame at {} of {name}", frame.first));
        match segment.block(frame) {
            Ok(block) => self.block(&block, at, frame, told),
            Err(LogError::Damaged(why)) => {
                self.damage(format!("the records {} to {} in {name} cannot be read: {why}", frame.first, frame.last()));
                self.next = Some(frame.last() + 1);
            }
            Err(e) => return Err(e),
        }
        self.chain = told.index.and_then(|index| index.chain_after.get(at).copied());
        Ok(())
    }

    /// Looks at the records of a frame, and whether they are what index and summary tell.
    fn block(&mut self, block: &Block, at: usize, frame: &FrameMeta, told: &Told<'_>) {
        let Told { name, index, summary_chunk } = told;
        let after = self.lines(block, name, self.chain.unwrap_or(CHAIN_START));
        let times = block.sequences().all(|seq| (frame.time.0..=frame.time.1).contains(&block.time(seq)));
        if !times {
            self.damage(format!("the index of {name} gives wrong times for the records {} to {}", frame.first, frame.last()));
        }
        // Where there are none, that has been told.
        let summaries = summary_chunk.and_then(|summary_chunk| summary_chunk.summaries().ok());
        if summaries.is_some_and(|summaries| !summaries.covers(at % CHUNK_FRAMES, block)) {
            self.damage(format!(
                "the summary of the records {} to {} in {name} leaves out some of them: filtered reads miss these",
                frame.first,
                frame.last()
            ));
        }
        let stored = index.and_then(|index| index.chain_after.get(at).copied());
        if self.chain.is_some() && stored != Some(after) {
            self.damage(format!(
                "the records {} to {} in {name} were altered: they do not give the hash chain's value",
                frame.first,
                frame.last()
            ));
        }
    }
}
