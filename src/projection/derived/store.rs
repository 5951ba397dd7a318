//! Where stretches are: in files once their records are sealed, in memory until then, and where nothing can
//! be written.

use super::sidecar::Sidecar;
use crate::cursor::Sequence;
use crate::log::{DerivedFiles, MAX_DERIVED_BYTES};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of stretches that wait to be stored, or cannot be. Beyond it the oldest goes, and is made again when
/// it is wanted.
const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Store {
    files: Option<DerivedFiles>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// By number: the last record, and the content.
    stretches: BTreeMap<u64, (Sequence, Arc<Vec<u8>>)>,
    bytes: usize,
}

impl Held {
    fn remove(&mut self, number: u64) {
        if let Some((_, bytes)) = self.stretches.remove(&number) {
            self.bytes -= bytes.len();
        }
    }

    /// The first that can be stored.
    fn ready(&self, sealed: Sequence) -> Option<(u64, Arc<Vec<u8>>)> {
        let mut ready = self.stretches.iter().filter(|(_, (last, content))| *last <= sealed && content.len() <= MAX_DERIVED_BYTES);
        ready.next().map(|(number, (_, content))| (*number, Arc::clone(content)))
    }
}

impl Store {
    pub(super) fn new(files: Option<DerivedFiles>) -> Self {
        Self { files, held: Mutex::default() }
    }

    /// Keeps a stretch until it can be stored.
    pub(super) fn put(&self, number: u64, last: Sequence, content: Vec<u8>) {
        let mut held = self.held.lock();
        held.remove(number);
        held.bytes += content.len();
        held.stretches.insert(number, (last, Arc::new(content)));
        while held.bytes > MAX_HELD_BYTES
            && let Some(oldest) = held.stretches.keys().next().copied()
        {
            held.remove(oldest);
        }
    }

    /// Whether something waits that can be stored by now.
    pub(super) fn is_ready(&self, sealed: Sequence) -> bool {
        self.files.is_some() && self.held.lock().ready(sealed).is_some()
    }

    /// Stores what waits and is sealed. What is too long for a file stays in memory.
    pub(super) fn store(&self, sealed: Sequence) {
        let Some(files) = &self.files else { return };
        loop {
            // The lock ends with the statement: the disk may take its time.
            let Some((number, content)) = self.held.lock().ready(sealed) else { return };
            if let Err(e) = files.write(number, &content) {
                tracing::warn!(error = %e, "what is derived from the log cannot be stored; it stays in memory");
                return;
            }
            let mut held = self.held.lock();
            // Unless another one has come under this number.
            if held.stretches.get(&number).is_some_and(|(_, now)| Arc::ptr_eq(now, &content)) {
                held.remove(number);
            }
        }
    }

    pub(super) fn get(&self, number: u64) -> Option<Sidecar> {
        let held = self.held.lock().stretches.get(&number).map(|(_, content)| Arc::clone(content));
        let content = match held {
            Some(content) => content,
            None => Arc::new(self.files.as_ref()?.read(number)?),
        };
        Sidecar::read(&content)
    }

    /// Numbers of all that there are, from this one on.
    pub(super) fn numbers(&self, from: u64) -> Vec<u64> {
        let mut numbers = self.files.as_ref().map(DerivedFiles::numbers).unwrap_or_default();
        numbers.extend(self.held.lock().stretches.keys());
        numbers.retain(|number| *number >= from);
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Forgets stretches whose records are gone.
    pub(super) fn trim(&self, before: u64) {
        let gone: Vec<u64> = self.held.lock().stretches.keys().take_while(|number| **number < before).copied().collect();
        for number in gone {
            self.held.lock().remove(number);
        }
        let Some(files) = &self.files else { return };
        files.numbers().into_iter().take_while(|number| *number < before).for_each(|number| files.remove(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded() {
        let store = Store::default();
        for number in 0..100 {
            store.put(number, 1, vec![0; MAX_HELD_BYTES / 10]);
            assert!(store.held.lock().bytes <= MAX_HELD_BYTES);
        }
        store.put(99, 1, vec![0; 10]);
        let held = store.held.lock();
        assert_eq!(held.bytes, held.stretches.values().map(|(_, content)| content.len()).sum::<usize>());
        assert_eq!((held.stretches.len(), held.stretches.first_key_value().map(|(number, _)| *number)), (10, Some(90)));
    }

    #[test]
    fn what_is_too_long_for_a_file_keeps_no_other_from_one() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("log")).unwrap();
        let files = DerivedFiles::new(dir.path(), crate::cursor::LogId::from_bytes([7; 16]), 1);
        let store = Store::new(Some(files.clone()));
        store.put(0, 10, vec![0; MAX_DERIVED_BYTES + 1]);
        store.put(1, 20, vec![1; 10]);
        store.put(2, 30, vec![2; 10]);
        store.store(25);
        assert_eq!((files.numbers(), store.numbers(0)), (vec![1], vec![0, 1, 2]));
        assert_eq!(store.held.lock().stretches.keys().copied().collect::<Vec<_>>(), [0, 2]);
    }
}
