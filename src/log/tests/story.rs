//! What a record goes through: the tip, segments, a merge, an export, an import; and two copies after a clean
//! stop.

use crate::cursor::Sequence;
use crate::event::{Event, Marks, Noise};
use crate::filter::Filter;
use crate::log::testing::contract::{read_all, records};
use crate::log::testing::directory::{CLEAN, drop_and_wait};
use crate::log::{EmbeddedLog, EventLog, Limits, LogError, MAX_RECORD_BYTES, NewRecord, Piece, Scan, import, verify};
use crate::testing::PATIENCE;
use crate::time::Timestamp;
use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn limits(merge_after: Duration) -> Limits {
    Limits { tip_records: 8, merge_after, ..Limits::default() }
}

fn segments(dir: &Path) -> usize {
    let entries = fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "zst")).count()
}

/// Appends records from `from` on until there are so many segments; the last one.
async fn append_until(log: &EmbeddedLog, dir: &Path, from: u64, count: usize, record: impl Fn(u64) -> NewRecord) -> u64 {
    let began = Instant::now();
    for n in from.. {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {count} segments");
        assert_eq!(log.append(vec![record(n)]).await.unwrap(), n..=n);
        if segments(dir) >= count {
            return n;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    unreachable!()
}

/// Every line, with its marks.
async fn lines(log: &dyn EventLog, scan: &Scan) -> Vec<(Sequence, String, Marks)> {
    let (mut after, mut lines) = (0, Vec::new());
    loop {
        let chunk = log.read_after(after, scan).await.unwrap();
        if chunk.through == after {
            return lines;
        }
        for piece in &chunk.pieces {
            let Piece::Block(block) = piece else { panic!("no gap here") };
            for seq in block.sequences().filter(|seq| *seq > after) {
                let line = String::from_utf8(block.line(seq, false).to_vec()).unwrap();
                lines.push((seq, line, block.record(seq).unwrap().event.marks()));
            }
        }
        after = chunk.through;
    }
}

fn message(n: u64, kind: &str, padding: usize) -> Event {
    let json = format!(
        r#"{{"Type":"{kind}","Action":"start","Actor":{{"ID":"c{n}","Attributes":{{"name":"job-{n}","x":"{}"}}}},"timeNano":{n}}}"#,
        "y".repeat(padding)
    );
    Event::from_line(json.as_bytes()).unwrap()
}

fn now(event: Event) -> NewRecord {
    NewRecord { source: "local".into(), received: Timestamp::now(), event }
}

/// All eight combinations of marks, again and again.
fn marks(n: u64) -> Marks {
    let bit = |bit: u64| n / bit % 2 == 1;
    Marks { noise: bit(1).then_some(Noise::HealthCheck), cut: bit(2).then_some(70_000_000 + n), foreign: bit(4) }
}

async fn export(log: &dyn EventLog) -> String {
    lines(log, &Scan::default()).await.into_iter().map(|(_, line, _)| line + "\n").collect()
}

#[tokio::test]
async fn marks_stay_from_the_tip_to_an_import() {
    let dir = TempDir::new().unwrap();
    let (log, _) = EmbeddedLog::open_with(dir.path(), limits(Duration::from_secs(3600))).unwrap();
    let kind = |n: u64| if marks(n).foreign { "recorder" } else { "container" };
    let new = |n| now(message(n, kind(n), 0).with_marks(marks(n)));
    let count = append_until(&log, dir.path(), 1, 10, new).await;
    let check = |found: &[(Sequence, String, Marks)], about: &str| {
        assert!(found.iter().map(|(seq, ..)| *seq).eq(1..=count), "{about}");
        for (seq, line, found) in found {
            assert_eq!(*found, marks(*seq), "{about}: {line}");
        }
    };
    check(&lines(&log, &Scan::default()).await, "from memory");
    let whole = export(&log).await;
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;

    let (log, recovery) = EmbeddedLog::open_with(dir.path(), limits(Duration::from_secs(3600))).unwrap();
    assert_eq!(recovery, CLEAN);
    check(&lines(&log, &Scan::default()).await, "from segments and the tip");
    // A filter goes by the summaries and by the text; either finds a line whatever marks it has.
    for n in [7, 8, 16, 41] {
        let filter = Arc::new(Filter::from_params(Some(&format!(r#"{{"container":["job-{n}"]}}"#)), None).unwrap());
        let found = lines(&log, &Scan { filter: Arc::clone(&filter), ..Scan::default() }).await;
        let hit = found.iter().find(|(seq, ..)| *seq == n);
        assert!(kind(n) == "recorder" || hit.is_some_and(|(_, _, found)| *found == marks(n)), "{n}: {found:?}");
    }
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;

    let (log, _) = EmbeddedLog::open_with(dir.path(), limits(Duration::from_millis(1))).unwrap();
    let began = Instant::now();
    while segments(dir.path()) > 6 {
        assert!(began.elapsed() < PATIENCE, "nothing is merged");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    check(&lines(&log, &Scan::default()).await, "from a merged segment");
    assert_eq!(export(&log).await, whole);
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;
    let report = verify(dir.path(), &mut |_, _| {}).unwrap();
    assert!(report.damage.is_empty() && report.records == count, "{report:?}");

    let twin = TempDir::new().unwrap();
    import(&mut BufReader::new(whole.as_bytes()), twin.path(), &mut |_| {}).unwrap();
    let log = EmbeddedLog::open_read_only(twin.path()).unwrap();
    check(&lines(&log, &Scan::default()).await, "imported");
    assert_eq!(export(&log).await, whole);
    let report = verify(twin.path(), &mut |_, _| {}).unwrap();
    assert!(report.damage.is_empty() && report.records == count, "{report:?}");
}

/// The largest record that is taken can be read from everywhere; a larger one leaves the log as it was.
#[tokio::test]
async fn what_is_taken_can_be_read_sealed_exported_and_imported() {
    let dir = TempDir::new().unwrap();
    let (log, _) = EmbeddedLog::open_with(dir.path(), limits(Duration::from_secs(3600))).unwrap();
    let mut padding = MAX_RECORD_BYTES;
    let largest = loop {
        match log.append(vec![now(message(1, "container", padding))]).await {
            Ok(_) => break padding,
            Err(LogError::TooLarge { index: 0, bytes }) => padding -= bytes - MAX_RECORD_BYTES,
            Err(e) => panic!("{e}"),
        }
    };
    assert!(largest > MAX_RECORD_BYTES - 1024);
    let batch = |padding| vec![now(message(2, "container", 0)), now(message(3, "container", padding)), now(message(4, "container", 0))];
    let refused = log.append(batch(largest + 1)).await;
    assert!(matches!(refused, Err(LogError::TooLarge { index: 1, .. })), "{refused:?}");
    // One that waits beside it is not refused with it.
    let (refused, taken) = tokio::join!(log.append(batch(largest + 1)), log.append(batch(largest)));
    assert!(matches!(refused, Err(LogError::TooLarge { index: 1, .. })) && taken.unwrap() == (2..=4));
    let before = export(&log).await;
    let n = 1 + append_until(&log, dir.path(), 5, 1, |n| now(message(n, "container", 0))).await;
    let after = export(&log).await;
    assert!(after.starts_with(&before) && before.len() > 2 * largest);
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;
    let report = verify(dir.path(), &mut |_, _| {}).unwrap();
    assert!(report.damage.is_empty() && report.records == n - 1, "{report:?}");
    let twin = TempDir::new().unwrap();
    let imported = import(&mut BufReader::new(after.as_bytes()), twin.path(), &mut |_| {}).unwrap();
    assert_eq!(imported.bounds, (1, n - 1));
}

/// An incompressible record of the largest size stays below the number of parts that a block may have, by
/// far.
#[test]
fn the_largest_block_fits_its_header() {
    let most = crate::log::commit::batch::MAX_BLOCK_BYTES + 2 * MAX_RECORD_BYTES;
    assert!(most.div_ceil(crate::log::tip::sled_store::MAX_VALUE_BYTES) < usize::from(u16::MAX) / 64);
}

#[tokio::test]
async fn after_a_clean_stop_either_copy_of_the_tip_is_whole() {
    for lost in ["journal", "db"] {
        let dir = TempDir::new().unwrap();
        let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
        for n in 0..40 {
            log.append(records(n * 10 + 1..=n * 10 + 10)).await.unwrap();
        }
        log.close().await.unwrap();
        // At once: what sled writes when it is dropped, or later, is not meant.
        let image = TempDir::new().unwrap();
        crate::log::testing::directory::copy_dir(dir.path(), image.path());
        drop(log);
        fs::File::options().write(true).open(image.path().join("log/tip-00000000000000000001").join(lost)).unwrap().set_len(0).unwrap();
        let (log, recovery) = EmbeddedLog::open(image.path()).unwrap();
        assert!(recovery.lost.is_empty(), "{lost}: {recovery:?}");
        assert_eq!(read_all(&log, 0, &Scan::default()).await.len(), 400, "{lost}");
    }
}

/// A run with a clock that is a year ahead, then one whose clock is right.
#[tokio::test]
async fn a_clock_that_was_ahead_once_holds_up_nothing() {
    const YEAR: i64 = 365 * 24 * 3600 * 1_000_000_000;
    const HOUR: i64 = 3600 * 1_000_000_000;
    let began = Timestamp::now().nanos() - 100 * HOUR;
    let dir = TempDir::new().unwrap();
    let (log, _) = EmbeddedLog::open_with(dir.path(), limits(Duration::from_secs(3600))).unwrap();
    let at = |from: i64, n: u64| Timestamp::from_nanos(from + i64::try_from(n).unwrap() * HOUR / 1000);
    let record = |from: i64, n: u64, first: u64| {
        let event = if n == first { Event::recorder("start", "x", &[], at(from, n)) } else { message(n, "container", 0) };
        NewRecord { source: "local".into(), received: at(from, n), event }
    };
    let ahead = append_until(&log, dir.path(), 1, 4, |n| record(began + YEAR, n, 1)).await;
    let end = append_until(&log, dir.path(), ahead + 1, 8, |n| record(began, n, ahead + 1)).await;
    let expected: Vec<_> = (1..=end).map(|n| at(if n <= ahead { began + YEAR } else { began }, n)).collect();
    let (mut after, mut found) = (0, Vec::new());
    while after < end {
        let chunk = log.read_after(after, &Scan::default()).await.unwrap();
        for piece in &chunk.pieces {
            let Piece::Block(block) = piece else { panic!("no gap here") };
            found.extend(block.sequences().filter(|seq| *seq > after).map(|seq| block.received(seq)));
        }
        after = chunk.through;
    }
    assert_eq!(found, expected, "this year's again from the second start on");
    let step = log.next_trim().unwrap();
    assert!(step.received.nanos() > began + YEAR && step.followed_by.unwrap() <= at(began, end), "{step:?}");
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;
    let report = verify(dir.path(), &mut |_, _| {}).unwrap();
    assert!(report.damage.is_empty() && report.records == end, "{report:?}");
    // After a restart it continues from where the newest block ends.
    let (log, _) = EmbeddedLog::open_with(dir.path(), limits(Duration::from_secs(3600))).unwrap();
    log.append(records(1..=1)).await.unwrap();
    log.close().await.unwrap();
}

/// What a version before this one wrote and nobody can read is told as that, and what follows it is not told
/// as altered.
#[tokio::test]
async fn an_unreadable_record_is_not_told_as_altered() {
    let dir = TempDir::new().unwrap();
    let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
    for n in [1, 4, 7] {
        log.append(records(n..=n + 2)).await.unwrap();
    }
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;
    // As a version before wrote it: the header of the second block says 70 MiB, rightly.
    let tip = dir.path().join("log/tip-00000000000000000001");
    let store = crate::log::tip::sled_store::SledStore::open(&tip).unwrap();
    let mut value = store.get(4, 1).unwrap();
    value[48..52].copy_from_slice(&(70u32 << 20).to_be_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&value[..crate::log::tip::codec::HEADER_BYTES - 4]);
    crc.update(&value[crate::log::tip::codec::HEADER_BYTES..]);
    value[120..124].copy_from_slice(&crc.finalize().to_be_bytes());
    store.insert(4, &value).unwrap();
    drop(store);
    let journal = fs::read(tip.join("journal")).unwrap();
    let at = memchr::memmem::find(&journal, &value[..48]).unwrap();
    let patched = [&journal[..at], &value, &journal[at + value.len()..]].concat();
    fs::write(tip.join("journal"), patched).unwrap();
    for _ in 0..2 {
        let report = verify(dir.path(), &mut |_, _| {}).unwrap();
        let told = report.damage.join("\n");
        assert!(told.contains("a block of 70 MiB, and no more than 64 MiB are read") && told.contains("records 4 to 6"), "{told}");
        assert!(!told.contains("altered"), "{told}");
        assert_eq!(report.records, 6);
    }
    let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
    let all = read_all(&log, 0, &Scan::default()).await;
    assert_eq!(all[3], (4, "gap to 6 Damage".to_owned()));
    assert_eq!(all.len(), 7);
}

/// The first invariant: durable before visible. The disk is held between the write and its sync.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_visible_before_its_sync_has_returned() {
    let dir = TempDir::new().unwrap();
    let log = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
    log.append(records(1..=1)).await.unwrap();
    let seen = |log: &EmbeddedLog| {
        (log.bounds().head, *log.watch_head().borrow(), log.recent_after(1, &Scan::default()).map_or(0, |chunk| chunk.pieces.len()))
    };
    let before = seen(&log);
    assert_eq!(before, (1, 1, 0));

    let held = crate::log::testing::held_sync::hold(dir.path());
    let append = tokio::spawn({
        let log = Arc::clone(&log);
        async move { log.append(records(2..=3)).await }
    });
    let held = tokio::task::spawn_blocking(move || {
        held.reached();
        held
    });
    let held = held.await.unwrap();
    assert_eq!(seen(&log), before, "it is written and not synced");
    assert_eq!(log.read_after(1, &Scan::default()).await.unwrap().pieces.len(), 0);
    assert!(!append.is_finished());

    drop(held);
    assert_eq!(append.await.unwrap().unwrap(), 2..=3);
    assert_eq!(seen(&log), (3, 3, 1));
}
