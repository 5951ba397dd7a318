use super::*;
use proptest::prelude::*;

fn split_in(shape: Shape, text: &[u8], chunk: usize, max: usize) -> (Vec<Result<String, u64>>, Result<(), NoList>) {
    let (mut splitter, mut out) = (Splitter::new(shape, max), Vec::new());
    let mut sink = |entry: Entry<'_>| {
        out.push(match entry {
            Entry::Whole(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
            Entry::TooLong(bytes) => Err(bytes),
        });
    };
    text.chunks(chunk.max(1)).for_each(|chunk| splitter.push(chunk, &mut sink));
    let end = splitter.finish(&mut sink);
    (out, end)
}

fn split(shape: Shape, text: &str) -> (Vec<String>, Result<(), NoList>) {
    let (entries, end) = split_in(shape, text.as_bytes(), 7, 1 << 20);
    (entries.into_iter().map(Result::unwrap).collect(), end)
}

#[test]
fn finds_entries_wherever_they_are() {
    let volumes = Shape::Member("Volumes");
    for (shape, text, expected) in [
        (Shape::List, r#" [{"a":[1,2]} , null,"x,]\"y",7 ] "#, vec![r#"{"a":[1,2]}"#, "null", r#""x,]\"y""#, "7"]),
        (Shape::List, "[]", vec![]),
        (Shape::List, "null\n", vec![]),
        (Shape::List, "\u{feff}[1]", vec!["1"]),
        (volumes, r#"{"Warnings":[1,{"Volumes":[2]}],"x":"Volumes","Volumes":[{"Name":"v"},3],"y":[4]}"#, vec![r#"{"Name":"v"}"#, "3"]),
        (volumes, r#"{"Volumes":null,"Warnings":["a"]}"#, vec![]),
        (volumes, "{}", vec![]),
        (volumes, r#"[{"Name":"v"}]"#, vec![r#"{"Name":"v"}"#]),
        (Shape::One, " {\"a\":[1,2]}\n", vec![r#"{"a":[1,2]}"#]),
    ] {
        let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(split(shape, text), (expected, Ok(())), "{text}");
    }
}

#[test]
fn says_what_is_no_list() {
    for (shape, text, expected) in [
        (Shape::List, "{}", NoList::Other),
        (Shape::List, "<html>", NoList::Other),
        (Shape::List, "", NoList::BrokenOff),
        (Shape::List, "[1,{", NoList::BrokenOff),
        (Shape::Member("Volumes"), r#"{"Volumes":[1"#, NoList::BrokenOff),
        (Shape::Member("Volumes"), r#"{"a":[1"#, NoList::BrokenOff),
        (Shape::One, "  ", NoList::BrokenOff),
    ] {
        assert_eq!(split(shape, text).1, Err(expected), "{text}");
    }
}

#[test]
fn of_a_long_text_the_beginning_is_kept() {
    for (filler, chunk) in [("x", 1000), ("é", 999), (r"\n", 7), (r"\u00e9", 11), ("𝄞", 4096)] {
        let long = filler.repeat(300_000);
        let (entries, end) = split_in(Shape::List, format!(r#"[{{"a":"{long}","b":"c"}}]"#).as_bytes(), chunk, 1 << 20);
        let entry = entries[0].as_ref().unwrap();
        let object: serde_json::Value = serde_json::from_str(entry).unwrap();
        let text = object["a"].as_str().unwrap();
        assert!(text.ends_with(&format!("…[cut, {} bytes]", long.len())) && !text.contains('\u{fffd}'), "{filler}");
        assert!(entry.len() < MAX_TEXT_BYTES + 100 && entry.len() > MAX_TEXT_BYTES && end.is_ok(), "{filler}: {}", entry.len());
        assert_eq!(object["b"], "c");
    }
}

#[test]
fn an_entry_that_is_too_long_is_passed_over_and_not_kept() {
    let long = format!("{{{}}}", (0..10_000).map(|n| format!(r#""k{n}":[{n}]"#)).collect::<Vec<_>>().join(","));
    let text = format!("[1,{long},2]");
    let mut splitter = Splitter::new(Shape::List, 1000);
    let (mut seen, mut most) = (Vec::new(), 0);
    for chunk in text.as_bytes().chunks(100) {
        splitter.push(chunk, &mut |entry| seen.push(matches!(entry, Entry::Whole(_))));
        most = most.max(splitter.entry.capacity());
    }
    assert_eq!(splitter.finish(&mut |_| {}), Ok(()));
    assert_eq!(seen, [true, false, true]);
    assert!(most <= 2000, "{most}");
    assert_eq!(split_in(Shape::List, text.as_bytes(), 100, 1000).0[1], Err(long.len() as u64));
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i64>().prop_map(Into::into),
        any::<bool>().prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
        r#"["\\\[\]{},:]{0,6}"#.prop_map(Into::into)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::hash_map(r#"(Volumes|[a"\\]{0,3})"#, inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
        ]
    })
}

proptest! {
    #[test]
    fn entries_are_those_of_a_parser(values in prop::collection::vec(value(), 0..6), chunk in 1usize..40, pretty: bool) {
        let print = |value: &serde_json::Value| if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }.unwrap();
        let list = serde_json::Value::from(values.clone());
        for (shape, answer) in [(Shape::List, list.clone()), (Shape::Member("Volumes"), serde_json::json!({"A": list.clone(), "Volumes": list}))] {
            let (entries, end) = split_in(shape, print(&answer).as_bytes(), chunk, 1 << 20);
            let read: Vec<serde_json::Value> = entries.iter().map(|entry| serde_json::from_str(entry.as_ref().unwrap()).unwrap()).collect();
            prop_assert_eq!((&read, end), (&values, Ok(())));
        }
    }

    #[test]
    fn it_does_not_matter_how_bytes_come(bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"[]{}\",:\\u null".to_vec())], 0..200), chunk in 1usize..30) {
        for shape in [Shape::One, Shape::List, Shape::Member("u")] {
            prop_assert_eq!(split_in(shape, &bytes, chunk, 20), split_in(shape, &bytes, usize::MAX, 20));
        }
    }
}
