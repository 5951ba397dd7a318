//! Rules of the fold where a prototype had none.

use crate::tape::{Tape, service, with};
use shipslog::cursor::LogId;
use shipslog::log::GapReason;
use shipslog::projection::incidents::{
    CauseKind, Confidence, Kind, MAX_CONTAINERS, MAX_EVIDENCE, Resolution, Severity, Shown, Standing, State, miss, step, view,
};

#[test]
fn the_exit_code_alone_says_nothing() {
    for code in ["0", "1", "137", "143"] {
        let mut tape = Tape::new();
        tape.run("web").wait(20_000).kill("web", "15").die("web", code).of("web", "stop", &[]).wait(60_000);
        tape.none();
        // Engine 28 says `stop` first.
        tape = Tape::new();
        tape.run("web").wait(20_000).kill("web", "15").of("web", "stop", &[]).die("web", code).wait(60_000);
        tape.none();
    }
    let mut tape = Tape::new();
    tape.run("web").wait(20_000).kill("web", "1").wait(5000).die("web", "137").wait(3000);
    assert!(tape.only().title.contains("not through Docker's API"), "{}", tape.only().title);
}

#[test]
fn a_program_that_did_not_obey_is_a_notice_and_a_timeout_of_nothing_is_not() {
    for (millis, notices) in [(20, 0), (10_000, 1)] {
        let mut tape = Tape::new();
        tape.run("web").wait(20_000).kill("web", "15").wait(millis).kill("web", "9").die("web", "137").of("web", "stop", &[]).wait(60_000);
        tape.none();
        assert_eq!(tape.notices().len(), notices);
    }
}

#[test]
fn a_container_left_behind_a_dependency_that_failed_is_told() {
    let mut tape = Tape::new();
    let (api, db) = (service("api", "1", &[("com.docker.compose.depends_on", "db:service_healthy:true")]), service("db", "1", &[]));
    tape.of("d1", "create", &db).of("d1", "start", &db).of("a1", "create", &api).of("a1", "start", &api).wait(60_000);
    tape.of("a2", "create", &api)
        .of("a1", "kill", &with(&api, &[("signal", "15")]))
        .of("a1", "stop", &api)
        .of("a1", "die", &with(&api, &[("exitCode", "0")]))
        .of("a1", "destroy", &api);
    tape.of("d1", "die", &with(&db, &[("exitCode", "7")])).wait(50_000);
    assert!(tape.told("shop/api").is_empty());
    tape.wait(12_000);
    let told = tape.told("shop/api").remove(0);
    assert_eq!((told.kind, told.severity, told.down), (Kind::StartFailed, Severity::Major, true));
    let cause = told.cause.iter().find(|cause| cause.kind == CauseKind::Dependency).unwrap();
    assert_eq!(cause.subject.as_deref(), Some("shop/db"));
    tape.of("a2", "start", &api).wait(20_000);
    assert_eq!(tape.told("shop/api").remove(0).state, Standing::Closed);
}

#[test]
fn a_container_that_is_only_made_is_no_trouble() {
    let mut tape = Tape::new();
    tape.create("web").wait(300_000);
    tape.none();
    // Nor one whose predecessor still runs.
    let api = service("api", "1", &[]);
    tape.of("a1", "create", &api).of("a1", "start", &api).wait(5000).of("a2", "create", &api).wait(300_000);
    tape.none();
}

#[test]
fn replicas_are_counted() {
    let mut tape = Tape::new();
    let all: Vec<_> = ["1", "2", "3"].into_iter().map(|number| service("api", number, &[])).collect();
    for (id, api) in ["r1", "r2", "r3"].into_iter().zip(&all) {
        tape.of(id, "create", api).of(id, "start", api);
    }
    tape.wait(30_000)
        .of("r1", "die", &with(&all[0], &[("exitCode", "1")]))
        .of("r3", "die", &with(&all[2], &[("exitCode", "1")]))
        .wait(12_000);
    let told = tape.only();
    assert_eq!(told.replicas.map(|replicas| (replicas.down, replicas.of)), Some((2, 3)));
    assert!(told.title.contains("(2 of 3 down)"), "{}", told.title);
}

