use super::*;
use crate::event::{Event, Marks, Noise, RecordParts};
use crate::filter::Filter;
use crate::log::record::block::BlockBuilder;
use crate::time::Timestamp;
use proptest::prelude::*;
use std::sync::Arc;

const FIRST: Sequence = 97;

/// Lines of records with this name and action, one nanosecond apart.
fn lines(records: &[(String, String)]) -> String {
    let mut builder = BlockBuilder::new("7f3c9a1e-0000-4000-8000-000000000000".parse().unwrap(), FIRST, 0);
    let mut lines = String::new();
    for (n, (name, action)) in records.iter().enumerate() {
        let mut json = serde_json::json!({"Type": "container", "Action": action, "Actor": {"ID": "ab", "Attributes": {"name": name}}});
        if action == "health_status" {
            // As Podman tells it.
            json["HealthStatus"] = "unhealthy".into();
        }
        let event = Event::from_line(json.to_string().as_bytes()).unwrap();
        let time = Timestamp::from_nanos(i64::try_from(n).unwrap());
        let noise = n.is_multiple_of(5).then_some(Noise::HealthCheck);
        lines.push_str(builder.push(&RecordParts {
            time,
            received: time,
            source: "local",
            origin: None,
            marks: Marks { noise, ..Marks::default() },
            json: event.as_json(),
        }));
        lines.push('\n');
    }
    lines
}

fn wanted<'a>(blocks: impl IntoIterator<Item = &'a Block>, scan: &Scan) -> Vec<(Sequence, String)> {
    let passes = |block: &Block, seq: &Sequence| block.matches(*seq, &scan.filter) && scan.time.contains(&block.time(*seq));
    let of = |block: &'a Block| {
        block.sequences().filter(|seq| passes(block, seq)).map(|seq| (seq, block.json(seq).to_owned())).collect::<Vec<_>>()
    };
    blocks.into_iter().flat_map(of).collect()
}

proptest! {
    #[test]
    fn finds_what_looking_at_every_line_finds(
        records in prop::collection::vec((prop_oneof![1 => "web-1", 1 => "a\\\\web-1", 9 => "[a-e]{3}"], "(die|oom|start|exec_die|health_status|health_status: unhealthy)"), 1..80),
        actions in prop::collection::vec("(die|oom|start|health_status: unhealthy)", 0..3),
        name in "(web|web-1|a)",
        (from, to) in (-1i64..80, 0i64..90),
    ) {
        let lines = lines(&records);
        let last = FIRST + records.len() as Sequence - 1;
        let filter = serde_json::json!({"event": actions, "container": [name]}).to_string();
        let filter = Arc::new(Filter::from_params(Some(&filter), None).unwrap());
        let scan = Scan { filter, time: Timestamp::from_nanos(from)..=Timestamp::from_nanos(to), ..Scan::default() };
        let all = Block::from_lines(FIRST, lines.as_bytes()).unwrap();
        let naive = wanted([&all], &scan);
        match prefilter(lines.as_bytes(), FIRST, last, &scan).unwrap() {
            Prefiltered::All(block) => prop_assert_eq!(wanted([&block], &scan), naive),
            Prefiltered::Few(blocks) => {
                prop_assert!(blocks.is_sorted_by(|a, b| a.last() < b.first()));
                prop_assert_eq!(wanted(&blocks, &scan), naive);
            }
        }
        // Nor other records than are asked for.
        for (first, last) in [(FIRST + 1, last), (FIRST - 1, last), (FIRST, last + 1)] {
            prop_assert!(prefilter(lines.as_bytes(), first, last, &scan).is_err());
        }
        prop_assert!(prefilter(&lines.as_bytes()[..lines.len() - 1], FIRST, last, &scan).is_err());
    }
}

#[test]
fn lays_out_few_lines_only() {
    let records: Vec<_> = (0..100).map(|n| (if n % 50 < 3 { "web-1" } else { "db-1" }.to_owned(), "die".to_owned())).collect();
    let filter = |text| Arc::new(Filter::from_params(Some(text), None).unwrap());
    let prefiltered =
        |text| prefilter(lines(&records).as_bytes(), FIRST, FIRST + 99, &Scan { filter: filter(text), ..Scan::default() }).unwrap();
    let Prefiltered::Few(blocks) = prefiltered(r#"{"container":["web-1"]}"#) else { panic!("these are few") };
    assert_eq!(blocks.iter().map(Block::sequences).collect::<Vec<_>>(), [97..=99, 147..=149]);
    assert!(matches!(prefiltered(r#"{"container":["db-1"]}"#), Prefiltered::All(_)), "nearly all of them");
    assert!(matches!(prefiltered(r#"{"noise":["healthcheck"]}"#), Prefiltered::All(_)), "no text tells");
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'"')], 0..200), first in 0..20u64) {
        let filter = Arc::new(Filter::from_params(Some(r#"{"container":["a"]}"#), None).unwrap());
        let _ = prefilter(&bytes, first, first + 3, &Scan { filter, ..Scan::default() });
    }
}
