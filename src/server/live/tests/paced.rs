//! Paced replays in virtual time: the clock stands still but for what the feed waits for.

use super::super::control::Control;
use super::super::feed::{Feed, Item};
use crate::cursor::Sequence;
use crate::event::Event;
use crate::filter::Filter;
use crate::log::{EmbeddedLog, EventLog, Limits, NewRecord};
use crate::reader::{StartAt, Want};
use crate::shutdown::Stop;
use crate::time::Timestamp;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

const BEGAN_NANOS: i64 = 1_700_000_000_000_000_000;

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_nanos(BEGAN_NANOS + i64::try_from(Duration::from_secs_f64(seconds).as_nanos()).unwrap())
}

/// Received so many seconds after the first one; it had happened half a second before that.
fn record(received: f64) -> NewRecord {
    let kind = if received.fract() > 0.0 { "network" } else { "container" };
    let time = at(received).nanos() - 500_000_000;
    let event = Event::from_line(format!(r#"{{"Type":"{kind}","Action":"start","timeNano":{time}}}"#).as_bytes()).unwrap();
    NewRecord { source: "local".into(), received: at(received), event }
}

struct Stage {
    log: Arc<dyn EventLog>,
    _dir: TempDir,
    stop: Stop,
}

/// A log with one block for each list of receipts.
async fn stage(blocks: &[&[f64]]) -> Stage {
    let dir = TempDir::new().unwrap();
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open_with(dir.path(), Limits::default()).unwrap().0);
    for block in blocks {
        log.append(block.iter().copied().map(record).collect()).await.unwrap();
    }
    Stage { log, _dir: dir, stop: Stop::new() }
}

impl Stage {
    async fn replay(&self, start: StartAt, want: Want, speed: f64) -> Replay {
        let feed = Feed::open(Arc::clone(&self.log), start, want, self.stop.shutdown()).await.unwrap().paced(Some(speed));
        let mut replay = Replay { feed, began: Instant::now() };
        assert!(matches!(replay.next().await, Some((Told::Hello, 0))));
        replay
    }

    fn after(&self, seq: Sequence) -> StartAt {
        StartAt::After(self.log.bounds().log.cursor(seq).to_string())
    }
}

#[derive(Debug, PartialEq)]
enum Told {
    Hello,
    Records(Vec<RangeInclusive<Sequence>>),
    Checkpoint(Sequence),
    CaughtUp,
    End(Sequence),
    Quiet,
}

struct Replay {
    feed: Feed,
    began: Instant,
}

impl Replay {
    /// The next item, and the milliseconds since the beginning; `None` at the end.
    async fn next(&mut self) -> Option<(Told, u128)> {
        let told = match self.feed.next().await? {
            Item::Records(selection) => Told::Records(selection.runs),
            Item::Quiet => Told::Quiet,
            Item::Control(Control::Hello { .. }) => Told::Hello,
            Item::Control(Control::Checkpoint { seq }) => Told::Checkpoint(seq),
            Item::Control(Control::CaughtUp { .. }) => Told::CaughtUp,
            Item::Control(Control::End { seq }) => Told::End(seq),
            Item::Control(other) => panic!("{other:?}"),
        };
        Some((told, self.began.elapsed().as_millis()))
    }

    async fn take(&mut self, count: usize) -> Vec<(Told, u128)> {
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(self.next().await.expect("the stream ended early"));
        }
        all
    }
}

fn records(from: Sequence, to: Sequence) -> Told {
    Told::Records(vec![from..=to])
}

