//! What a daemon sends: cut into lines however it comes, and each line an event that fits into one line of
//! ours, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use shipslog::cursor::LogId;
use shipslog::event::{Event, write_line};
use shipslog::ingest::lines::{Line, LineSplitter, sample};

/// Small, so that lines of a fuzzer's size are too long for it.
const LIMIT: usize = 300;

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let mut splitter = LineSplitter::with_limit(LIMIT);
    let mut sink = |line: Line<'_>| match line {
        Line::Event(event) => check(&event),
        Line::Malformed { line, error } => {
            let _ = (sample(line), error.to_string());
        }
        Line::TooLong { start, cut, .. } => {
            let _ = sample(start);
            cut.iter().for_each(check);
        }
    };
    bytes.chunks(usize::from(*first) + 1).for_each(|chunk| splitter.push(chunk, &mut sink));
    splitter.finish(&mut sink);
});

fn check(event: &Event) {
    let json = event.as_json();
    assert!(!json.contains(['\r', '\n']));
    let again = Event::from_line(json.as_bytes()).map(|again| again.with_marks(event.marks()));
    assert_eq!(again.as_ref(), Ok(event), "what was stored is read again");
    let (view, fields) = (event.view(), event.fields());
    let texts = [&view.kind, &view.action, &view.actor_id].map(|field| field.as_deref().unwrap_or_default());
    assert_eq!((view.time, texts), (fields.time, [&*fields.kind, &*fields.action, &*fields.actor_id]));
    let mut line = String::new();
    let time = fields.time.unwrap_or_default();
    write_line(&mut line, LogId::with_prefix(1), 7, time, time, "lo\"cal", json);
    let whole: std::collections::BTreeMap<&str, &RawValue> = serde_json::from_str(&line).expect("a line of JSON");
    assert_eq!(whole["event"].get(), json, "verbatim");
}
