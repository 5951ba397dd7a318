use super::testing::leave_out;
use super::*;
use crate::event::{Event, RecordParts};
use crate::filter::Filter;
use crate::log::dir::names;
use crate::log::record::block::BlockBuilder;
use crate::log::record::chain::CHAIN_START;
use crate::log::testing::contract;
use proptest::prelude::*;
use std::sync::Arc;
use tempfile::TempDir;

/// A segment of the records `range`, a few frames of them.
fn write(dir: &Path, range: std::ops::RangeInclusive<Sequence>) -> PathBuf {
    let path = dir.join(names::segment(*range.start()));
    let mut writer = SegmentWriter::new(Vec::new(), contract::log_id(), *range.start(), CHAIN_START, 3);
    for seq in range {
        writer.push(contract::line(seq).trim_end().as_bytes()).unwrap();
    }
    std::fs::write(&path, writer.finish().unwrap().0).unwrap();
    path
}

fn lines(segment: &Segment) -> Vec<(Sequence, String)> {
    let mut all = Vec::new();
    for frame in segment.frames() {
        if let Ok(block) = segment.block(frame) {
            all.extend(block.sequences().map(|seq| (seq, String::from_utf8(block.line(seq, true).to_vec()).unwrap())));
        }
    }
    all
}

#[test]
fn is_what_zstd_tools_read() {
    let dir = TempDir::new().unwrap();
    let path = write(dir.path(), 5..=1600);
    let segment = Segment::open(&path).unwrap();
    assert_eq!((segment.first(), segment.last(), segment.frames().len(), segment.has_index()), (5, 1600, 3, true));
    let expected: String = (5..=1600).map(contract::line).collect();
    assert_eq!(zstd::decode_all(&*std::fs::read(&path).unwrap()).unwrap(), expected.as_bytes());
    assert_eq!(lines(&segment), (5..=1600).map(|n| (n, contract::line(n))).collect::<Vec<_>>());
    assert_eq!(segment.index().unwrap().frames, segment.frames());
    let (received, time) = (segment.received(), segment.time());
    assert_eq!(received, (contract::received(5), contract::received(1600)));
    assert!(time.0 <= contract::own_time(5) && time.1 >= contract::own_time(1600));
    assert_eq!(
        zstd::decode_all(&*segment.packed(&segment.frames()[1..]).unwrap()).unwrap(),
        expected.lines().skip(frame::LINES as usize).flat_map(|l| format!("{l}\n").into_bytes()).collect::<Vec<_>>()
    );
}

#[test]
fn any_flipped_bit_costs_at_most_the_frame_it_hits() {
    let dir = TempDir::new().unwrap();
    let path = write(dir.path(), 1..=2800);
    let good = std::fs::read(&path).unwrap();
    let whole: Vec<_> = (1..=2800).map(|n| (n, contract::line(n))).collect();
    let ends: Vec<usize> =
        Segment::open(&path).unwrap().frames().iter().map(|f| usize::try_from(f.offset).unwrap() + f.packed as usize).collect();
    let step = (good.len() / 700).max(1);
    for at in (0..good.len()).step_by(step) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        std::fs::write(&path, bad).unwrap();
        let found = lines(&Segment::open(&path).unwrap_or_else(|e| panic!("flip at {at}: {e}")));
        let hit = ends.iter().position(|end| at < *end);
        let expected: Vec<_> =
            whole.iter().filter(|(seq, _)| Some(usize::try_from((seq - 1) / u64::from(frame::LINES)).unwrap()) != hit).cloned().collect();
        assert_eq!(found, expected, "flip at {at}, in frame {hit:?}");
    }
}

#[test]
fn flips_without_an_index_cost_at_most_the_frame_as_well() {
    let dir = TempDir::new().unwrap();
    let path = write(dir.path(), 1..=2800);
    let frames = Segment::open(&path).unwrap().frames().to_vec();
    let end = frames.last().map(|f| usize::try_from(f.offset).unwrap() + f.packed as usize).unwrap();
    let good = std::fs::read(&path).unwrap();
    let step = (end / 150).max(1);
    for at in (0..end).step_by(step) {
        // Cut after the frames: no index, no seek table.
        let mut bad = good[..end].to_vec();
        bad[at] ^= 1 << (at % 8);
        std::fs::write(&path, bad).unwrap();
        let hit = frames.iter().position(|f| (at as u64) < f.offset + u64::from(f.packed)).unwrap() as u64;
        let segment = Segment::open(&path).unwrap();
        let expected: Vec<_> =
            (1..=2800).filter(|seq| (seq - 1) / u64::from(frame::LINES) != hit).map(|n| (n, contract::line(n))).collect();
        let found = lines(&segment);
        // Some bits of a frame's head change nothing.
        assert!(found == expected || found.len() == 2800, "flip at {at}");
        assert!(found.iter().all(|(n, line)| *line == contract::line(*n)));
        assert!(!segment.has_index() && !segment.has_summaries());
    }
}

