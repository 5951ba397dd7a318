//! A follower's log: whose it is, which records it takes, and that followers have the same.

use crate::cursor::{LogId, Sequence};
use crate::event::{AtHost, Event, Marks, Noise, Record};
use crate::filter::Filter;
use crate::log::testing::directory::{CLEAN, copy_dir};
use crate::log::{
    EmbeddedLog, EventLog, FleetRecord, Follow, Followed, FollowerLog, GapReason, Limits, LogError, Piece, Recovery, Resume, Scan, verify,
};
use crate::testing::until;
use crate::time::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub(super) fn fleet() -> LogId {
    LogId::from_bytes([0xf1; 16])
}

/// Segments of two frames, most of them out of several tips.
pub(super) fn limits() -> Limits {
    Limits { tip_records: 1000, tip_bytes: 16 * 1024, merge_after: Duration::from_millis(1), ..Limits::default() }
}

fn arrived(seq: Sequence) -> Timestamp {
    Timestamp::from_nanos(1_795_000_000_000_000_000 + i64::try_from(seq / 3 * 1_000_000).unwrap())
}

/// The stream: three hosts, and of one of them two Docker hosts; a message holds up to five records.
pub(super) fn record(seq: Sequence) -> FleetRecord {
    let (host, own) = [("web-17", "local"), ("db", "db"), ("ci/a", "a")][usize::try_from(seq * 7 % 11 % 3).unwrap()];
    let action = if seq.is_multiple_of(97) { "die" } else { "start" };
    let json = if seq.is_multiple_of(41) {
        // A recorder's start, at which a host's time of receipt may fall, and a message without a time.
        r#"{"Type":"recorder","Action":"start","Actor":{"ID":"shipslog","Attributes":{}}}"#.to_owned()
    } else {
        format!(
            r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"c{}","Attributes":{{"name":"n{seq}"}}}},"timeNano":{}}}"#,
            seq % 50,
            seq * 1_000_000 % 77_777
        )
    };
    let marks = Marks { noise: seq.is_multiple_of(13).then_some(Noise::HealthCheck), ..Marks::default() };
    let event = Event::from_line(json.as_bytes()).unwrap().with_marks(marks);
    let received = Timestamp::from_nanos(i64::try_from(seq * 1_000_003 % 999_999_999).unwrap());
    let time = event.fields().time.unwrap_or(received);
    let line = Record { seq: seq * 2, time, received, source: own.into(), event }.to_line(LogId::with_prefix(7));
    FleetRecord::of_host_line(line.as_bytes(), host.into(), arrived(seq), seq / 5 + 100).unwrap()
}

pub(super) fn records(range: std::ops::RangeInclusive<Sequence>) -> Vec<FleetRecord> {
    range.map(record).collect()
}

pub(super) async fn close(log: FollowerLog, dir: &Path) {
    log.log().close().await.unwrap();
    let_go(log, dir).await;
}

async fn let_go(log: FollowerLog, dir: &Path) {
    drop(log);
    let lock = dir.join("log/lock");
    tokio::task::spawn_blocking(move || fs::File::open(lock).unwrap().lock().unwrap()).await.unwrap();
}

pub(super) fn segments(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let sealed = entries.filter(|path| path.extension().is_some_and(|end| end == "zst"));
    sealed.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

/// The lines after `after`.
pub(super) async fn lines(log: &EmbeddedLog, mut after: Sequence) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let chunk = log.read_after(after, &Scan { max_bytes: usize::MAX, ..Scan::default() }).await.unwrap();
        for piece in &chunk.pieces {
            let Piece::Block(block) = piece else { panic!("no gap here: {piece:?}") };
            for seq in block.sequences().filter(|seq| *seq > after) {
                let origin = record(seq).origin;
                let (received, source) = (origin.received, origin.source.as_deref().map(Into::into));
                assert_eq!(block.view(seq).unwrap().at_host, Some(AtHost { received, source }));
                assert_eq!(block.origin(seq), Some(origin));
                lines.push(String::from_utf8(block.line(seq, false).to_vec()).unwrap());
            }
        }
        if chunk.through == after {
            return lines;
        }
        after = chunk.through;
    }
}

pub(super) fn expected(range: std::ops::RangeInclusive<Sequence>) -> Vec<String> {
    range.map(|seq| record(seq).to_line(fleet(), seq)).collect()
}

pub(super) fn chain_after(last: Sequence) -> [u8; 32] {
    expected(1..=last).iter().fold([0; 32], |chain, line| crate::log::record::chain::next(&chain, line.as_bytes()))
}

