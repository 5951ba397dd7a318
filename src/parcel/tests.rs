use super::*;
use crate::chain::{self, CHAIN_START};
use crate::cursor::MAX_SEQUENCE;
use proptest::prelude::*;

const LINES: &[u8] = b"{\"a\":1}\n{\"b\":2}\n";

fn head(first: u64, count: u32) -> Head {
    Head { first, count, after: mark(&chain::after(&CHAIN_START, LINES)), before: None, gaps: Vec::new() }
}

/// What one version wrote every later one reads.
#[test]
fn heads_and_payloads_are_as_ever() {
    let gaps = vec![Missing { from: 1, to: 40, reason: Reason::Retention }, Missing { from: 41, to: 41, reason: Reason::Damage }];
    let whole = Head { before: Some([0xA5; 32]), gaps, ..head(42, 2) };
    let golden = "1 42 2 DismX2Kj3y84pD1MZJYz+w paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU gap=1-40:retention gap=41-41:damage";
    assert_eq!(whole.to_string(), golden);
    assert_eq!(golden.parse(), Ok(whole));
    assert_eq!("1 1 2 DismX2Kj3y84pD1MZJYz+w".parse(), Ok(head(1, 2)));
    // printf '{"a":1}\n{"b":2}\n' > l; zstd -3 --check -c l
    let mut payload = hex::decode("28b52ffd24108100007b2261223a317d0a7b2262223a327d0a13474c48").unwrap();
    assert_eq!(open(&head(1, 2), &payload, &CHAIN_START).unwrap().lines, LINES);
    payload[10] ^= 1;
    assert!(matches!(unpack(&head(1, 2), &payload), Err(PayloadError::Frame(_))), "another checksum");
    assert_eq!(unpack(&head(1, 2), &pack(LINES).unwrap()).unwrap(), LINES);
}

#[test]
fn the_longest_head_fits() {
    let stretch = |from| Missing { from, to: from, reason: Reason::Retention };
    let first = MAX_SEQUENCE - u64::from(MAX_LINES) + 1;
    let gaps = (first - MAX_GAPS as u64..first).map(stretch).collect();
    let longest = Head { count: MAX_LINES, before: Some([0; 32]), gaps, ..head(first, 1) };
    let text = longest.to_string();
    assert!(text.len() <= MAX_HEAD_BYTES, "{}", text.len());
    assert_eq!(text.parse(), Ok(longest));
}

#[test]
fn a_malformed_head_is_told_by_what_is_wrong() {
    let after = "DismX2Kj3y84pD1MZJYz+w";
    let before = "paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU";
    let max = MAX_SEQUENCE;
    for (text, expected) in [
        (String::new(), HeadError::Version),
        (format!("2 1 1 {after}"), HeadError::Version),
        (format!("Slog: 1 1 1 {after}"), HeadError::Version),
        ("1".into(), HeadError::Part("first sequence")),
        (format!("1 01 1 {after}"), HeadError::Part("first sequence")),
        (format!("1 +1 1 {after}"), HeadError::Part("first sequence")),
        (format!("1  1 1 {after}"), HeadError::Part("first sequence")),
        (format!("1 99999999999999999999 1 {after}"), HeadError::Part("first sequence")),
        (format!("1 1 x {after}"), HeadError::Part("number of records")),
        ("1 1 1".into(), HeadError::Part("chain value after its records")),
        (format!("1 1 1 {after}=="), HeadError::Part("chain value after its records")),
        ("1 1 1 DismX2Kj3y84pD1MZJYz+x".into(), HeadError::Part("chain value after its records")),
        (format!("1 1 1 {before}"), HeadError::Part("chain value after its records")),
        (format!("1 1 1 {after} "), HeadError::Part("chain value before its records")),
        (format!("1 1 1 {after} {after}"), HeadError::Part("chain value before its records")),
        (format!("1 1 1 {after} {before} more"), HeadError::Part("gap")),
        (format!("1 3 1 {after} {before} gap=1-2"), HeadError::Part("gap")),
        (format!("1 3 1 {after} {before} gap=1-02:damage"), HeadError::Part("end of a gap")),
        (format!("1 3 1 {after} {before} gap=1-2:lunch"), HeadError::Part("reason of a gap")),
        (format!("1 1 0 {after}"), HeadError::Count(0)),
        (format!("1 1 769 {after}"), HeadError::Count(769)),
        (format!("1 0 1 {after}"), HeadError::Sequences { first: 0, count: 1 }),
        (format!("1 {max} 2 {after}"), HeadError::Sequences { first: max, count: 2 }),
        (format!("1 {} 2 {after}", u64::MAX), HeadError::Sequences { first: u64::MAX, count: 2 }),
        (format!("1 3 1 {after} gap=1-2:damage"), HeadError::Gaps),
        (format!("1 3 1 {after} {before} gap=1-1:damage"), HeadError::Gaps),
        (format!("1 3 1 {after} {before} gap=2-1:damage"), HeadError::Gaps),
        (format!("1 3 1 {after} {before} gap=0-2:damage"), HeadError::Gaps),
        (format!("1 4 1 {after} {before} gap=1-1:damage gap=3-3:damage"), HeadError::Gaps),
        (
            format!("1 7 1 {after} {before}{}", (1..=6).map(|n| format!(" gap={n}-{n}:damage")).collect::<Vec<_>>().concat()),
            HeadError::Gaps,
        ),
        (format!("1 1 1 {after}{}", " ".repeat(MAX_HEAD_BYTES)), HeadError::TooLong(MAX_HEAD_BYTES + 28)),
    ] {
        assert_eq!(text.parse::<Head>(), Err(expected), "{text}");
    }
}

