//! A tip of the log: a journal that makes each commit durable, and sled that keeps the blocks in order for
//! reading.
//!
//! Both hold all blocks of the tip, so either may be damaged, whole or in part, and the other one gives what
//! it lacks.

use super::codec::Header;
use super::journal::{self, Journal};
use super::removal::Removal;
use super::sled_store::SledStore;
use crate::cursor::{LogId, Sequence};
use crate::log::LogError;
use crate::log::dir::durable::{create_private_dir, io, sync_dir};
use crate::log::dir::lock::Lock;
use crate::log::dir::{files, names};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open tip.
#[derive(Debug)]
pub(in crate::log) struct Tip {
    dir: PathBuf,
    log: Option<LogId>,
    /// `None` while there is no room for sled to open: the journal has everything then.
    store: Option<SledStore>,
    /// `None` when it is gone; such a tip is only read.
    journal: Option<Journal>,
    /// Dropped when sled has let go of its files.
    removal: Removal,
    /// Keeps other processes out until then. Dropped last.
    _lock: Lock,
}

/// What a tip holds.
#[derive(Debug, Default)]
pub(in crate::log) struct Contents {
    /// Headers of the blocks that can be read, in order.
    pub(in crate::log) headers: Vec<Header>,
    /// What was not as it should be, one sentence each. Where the other copy had it, nothing is lost.
    pub(in crate::log) damage: Vec<String>,
    /// Whether more blocks may be added.
    pub(in crate::log) writable: bool,
}

/// Files of sled that it could not read lie here, in the tip's directory.
const UNREADABLE: &str = "unreadable";

impl Tip {
    /// Creates a tip in the log directory `dir` for records of `log` from `first` on.
    pub(in crate::log) fn create(dir: &Path, first: Sequence, log: LogId, lock: Lock) -> Result<Self, LogError> {
        let path = dir.join(names::tip(first));
        let unfinished = dir.join(format!("{}{}", names::tip(first), names::UNFINISHED));
        // What could not be made is not to take room.
        Self::prepare(&unfinished, log, &lock).inspect_err(|_| drop(files::remove(&unfinished)))?;
        std::fs::rename(&unfinished, &path).map_err(io("cannot rename", &unfinished))?;
        sync_dir(dir)?;
        match Self::open(&path, lock) {
            Ok((tip, _)) if tip.store.is_some() => Ok(tip),
            Ok((tip, _)) => {
                tip.retire();
                Err(no_room())
            }
            Err(e) => Err(e),
        }
    }

    /// Several files; a kill between them leaves something that does not open.
    fn prepare(unfinished: &Path, log: LogId, lock: &Lock) -> Result<(), LogError> {
        create_private_dir(unfinished)?;
        Journal::create(unfinished, log)?;
        sync_dir(unfinished)?;
        let (tip, _) = Self::open(unfinished, Arc::clone(lock))?;
        tip.store.as_ref().ok_or_else(no_room)?.set_log_id(log)
    }

    /// Which log it belongs to; `None` when neither of its parts can tell.
    pub(in crate::log) fn log_id(&self) -> Option<LogId> {
        self.log
    }

    /// Opens the tip in `dir`, and gives each of its two parts what only the other one has.
    pub(in crate::log) fn open(dir: &Path, lock: Lock) -> Result<(Self, Contents), LogError> {
        if !std::fs::symlink_metadata(dir).map_err(io("cannot look at", dir))?.is_dir() {
            return Err(LogError::Damaged(format!("{} is not a directory", dir.display())));
        }
        if let Err(LogError::Damaged(why)) = files::check_regular(&dir.join(journal::NAME)) {
            set_journal_aside(dir)?;
            let (tip, mut contents) = Self::open_once(dir, lock)?;
            contents.damage.insert(0, format!("{why}; sled's part of the tip is read"));
            return Ok((tip, contents));
        }
        match Self::open_once(dir, Arc::clone(&lock)) {
            Err(LogError::Damaged(why)) if dir.join(journal::NAME).exists() => {
                tracing::error!(store.tip = %dir.display(), error = why, "sled cannot read its part of the tip; it is made again from the journal");
                set_sled_aside(dir)?;
                // Of new files that is no damage: sled cannot start at all (no threads, no memory), and
                // nothing is to be set aside for that.
                let (tip, mut contents) = Self::open_once(dir, lock).map_err(|e| match e {
                    LogError::Damaged(why) => io("cannot start sled in", dir)(std::io::Error::other(why)),
                    other => other,
                })?;
                contents.damage.insert(0, format!("sled cannot read its files ({why}); the tip's journal is read"));
                Ok((tip, contents))
            }
            opened => opened,
        }
    }

