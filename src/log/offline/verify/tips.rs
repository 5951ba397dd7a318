//! What `verify` asks of a tip.

use super::Check;
use crate::cursor::{LogId, Sequence};
use crate::log::LogError;
use crate::log::dir::scratch::ScratchCopy;
use crate::log::tip::Tip;
use crate::log::tip::codec::{self, Header};
use std::path::Path;

/// A tip, opened in a copy, since sled writes when it opens.
pub(super) struct OpenedTip {
    name: String,
    tip: Tip,
    headers: Vec<Header>,
    _copy: ScratchCopy,
}

impl OpenedTip {
    pub(super) fn first(&self) -> Option<Sequence> {
        self.headers.first().map(|header| header.first)
    }
}

impl Check {
    /// Opens a copy of the tip at `path`. Nothing when it cannot be read, which is told.
    pub(super) fn open_tip(&mut self, path: &Path, copy: Result<ScratchCopy, LogError>) -> Result<Option<OpenedTip>, LogError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let opened = copy.and_then(|copy| Ok((Tip::open(copy.path(), copy.lock()?)?, copy)));
        let ((tip, contents), copy) = match opened {
            Ok(opened) => opened,
            Err(LogError::Damaged(why)) => {
                self.damage(format!("{name} does not open: {why}; the next start sets it aside and continues after a gap"));
                self.chain = None;
                return Ok(None);
            }
            Err(e) => return Err(e),
        };
        if !tip.has_journal() {
            self.report.notes.push(format!("{name} has no journal: it is gone; sled has its records"));
        }
        // The end of a journal in use may be half written when it is copied; whether something is missing,
        // its sequences tell.
        let damage = if self.report.recording { Vec::new() } else { contents.damage };
        for what in damage {
            self.damage(format!("{name}: {what}"));
        }
        Ok(Some(OpenedTip { name, tip, headers: contents.headers, _copy: copy }))
    }

    /// Looks at a tip, after which the next one begins with `end`: a commit that failed was never visible,
    /// but may be on the disk.
    pub(super) fn tip(&mut self, OpenedTip { name, tip, headers, _copy }: OpenedTip, end: Sequence) -> Result<(), LogError> {
        // A kill between sealing and removing leaves a tip whose records are in segments.
        let sealed = self.next;
        for header in headers.iter().filter(|header| header.first < end && sealed.is_none_or(|next| header.first >= next)) {
            if self.is_behind_the_look(header.first) {
                break;
            }
            self.begin(header.first, &format!("the block at {} of {name}", header.first));
            self.joins(header.first, header.chain_before, &name);
            if let Err(what) = tip.look(header) {
                self.damage(format!("one copy of the records {} to {} in {name} is damaged: {what}", header.first, header.last()));
            }
            let block = tip.get(header.first, header.parts).and_then(|value| {
                let log = tip.log_id().or_else(|| Some(self.lineage.as_ref()?.log_at(header.first)));
                codec::decode(&value, log.unwrap_or_else(LogId::random))
            });
            self.chain = None;
            match block {
                Ok(block) => {
                    let after = self.lines(&block, &name, header.chain_before);
                    if *self.chain.get_or_insert(after) != after {
                        self.damage(format!(
                            "the records {} to {} in {name} were altered: they do not give the hash chain's value",
                            header.first,
                            header.last()
                        ));
                    }
                }
                Err(LogError::Damaged(why)) => {
                    self.damage(format!("the records {} to {} in {name} cannot be read: {why}", header.first, header.last()));
                    self.next = Some(header.last() + 1);
                }
                Err(e) => return Err(e),
            }
            self.report.bytes += u64::from(header.packed_bytes);
        }
        Ok(())
    }
}
