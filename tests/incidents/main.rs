//! The fold of incidents on recordings of real Engines (tests/fixtures/incidents/README.md).
//!
//! `SHIPSLOG_RECORDING`: only recordings whose names begin so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod beside;
mod faults;
mod fleet;
mod more_stories;
mod properties;
#[path = "../shared/recording.rs"]
mod recording;
mod recordings;
mod report_bounds;
mod reports;
mod revisions;
mod score;
mod stories;
mod tape;

use score::{HEAD, Score};

fn group(scenario: &str) -> &'static str {
    if scenario.contains("chaos") {
        "random"
    } else if scenario.starts_with("day") {
        "day"
    } else {
        "situations"
    }
}

/// What differs from labels that are wrong themselves: they tell what a script meant to do, not what the
/// recording holds. Each with the reason.
const WRONG_LABELS: [(&str, &str); 4] = [
    ("chaos2-a: MISSED crash lease", "the recording holds an exit 0 there (record 470), which is no crash; the label wants exit 42"),
    ("chaos2-a: auth crash: cause «exit 70»", "two labels for one death (record 615), which ended with 101"),
    ("chaos2-a: kiosk crash-loop: kind crash", "it died once (record 331) and was never started again: no loop"),
    ("chaos3-a: MISSED crash graph", "it was killed through the API (records 852 and 853), by `rm -f`"),
];

#[test]
fn recordings_are_told_as_their_labels_say() {
    let mut table = [("situations", Score::default()), ("day", Score::default()), ("random", Score::default())];
    let begins = std::env::var("SHIPSLOG_RECORDING").unwrap_or_default();
    let recordings = recordings::all(&begins);
    assert!(!recordings.is_empty(), "no recording is called {begins:?}");
    for recording in &recordings {
        let (_, score) = table.iter_mut().find(|(name, _)| *name == group(&recording.label.scenario)).unwrap();
        score.add(recording);
    }
    println!("{HEAD}");
    for (name, score) in &table {
        println!("{}", score.row(name));
    }
    let mut faults: Vec<&String> = table.iter().flat_map(|(_, score)| &score.faults).collect();
    let played = |fault: &str| recordings.iter().any(|recording| fault.starts_with(&format!("{}:", recording.name)));
    for (begins, reason) in WRONG_LABELS.into_iter().filter(|(begins, _)| played(begins)) {
        let before = faults.len();
        faults.retain(|fault| !fault.starts_with(begins));
        assert_eq!(before - faults.len(), 1, "listed and not there: {begins} ({reason})");
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
