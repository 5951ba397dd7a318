//! Power cuts: a filesystem on a loop device that is shut down without writing its journal.
//!
//! The cut is proven by a sentinel, a file that was written just before and never synced: if it comes back
//! whole, nothing was cut and the round does not count.

use crate::child::Plan;
use crate::mount::Mount;
use crate::verdict::{Seen, look, no_litter};
use rand::RngExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`. Rust without `unsafe` has no ioctl; perl is on
/// every Debian.
const CUT: &str = r#"my $flags = pack("L", 2); open(F, "<", $ARGV[0]) or die $!; ioctl(F, 0x8004587D, $flags) or die $!"#;

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn mount(image: &Path) -> Option<Mount> {
    Mount::new(&["-t", "ext4", "-o", "loop", image.to_str().unwrap()])
}

#[test]
fn a_power_cut_loses_nothing_that_was_seen() {
    let mut random = crate::random("power cuts");
    let images = TempDir::new().unwrap();
    let image = images.path().join("disk");
    std::fs::File::create(&image).unwrap().set_len(192 * 1024 * 1024).unwrap();
    let made = succeeds(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))
        || succeeds(Command::new("/usr/sbin/mkfs.ext4").args(["-q", "-F"]).arg(&image));
    if !made || mount(&image).is_none() {
        return crate::skipped::skipped("power cuts: needs root, mkfs.ext4 and loop devices");
    }
    let (mut seen, mut valid, mut void) = (Seen::default(), 0, 0);
    let wanted = crate::rounds(20);
    while valid < wanted {
        assert!(void < wanted + 20, "the power is never really cut: {void} of {} rounds void", void + valid);
        let disk = mount(&image).unwrap();
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
        let sentinel = disk.path().join("sentinel");
        std::fs::write(&sentinel, vec![7; 256 * 1024]).unwrap();
        assert!(succeeds(Command::new("perl").args(["-e", CUT]).arg(disk.path())), "the filesystem takes the shutdown");
        child.kill().unwrap();
        child.wait().unwrap();
        for (seq, number) in reading.join().unwrap().0 {
            seen.take(&format!("saw {seq} {number}"));
        }
        drop(disk);

        let disk = mount(&image).unwrap();
        let sentinel = disk.path().join("sentinel");
        let whole = std::fs::read(&sentinel).is_ok_and(|bytes| bytes == vec![7; 256 * 1024]);
        let _ = std::fs::remove_file(&sentinel);
        if whole {
            void += 1;
        } else {
            valid += 1;
        }
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