#[tokio::test(start_paused = true)]
async fn records_come_at_their_own_pace_divided_by_the_speed() {
    let stage = stage(&[&[0.0, 1.0, 1.0], &[1.0, 7.0], &[60.0]]).await;
    for (speed, second) in [(1.0, 1000), (2.5, 400), (10.0, 100), (100.0, 10)] {
        let mut replay = stage.replay(StartAt::Oldest, Want::default(), speed).await;
        let mut told = replay.take(4).await;
        // The others are signs of life: 53 s of silence at most.
        while told.last().unwrap().0 != records(6, 6) {
            assert!(told.last().unwrap().0 == Told::Quiet || told.len() == 4, "{told:?}");
            told.push(replay.next().await.unwrap());
        }
        told.retain(|(told, _)| *told != Told::Quiet);
        let expected = [(records(1, 1), 0), (records(2, 3), second), (records(4, 4), second), (records(5, 5), 7 * second)];
        assert_eq!(told[..4], expected, "{speed}");
        assert_eq!(told[4..], [(records(6, 6), 60 * second)], "{speed}");
        assert_eq!(replay.next().await.unwrap(), (Told::CaughtUp, 60 * second), "{speed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_resumed_replay_is_paced_from_where_it_goes_on() {
    let stage = stage(&[&[0.0, 100.0, 104.0, 110.0]]).await;
    let mut replay = stage.replay(stage.after(1), Want::default(), 2.0).await;
    assert_eq!(replay.take(3).await, [(records(2, 2), 0), (records(3, 3), 2000), (records(4, 4), 5000)]);
}

#[tokio::test(start_paused = true)]
async fn silence_shows_life_and_checkpoints_stay_before_what_is_kept_back() {
    let stage = stage(&[&[0.0, 400.0]]).await;
    let mut replay = stage.replay(StartAt::Oldest, Want::default(), 10.0).await;
    let expected = [(records(1, 1), 0), (Told::Quiet, 15_000), (Told::Quiet, 30_000), (records(2, 2), 40_000)];
    assert_eq!(replay.take(4).await, expected);

    // Of the networks, which are the halves: those at 0.5 s and 100.5 s, with what is not wanted before and
    // between.
    let stage = self::stage(&[&[0.0, 0.5, 1.0, 2.0, 100.5, 101.0]]).await;
    let networks = Want::filtered(Filter::from_params(Some(r#"{"type":["network"]}"#), None).unwrap());
    let mut replay = stage.replay(StartAt::Oldest, networks, 10.0).await;
    let expected =
        [(records(2, 2), 0), (Told::Checkpoint(4), 5000), (records(5, 5), 10_000), (Told::CaughtUp, 10_000), (Told::Quiet, 25_000)];
    assert_eq!(replay.take(5).await, expected);
}

#[tokio::test(start_paused = true)]
async fn what_falls_due_together_goes_out_together() {
    let receipts: Vec<f64> = (0..5000).map(|n| f64::from(n) / 1000.0).collect();
    let blocks: Vec<&[f64]> = receipts.chunks(500).collect();
    let stage = stage(&blocks).await;
    let mut replay = stage.replay(StartAt::Oldest, Want::default(), 100.0).await;
    let (mut next, mut instants) = (1, Vec::new());
    while next <= 5000 {
        let (told, at) = replay.next().await.unwrap();
        let Told::Records(runs) = told else { panic!("{told:?}") };
        for run in runs {
            assert_eq!(*run.start(), next);
            next = run.end() + 1;
        }
        instants.push(at);
    }
    let last = *instants.last().unwrap();
    instants.dedup();
    // 50 ms in virtual time, with a wait for each 10 ms and not for each record.
    assert!((50..=60).contains(&last) && instants.len() <= 8, "{instants:?}");
}

#[tokio::test(start_paused = true)]
async fn a_replay_without_end_goes_on_live() {
    let stage = stage(&[&[0.0, 30.0]]).await;
    let mut replay = stage.replay(StartAt::Oldest, Want::default(), 10.0).await;
    assert_eq!(replay.take(3).await, [(records(1, 1), 0), (records(2, 2), 3000), (Told::CaughtUp, 3000)]);
    // Received an hour later, and at once.
    stage.log.append(vec![record(3600.0), record(7200.0)]).await.unwrap();
    assert_eq!(replay.next().await.unwrap(), (records(3, 4), 3000));
}

#[tokio::test(start_paused = true)]
async fn an_end_is_told_with_all_that_was_looked_at() {
    // The last but one came late: what counts is when it happened.
    let stage = stage(&[&[0.0, 1.0, 5.0, 20.0]]).await;
    let mut late = record(30.0);
    late.event = record(4.0).event;
    stage.log.append(vec![late, record(40.0)]).await.unwrap();
    let want = Want { time: Timestamp::MIN..=at(4.5), ..Want::default() };
    let mut replay = stage.replay(StartAt::Oldest, want.clone(), 10.0).await;
    replay.feed = replay.feed.until(Some(at(4.5)));
    let expected = [(records(1, 1), 0), (records(2, 2), 100), (records(3, 3), 500), (records(5, 5), 3000), (Told::End(6), 3000)];
    assert_eq!(replay.take(5).await, expected);
    assert_eq!(replay.next().await, None);
    assert!(replay.feed.is_over());

    let unpaced = Feed::open(Arc::clone(&stage.log), StartAt::Oldest, want, stage.stop.shutdown()).await.unwrap().until(Some(at(4.5)));
    let mut replay = Replay { feed: unpaced, began: Instant::now() };
    let expected = [(Told::Hello, 0), (records(1, 3), 0), (records(5, 5), 0), (Told::End(6), 0)];
    assert_eq!(replay.take(4).await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_lies_ahead_is_waited_for() {
    let stage = stage(&[&[0.0]]).await;
    let ahead = Timestamp::from_nanos(Timestamp::now().nanos() + 100_000_000);
    let feed = Feed::open(Arc::clone(&stage.log), StartAt::Oldest, Want::default(), stage.stop.shutdown()).await.unwrap();
    let mut replay = Replay { feed: feed.until(Some(ahead)), began: Instant::now() };
    let mut told = Vec::new();
    while let Some((one, _)) = replay.next().await {
        told.push(one);
    }
    // The wall clock is the machine's own while the feed's stands still, so there may be signs of life.
    told.retain(|told| *told != Told::Quiet);
    assert_eq!(told, [Told::Hello, records(1, 1), Told::CaughtUp, Told::End(1)]);
    assert!(Timestamp::now() > ahead);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_replay_that_waits() {
    let stage = stage(&[&[0.0, 3600.0]]).await;
    let mut replay = stage.replay(StartAt::Oldest, Want::default(), 1.0).await;
    assert_eq!(replay.next().await.unwrap(), (records(1, 1), 0));
    let (ended, ()) = tokio::join!(replay.next(), async { stage.stop.stop() });
    assert_eq!(ended, None);
    assert!(!replay.feed.is_over());
}

/// One run whose clock was a year ahead, between two others; a client that filters the starts out sees the
/// same jumps without a reason.
#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_between_two_runs_is_not_waited_for() {
    const YEAR: f64 = 365.0 * 24.0 * 3600.0;
    let dir = TempDir::new().unwrap();
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open_with(dir.path(), Limits::default()).unwrap().0);
    for from in [0.0, YEAR, 100.0] {
        let start = Event::recorder("start", "x", &[], at(from));
        log.append(vec![NewRecord { source: "local".into(), received: at(from), event: start }]).await.unwrap();
        log.append(vec![record(from + 4.0), record(from + 10.0)]).await.unwrap();
    }
    let stage = Stage { log, _dir: dir, stop: Stop::new() };
    let told = async |want: Want| {
        let mut replay = stage.replay(StartAt::Oldest, want, 1.0).await;
        let mut told = Vec::new();
        while told.last().is_none_or(|(last, _)| *last < 9) {
            if let (Told::Records(runs), millis) = replay.next().await.unwrap() {
                told.extend(runs.into_iter().flatten().map(|seq| (seq, millis / 1000)));
            }
        }
        told
    };
    let all = told(Want::default()).await;
    assert_eq!(all, [(1, 0), (2, 4), (3, 10), (4, 70), (5, 74), (6, 80), (7, 80), (8, 84), (9, 90)]);
    let filter = Filter::from_params(Some(r#"{"type":["container"]}"#), None).unwrap();
    let some = told(Want { filter: Arc::new(filter), ..Want::default() }).await;
    let day = 24 * 3600;
    assert_eq!(some, [(2, 0), (3, 6), (5, 6 + day), (6, 12 + day), (8, 12 + day), (9, 18 + day)]);
}
