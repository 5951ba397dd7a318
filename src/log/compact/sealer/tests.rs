use super::*;
use crate::log::dir::manifest::Manifest;
use crate::log::record::block::Block;
use crate::log::record::chain::CHAIN_START;
use crate::log::testing::contract;
use crate::log::tip::index::IndexEntry;

/// A sealer whose thread does nothing by itself, and a segment that was packed in haste.
fn stopped(dir: &Path) -> (Sealer, Thread, PathBuf) {
    let path = dir.join(names::segment(1));
    let mut writer = SegmentWriter::new(Vec::new(), contract::log_id(), 1, CHAIN_START, LEVEL);
    writer.hurry(true);
    (1..=1500).for_each(|n| writer.push(contract::line(n).trim_end().as_bytes()).unwrap());
    fs::write(&path, writer.finish().unwrap().0).unwrap();
    let manifest = Manifest { log: contract::log_id().to_string(), ..Manifest::create() };
    let (segments, lock) = (vec![Arc::new(Segment::open(&path).unwrap())], Arc::new(crate::log::dir::lock::lock(dir).unwrap()));
    let catalog = Arc::new(Catalog::new(&manifest, segments, Vec::new(), lock).unwrap());
    let (sealer, thread) = Sealer::new(catalog, dir, Limits::default());
    (sealer, thread, path)
}

#[test]
fn packing_again_gives_way_to_every_job_that_waits() {
    let dir = tempfile::tempdir().unwrap();
    let (sealer, mut thread, path) = stopped(dir.path());
    let gives_way = |thread: &mut Thread| {
        let compacted = thread.compactor.compact();
        let leftovers = fs::read_dir(dir.path()).unwrap().filter(|e| e.as_ref().unwrap().path().to_string_lossy().ends_with(UNFINISHED));
        !compacted && Segment::open(&path).unwrap().is_fast_packed() && leftovers.count() == 0
    };
    sealer.prepare(1501);
    assert!(gives_way(&mut thread), "the next tip is asked for");
    let job = thread.inbox.try_recv().unwrap();
    thread.take(job);
    sealer.seal(vec![sealer.prepared().unwrap()]);
    assert!(gives_way(&mut thread), "a tip is to be sealed");
    let job = thread.inbox.try_recv().unwrap();
    thread.take(job);
    // At once: it had given way, which is no failure.
    assert!(thread.compactor.compact() && !Segment::open(&path).unwrap().is_fast_packed(), "nothing waits any more");
}

#[test]
fn tips_that_wait_count_for_what_they_will_take() {
    let dir = tempfile::tempdir().unwrap();
    let (_, thread, path) = stopped(dir.path());
    let catalog = &thread.catalog;
    let segment = fs::metadata(path).unwrap().len();
    for first in [1501, 1502, 1503] {
        thread.prepare(first);
        let Next::Ready(tip) = std::mem::replace(&mut *thread.next.lock(), Next::Unasked) else { panic!("it could not be made") };
        catalog.add_tip(tip);
    }
    let tips = catalog.disk_bytes() - segment;
    assert!(tips > 3 << 20, "{tips}");
    // The one in use, and a quarter of the two that wait.
    assert!((catalog.settled_bytes() - segment).abs_diff(tips / 3 + tips / 6) < 4096);
}

/// Records of more than 100 bytes, as a block that is not on the disk.
fn push(catalog: &Catalog, first: Sequence, count: u64) {
    let lines: String = (first..first + count).map(contract::line).collect();
    let block = Arc::new(Block::from_lines(first, lines.as_bytes()).unwrap());
    catalog.push(IndexEntry { first, last: block.last(), time: (block.time(first), block.time(first)), parts: 1 }, block);
}

#[test]
fn a_log_at_rest_keeps_little_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (_, mut thread, _) = stopped(dir.path());
    let recent = |thread: &Thread| thread.catalog.state.read().recent.len();
    for part in 0..4 {
        push(&thread.catalog, 1501 + part * RESTING, RESTING);
    }
    thread.rest();
    assert_eq!(recent(&thread), 4, "records have come since the last look");
    push(&thread.catalog, 1501 + 4 * RESTING, 1);
    thread.rest();
    assert!((1..=3).contains(&recent(&thread)), "{}", recent(&thread));
}
