//! Kills while a log of an older format is opened for the first time, is brought to the new one, and is
//! sealed.

use crate::child::{Plan, limits};
use crate::inject::{CALLS, has_strace, run};
use crate::verdict::{Seen, no_litter};
use shipslog::log::{EmbeddedLog, EventLog};
use shipslog::reader::{Reader, Selection, Step, Want};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// What the program of this tree writes.
const LOG_FORMAT: u64 = 7;

/// A log as a released program of an older format left it.
fn unpack(fixture: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{fixture}.tar.gz"));
    assert!(Command::new("tar").arg("xzf").arg(archive).arg("-C").arg(dir.path()).status().unwrap().success());
    dir
}

/// Every line of the log by its sequence; nothing may be missing.
fn lines(dir: &Path, about: &str) -> BTreeMap<u64, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let lines = runtime.block_on(async {
        let (log, recovery) = EmbeddedLog::open_with(dir, limits()).unwrap_or_else(|e| panic!("{about}: {e}"));
        assert!(recovery.lost.is_empty() && recovery.quarantined.is_empty(), "{about}: {recovery:?}");
        let log: Arc<dyn EventLog> = Arc::new(log);
        let mut reader = Reader::new(Arc::clone(&log), 0, Want::default());
        let mut lines = BTreeMap::new();
        while let Some(step) = reader.next().await.unwrap() {
            match step {
                Step::Records(Selection { block, runs, .. }) => {
                    let sequences = runs.into_iter().flatten();
                    lines.extend(sequences.map(|seq| (seq, String::from_utf8(block.line(seq, true).to_vec()).unwrap())));
                }
                Step::Gap(range, reason) => panic!("{about}: {range:?} are missing ({reason:?})"),
                Step::Nothing => {}
            }
        }
        log.close().await.unwrap();
        lines
    });
    drop(runtime);
    std::fs::File::open(dir.join("log/lock")).unwrap().lock().unwrap();
    lines
}

fn format(dir: &Path) -> u64 {
    let text = std::fs::read_to_string(dir.join("log/LOG")).unwrap();
    serde_json::from_str::<serde_json::Value>(text.lines().next().unwrap()).unwrap()["format"].as_u64().unwrap()
}

#[test]
fn a_kill_at_any_call_of_a_migration_keeps_every_record_under_its_id() {
    if !has_strace() {
        return;
    }
    let fixtures = [("format-5-clean", 5), ("format-5-killed", 5), ("format-6-clean", 6), ("format-6-killed", 6)];
    for (fixture, from) in fixtures {
        let whole = unpack(fixture);
        assert_eq!(format(whole.path()), from);
        let records = lines(whole.path(), fixture);
        assert!(records.len() > 200 && *records.keys().next_back().unwrap() == records.len() as u64);
        // As the program of that format showed them.
        for line in std::fs::read_to_string(whole.path().join("before.jsonl")).unwrap_or_default().lines() {
            assert!(records.values().any(|record| record.trim_end() == line), "{line}");
        }

        let mut reached = BTreeMap::new();
        let mut left = BTreeMap::<u64, u64>::new();
        for call in CALLS {
            let (mut nth, mut opening, mut ended, mut kills) = (1, 0, false, 0);
            // Every call until it is open; then, while its old tip is sealed, wider and wider.
            while !ended && kills < opening + crate::rounds(8) {
                let dir = unpack(fixture);
                let mut seen = Seen::default();
                let plan = Plan { appends: 20, pause: Duration::from_millis(2), ..Plan::new(dir.path(), 1) };
                let (said, done) = run(&plan, &format!("{call}:signal=KILL:when={nth}"), &mut seen);
                let open = said.iter().any(|line| line == "ready");
                let about = format!("{fixture}, SIGKILL at {call} number {nth}, open: {open}");
                assert!(nth < 200 && !said.iter().any(|line| line.starts_with("refused")), "{about}: {said:?}");
                if !open {
                    *left.entry(format(dir.path())).or_default() += 1;
                }
                let found = lines(dir.path(), &about);
                assert_eq!(format(dir.path()), LOG_FORMAT, "{about}");
                for (seq, line) in &records {
                    assert_eq!(found.get(seq), Some(line), "{about}: record {seq}");
                }
                for (seq, number) in &seen.0 {
                    assert!(found.get(seq).is_some_and(|line| line.contains(&format!("job-{number}\""))), "{about}: {seq} was seen");
                }
                no_litter(dir.path());
                ended = done;
                kills += u64::from(!ended);
                opening += u64::from(!open);
                nth += if open { 1 + nth / 4 } else { 1 };
            }
            reached.insert(call, (opening, kills, nth));
        }
        eprintln!("{fixture}: kills while it opens, all, and the call they got to: {reached:?}; formats that those left: {left:?}");
        assert!(left.contains_key(&from) && left.contains_key(&LOG_FORMAT), "kills before the migration and after it: {left:?}");
    }
}
