//! A block in its stored form, as a damaged or a made-up journal may hold it: a block that can be read in
//! every way, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shipslog::log::fuzzing;

/// Of the header: where the length of what follows it stands, and the checksum.
const PACKED_BYTES: std::ops::Range<usize> = 52..56;
const CRC: std::ops::Range<usize> = 120..124;

fuzz_target!(|bytes: &[u8]| {
    shipslog_fuzz::look(fuzzing::block(bytes));
    // What checksums guard is looked at as well: a forged block can have a right checksum.
    if let Some(packed) = bytes.get(CRC.end..) {
        let mut value = bytes.to_vec();
        value[PACKED_BYTES].copy_from_slice(&(packed.len() as u32).to_be_bytes());
        let mut crc = crc32fast::Hasher::new();
        crc.update(&value[..CRC.start]);
        crc.update(packed);
        value[CRC].copy_from_slice(&crc.finalize().to_be_bytes());
        shipslog_fuzz::look(fuzzing::block(&value));
    }
});
