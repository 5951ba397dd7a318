//! What the embedded log adds to the contract: it comes back.

use crate::log::testing::contract::{self, read_all, records};
use crate::log::testing::directory::{CLEAN, copy_dir, drop_and_wait};
use crate::log::{EmbeddedLog, EventLog, Limits, Piece, Recovery, Scan};
use crate::testing::until;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Tips of a few records, so that most of a log is in segments, which are merged at once.
fn tiny() -> Limits {
    Limits { tip_records: 8, merge_after: Duration::from_millis(1), ..Limits::default() }
}

/// Logs whose directories live until the end of the test.
#[derive(Default)]
struct Logs(std::cell::RefCell<Vec<TempDir>>);

impl Logs {
    fn make(&self, limits: Limits) -> EmbeddedLog {
        let dir = TempDir::new().unwrap();
        let log = EmbeddedLog::open_with(dir.path(), limits).unwrap().0;
        self.0.borrow_mut().push(dir);
        log
    }
}

#[tokio::test]
async fn passes_the_contract() {
    let logs = Logs::default();
    contract::run(|| async { logs.make(Limits::default()) }).await;
}

#[tokio::test]
async fn passes_the_contract_in_segments() {
    let logs = Logs::default();
    contract::run(|| async { logs.make(tiny()) }).await;
    contract::trims_to_an_explicit_gap(logs.make(tiny())).await;
}

#[tokio::test]
async fn comes_back_after_a_clean_stop() {
    let dir = TempDir::new().unwrap();
    let (log, recovery) = EmbeddedLog::open(dir.path()).unwrap();
    assert_eq!(recovery, CLEAN);
    let id = log.bounds().log;
    log.append(records(1..=700)).await.unwrap();
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;
    let (log, recovery) = EmbeddedLog::open(dir.path()).unwrap();
    assert_eq!(recovery, CLEAN);
    assert_eq!(log.bounds().log, id);
    assert_eq!(log.append(records(701..=702)).await.unwrap(), 701..=702);
    assert_eq!(read_all(&log, 0, &Scan::default()).await.len(), 702);
    log.close().await.unwrap();
}

#[tokio::test]
async fn trim_survives_a_restart() {
    let dir = TempDir::new().unwrap();
    let (log, _) = EmbeddedLog::open_with(dir.path(), tiny()).unwrap();
    for n in 1..=50 {
        log.append(records(n..=n)).await.unwrap();
    }
    until("something to trim", async || log.trim(30).await.unwrap() > 1).await;
    let oldest = log.bounds().oldest;
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;
    let (log, recovery) = EmbeddedLog::open(dir.path()).unwrap();
    assert_eq!(recovery, CLEAN);
    assert_eq!(log.bounds().oldest, oldest);
    let all = read_all(&log, 0, &Scan::default()).await;
    assert_eq!(all[0], (1, format!("gap to {} Retention", oldest - 1)));
    assert_eq!(all.len() as u64, 50 - oldest + 2);
    log.close().await.unwrap();
}

#[tokio::test]
async fn second_process_is_refused() {
    let dir = TempDir::new().unwrap();
    let (_log, _) = EmbeddedLog::open(dir.path()).unwrap();
    let error = EmbeddedLog::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("in use by another shipslog"), "{error}");
}

#[tokio::test]
async fn goes_on_densely_after_a_kill() {
    let (dir, image) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
    for n in 1..=30 {
        log.append(records(n..=n)).await.unwrap();
    }
    copy_dir(dir.path(), image.path());
    let forked = Some((log.bounds().log, 30));
    let (log, recovery) = EmbeddedLog::open(image.path()).unwrap();
    assert_eq!(recovery, Recovery { clean: false, forked, ..CLEAN });
    assert_eq!(read_all(&log, 0, &Scan::default()).await.len(), 30);
    assert_eq!(log.append(records(31..=31)).await.unwrap(), 31..=31);
}