    fn open_once(dir: &Path, lock: Lock) -> Result<(Self, Contents), LogError> {
        let journal = Journal::open(dir)?;
        let store = match SledStore::open(dir) {
            Err(e) if e.is_full() && journal.is_some() => {
                tracing::error!(store.tip = %dir.display(), error = %e, "there is no room for sled to open its part of the tip; the journal is read");
                None
            }
            store => Some(store?),
        };
        let removal = Removal::new(dir);
        let log = match (journal.as_ref().and_then(Journal::log_id), &store) {
            (None, Some(store)) => store.log_id()?,
            (log, _) => log,
        };
        let tip = Self { dir: dir.to_owned(), log, store, journal, removal, _lock: lock };
        let contents = tip.recover()?;
        Ok((tip, contents))
    }

    /// Whether its blocks are there twice.
    pub(in crate::log) fn has_journal(&self) -> bool {
        self.journal.is_some()
    }

    /// Makes a block durable. [`Tip::keep`] is to follow.
    pub(in crate::log) fn commit(&self, value: &[u8]) -> Result<(), LogError> {
        self.journal
            .as_ref()
            .map_or_else(|| Err(LogError::Internal("a tip without a journal is only read".to_owned())), |j| j.append(value))
    }

    /// Gives sled a block that is durable, for readers to find.
    pub(in crate::log) fn keep(&self, first: Sequence, value: &[u8]) -> Result<(), LogError> {
        self.store.as_ref().ok_or_else(no_room)?.insert(first, value)
    }

    /// Makes both copies of what it holds whole on the disk.
    pub(in crate::log) fn flush(&self) -> Result<(), LogError> {
        self.store.as_ref().map_or(Ok(()), |store| store.flush(&self.dir))
    }

    /// The whole value of a block of `parts` parts.
    pub(in crate::log) fn get(&self, first: Sequence, parts: u16) -> Result<Vec<u8>, LogError> {
        let stored = self.store.as_ref().map_or_else(|| Err(no_room()), |store| store.get(first, parts));
        stored.or_else(|e| match self.journal.as_ref().map(|journal| journal.find(first)) {
            Some(Ok(Some(value))) => Ok(value),
            Some(_) if self.store.is_none() => Err(LogError::Damaged(format!("the journal does not have the block at {first} whole"))),
            _ => Err(e),
        })
    }

    /// Whether a block is whole in both parts of the tip, where it has two. What is wrong otherwise.
    pub(in crate::log) fn look(&self, header: &Header) -> Result<(), String> {
        if let Some(store) = &self.store {
            store.get(header.first, header.parts).map(|_| ()).map_err(|e| format!("sled: {e}"))?;
        }
        match self.journal.as_ref().map(|journal| journal.find(header.first)) {
            Some(Ok(None)) => Err("the journal does not have it whole".to_owned()),
            Some(Err(e)) => Err(format!("the journal: {e}")),
            _ => Ok(()),
        }
    }

    /// Its directory goes when the last reader has let go of it.
    pub(in crate::log) fn retire(&self) {
        self.removal.order();
    }

    /// As [`Tip::retire`], but its directory goes to the quarantine.
    pub(in crate::log) fn retire_aside(&self) {
        self.removal.order_aside();
    }

