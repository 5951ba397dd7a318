//! A segment's file, and lines as its frames hold them: blocks that can be read in every way, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shipslog::log::fuzzing;
use std::path::PathBuf;
use std::sync::LazyLock;

/// Where the sequence stands in a line: after `{"id":"7f3c9a1e-`.
const FIRST_DIGIT: usize = 16;

/// In memory where the machine has such a directory.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let directory = if memory.is_dir() { memory } else { std::env::temp_dir() };
    directory.join(format!("shipslog-fuzz-{}", std::process::id()))
});

fn read(bytes: &[u8]) {
    std::fs::write(&*FILE, bytes).expect("a file can be written");
    let segment = fuzzing::segment(&FILE);
    // Nothing is left behind, however this process ends.
    std::fs::remove_file(&*FILE).expect("it was there");
    segment.into_iter().flatten().for_each(shipslog_fuzz::look);
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    let mut mended = bytes.to_vec();
    if mend(&mut mended).is_some() {
        read(&mended);
    }
    // The first line's own sequence, so that what follows it is looked at.
    let digits = bytes.iter().skip(FIRST_DIGIT).take_while(|byte| byte.is_ascii_digit());
    let first = digits.fold(0_u64, |all, digit| all.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')));
    shipslog_fuzz::look(fuzzing::lines(first, bytes));
});

fn big(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..at + 4)?.try_into().ok().map(|four| u32::from_be_bytes(four) as usize)
}

fn little(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..at + 4)?.try_into().ok().map(|four| u32::from_le_bytes(four) as usize)
}

/// Bytes of a frame in the index, of what stands in front of the frames there, and of a length with a
/// checksum.
const ENTRY: usize = 72;
const HEAD: usize = 96;
const PLACE: usize = 8;

/// Makes the checksums fit (the layout is that of `src/log/segment/index.rs`): a program that forges a
/// segment can do so too.
fn mend(file: &mut [u8]) -> Option<()> {
    let table_frames = little(file, file.len().checked_sub(9)?)?;
    let table = file.len().checked_sub(8 + 8 * Some(table_frames).filter(|n| *n < 1000)? + 9)?;
    let index = table.checked_sub(little(file, table + 8 * table_frames)?)? + 8;
    let (frames, chunks) = (big(file, index + 12)?, big(file, index + 92)?);
    let places = index + HEAD + ENTRY * Some(frames).filter(|n| *n < 1000)?;
    let end = places + PLACE * Some(chunks).filter(|n| *n < 1000)?;
    let mut at = 0_usize;
    for frame in (index + HEAD..places).step_by(ENTRY) {
        let packed = big(file, frame + 12)?;
        let crc = crc32fast::hash(file.get(at..at.checked_add(packed)?)?);
        file.get_mut(frame + 20..frame + 24)?.copy_from_slice(&crc.to_be_bytes());
        at += packed;
    }
    let mut at = end + 4;
    for place in (places..end).step_by(PLACE) {
        let bytes = big(file, place)?;
        let crc = crc32fast::hash(file.get(at..at.checked_add(bytes)?)?);
        file.get_mut(place + 4..place + 8)?.copy_from_slice(&crc.to_be_bytes());
        at += bytes;
    }
    let crc = crc32fast::hash(file.get(index..end)?);
    file.get_mut(end..end + 4)?.copy_from_slice(&crc.to_be_bytes());
    Some(())
}
