//! How the directory of a tip goes when nobody reads it any more.

use crate::log::dir::durable::create_private_dir;
use crate::log::dir::names;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Removes the directory when it is dropped, if it is to.
#[derive(Debug)]
pub(super) struct Removal {
    dir: PathBuf,
    due: AtomicBool,
    /// Not removed but set aside: it may hold what nothing else does.
    aside: AtomicBool,
}

impl Removal {
    /// Nothing is removed until it is ordered.
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), due: AtomicBool::new(false), aside: AtomicBool::new(false) }
    }

    /// From here on the directory goes with this.
    pub(super) fn order(&self) {
        self.due.store(true, Ordering::Release);
    }

    /// As [`Removal::order`], but the directory goes to the quarantine.
    pub(super) fn order_aside(&self) {
        self.aside.store(true, Ordering::Release);
        self.order();
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        if self.due.load(Ordering::Acquire)
            && let Err(e) = if self.aside.load(Ordering::Acquire) { set_aside(&self.dir) } else { remove_dir(&self.dir) }
        {
            tracing::warn!(store.tip = %self.dir.display(), error = %e, "a sealed tip cannot be removed; the next start tries again");
        }
    }
}

/// Moves a tip from `<data>/log/` to `<data>/quarantine/`.
fn set_aside(dir: &Path) -> std::io::Result<()> {
    let quarantine = dir.parent().and_then(Path::parent).unwrap_or(dir).join("quarantine");
    create_private_dir(&quarantine).map_err(std::io::Error::other)?;
    let name = format!("{}-{}", dir.file_name().unwrap_or_default().to_string_lossy(), crate::time::Timestamp::now().nanos());
    std::fs::rename(dir, quarantine.join(name))
}

/// Removes a directory so that a kill at any moment leaves either all of it or something that the next start
/// removes.
fn remove_dir(dir: &Path) -> std::io::Result<()> {
    let name = format!("{}{}", names::REMOVED, dir.file_name().unwrap_or_default().to_string_lossy());
    let aside = dir.with_file_name(name);
    std::fs::rename(dir, &aside)?;
    std::fs::remove_dir_all(aside)
}
