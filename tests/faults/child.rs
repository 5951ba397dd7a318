//! The process that is hurt: appends, reads what it appends, and tells on stdout what it saw.
//!
//! Lines: `ready`, `saw SEQ NUMBER` for each record that a reader was given, `state WORD` when the writer's
//! state changes, `done`.

use shipslog::event::Event;
use shipslog::log::{EmbeddedLog, EventLog, Limits, LogError, NewRecord, WriterState};
use shipslog::reader::{Reader, Step, Want};
use shipslog::time::Timestamp;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// No child works for so long, not even under strace.
const LONGEST_LIFE: Duration = Duration::from_secs(180);

/// What a child is to do; passed on in the environment.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) dir: PathBuf,
    /// Number of the first record; they rise from there.
    pub(crate) from: u64,
    /// Appends; it ends after them. 0: for ever.
    pub(crate) appends: u64,
    /// Records an append, at most.
    pub(crate) batch: u64,
    /// Bytes added to each message.
    pub(crate) padding: usize,
    /// Trims to about so many records now and then; 0: never.
    pub(crate) keep: u64,
    /// Wait between appends.
    pub(crate) pause: Duration,
}

impl Plan {
    pub(crate) fn new(dir: &Path, from: u64) -> Self {
        Self { dir: dir.to_owned(), from, appends: 0, batch: 6, padding: 0, keep: 0, pause: Duration::ZERO }
    }

    /// The test binary runs itself with just the test below.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["child::child", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(
            "SHIPSLOG_CHILD",
            format!(
                "{}|{}|{}|{}|{}|{}|{}",
                self.dir.display(),
                self.from,
                self.appends,
                self.batch,
                self.padding,
                self.keep,
                self.pause.as_micros()
            ),
        );
        command.env("RUST_BACKTRACE", "0").stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    pub(crate) fn start(&self) -> Child {
        self.command().spawn().unwrap()
    }

    fn from_env() -> Option<Self> {
        let text = std::env::var("SHIPSLOG_CHILD").ok()?;
        let [dir, from, appends, batch, padding, keep, pause] = text.split('|').collect::<Vec<_>>().try_into().unwrap();
        Some(Self {
            dir: dir.into(),
            from: from.parse().unwrap(),
            appends: appends.parse().unwrap(),
            batch: batch.parse().unwrap(),
            padding: padding.parse().unwrap(),
            keep: keep.parse().unwrap(),
            pause: Duration::from_micros(pause.parse().unwrap()),
        })
    }
}

/// Tips so small that a few appends fill one: most of what a child does is turning over, sealing and merging.
pub(crate) fn limits() -> Limits {
    Limits { tip_records: 24, merge_after: Duration::from_millis(2), ..Limits::default() }
}

/// The message of record `number`.
pub(crate) fn message(number: u64, padding: usize) -> String {
    // Rises a little and does not compress well, as real ones.
    let noise: String =
        (0..padding).map(|n| char::from(b'a' + u8::try_from((number.wrapping_mul(2_654_435_761) >> (n % 23)) % 26).unwrap())).collect();
    format!(
        r#"{{"Type":"container","Action":"start","Actor":{{"ID":"c{number}","Attributes":{{"name":"job-{number}","noise":"{noise}"}}}},"timeNano":{}}}"#,
        number * 1000
    )
}

fn record(number: u64, padding: usize) -> NewRecord {
    let event = Event::from_line(message(number, padding).as_bytes()).unwrap();
    NewRecord { source: "local".into(), received: Timestamp::now(), event }
}

/// The number of the record in a line or message.
pub(crate) fn number(text: &str) -> u64 {
    text.split("job-").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).unwrap();
    out.flush().unwrap();
}

#[test]
fn child() {
    let Some(plan) = Plan::from_env() else { return };
    // A test that waits for what it says then sees it end.
    std::thread::spawn(|| {
        std::thread::sleep(LONGEST_LIFE);
        say(&format!("\nstuck: not at its end after {LONGEST_LIFE:?}\n"));
        std::process::abort();
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(work(plan));
}

async fn work(plan: Plan) {
    let (log, _) = EmbeddedLog::open_with(&plan.dir, limits()).unwrap_or_else(|e| {
        say(&format!("\nrefused {e}\n"));
        std::process::exit(3);
    });
    let log: Arc<dyn EventLog> = Arc::new(log);
    say("\nready\n");
    let reading = tokio::spawn(tell_what_is_seen(Arc::clone(&log)));
    let telling = tokio::spawn(tell_the_state(Arc::clone(&log)));
    let (mut number, mut count) = (plan.from, 0);
    while plan.appends == 0 || count < plan.appends {
        let size = 1 + number % plan.batch;
        let mut batch: Vec<_> = (number..number + size).map(|n| record(n, plan.padding)).collect();
        loop {
            match log.append(batch.clone()).await {
                Ok(_) => break,
                Err(LogError::Full { stored, .. }) => {
                    batch.drain(..stored);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(_) => {
                    // Poisoned: reads must continue, so everything is read once more.
                    say("state poisoned\n");
                    tell_what_is_there(&log).await;
                    say("done\n");
                    return;
                }
            }
        }
        number += size;
        count += 1;
        if plan.keep > 0 && count.is_multiple_of(16) {
            let _ = log.trim(log.bounds().head.saturating_sub(plan.keep)).await;
        }
        if !plan.pause.is_zero() {
            tokio::time::sleep(plan.pause).await;
        }
    }
    let _ = log.close().await;
    tell_what_is_there(&log).await;
    telling.abort();
    reading.abort();
    say("done\n");
}

async fn tell_the_state(log: Arc<dyn EventLog>) {
    let mut state = log.watch_writer();
    while state.changed().await.is_ok() {
        let word = match &*state.borrow_and_update() {
            WriterState::Ok => "ok",
            WriterState::Full(_) => "full",
            WriterState::Poisoned(_) | WriterState::ReadOnly => continue,
        };
        say(&format!("state {word}\n"));
    }
}

/// One pass over everything.
async fn tell_what_is_there(log: &Arc<dyn EventLog>) {
    let mut reader = Reader::new(Arc::clone(log), log.bounds().oldest - 1, Want::default());
    while let Ok(Some(step)) = reader.next().await {
        tell(&step);
    }
}

/// Follows the log for ever, from its head on.
async fn tell_what_is_seen(log: Arc<dyn EventLog>) {
    let mut reader = Reader::new(Arc::clone(&log), log.bounds().head, Want::default());
    loop {
        match reader.next().await {
            Ok(Some(step)) => tell(&step),
            Ok(None) => drop(reader.wait().await),
            Err(e) => say(&format!("unreadable {e}\n")),
        }
    }
}

fn tell(step: &Step) {
    let mut out = String::new();
    match step {
        Step::Records(selection) => {
            // A log of a fixture holds others as well.
            for seq in selection.sequences().filter(|seq| selection.block.json(*seq).contains("job-")) {
                let _ = writeln!(out, "saw {seq} {}", number(selection.block.json(seq)));
            }
        }
        Step::Gap(range, reason) => {
            let _ = writeln!(out, "gap {} {} {reason:?}", range.start(), range.end());
        }
        Step::Nothing => {}
    }
    say(&out);
}
