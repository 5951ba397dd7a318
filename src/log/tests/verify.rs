//! `verify` finds what is wrong, names it, and changes nothing.

use crate::log::commit::batch::Batch;
use crate::log::dir::watermark::Watermark;
use crate::log::segment::testing::leave_out;
use crate::log::segment::{Segment, SegmentWriter};
use crate::log::testing::contract::records;
use crate::log::testing::directory::drop_and_wait;
use crate::log::tip::codec;
use crate::log::tip::sled_store::SledStore;
use crate::log::{EmbeddedLog, EventLog, Limits, Report, verify};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A log of 3,000 records, most of them in two segments.
async fn log() -> TempDir {
    let dir = TempDir::new().unwrap();
    let limits = Limits { tip_records: 1400, merge_after: Duration::from_secs(3600), ..Limits::default() };
    let (log, _) = EmbeddedLog::open_with(dir.path(), limits).unwrap();
    for n in 0..30 {
        log.append(records(n * 100 + 1..=(n + 1) * 100)).await.unwrap();
    }
    while segments(dir.path()).len() < 2 {
        log.append(vec![]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        if segments(dir.path()).len() < 2 && log.bounds().head < 6000 {
            let head = log.bounds().head;
            log.append(records(head + 1..=head + 100)).await.unwrap();
        }
    }
    // On a slow machine the newest tip may have become full: this one is in the next, then.
    let head = log.bounds().head;
    log.append(records(head + 1..=head + 1)).await.unwrap();
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;
    dir
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(dir.join("log")).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "zst")).collect();
    paths.sort();
    paths
}

fn check(dir: &Path) -> Report {
    let mut told = (0, 0);
    let report = verify(dir, &mut |done, total| told = (done, total)).unwrap();
    assert!(told.0 <= told.1);
    report
}

fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { waiting.push(path) } else { files.push((path.clone(), fs::read(path).unwrap())) }
        }
    }
    files.sort();
    files
}

#[tokio::test]
async fn a_whole_log_is_whole_and_left_alone() {
    let dir = log().await;
    let before = contents(dir.path());
    let report = check(dir.path());
    assert!(report.damage.is_empty() && report.notes.is_empty(), "{report:?}");
    assert_eq!(report.bounds.map(|b| (b.0, b.1 == report.records)), Some((1, true)));
    assert_eq!(report.chain.len(), 64);
    assert!(contents(dir.path()) == before, "nothing was written");
}

/// Tips turn over, are sealed, merged and trimmed while one look after the other is taken.
#[tokio::test(flavor = "multi_thread")]
async fn beside_a_recorder_everything_that_was_seen_is_whole() {
    let dir = TempDir::new().unwrap();
    let limits = Limits { tip_records: 300, merge_after: Duration::ZERO, ..Limits::default() };
    let (log, _) = EmbeddedLog::open_with(dir.path(), limits).unwrap();
    let (mut looks, mut most) = (0, 0);
    while looks < 10 || most < 3 {
        let head = log.bounds().head;
        let path = dir.path().to_owned();
        let look = tokio::task::spawn_blocking(move || verify(&path, &mut |_, _| {}).unwrap());
        for n in 0..10 {
            log.append(records(head + n * 50 + 1..=head + (n + 1) * 50)).await.unwrap();
        }
        let report = look.await.unwrap();
        assert!(report.recording && report.damage.is_empty(), "{report:?}");
        assert!(report.bounds.map_or(0, |(_, newest)| newest) >= head, "readers had seen {head}: {report:?}");
        (looks, most) = (looks + 1, most.max(report.segments));
        assert!(looks < 500, "only {most} segments");
    }
    // What is damaged is found there too. Nothing merges it away any more.
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;
    let (_log, _) = EmbeddedLog::open_with(dir.path(), Limits { merge_after: Duration::from_secs(3600), ..limits }).unwrap();
    let path = segments(dir.path()).remove(0);
    flip(&path, 300);
    let report = check(dir.path());
    assert!(report.recording && !report.damage.is_empty(), "{report:?}");
}

/// The copy of a journal may hold half of a block that was written meanwhile, and all of the next one.
#[tokio::test]
async fn what_a_recorder_writes_while_its_journal_is_copied_is_not_missing() {
    let dir = TempDir::new().unwrap();
    let (log, _) = EmbeddedLog::open_with(dir.path(), Limits::default()).unwrap();
    log.append(records(1..=50)).await.unwrap();
    let journal = tip(dir.path()).join("journal");
    let end = fs::read(&journal).unwrap().iter().rposition(|byte| *byte != 0).unwrap();
    log.append(records(51..=100)).await.unwrap();
    log.append(records(101..=150)).await.unwrap();
    flip(&journal, end + 100);
    // The second block was not seen before the look began, and then it was.
    let (watermark, head) = Watermark::open(&dir.path().join("log")).unwrap();
    assert_eq!(head, Some(150));
    for (seen, missing) in [(50, false), (51, true), (150, true)] {
        watermark.write(seen).unwrap();
        let report = check(dir.path());
        let told = report.damage.iter().any(|damage| damage.contains("the records 51 to 100 are missing before"));
        assert_eq!((told, report.damage.is_empty()), (missing, !missing), "{seen} seen: {report:?}");
        assert_eq!(report.records, if missing { 100 } else { 50 }, "{seen} seen: {report:?}");
    }
}

