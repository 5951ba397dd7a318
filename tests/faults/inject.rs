//! Faults at chosen system calls, by strace.

use crate::child::Plan;
use crate::verdict::{Seen, look, no_litter};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

pub(crate) fn has_strace() -> bool {
    let works = Command::new("strace").args(["-f", "-e", "trace=none", "true"]).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !works {
        crate::skipped::skipped("faults at system calls: strace is missing or may not trace");
    }
    works
}

/// Runs a child to its end under an injection, which strace counts by thread; the lines that are no records,
/// and whether it ended by itself.
pub(crate) fn run(plan: &Plan, inject: &str, seen: &mut Seen) -> (Vec<String>, bool) {
    let call = inject.split(':').next().unwrap().to_owned();
    let inner = plan.command();
    let mut command = Command::new("strace");
    command.args(["-f", "-qqq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &format!("inject={inject}"), "-e", "signal=none"]);
    command.arg(inner.get_program()).args(inner.get_args());
    for (key, value) in inner.get_envs() {
        command.env(key, value.unwrap_or_default());
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = seen.take_all(child.stdout.take().unwrap());
    let done = lines.iter().any(|line| line == "done");
    child.wait().unwrap();
    (lines, done)
}

/// The calls with which a log reaches the disk.
pub(crate) const CALLS: [&str; 8] = ["pwrite64", "write", "fdatasync", "fsync", "rename", "unlink", "unlinkat", "sync_file_range"];

#[test]
fn a_kill_at_any_call_leaves_a_log_that_opens() {
    if !has_strace() {
        return;
    }
    let mut random = crate::random("kill at calls");
    let mut reached = std::collections::BTreeMap::new();
    for call in CALLS {
        let mut ended = false;
        let mut nth = 1;
        let mut kills = 0;
        // Every call at first, then wider and wider, until the work is done before the kill comes.
        while !ended && kills < crate::rounds(24) {
            let dir = TempDir::new().unwrap();
            let mut seen = Seen::default();
            let plan = Plan { appends: 60, keep: 60, ..Plan::new(dir.path(), 1) };
            (_, ended) = run(&plan, &format!("{call}:signal=KILL:when={nth}"), &mut seen);
            let about = format!("SIGKILL at {call} number {nth}");
            if dir.path().join("log/lock").exists() {
                let left = look(dir.path(), 0);
                left.holds(&seen, &about);
                left.is_whole(&about);
                no_litter(dir.path());
            }
            kills += u64::from(!ended);
            nth += 1 + rand::RngExt::random_range(&mut random, 0..=(nth / 4 + kills / 8));
        }
        reached.insert(call, (kills, nth));
    }
    eprintln!("kills, and the call they got to: {reached:?}");
    assert!(reached.iter().filter(|(_, (kills, _))| *kills > 2).count() >= 6, "{reached:?}");
}

#[test]
fn a_failed_fsync_stops_the_writer_and_nothing_else() {
    if !has_strace() {
        return;
    }
    for (call, when) in [("fdatasync", "12"), ("fdatasync", "12+"), ("fdatasync", "30")] {
        let dir = TempDir::new().unwrap();
        let mut seen = Seen::default();
        let plan = Plan { appends: 400, pause: Duration::from_millis(1), ..Plan::new(dir.path(), 1) };
        let (lines, done) = run(&plan, &format!("{call}:error=EIO:when={when}"), &mut seen);
        assert!(done && lines.iter().any(|line| line == "state poisoned"), "{call} {when}: {lines:?}");
        assert!(!lines.iter().any(|line| line.starts_with("unreadable")), "reads go on: {lines:?}");
        let left = look(dir.path(), 0);
        left.holds(&seen, call);
        left.is_whole(call);
        assert!(left.records.len() < 400, "nothing was written after the failure");
    }
}

#[test]
fn what_is_acknowledged_does_not_depend_on_sleds_own_sync() {
    if !has_strace() {
        return;
    }
    let mut stopped = 0;
    for when in ["3", "3+", "4+"] {
        let dir = TempDir::new().unwrap();
        let mut seen = Seen::default();
        let plan = Plan { appends: 600, pause: Duration::from_millis(2), ..Plan::new(dir.path(), 1) };
        let (lines, done) = run(&plan, &format!("sync_file_range:error=EIO:when={when}"), &mut seen);
        assert!(done && !lines.iter().any(|line| line.starts_with("unreadable")), "{when}: {lines:?}");
        stopped += u64::from(lines.iter().any(|line| line == "state poisoned"));
        let left = look(dir.path(), 0);
        left.holds(&seen, when);
        left.is_whole(when);
        let numbers: Vec<_> = left.records.values().copied().collect();
        assert!(!numbers.is_empty() && numbers.iter().copied().eq(1..=numbers.len() as u64), "each record once, in order");
    }
    assert!(stopped > 0, "sled never noticed: the test hurts nothing");
}

#[test]
fn want_of_space_in_the_middle_of_a_write_is_survived() {
    if !has_strace() {
        return;
    }
    for when in ["40..60", "75..80", "90..200"] {
        let dir = TempDir::new().unwrap();
        let mut seen = Seen::default();
        let plan = Plan { appends: 80, ..Plan::new(dir.path(), 1) };
        let (lines, done) = run(&plan, &format!("pwrite64:error=ENOSPC:when={when}"), &mut seen);
        assert!(done, "it goes on by itself: {lines:?}");
        let left = look(dir.path(), 0);
        left.holds(&seen, when);
        left.is_whole(when);
        let all: u64 = left.records.len() as u64;
        let numbers: std::collections::BTreeSet<_> = left.records.values().collect();
        assert_eq!(numbers.len() as u64, all, "no record twice");
        assert_eq!(*left.records.values().max().unwrap(), all, "every record that was to be appended is there");
        eprintln!("ENOSPC at writes {when}: {:?}", lines.iter().filter(|l| l.starts_with("state")).collect::<Vec<_>>());
    }
}
