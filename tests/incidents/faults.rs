//! What a prototype of the fold got wrong, or was known to be weak at. Each is a story; those that had one
//! before are in `stories` and `more_stories`:
//!
//! - a stop judged late overwrote the start of the successor:
//!   `a_stop_that_is_judged_late_does_not_hide_the_start_of_the_successor`
//! - the recorder's own end was the host's:
//!   `the_end_of_the_recorder_is_not_the_end_of_the_host`
//! - a daemon that crashed looked orderly:
//!   `a_daemon_that_crashed_did_not_stop_its_containers_in_order`
//! - a probe that died with its container was ill health:
//!   `a_probe_that_dies_with_its_container_is_no_ill_health`
//! - blind time was well:
//!   `blind_time_is_never_wellness`
//! - a stop in a wait closed what Compose made again:
//!   `a_stop_while_it_waits_to_restart_ends_it_unless_it_is_made_again`
//! - "stays down" was known at the end only:
//!   `it_stays_down_is_known_at_its_time`
//! - a broken check was the root of a cascade:
//!   `a_broken_check_is_the_root_of_nothing`
//! - a replay moved timers:
//!   `a_replay_moves_no_timer`
//! - a cascade with oneself:
//!   `two_troubles_of_one_subject_are_no_cascade`
//! - one death by memory of two was two:
//!   `deaths_by_memory_are_counted_apart`
//! - its own network was the cause of each crash:
//!   `leaving_its_network_before_its_own_end_is_no_cause`
//! - the host took in whom somebody had stopped before:
//!   `a_stop_before_a_daemon_that_dies_is_not_its_order`
//! - nearness was dependence:
//!   `coincidence_is_told_as_such_and_dependence_as_such`
//! - 2 of 3 replicas were one:
//!   `replicas_are_counted`

use crate::tape::{Tape, service, with};
use shipslog::projection::incidents::{CauseKind, Kind, Severity, Shown, Standing};

fn kinds(told: &Shown) -> Vec<CauseKind> {
    told.cause.iter().map(|cause| cause.kind).collect()
}

/// A death that a later `stop` explains is no incident for a moment either.
#[test]
fn a_death_within_its_grace_was_judged() {
    let mut tape = Tape::new();
    tape.run("web").wait(20_000).die("web", "137").wait(1900);
    tape.none();
    tape.of("web", "stop", &[]).wait(60_000);
    tape.none();
    tape = Tape::new();
    tape.run("web").wait(20_000).die("web", "137").wait(1900);
    tape.none();
    tape.wait(200);
    assert_eq!(tape.only().kind, Kind::Crash);
}

/// A task of swarm is made again without a difference, after the update that breaks it.
#[test]
fn a_deploy_without_change_hid_the_update_of_swarm_before_it() {
    let task = |image: &'static str| [("com.docker.swarm.service.name", "web"), ("image", image)];
    let mut tape = Tape::new();
    tape.of("t1", "create", &task("app:1")).of("t1", "start", &task("app:1")).wait(60_000);
    let update = [("name", "web"), ("image.old", "app:1"), ("image.new", "app:2"), ("updatestate.new", "updating")];
    tape.event("service", "update", "svc", &update).wait(500).of("t1", "kill", &with(&task("app:1"), &[("signal", "15")]));
    tape.of("t1", "die", &with(&task("app:1"), &[("exitCode", "0")])).of("t1", "destroy", &task("app:1"));
    for id in ["t2", "t3"] {
        tape.of(id, "create", &task("app:2")).of(id, "start", &task("app:2")).wait(1000);
        tape.of(id, "die", &with(&task("app:2"), &[("exitCode", "1")])).wait(5000);
    }
    let told = tape.only();
    assert!(told.title.contains("deploy app:1 -> app:2"), "{}", told.title);
    assert_eq!(kinds(&told), [CauseKind::Deploy, CauseKind::ExitCode]);
}

/// A `stop` belongs to the death that it follows, and to none on the other side of a start.
#[test]
fn a_stop_was_taken_for_that_of_a_death_beyond_a_start() {
    // The first death is a crash; then somebody restarts it.
    let mut tape = Tape::new();
    tape.run("web").wait(20_000).die("web", "1").wait(200).start("web").wait(500);
    tape.stop("web").start("web").of("web", "restart", &[]).wait(60_000);
    assert_eq!(tape.only().counts.deaths, 1);
    // Somebody restarts it; then it crashes at once.
    tape = Tape::new();
    tape.run("web").wait(20_000).stop("web").start("web").of("web", "restart", &[]).wait(300).die("web", "1").wait(60_000);
    assert_eq!(tape.only().counts.deaths, 1);
}