#[test]
fn coincidence_is_told_as_such_and_dependence_as_such() {
    for (depends, said) in [("", "at about the same time shop/api"), ("db:service_started:false", "then, depending on it, shop/api")] {
        let mut tape = Tape::new();
        let (api, db) = (service("api", "1", &[("com.docker.compose.depends_on", depends)]), service("db", "1", &[]));
        tape.of("d", "create", &db).of("d", "start", &db).of("a", "create", &api).of("a", "start", &api).wait(30_000);
        tape.of("d", "die", &with(&db, &[("exitCode", "1")])).wait(4000).of("a", "die", &with(&api, &[("exitCode", "2")])).wait(10_000);
        let told = tape.only();
        assert_eq!((told.kind, told.severity, &*told.subject), (Kind::Cascade, Severity::Critical, "shop/db"));
        assert!(told.title.contains(said), "{}", told.title);
        let merged = tape.view().merged.remove(0);
        assert_eq!(merged.merged_into.as_deref(), Some(&*told.id));
    }
}

#[test]
fn how_long_it_ran_is_known_though_its_start_was_missed() {
    let mut tape = Tape::new();
    tape.of("web", "die", &[("exitCode", "1"), ("execDuration", "70")]).wait(300).start("web").wait(100_000);
    assert_eq!(tape.only().state, Standing::Recovering);
    tape.wait(50_000);
    assert_eq!(tape.only().state, Standing::Closed);
}

#[test]
fn a_leak_that_dies_every_five_minutes_is_one_loop() {
    let mut tape = Tape::new();
    tape.run("web");
    for _ in 0..4 {
        tape.wait(300_000).of("web", "oom", &[]).die("web", "137").wait(200).start("web");
    }
    tape.wait(30_000);
    let told = tape.only();
    assert_eq!((told.kind, told.counts.deaths, told.phases.len()), (Kind::CrashLoop, 4, 0));
}

#[test]
fn cron_that_ends_with_success_is_nothing_and_the_daemons_ladder_is() {
    let mut tape = Tape::new();
    tape.run("cron");
    for _ in 0..12 {
        tape.wait(2000).die("cron", "0").wait(58_000).start("cron");
    }
    tape.none();
    tape.run("loop");
    for n in 0..7 {
        tape.wait(30).die("loop", "0").wait(100 << n).start("loop");
    }
    tape.wait(1000);
    let told = tape.told("loop").remove(0);
    assert_eq!((told.kind, told.severity, told.counts.deaths), (Kind::RestartLoop, Severity::Minor, 7));
}

#[test]
fn removed_for_good_is_closed_and_made_again_goes_on() {
    let mut tape = Tape::new();
    tape.run("web").crash_loop("web", 5, "1").wait(20).die("web", "1").wait(2500).of("web", "destroy", &[]).wait(100);
    assert_eq!(tape.only().resolution, Some(Resolution::Removed));
    tape.wait(60_000)
        .of("two", "create", &[("name", "web"), ("image", "app:1")])
        .of("two", "start", &[("name", "web")])
        .wait(50)
        .of("two", "die", &[("name", "web"), ("exitCode", "1")])
        .wait(2500);
    let told = tape.only();
    assert_eq!((told.state, told.counts.deaths, told.containers.len()), (Standing::Open, 7, 2));
}

#[test]
fn what_an_inspection_adds_is_told() {
    let mut tape = Tape::new();
    tape.create("web").network("disconnect", "web", "bridge").wait(2500);
    tape.observed("web", &[("observation", "failure"), ("state", "created"), ("error", "exec: /usr/bin/nope: no such file")]);
    assert!(tape.only().cause.iter().any(|cause| cause.text.contains("/usr/bin/nope")));
    tape.run("big")
        .wait(3000)
        .die("big", "137")
        .wait(2500)
        .observed("big", &[("observation", "failure"), ("state", "exited"), ("oomKilled", "true")]);
    let told = tape.told("big").remove(0);
    assert_eq!((told.kind, told.counts.oom), (Kind::Oom, 1));
}