#[tokio::test]
async fn one_altered_byte_is_found_even_behind_a_right_checksum() {
    let dir = log().await;
    let path = segments(dir.path()).remove(0);
    // Somebody who knows the format: the line altered, the frame, the index and their checksums made again.
    let segment = Segment::open(&path).unwrap();
    let index = segment.index().unwrap();
    let mut writer = SegmentWriter::new(Vec::new(), segment.log(), segment.first(), index.chain_before, 3);
    for frame in segment.frames() {
        let block = segment.block(frame).unwrap();
        for seq in block.sequences() {
            let line = String::from_utf8(block.line(seq, false).to_vec()).unwrap();
            let line = if seq == 700 { line.replace(r#""n":"700""#, r#""n":"701""#) } else { line };
            writer.push(line.as_bytes()).unwrap();
        }
    }
    fs::write(&path, writer.finish().unwrap().0).unwrap();
    let report = check(dir.path());
    assert_eq!(report.damage.len(), 1, "{report:?}");
    assert!(report.damage[0].contains("the hash chain breaks before"), "{report:?}");
}

#[tokio::test]
async fn every_kind_of_damage_is_named() {
    type Hurt = fn(&Path);
    let cases: [(Hurt, &str); 10] = [
        (|dir| flip(&segments(dir)[0], 3000), "cannot be read"),
        (|dir| cut(&segments(dir)[0], 40), "no whole index"),
        (|dir| leave_out(&segments(dir)[0]), "leaves out some of them"),
        (|dir| fs::remove_file(&segments(dir)[0]).unwrap(), "are missing"),
        (|dir| fs::write(dir.join("log/LOG"), "x").unwrap(), "LOG cannot be read"),
        (|dir| fs::remove_file(dir.join("log/LOG")).unwrap(), "LOG is missing"),
        (|dir| fs::remove_dir_all(tip(dir)).unwrap(), "readers may have seen up to"),
        (|dir| fs::write(tip(dir).join("conf"), "not what sled wrote").unwrap(), "sled cannot read its files"),
        (|dir| flip(&tip(dir).join("journal"), 300), "the journal has"),
        (
            |dir| {
                fs::write(tip(dir).join("conf"), "not what sled wrote").unwrap();
                fs::remove_file(tip(dir).join("journal")).unwrap();
            },
            "does not open",
        ),
    ];
    for (hurt, words) in cases {
        let dir = log().await;
        hurt(dir.path());
        let report = check(dir.path());
        assert!(report.damage.iter().any(|damage| damage.contains(words)), "{words}: {report:?}");
    }
}

/// The newest tip that holds something: one that was made ready may stand after it.
fn tip(dir: &Path) -> PathBuf {
    let tips = fs::read_dir(dir.join("log")).unwrap().map(|e| e.unwrap().path()).filter(|p| p.to_string_lossy().contains("tip-"));
    tips.filter(|tip| fs::read(tip.join("journal")).unwrap()[64] != 0).max().unwrap()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path, less: usize) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - less]).unwrap();
}

#[tokio::test]
async fn what_the_next_start_removes_is_no_damage() {
    let dir = log().await;
    let whole = Segment::open(&segments(dir.path())[0]).unwrap();
    let index = whole.index().unwrap();
    // As a kill leaves it between a merge and its cleaning up.
    let mut covered = SegmentWriter::new(Vec::new(), whole.log(), 2, index.chain_before, 3);
    let block = whole.block(&whole.frames()[0]).unwrap();
    for seq in 2..=9 {
        covered.push(&block.line(seq, false)).unwrap();
    }
    let path = dir.path().join("log/00000000000000000002.jsonl.zst");
    fs::write(&path, covered.finish().unwrap().0).unwrap();
    let report = check(dir.path());
    assert!(report.damage.is_empty() && report.notes.iter().any(|note| note.contains("the next start removes it")), "{report:?}");
    drop(EmbeddedLog::open(dir.path()).unwrap());
    assert!(!path.exists());
}

#[tokio::test]
async fn an_empty_log_is_whole_and_no_log_is_an_error() {
    let dir = TempDir::new().unwrap();
    let (_log, _) = EmbeddedLog::open(dir.path()).unwrap();
    let report = check(dir.path());
    assert!(report.recording && report.damage.is_empty() && report.bounds.is_none(), "{report:?}");
    let empty = TempDir::new().unwrap();
    assert!(verify(empty.path(), &mut |_, _| {}).unwrap_err().to_string().contains("log"));
}

#[tokio::test]
async fn an_altered_block_of_a_tip_is_found_by_the_block_behind_it() {
    let dir = TempDir::new().unwrap();
    let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
    for n in [1, 11, 21] {
        log.append(records(n..=n + 9)).await.unwrap();
    }
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;
    // Somebody who knows the format: one copy away, another record in the other one, with a right checksum.
    let tip = tip(dir.path());
    fs::remove_file(tip.join("journal")).unwrap();
    let store = SledStore::open(&tip).unwrap();
    let (header, _) = codec::check(&store.get(11, 1).unwrap()).unwrap();
    let mut altered = records(11..=20);
    altered[4].event = records(99..=99).remove(0).event;
    let batch = Batch::new(altered, header.received.0);
    let (_, value) = batch.compress(&batch.blocks()[0]).unwrap().finish(11, header.chain_before, usize::MAX).unwrap();
    store.insert(11, &value).unwrap();
    drop(store);
    let report = check(dir.path());
    assert_eq!(report.damage.len(), 1, "{report:?}");
    assert!(report.damage[0].contains("the hash chain breaks before"), "{report:?}");
}
