//! What a daemon sends: cut into lines however it comes, and each line an event that fits into one line of ours, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use shipslog::cursor::LogId;
use shipslog::event::{Event, write_line};
use shipslog::ingest::lines::{Line, LineSplitter, sample};

/// Small, so that lines of a fuzzer's size are too long for it.
const LIMIT: usize = 300;

/// The lines in `chunks`; for those too long, their length and how they begin.
fn lines<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<(Option<u64>, Vec<u8>)> {
    let mut splitter = LineSplitter::with_limit(LIMIT);
    let mut out = Vec::new();
    let mut sink = |line: Line<'_>| match line {
        Line::Whole(line) => out.push((None, line.to_vec())),
        Line::TooLong { bytes, start } => out.push((Some(bytes), start.to_vec())),
    };
    chunks.for_each(|chunk| splitter.push(chunk, &mut sink));
    splitter.finish(&mut sink);
    out
}

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let found = lines(std::iter::once(bytes));
    assert_eq!(found, lines(bytes.chunks(usize::from(*first) + 1)), "however it was cut");
    for (too_long, line) in found {
        let _ = sample(&line);
        if too_long.is_none()
            && let Ok(event) = Event::from_line(&line)
        {
            check(&event);
        }
    }
});

fn check(event: &Event) {
    let json = event.as_json();
    assert!(!json.contains(['\r', '\n']));
    assert_eq!(Event::from_line(json.as_bytes()).as_ref(), Ok(event), "what was stored is read again");
    let (view, fields) = (event.view(), event.fields());
    let texts = [&view.kind, &view.action, &view.actor_id].map(|field| field.as_deref().unwrap_or_default());
    assert_eq!((view.time, texts), (fields.time, [&*fields.kind, &*fields.action, &*fields.actor_id]));
    let mut line = String::new();
    let time = fields.time.unwrap_or_default();
    write_line(&mut line, LogId::with_prefix(1), 7, time, time, "lo\"cal", json);
    let whole: std::collections::BTreeMap<&str, &RawValue> = serde_json::from_str(&line).expect("a line of JSON");
    assert_eq!(whole["event"].get(), json, "verbatim");
}