#[test]
fn a_label_says_what_is_made_of_a_failure() {
    for (wish, told, notices) in [("off", 0, 0), ("notice", 0, 1), ("on", 1, 0)] {
        let mut tape = Tape::new();
        let labels = [("image", "app:1"), ("shipslog.incidents", wish)];
        tape.of("web", "create", &labels).of("web", "start", &labels);
        for _ in 0..5 {
            tape.wait(500).of("web", "die", &[labels[0], labels[1], ("exitCode", "1")]).wait(300).of("web", "start", &labels);
        }
        tape.wait(3000);
        assert_eq!((tape.told("web").len(), tape.notices().len()), (told, notices), "{wish}");
    }
}

/// It is asked at once, before the failure is judged.
#[test]
fn what_an_inspection_tells_before_the_failure_is_judged_is_told_too() {
    let mut tape = Tape::new();
    tape.create("web").network("disconnect", "web", "bridge");
    tape.observed("web", &[("observation", "failure"), ("state", "created"), ("error", "exec: /usr/bin/nope: no such file")]).wait(5000);
    assert!(tape.only().cause.iter().any(|cause| cause.text == "the Engine says: exec: /usr/bin/nope: no such file"));
    let failed = [("observation", "failure"), ("state", "exited"), ("oomKilled", "true"), ("memory", "25165824")];
    tape.run("big").wait(3000).die("big", "137").wait(30).observed("big", &failed).wait(5000);
    let told = tape.told("big").remove(0);
    assert_eq!((told.kind, told.counts.oom), (Kind::Oom, 1));
    assert!(told.cause.iter().any(|cause| cause.text.ends_with("its limit is 24 MiB")), "{:?}", told.cause);
}

/// Who reads of it is told that there was no version before that ran well.
#[test]
fn what_fails_from_its_first_start_was_newly_created() {
    let created = |told: &Shown| told.cause.iter().filter(|cause| cause.kind == CauseKind::Created).count();
    let mut tape = Tape::new();
    tape.run("web").wait(500).die("web", "127").wait(200).start("web").wait(500).die("web", "127").wait(5000);
    let told = tape.only();
    assert_eq!((told.cause[0].kind, created(&told)), (CauseKind::Created, 1));
    assert!(told.title.contains("; newly created: it never ran well before"), "{}", told.title);
    // It ran well for a while, or was killed by something else: neither fails for being new.
    let mut tape = Tape::new();
    tape.run("well").wait(20_000).die("well", "1").wait(5000);
    assert_eq!(created(&tape.only()), 0);
    let mut tape = Tape::new();
    tape.run("killed").wait(500).die("killed", "137").wait(5000);
    assert_eq!(created(&tape.only()), 0);
}

#[test]
fn a_night_of_looping_stays_within_its_bounds() {
    let mut tape = Tape::new();
    tape.run("web");
    for _ in 0..2000 {
        tape.wait(100).die("web", "1").wait(60_000).start("web");
    }
    let told = tape.only();
    assert_eq!(told.counts.deaths, 2000);
    // A death and a start each, of which the last ones still count, and the record that it was made by.
    assert_eq!(told.evidence_more + told.evidence.len() as u64, 4001);
    assert!(told.evidence.len() <= MAX_EVIDENCE);
    assert!(bincode::serialized_size(&tape.state()).unwrap() < 20_000);
}

#[test]
fn jobs_by_the_thousand_leave_nothing() {
    let mut tape = Tape::new();
    for n in 0..MAX_CONTAINERS as u64 + 500 {
        let id = format!("{n:064}");
        tape.of(&id, "create", &[("name", "job")])
            .of(&id, "start", &[("name", "job")])
            .wait(100)
            .of(&id, "die", &[("name", "job"), ("exitCode", "0")])
            .of(&id, "destroy", &[("name", "job")]);
    }
    tape.wait(5000).none();
    assert!(bincode::serialized_size(&tape.state()).unwrap() < 100_000);
}

#[test]
fn containers_are_bounded() {
    let mut tape = Tape::new();
    for n in 0..MAX_CONTAINERS as u64 + 500 {
        let id = format!("c{n}");
        tape.of(&id, "create", &[("image", "a")]).of(&id, "start", &[("image", "a")]);
    }
    let size = |tape: &Tape| bincode::serialized_size(&tape.state()).unwrap();
    let before = size(&tape);
    for n in 0..300 {
        tape.of(&format!("d{n}"), "create", &[("image", "a")]);
    }
    assert!(size(&tape) < before + before / 4, "{} {before}", size(&tape));
}

