//! The suite that every [`EventLog`] must pass. A new backend calls [`run`] with a way to make an empty log.

use crate::cursor::{LogId, Sequence};
use crate::event::Event;
use crate::log::{Chunk, EventLog, NewRecord, Piece, Scan};
use crate::time::Timestamp;
use std::future::Future;
use std::sync::Arc;

/// A record whose message tells its number, with its own time out of step with the order of arrival.
pub(in crate::log) fn record(n: u64) -> NewRecord {
    let json = format!(
        r#"{{"Type":"container","Action":"start","Actor":{{"ID":"c{n}","Attributes":{{"n":"{n}"}}}},"timeNano":{}}}"#,
        own_time(n).nanos()
    );
    NewRecord { source: "local".into(), received: received(n), event: Event::from_line(json.as_bytes()).unwrap() }
}

/// A time to come, so that no tip is ever old.
pub(in crate::log) fn received(n: u64) -> Timestamp {
    Timestamp::from_nanos(4_000_000_000_000_000_000 + 1_000_000 * i64::try_from(n).unwrap())
}

/// The log of [`line`].
pub(in crate::log) fn log_id() -> LogId {
    LogId::from_bytes([7; 16])
}

/// The same record as its line, with its end.
pub(in crate::log) fn line(n: u64) -> String {
    let NewRecord { source, received, event } = record(n);
    crate::event::Record { seq: n, time: own_time(n), received, source, event }.to_line(log_id()) + "\n"
}

/// Rises by 1,000 a record, but every seventh record is 10,000 late.
pub(in crate::log) fn own_time(n: u64) -> Timestamp {
    Timestamp::from_nanos(i64::try_from(n * 1000).unwrap() - if n.is_multiple_of(7) { 10_000 } else { 0 })
}

pub(in crate::log) fn records(range: std::ops::RangeInclusive<u64>) -> Vec<NewRecord> {
    range.map(record).collect()
}

/// Sequences and messages of a chunk, with gaps as their ranges.
pub(in crate::log) fn flatten(chunk: &Chunk, after: Sequence) -> Vec<(Sequence, String)> {
    let mut out = Vec::new();
    for piece in &chunk.pieces {
        match piece {
            Piece::Block(block) => out.extend(block.sequences().filter(|s| *s > after).map(|s| (s, block.json(s).to_owned()))),
            Piece::Gap(range, reason) => out.push((*range.start(), format!("gap to {} {reason:?}", range.end()))),
        }
    }
    out
}

/// Everything after `after`, however many reads it takes.
pub(in crate::log) async fn read_all(log: &dyn EventLog, mut after: Sequence, scan: &Scan) -> Vec<(Sequence, String)> {
    let mut out = Vec::new();
    loop {
        let chunk = log.read_after(after, scan).await.unwrap();
        if chunk.through == after {
            return out;
        }
        out.extend(flatten(&chunk, after));
        assert!(chunk.through > after, "a read must get on");
        after = chunk.through;
    }
}

fn expected(range: std::ops::RangeInclusive<u64>) -> Vec<(Sequence, String)> {
    range.map(|n| (n, record(n).event.as_json().to_owned())).collect()
}

const SMALL: usize = 1;

fn small() -> Scan {
    Scan { max_bytes: SMALL, ..Scan::default() }
}

/// Runs the whole suite; `make` gives a fresh empty log each time.
pub(in crate::log) async fn run<L: EventLog, F: Future<Output = L>>(make: impl Fn() -> F) {
    starts_empty(make().await).await;
    appends_densely_and_reads_back(make().await).await;
    shares_commits_between_appenders(make().await).await;
    reads_backwards(make().await).await;
    seeks_and_scans_by_own_time(make().await).await;
    keeps_received_from_falling(make().await).await;
    takes_large_and_many_records(make().await).await;
    closes(make().await).await;
}

async fn starts_empty(log: impl EventLog) {
    let bounds = log.bounds();
    assert_eq!((bounds.oldest, bounds.head), (1, 0));
    assert_eq!(read_all(&log, 0, &Scan::default()).await, []);
    assert_eq!(log.seek_time(Timestamp::MIN).await.unwrap(), 1);
    assert!(log.read_before(1, &Scan::default()).await.unwrap().pieces.is_empty());
}

async fn appends_densely_and_reads_back(log: impl EventLog) {
    let mut head = log.watch_head();
    assert_eq!(log.append(records(1..=3)).await.unwrap(), 1..=3);
    assert_eq!(*head.borrow_and_update(), 3, "the head has moved when append returns");
    assert_eq!(log.append(records(4..=4)).await.unwrap(), 4..=4);
    assert_eq!(log.bounds().head, 4);
    for after in 0..=4 {
        for scan in [Scan::default(), small()] {
            assert_eq!(read_all(&log, after, &scan).await, expected(after + 1..=4));
        }
    }
}

async fn shares_commits_between_appenders(log: impl EventLog) {
    let log = Arc::new(log);
    let tasks: Vec<_> = (0..50)
        .map(|task| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut mine = Vec::new();
                for i in 0..4 {
                    let n = 1 + task * 4 + i;
                    mine.push((*log.append(vec![record(n)]).await.unwrap().start(), record(n).event.as_json().to_owned()));
                }
                assert!(mine.is_sorted_by_key(|(seq, _)| *seq), "one appender's records keep their order");
                mine
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all.sort();
    assert_eq!(all.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=200).collect::<Vec<_>>());
    assert_eq!(read_all(&*log, 0, &Scan::default()).await, all);
}

