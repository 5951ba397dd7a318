//! A log's directory, as tests leave it, copy it and hurt it.

use crate::log::{EmbeddedLog, Recovery};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// What is found after a clean stop.
pub(in crate::log) const CLEAN: Recovery = Recovery { clean: true, lost: Vec::new(), quarantined: Vec::new(), forked: None };

/// Waits until the writer thread has let go of the directory.
pub(in crate::log) async fn drop_and_wait(log: EmbeddedLog, dir: &Path) {
    drop(log);
    let lock = dir.join("log/lock");
    tokio::task::spawn_blocking(move || fs::File::open(lock).unwrap().lock().unwrap()).await.unwrap();
}

/// Copies a log's directory while it is open: what a kill would leave. What the log removes meanwhile is left
/// out.
pub(in crate::log) fn copy_dir(from: &Path, to: &Path) {
    let there = |result: std::io::Result<()>| match result {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        result => result.unwrap(),
    };
    fs::create_dir_all(to).unwrap();
    let Ok(entries) = fs::read_dir(from) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to.join(entry.file_name()));
        } else {
            there(fs::copy(entry.path(), to.join(entry.file_name())).map(drop));
        }
    }
}

type Kind = (&'static str, fn(&Path));

/// Everything that can have the name of a file and is none: a name for it, and how it is made.
pub(in crate::log) const KINDS: [Kind; 6] = [
    ("a FIFO", |path| rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap()),
    ("a directory", |path| fs::create_dir(path).unwrap()),
    ("a link to /dev/zero", |path| symlink("/dev/zero", path).unwrap()),
    ("a link to nothing", |path| symlink("/nothing/here", path).unwrap()),
    ("a link to itself", |path| symlink(path, path).unwrap()),
    ("a socket", |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
];
