//! What `incidents`, `report` and `state` say, to somebody who has never seen them.

use super::incidents::{of_file, offline, recording};
use super::{refused, run, shipslog, succeed, text};
use crate::support::Ship;
use tempfile::TempDir;

/// What is asked for beyond a recording is answered with what that means, from everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_recording_does_not_reach_is_said() {
    let dir = TempDir::new().unwrap();
    let ship = Ship::start_with(dir.path(), &["--read-only", &recording("busy-host-a")]);
    let end = "2026-11-29 01:49:07+00:00";
    let after = format!("-- the range lies after the recording's end ({end}): nothing is known of it\n");
    let then = format!("-- the recording ends at {end}; this is how it was then\n");
    for (line, said) in [
        ("incidents --utc --since 2026-11-30T09:30:00Z --until 2026-11-30T09:40:00Z", after.as_str()),
        ("incidents -o json --utc --since 2026-11-30T09:30:00Z --until 2026-11-30T09:40:00Z", after.as_str()),
        ("report --utc --since 2026-11-30T09:30:00Z --until 2026-11-30T09:40:00Z", after.as_str()),
        ("incidents --utc --at 2026-11-30T15:04:00Z", then.as_str()),
        ("state --utc --at 2026-11-30T15:04:00Z", then.as_str()),
        ("state --utc --at 2026-11-29T01:40:00Z", ""),
        ("incidents --utc --since 2026-11-29T01:40:00Z --until 2026-11-30T01:40:00Z", ""),
        ("incidents --utc --subject api", "-- no subject is called api; there are shop/api\n"),
    ] {
        for mut command in [shipslog(&ship.url, line), of_file(line, "busy-host-a")] {
            let output = run(&mut command);
            assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), said), "{line}");
        }
    }
    let before = run(&mut of_file("incidents --utc --until 2020-01-01", "busy-host-a"));
    assert!(text(&before.stderr).contains("before the recording's beginning (2026-11-29 01:"), "{before:?}");
}

/// What is nearly right is answered with what is right.
#[test]
fn what_was_meant_is_said() {
    let id = "efb83cb4-210c";
    for (line, says) in [
        ("report 210c", id),
        ("report 210", id),
        ("report efb83cb4-210", id),
        ("report shop/api", "did you mean efb83cb4-"),
        ("report api", "did you mean efb83cb4-"),
        ("incidents 01:40", "shipslog incidents --at 01:40"),
        ("state 01:40", "shipslog state --at 01:40"),
        ("incidents shop/api", "--subject"),
    ] {
        let (code, why) = refused(&mut of_file(line, "busy-host-a"));
        assert!(code == 2 && why.contains(says), "{line}: {code} {why}");
    }
    let file = recording("busy-host-a");
    for command in ["incidents", "report", "state"] {
        let (code, why) = refused(&mut offline(&format!("{command} {file}")));
        assert!(code == 2 && why.contains(&format!("shipslog {command} --file {file}")), "{command}: {code} {why}");
        let help = succeed(&mut offline(&format!("{command} --help")), command);
        assert!(help.contains("Examples:") && help.contains(&format!("shipslog {command} --file incident.jsonl.zst")), "{help}");
    }
    let (code, why) = refused(&mut of_file("report 00000000-210c", "busy-host-a"));
    assert!(code == 1 && why.contains("did you mean efb83cb4-210c (crash-loop of shop/api)?"), "{code} {why}");
}

/// A stop that was not obeyed is shown where its kind is named, with the signal that was asked for.
#[test]
fn a_stop_that_was_not_obeyed_tells_of_both_signals() {
    let line = "incidents --utc --kind stop-timeout";
    let told = succeed(&mut of_file(line, "day-a"), line).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("at 02:10:06 told to stop with signal 15 (SIGTERM) through Docker's API; at 02:10:16 killed"), "{told}");
    assert!(told.contains("No incident; 3 notices; as of"), "{told}");
    let report = succeed(&mut of_file("report da1ca978-2413n", "day-a"), "report");
    for says in [
        "- **When:** 2026-11-28 02:10:16.538 UTC (a moment)",
        "- **Evidence:** no event is known to be missing (records da1ca978-2408 to da1ca978-2413)",
        "- 02:10:06.463: Told to stop with signal 15 (SIGTERM) through Docker's API.\n- 02:10:16.498: Killed",
        "It was over at once: nothing had to be mended.",
        "| 02:10:06.463 | queue | **P** was sent signal 15 through Docker's API | `da1ca978-2408` |",
        "- Log: da1ca978\n",
    ] {
        assert!(report.contains(says), "{says} in\n{report}");
    }
    assert!(!report.contains("It is not over") && !report.contains("name nothing that came before"), "{report}");
}

/// What failed as many did, what only ended since it was removed, and what gave up.
#[test]
fn a_day_is_told_without_claiming_too_much() {
    let told = succeed(&mut of_file("incidents --utc", "day-a"), "day").split_whitespace().collect::<Vec<_>>().join(" ");
    for says in [
        "10 containers failed within 1 s: exit 1",
        "all or most of them were removed.",
        "Why they exited with 1, events do not say: look at their logs.",
        "mass failure on prod-1",
        "after deploy acme/api:7 -> acme/api:8; restarted through Docker's API without effect",
        "at 22:10:14 volume pgdata removed; at 22:10:16 re-created;",
        "orders/api crashed 9 times: exit 11 and stayed down",
        "it was removed after no further start came.",
        "7 incidents, all over (4 of them only because what failed was removed)",
    ] {
        assert!(told.contains(says), "{says} in\n{told}");
    }
    let at = |time: &str| succeed(&mut of_file(&format!("state --utc --at 2026-11-28T{time}Z"), "day-a"), time);
    for time in ["18:30:40", "18:31:10"] {
        let state = at(time);
        assert!(state.contains("exited (11), may restart") && !state.contains("restarting"), "{state}");
    }
}