async fn reads_backwards(log: impl EventLog) {
    for n in 1..=20 {
        log.append(records(n..=n)).await.unwrap();
    }
    for scan in [Scan::default(), small()] {
        let (mut before, mut seen) = (21, Vec::new());
        loop {
            let chunk = log.read_before(before, &scan).await.unwrap();
            if chunk.pieces.is_empty() {
                break;
            }
            for piece in &chunk.pieces {
                let Piece::Block(block) = piece else { panic!("no gap here") };
                seen.extend(block.sequences().rev().filter(|seq| *seq < before));
            }
            assert!(chunk.through < before);
            before = chunk.through;
        }
        assert_eq!(seen, (1..=20).rev().collect::<Vec<_>>());
    }
}

async fn seeks_and_scans_by_own_time(log: impl EventLog) {
    for n in 1..=100 {
        log.append(records(n..=n)).await.unwrap();
    }
    for target in [0, 1, 20, 21, 35, 93, 99, 100, 101] {
        let time = Timestamp::from_nanos(target * 1000);
        let naive = (1..=100).find(|n| own_time(*n) >= time).unwrap_or(101);
        assert_eq!(log.seek_time(time).await.unwrap(), naive, "seek {target}");
        let range = time..=Timestamp::from_nanos(target * 1000 + 15_000);
        let naive: Vec<u64> = (1..=100).filter(|n| range.contains(&own_time(*n))).collect();
        for max_bytes in [SMALL, 1 << 20] {
            let found = read_all(&log, 0, &Scan { time: range.clone(), max_bytes, ..Scan::default() }).await;
            let found: Vec<u64> = found.into_iter().map(|(seq, _)| seq).filter(|n| range.contains(&own_time(*n))).collect();
            assert_eq!(found, naive, "scan from {target}: nothing may stop at the first record out of range");
        }
    }
}

async fn keeps_received_from_falling(log: impl EventLog) {
    let mut late = record(2);
    late.received = Timestamp::from_nanos(5);
    log.append(vec![record(1), late.clone()]).await.unwrap();
    log.append(vec![late, record(9)]).await.unwrap();
    let chunk = log.read_after(0, &Scan::default()).await.unwrap();
    let received: Vec<_> = chunk
        .pieces
        .iter()
        .flat_map(|piece| match piece {
            Piece::Block(block) => block.sequences().map(|s| block.received(s).nanos()).collect::<Vec<_>>(),
            Piece::Gap(..) => panic!("no gap here"),
        })
        .collect();
    assert_eq!(received, [1, 1, 1, 9].map(|n| self::received(n).nanos()));
}

/// For a log whose parts are small: asks until the trim has got somewhere.
pub(in crate::log) async fn trims_to_an_explicit_gap(log: impl EventLog) {
    for n in 1..=40 {
        log.append(records(n..=n)).await.unwrap();
    }
    let began = std::time::Instant::now();
    let oldest = loop {
        match log.trim(20).await.unwrap() {
            oldest if oldest > 1 => break oldest,
            _ => assert!(began.elapsed().as_secs() < 120, "a trim never got anywhere"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    assert!(oldest <= 20 && log.bounds().oldest == oldest);
    let mut left = vec![(1, format!("gap to {} Retention", oldest - 1))];
    left.extend(expected(oldest..=40));
    assert_eq!(read_all(&log, 0, &Scan::default()).await, left);
    assert_eq!(read_all(&log, 2, &small()).await[0], (3, format!("gap to {} Retention", oldest - 1)));
    assert_eq!(read_all(&log, oldest - 1, &small()).await, expected(oldest..=40));
    assert_eq!(log.trim(2).await.unwrap(), oldest, "a trim never goes back");
    assert!(log.trim(1_000_000).await.unwrap() <= 40, "the newest record stays");
    assert_eq!(log.append(records(41..=41)).await.unwrap(), 41..=41);
    assert_eq!(read_all(&log, 39, &Scan::default()).await, expected(40..=41));
}

async fn takes_large_and_many_records(log: impl EventLog) {
    let noise: String = {
        // Incompressible, so that the block needs many parts.
        let mut x = 88_172_645_463_325_252_u64;
        let mut next = || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            char::from(b'a' + u8::try_from(x % 26).unwrap())
        };
        (0..1_000_000).map(|_| next()).collect()
    };
    let json = format!(r#"{{"Type":"x","noise":"{noise}"}}"#);
    let large = NewRecord { source: "local".into(), received: Timestamp::from_nanos(1), event: Event::from_line(json.as_bytes()).unwrap() };
    assert_eq!(log.append(vec![large.clone(), large]).await.unwrap(), 1..=2);
    assert_eq!(log.append(records(3..=3000)).await.unwrap(), 3..=3000);
    let all = read_all(&log, 0, &Scan::default()).await;
    assert_eq!(all.len(), 3000);
    assert_eq!((&all[0].1, &all[1].1), (&json, &json));
    assert_eq!(all[2..], expected(3..=3000));
}

async fn closes(log: impl EventLog) {
    log.append(records(1..=2)).await.unwrap();
    log.close().await.unwrap();
    assert!(log.append(records(3..=3)).await.is_err());
    assert_eq!(read_all(&log, 0, &Scan::default()).await, expected(1..=2), "reads go on");
}