#[tokio::test]
async fn sequences_that_were_seen_and_lost_are_never_used_again() {
    let (dir, early, late) = (TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap());
    let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
    log.append(records(1..=10)).await.unwrap();
    copy_dir(dir.path(), early.path());
    log.append(records(11..=20)).await.unwrap();
    copy_dir(dir.path(), late.path());
    // The tip comes back ten records short, while the watermark knows that readers saw twenty.
    let tip = |root: &Path| root.join("log/tip-00000000000000000001");
    fs::remove_dir_all(tip(late.path())).unwrap();
    copy_dir(&tip(early.path()), &tip(late.path()));
    // Killed again before it recorded anything: what was lost must not be forgotten.
    let (log, _) = EmbeddedLog::open(late.path()).unwrap();
    let (mark, unclean) = (late.path().join("log/LOG"), late.path().join("unclean"));
    fs::hard_link(&mark, &unclean).unwrap();
    drop_and_wait(log, late.path()).await;
    fs::rename(unclean, mark).unwrap();
    let (log, recovery) = EmbeddedLog::open(late.path()).unwrap();
    let lost = recovery.lost[0].clone();
    assert_eq!((*lost.start(), recovery.clean), (11, false));
    assert!(*lost.end() >= 20);
    let next = lost.end() + 1;
    assert_eq!(log.append(records(21..=21)).await.unwrap(), next..=next);
    let all = read_all(&log, 9, &Scan::default()).await;
    assert_eq!(all[1], (11, format!("gap to {} Damage", lost.end())));
    assert_eq!(all[2].0, next);
    // Downwards the gap is seen as well, wherever a read ends.
    for max_bytes in [1, 1 << 20] {
        let (mut before, mut seen) = (next + 1, Vec::new());
        loop {
            let chunk = log.read_before(before, &Scan { max_bytes, ..Scan::default() }).await.unwrap();
            if chunk.pieces.is_empty() {
                break;
            }
            seen.extend(contract::flatten(&chunk, 0).into_iter().filter(|(_, text)| text.starts_with("gap")));
            before = chunk.through;
        }
        assert_eq!(seen, [(11, format!("gap to {} Damage", lost.end()))]);
    }
    // And once more: the gap is part of the log now, not a new loss.
    log.close().await.unwrap();
    drop_and_wait(log, late.path()).await;
    let (log, recovery) = EmbeddedLog::open(late.path()).unwrap();
    assert_eq!(recovery, CLEAN);
    assert_eq!(log.append(records(22..=22)).await.unwrap(), next + 1..=next + 1);
}

#[tokio::test]
async fn a_tip_that_does_not_open_is_set_aside() {
    let dir = TempDir::new().unwrap();
    let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
    let id = log.bounds().log;
    log.append(records(1..=10)).await.unwrap();
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;
    let tip = dir.path().join("log/tip-00000000000000000001");
    fs::write(tip.join("conf"), b"not what sled wrote").unwrap();
    fs::remove_file(tip.join("journal")).unwrap();
    let (log, recovery) = EmbeddedLog::open(dir.path()).unwrap();
    assert_eq!(log.bounds().log, id, "the log continues under its own name");
    let lost = recovery.lost[0].clone();
    assert!(*lost.start() == 1 && *lost.end() >= 10, "{lost:?}");
    assert!(recovery.quarantined[0].join("db").exists());
    let next = lost.end() + 1;
    assert_eq!(log.append(records(11..=11)).await.unwrap(), next..=next);
    assert_eq!(read_all(&log, 3, &Scan::default()).await[0].1, format!("gap to {} Damage", lost.end()));
}