/// Somebody else's file may look like the begin of a frame everywhere: what is read in vain has an end.
#[test]
fn what_looks_like_frames_is_not_tried_for_ever() {
    let dir = TempDir::new().unwrap();
    let path = write(dir.path(), 1..=100);
    let good = std::fs::read(&path).unwrap();
    let end = usize::try_from(Segment::open(&path).unwrap().frames()[0].packed).unwrap();
    let decoys = frame::pack(b"no record\n", 1).unwrap().repeat(100);
    let bytes = [&decoys, &good[..end]].concat();
    std::fs::write(&path, &bytes).unwrap();
    let (file, bytes) = (File::open(&path).unwrap(), bytes.len() as u64);
    // Each costs all that was read for it.
    let records = |max_futile| walk::rebuild_within(max_futile, &file, &path, bytes).map(|index| index.frames[0].count);
    assert_eq!(records(200 * bytes).unwrap(), 100);
    assert!(matches!(records(20 * bytes), Err(LogError::Damaged(_))));
    assert_eq!(Segment::open(&path).unwrap().last(), 100, "with the bound that is used");
}

/// A seek table that tells of sizes that no segment has: nothing is allocated for them.
#[test]
fn an_index_of_any_size_is_not_believed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("segment");
    // The magic numbers of the zstd seekable format, and its integers.
    let table = |index_bytes: u32| {
        let entries = [[10u32, 10], [index_bytes, 0]].concat();
        let mut table: Vec<u8> = [0x5E, 0x2A, 0x4D, 0x18, 25, 0, 0, 0].to_vec();
        table.extend(entries.iter().flat_map(|n| n.to_be_bytes().into_iter().rev()));
        table.extend([2, 0, 0, 0, 0, 0xB1, 0xEA, 0x92, 0x8F]);
        table
    };
    for (index_bytes, why) in [(index::MAX_BYTES, "is not where it should be"), (index::MAX_BYTES + 1, "is shorter than it should be")] {
        let (file, bytes) = (File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap(), 1 << 30);
        file.set_len(bytes).unwrap();
        let table = table(index_bytes);
        std::os::unix::fs::FileExt::write_all_at(&file, &table, bytes - table.len() as u64).unwrap();
        let error = read_index(&file, &path, bytes).unwrap_err().to_string();
        assert!(error.contains(why), "{index_bytes}: {error}");
    }
}

#[test]
fn truncations_leave_a_prefix() {
    let dir = TempDir::new().unwrap();
    let path = write(dir.path(), 1..=2800);
    let good = std::fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(64) {
        std::fs::write(&path, &good[..at]).unwrap();
        match Segment::open(&path) {
            Ok(segment) => {
                let found = lines(&segment);
                let count = found.len() as u64;
                assert_eq!(found, (1..=count).map(|n| (n, contract::line(n))).collect::<Vec<_>>(), "cut at {at}");
            }
            Err(LogError::Damaged(_)) => assert!(at < good.len() / 2, "cut at {at}"),
            Err(e) => panic!("cut at {at}: {e}"),
        }
    }
}

