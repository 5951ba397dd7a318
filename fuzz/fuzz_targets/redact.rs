//! Redaction: what comes out is a message, holds the same but for what was replaced, and has nothing left to
//! redact.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use shipslog::event::Event;
use shipslog::redact::{Redactor, Rules};
use std::sync::LazyLock;

static REDACTOR: LazyLock<Redactor> =
    LazyLock::new(|| Redactor::new(Rules { attributes: vec!["x*y".to_owned()], except: vec!["*plain*".to_owned()], ..Rules::default() }));

fuzz_target!(|line: &[u8]| {
    let Ok(event) = Event::from_line(line) else { return };
    let Some(redacted) = REDACTOR.redact(&event) else { return };
    let json = redacted.event.as_json();
    assert!(redacted.values > 0 && json.contains("[redacted] ("));
    assert_eq!(Event::from_line(json.as_bytes()).as_ref(), Ok(&redacted.event), "still a message, with its fields");
    assert_eq!(REDACTOR.redact(&redacted.event), None, "nothing is left");
    // Deep nesting and halves of surrogate pairs are too much for serde's values.
    if let (Ok(before), Ok(after)) = (serde_json::from_str(event.as_json()), serde_json::from_str(json)) {
        compare(&before, &after);
    }
});

fn compare(before: &Value, after: &Value) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            assert!(before.keys().eq(after.keys()));
            before.iter().for_each(|(key, value)| compare(value, &after[key]));
        }
        (Value::Array(before), Value::Array(after)) => {
            assert_eq!(before.len(), after.len());
            before.iter().zip(after).for_each(|(before, after)| compare(before, after));
        }
        (before, after) => assert!(before == after || after.as_str().is_some_and(|text| text.contains("[redacted] ("))),
    }
}
