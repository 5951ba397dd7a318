//! A cursor has one spelling, and no other text is one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shipslog::cursor::{Cursor, LogId, MAX_CURSOR_BYTES};

fuzz_target!(|bytes: &[u8]| {
    // As the server reads a header that may hold anything.
    let text = String::from_utf8_lossy(bytes);
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert_eq!(cursor.to_string(), text);
        assert!(text.len() <= MAX_CURSOR_BYTES);
    }
    if let Ok(log) = text.parse::<LogId>() {
        assert_eq!(log.to_string().parse(), Ok(log));
    }
});
