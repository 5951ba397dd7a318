use super::*;
use crate::log::record::chain::CHAIN_START;
use crate::log::tip::codec::{Encoder, StoredRecord};

fn block(first: Sequence, count: u64) -> Vec<u8> {
    let mut encoder = Encoder::default();
    for n in 0..count {
        let json = format!("{{\"n\":{}}}", first + n);
        let record = StoredRecord {
            time: 1,
            received: 1,
            source: "",
            kind: "",
            action: "",
            actor_id: "",
            json: &json,
            noise: 0,
            cut: 0,
            foreign: false,
        };
        encoder.push(&record).unwrap();
    }
    encoder.compress().unwrap().finish(first, CHAIN_START, usize::MAX).unwrap().1
}

/// First sequences of the whole blocks, and whether that is all.
fn blocks(dir: &Path) -> (Vec<Sequence>, bool) {
    let journal = Journal::open(dir).unwrap().unwrap();
    let mut firsts = Vec::new();
    let whole = journal.recover(|entry| {
        firsts.push(entry.header.first);
        Ok(())
    });
    (firsts, whole.unwrap())
}

#[test]
fn gives_back_what_was_added_and_goes_on_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let id = LogId::random();
    Journal::create(dir.path(), id).unwrap();
    assert!(Journal::open(&dir.path().join("elsewhere")).unwrap().is_none());
    for first in [1, 4] {
        let journal = Journal::open(dir.path()).unwrap().unwrap();
        assert_eq!(journal.log_id(), Some(id));
        assert!(journal.recover(|_| Ok(())).unwrap());
        journal.append(&block(first, 3)).unwrap();
        assert_eq!(journal.find(first).unwrap(), Some(block(first, 3)));
        assert_eq!(journal.find(2).unwrap(), None);
    }
    assert_eq!(blocks(dir.path()), (vec![1, 4], true));
    assert_eq!(std::fs::metadata(dir.path().join(NAME)).unwrap().len(), AHEAD);
}

#[test]
fn grows_behind_its_zeros() {
    let dir = tempfile::tempdir().unwrap();
    Journal::create(dir.path(), LogId::random()).unwrap();
    let journal = Journal::open(dir.path()).unwrap().unwrap();
    journal.ends.lock().file = BLOCKS + 5;
    journal.append(&block(1, 3)).unwrap();
    assert_eq!(journal.bytes(), AHEAD);
    journal.ends.lock().file = BLOCKS + 5;
    journal.append(&block(4, 3)).unwrap();
    assert_eq!(blocks(dir.path()), (vec![1, 4], true));
}

/// Somebody else's file may look like the begin of a block everywhere: what is read in vain has an end.
#[test]
fn what_looks_like_blocks_is_not_tried_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    Journal::create(dir.path(), LogId::random()).unwrap();
    let journal = Journal::open(dir.path()).unwrap().unwrap();
    let good = block(1000, 3);
    // Heads of blocks whose bytes are there, and are not what the checksum says.
    let head = &good[..HEADER_BYTES];
    let (tries, each) = (200, good.len() as u64);
    let decoys: Vec<u8> = head.repeat(tries);
    journal.file.write_all_at(&decoys, BLOCKS).unwrap();
    let end = BLOCKS + decoys.len() as u64;
    journal.file.write_all_at(&good, end).unwrap();
    for (max_futile, found) in [(MAX_FUTILE_BYTES, 1), (each * tries as u64, 1), (each * 100, 0)] {
        let journal = Journal { max_futile, ..Journal::open(dir.path()).unwrap().unwrap() };
        let mut firsts = Vec::new();
        let whole = journal.recover(|entry| {
            firsts.push(entry.header.first);
            Ok(())
        });
        assert_eq!((firsts.len(), whole.unwrap()), (found, false), "{max_futile}");
        assert!(journal.futile.load(Ordering::Relaxed) <= max_futile + 2 * each, "{max_futile}");
    }
}

#[test]
fn damage_costs_the_block_that_it_hits() {
    let dir = tempfile::tempdir().unwrap();
    Journal::create(dir.path(), LogId::random()).unwrap();
    let journal = Journal::open(dir.path()).unwrap().unwrap();
    let mut ends = vec![BLOCKS];
    for n in 0..5 {
        journal.append(&block(n * 3 + 1, 3)).unwrap();
        ends.push(journal.ends.lock().blocks);
    }
    let path = dir.path().join(NAME);
    let good = std::fs::read(&path).unwrap();
    for at in 0..usize::try_from(ends[5]).unwrap() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&path, bad).unwrap();
        let (firsts, whole) = blocks(dir.path());
        let hit = ends.iter().rposition(|end| *end <= at as u64);
        let expected: Vec<_> = (0..5).filter(|n| Some(*n) != hit).map(|n| n as u64 * 3 + 1).collect();
        assert_eq!(firsts, expected, "byte {at}");
        // After the last whole block nobody can tell damage from what a crash tore off.
        assert_eq!(whole, hit.is_none_or(|hit| hit == 4), "byte {at}");
    }
    for length in (0..usize::try_from(ends[5]).unwrap()).step_by(7) {
        std::fs::write(&path, &good[..length]).unwrap();
        let left = ends.iter().skip(1).filter(|end| **end <= length as u64).count() as u64;
        assert_eq!(blocks(dir.path()).0, (0..left).map(|n| n * 3 + 1).collect::<Vec<_>>(), "{length} bytes");
    }
}
