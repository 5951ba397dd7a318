//! Power cuts, of a disk on which a log is being written.

use crate::child::Plan;
use crate::power_disk::Disk;
use crate::verdict::{Seen, look, no_litter};
use rand::RngExt as _;
use std::time::Duration;

#[test]
fn a_power_cut_loses_nothing_that_was_seen() {
    let mut random = crate::random("power cuts");
    let Some(disk) = Disk::new(192 * 1024 * 1024) else {
        return crate::skipped::skipped("power cuts: needs root, mkfs.ext4 and loop devices");
    };
    let (mut seen, mut valid, mut void) = (Seen::default(), 0, 0);
    let wanted = crate::rounds(20);
    while valid < wanted {
        assert!(void < wanted + 20, "the power is never really cut: {void} of {} rounds void", void + valid);
        // A few thousand records a second, in commits that are laid out on the spot and beside the sync.
        let plan = Plan {
            batch: 100,
            padding: 300,
            pause: Duration::from_micros(1200),
            ..Plan::new(&disk.path().join("data"), seen.next_number() + 10_000)
        };
        let mut child = plan.start();
        let out = child.stdout.take().unwrap();
        let reading = std::thread::spawn(move || {
            let mut seen = Seen::default();
            seen.take_all(out);
            seen
        });
        std::thread::sleep(Duration::from_millis(random.random_range(250..700)));
        let is_cut = disk.cut(|| {
            child.kill().unwrap();
            child.wait().unwrap();
            for (seq, number) in reading.join().unwrap().0 {
                seen.take(&format!("saw {seq} {number}"));
            }
        });
        *(if is_cut { &mut valid } else { &mut void }) += 1;
        let data = disk.path().join("data");
        if data.exists() {
            let left = look(&data, 300);
            left.holds(&seen, &format!("power cut {valid}"));
            left.is_whole(&format!("power cut {valid}"));
            no_litter(&data);
        } else {
            assert!(seen.0.is_empty());
        }
    }
    assert!(seen.0.len() > 100, "the readers saw something");
    eprintln!("{valid} valid power cuts ({void} void): {} records seen, none lost", seen.0.len());
}
