//! What the fuzz targets reach of this folder.

use super::lists::{Entry, Fields, Shape, Splitter};

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
            super::observe::fuzzing::shown(&fields)
        }
    }
}
