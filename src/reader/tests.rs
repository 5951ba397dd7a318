use super::*;
use crate::event::Event;
use crate::log::{EmbeddedLog, Limits, NewRecord};
use crate::testing::within;
use crate::time::Timestamp;
use proptest::prelude::*;
use tempfile::TempDir;

fn record(n: u64) -> NewRecord {
    let kind = if n.is_multiple_of(3) { "network" } else { "container" };
    let json = format!(r#"{{"Type":"{kind}","Action":"a{n}","timeNano":{}}}"#, n * 1000);
    NewRecord { source: "local".into(), received: Timestamp::from_nanos(1), event: Event::from_line(json.as_bytes()).unwrap() }
}

async fn log_of(blocks: &[u64]) -> (TempDir, Arc<dyn EventLog>) {
    let dir = TempDir::new().unwrap();
    // Small tips, so that much of it is in segments and can be trimmed.
    let limits = Limits { tip_records: 4, ..Limits::default() };
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open_with(dir.path(), limits).unwrap().0);
    let mut n = 0;
    for size in blocks {
        log.append((n + 1..=n + size).map(record).collect()).await.unwrap();
        n += size;
    }
    (dir, log)
}

fn networks() -> Filter {
    Filter::from_params(Some(r#"{"type":["network"]}"#), None).unwrap()
}

async fn drain(reader: &mut Reader) -> Vec<Sequence> {
    let mut out = Vec::new();
    while let Some(step) = reader.next().await.unwrap() {
        match step {
            Step::Records(selection) => {
                assert!(selection.last() <= reader.position());
                out.extend(selection.sequences());
            }
            Step::Gap(range, _) => panic!("gap {range:?}"),
            Step::Nothing => {}
        }
    }
    out
}

#[tokio::test]
async fn replays_then_follows_without_a_seam() {
    let (_dir, log) = log_of(&[5, 1, 9]).await;
    let mut reader = Reader::new(Arc::clone(&log), 3, Want::default());
    assert_eq!(drain(&mut reader).await, (4..=15).collect::<Vec<_>>());
    log.append(vec![record(16)]).await.unwrap();
    assert!(within("a move", reader.wait()).await, "a move since the last read is not missed");
    assert_eq!(drain(&mut reader).await, [16]);
    let waiting = tokio::spawn(async move {
        within("a move", reader.wait()).await;
        drain(&mut reader).await
    });
    log.append(vec![record(17)]).await.unwrap();
    assert_eq!(waiting.await.unwrap(), [17]);
}

#[tokio::test]
async fn resolves_every_start() {
    let (_dir, log) = log_of(&[2; 20]).await;
    let oldest = loop {
        match log.trim(30).await.unwrap() {
            1 => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            oldest => break oldest,
        }
    };
    let (id, before) = (log.bounds().log, oldest - 1);
    for (start, after, reset) in [
        (StartAt::Now, 40, None),
        (StartAt::Oldest, before, None),
        (StartAt::Time(Timestamp::from_nanos(34_500)), 34, None),
        (StartAt::Time(Timestamp::MAX), 40, None),
        (StartAt::After(id.cursor(34).to_string()), 34, None),
        (StartAt::After(id.cursor(1).to_string()), 1, None),
        (StartAt::After(id.cursor(41).to_string()), before, Some(ResetReason::Future)),
        (StartAt::After(format!("{:08x}-4", id.prefix() ^ 1)), before, Some(ResetReason::ForeignLog)),
        (StartAt::After("x".repeat(10_000)), before, Some(ResetReason::Malformed)),
        (StartAt::After("\0".into()), before, Some(ResetReason::Malformed)),
    ] {
        let found = start.clone().resolve(&*log).await.unwrap();
        assert_eq!((found.after, found.reset.as_ref().map(|r| r.reason)), (after, reset), "{start:?}");
        assert!(found.reset.is_none_or(|r| r.requested.len() <= 64));
    }
    let mut reader = Reader::new(Arc::clone(&log), 0, Want::default());
    assert!(matches!(reader.next().await.unwrap(), Some(Step::Gap(range, GapReason::Retention)) if range == (1..=before)));
    assert_eq!(drain(&mut reader).await, (oldest..=40).collect::<Vec<_>>());
    let mut reader = Reader::new(log, 1, Want::default());
    assert!(matches!(reader.next().await.unwrap(), Some(Step::Gap(range, _)) if range == (2..=before)), "only what this reader lacks");
}

#[tokio::test]
async fn bounded_reads_end() {
    let (_dir, log) = log_of(&[4, 4]).await;
    let want = Want { until: 6, time: Timestamp::from_nanos(2000)..=Timestamp::from_nanos(7000), ..Want::filtered(networks()) };
    let mut reader = Reader::new(Arc::clone(&log), 0, want.clone());
    assert_eq!(drain(&mut reader).await, [3, 6]);
    let mut reverse = ReverseReader::new(log, 7, want);
    let mut seen = Vec::new();
    while let Some(step) = reverse.next().await.unwrap() {
        if let Step::Records(selection) = step {
            seen.extend(selection.sequences().rev());
        }
    }
    assert_eq!(seen, [6, 3]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A reader that is dropped at random places and resumed by its position, while records are being
    /// appended, sees exactly what a naive pass over the whole log selects.
    #[test]
    fn resumed_readers_concatenate_to_the_log(
        blocks in prop::collection::vec(1u64..6, 1..12),
        later in prop::collection::vec(1u64..4, 0..8),
        cuts in prop::collection::vec(0usize..5, 1..10),
        filtered in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_dir, log) = log_of(&blocks).await;
            let want = if filtered { Want::filtered(networks()) } else { Want::default() };
            let mut later = later.into_iter();
            let mut total: u64 = blocks.iter().sum();
            let (mut seen, mut position) = (Vec::new(), 0);
            for cut in cuts.into_iter().chain([usize::MAX]) {
                let mut reader = Reader::new(Arc::clone(&log), position, want.clone());
                for _ in 0..cut {
                    match reader.next().await.unwrap() {
                        Some(Step::Records(selection)) => seen.extend(selection.sequences()),
                        Some(Step::Gap(..)) => unreachable!(),
                        Some(Step::Nothing) => {}
                        None => break,
                    }
                }
                position = reader.position();
                if let Some(size) = later.next() {
                    log.append((total + 1..=total + size).map(record).collect()).await.unwrap();
                    total += size;
                }
            }
            let mut reader = Reader::new(Arc::clone(&log), position, want);
            seen.extend(drain(&mut reader).await);
            let naive: Vec<_> = (1..=total).filter(|n| !filtered || n.is_multiple_of(3)).collect();
            assert_eq!(seen, naive);
        });
    }
}

