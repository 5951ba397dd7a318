//! What readers keep in memory of segments and tips for those who come after them: blocks, summaries, and
//! what filters made of these.

use crate::cursor::{LogId, Sequence};
use crate::filter::Filter;
use crate::log::record::block::Block;
use crate::log::record::prefilter::Prefiltered;
use crate::log::segment::{CHUNK_FRAMES, Candidates, FrameMeta, IndexData, Segment, SummaryChunk};
use crate::log::tip::index::IndexEntry;
use crate::log::tip::{Tip, codec};
use crate::log::{LogError, Scan};
use parking_lot::Mutex;
use quick_cache::{Weighter, sync::Cache};
use std::sync::Arc;

/// Wire bytes of older blocks that stay in memory for readers who replay the same stretch.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
/// Memory for summaries of segments that filtered reads have looked at.
const SUMMARY_BYTES: u64 = 4 * 1024 * 1024;

/// Chunks of summaries whose verdict for a filter is kept; about 2 KB each, 8 at most.
const JUDGED_CHUNKS: usize = 512;

/// A segment, and the place of a chunk of summaries in it.
type Chunked = (u64, usize);

/// What is read through memory.
#[derive(Debug)]
pub(super) struct Caches {
    blocks: Cache<(Sequence, Sequence), Arc<Block>, Weights>,
    summary_chunks: Cache<Chunked, Arc<SummaryChunk>, Weights>,
    /// Where in the frames of a chunk of summaries something may be that passes a filter: a filtered read
    /// comes back to a chunk again and again.
    judged: Cache<(Chunked, Arc<Filter>), Arc<[Candidates]>>,
    /// The index of the segment whose chain was asked for last, by its id: a forwarder asks for each frame.
    index: Mutex<Option<(u64, Arc<IndexData>)>>,
}

#[derive(Debug, Clone)]
struct Weights;

impl<K> Weighter<K, Arc<Block>> for Weights {
    fn weight(&self, _: &K, block: &Arc<Block>) -> u64 {
        block.bytes() as u64 + 128
    }
}

impl<K> Weighter<K, Arc<SummaryChunk>> for Weights {
    fn weight(&self, _: &K, summary_chunk: &Arc<SummaryChunk>) -> u64 {
        summary_chunk.bytes() as u64 + 128
    }
}

impl Caches {
    pub(super) fn new() -> Self {
        Self {
            blocks: Cache::with_weighter(256, CACHE_BYTES, Weights),
            summary_chunks: Cache::with_weighter(64, SUMMARY_BYTES, Weights),
            judged: Cache::new(JUDGED_CHUNKS),
            index: Mutex::default(),
        }
    }

    /// Gives the memory of blocks back.
    pub(super) fn clear(&self) {
        self.blocks.clear();
        *self.index.lock() = None;
    }

    /// The index of a segment, with its values of the hash chain.
    pub(super) fn index(&self, segment: &Segment) -> Result<Arc<IndexData>, LogError> {
        let mut slot = self.index.lock();
        if let Some((_, index)) = slot.as_ref().filter(|(id, _)| *id == segment.id()) {
            return Ok(Arc::clone(index));
        }
        let index = Arc::new(segment.index()?);
        *slot = Some((segment.id(), Arc::clone(&index)));
        Ok(index)
    }

    /// What is in a block of a tip for a scan, as blocks that rise. `log`: whose records the tip holds.
    pub(super) fn tip_prefiltered(&self, tip: &Tip, log: LogId, entry: &IndexEntry, scan: &Scan) -> Result<Vec<Arc<Block>>, LogError> {
        if scan.filter.rarest_texts().is_none() || self.blocks.contains_key(&(entry.first, entry.last)) {
            return self.tip_block(tip, log, entry).map(|block| vec![block]);
        }
        let value = tip.get(entry.first, entry.parts)?;
        Ok(codec::prefilter(&value, log, scan)?.into_iter().map(Arc::new).collect())
    }

    /// A block of a tip.
    pub(super) fn tip_block(&self, tip: &Tip, log: LogId, entry: &IndexEntry) -> Result<Arc<Block>, LogError> {
        self.blocks.get_or_insert_with(&(entry.first, entry.last), || {
            let value = tip.get(entry.first, entry.parts)?;
            codec::decode(&value, log).map(Arc::new)
        })
    }

    /// The block of a segment's frame.
    pub(super) fn frame_block(&self, segment: &Segment, frame: &FrameMeta) -> Result<Arc<Block>, LogError> {
        self.blocks.get_or_insert_with(&(frame.first, frame.last()), || segment.block(frame).map(Arc::new))
    }

    /// What is in a segment's frame for a scan, where that may be, as blocks that rise.
    pub(super) fn prefiltered(
        &self,
        segment: &Segment,
        frame: &FrameMeta,
        candidates: &Candidates,
        scan: &Scan,
    ) -> Result<Vec<Arc<Block>>, LogError> {
        let key = (frame.first, frame.last());
        if scan.filter.rarest_texts().is_none() || self.blocks.contains_key(&key) {
            return self.frame_block(segment, frame).map(|block| vec![block]);
        }
        match segment.prefilter(frame, candidates, scan)? {
            // Another filter keeps other lines: no use to anybody else.
            Prefiltered::Few(blocks) => Ok(blocks.into_iter().map(Arc::new).collect()),
            Prefiltered::All(block) => {
                let block = Arc::new(block);
                self.blocks.insert(key, Arc::clone(&block));
                Ok(vec![block])
            }
        }
    }

    /// Where in a frame something may be that passes a filter; anywhere, where its summaries are lost.
    pub(super) fn candidates(&self, segment: &Segment, frame: usize, filter: &Arc<Filter>) -> Candidates {
        let judged = if filter.is_empty() { None } else { self.judge(segment, frame, filter) };
        judged.and_then(|frames| frames.get(frame % CHUNK_FRAMES).cloned()).unwrap_or(Candidates::Anywhere)
    }

    /// The same for each frame of the chunk in which `frame` lies.
    fn judge(&self, segment: &Segment, frame: usize, filter: &Arc<Filter>) -> Option<Arc<[Candidates]>> {
        let chunk = (segment.id(), frame / CHUNK_FRAMES);
        let judge = || {
            let summary_chunk = self.summary_chunks.get_or_insert_with(&chunk, || segment.summary_chunk(frame).map(Arc::new).ok_or(()))?;
            let summaries = summary_chunk.summaries().map_err(|_| ())?;
            let verdict = summaries.judge(filter);
            Ok::<_, ()>((0..CHUNK_FRAMES).map(|frame| verdict.candidates(frame)).collect())
        };
        self.judged.get_or_insert_with(&(chunk, Arc::clone(filter)), judge).ok()
    }
}
