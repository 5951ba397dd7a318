//! A stream cut into events, against an oracle that has all of it at once and looks at it byte by byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oracle::{Piece, pieces};
use shipslog::event::Event;
use shipslog::ingest::lines::{Line, LineSplitter, SAMPLE_CHARS};

#[path = "../src/oracle.rs"]
mod oracle;

/// Small, so that events of a fuzzer's size are too long for it.
const LIMIT: usize = 120;

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Event(String),
    Malformed(Vec<u8>),
    /// Its length, how it begins, and its checksum.
    TooLong(u64, Vec<u8>, u32),
}

impl From<Piece<'_>> for Told {
    fn from(piece: Piece<'_>) -> Self {
        match piece {
            Piece::Event(json) => Self::Event(json),
            Piece::Malformed(text) => Self::Malformed(text.to_vec()),
            Piece::TooLong(text) => {
                let start = text[..text.len().min(SAMPLE_CHARS * 4)].to_vec();
                Self::TooLong(text.len() as u64, start, crc32fast::hash(text))
            }
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let read = |text: &[u8]| {
        let event = Event::from_daemon(text).ok()?;
        let stands_alone = event.view().kind.is_some() && event.view().action.is_some();
        Some((event.as_json().to_owned(), stands_alone))
    };
    let expected: Vec<Told> = pieces(bytes, LIMIT, read).into_iter().map(Told::from).collect();
    assert_eq!(split(std::iter::once(bytes)), expected, "at once");
    assert_eq!(split(bytes.chunks(usize::from(*first) + 1)), expected, "in chunks");
});

fn split<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<Told> {
    let mut told = Vec::new();
    let mut sink = |line: Line<'_>| {
        told.push(match line {
            Line::Event(event) => Told::Event(event.as_json().to_owned()),
            Line::Malformed { line, .. } => Told::Malformed(line.to_vec()),
            Line::TooLong { bytes, start, checksum, cut } => {
                assert!(cut.is_none_or(|cut| cut.marks().cut == Some(bytes)));
                Told::TooLong(bytes, start.to_vec(), checksum)
            }
        });
    };
    let mut splitter = LineSplitter::with_limit(LIMIT);
    chunks.for_each(|chunk| splitter.push(chunk, &mut sink));
    splitter.finish(&mut sink);
    told
}
