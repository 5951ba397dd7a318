//! Rules of the fold, one small log each: first those that a prototype got wrong on real recordings.

use crate::tape::{Tape, service, with};
use shipslog::projection::incidents::{CauseKind, Confidence, Kind, Resolution, Severity, Standing};

const WEB: [(&str, &str); 4] = [
    ("com.docker.compose.project", "shop"),
    ("com.docker.compose.service", "web"),
    ("com.docker.compose.oneoff", "False"),
    ("image", "web:1"),
];

#[test]
fn a_stop_that_is_judged_late_does_not_hide_the_start_of_the_successor() {
    let mut tape = Tape::new();
    tape.run("web").crash_loop("web", 4, "1").wait(20).stop("web").wait(10).of("web", "destroy", &[]);
    tape.of("two", "create", &[("name", "web"), ("image", "app:2")])
        .of("two", "start", &[("name", "web"), ("image", "app:2")])
        .wait(60_000);
    let told = tape.only();
    assert_eq!((told.kind, told.resolution), (Kind::CrashLoop, Some(Resolution::Redeployed)));
    assert_eq!(told.end.unwrap(), tape.records.last().unwrap().time);
}

#[test]
fn the_end_of_the_recorder_is_not_the_end_of_the_host() {
    let mut tape = Tape::new();
    tape.run("a").run("b").wait(5000).own("disconnect", &[("reason", "shutdown")]).own("stop", &[]).wait(9000);
    tape.own("start", &[]).own("connect", &[("engine", "28.5.2")]).own("resumed", &[("replayed", "0")]).wait(60_000);
    tape.none();
    assert!(tape.notices().is_empty());
}

/// The daemon's stream ends and another daemon answers.
fn another_daemon(tape: &mut Tape, away: i64, replayed: &str) {
    tape.own("disconnect", &[("reason", "the daemon closed the event stream")]).wait(away);
    tape.own("connect", &[("engine", "28.5.2")]).wait(200).own("gap", &[("reason", "daemon-restart"), ("replayed", replayed)]);
}

#[test]
fn a_daemon_that_crashed_did_not_stop_its_containers_in_order() {
    let mut tape = Tape::new();
    tape.run("a").run("b").wait(5000);
    another_daemon(&mut tape, 8000, "8");
    tape.replay(3000).stop("a").stop("b").start("a").start("b").live().wait(40_000);
    let told = tape.only();
    assert_eq!((told.kind, told.severity, told.resolution), (Kind::Host, Severity::Critical, Some(Resolution::Recovered)));
    assert!(told.title.contains("without stopping"), "{}", told.title);
}

#[test]
fn an_orderly_restart_of_the_daemon_is_one_minor_incident_and_an_earlier_stop_is_none_of_it() {
    let mut tape = Tape::new();
    tape.run("a").run("b").run("mine").wait(30_000).stop("mine").wait(20_000);
    tape.kill("a", "15").kill("b", "15").die("a", "0").die("b", "0").of("a", "stop", &[]).of("b", "stop", &[]).wait(5000);
    another_daemon(&mut tape, 3000, "2");
    tape.replay(1000).start("a").start("b").live().wait(40_000);
    let told = tape.only();
    assert_eq!((told.kind, told.severity, told.state), (Kind::Host, Severity::Minor, Standing::Closed));
    let hit: Vec<&str> = told.subjects.iter().filter(|part| part.role == "affected").map(|part| &*part.key).collect();
    assert_eq!(hit, ["a", "b"]);
}

#[test]
fn a_stop_before_a_daemon_that_dies_is_not_its_order() {
    let mut tape = Tape::new();
    tape.run("a").run("mine").wait(30_000).stop("mine").wait(3000);
    another_daemon(&mut tape, 3000, "1");
    tape.replay(1000).start("a").live().wait(40_000);
    let told = tape.only();
    assert_eq!((told.severity, told.state), (Severity::Critical, Standing::Closed));
    assert_eq!(told.subjects.iter().map(|part| &*part.key).collect::<Vec<_>>(), ["host-1", "a"]);
}