#[test]
fn what_began_before_the_recording_is_qualified() {
    let mut tape = Tape::new();
    tape.observed("old", &[("observation", "baseline"), ("state", "exited"), ("exitCode", "1")]);
    tape.observed("loop", &[("observation", "baseline"), ("state", "restarting"), ("exitCode", "1")]).wait(1000);
    let told = tape.only();
    assert_eq!((&*told.subject, told.confidence), ("loop", Confidence::Qualified));
}

/// The state after a tape, and that records are missing after it.
fn with_a_hole(tape: &Tape, why: GapReason) -> State {
    let mut state = tape.state();
    let next = tape.records.len() as u64 + 1;
    miss(&mut state, &(next..=next + 49), why);
    state
}

fn only(state: &State, tape: &Tape) -> Shown {
    let mut shown = view(state, &LogId::with_prefix(7).into(), tape.as_of()).incidents;
    assert_eq!(shown.len(), 1, "{shown:#?}");
    shown.remove(0)
}

#[test]
fn records_that_are_missing_in_the_log_are_told_and_are_no_wellness() {
    let mut tape = Tape::new();
    tape.run("web").crash_loop("web", 4, "1").wait(1000);
    let mut state = with_a_hole(&tape, GapReason::Damage);
    // Two hours later the log goes on.
    let before = tape.records.len();
    tape.wait(7_200_000).of("other", "create", &[]);
    step(&mut state, &tape.records[before]);
    let told = only(&state, &tape);
    assert_eq!((told.confidence, told.state), (Confidence::Qualified, Standing::Open), "{told:#?}");
    assert!(told.qualified.iter().any(|reason| reason.contains("50 records of the log are lost")), "{:?}", told.qualified);
    // From there on it is well for long enough.
    tape.wait(700_000).of("other", "start", &[]);
    step(&mut state, &tape.records[before + 1]);
    assert_eq!(only(&state, &tape).state, Standing::Closed);
    // What has nothing to do with it is as sure as ever.
    tape.wait(3_600_000).crash_loop("other", 4, "1");
    tape.records[before + 2..].iter().for_each(|record| step(&mut state, record));
    let all = view(&state, &LogId::with_prefix(7).into(), tape.as_of()).incidents;
    let other = all.iter().find(|one| one.subject == "other").unwrap();
    assert_eq!(other.confidence, Confidence::Complete, "{other:#?}");
}

#[test]
fn a_log_that_was_made_of_a_part_of_another_says_so() {
    let mut tape = Tape::new();
    tape.run("web").crash_loop("web", 4, "1");
    let mut state = with_a_hole(&tape, GapReason::Export);
    let before = tape.records.len();
    tape.wait(700_000).of("other", "create", &[]);
    step(&mut state, &tape.records[before]);
    let told = only(&state, &tape);
    assert_eq!((told.confidence, told.state), (Confidence::Qualified, Standing::Closed), "{told:#?}");
    assert!(told.qualified[0].contains("left records out"), "{:?}", told.qualified);
}

#[test]
fn what_began_before_the_oldest_record_is_qualified_until_a_full_look() {
    let mut tape = Tape::new();
    let begun = tape.records.len();
    tape.crash_loop("web", 4, "1").own("baseline", &[]).wait(20_000);
    let mut state = State::before(1000);
    tape.records[begun..].iter().for_each(|record| step(&mut state, record));
    assert!(only(&state, &tape).qualified[0].contains("before the records that are kept"));
    let from = tape.records.len();
    tape.wait(3_600_000).run("other").crash_loop("other", 4, "1");
    tape.records[from..].iter().for_each(|record| step(&mut state, record));
    let all = view(&state, &LogId::with_prefix(7).into(), tape.as_of()).incidents;
    let other = all.iter().find(|one| one.subject == "other").unwrap();
    assert_eq!(other.confidence, Confidence::Complete, "{other:#?}");
}
