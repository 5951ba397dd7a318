//! SIGKILL, again and again, while tips turn over, are sealed and merged.

use crate::child::{Plan, limits};
use crate::verdict::{Seen, look, no_litter};
use rand::RngExt as _;
use std::io::{BufRead as _, BufReader};
use std::time::Duration;
use tempfile::TempDir;

#[test]
fn nothing_that_was_seen_is_lost_while_tips_are_sealed() {
    let mut random = crate::random("kill -9 while sealing");
    let dir = TempDir::new().unwrap();
    let mut seen = Seen::default();
    for _ in 0..crate::rounds(100) {
        let mut child =
            Plan { keep: if random.random_bool(0.2) { 2000 } else { 0 }, ..Plan::new(dir.path(), seen.next_number() + 1000) }.start();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        // Now and then while it opens; mostly when it is at work.
        if random.random_bool(0.8) {
            let mut line = String::new();
            while line != "ready\n" {
                line.clear();
                assert!(out.read_line(&mut line).unwrap() > 0, "it ended by itself");
            }
        }
        std::thread::sleep(Duration::from_millis(random.random_range(0..100)));
        child.kill().unwrap();
        child.wait().unwrap();
        seen.take_all(out);
    }
    assert!(seen.0.len() > 100, "the readers saw something");
    let left = look(dir.path(), 0);
    left.holds(&seen, "after the last kill");
    left.is_whole("after the last kill");
    no_litter(dir.path());
    let segments =
        std::fs::read_dir(dir.path().join("log")).unwrap().filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|e| e == "zst"));
    let (count, records) = (segments.count(), left.records.len() as u64);
    assert!(count > 0 && (count as u64) < records / limits().tip_records, "{count} segments hold {records} records: they are merged");
    eprintln!("{} records seen, {records} left in {count} segments", seen.0.len());
}
