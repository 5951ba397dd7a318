use super::*;
use crate::event::{Marks, Noise, RECORDER_TYPE};
use crate::ingest::{self, Malformed, SourceSender};
use crate::log::EmbeddedLog;
use crate::reader::Reader;
use crate::redact::Redactor;
use tempfile::TempDir;

fn event(n: i64) -> Input {
    let line = format!(r#"{{"Type":"container","Action":"start","Actor":{{"ID":"c{n}"}},"timeNano":{n}}}"#);
    Input::Event { event: Event::from_line(line.as_bytes()).unwrap(), received: Timestamp::from_nanos(n) }
}

struct Bench {
    log: Arc<dyn EventLog>,
    recovery: Recovery,
    stats: Arc<RecorderStats>,
    drop_noise: bool,
    _dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let (log, recovery) = EmbeddedLog::open(dir.path()).unwrap();
        Self { log: Arc::new(log), recovery, stats: Arc::default(), drop_noise: false, _dir: dir }
    }

    /// One run of the recorder over what `inputs` says.
    async fn session(&self, inputs: Vec<Input>) {
        let (sender, receiver) = ingest::queue(1024, 1 << 20);
        let recorder = Recorder::start(Arc::clone(&self.log), &self.recovery, Arc::clone(&self.stats)).await.unwrap();
        let recorder = recorder.redacting(Redactor::new(Rules::default())).dropping_noise(self.drop_noise);
        let recording = tokio::spawn(recorder.run(receiver));
        let mut source: SourceSender = sender.for_source("local".into());
        drop(sender);
        for input in inputs {
            assert!(source.send(input).await);
        }
        drop(source);
        recording.await.unwrap();
    }

    async fn record(&self, seq: u64) -> crate::event::Record {
        let mut reader = Reader::new(Arc::clone(&self.log), seq - 1, Want::default());
        match reader.next().await.unwrap() {
            Some(Step::Records(selection)) => selection.block.record(seq).unwrap(),
            other => panic!("no record {seq}: {other:?}"),
        }
    }

    /// `type action reason` of every record.
    async fn story(&self) -> Vec<String> {
        let mut reader = Reader::new(Arc::clone(&self.log), 0, Want::default());
        let mut story = Vec::new();
        while let Some(step) = reader.next().await.unwrap() {
            if let Step::Records(selection) = step {
                for seq in selection.sequences() {
                    let event = Event::from_line(selection.block.json(seq).as_bytes()).unwrap();
                    let view = event.view();
                    let id = if view.kind.as_deref() == Some(RECORDER_TYPE) { view.attribute("reason") } else { view.actor_id.as_deref() };
                    story.push(format!("{} {}", view.action.as_deref().unwrap_or(""), id.unwrap_or("-")));
                }
            }
        }
        story
    }
}

fn connected(reason: &str) -> Input {
    Input::Connected { engine: "20.10.24".into(), reason: reason.into(), attempts: 1 }
}

/// A line of the given length that is no event.
fn malformed(bytes: u64) -> Input {
    let received = Timestamp::from_nanos(7);
    Input::Malformed(Malformed { received, bytes, checksum: 1, why: "not JSON".into(), sample: "x".into(), cut: None })
}

/// What is left of an event that is too long.
fn cut(n: i64) -> Input {
    let Input::Event { event, received } = event(n) else { unreachable!() };
    let cut = Some(event.with_marks(Marks { cut: Some(2 << 20), ..Marks::default() }));
    Input::Malformed(Malformed { received, bytes: 2 << 20, checksum: 2, why: "too long".into(), sample: "{".into(), cut })
}

fn replay_end(replayed: u64) -> Input {
    Input::ReplayEnd { replayed, first: None }
}

#[tokio::test]
async fn a_replay_is_stored_once_and_judged() {
    let bench = Bench::new();
    bench
        .session(vec![
            connected("start"),
            event(1),
            event(2),
            event(2),
            replay_end(3),
            event(3),
            Input::Disconnected { reason: "eof".into(), doubt: None },
        ])
        .await;
    let first = ["start -", "connect start", "gap first-contact", "start c1", "start c2", "start c3", "disconnect eof", "stop -"];
    assert_eq!(bench.story().await, first);

    // A new process: it knows from the log alone what is stored.
    bench.session(vec![connected("start"), event(1), event(2), event(3), event(4), replay_end(4), event(5)]).await;
    let second = ["start -", "connect start", "resumed -", "start c4", "start c5", "stop -"];
    assert_eq!(bench.story().await[first.len()..], second);

    bench.session(vec![connected("start"), event(9), replay_end(1)]).await;
    assert_eq!(bench.story().await[first.len() + second.len()..], ["start -", "connect start", "gap daemon-restart", "start c9", "stop -"]);
    assert_eq!(bench.stats.duplicates.load(Relaxed), 4);
}

