//! Segments that were packed in haste, and what readers see while they are packed again.

use crate::log::record::chain::CHAIN_START;
use crate::log::segment::{self, Segment, SegmentWriter};
use crate::log::testing::contract::{read_all, records};
use crate::log::testing::directory::{CLEAN, drop_and_wait};
use crate::log::{EmbeddedLog, EventLog, Limits, Scan};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Records came faster than they could be packed well.
#[tokio::test]
async fn what_was_packed_in_haste_is_packed_again_when_it_is_quiet() {
    let dir = TempDir::new().unwrap();
    let limits = Limits { tip_records: 400, merge_after: Duration::from_millis(1), ..Limits::default() };
    let (log, _) = EmbeddedLog::open_with(dir.path(), limits).unwrap();
    log.append(records(1..=400)).await.unwrap();
    let path = dir.path().join("log/00000000000000000001.jsonl.zst");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !path.exists() {
        assert!(Instant::now() < deadline, "the tip is full and is not sealed");
        log.append(Vec::new()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    log.append(records(401..=401)).await.unwrap();
    let before = read_all(&log, 0, &Scan::default()).await;
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;

    let well = Segment::open(&path).unwrap();
    let mut writer = SegmentWriter::new(Vec::new(), well.log(), 1, CHAIN_START, segment::LEVEL);
    writer.hurry(true);
    let block = well.block(&well.frames()[0]).unwrap();
    for seq in block.sequences() {
        writer.push(&block.line(seq, false)).unwrap();
    }
    fs::write(&path, writer.finish().unwrap().0).unwrap();
    let fast_packed = Segment::open(&path).unwrap();
    assert!(fast_packed.is_fast_packed() && !well.is_fast_packed() && fast_packed.bytes() > well.bytes());

    let (log, recovery) = EmbeddedLog::open_with(dir.path(), limits).unwrap();
    assert_eq!(recovery, CLEAN);
    let deadline = Instant::now() + Duration::from_secs(60);
    while Segment::open(&path).unwrap().is_fast_packed() {
        assert!(Instant::now() < deadline, "it is quiet, and the segment is not packed again");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(path.metadata().unwrap().len(), well.bytes());
    assert_eq!(read_all(&log, 0, &Scan::default()).await, before);
}

/// A frame is judged by the summary of its own segment, not by that of one which had the same records in
/// other frames.
#[tokio::test]
async fn a_filter_finds_the_same_when_frames_have_been_cut_anew() {
    let dir = TempDir::new().unwrap();
    let limits = Limits { tip_records: 1500, merge_after: Duration::from_secs(2), ..Limits::default() };
    let (log, _) = EmbeddedLog::open_with(dir.path(), limits).unwrap();
    let mut all = records(1..=1500);
    let json = r#"{"Type":"container","Action":"die","Actor":{"Attributes":{"name":"web"}}}"#;
    all[999].event = crate::event::Event::from_line(json.as_bytes()).unwrap();
    log.append(all).await.unwrap();
    let path = dir.path().join("log/00000000000000000001.jsonl.zst");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !path.exists() {
        assert!(Instant::now() < deadline, "the tip is full and is not sealed");
        log.append(Vec::new()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;

    let well = Segment::open(&path).unwrap();
    let mut writer = SegmentWriter::new(Vec::new(), well.log(), 1, CHAIN_START, segment::LEVEL);
    writer.hurry(true);
    for frame in well.frames() {
        let block = well.block(frame).unwrap();
        for seq in block.sequences() {
            writer.push(&block.line(seq, false)).unwrap();
            if seq == 100 {
                writer.skip_to(101).unwrap();
            }
        }
    }
    fs::write(&path, writer.finish().unwrap().0).unwrap();
    assert_ne!(Segment::open(&path).unwrap().frames().len(), well.frames().len());

    let (log, _) = EmbeddedLog::open_with(dir.path(), limits).unwrap();
    let filter = crate::filter::Filter::from_params(Some(r#"{"event":["die"],"container":["web"]}"#), None).unwrap();
    let scan = Scan { filter: Arc::new(filter), ..Scan::default() };
    let found = vec![(1000, json.to_owned())];
    assert_eq!(read_all(&log, 0, &scan).await, found);
    let deadline = Instant::now() + Duration::from_secs(60);
    while Segment::open(&path).unwrap().is_fast_packed() {
        assert!(Instant::now() < deadline, "it is quiet, and the segment is not packed again");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(read_all(&log, 0, &scan).await, found);
}