#[tokio::test]
async fn the_line_is_as_the_fleet_has_it() {
    let line = r#"{"id":"7f3c9a1e-1842","seq":1842,"time":"2026-11-22T10:49:37.148160810Z","received":"2026-11-22T10:49:37.150000000Z","source":"local","noise":"healthcheck","event":{"Type":"container","timeNano":1795344577148160810}}"#;
    let at = Timestamp::from_nanos(1_795_344_580_000_000_000);
    let record = FleetRecord::of_host_line(line.as_bytes(), "web-17".into(), at, 9).unwrap();
    let dir = TempDir::new().unwrap();
    let (log, resume, recovery) = FollowerLog::open(dir.path(), &Follow::whole(fleet())).unwrap();
    assert_eq!((resume, recovery), (Resume { next: 1, chain: [0; 32], received: None, place: None }, CLEAN));
    log.append_at(1, vec![record]).await.unwrap();
    let chunk = log.log().read_after(0, &Scan::default()).await.unwrap();
    let [Piece::Block(block)] = chunk.pieces.as_slice() else { panic!("{chunk:?}") };
    let fleet_line = r#"{"id":"f1f1f1f1-1","seq":1,"time":"2026-11-22T10:49:37.148160810Z","received":"2026-11-22T10:49:40.000000000Z","source":"web-17","origin":{"id":"7f3c9a1e-1842","received":"2026-11-22T10:49:37.150000000Z","source":"local"},"noise":"healthcheck","event":{"Type":"container","timeNano":1795344577148160810}}"#;
    assert_eq!((block.line(1, false), block.noise(1)), (fleet_line.into(), Some(Noise::HealthCheck)));
    assert_eq!(block.host_line(1).unwrap(), line.as_bytes());
    close(log, dir.path()).await;
}

#[tokio::test]
async fn takes_the_next_records_and_no_others() {
    let dir = TempDir::new().unwrap();
    let follow = Follow::whole(fleet());
    let (log, ..) = FollowerLog::open_with(dir.path(), &follow, limits()).unwrap();
    let done = log.append_at(1, records(1..=700)).await.unwrap();
    assert_eq!(done, Followed { sequences: 1..=700, chain: chain_after(700) });
    for given in [1, 700, 702, 0] {
        let refused = log.append_at(given, records(1..=1)).await.unwrap_err();
        assert!(matches!(refused, LogError::NotNext { next: 701, given: found } if found == given), "{refused}");
        let text = refused.to_string();
        assert!(text.contains("701") && text.contains(&given.to_string()), "{text}");
    }
    let late = FleetRecord { received: arrived(690), ..record(701) };
    assert!(matches!(log.append_at(701, vec![late]).await, Err(LogError::Refused(_))));
    let own = crate::log::testing::contract::records(1..=1);
    assert!(matches!(log.log().append(own).await, Err(LogError::Refused(_))), "nobody else appends");
    let nothing = log.append_at(701, Vec::new()).await.unwrap();
    assert!(nothing.sequences.is_empty() && nothing.chain == chain_after(700), "{nothing:?}");
    log.append_at(701, records(701..=703)).await.unwrap();
    assert_eq!(lines(&log.log(), 0).await, expected(1..=703));
    close(log, dir.path()).await;
    let (log, resume, recovery) = FollowerLog::open_with(dir.path(), &follow, limits()).unwrap();
    let place = Some(record(703).place);
    assert_eq!((resume, recovery), (Resume { next: 704, chain: chain_after(703), received: Some(arrived(703)), place }, CLEAN));
    close(log, dir.path()).await;
}

