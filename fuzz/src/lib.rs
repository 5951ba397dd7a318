//! What the fuzz targets share.

use shipslog::filter::Filter;
use shipslog::log::{Block, LogError};
use std::sync::LazyLock;

static FILTER: LazyLock<Filter> =
    LazyLock::new(|| Filter::from_params(Some(r#"{"type":["container"],"source":["local"]}"#), None).expect("a filter"));

/// Reads a block in every way there is. Its frames lie one after the other, and each holds the line that the
/// other routes show.
pub fn look(block: Result<Block, LogError>) {
    let Ok(block) = block else { return };
    let sequences = block.sequences();
    assert_eq!(sequences.clone().map(|seq| block.sse_frame_bytes(seq)).sum::<usize>(), block.bytes());
    assert_eq!(block.sse_frames(0, u64::MAX).len(), block.bytes());
    for seq in sequences.clone() {
        let (frame, line) = (block.sse_frames(seq, seq), block.line(seq, false));
        assert!(frame.starts_with(b"id: ") && frame.strip_suffix(b"\n\n").is_some_and(|frame| frame.ends_with(&line)));
        let _ = (block.json(seq), block.record(seq), block.time(seq), block.received(seq), block.source(seq), block.event(seq));
    }
    let matching = block.matching(*sequences.start(), *sequences.end(), &FILTER);
    assert!(matching.iter().all(|seq| block.matches(*seq, &FILTER)));
}