#[test]
fn what_ended_well_a_moment_before_a_daemon_that_dies_is_none_of_it() {
    let mut tape = Tape::new();
    tape.run("a").run("mine").run("done").run("job").wait(30_000).stop("mine").die("done", "0").die("job", "1").of("job", "destroy", &[]);
    another_daemon(tape.wait(300), 3000, "4");
    tape.replay(1000).kill("a", "15").die("a", "0").of("a", "stop", &[]).start("a").live().wait(40_000);
    let told = tape.only();
    assert_eq!((told.severity, told.state), (Severity::Critical, Standing::Closed));
    assert_eq!(told.subjects.iter().map(|part| &*part.key).collect::<Vec<_>>(), ["host-1", "a"]);
}

#[test]
fn a_job_that_was_done_a_moment_before_its_daemon_was_stopped_is_none_of_it() {
    let mut tape = Tape::new();
    tape.run("a").run("job").wait(30_000).die("job", "0").of("job", "destroy", &[]).wait(1000);
    tape.kill("a", "15").die("a", "0").of("a", "stop", &[]).wait(100);
    another_daemon(&mut tape, 3000, "1");
    tape.replay(1000).start("a").live().wait(40_000);
    let told = tape.only();
    assert_eq!((told.severity, told.state), (Severity::Minor, Standing::Closed), "{}", told.title);
    assert_eq!(told.subjects.iter().map(|part| &*part.key).collect::<Vec<_>>(), ["host-1", "a"]);
    // Where nothing else ran, nothing was hit.
    let mut tape = Tape::new();
    tape.run("job").wait(30_000).die("job", "0").of("job", "destroy", &[]).wait(1000);
    another_daemon(&mut tape, 3000, "0");
    tape.wait(40_000);
    tape.none();
}

#[test]
fn a_power_cut_leaves_down_what_has_no_policy() {
    let mut tape = Tape::new();
    tape.run("a").run("manual").wait(30_000);
    another_daemon(&mut tape, 6000, "1");
    tape.replay(1000).start("a").live().wait(1000);
    tape.observed("manual", &[("observation", "difference"), ("state", "exited"), ("was", "running"), ("exitCode", "255")]).wait(40_000);
    let told = tape.only();
    assert_eq!((told.severity, told.state, told.down), (Severity::Critical, Standing::Open, true));
    tape.start("manual").wait(1000);
    let told = tape.only();
    assert_eq!((told.state, told.resolution), (Standing::Closed, Some(Resolution::Recovered)));
}

#[test]
fn who_lived_through_a_restart_of_the_daemon_tells_that_the_others_failed_by_themselves() {
    let mut tape = Tape::new();
    tape.run("lives").run("policy").run("gone").wait(30_000);
    another_daemon(&mut tape, 6000, "2");
    tape.replay(1000).network("connect", "policy", "bridge").start("policy").live().wait(1000);
    tape.observed("gone", &[("observation", "difference"), ("state", "exited"), ("was", "running"), ("exitCode", "255")]).wait(60_000);
    assert_eq!(tape.view().incidents.len(), 2);
    let (policy, gone) = (tape.told("policy").remove(0), tape.told("gone").remove(0));
    assert_eq!((policy.state, policy.confidence, policy.counts.deaths), (Standing::Closed, Confidence::Qualified, 1));
    assert_eq!((gone.state, gone.down, gone.confidence), (Standing::Open, true, Confidence::Qualified));
    assert!(gone.counts.exit.is_empty() && gone.title.contains("exit code unknown"), "255 is no code: {}", gone.title);
    assert!(tape.notices().iter().any(|notice| notice.contains("lived on")), "{:?}", tape.notices());
}

#[test]
fn a_probe_that_dies_with_its_container_is_no_ill_health() {
    let mut tape = Tape::new();
    tape.run("web")
        .wait(20_000)
        .kill("web", "9")
        .of("web", "health_status: unhealthy", &[])
        .die("web", "137")
        .of("web", "destroy", &[])
        .wait(60_000);
    tape.none();
}

#[test]
fn blind_time_is_never_wellness() {
    let mut tape = Tape::new();
    tape.run("web").crash_loop("web", 4, "1").own("disconnect", &[("reason", "reset")]).wait(120_000);
    tape.own("connect", &[("engine", "28.5.2")]).own("gap", &[("reason", "ring-overflow"), ("replayed", "256")]);
    assert_eq!(tape.only().state, Standing::Open);
    tape.wait(2000).die("web", "1").wait(2100);
    let told = tape.only();
    assert_eq!((told.counts.deaths, told.confidence), (5, Confidence::Qualified));
}