#[tokio::test]
async fn a_directory_is_a_recorders_or_a_followers_and_of_one_fleet() {
    let dir = TempDir::new().unwrap();
    let follow = Follow { log: fleet(), first: 100, chain: [9; 32] };
    assert_eq!(FollowerLog::found(dir.path()).unwrap(), None);
    for _ in 0..2 {
        // Before its first record and after it, which begins after what was trimmed.
        let (log, resume, _) = FollowerLog::open(dir.path(), &follow).unwrap();
        let (next, bounds) = (resume.next, log.log().bounds());
        assert_eq!((bounds.oldest, bounds.head, bounds.log), (100, next - 1, fleet()));
        assert_eq!(resume.chain == follow.chain, next == 100);
        let empty = next == 100;
        log.append_at(next, vec![record(next)]).await.unwrap();
        let chunk = log.log().read_after(0, &Scan::default()).await.unwrap();
        assert!(matches!(&chunk.pieces[0], Piece::Gap(range, GapReason::Retention) if *range == (1..=99)), "{empty} {chunk:?}");
        close(log, dir.path()).await;
        assert_eq!(FollowerLog::found(dir.path()).unwrap(), Some(follow));
        let report = verify(dir.path(), &mut |_, _| {}).unwrap();
        assert!(report.damage.is_empty() && report.notes.is_empty(), "{report:?}");
        let others = [Follow { log: LogId::random(), ..follow }, Follow { first: 101, ..follow }, Follow { chain: [8; 32], ..follow }];
        for other in others {
            let refused = FollowerLog::open(dir.path(), &other).unwrap_err();
            assert!(matches!(&refused, LogError::OtherFollow { found, wanted, .. } if **found == follow && **wanted == other), "{refused}");
            let text = refused.to_string();
            assert!(text.contains(&other.log.to_string()) && text.contains(&other.first.to_string()) && text.contains("0909"), "{text}");
        }
        let refused = EmbeddedLog::open(dir.path()).unwrap_err();
        assert!(matches!(refused, LogError::IsFollower { log, .. } if log == fleet()), "{refused}");
    }
    // Also where nothing but the records tells.
    fs::remove_file(dir.path().join("log/LOG")).unwrap();
    assert!(matches!(EmbeddedLog::open(dir.path()), Err(LogError::IsFollower { .. })));
    let other = FollowerLog::open(dir.path(), &Follow::whole(LogId::random()));
    assert!(matches!(other, Err(LogError::OtherFollow { .. })));
    let (log, resume, recovery) = FollowerLog::open(dir.path(), &follow).unwrap();
    assert_eq!((resume.next, recovery.lost), (102, Vec::new()), "no sequence is left out");
    close(log, dir.path()).await;

    let recorders = TempDir::new().unwrap();
    let (log, _) = EmbeddedLog::open(recorders.path()).unwrap();
    log.append(crate::log::testing::contract::records(1..=1)).await.unwrap();
    log.close().await.unwrap();
    crate::log::testing::directory::drop_and_wait(log, recorders.path()).await;
    assert!(matches!(FollowerLog::open(recorders.path(), &follow), Err(LogError::NotFollower { .. })));
    assert!(matches!(FollowerLog::found(recorders.path()), Err(LogError::NotFollower { .. })));
    fs::remove_file(recorders.path().join("log/LOG")).unwrap();
    assert!(matches!(FollowerLog::open(recorders.path(), &follow), Err(LogError::NotFollower { .. })));
    assert!(EmbeddedLog::open(recorders.path()).is_ok());
}

#[tokio::test]
async fn what_is_lost_at_the_end_comes_again_under_the_same_sequences() {
    let dir = TempDir::new().unwrap();
    let follow = Follow::whole(fleet());
    let (log, ..) = FollowerLog::open(dir.path(), &follow).unwrap();
    log.append_at(1, records(1..=40)).await.unwrap();
    let short = TempDir::new().unwrap();
    copy_dir(dir.path(), short.path());
    log.append_at(41, records(41..=90)).await.unwrap();
    close(log, dir.path()).await;
    // Readers may have seen 90; a recorder would leave 41 to 90 out, for good.
    fs::copy(dir.path().join("log/watermark"), short.path().join("log/watermark")).unwrap();
    let (log, resume, recovery) = FollowerLog::open(short.path(), &follow).unwrap();
    assert_eq!((resume.next, resume.place, recovery.lost), (41, Some(record(40).place), Vec::new()));
    assert_eq!(log.log().bounds().log, fleet(), "a copy is the fleet's log, too");
    log.append_at(41, records(41..=95)).await.unwrap();
    assert_eq!(lines(&log.log(), 0).await, expected(1..=95));
    close(log, short.path()).await;
    let report = verify(short.path(), &mut |_, _| {}).unwrap();
    assert!(report.damage.is_empty() && report.chain == hex::encode(chain_after(95)), "{report:?}");
}

/// Appends the stream up to `last` in batches of these sizes; after each one that is told, the log is stopped
/// cleanly or as by a kill.
async fn follow(dir: &Path, last: Sequence, cuts: &[(u64, u8)]) {
    let follow = Follow::whole(fleet());
    let (mut log, mut resume, _) = FollowerLog::open_with(dir, &follow, limits()).unwrap();
    let mut cuts = cuts.iter().cycle();
    while resume.next <= last {
        let (count, stop) = cuts.next().copied().unwrap();
        let to = (resume.next + count - 1).min(last);
        let done = log.append_at(resume.next, records(resume.next..=to)).await.unwrap();
        resume.next = to + 1;
        if stop < 2 {
            let running = dir.join("running");
            if stop == 1 {
                // Without the mark of a clean stop.
                fs::hard_link(dir.join("log/LOG"), &running).unwrap();
            }
            close(log, dir).await;
            if stop == 1 {
                fs::rename(running, dir.join("log/LOG")).unwrap();
            }
            let opened = FollowerLog::open_with(dir, &follow, limits()).unwrap();
            let Recovery { lost, quarantined, .. } = &opened.2;
            assert!(lost.is_empty() && quarantined.is_empty(), "{lost:?} {quarantined:?}");
            let place = Some(record(to).place);
            assert_eq!(
                opened.1,
                Resume { next: to + 1, chain: done.chain, received: Some(arrived(to)), place },
                "the newest block tells it"
            );
            (log, resume) = (opened.0, opened.1);
        }
    }
    let complete = usize::try_from((last - 1) / limits().tip_records).unwrap();
    until("the sealer", async || segments(dir).len() == complete).await;
    close(log, dir).await;
}

