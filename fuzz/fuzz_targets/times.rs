//! Any text is a time or is not one; a time that was read prints as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shipslog::time::Timestamp;

const NOW: Timestamp = Timestamp::from_nanos(1_795_344_577_148_160_810);

fuzz_target!(|bytes: &[u8]| {
    for time in [Timestamp::from_text(bytes), Timestamp::parse(&String::from_utf8_lossy(bytes), NOW).ok()].into_iter().flatten() {
        let text = time.to_string();
        assert_eq!(text.len(), Timestamp::TEXT_BYTES);
        assert_eq!(Timestamp::parse(&text, NOW), Ok(time));
        assert_eq!(Timestamp::from_text(text.as_bytes()), Some(time));
    }
});