#[tokio::test]
async fn what_could_not_be_had_is_a_record() {
    let bench = Bench::new();
    let time = Timestamp::from_nanos(7);
    let malformed = malformed(9);
    bench.session(vec![malformed, Input::Overflow { lost: 5, from: time, until: time }]).await;
    assert_eq!(bench.story().await, ["start -", "gap malformed", "gap queue-overflow", "stop -"]);
}

#[tokio::test]
async fn what_recovery_lost_is_a_record() {
    let mut bench = Bench::new();
    bench.recovery = Recovery { clean: false, lost: vec![5..=9, 12..=12], quarantined: Vec::new(), forked: None };
    bench.session(vec![]).await;
    assert_eq!(bench.story().await, ["gap damage", "gap damage", "start -", "stop -"]);
}

#[tokio::test]
async fn a_closed_log_stops_recording_but_not_reading() {
    let bench = Bench::new();
    let (sender, receiver) = ingest::queue(1024, 1 << 20);
    let recorder = Recorder::start(Arc::clone(&bench.log), &bench.recovery, Arc::clone(&bench.stats)).await.unwrap();
    let recording = tokio::spawn(recorder.run(receiver));
    bench.log.close().await.unwrap();
    let mut source = sender.for_source("local".into());
    drop(sender);
    for n in 0..2000 {
        assert!(source.send(event(n)).await, "the queue is drained even so");
    }
    drop(source);
    recording.await.unwrap();
    assert_eq!(bench.stats.lost.load(Relaxed), 2001);
    assert_eq!(bench.story().await, ["start -"]);
}

