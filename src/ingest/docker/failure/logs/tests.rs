use super::super::watch::Why;
use super::*;
use proptest::prelude::*;
use tokio::time::Instant;

fn piece(stream: u8, text: &str) -> Vec<u8> {
    let mut bytes = vec![stream, 0, 0, 0];
    bytes.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn lines(chunks: &[&[u8]]) -> LastLines {
    let (mut pieces, mut end) = (Pieces::default(), LastLines::default());
    for chunk in chunks {
        pieces.push(chunk, &mut |line, bytes| end.line(line, bytes));
    }
    pieces.finish(&mut |line, bytes| end.line(line, bytes));
    end
}

fn failure() -> Failure {
    let attributes = [("name", "web"), ("exitCode", "7"), ("text", "a label"), ("why", "a label")];
    let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    Failure { id: "c1".into(), why: Why::Died, heard: Instant::now(), attributes, time: Some(Timestamp::from_nanos(5)) }
}

#[test]
fn output_and_errors_however_they_are_cut() {
    let answer =
        [piece(1, "t1 one\n"), piece(2, "t2 two"), piece(1, "t3 three\r\nt4 "), piece(2, " more\n"), piece(1, "four"), piece(1, "")]
            .concat();
    let expected = ["t1 one", "t3 three", "t2 two more", "t4 four"];
    for size in [1, 3, 8, 1000] {
        assert_eq!(lines(&answer.chunks(size).collect::<Vec<_>>()).lines, expected, "in chunks of {size}");
    }
    assert_eq!(lines(&[b"2026-11-29T10:00:00Z one\n2026-", b"11-29T10:00:01Z two"]).lines.len(), 2, "a terminal's, without headers");
    assert!(lines(&[]).lines.is_empty());
}

#[test]
fn the_last_lines_count_and_each_has_a_bound() {
    let long = "ä".repeat(MAX_LINE_BYTES);
    let answer = piece(1, &format!("first\n{long}\nlast\n"));
    let end = lines(&[&answer]);
    assert_eq!(end.lines[1].chars().filter(|c| *c == 'ä').count(), MAX_LINE_BYTES / 2);
    assert!(end.lines[1].ends_with(&format!("…[cut, {} bytes]", long.len())) && end.lines[2] == "last");
    let many: String = (0..10_000).map(|n| format!("line {n}\n")).collect::<Vec<_>>().concat();
    let end = lines(&[&piece(1, &many)]);
    let kept: usize = end.lines.iter().map(|line| line.len() + 1).sum();
    assert!(kept <= MAX_KEPT_BYTES && kept > MAX_KEPT_BYTES - 20, "{kept} bytes");
    assert_eq!((end.lines.back().unwrap().as_str(), end.left_out), ("line 9999", 10_000 - end.lines.len() as u64));
}

#[test]
fn the_record_tells_what_it_is_about() {
    let event = lines(&[&piece(2, "t panic\n")]).record(&failure(), None, Timestamp::from_nanos(9));
    assert_eq!(
        event.as_json(),
        r#"{"Type":"recorder","Action":"last-words","Actor":{"ID":"c1","Attributes":{"name":"web","exitCode":"7","kind":"container","died":"1970-01-01T00:00:00.000000005Z","lines":"1","text":"t panic"}},"scope":"local","time":0,"timeNano":9}"#
    );
    let event = LastLines::default().record(&failure(), Some("it was removed before it could be asked"), Timestamp::from_nanos(9));
    let view = event.view();
    assert_eq!((view.attribute("lines"), view.attribute("text")), (Some("0"), Some("")));
    assert_eq!(view.attribute("why"), Some("it was removed before it could be asked"));
}

proptest! {
    #[test]
    fn nothing_that_a_daemon_sends_is_too_much(answer in prop::collection::vec(any::<u8>(), 0..400), size in 1usize..50) {
        let end = lines(&answer.chunks(size).collect::<Vec<_>>());
        prop_assert!(end.bytes <= MAX_KEPT_BYTES);
    }
}