#[test]
fn what_is_proven_gapless_qualifies_nothing() {
    let mut tape = Tape::new();
    tape.run("web").wait(3000).die("web", "1").wait(200).start("web").own("disconnect", &[("reason", "reset")]).wait(60_000);
    tape.own("connect", &[("engine", "28.5.2")]).own("resumed", &[("replayed", "0"), ("overlap", "9")]).wait(3000);
    let told = tape.only();
    assert_eq!((told.state, told.confidence, told.resolution), (Standing::Closed, Confidence::Complete, Some(Resolution::Recovered)));
}

#[test]
fn a_replay_moves_no_timer() {
    let mut tape = Tape::new();
    tape.run("web").crash_loop("web", 3, "1").own("disconnect", &[("reason", "reset")]).wait(60_000);
    tape.own("connect", &[("engine", "28.5.2")]).own("gap", &[("reason", "ring-overflow"), ("replayed", "4")]);
    tape.replay(50_000).die("web", "1").wait(1000).start("web").wait(30_000).die("web", "1").wait(2000).start("web").live().wait(1500);
    let told = tape.only();
    assert_eq!((told.state, told.counts.deaths), (Standing::Open, 5));
}

#[test]
fn a_stop_while_it_waits_to_restart_ends_it_unless_it_is_made_again() {
    let mut tape = Tape::new();
    tape.of("one", "create", &WEB).of("one", "start", &WEB).crash_loop("one", 5, "1").wait(30).of(
        "one",
        "die",
        &with(&WEB, &[("exitCode", "1")]),
    );
    tape.wait(2500).of("one", "stop", &WEB).wait(10);
    assert_eq!(tape.only().resolution, Some(Resolution::Stopped));
    tape.of("one", "destroy", &WEB);
    let two = with(&WEB[..3], &[("image", "web:2")]);
    tape.of("two", "create", &two).of("two", "start", &two).wait(30_000);
    assert_eq!(tape.only().resolution, Some(Resolution::Redeployed));
}

#[test]
fn it_stays_down_is_known_at_its_time() {
    let mut tape = Tape::new();
    tape.run("web").wait(60_000).die("web", "3").wait(3000);
    assert_eq!((tape.only().severity, tape.only().down), (Severity::Minor, false));
    tape.wait(4000);
    assert_eq!((tape.only().severity, tape.only().down), (Severity::Major, true));
}

#[test]
fn a_broken_check_is_the_root_of_nothing() {
    let mut tape = Tape::new();
    let (web, db) = (service("web", "1", &[]), service("db", "1", &[]));
    tape.of("w", "create", &web).of("w", "start", &web).of("d", "create", &db).of("d", "start", &db).wait(20_000);
    tape.of("w", "health_status: unhealthy", &web).wait(20_000).of("d", "die", &with(&db, &[("exitCode", "1")])).wait(10_000);
    assert_eq!(tape.told("shop/web").remove(0).kind, Kind::Unhealthy);
    assert_eq!(tape.told("shop/db").remove(0).kind, Kind::Crash);
}

#[test]
fn a_change_that_shows_is_told_before_one_that_does_not() {
    let mut tape = Tape::new();
    tape.run("web").wait(60_000).stop("web").of("web", "destroy", &[]);
    for (id, image) in [("two", "app:2"), ("three", "app:2")] {
        tape.of(id, "create", &[("name", "web"), ("image", image)]).of(id, "start", &[("name", "web"), ("image", image)]).wait(20_000);
        if id == "two" {
            tape.of(id, "kill", &[("name", "web"), ("signal", "9")]).of(id, "die", &[("name", "web"), ("exitCode", "137")]).of(
                id,
                "destroy",
                &[("name", "web")],
            );
        }
    }
    tape.of("three", "die", &[("name", "web"), ("exitCode", "1")]).wait(3000);
    let told = tape.only();
    assert!(told.title.contains("deploy app:1 -> app:2"), "{}", told.title);
}

#[test]
fn leaving_its_network_before_its_own_end_is_no_cause() {
    let mut tape = Tape::new();
    tape.create("web").network("connect", "web", "shop").start("web").wait(20_000);
    tape.network("disconnect", "web", "shop").wait(20).die("web", "1").wait(3000);
    assert!(tape.only().cause.iter().all(|cause| cause.kind != CauseKind::Network));
}

