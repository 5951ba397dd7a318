//! Syncs of journals that a test holds: what is not on the disk yet must not be visible.

use crate::testing::PATIENCE;
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Directories below which syncs are held, and how many wait there.
static HELD: Mutex<BTreeMap<PathBuf, usize>> = Mutex::new(BTreeMap::new());
static CHANGED: Condvar = Condvar::new();

/// Syncs are held until this is dropped.
pub(in crate::log) struct Held(PathBuf);

/// From now on, no journal below `dir` is synced.
pub(in crate::log) fn hold(dir: &Path) -> Held {
    HELD.lock().insert(dir.to_owned(), 0);
    Held(dir.to_owned())
}

impl Held {
    /// Waits until a sync waits.
    pub(in crate::log) fn reached(&self) {
        let until = Instant::now() + PATIENCE;
        let mut held = HELD.lock();
        while held.get(&self.0) == Some(&0) {
            assert!(!CHANGED.wait_until(&mut held, until).timed_out(), "nothing is synced");
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.lock().remove(&self.0);
        CHANGED.notify_all();
    }
}

/// Before a sync of the file at `path`.
pub(in crate::log) fn wait(path: &Path) {
    let mut held = HELD.lock();
    let Some(dir) = held.keys().find(|dir| path.starts_with(dir)).cloned() else { return };
    *held.entry(dir.clone()).or_default() += 1;
    CHANGED.notify_all();
    let until = Instant::now() + PATIENCE;
    while held.contains_key(&dir) {
        assert!(!CHANGED.wait_until(&mut held, until).timed_out(), "the syncs below {} are held for ever", dir.display());
    }
}