/// Sealed frames of which few lines are wanted: both readers give what a naive pass selects, and tell of a
/// frame that was damaged, whether it held something wanted or not.
#[tokio::test]
async fn filtered_reads_of_sealed_history_skip_nothing() {
    const COUNT: u64 = 8192;
    const FRAME: u64 = 768;
    let dir = TempDir::new().unwrap();
    let limits = Limits { tip_records: COUNT, ..Limits::default() };
    let (log, _) = EmbeddedLog::open_with(dir.path(), limits).unwrap();
    // Alone, in rows, at the edges of frames; and one that an escape hides.
    let rare = |n: u64| n % 97 == 5 || n % 500 < 3 || n.is_multiple_of(FRAME) || n % FRAME == 1;
    // Received now: a tip with older records would be sealed at once.
    let message = |n: u64| {
        let name = if n == 700 {
            r"we\u0062-1"
        } else if rare(n) {
            "web-1"
        } else {
            "db-1"
        };
        let json = format!(r#"{{"Type":"container","Action":"die","Actor":{{"Attributes":{{"name":"{name}"}}}},"timeNano":{}}}"#, n * 1000);
        NewRecord { source: "local".into(), received: Timestamp::now(), event: Event::from_line(json.as_bytes()).unwrap() }
    };
    for first in (1..=COUNT + 10).step_by(512) {
        log.append((first..(first + 512).min(COUNT + 11)).map(message).collect()).await.unwrap();
    }
    let segment = dir.path().join("log/00000000000000000001.jsonl.zst");
    let began = std::time::Instant::now();
    while !segment.exists() {
        assert!(began.elapsed().as_secs() < 60, "never sealed");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    log.close().await.unwrap();
    drop(log);

    for hurt in [None, Some(2), Some(0)] {
        let whole = std::fs::read(&segment).unwrap();
        if let Some(frame) = hurt {
            let starts: Vec<_> = memchr::memmem::find_iter(&whole, &[0x28, 0xB5, 0x2F, 0xFD]).collect();
            let mut bytes = whole.clone();
            bytes[starts[frame] + 100] ^= 1;
            std::fs::write(&segment, bytes).unwrap();
        }
        let lost = hurt.map_or(0..=0, |frame| frame as u64 * FRAME + 1..=(frame as u64 + 1) * FRAME);
        let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open_read_only(dir.path()).unwrap());
        let filter = Filter::from_params(Some(r#"{"container":["web-1"],"event":["die","oom"]}"#), None).unwrap();
        for (from, to) in [(0, COUNT + 10), (1500, 5000), (3000, 3100)] {
            let time = |n: u64| Timestamp::from_nanos(i64::try_from(n * 1000).unwrap());
            let want = Want { time: time(from)..=time(to), ..Want::filtered(filter.clone()) };
            let naive: Vec<_> = (from.max(1)..=to).filter(|n| (rare(*n) || *n == 700) && !lost.contains(n)).collect();
            let told = hurt.filter(|_| time(*lost.start()) <= time(to) && time(*lost.end()) >= time(from)).map(|_| lost.clone());
            let (mut seen, mut gaps) = (Vec::new(), Vec::new());
            let mut reader = Reader::new(Arc::clone(&log), 0, want.clone());
            while let Some(step) = reader.next().await.unwrap() {
                match step {
                    Step::Records(selection) => seen.extend(selection.sequences()),
                    Step::Gap(range, GapReason::Damage) => gaps.push(range),
                    Step::Gap(range, reason) => panic!("{range:?} {reason:?}"),
                    Step::Nothing => {}
                }
            }
            assert_eq!((&seen, &gaps), (&naive, &Vec::from_iter(told.clone())), "{hurt:?} {from} {to}");
            assert_eq!(reader.position(), COUNT + 10);
            let (mut seen, mut gaps) = (Vec::new(), Vec::new());
            let mut reader = ReverseReader::new(Arc::clone(&log), COUNT + 11, want);
            while let Some(step) = reader.next().await.unwrap() {
                match step {
                    Step::Records(selection) => seen.extend(selection.sequences().rev()),
                    Step::Gap(range, _) => gaps.push(range),
                    Step::Nothing => {}
                }
            }
            assert_eq!((seen, gaps), (naive.into_iter().rev().collect(), Vec::from_iter(told)), "{hurt:?} {from} {to}");
        }
        drop(log);
        std::fs::write(&segment, whole).unwrap();
    }
}

/// Blocks of up to 100 records of 5,000 bytes.
#[tokio::test]
async fn large_blocks_come_in_parts_and_are_let_go_of() {
    let dir = TempDir::new().unwrap();
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
    let large = |n: u64| {
        let json = format!(r#"{{"Type":"{}","pad":"{}"}}"#, if n.is_multiple_of(3) { "network" } else { "container" }, "x".repeat(5000));
        NewRecord { event: Event::from_line(json.as_bytes()).unwrap(), ..record(n) }
    };
    for block in 0..4 {
        log.append((block * 100 + 1..=block * 100 + 100).map(large).collect()).await.unwrap();
    }
    for (want, expected) in [
        (Want::default(), (1..=400).collect::<Vec<_>>()),
        (Want::filtered(networks()), (1..=400).filter(|n| n % 3 == 0).collect()),
        (Want { until: 250, ..Want::default() }, (1..=250).collect()),
    ] {
        for let_go in [false, true] {
            let (mut reader, mut seen) = (Reader::new(Arc::clone(&log), 0, want.clone()), Vec::new());
            while let Some(step) = reader.next().await.unwrap() {
                if let Step::Records(selection) = step {
                    assert!(selection.block.bytes() <= PART_BYTES, "{}", selection.block.bytes());
                    for seq in selection.sequences() {
                        assert!(
                            selection
                                .block
                                .line(seq, false)
                                .starts_with(format!(r#"{{"id":"{}""#, log.bounds().log.cursor(seq)).as_bytes())
                        );
                    }
                    seen.extend(selection.sequences());
                }
                if let_go {
                    reader.let_go();
                    let held: usize =
                        reader.pieces.iter().map(|piece| if let Piece::Block(block) = piece { block.bytes() } else { 0 }).sum();
                    assert!(held <= PART_BYTES, "{held}");
                }
            }
            assert_eq!(seen, expected);
        }
    }
}

/// Of a filter that tells of losses, what was asked for and what tells of one are kept apart.
#[tokio::test]
async fn losses_stand_in_their_places_among_what_was_asked_for() {
    let dir = tempfile::TempDir::new().unwrap();
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
    let at = Timestamp::from_nanos;
    let gap = |source: &str| Event::recorder("gap", source, &[("reason", "damage")], at(1));
    let event = |kind: &str| Event::from_line(format!(r#"{{"Type":"{kind}","Action":"create"}}"#).as_bytes()).unwrap();
    let record = |event: Event| NewRecord { source: "a".into(), received: at(1), event };
    let foreign = Event::from_daemon(gap("a").as_json().as_bytes()).unwrap();
    // 1 and 8 are not wanted; neither is 9, which a daemon sent.
    let events =
        [event("volume"), gap("a"), event("network"), event("network"), gap("a"), gap("a"), event("network"), event("volume"), foreign];
    log.append(events.map(record).to_vec()).await.unwrap();
    let want = |filter: Filter| Want::filtered(filter.telling_losses());
    let select = async |want: Want| match Reader::new(Arc::clone(&log), 0, want).next().await.unwrap() {
        Some(Step::Records(selection)) => selection,
        other => panic!("{other:?}"),
    };
    let parts = [Part::Loss(2), Part::Records(3..=4), Part::Loss(5), Part::Loss(6), Part::Records(7..=7)];
    assert_eq!(select(want(networks())).await.parts(), parts);
    for cut in 1..=7 {
        let mut left = select(want(networks())).await;
        let taken = left.take_through(cut);
        let all = taken.parts().into_iter().chain(left.parts()).flat_map(|part| match part {
            Part::Records(run) => run,
            Part::Loss(seq) => seq..=seq,
        });
        assert_eq!(all.collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7]);
        assert_eq!([taken.losses, left.losses].concat(), [2, 5, 6], "{cut}");
    }
    // Who asks for them is given records.
    let asked = Filter::from_params(Some(r#"{"event":["gap","create"]}"#), Some(r#"{"type":["volume"]}"#)).unwrap();
    assert_eq!(select(want(asked)).await.parts(), [Part::Records(2..=7), Part::Records(9..=9)]);
    assert_eq!(select(Want::filtered(networks())).await.parts(), [Part::Records(3..=4), Part::Records(7..=7)]);
}