#[tokio::test]
async fn a_lost_log_file_is_made_again_after_a_gap() {
    for (sealed, damage) in [(false, &b"damaged\n"[..]), (false, b""), (true, b"damaged\n"), (true, b"")] {
        let dir = TempDir::new().unwrap();
        let (log, _) = EmbeddedLog::open_with(dir.path(), if sealed { tiny() } else { Limits::default() }).unwrap();
        let id = log.bounds().log;
        for n in 1..=30 {
            log.append(records(n..=n)).await.unwrap();
        }
        log.close().await.unwrap();
        drop_and_wait(log, dir.path()).await;
        let path = dir.path().join("log/LOG");
        if damage.is_empty() {
            fs::remove_file(path).unwrap();
        } else {
            fs::write(path, damage).unwrap();
        }
        let (log, recovery) = EmbeddedLog::open(dir.path()).unwrap();
        assert_eq!(log.bounds().log, id, "the tip knows whose it is");
        assert_eq!((recovery.clean, recovery.quarantined.len()), (false, usize::from(!damage.is_empty())));
        assert_eq!(recovery.lost.len(), 1, "nobody knows how far the log had got");
        let next = *log.append(records(31..=31)).await.unwrap().start();
        assert_eq!(next, recovery.lost[0].end() + 1);
        assert_eq!(read_all(&log, 0, &Scan::default()).await.len(), 32, "30 records, the gap and the new one");
    }
}

#[tokio::test]
async fn a_tip_of_which_nothing_is_left_without_its_log_file_is_refused_with_advice() {
    let dir = TempDir::new().unwrap();
    let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
    log.append(records(1..=1)).await.unwrap();
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;
    fs::remove_file(dir.path().join("log/LOG")).unwrap();
    for entry in fs::read_dir(dir.path().join("log")).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        fs::remove_dir_all(entry.path()).unwrap();
        fs::create_dir(entry.path()).unwrap();
    }
    let error = EmbeddedLog::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("restore it, or move"), "{error}");
}

/// Unpacks a stored directory of a released format.
fn unpack(fixture: &str, to: &Path) {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{fixture}.tar.gz"));
    assert!(std::process::Command::new("tar").arg("xzf").arg(archive).arg("-C").arg(to).status().unwrap().success());
}

