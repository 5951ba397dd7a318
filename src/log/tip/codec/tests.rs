use super::*;
use crate::cursor::LogId;
use crate::event::{Marks, Noise};
use crate::log::Block;
use proptest::prelude::*;

fn noise(text: &str) -> Option<Noise> {
    text.len().is_multiple_of(2).then_some(Noise::HealthCheck)
}

fn cut(text: &str) -> u64 {
    text.len() as u64 % 3 * (1 << 20)
}

fn encode(records: &[(i64, i64, String)], first: Sequence) -> (Header, Vec<u8>) {
    let mut encoder = Encoder::default();
    for (time, received, text) in records {
        let json = serde_json::json!({ "x": text }).to_string();
        let record = StoredRecord {
            time: *time,
            received: *received,
            source: "local",
            kind: text,
            action: "a",
            actor_id: "i",
            json: &json,
            noise: Noise::code(noise(text)),
            cut: cut(text),
            foreign: text.len().is_multiple_of(5),
        };
        encoder.push(&record).unwrap();
    }
    encoder.compress().unwrap().finish(first, [7; 32], 24 * 1024).unwrap()
}

proptest! {
    #[test]
    fn round_trips(records in prop::collection::vec((any::<i64>(), any::<i64>(), ".{0,40}"), 1..20), first in 1u64..1 << 50) {
        let (header, value) = encode(&records, first);
        prop_assert_eq!(&Header::read(&value).unwrap(), &header);
        prop_assert_eq!(header.time.0.nanos(), records.iter().map(|r| r.0).min().unwrap());
        prop_assert_eq!(header.received.1.nanos(), records.iter().map(|r| r.1).max().unwrap());
        let log = LogId::random();
        let block = decode(&value, log).unwrap();
        prop_assert_eq!(block.sequences(), header.first..=header.last());
        for (seq, (time, received, text)) in (first..).zip(&records) {
            prop_assert_eq!(block.json(seq), serde_json::json!({ "x": text }).to_string());
            prop_assert_eq!(block.time(seq).nanos(), *time);
            prop_assert_eq!(block.received(seq).nanos(), *received);
            prop_assert_eq!(block.source(seq), "local");
            let marks = Marks { noise: noise(text), cut: Some(cut(text)).filter(|bytes| *bytes > 0), foreign: text.len().is_multiple_of(5) };
            prop_assert_eq!(block.marks(seq), marks);
            let line = block.record(seq).unwrap().to_line(log);
            prop_assert_eq!(block.line(seq, false), line.clone());
            prop_assert_eq!(block.sse_frames(seq, seq), format!("id: {}\ndata: {line}\n\n", log.cursor(seq)));
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed(bit in 0usize..4000, records in prop::collection::vec((0i64..9, 0i64..9, ".{0,40}"), 1..5)) {
        let (_, mut value) = encode(&records, 5);
        let bit = bit % (value.len() * 8);
        value[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(decode(&value, LogId::random()).is_err());
    }

    #[test]
    fn garbage_never_panics(value in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&value, LogId::random());
    }
}

/// With another format, as if it had been written so.
fn reformatted(value: &[u8], format: u8) -> Vec<u8> {
    let mut value = value.to_vec();
    value[0] = format;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&value[..HEADER_BYTES - 4]);
    crc.update(&value[HEADER_BYTES..]);
    value[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&crc.finalize().to_be_bytes());
    value
}

proptest! {
    #[test]
    fn a_followers_block_has_a_place_and_origins(
        origins in prop::collection::vec((any::<u32>(), any::<u64>(), any::<i64>(), proptest::option::of(".{0,9}")), 1..20),
        place in any::<u64>(),
    ) {
        let mut encoder = Encoder::default();
        let origins: Vec<Origin> = origins
            .into_iter()
            .map(|(log, seq, received, source)| Origin {
                id: Cursor { log, seq },
                time: Timestamp::from_nanos(5),
                received: Timestamp::from_nanos(received),
                source: source.map(Into::into),
            })
            .collect();
        for (at, origin) in (1..).zip(&origins) {
            let record = StoredRecord { time: 5, received: 6, source: "web", kind: "k", action: "a", actor_id: "i", json: "{}", noise: 1, cut: 0, foreign: false };
            // The place of a block is that of its last record.
            let place = if at == origins.len() { place } else { 1 };
            encoder.push_followed(&record, &StoredOrigin::from(origin), place).unwrap();
        }
        let (header, value) = encoder.compress().unwrap().finish(9, [7; 32], 24 * 1024).unwrap();
        prop_assert_eq!(header.place, Some(place));
        prop_assert_eq!(&Header::read(&value).unwrap(), &header);
        let block = decode(&value, LogId::random()).unwrap();
        for (seq, origin) in (9..).zip(origins) {
            prop_assert_eq!(block.origin(seq), Some(origin));
            prop_assert_eq!((block.json(seq), block.noise(seq)), ("{}", Some(Noise::HealthCheck)));
        }
        // Nothing but format 5 has flags, and it has one.
        prop_assert!(Header::read(&reformatted(&value, BLOCK_FORMAT_WITHOUT_FLAGS)).is_err());
        let mut other = value;
        other[1] |= 2;
        prop_assert!(Header::read(&other).is_err());
    }
}

#[test]
fn blocks_of_format_4_are_read() {
    let (header, value) = encode(&[(1, 2, "x".to_owned()), (3, 4, "yy".to_owned())], 7);
    assert_eq!((header.format, header.place), (5, None));
    let old = reformatted(&value, BLOCK_FORMAT_WITHOUT_FLAGS);
    let (old, new) = (decode(&old, LogId::with_prefix(1)).unwrap(), decode(&value, LogId::with_prefix(1)).unwrap());
    assert_eq!(old.sse_frames(7, 8), new.sse_frames(7, 8));
}

#[test]
fn blocks_without_marks_are_read() {
    let mut raw = Vec::new();
    for json in [r#"{"a":1}"#, r#"{"b":2}"#] {
        let record = StoredRecord3 { time: 1, received: 2, source: "local", kind: "k", action: "a", actor_id: "i", json, noise: 0 };
        bincode().serialize_into(&mut raw, &record).unwrap();
    }
    let encoder = Encoder { raw, count: 2, ..Encoder::default() };
    let (_, value) = encoder.compress().unwrap().finish(7, [7; 32], 24 * 1024).unwrap();
    assert!(decode(&value, LogId::random()).is_err(), "its records are shorter than format 4 says");
    let value = reformatted(&value, BLOCK_FORMAT_NOISE_ONLY);
    let block = decode(&value, LogId::random()).unwrap();
    assert_eq!((block.sequences(), block.json(8), block.noise(8)), (7..=8, r#"{"b":2}"#, None));
}

/// As somebody would make it up who can also make a checksum.
#[test]
fn no_count_and_no_sequence_is_believed_unseen() {
    let (_, value) = encode(&[(1, 2, "x".repeat(100))], 1);
    for (at, bytes) in [(4, &[0xff; 4][..]), (8, &[0xff; 8])] {
        let mut bad = value.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        let mut crc = crc32fast::Hasher::new();
        crc.update(&bad[..HEADER_BYTES - 4]);
        crc.update(&bad[HEADER_BYTES..]);
        bad[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&crc.finalize().to_be_bytes());
        assert!(decode(&bad, LogId::random()).unwrap_err().to_string().contains("makes no sense"));
    }
    let line = crate::log::testing::contract::line(1).replacen("-1\"", &format!("-{}\"", Sequence::MAX), 1);
    assert!(Block::from_lines(Sequence::MAX, format!("{line}\n").as_bytes()).is_err());
}

#[test]
fn every_truncation_is_noticed() {
    let (_, value) = encode(&[(1, 2, "x".repeat(100))], 1);
    for end in 0..value.len() {
        assert!(check(&value[..end]).is_err());
    }
}

/// Before anything is made for it: the checksum, which is looked at later, fits such a header too.
#[test]
fn sizes_that_no_block_has_are_refused() {
    let (_, value) = encode(&[(1, 1, "a".to_owned())], 1);
    let whole = Header::read(&value).unwrap();
    let sizes = HEADER_BYTES - 4 - RESERVED_BYTES - 8 - 32 - 8;
    let with = |raw: usize, packed: usize| {
        let mut value = value.clone();
        value[sizes..sizes + 4].copy_from_slice(&u32::try_from(raw).unwrap().to_be_bytes());
        value[sizes + 4..sizes + 8].copy_from_slice(&u32::try_from(packed).unwrap().to_be_bytes());
        Header::read(&value)
    };
    assert_eq!(with(whole.raw_bytes as usize, whole.packed_bytes as usize).unwrap(), whole, "these are the sizes");
    assert!(with(MAX_RAW_BYTES, MAX_PACKED_BYTES).is_ok());
    for (raw, packed) in [(MAX_RAW_BYTES + 1, 10), (MAX_RAW_BYTES, MAX_PACKED_BYTES + 1)] {
        assert!(with(raw, packed).unwrap_err().to_string().contains("no more than 64 MiB"));
    }
}