/// A segment of a record for each name and action, one nanosecond apart, in frames that are full but for the
/// last one.
fn busy(dir: &Path, records: &[(&str, &str)]) -> Segment {
    let path = dir.join(names::segment(1));
    let mut writer = SegmentWriter::new(Vec::new(), contract::log_id(), 1, CHAIN_START, 1);
    let mut builder = BlockBuilder::new(contract::log_id(), 1, 0);
    for (n, (name, action)) in (0..).zip(records) {
        let json = serde_json::json!({"Type": "container", "Action": action, "Actor": {"ID": "ab", "Attributes": {"name": name}}});
        let event = Event::from_line(json.to_string().as_bytes()).unwrap();
        let time = Timestamp::from_nanos(n);
        let record = RecordParts {
            time,
            received: time,
            source: "local",
            origin: None,
            marks: crate::event::Marks::default(),
            json: event.as_json(),
        };
        writer.push(builder.push(&record).as_bytes()).unwrap();
    }
    std::fs::write(&path, writer.finish().unwrap().0).unwrap();
    Segment::open(&path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn unpacking_ends_where_the_last_hit_is_and_finds_the_same(
        few in prop::collection::vec((0usize..2000, "(web|db|a\\\\b)", "(die|oom|start)"), 0..60),
        actions in prop::sample::select(vec![vec!["die"], vec!["die", "oom"], vec!["start"], vec!["die", "start"]]),
        name in "(web|db|a)",
        (from, to) in (-1i64..2000, 0i64..2500),
        more in any::<bool>(),
    ) {
        let mut records = vec![(if more { "web" } else { "rest" }, if more { "start" } else { "exec_die" }); 2000];
        for (at, name, action) in &few {
            records[*at] = (name, action);
        }
        let dir = TempDir::new().unwrap();
        let segment = busy(dir.path(), &records);
        let filter = serde_json::json!({"event": actions, "container": [name]}).to_string();
        let filter = Arc::new(Filter::from_params(Some(&filter), None).unwrap());
        let scan = Scan { filter: Arc::clone(&filter), time: Timestamp::from_nanos(from)..=Timestamp::from_nanos(to), ..Scan::default() };
        let passes = |block: &Block, seq: &Sequence| block.matches(*seq, &filter) && scan.time.contains(&block.time(*seq));
        let found = |block: &Block| block.sequences().filter(|seq| passes(block, seq)).map(|seq| block.sse_frames(seq, seq)).collect::<Vec<_>>();
        let summary_chunk = segment.summary_chunk(0).unwrap();
        let summaries = summary_chunk.summaries().unwrap();
        for (at, frame) in segment.frames().iter().enumerate() {
            let candidates = summaries.judge(&filter).candidates(at);
            let naive = found(&segment.block(frame).unwrap());
            if candidates == Candidates::Nowhere {
                prop_assert!(naive.is_empty());
                continue;
            }
            let blocks = match segment.prefilter(frame, &candidates, &scan).unwrap() {
                Prefiltered::Few(blocks) => blocks,
                Prefiltered::All(block) => vec![block],
            };
            prop_assert!(blocks.is_sorted_by(|a, b| a.last() < b.first()));
            prop_assert_eq!(blocks.iter().flat_map(found).collect::<Vec<_>>(), naive);
        }
    }
}

#[test]
fn positions_that_a_frame_does_not_have_are_damage() {
    let dir = TempDir::new().unwrap();
    let mut records = vec![("rest", "start"); 100];
    records[90] = ("web", "die");
    let segment = busy(dir.path(), &records);
    let summary_chunk = segment.summary_chunk(0).unwrap();
    let filter = Filter::from_params(Some(r#"{"event":["die"],"container":["web"]}"#), None).unwrap();
    let scan = Scan { filter: Arc::new(filter), ..Scan::default() };
    let candidates = summary_chunk.summaries().unwrap().judge(&scan.filter).candidates(0);
    let frame = segment.frames()[0];
    let Prefiltered::Few(blocks) = segment.prefilter(&frame, &candidates, &scan).unwrap() else { panic!("one line") };
    assert_eq!(blocks.iter().map(Block::sequences).collect::<Vec<_>>(), [91..=91]);
    // As an index would tell that was made up.
    assert!(
        segment
            .prefilter(&FrameMeta { count: 300, first: 2, ..frame }, &candidates, &scan)
            .unwrap_err()
            .to_string()
            .contains("does not hold the record")
    );
    assert!(
        segment
            .prefilter(&FrameMeta { count: 300, raw: u32::MAX, ..frame }, &candidates, &scan)
            .unwrap_err()
            .to_string()
            .contains("sensible")
    );
    let beyond = busy(TempDir::new().unwrap().path(), &[vec![("rest", "start"); 250], vec![("web", "die")]].concat());
    let far = beyond.summary_chunk(0).unwrap().summaries().unwrap().judge(&scan.filter).candidates(0);
    assert!(segment.prefilter(&FrameMeta { count: 300, ..frame }, &far, &scan).unwrap_err().to_string().contains("number of lines"));
}

#[test]
fn what_a_summary_leaves_out_is_found() {
    let dir = TempDir::new().unwrap();
    let records = [vec![("rest", "start"); 900], vec![("web", "die")], vec![("a\\b", "oom"); 9]].concat();
    let segment = busy(dir.path(), &records);
    let whole: Vec<_> = segment.frames().iter().map(|frame| segment.block(frame).unwrap()).collect();
    let covers = |segment: &Segment| {
        let summary_chunk = segment.summary_chunk(0).unwrap();
        let summaries = summary_chunk.summaries().unwrap();
        [0, 1].map(|at| summaries.covers(at, &whole[at]))
    };
    assert_eq!(covers(&segment), [true, true]);
    // In another place of the frame.
    let moved = [vec![("rest", "start"); 890], vec![("web", "die")], vec![("rest", "start"); 10], vec![("a\\b", "oom"); 9]].concat();
    assert_eq!(covers(&busy(TempDir::new().unwrap().path(), &moved)), [true, false]);
    // Another action of the same container.
    let other = [vec![("rest", "start"); 900], vec![("web", "oom")], vec![("a\\b", "oom"); 9]].concat();
    assert_eq!(covers(&busy(TempDir::new().unwrap().path(), &other)), [true, false]);
    // More than there is misleads nobody.
    let more = [vec![("rest", "start"); 900], vec![("web", "die")], vec![("a\\b", "oom"); 9], vec![("web", "oom")]].concat();
    assert_eq!(covers(&busy(TempDir::new().unwrap().path(), &more)), [true, true]);
    let path = segment.path().to_owned();
    leave_out(&path);
    assert_eq!(covers(&Segment::open(&path).unwrap()), [false, false]);
}
