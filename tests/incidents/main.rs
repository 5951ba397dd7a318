//! The fold of incidents on recordings of real Engines (tests/fixtures/incidents/README.md).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod recordings;
mod score;

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

#[test]
fn recordings_are_told_as_their_labels_say() {
    let mut table = [("situations", Score::default()), ("day", Score::default()), ("random", Score::default())];
    for recording in recordings::all("") {
        let (_, score) = table.iter_mut().find(|(name, _)| *name == group(&recording.label.scenario)).unwrap();
        score.add(&recording);
    }
    println!("{HEAD}");
    for (name, score) in &table {
        println!("{}", score.row(name));
    }
    for fault in table.iter().flat_map(|(_, score)| &score.faults) {
        println!("{fault}");
    }
}
