use super::*;
use oracle::{Piece, pieces};
use proptest::prelude::*;

#[path = "../../../fuzz/src/oracle.rs"]
mod oracle;

#[derive(Debug, PartialEq, Eq)]
enum Owned {
    Event(String),
    Malformed(Vec<u8>),
    TooLong(u64, Vec<u8>, u32, Option<String>),
}

fn own(line: Line<'_>) -> Owned {
    match line {
        Line::Event(event) => Owned::Event(event.as_json().to_owned()),
        Line::Malformed { line, .. } => Owned::Malformed(line.to_vec()),
        Line::TooLong { bytes, start, checksum, cut } => {
            assert!(cut.as_ref().is_none_or(|cut| cut.marks().cut == Some(bytes)));
            Owned::TooLong(bytes, start.to_vec(), checksum, cut.map(|cut| cut.as_json().to_owned()))
        }
    }
}

fn split(limit: usize, chunks: &[&[u8]]) -> Vec<Owned> {
    let mut splitter = LineSplitter::with_limit(limit);
    let mut lines = Vec::new();
    for chunk in chunks {
        splitter.push(chunk, |line| lines.push(own(line)));
        assert!(splitter.partial.len() <= limit.max(SAMPLE_BYTES));
    }
    splitter.finish(|line| lines.push(own(line)));
    lines
}

/// The same, looked at byte by byte.
fn naively(limit: usize, bytes: &[u8]) -> Vec<Owned> {
    let read = |text: &[u8]| {
        let event = Event::from_daemon(text).ok()?;
        Some((event.as_json().to_owned(), looks_like_an_event(&event)))
    };
    let tell = |piece| match piece {
        Piece::Event(json) => Owned::Event(json),
        Piece::Malformed(text) => Owned::Malformed(text.to_vec()),
        Piece::TooLong(text) => {
            let start = text[..text.len().min(SAMPLE_BYTES)].to_vec();
            Owned::TooLong(text.len() as u64, start, crc32fast::hash(text), None)
        }
    };
    pieces(bytes, limit, read).into_iter().map(tell).collect()
}

/// However the text is cut into chunks.
fn every_way(text: &str) -> Vec<Owned> {
    let whole = split(MAX_LINE_BYTES, &[text.as_bytes()]);
    for size in [1, 2, 3, 7, 50] {
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        assert_eq!(split(MAX_LINE_BYTES, &chunks), whole, "in chunks of {size}: {text:?}");
    }
    whole
}

fn event(json: &str) -> Owned {
    Owned::Event(json.to_owned())
}

fn malformed(text: &str) -> Owned {
    Owned::Malformed(text.as_bytes().to_vec())
}

const A: &str = r#"{"Type":"container","Action":"start","Actor":{"ID":"a","Attributes":{"x":"}{\"\\"}},"time":1}"#;
const B: &str = r#"{"Type":"network","Action":"connect","Actor":{"ID":"b","Attributes":{"l":"[{"}},"list":[{},[{"a":1},{}]]}"#;

#[test]
fn an_event_ends_with_its_last_brace_whatever_stands_between() {
    for between in ["\n", "\r\n", "\r", "", " ", "\u{1e}", "\n\u{1e}", "\n\n\r\n", " \t "] {
        for (front, end) in [("", ""), ("\n", ""), ("", "\n"), ("\u{1e}", "\n"), ("\r\n", "\r\n")] {
            let text = format!("{front}{A}{between}{B}{between}{A}{end}");
            assert_eq!(every_way(&text), [event(A), event(B), event(A)], "{text:?}");
        }
    }
}

#[test]
fn an_event_is_given_on_with_its_last_byte() {
    let mut splitter = LineSplitter::default();
    for text in [A, B, "\n", A, "\r", B] {
        let mut found = Vec::new();
        splitter.push(text.as_bytes(), |line| found.push(own(line)));
        let expected = if text.starts_with('{') { vec![event(text)] } else { Vec::new() };
        assert_eq!(found, expected);
    }
}