    /// The number in its name.
    pub(in crate::log) fn name(&self) -> Sequence {
        self.dir.file_name().and_then(|n| n.to_str()?.strip_prefix(names::TIP)?.parse().ok()).unwrap_or(0)
    }

    /// Where it lies.
    pub(in crate::log) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Lists the blocks and makes good what one of the two parts lacks. Of a tip without a journal, a last
    /// block that a crash left incomplete was never visible: it is removed, so that its sequences can be
    /// used.
    fn recover(&self) -> Result<Contents, LogError> {
        let mut contents = Contents::default();
        let mut stored = self.store.as_ref().map_or_else(|| Ok(BTreeMap::new()), |store| store.headers(&mut contents.damage))?;
        let Some(journal) = &self.journal else {
            if let Some(store) = &self.store {
                store.drop_torn_end(&mut stored)?;
            }
            contents.headers = stored.into_values().collect();
            return Ok(contents);
        };
        if journal.log_id().is_none() {
            contents.damage.push("the head of the journal is damaged; what follows does not need it".to_owned());
        }
        // The newest block may be there in part.
        if let Some((first, header)) = stored.pop_last()
            && self.store.as_ref().is_some_and(|store| store.get(first, header.parts).is_ok())
        {
            stored.insert(first, header);
        }
        let known = stored.keys().next_back().copied().unwrap_or(0);
        let (mut journalled, mut healed, mut room) = (0, 0, self.store.is_some());
        let whole = journal.recover(|entry| {
            let first = entry.header.first;
            journalled += 1;
            if stored.get(&first).is_none_or(|header| header.crc != entry.header.crc) {
                // A kill may keep sled from getting the newest blocks, not those before others that it has.
                healed += u64::from(first < known);
                match self.store.as_ref().map(|store| store.insert(first, &entry.value)) {
                    // Readers find it in the journal.
                    Some(Err(e)) if e.is_full() => room = false,
                    inserted => inserted.unwrap_or(Ok(()))?,
                }
                stored.insert(first, entry.header);
            }
            Ok(())
        })?;
        if healed > 0 {
            contents.damage.push(format!("sled lacked {healed} blocks; the journal has them"));
        }
        contents.writable = whole && room && journalled == stored.len();
        if journalled < stored.len() || !whole {
            contents.damage.push(format!("the journal has {journalled} of {} blocks whole; sled has the others", stored.len()));
        }
        contents.headers = stored.into_values().collect();
        Ok(contents)
    }

    /// Bytes on disk.
    pub(in crate::log) fn disk_bytes(&self) -> u64 {
        self.store.as_ref().map_or(0, SledStore::disk_bytes) + self.journal.as_ref().map_or(0, Journal::bytes)
    }
}

/// What comes of a tip whose sled could not be opened.
fn no_room() -> LogError {
    LogError::Full { why: "sled could not open its part of a tip".to_owned(), stored: 0 }
}

/// Moves what has the journal's name and is none out of its way.
fn set_journal_aside(dir: &Path) -> Result<(), LogError> {
    let path = dir.join(journal::NAME);
    let aside = dir.join(format!("{UNREADABLE}-{}", crate::time::Timestamp::now().nanos()));
    create_private_dir(&aside)?;
    std::fs::rename(&path, aside.join(journal::NAME)).map_err(io("cannot set aside", &path))?;
    sync_dir(dir)
}

/// Moves sled's files out of its way, but keeps them. A kill in the middle leaves files that sled cannot
/// read, so it comes to this again.
fn set_sled_aside(dir: &Path) -> Result<(), LogError> {
    let aside = dir.join(format!("{UNREADABLE}-{}", crate::time::Timestamp::now().nanos()));
    create_private_dir(&aside)?;
    for entry in std::fs::read_dir(dir).map_err(io("cannot list", dir))? {
        let path = entry.map_err(io("cannot list", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != journal::NAME && !name.starts_with(UNREADABLE) {
            std::fs::rename(&path, aside.join(name)).map_err(io("cannot set aside", &path))?;
        }
    }
    sync_dir(dir)
}
