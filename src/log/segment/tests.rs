use super::*;
use crate::log::chain::CHAIN_START;
use crate::log::contract;
use tempfile::TempDir;

/// A segment of the records `range`, a few frames of them.
fn write(dir: &Path, range: std::ops::RangeInclusive<Sequence>) -> PathBuf {
    let path = dir.join(file_name(*range.start()));
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
    assert_eq!((segment.first(), segment.last(), segment.frames().len(), segment.has_index()), (5, 1600, 2, true));
    let expected: String = (5..=1600).map(contract::line).collect();
    assert_eq!(zstd::decode_all(&*std::fs::read(&path).unwrap()).unwrap(), expected.as_bytes());
    assert_eq!(lines(&segment), (5..=1600).map(|n| (n, contract::line(n))).collect::<Vec<_>>());
    assert_eq!(segment.index().unwrap().frames, segment.frames());
    let (received, time) = (segment.received(), segment.time());
    assert_eq!(received, (contract::received(5), contract::received(1600)));
    assert!(time.0 <= contract::own_time(5) && time.1 >= contract::own_time(1600));
    assert_eq!(
        zstd::decode_all(&*segment.packed(&segment.frames()[1..]).unwrap()).unwrap(),
        expected.lines().skip(1024).flat_map(|l| format!("{l}\n").into_bytes()).collect::<Vec<_>>()
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
        let expected: Vec<_> = whole.iter().filter(|(seq, _)| Some(usize::try_from((seq - 1) / 1024).unwrap()) != hit).cloned().collect();
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
        // Cut behind the frames: no index, no seek table.
        let mut bad = good[..end].to_vec();
        bad[at] ^= 1 << (at % 8);
        std::fs::write(&path, bad).unwrap();
        let hit = frames.iter().position(|f| (at as u64) < f.offset + u64::from(f.packed)).unwrap() as u64;
        let segment = Segment::open(&path).unwrap();
        let expected: Vec<_> = (1..=2800).filter(|seq| (seq - 1) / 1024 != hit).map(|n| (n, contract::line(n))).collect();
        let found = lines(&segment);
        // Some bits of a frame's head change nothing.
        assert!(found == expected || found.len() == 2800, "flip at {at}");
        assert!(found.iter().all(|(n, line)| *line == contract::line(*n)));
        assert!(!segment.has_index() && !segment.has_summaries());
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
