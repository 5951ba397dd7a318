//! SIGKILL, again and again, while tips are rotated, sealed and merged.

use crate::child::{Plan, limits, number};
use crate::verdict::{Left, Seen, look, no_litter};
use rand::RngExt as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;
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
    zstd_takes_them(dir.path(), &left);
    eprintln!("{} records seen, {records} left in {count} segments", seen.0.len());
}

/// Debian's own zstd finds nothing wrong with a segment, and gives its lines.
fn zstd_takes_them(dir: &Path, left: &Left) {
    let zstd = |arguments: &[&str], file: &Path| Command::new("zstd").args(arguments).arg(file).output();
    if zstd(&["--version"], Path::new("-")).is_err() {
        return crate::skipped::skipped("segments in other hands: zstd is missing");
    }
    let mut lines = 0;
    for entry in std::fs::read_dir(dir.join("log")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "zst") {
            let tested = zstd(&["-q", "-t"], &path).unwrap();
            assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
            for line in String::from_utf8(zstd(&["-q", "-d", "-c"], &path).unwrap().stdout).unwrap().lines() {
                let (seq, number) = (line.split(r#""seq":"#).nth(1).unwrap().split(',').next().unwrap().parse().unwrap(), number(line));
                assert_eq!(left.records.get(&seq), Some(&number));
                lines += 1;
            }
        }
    }
    assert!(lines > 0, "there were lines to compare");
}