#[test]
fn a_payload_that_is_not_what_its_head_tells_is_refused() {
    let payload = pack(LINES).unwrap();
    let chain = chain::after(&CHAIN_START, LINES);
    assert_eq!(open(&head(1, 2), &payload, &CHAIN_START), Ok(Unpacked { lines: LINES.to_vec(), chain }));
    assert_eq!(open(&head(1, 2), &payload, &chain), Err(PayloadError::Chain));
    assert_eq!(open(&head(1, 3), &payload, &CHAIN_START), Err(PayloadError::Lines { found: 2, told: 3 }));
    let cut = pack(b"{}\n{}").unwrap();
    assert_eq!(unpack(&head(1, 1), &cut), Err(PayloadError::Lines { found: 1, told: 1 }));
    let other = |bytes: &[u8]| matches!(unpack(&head(1, 2), bytes), Err(PayloadError::Frame(_)));
    assert!(other(b"") && other(LINES) && other(&[payload.as_slice(), &payload].concat()));
    assert!(other(&zstd::bulk::compress(LINES, 3).unwrap()), "without a checksum");
    for at in 0..payload.len() {
        let mut flipped = payload.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(unpack(&head(1, 2), &flipped).is_ok_and(|lines| lines == LINES) || unpack(&head(1, 2), &flipped).is_err(), "flip at {at}");
        assert!(unpack(&head(1, 2), &payload[..at]).is_err(), "cut at {at}");
    }
    // A few bytes that say they are more than any parcel.
    let bomb = pack(&vec![b'\n'; MAX_RAW_BYTES + 1]).unwrap();
    assert_eq!(unpack(&head(1, 2), &bomb), Err(PayloadError::TooLarge(MAX_RAW_BYTES as u64 + 1)));
    assert_eq!(
        unpack(&head(1, 2), &pack(&vec![b'\n'; MAX_RAW_BYTES]).unwrap()),
        Err(PayloadError::Lines { found: MAX_RAW_BYTES, told: 2 })
    );
}

fn heads() -> impl Strategy<Value = Head> {
    let reasons = prop::collection::vec((0..5usize, 1..1000u64), 0..=MAX_GAPS);
    (1..=MAX_SEQUENCE / 2, 1..=MAX_LINES, any::<[u8; 16]>(), prop::option::of(any::<[u8; 32]>()), reasons).prop_map(
        |(start, count, after, before, reasons)| {
            let all = [Reason::Retention, Reason::Damage, Reason::Export, Reason::Since, Reason::Large];
            let (mut first, mut gaps) = (start, Vec::new());
            for (reason, length) in reasons.into_iter().filter(|_| before.is_some()) {
                gaps.push(Missing { from: first, to: first + length - 1, reason: all[reason] });
                first += length;
            }
            Head { first, count, after, before, gaps }
        },
    )
}

proptest! {
    #[test]
    fn heads_are_read_as_they_are_written(head in heads()) {
        let text = head.to_string();
        prop_assert!(text.len() <= MAX_HEAD_BYTES && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        prop_assert_eq!(text.parse(), Ok(head));
    }

    #[test]
    fn what_is_read_has_one_spelling(head in heads(), at in 0..MAX_HEAD_BYTES, byte in b' '..=b'~') {
        let mut text = head.to_string().into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let text = String::from_utf8(text).unwrap();
        if let Ok(head) = text.parse::<Head>() {
            prop_assert_eq!(head.to_string(), text);
        }
    }

    #[test]
    fn garbage_never_panics(text in "\\PC{0,400}", bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = text.parse::<Head>();
        let _ = open(&head(1, 1), &bytes, &CHAIN_START);
    }

    #[test]
    fn lines_come_out_as_they_went_in(lines in prop::collection::vec("[^\n]{0,60}", 1..40)) {
        let text = lines.join("\n") + "\n";
        let head = Head { count: u32::try_from(lines.len()).unwrap(), after: mark(&chain::after(&CHAIN_START, text.as_bytes())), ..head(1, 1) };
        prop_assert_eq!(open(&head, &pack(text.as_bytes()).unwrap(), &CHAIN_START).unwrap().lines, text.into_bytes());
    }
}