#[test]
fn a_network_taken_from_its_neighbour_is_told_and_not_once_it_is_back() {
    for back in [false, true] {
        let mut tape = Tape::new();
        for id in ["pg", "api"] {
            tape.create(id).network("connect", id, "shop").start(id);
        }
        tape.wait(20_000).network("disconnect", "pg", "shop").wait(5000);
        if back {
            tape.network("connect", "pg", "shop").wait(100);
        }
        tape.die("api", "7").wait(3000);
        assert_eq!(tape.only().title.contains("network shop disconnected from pg"), !back);
    }
}

#[test]
fn a_start_that_is_refused_has_no_start() {
    for connects in [false, true] {
        let mut tape = Tape::new();
        tape.create("web").wait(100);
        if connects {
            tape.network("connect", "web", "bridge").wait(170);
        }
        tape.network("disconnect", "web", "bridge").wait(1000);
        tape.none();
        tape.wait(1500);
        let told = tape.only();
        assert_eq!((told.kind, told.severity, told.down), (Kind::StartFailed, Severity::Major, true));
    }
}

#[test]
fn compose_that_connects_again_at_once_was_not_refused() {
    let mut tape = Tape::new();
    tape.create("web")
        .network("connect", "web", "a")
        .network("disconnect", "web", "a")
        .wait(200)
        .network("connect", "web", "a")
        .start("web")
        .wait(60_000);
    tape.none();
}

#[test]
fn a_restart_by_policy_that_is_refused_is_the_end() {
    let mut tape = Tape::new();
    tape.create("web").network("connect", "web", "a").start("web").wait(5000);
    tape.network("disconnect", "web", "a").die("web", "1").wait(300).network("disconnect", "web", "a").wait(2500);
    let told = tape.only();
    assert_eq!((told.down, told.severity), (true, Severity::Major));
    assert!(told.title.contains("nothing more is tried"), "{}", told.title);
}

#[test]
fn two_troubles_of_one_subject_are_no_cascade() {
    let mut tape = Tape::new();
    let web = service("web", "1", &[]);
    tape.of("w", "create", &web).of("w", "start", &web).wait(1000);
    for _ in 0..2 {
        tape.of("w", "die", &with(&web, &[("exitCode", "1")])).wait(200).of("w", "start", &web).wait(14_000);
    }
    assert!(tape.view().incidents.iter().all(|one| one.kind == Kind::Crash));
    assert_eq!(tape.view().incidents.len(), 2);
}

#[test]
fn a_service_of_compose_is_never_a_job() {
    let mut tape = Tape::new();
    let job = [("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web"), ("com.docker.compose.oneoff", "True")];
    for (attributes, incidents) in [(&WEB[..3], 1), (&job[..], 0)] {
        tape = Tape::new();
        tape.of("w", "create", attributes).of("w", "start", attributes).wait(5000);
        tape.of("w", "die", &with(attributes, &[("exitCode", "1")])).wait(100).of("w", "destroy", attributes).wait(3000);
        assert_eq!(tape.view().incidents.len(), incidents);
    }
    assert_eq!(tape.notices().len(), 1);
}

#[test]
fn deaths_by_memory_are_counted_apart() {
    let mut tape = Tape::new();
    tape.run("web")
        .wait(5000)
        .of("web", "oom", &[])
        .die("web", "137")
        .wait(200)
        .start("web")
        .wait(3000)
        .die("web", "2")
        .wait(200)
        .start("web")
        .wait(3000);
    let told = tape.only();
    assert_eq!((told.counts.deaths, told.counts.oom), (2, 1));
    assert!(told.title.contains("ran out of memory and was killed; then it crashed: exit 2"), "{}", told.title);
    assert_eq!(told.phases.len(), 2);
}

#[test]
fn a_power_cut_that_takes_the_recorder_too_is_told_as_far_as_it_is_known() {
    let mut tape = Tape::new();
    tape.run("a").run("manual").wait(30_000);
    let last = tape.text();
    tape.wait(60_000).own("start", &[]).own("connect", &[("engine", "28.5.2")]);
    tape.own("gap", &[("reason", "daemon-restart"), ("replayed", "1"), ("from", &last)]).replay(1000).start("a").live().wait(1500);
    tape.observed("manual", &[("observation", "difference"), ("state", "exited"), ("was", "running"), ("exitCode", "255")]).wait(40_000);
    let told = tape.only();
    assert_eq!((told.kind, told.severity, told.down, told.confidence), (Kind::Host, Severity::Major, true, Confidence::Qualified));
    assert!(told.title.contains("while nobody recorded; 2 containers"), "{}", told.title);
}