#[test]
fn white_space_and_line_ends_may_stand_between_tokens() {
    let spread = A.replacen(',', "\n , \r\n\t", 3).replacen(':', " :\n", 4).replacen("}}", "}\n}", 1);
    let stored = spread.replace(['\r', '\n'], " ");
    assert_eq!(every_way(&format!("{spread}\n{B}\n{spread}{B}")), [event(&stored), event(B), event(&stored), event(B)]);
    // A member that begins a line is no event of its own.
    let nested = "{\"Type\":\"x\",\"Actor\":\n{\"ID\":\"a\"}\n,\"list\":[\n{},\n{}\n]}";
    assert_eq!(every_way(nested), [event(&nested.replace('\n', " "))]);
}

#[test]
fn reading_goes_on_behind_what_is_no_json() {
    let cases: &[(&str, &[&str])] = &[
        ("garbage", &["garbage"]),
        ("[1,2]", &["[1,2]"]),
        (r#"{"Type":"cont"#, &[r#"{"Type":"cont"#]),
        (r#"{"Type":"#, &[r#"{"Type":"#]),
        (r#"{"Type":"a","#, &[r#"{"Type":"a","#]),
        (r#"{"a":{"b":1}"#, &[r#"{"a":{"b":1}"#]),
        (r#"{"a":[1,2}"#, &[r#"{"a":[1,2}"#]),
        (r#"{"a":"\"#, &[r#"{"a":"\"#]),
        (r#"{"a":[1,"#, &[r#"{"a":[1,"#]),
        ("data: {\"a\":1}", &["data: {\"a\":1}"]),
        ("{\"a\" \u{7}}", &["{\"a\" \u{7}}"]),
        ("{\"a\":1e999}", &["{\"a\":1e999}"]),
        (r#"{"a":"\ud800"}"#, &[r#"{"a":"\ud800"}"#]),
        ("{\"p\":\"q\",\n\"cited, key\"", &["{\"p\":\"q\",", "\"cited, key\""]),
    ];
    for (garbage, told) in cases {
        for end in ["\n", "\r", "\r\n", "\n\n", "\u{1e}"] {
            let mut expected: Vec<Owned> = told.iter().map(|line| malformed(line)).collect();
            expected.extend([event(A), event(B)]);
            assert_eq!(every_way(&format!("{garbage}{end}{A}{end}{B}")), expected, "{garbage:?} {end:?}");
        }
    }
    assert_eq!(every_way(&format!("{A}{{\"a\"")), [event(A), malformed("{\"a\"")]);
}

/// An event with a label of so many bytes.
fn huge(label: usize) -> String {
    let label = "h".repeat(label);
    format!(
        r#"{{"status":"die","id":"f4","from":"busybox","Type":"container","Action":"die","Actor":{{"ID":"f4","Attributes":{{"exitCode":"137","huge":"{label}","image":"busybox:1","nest":{{"a":[1]}},"name":"wäb \"1\""}}}},"scope":"local","time":1795344577,"timeNano":1795344577148160810}}"#
    )
}

#[test]
fn of_what_is_too_long_the_fields_are_kept() {
    let line = huge(3 << 20);
    for size in [1 << 30, 1 << 16, 1000, 17] {
        let after = format!("{line}{A}");
        let chunks: Vec<&[u8]> = after.as_bytes().chunks(size).collect();
        let mut found = split(MAX_LINE_BYTES, &chunks).into_iter();
        let Some(Owned::TooLong(bytes, start, checksum, Some(cut))) = found.next() else { panic!("not cut") };
        assert_eq!((bytes, checksum), (line.len() as u64, crc32fast::hash(line.as_bytes())));
        assert!(line.as_bytes().starts_with(&start) && start.len() == SAMPLE_BYTES);
        let expected =
            huge(0).replace(r#""huge":"""#, &format!(r#""huge":"…[cut, {} bytes]""#, 3 << 20)).replace(r#""nest":{"a":[1]},"#, "");
        let [cut, expected]: [serde_json::Value; 2] = [&cut, &expected].map(|json| serde_json::from_str(json).unwrap());
        assert_eq!(cut, expected);
        assert_eq!(found.next(), Some(event(A)), "and the next one is whole");
    }
    let order: Vec<usize> = ["status", "Type", "Actor", "scope", "timeNano"]
        .iter()
        .map(|key| match &split(MAX_LINE_BYTES, &[line.as_bytes()])[0] {
            Owned::TooLong(_, _, _, Some(cut)) => cut.find(&format!("\"{key}\"")).unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(order.is_sorted(), "in Docker's order: {order:?}");
}

#[test]
fn memory_is_bounded_whatever_is_too_long() {
    let many = |n: usize| (0..n).map(|n| format!(r#""k{n}":"v{n}","#)).collect::<Vec<_>>().concat();
    let control = r"\u0001".repeat(400_000);
    let cases = [
        format!(
            r#"{{"Type":"container","Action":"die","Actor":{{"ID":"f4","Attributes":{{{}"name":"web"}}}},"timeNano":5}}"#,
            many(200_000)
        ),
        format!(
            r#"{{{}"Type":"container","Action":"die","Actor":{{"ID":"f4","Attributes":{{"name":"web"}}}},"timeNano":5}}"#,
            many(200_000)
        ),
        format!(r#"{{"Type":"container","Action":"{control}","Actor":{{"ID":"f4","Attributes":{{"name":"web"}}}},"timeNano":5}}"#),
        format!(
            r#"{{"Type":"container","Action":"die","Actor":{{"ID":"f4","Attributes":{{{}"name":"web"}}}},"timeNano":5}}"#,
            r#""name":"no","exitCode":"1","#.repeat(60_000)
        ),
        format!(
            r#"{{"Type":"container","Action":"die","deep":{}{},"Actor":{{"ID":"f4","Attributes":{{"name":"web"}}}},"timeNano":5}}"#,
            "[".repeat(700_000),
            "]".repeat(700_000)
        ),
        format!(
            r#"{{"Type":"container","Action":"die","n":{},"Actor":{{"ID":"f4","Attributes":{{"name":"web"}}}},"timeNano":5}}"#,
            "9".repeat(2 << 20)
        ),
        format!(
            r#"{{"Type":"container","Action":"die","Actor":{{"ID":"f4","Attributes":{{"{}":"x","name":"web"}}}},"timeNano":5}}"#,
            "k".repeat(2 << 20)
        ),
    ];
    for case in cases {
        match &split(MAX_LINE_BYTES, &case.as_bytes().chunks(10_000).collect::<Vec<_>>())[..] {
            [Owned::TooLong(bytes, _, _, Some(cut))] => {
                assert_eq!(*bytes, case.len() as u64);
                assert!(cut.len() <= 512 << 10, "{}", cut.len());
                let event = Event::from_line(cut.as_bytes()).unwrap();
                let view = event.view();
                assert_eq!((view.kind.as_deref(), view.attribute("name")), (Some("container"), Some("web")), "{}", &case[..100]);
                assert_eq!(view.time, Some(crate::time::Timestamp::from_nanos(5)));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn without_a_readable_head_there_is_nothing_to_keep() {
    for text in [
        "x".repeat(3 << 20),
        format!("{{\"a\":\"{}\"}}", "x".repeat(2 << 20)),
        format!("{{\"Type\":\"container\",\"Action\":\"die\",\"x\":\"{}", "x".repeat(2 << 20)),
    ] {
        let expected = Owned::TooLong(text.len() as u64, text.as_bytes()[..SAMPLE_BYTES].to_vec(), crc32fast::hash(text.as_bytes()), None);
        assert_eq!(split(MAX_LINE_BYTES, &[text.as_bytes(), b"\n{}"]), [expected, event("{}")]);
    }
}

#[test]
fn the_limit_itself_is_allowed() {
    let line = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_LINE_BYTES - 8));
    assert_eq!(split(MAX_LINE_BYTES, &[line.as_bytes(), b"\n"]), [event(&line)]);
    assert_eq!(split(MAX_LINE_BYTES, &[line.as_bytes()]), [event(&line)]);
    let over = line.replacen('x', "xx", 1);
    for chunks in [&[over.as_bytes()][..], &[over.as_bytes(), b"\n"]] {
        assert!(matches!(&split(MAX_LINE_BYTES, chunks)[..], [Owned::TooLong(..)]));
    }
}

#[test]
fn memory_is_given_back() {
    let mut splitter = LineSplitter::default();
    splitter.push(&vec![b'x'; 900_000], |_| {});
    splitter.push(b"\n", |_| {});
    assert!(splitter.partial.capacity() <= KEEP_CAPACITY_BYTES);
}

/// A line of many objects is not read again from the beginning for each.
#[test]
fn a_long_line_of_many_events_takes_no_longer_for_that() {
    let text = "{}".repeat(1 << 18);
    let began = std::time::Instant::now();
    let mut count = 0;
    LineSplitter::default().push(format!("{text}\n").as_bytes(), |_| count += 1);
    assert_eq!(count, 1 << 18);
    assert!(began.elapsed() < std::time::Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn samples_are_short_and_printable() {
    assert_eq!(sample(b"a\x1b[0m\xff\n"), "a\\u{1b}[0m\u{fffd}\\n");
    assert_eq!(sample("\u{202e}\u{2066}\u{61c}\u{85}\u{2028}".as_bytes()), r"\u{202e}\u{2066}\u{61c}\u{85}\u{2028}");
    assert_eq!(sample(&vec![0; 5000]).chars().count(), SAMPLE_CHARS);
    assert_eq!(sample("é".repeat(5000).as_bytes()), "é".repeat(SAMPLE_CHARS));
}

proptest! {
    #[test]
    fn chunking_does_not_matter(
        pieces in prop::collection::vec(prop_oneof![
            4 => prop::sample::select(vec!["\n", "\r", "\u{1e}", "{", "}", "[", "]", "\"", "\\", ":", ",", "{\"a\":", "{}", A, B, "1", "x", " "])
                .prop_map(|text| text.as_bytes().to_vec()),
            1 => (0usize..400).prop_map(|n| format!("{{\"Type\":\"a\",\"Action\":\"b\",\"z\":\"{}\"}}", "z".repeat(n)).into_bytes()),
            1 => prop::collection::vec(any::<u8>(), 0..20),
        ], 0..30),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        limit in prop_oneof![Just(0usize), 1usize..40, 100usize..400],
        bytewise in any::<bool>(),
    ) {
        let bytes = pieces.concat();
        let mut ends: Vec<usize> = if bytewise { (0..=bytes.len()).collect() } else { cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect() };
        ends.extend([0, bytes.len()]);
        ends.sort_unstable();
        let chunks: Vec<&[u8]> = ends.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
        let at_once = split(limit, &[&bytes]);
        prop_assert_eq!(&split(limit, &chunks), &at_once);
        let kept = |line: Owned| match line {
            Owned::TooLong(bytes, start, checksum, _) => Owned::TooLong(bytes, start, checksum, None),
            other => other,
        };
        prop_assert_eq!(at_once.into_iter().map(kept).collect::<Vec<_>>(), naively(limit, &bytes));
    }

    #[test]
    fn events_come_out_whatever_stands_between(
        events in prop::collection::vec((any::<bool>(), "[ \t\r\n\u{1e}]{0,3}"), 1..20),
    ) {
        let text = events.iter().map(|(a, between)| [if *a { A } else { B }, between].concat()).collect::<Vec<_>>().concat();
        let expected: Vec<_> = events.iter().map(|(a, _)| event(if *a { A } else { B })).collect();
        prop_assert_eq!(split(MAX_LINE_BYTES, &[text.as_bytes()]), expected);
    }
}