#[tokio::test]
async fn older_formats_open_and_go_on() {
    let fixtures =
        [("format-5-clean", 262, true), ("format-5-killed", 262, false), ("format-6-clean", 262, true), ("format-6-killed", 262, false)];
    for (fixture, head, clean) in fixtures {
        let dir = TempDir::new().unwrap();
        unpack(fixture, dir.path());
        let (log, recovery) = EmbeddedLog::open_with(dir.path(), tiny()).unwrap();
        assert_eq!(Recovery { forked: None, ..recovery }, Recovery { clean, ..CLEAN });
        let found = log.bounds().head;
        assert!(found > 200 && (head == 0 || found == head), "{found}");
        if head > 0 {
            // As the program of that format exported it.
            let exported = fs::read_to_string(dir.path().join("before.jsonl")).unwrap();
            let mut lines = Vec::new();
            while lines.len() < exported.lines().count() {
                let chunk = log.read_after(lines.len() as u64, &Scan { max_bytes: usize::MAX, ..Scan::default() }).await.unwrap();
                for piece in &chunk.pieces {
                    let Piece::Block(block) = piece else { panic!("no gap here") };
                    lines.extend(block.sequences().map(|seq| String::from_utf8(block.line(seq, false).to_vec()).unwrap()));
                }
            }
            assert!(exported.lines().zip(&lines).all(|(line, read)| line == read) && lines.len() > 200);
        }
        assert_eq!(log.append(records(1..=1)).await.unwrap(), found + 1..=found + 1);
        log.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_copy_goes_on_under_an_id_of_its_own_and_knows_its_ancestor() {
    for limits in [Limits::default(), tiny()] {
        let (dir, copy) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let (log, _) = EmbeddedLog::open_with(dir.path(), limits).unwrap();
        for n in 1..=30 {
            log.append(records(n..=n)).await.unwrap();
        }
        let id = log.bounds().log;
        log.close().await.unwrap();
        drop_and_wait(log, dir.path()).await;
        copy_dir(dir.path(), copy.path());

        // Both continue from the same place, and no cursor names two events.
        let (log, _) = EmbeddedLog::open_with(dir.path(), limits).unwrap();
        log.append(records(31..=31)).await.unwrap();
        let (twin, recovery) = EmbeddedLog::open_with(copy.path(), limits).unwrap();
        assert_eq!(recovery, Recovery { forked: Some((id, 30)), ..CLEAN });
        assert_eq!(log.bounds().log, id);
        let new = twin.bounds().log;
        assert_ne!(new, id);
        assert_eq!(twin.append(records(41..=41)).await.unwrap(), 31..=31);
        assert!(twin.owns(id.cursor(30)) && twin.owns(new.cursor(31)) && twin.owns(new.cursor(3)));
        assert!(!twin.owns(id.cursor(31)), "what came after the fork is another log's");
        twin.close().await.unwrap();
        drop_and_wait(twin, copy.path()).await;

        // The records keep the names that they were shown under, also once they are sealed.
        let (twin, recovery) = EmbeddedLog::open_with(copy.path(), limits).unwrap();
        assert_eq!((recovery, twin.bounds().log), (CLEAN, new));
        let mut seen = 0;
        // One read gives segments or tips, and how far the sealer has got nobody knows.
        while seen < 31 {
            for piece in &twin.read_after(seen, &Scan::default()).await.unwrap().pieces {
                let Piece::Block(block) = piece else { panic!("no gap here") };
                for seq in block.sequences().filter(|seq| *seq > seen).collect::<Vec<_>>() {
                    let named = if seq <= 30 { id } else { new };
                    let line = String::from_utf8(block.line(seq, false).to_vec()).unwrap();
                    assert!(line.starts_with(&format!(r#"{{"id":"{}""#, named.cursor(seq))), "{line}");
                    seen = seq;
                }
            }
        }
        twin.close().await.unwrap();
        drop_and_wait(twin, copy.path()).await;
        let report = crate::log::verify(copy.path(), &mut |_, _| {}).unwrap();
        assert!(report.damage.is_empty() && report.notes.len() == 1, "{report:?}");

        // Its parts know whose they are, should LOG be lost.
        fs::remove_file(copy.path().join("log/LOG")).unwrap();
        let (twin, recovery) = EmbeddedLog::open_with(copy.path(), limits).unwrap();
        assert!(recovery.quarantined.is_empty() && recovery.lost.len() == 1, "{recovery:?}");
        assert!(twin.owns(id.cursor(30)) && twin.owns(new.cursor(seen)) && twin.bounds().log == new);
        let left = read_all(&twin, 0, &Scan::default()).await;
        assert!(left.len() as u64 >= seen && left.iter().map(|(seq, _)| *seq).eq(1..=left.len() as u64), "{left:?}");
    }
}

#[tokio::test]
async fn large_blocks_never_reach_sleds_blob_files() {
    let dir = TempDir::new().unwrap();
    let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
    for n in 0..20 {
        log.append(records(n * 500 + 1..=(n + 1) * 500)).await.unwrap();
    }
    let blobs = dir.path().join("log/tip-00000000000000000001/blobs");
    assert_eq!(fs::read_dir(blobs).map_or(0, Iterator::count), 0);
}

#[tokio::test]
async fn a_kill_in_the_first_start_leaves_a_log_that_opens() {
    let dir = TempDir::new().unwrap();
    let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
    let id = log.bounds().log;
    log.close().await.unwrap();
    drop_and_wait(log, dir.path()).await;
    // As between the writing of LOG and the making of the tip.
    fs::remove_dir_all(dir.path().join("log/tip-00000000000000000001")).unwrap();
    fs::remove_file(dir.path().join("log/watermark")).unwrap();
    let (log, recovery) = EmbeddedLog::open(dir.path()).unwrap();
    assert_eq!((recovery, log.bounds().log), (CLEAN, id));
    assert_eq!(log.append(records(1..=1)).await.unwrap(), 1..=1);
}
