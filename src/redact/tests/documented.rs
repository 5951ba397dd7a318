//! docs/redaction.md against the program: what it says is taken is, and what it says stays does.

use super::super::{REDACTED, Redactor, Rules};
use crate::event::Event;

const DOCUMENT: &str = include_str!("../../../docs/redaction.md");

/// What becomes of an attribute of this name and value.
fn becomes(name: &str, value: &str) -> String {
    let message = serde_json::json!({"Type": "container", "Actor": {"ID": "c", "Attributes": {name: value}}, "timeNano": 7}).to_string();
    let event = Event::from_line(message.as_bytes()).unwrap();
    let redacted = Redactor::new(Rules::default()).redact(&event).map_or(event, |redacted| redacted.event);
    redacted.view().attribute(name).unwrap().to_owned()
}

/// The rows of the tables below a heading, without their heads; cells without blanks around them.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let section = DOCUMENT.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn names_are_taken_as_documented() {
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows = rows("Names");
    assert!(rows.len() >= 8, "{rows:?}");
    for row in rows {
        let [_, taken, kept] = row.as_slice() else { panic!("{row:?}") };
        for name in names(taken) {
            assert_eq!(becomes(&name, "hunter2"), "[redacted] (secret-name)", "{name}");
        }
        for name in names(kept) {
            assert_eq!(becomes(&name, "hunter2"), "hunter2", "{name}");
        }
    }
}

#[test]
fn values_become_what_is_documented() {
    let code = |cell: &str| cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`')).unwrap_or_else(|| panic!("{cell}")).to_owned();
    let rows = rows("Values");
    assert!(rows.len() >= 40, "{rows:?}");
    for row in rows {
        let [_, value, expected] = row.as_slice() else { panic!("{row:?}") };
        let (value, expected) = (code(value), code(expected));
        let mut shown = becomes("com.example.note", &value);
        while let Some(at) = shown.find(REDACTED) {
            let end = at + shown.get(at..).unwrap().find(')').unwrap();
            shown.replace_range(at..=end, "▮");
        }
        assert_eq!(shown, expected, "{value}");
    }
}

#[test]
fn what_leads_elsewhere_keeps_its_host() {
    for (name, value, expected) in [
        ("SENTRY_DSN", "https://0123456789abcdef@o1.ingest.sentry.io/2", "https://[redacted] (url-password)@o1.ingest.sentry.io/2"),
        ("DATABASE_DSN", "host=db user=u", "host=db user=u"),
        ("dsn", "a://u:p@h, b://8:%r@s", "a://u:[redacted] (url-password)@h, b://8:[redacted] (url-password)@s"),
        ("dsn", "mysql://u:p@h/d", "mysql://u:[redacted] (url-password)@h/d"),
        ("WEBHOOK_URL", "https://chat.example.com/hooks/a1b2c3d4e5f6", "https://chat.example.com/[redacted] (secret-name)"),
        ("webhook", "https://example.com/deploy", "https://example.com/deploy"),
        ("slack.webhook", "https://hooks.slack.com/services/T0/B0/x", "https://hooks.slack.com/services/[redacted] (secret-value)"),
        ("webhook", "a1b2c3d4e5f6a7b8", "[redacted] (secret-name)"),
    ] {
        assert_eq!(becomes(name, value), expected, "{name}");
        assert_eq!(becomes(name, expected), expected, "what was redacted stays as it is");
    }
}

/// One message of 1 MiB of what is hardest to look through; a square of its length would take hours.
#[test]
fn no_text_takes_longer_than_its_length_allows() {
    for piece in [
        "a://",
        "a:b://",
        "token=",
        "password=\"[redacted]",
        "--token ",
        "eyJ-",
        "LS0tLS1CRUdJTi",
        "$5$,",
        "ghp_-",
        "a:@tcp(",
        "://u:p ",
        "\"token\":",
        "=:",
        "x-----BEGIN ",
    ] {
        let text = format!("@{}", piece.repeat((1 << 20) / piece.len()));
        assert!(!becomes("note", &text).is_empty(), "{piece}");
    }
}
