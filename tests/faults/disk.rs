//! A disk that fills up, and has room again.

use crate::child::Plan;
use crate::mount::Mount;
use crate::verdict::{Seen, look};
use std::io::{BufRead, BufReader};
use std::time::Duration;

#[test]
fn a_full_disk_pauses_recording_and_nothing_is_lost() {
    let Some(mount) = Mount::new(&["-t", "tmpfs", "-o", "size=40m", "shipslog-test"]) else {
        return crate::skipped::skipped("a full disk: cannot mount a filesystem; run as root");
    };
    let data = mount.path().join("data");
    let mut seen = Seen::default();
    let plan = Plan { padding: 2000, pause: Duration::from_micros(500), ..Plan::new(&data, 1) };
    let mut child = plan.start();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut wait_for = |seen: &mut Seen, wanted: &str| {
        lines.by_ref().find(|line| {
            seen.take(line);
            line == wanted
        })
    };
    wait_for(&mut seen, "ready").unwrap();
    // Others fill the disk up to where recording pauses.
    let filler = mount.path().join("filler");
    let _ = std::fs::write(&filler, vec![1; 22 * 1024 * 1024]);
    wait_for(&mut seen, "state full").expect("it notices that the disk is full");
    std::thread::sleep(Duration::from_millis(1500));
    std::fs::remove_file(&filler).unwrap();
    wait_for(&mut seen, "state ok").expect("it goes on by itself");
    let before = seen.0.len();
    while seen.0.len() < before + 50 {
        seen.take(&lines.next().unwrap());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    lines.for_each(|line| seen.take(&line));
    let left = look(&data, 2000);
    left.holds(&seen, "after the disk was full");
    left.is_whole("after the disk was full");
    let numbers: Vec<_> = left.records.values().copied().collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "each record once, in order");
}
