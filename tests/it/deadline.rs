//! Every wait ends: with what was waited for, or after [`PATIENCE`] with words that tell what did not come.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Nothing in these stories takes this long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What comes of `future`, which is told to be `what`.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// Polls until there is an answer; an answer that does not come is waited for no longer either.
pub(crate) async fn wait_for<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let polling = async {
        loop {
            if let Some(found) = probe().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(what, polling).await
}

/// A client that gives up where nothing comes for so long, in the middle of a body, too.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().connect_timeout(PATIENCE).read_timeout(PATIENCE).build().unwrap()
}

/// The end of a process. One that does not end is killed after its threads were looked at.
pub(crate) fn end_of(child: &mut Child, what: &str) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > PATIENCE {
            let threads = threads(child.id());
            let _ = child.kill();
            panic!("{what} has not ended after {PATIENCE:?}; its threads:\n{threads}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The first line that comes out of a pipe, which is closed then; nothing when it ends before. `process`
/// writes into it.
pub(crate) fn first_line(pipe: impl Read + Send + 'static, process: u32, what: &str) -> String {
    let (sender, receiver) = sync_channel(1);
    std::thread::spawn(move || {
        let mut line = String::new();
        // A small buffer: the writer is to notice that nobody reads the rest.
        let read = BufReader::with_capacity(64, pipe).read_line(&mut line);
        let _ = sender.send(read.map(|_| line));
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok(line) => line.unwrap(),
        Err(RecvTimeoutError::Timeout) => panic!("waited {PATIENCE:?} in vain for {what}; its threads:\n{}", threads(process)),
        Err(RecvTimeoutError::Disconnected) => panic!("{what}: nobody reads"),
    }
}

/// What the threads of a process are doing: name, state, and the system call that each waits in.
fn threads(process: u32) -> String {
    let mut out = String::new();
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else { return "gone".to_owned() };
    for task in tasks.flatten() {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default().trim().to_owned();
        let stat = read("stat");
        let state = stat.rsplit_once(')').map_or("", |(_, rest)| rest.trim()).split(' ').next().unwrap_or_default();
        let _ = writeln!(out, "{:16} {state} wchan {:24} syscall {}", read("comm"), read("wchan"), read("syscall"));
    }
    out
}
