//! A disk that loses power: ext4 on a loop device, shut down without writing its journal.
//!
//! The cut is proven by a sentinel, a file that was written just before and never synced: if it comes back
//! whole, nothing was cut.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`. Rust without `unsafe` has no ioctl; perl is on
/// every Debian.
const CUT: &str = r#"my $flags = pack("L", 2); open(F, "<", $ARGV[0]) or die $!; ioctl(F, 0x8004587D, $flags) or die $!"#;
static SENTINEL: [u8; 256 * 1024] = [7; 256 * 1024];

/// The disk, mounted; taken down when dropped.
pub(crate) struct Disk {
    dir: TempDir,
    at: PathBuf,
}

impl Disk {
    /// An empty one of so many bytes, which take room only as they are written. `None` where the machine does
    /// not allow it: it needs root, mkfs.ext4 and loop devices.
    pub(crate) fn new(bytes: u64) -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let (image, at) = (dir.path().join("disk"), dir.path().join("at"));
        std::fs::File::create(&image).unwrap().set_len(bytes).unwrap();
        std::fs::create_dir(&at).unwrap();
        let made = ["mkfs.ext4", "/usr/sbin/mkfs.ext4"].iter().any(|make| succeeds(Command::new(make).args(["-q", "-F"]).arg(&image)));
        let disk = Self { dir, at };
        (made && disk.mount()).then_some(disk)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.at
    }

    fn mount(&self) -> bool {
        succeeds(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(self.dir.path().join("disk")).arg(&self.at))
    }

    /// Cuts the power, has `end` end all that runs on the disk, and mounts what is left. Whether anything was
    /// cut.
    pub(crate) fn cut(&self, end: impl FnOnce()) -> bool {
        let sentinel = self.at.join("sentinel");
        std::fs::write(&sentinel, SENTINEL).unwrap();
        assert!(succeeds(Command::new("perl").args(["-e", CUT]).arg(&self.at)), "the filesystem takes the shutdown");
        end();
        self.unmount();
        assert!(self.mount(), "what is left can be mounted");
        let whole = std::fs::read(&sentinel).is_ok_and(|bytes| bytes == SENTINEL);
        let _ = std::fs::remove_file(&sentinel);
        !whole
    }

    fn unmount(&self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.unmount();
    }
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
