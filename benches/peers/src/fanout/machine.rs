//! The machine: which core, how many files, how much processor time and memory of others.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::read_to_string;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Servers run here.
const SERVER_CORE: &str = "0";
/// And clients here.
const CLIENT_CORE: usize = 1;
/// For ten thousand connections at either end.
const FILES: u64 = 30_000;

/// Binds this thread, and those that it starts, to the clients' core, and raises the limit of open files,
/// which servers inherit.
pub(super) fn prepare() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert!(cores > CLIENT_CORE, "needs two cores: one for the server, one for the clients");
    let mut core = CpuSet::new();
    core.set(CLIENT_CORE);
    sched_setaffinity(None, &core).expect("the clients' core");
    if setrlimit(Resource::Nofile, Rlimit { current: Some(FILES), maximum: Some(FILES) }).is_err() {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("as many files as are allowed");
    }
}

/// A program that will run on the servers' core, and will see no other: it sizes its thread pools by that.
pub(super) fn on_server_core(program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CORE, program]);
    command
}

/// Nanoseconds since the first call; what the delays are taken by.
pub(super) fn nanos() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_nanos()).unwrap()
}

/// A process and its children.
pub(super) fn family(pid: u32) -> Vec<u32> {
    let children = read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    std::iter::once(pid).chain(children.split_whitespace().filter_map(|child| child.parse().ok())).collect()
}

/// Nanoseconds that each thread has run.
pub(super) struct Cpu(HashMap<OsString, u64>);

impl Cpu {
    pub(super) fn now(pids: &[u32]) -> Self {
        let tasks = pids.iter().flat_map(|pid| std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten());
        let figures = tasks.filter_map(|task| {
            let text = read_to_string(task.path().join("schedstat")).ok()?;
            Some((task.file_name(), text.split(' ').next()?.parse().ok()?))
        });
        Self(figures.collect())
    }

    /// By thread, since one that ends meanwhile takes its past along. It was idle: threads of a pool end
    /// after a long rest.
    pub(super) fn since(&self, before: &Self) -> Duration {
        let used = self.0.iter().map(|(task, nanos)| nanos - before.0.get(task).unwrap_or(&0));
        Duration::from_nanos(used.sum())
    }
}

/// How long this thread could have run, and something else did on its core.
pub(super) fn waited() -> Duration {
    let figures = read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(figures.split_whitespace().nth(1).and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

/// Their memory in KiB, pages that they share counted by halves.
pub(super) fn memory(pids: &[u32]) -> u64 {
    let rollups = pids.iter().filter_map(|pid| read_to_string(format!("/proc/{pid}/smaps_rollup")).ok());
    let lines = |text: String| text.lines().find_map(|line| line.strip_prefix("Pss:")?.split_whitespace().next()?.parse::<u64>().ok());
    rollups.filter_map(lines).sum()
}

/// Bytes that they had from the disk rather than from the page cache.
pub(super) fn disk_reads(pids: &[u32]) -> u64 {
    let figures = pids.iter().filter_map(|pid| read_to_string(format!("/proc/{pid}/io")).ok());
    figures.filter_map(|text| text.lines().find_map(|line| line.strip_prefix("read_bytes: ")?.parse::<u64>().ok())).sum()
}

/// Waits until they do nothing any more: cleaning up after one run must not be in the next.
pub(super) fn settle(pids: &[u32]) {
    const PAUSE: Duration = Duration::from_millis(100);
    const PATIENCE: u32 = 100;
    for _ in 0..PATIENCE {
        let before = Cpu::now(pids);
        std::thread::sleep(PAUSE);
        if Cpu::now(pids).since(&before) < PAUSE / 50 {
            return;
        }
    }
}
