//! What a daemon lists and shows: cut into entries however it comes, and of each entry whatever can be read,
//! always the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shipslog::ingest::docker::fuzzing::read;

/// Small, so that entries of a fuzzer's size are too long for it.
const LIMIT: usize = 300;

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let member = first % 2 == 1;
    let whole = read(std::iter::once(bytes), member, LIMIT);
    assert_eq!(whole, read(bytes.chunks(usize::from(first / 2) + 1), member, LIMIT), "however it was cut");
    let Ok(serde_json::Value::Array(list)) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
    assert_eq!((whole.0.len(), whole.1), (list.len(), true), "as many entries as a parser finds");
});
