//! Opening a log's directory without changing it.

use super::identify::ancestors;
use super::parts::{OpenedTip, join};
use crate::log::LogError;
use crate::log::dir::durable::io;
use crate::log::dir::listing::Listing;
use crate::log::dir::manifest::Manifest;
use crate::log::dir::scratch::{ScratchCopy, ScratchDir};
use crate::log::read::catalog::Catalog;
use crate::log::segment::Segment;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// A log that is only read: nothing of it is changed, not even what a kill left.
pub(in crate::log) fn open_read_only(data_dir: &Path) -> Result<(Catalog, Vec<ScratchCopy>), LogError> {
    let dir = data_dir.join("log");
    ScratchDir::sweep();
    let listing = Listing::read(&dir)?;
    let (mut copies, mut tips) = (Vec::new(), Vec::new());
    for (_, path) in &listing.tips {
        let opened = ScratchCopy::of(path).and_then(|copy| Ok((OpenedTip::at(copy.path(), &copy.lock()?)?, copy)));
        match opened {
            Ok((opened, copy)) => {
                tips.push(opened);
                copies.push(copy);
            }
            Err(e) if e.is_full() => return Err(e),
            Err(e) => tracing::error!(store.tip = %path.display(), error = %e, "a tip of the log cannot be read"),
        }
    }
    let mut row: Vec<Arc<Segment>> = Vec::new();
    for (_, path) in &listing.segments {
        match Segment::open(path) {
            Ok(segment) if row.last().is_none_or(|before| segment.first() > before.last()) => row.push(Arc::new(segment)),
            // A kill between a merge and its cleaning up leaves segments that another covers.
            Ok(_) => {}
            Err(e) => tracing::error!(store.segment = %path.display(), error = %e, "a segment cannot be read"),
        }
    }
    let manifest = match Manifest::read(&dir) {
        Ok(Some(manifest)) => manifest,
        Ok(None) | Err(LogError::Damaged(_)) => {
            let log = tips.iter().rev().find_map(|opened| opened.tip.log_id()).or_else(|| row.last().map(|segment| segment.log()));
            let log = log.ok_or_else(|| LogError::Damaged(format!("{} holds no log", dir.display())))?;
            let ends = tips.iter().filter_map(|opened| Some((opened.tip.log_id()?, opened.headers.last()?.last())));
            Manifest { log: log.to_string(), ancestors: ancestors(&listing, log, ends), ..Manifest::create() }
        }
        Err(e) => return Err(e),
    };
    let sealed = row.last().map_or(0, |segment| segment.last());
    let (found, mut tips) = (tips, Vec::new());
    for opened in found {
        join(&mut tips, opened, sealed);
    }
    let lock = fs::File::open(&dir).map(Arc::new).map_err(io("cannot open", &dir))?;
    let parts = tips.into_iter().map(OpenedTip::into_part).collect();
    let catalog = Catalog::new(&manifest, row, parts, lock)?;
    Ok((catalog, copies))
}
