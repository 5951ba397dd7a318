//! The source against a fake daemon.

mod bounds;
mod failures;
#[path = "../../../../tests/it/fake_daemon.rs"]
mod fake_daemon;
mod large;
mod news;
mod state;
mod stream;

use super::*;
use crate::ingest::{Input, QueueReceiver, QueueStats, SourceState, Tagged, queue};
use crate::shutdown::Stop;
use crate::time::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const DEADLINE: Duration = Duration::from_secs(10);
/// Longer than any test: so that only the other signs end the replay.
const NEVER: Duration = Duration::from_secs(600);

/// A running source and the recorder's end of its queue.
struct Rig {
    receiver: QueueReceiver,
    waiting: std::collections::VecDeque<Input>,
    status: StatusHandle,
    stop: Stop,
    task: JoinHandle<()>,
}

fn quick() -> Timing {
    Timing {
        retry_first: Duration::from_millis(10),
        retry_max: Duration::from_millis(40),
        retry_restless: Duration::from_millis(40),
        look_again: Duration::ZERO,
        observation_grace: Duration::from_millis(50),
        ..Timing::default()
    }
}

impl Rig {
    fn start(url: &str, timing: Timing) -> Self {
        Self::start_with(url, timing, 10_000)
    }

    fn start_with(url: &str, timing: Timing, places: usize) -> Self {
        let (sender, receiver) = queue(places, 64 << 20);
        let source = Box::new(DockerSource::with_timing(DockerHost::parse(url).unwrap(), timing).with_last_words(2));
        let status = StatusHandle::new(&source.name(), source.endpoint());
        let stop = Stop::new();
        let task = tokio::spawn(source.run(sender.for_source("local".into()), status.clone(), stop.shutdown()));
        Self { receiver, waiting: std::collections::VecDeque::new(), status, stop, task }
    }

    /// The next input that is no observation.
    async fn next(&mut self) -> Input {
        loop {
            let input = self.next_of_all().await;
            if !matches!(input, Input::Observed { .. }) {
                return input;
            }
        }
    }

    async fn next_of_all(&mut self) -> Input {
        if self.waiting.is_empty() {
            let mut inputs: Vec<Tagged> = Vec::new();
            let taken = tokio::time::timeout(DEADLINE, self.receiver.recv_many(&mut inputs, 10_000)).await;
            assert!(taken.unwrap_or_else(|_| panic!("no input; {:?}", self.status.get())) > 0, "the senders are gone");
            self.waiting.extend(inputs.into_iter().map(|tagged| tagged.input));
        }
        self.waiting.pop_front().unwrap()
    }

    async fn expect_event(&mut self, line: &str) {
        match self.next().await {
            Input::Event { event, .. } if event.as_json() == line => {}
            other => panic!("{other:?} instead of {line}"),
        }
    }

    async fn expect_connected(&mut self) -> String {
        self.expect_connected_to("28.0.0-fake").await
    }

    async fn expect_connected_to(&mut self, version: &str) -> String {
        match self.next().await {
            Input::Connected { engine, reason, .. } => {
                assert_eq!(engine, version);
                reason
            }
            other => panic!("{other:?} instead of Connected"),
        }
    }

    async fn expect_replay_end(&mut self, expected: u64) -> Option<Timestamp> {
        match self.next().await {
            Input::ReplayEnd { replayed, first } if replayed == expected => first,
            other => panic!("{other:?} instead of ReplayEnd after {expected}"),
        }
    }

    async fn expect_replay_lost(&mut self, part: &str) {
        match self.next().await {
            Input::ReplayLost { why } => assert!(why.contains(part), "{why}"),
            other => panic!("{other:?} instead of ReplayLost"),
        }
    }

    async fn expect_disconnected(&mut self) -> String {
        match self.next().await {
            Input::Disconnected { reason, .. } => reason,
            other => panic!("{other:?} instead of Disconnected"),
        }
    }

    /// The action of the next input, which is an observation.
    async fn expect_observed(&mut self) -> String {
        match self.next_of_all().await {
            Input::Observed { event, .. } => event.view().action.unwrap().into_owned(),
            other => panic!("{other:?} instead of an observation"),
        }
    }

    async fn wait_for(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !condition(self) {
            assert!(start.elapsed() < DEADLINE, "not in time: {what}; {:?}", self.status.get());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn queue(&self) -> QueueStats {
        self.receiver.stats()
    }
}

/// The warnings of this thread from now on, for as long as what comes with them is there.
fn warnings() -> (std::sync::mpsc::Receiver<String>, (tracing::Dispatch, tracing::subscriber::DefaultGuard)) {
    struct Lines(std::sync::mpsc::SyncSender<String>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.try_send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (say, said) = std::sync::mpsc::sync_channel(1000);
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(move || Lines(say.clone())).finish();
    // While there is one alone, threads without one decide what it gets to hear (tracing-core,
    // `Rebuilder::JustOne`).
    let another = tracing::Dispatch::new(tracing_subscriber::registry());
    // The source runs on this thread.
    (said, (another, tracing::subscriber::set_default(subscriber)))
}

fn die(name: &str, nanos: i64) -> String {
    format!(
        r#"{{"status":"die","id":"f4","Type":"container","Action":"die","Actor":{{"ID":"f4","Attributes":{{"name":"{name}"}}}},"scope":"local","time":{},"timeNano":{nanos}}}"#,
        nanos / 1_000_000_000
    )
}

/// An event from long ago.
fn old(n: i64) -> String {
    die("old", 1_600_000_000_000_000_000 + n)
}

/// An event of now, which is after any request made before.
fn live(name: &str) -> String {
    die(name, Timestamp::now().nanos())
}