fn cases() -> u32 {
    std::env::var("SHIPSLOG_MODEL_CASES").ok().and_then(|text| text.parse().ok()).map_or(6, |cases: u32| cases / 4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn followers_have_the_same_segments_whatever_came_together(
        cuts in prop::collection::vec((prop_oneof![1u64..20, 1u64..1300], 0u8..9), 1..40),
        last in prop_oneof![Just(3000u64), Just(3001), 2500u64..3500],
    ) {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(async {
            let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
            follow(one.path(), last, &[(last, 9)]).await;
            follow(other.path(), last, &cuts).await;
            let (sealed, others) = (segments(one.path()), segments(other.path()));
            assert_eq!(sealed.keys().collect::<Vec<_>>(), others.keys().collect::<Vec<_>>());
            assert!(sealed.keys().enumerate().all(|(at, name)| *name == format!("{:020}.jsonl.zst", at * 1000 + 1)), "{:?}", sealed.keys());
            for (name, bytes) in sealed {
                assert!(others.get(&name) == Some(&bytes), "{name} has other bytes");
            }
            let reports = [&one, &other].map(|dir| verify(dir.path(), &mut |_, _| {}).unwrap());
            for report in &reports {
                assert!(report.damage.is_empty() && report.records == last && report.chain == hex::encode(chain_after(last)), "{report:?}");
            }
        });
    }
}

/// Whether a filter passes a record, by source and sequence.
type Passes = fn(&str, Sequence) -> bool;

#[tokio::test]
async fn reads_trims_and_filters_as_any_other_log() {
    let dir = TempDir::new().unwrap();
    let follow = Follow::whole(fleet());
    let (log, ..) = FollowerLog::open_with(dir.path(), &follow, limits()).unwrap();
    for first in (1..=3400).step_by(340) {
        log.append_at(first, records(first..=first + 339)).await.unwrap();
    }
    until("the sealer", async || segments(dir.path()).len() == 3).await;
    let log_ = log.log();
    let filters: [(&str, Passes); 3] = [
        (r#"{"event":["die"]}"#, |_, seq| seq.is_multiple_of(97) && !seq.is_multiple_of(41)),
        (r#"{"source":["ci/a"],"event":["die"]}"#, |source, seq| source == "ci/a" && seq.is_multiple_of(97) && !seq.is_multiple_of(41)),
        (r#"{"container":["n3399"]}"#, |_, seq| seq == 3399),
    ];
    for (text, passes) in filters {
        let filter = Filter::from_params(Some(text), None).unwrap();
        let scan = Scan { filter: Arc::new(filter.clone()), ..Scan::default() };
        let (mut found, mut after) = (Vec::new(), 0);
        while after < 3400 {
            let chunk = log_.read_after(after, &scan).await.unwrap();
            for piece in &chunk.pieces {
                let Piece::Block(block) = piece else { panic!("no gap here") };
                let sequences = block.sequences().filter(|seq| *seq > after && block.matches(*seq, &filter));
                found.extend(sequences.inspect(|seq| assert!(block.host_line(*seq).is_some())));
            }
            after = chunk.through;
        }
        let wanted: Vec<_> = (1..=3400).filter(|seq| passes(&record(*seq).source, *seq)).collect();
        assert!(found == wanted && !wanted.is_empty(), "{text}: {found:?}, not {wanted:?}");
    }
    assert_eq!(log_.trim(2100).await.unwrap(), 2001);
    assert_eq!(lines(&log_, 2000).await, expected(2001..=3400));
    drop(log_);
    close(log, dir.path()).await;
    // What an export gives can be imported, origins and all.
    let (log, resume, _) = FollowerLog::open_with(dir.path(), &follow, limits()).unwrap();
    assert_eq!((resume.next, log.log().bounds().oldest), (3401, 2001));
    let text = expected(2001..=3400).join("\n").replace(r#","origin":{"#, r#", "origin": {"#);
    close(log, dir.path()).await;
    let copy = TempDir::new().unwrap();
    crate::log::import(&mut text.as_bytes(), copy.path(), &mut |_| {}).unwrap();
    let report = verify(copy.path(), &mut |_, _| {}).unwrap();
    assert!(report.damage.is_empty() && report.records == 1400, "{report:?}");
    let imported = EmbeddedLog::open_read_only(copy.path()).unwrap();
    assert_eq!(lines(&imported, 2000).await, expected(2001..=3400));
}