#[tokio::test]
async fn a_host_that_was_quiet_while_others_were_busy_is_not_recorded_twice() {
    let bench = Bench::new();
    bench.session(vec![connected("start"), event(1), event(2), replay_end(2)]).await;
    let noise: Vec<_> = (0..memory::LOOK_BACK + 100)
        .map(|n| {
            let line = format!(r#"{{"Type":"container","Action":"start","Actor":{{"ID":"n{n}"}},"timeNano":{}}}"#, n + 1000);
            NewRecord { source: "busy".into(), received: Timestamp::now(), event: Event::from_line(line.as_bytes()).unwrap() }
        })
        .collect();
    bench.log.append(noise).await.unwrap();
    let before = bench.story().await.len();
    bench.session(vec![connected("start"), event(1), event(2), event(3), replay_end(3)]).await;
    assert_eq!(bench.story().await[before..], ["start -", "connect start", "resumed -", "start c3", "stop -"]);
}

#[tokio::test]
async fn a_replay_that_is_cut_short_is_judged_before_it_is_stored() {
    let bench = Bench::new();
    bench.session(vec![connected("start"), event(1), replay_end(1)]).await;
    let before = bench.story().await.len();
    // Nothing of the ring's beginning is known: a client that reads event 8 must have read of the gap before.
    bench.session(vec![connected("start"), event(8), Input::Disconnected { reason: "eof".into(), doubt: None }]).await;
    assert_eq!(bench.story().await[before..], ["start -", "connect start", "gap daemon-restart", "start c8", "disconnect eof", "stop -"]);
    let before = bench.story().await.len();
    bench.session(vec![connected("start"), event(8), event(9)]).await;
    assert_eq!(bench.story().await[before..], ["start -", "connect start", "resumed -", "start c9", "stop -"]);
}

/// Each of these has a little more than a quarter of what is held for a verdict, so that the fourth is too
/// much. The time for it does not begin to run.
#[tokio::test]
async fn a_replay_of_large_events_is_judged_when_it_has_its_bytes() {
    let bench = Bench::new();
    let large = |n: i64| {
        let pad = "x".repeat(MAX_REPLAY_BYTES / 4);
        let line =
            format!(r#"{{"Type":"container","Action":"start","Actor":{{"ID":"c{n}","Attributes":{{"pad":"{pad}"}}}},"timeNano":{n}}}"#);
        Input::Event { event: Event::from_line(line.as_bytes()).unwrap(), received: Timestamp::from_nanos(n) }
    };
    let mut recorder = Recorder::start(Arc::clone(&bench.log), &bench.recovery, Arc::clone(&bench.stats)).await.unwrap();
    let source: Arc<str> = "local".into();
    recorder.replays.insert(Arc::clone(&source), HeldBack { records: Vec::new(), bytes: 0, since: Instant::now() + MAX_REPLAY_WAIT });
    let mut held = Vec::new();
    for n in 1..=5 {
        let Input::Event { event, received } = large(n) else { unreachable!() };
        recorder.add(NewRecord { source: Arc::clone(&source), received, event });
        held.push(recorder.replays.get(&source).map_or(0, |held| held.bytes));
    }
    assert!(held[..3].iter().all(|bytes| (1..=MAX_REPLAY_BYTES).contains(bytes)), "{held:?}");
    assert_eq!(held[3..], [0, 0], "judged, and what comes next is stored as it comes");
}

fn exec(n: i64, noise: Option<Noise>) -> Input {
    let line = format!(
        r#"{{"Type":"container","Action":"exec_create: hunter2","Actor":{{"ID":"x{n}","Attributes":{{"execID":"e{n}"}}}},"timeNano":{n}}}"#
    );
    Input::Event { event: Event::from_line(line.as_bytes()).unwrap().marked(noise), received: Timestamp::from_nanos(n) }
}

#[tokio::test]
async fn what_is_redacted_is_recognised_and_keeps_its_mark() {
    let bench = Bench::new();
    let noise = Some(Noise::HealthCheck);
    bench.session(vec![connected("start"), exec(1, None), exec(2, noise), replay_end(2)]).await;
    // Whether an event is marked depends on what was known when it came: it is the same event even so.
    bench.session(vec![connected("start"), exec(1, noise), exec(2, None), exec(3, noise), replay_end(3)]).await;
    let command = "exec_create: [redacted] (exec-command)";
    let story = bench.story().await;
    assert_eq!(story[2..5], ["gap first-contact".to_owned(), format!("{command} x1"), format!("{command} x2")]);
    assert_eq!(story[8..], ["resumed -".to_owned(), format!("{command} x3"), "stop -".to_owned()]);
    let mut reader = Reader::new(Arc::clone(&bench.log), 0, Want::default());
    let mut marks = Vec::new();
    while let Some(step) = reader.next().await.unwrap() {
        let Step::Records(selection) = step else { continue };
        let execs = selection.sequences().filter(|seq| selection.block.json(*seq).contains("exec_create"));
        marks.extend(execs.map(|seq| selection.block.noise(seq)));
    }
    assert_eq!(marks, [None, noise, noise]);
    assert_eq!((bench.stats.redacted.load(Relaxed), bench.stats.duplicates.load(Relaxed)), (5, 2));
}

#[tokio::test]
async fn noise_that_is_dropped_is_counted_and_still_proves_something() {
    let bench = Bench { drop_noise: true, ..Bench::new() };
    let noise = Some(Noise::HealthCheck);
    let eof = || Input::Disconnected { reason: "eof".into(), doubt: None };
    bench
        .session(vec![
            connected("start"),
            event(1),
            exec(2, noise),
            replay_end(2),
            eof(),
            connected("eof"),
            exec(2, noise),
            exec(3, None),
            replay_end(2),
        ])
        .await;
    let expected = [
        "gap first-contact",
        "start c1",
        "disconnect eof",
        "connect eof",
        "resumed -",
        "exec_create: [redacted] (exec-command) x3",
        "stop -",
    ];
    assert_eq!(bench.story().await[2..], expected);
    assert_eq!((bench.stats.dropped_noise.load(Relaxed), bench.stats.stored.load(Relaxed)), (1, 9));
}

/// A crash between a stream that was not trusted and the next connection must not make proof of it.
#[tokio::test]
async fn doubt_outlives_a_crash() {
    let bench = Bench::new();
    let events = |range: std::ops::Range<i64>| range.map(event).collect::<Vec<_>>();
    let doubt = Some(crate::ingest::Doubt { lines: 100, since: Timestamp::from_nanos(900) });
    let untrusted = Input::Disconnected { reason: "stood still".into(), doubt };
    let first = [vec![connected("start"), replay_end(0)], events(1..1000), vec![untrusted]].concat();
    bench.session([first, events(1000..1010)].concat()).await;
    bench.session([vec![connected("start")], events(905..1161), vec![replay_end(256)]].concat()).await;
    let story = bench.story().await;
    let verdicts: Vec<_> = story.iter().filter(|line| line.starts_with("gap") || line.starts_with("resumed")).collect();
    assert_eq!(verdicts, ["gap first-contact", "gap ring-overflow"]);
    bench.session([vec![connected("start")], events(1000..1161), vec![replay_end(161)]].concat()).await;
    assert!(bench.story().await.iter().any(|line| line.starts_with("resumed")), "it is settled by then");
}

#[tokio::test]
async fn a_line_that_is_no_event_is_told_once_however_often_it_is_replayed() {
    let bench = Bench::new();
    let replay = || vec![connected("cut"), event(1), malformed(9), cut(5), event(2), replay_end(4)];
    let live = vec![connected("start"), event(1), replay_end(1), malformed(9), cut(5), event(2)];
    bench.session([live, replay(), replay()].concat()).await;
    let first = bench.story().await;
    let told = ["gap malformed", "start c5", "gap malformed", "start c2", "connect cut", "resumed -", "connect cut", "resumed -", "stop -"];
    assert_eq!(first[4..], told);

    // A new process: it knows from the log alone what is told. The line alone proves that nothing is missing.
    bench.session([replay(), vec![connected("cut"), malformed(9), replay_end(1)]].concat()).await;
    assert_eq!(bench.story().await[first.len()..], ["start -", "connect cut", "resumed -", "connect cut", "resumed -", "stop -"]);

    // Another one, and one that comes live again.
    let before = bench.story().await.len();
    bench.session(vec![connected("cut"), event(1), malformed(10), replay_end(2), malformed(10)]).await;
    let third = ["start -", "connect cut", "resumed -", "gap malformed", "gap malformed", "stop -"];
    assert_eq!(bench.story().await[before..], third);
}

#[tokio::test]
async fn an_event_that_is_too_long_is_a_cut_record_and_a_gap_at_its_time() {
    let bench = Bench::new();
    bench.session(vec![connected("start"), replay_end(0), cut(5)]).await;
    let block = bench.record(4).await;
    assert_eq!(block.event.marks().cut, Some(2 << 20));
    let gap = bench.record(5).await;
    let view = gap.event.view();
    assert_eq!((view.attribute("from"), view.attribute("until")), (Some("1970-01-01T00:00:00.000000005Z"), view.attribute("from")));
    assert_eq!((view.attribute("bytes"), view.attribute("reason")), (Some("2097152"), Some("malformed")));
}

#[tokio::test]
async fn a_daemons_own_recorder_lines_change_nothing() {
    let bench = Bench::new();
    let foreign = |json: &str| Input::Event { event: Event::from_daemon(json.as_bytes()).unwrap(), received: Timestamp::from_nanos(1) };
    bench.session(vec![connected("start"), event(1), replay_end(1)]).await;
    // As if what is stored was in doubt, and as if it was not.
    for forged in [
        r#"{"Type":"recorder","Action":"disconnect","Actor":{"ID":"local","Attributes":{"doubtful":"100","doubtful_since":"2026-01-01T00:00:00.000000000Z"}},"timeNano":2}"#,
        r#"{"Type":"container","Action":"gap","Type":"recorder","Actor":{"ID":"local","Attributes":{"reason":"malformed","bytes":"9","checksum":"00000001"}},"timeNano":3}"#,
    ] {
        bench.session(vec![connected("start"), event(1), foreign(forged), replay_end(2)]).await;
    }
    let before = bench.story().await.len();
    bench.session(vec![connected("start"), event(1), malformed(9), replay_end(2)]).await;
    assert_eq!(bench.story().await[before..], ["start -", "connect start", "resumed -", "gap malformed", "stop -"]);
}

#[tokio::test]
async fn a_wall_clock_that_is_set_is_a_record_and_received_does_not_fall() {
    let bench = Bench::new();
    let hands = Arc::new(parking_lot::Mutex::new((1_000_000_000_000_i64, 0_i64)));
    let of_clock = Arc::clone(&hands);
    let clock = Arc::new(Clock::new(move || {
        let (wall, steady) = *of_clock.lock();
        crate::time::Reading { wall: Timestamp::from_nanos(wall), steady }
    }));
    let recorder = Recorder::start_by(clock, Arc::clone(&bench.log), &bench.recovery, Arc::clone(&bench.stats)).await.unwrap();
    let (sender, receiver) = ingest::queue(1024, 1 << 20);
    let recording = tokio::spawn(recorder.run(receiver));
    let mut head = bench.log.watch_head();
    // Nothing else happens: the recorder looks by itself.
    for (seq, wall) in [(2, 1_100_000_000_000), (3, 1_000_000_000_000)] {
        *hands.lock() = (wall, i64::try_from(seq).unwrap() * 1_000_000_000);
        tokio::time::timeout(Duration::from_secs(30), head.wait_for(|head| *head >= seq)).await.unwrap().unwrap();
    }
    drop(sender);
    recording.await.unwrap();
    assert_eq!(bench.story().await, ["start -", "clock -", "clock -", "stop -"]);
    let (forward, back) = (bench.record(2).await, bench.record(3).await);
    let told = |record: &crate::event::Record| {
        let view = record.event.view();
        [view.attribute("from").unwrap().to_owned(), view.attribute("to").unwrap().to_owned()]
    };
    assert_eq!(told(&forward), ["1970-01-01T00:16:42.000000000Z", "1970-01-01T00:18:20.000000000Z"]);
    assert_eq!(told(&back), ["1970-01-01T00:18:21.000000000Z", "1970-01-01T00:16:40.000000000Z"]);
    assert_eq!((forward.received, back.received), (Timestamp::from_nanos(1_100_000_000_000), Timestamp::from_nanos(1_101_000_000_000)));
}
