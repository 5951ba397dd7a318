//! Removing the oldest records.

use super::Writer;
use crate::cursor::Sequence;
use crate::log::LogError;
use crate::log::dir::durable::sync_dir;
use crate::log::dir::manifest::Manifest;
use crate::log::segment::publish;
use std::sync::Arc;

impl Writer {
    /// Recorded first, then out of sight, then removed: a crash in between leaves files that the next start
    /// removes.
    pub(super) fn trim(&mut self, before: Sequence) -> Result<Sequence, LogError> {
        self.check_poison()?;
        self.note_start()?;
        let catalog = Arc::clone(&self.catalog);
        let _shape = catalog.shape.lock();
        let gone = self.catalog.trimmable(before);
        if let Some(last) = gone.last() {
            let trimmed = last.last() + 1;
            let kept = |holes: &[(Sequence, Sequence)]| holes.iter().copied().filter(|(_, to)| *to >= trimmed).collect();
            let manifest = Manifest { trimmed, holes: kept(&self.manifest.holes), ..self.manifest.clone() };
            match manifest.write(&self.dir) {
                Ok(()) => self.manifest = manifest,
                Err(e) if e.is_full() => return Err(e),
                Err(e) => {
                    self.poison(&e);
                    return Err(e);
                }
            }
            self.tail.holes = kept(&self.tail.holes);
            self.catalog.trim(self.manifest.trimmed);
            gone.iter().try_for_each(|segment| publish::remove_file(segment.path()))?;
            sync_dir(&self.dir)?;
        }
        Ok(self.catalog.bounds().oldest)
    }
}
