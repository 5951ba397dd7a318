//! Reading what the daemon lists: entry by entry, and only the fields that are wanted.
//!
//! bollard reads these answers into closed types: one container in a state that it does not know (Podman's `stopped`), or one label that is
//! `null`, refuses the whole list. It also holds an answer of any size in memory, several times over.

mod fields;
mod split;

pub(super) use fields::Fields;
pub(super) use split::{Entry, NoList, Shape, Splitter};

/// The splitter and the fields, on bytes of unknown origin. For the fuzz target in `fuzz/`; not part of any other build.
#[cfg(fuzzing)]
pub mod fuzzing {
    use super::{Entry, Fields, Shape, Splitter};

    /// What can be read of the entries of an answer that comes in `chunks`.
    pub fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>, member: bool, max: usize) -> (Vec<String>, bool) {
        let mut entries = Vec::new();
        let mut splitter = Splitter::new(if member { Shape::Member("Volumes") } else { Shape::List }, max);
        let mut sink = |entry: Entry<'_>| entries.push(shown(entry));
        chunks.for_each(|chunk| splitter.push(chunk, &mut sink));
        let is_whole = splitter.finish(&mut sink).is_ok();
        (entries, is_whole)
    }

    fn shown(entry: Entry<'_>) -> String {
        match entry {
            Entry::TooLong(bytes) => format!("{bytes} bytes"),
            Entry::Whole(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                let Ok(fields) = Fields::of(&text) else { return format!("unreadable {text}") };
                super::super::observe::fuzzing::shown(&fields)
            }
        }
    }
}