/// Compose gives a service a minute to stop: signals far before the end of the stream, one death just before.
#[test]
fn a_long_stop_of_the_daemon_was_no_order() {
    let mut tape = Tape::new();
    tape.run("quick").run("slow").wait(30_000).kill("quick", "15").kill("slow", "15").die("quick", "0").of("quick", "stop", &[]);
    tape.wait(55_000).die("slow", "0").of("slow", "stop", &[]).wait(5000);
    tape.own("disconnect", &[("reason", "the daemon sends no events and answers no pings")]).wait(3000);
    tape.own("connect", &[("engine", "28.5.2")]).wait(200).own("gap", &[("reason", "daemon-restart"), ("replayed", "2")]);
    tape.replay(1000).start("quick").start("slow").live().wait(40_000);
    let told = tape.only();
    assert_eq!((told.kind, told.severity, told.state), (Kind::Host, Severity::Minor, Standing::Closed));
    assert!(told.title.contains("in good order"), "{}", told.title);
}

/// `docker kill -s HUP` of a container that lives on by its restart policy.
#[test]
fn a_signal_took_the_policy_away_and_nothing_said_so() {
    let mut tape = Tape::new();
    tape.run("web").wait(20_000).kill("web", "10").wait(5000).die("web", "1").wait(20_000);
    let told = tape.only();
    assert!(told.down && kinds(&told).contains(&CauseKind::Signal), "{told:#?}");
    assert!(
        told.cause.iter().any(|cause| cause.text.contains("signal 10 (SIGUSR1)") && cause.text.contains("restart policy")),
        "{told:#?}"
    );
}

#[test]
fn a_volume_that_was_used_again_was_made_anew() {
    for (engine, said) in [("20.10.24", false), ("28.5.2", true)] {
        let mut tape = Tape::new();
        tape.own("connect", &[("engine", engine)]).create("web").event("volume", "create", "data", &[("driver", "local")]);
        tape.event("volume", "mount", "data", &[("container", "web")]).start("web").wait(3000).die("web", "1").wait(3000);
        assert_eq!(tape.only().title.contains("volume data made anew"), said, "{engine}: {}", tape.only().title);
    }
}

#[test]
fn a_prune_that_took_nothing_was_a_cause() {
    for (reclaimed, said) in [("0", false), ("4096", true)] {
        let mut tape = Tape::new();
        tape.create("web").event("volume", "mount", "data", &[("container", "web")]).start("web").wait(20_000);
        tape.event("volume", "prune", "", &[("reclaimed", reclaimed)]).wait(3000).die("web", "1").wait(3000);
        assert_eq!(kinds(&tape.only()).contains(&CauseKind::Volume), said, "{reclaimed}");
    }
}

/// The image and the hash of the configuration are the same; only the digest is another.
#[test]
fn the_same_tag_with_another_image_was_no_change() {
    let digest = |digest: &'static str| service("web", "1", &[("com.docker.compose.image", digest)]);
    let mut tape = Tape::new();
    tape.of("w1", "create", &digest("sha256:aa")).of("w1", "start", &digest("sha256:aa")).wait(60_000);
    tape.of("w1", "kill", &with(&digest("sha256:aa"), &[("signal", "15")])).of("w1", "stop", &digest("sha256:aa"));
    tape.of("w1", "die", &with(&digest("sha256:aa"), &[("exitCode", "0")])).of("w1", "destroy", &digest("sha256:aa"));
    tape.of("w2", "create", &digest("sha256:bb")).of("w2", "start", &digest("sha256:bb")).wait(1000);
    tape.of("w2", "die", &with(&digest("sha256:bb"), &[("exitCode", "1")])).wait(3000);
    assert!(tape.only().title.contains("image digest"), "{}", tape.only().title);
}

/// Code 255 by inspection means that the daemon lost it.
#[test]
fn a_code_that_was_lost_was_exit_255() {
    let mut tape = Tape::new();
    tape.run("lives").run("gone").wait(30_000).own("disconnect", &[("reason", "reset")]).wait(5000);
    tape.own("connect", &[("engine", "28.5.2")]).own("resumed", &[("replayed", "0")]).wait(500);
    tape.observed("gone", &[("observation", "difference"), ("state", "exited"), ("was", "running"), ("exitCode", "255")]).wait(10_000);
    let told = tape.only();
    assert!(told.counts.exit.is_empty() && !told.title.contains("255"), "{}", told.title);
}

/// What each view says on the way up is never more than what is known then.
#[test]
fn the_wrong_kind_on_the_way_was_not_noticed() {
    let mut tape = Tape::new();
    tape.run("web").wait(30_000);
    for (death, kind) in [(1, Kind::Crash), (2, Kind::Crash), (3, Kind::CrashLoop), (4, Kind::CrashLoop)] {
        tape.die("web", "1").wait(2100);
        assert_eq!((tape.only().kind, tape.only().counts.deaths), (kind, death));
        tape.start("web").wait(1000);
        assert_eq!((tape.only().kind, tape.only().state), (kind, Standing::Open), "{death}");
    }
}
