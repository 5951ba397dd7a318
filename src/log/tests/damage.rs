//! Damage to a tip: a bit that flipped anywhere, a file that was cut short anywhere. What one half lost the
//! other one has; what both lost is told.
//!
//! `SHIPSLOG_FAULTS` multiplies the places tried (1), `SHIPSLOG_SEED` repeats a run.

use crate::event::Event;
use crate::log::testing::contract::{self, read_all, records};
use crate::log::testing::directory::{CLEAN, copy_dir, drop_and_wait};
use crate::log::tip::codec::HEADER_BYTES;
use crate::log::tip::sled_store::SledStore;
use crate::log::{EmbeddedLog, EventLog, NewRecord, Scan, recover};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const TIP: &str = "log/tip-00000000000000000001";
/// Distance of cuts.
const FINE: usize = 64;
/// The end of a file that is always cut finely: what a crash tears lies there.
const END: usize = 4096;

fn environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

fn faults() -> usize {
    environment("SHIPSLOG_FAULTS").unwrap_or(1)
}

/// Record `n`, made larger by `noise` bytes that do not compress to less than half.
fn record(n: u64, noise: usize) -> NewRecord {
    let plain = contract::record(n);
    if noise == 0 {
        return plain;
    }
    let mut bytes = vec![0; noise / 2];
    StdRng::seed_from_u64(n).fill(&mut bytes[..]);
    let json = plain.event.as_json().replacen('{', &format!(r#"{{"noise":"{}","#, hex::encode(bytes)), 1);
    NewRecord { event: Event::from_line(json.as_bytes()).unwrap(), ..plain }
}

/// What a disk held before it was damaged.
struct Image {
    dir: TempDir,
    /// How many it holds.
    records: u64,
    /// They, and two to come.
    all: Vec<NewRecord>,
}

/// A file of the tip: name, bytes, and how many of them are used.
type Part = (PathBuf, Vec<u8>, usize);

impl Image {
    /// Two sessions, so that sled has a snapshot to go by. The files are taken when sled has let go of them:
    /// a copy of a live one is no image of one moment.
    async fn new(records: u64, noise: usize) -> Self {
        let dir = TempDir::new().unwrap();
        let all: Vec<_> = (1..=records + 2).map(|n| record(n, noise)).collect();
        let (old, new) = all[..all.len() - 2].split_at(all.len() / 2);
        for session in [old, new] {
            let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
            for batch in session.chunks(3) {
                log.append(batch.to_vec()).await.unwrap();
            }
            // As it is while the program runs, and so after a kill.
            let running = dir.path().join("running");
            let _ = fs::remove_file(&running);
            fs::hard_link(dir.path().join("log/LOG"), running).unwrap();
            close(log, dir.path()).await;
        }
        Self { dir, records, all }
    }

    fn parts(&self) -> Vec<Part> {
        let paths = fs::read_dir(self.dir.path().join(TIP)).unwrap().map(|entry| entry.unwrap().path());
        let read = |path: PathBuf| {
            let bytes = fs::read(&path).unwrap();
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            (PathBuf::from(path.file_name().unwrap()), bytes, used)
        };
        let parts: Vec<Part> = paths.filter(|path| path.is_file()).map(read).collect();
        parts.into_iter().filter(|(name, ..)| name != Path::new("conf")).collect()
    }

    /// The log with other bytes in one file of its tip. Each `turn` in another of four ways: after a clean
    /// stop or after a kill, in its own place or as a copy, which continues in a tip of its own. `alone`:
    /// without the other half of the tip.
    fn with(&self, name: &Path, bytes: &[u8], turn: usize, alone: bool) -> TempDir {
        let hurt = TempDir::new().unwrap();
        copy_dir(&self.dir.path().join("log"), &hurt.path().join("log"));
        let (clean, in_place) = (turn.is_multiple_of(2), (turn / 2).is_multiple_of(2));
        let (from, to) = (self.dir.path().join(if clean { "log/LOG" } else { "running" }), hurt.path().join("log/LOG"));
        fs::remove_file(&to).unwrap();
        // A log is told from its copy by the very file; it is only ever replaced, so the image keeps it.
        if in_place { fs::hard_link(from, to) } else { fs::copy(from, to).map(|_| ()) }.unwrap();
        let tip = hurt.path().join(TIP);
        if alone && name == Path::new("journal") {
            fs::remove_dir_all(&tip).unwrap();
            fs::create_dir(&tip).unwrap();
        } else if alone {
            fs::remove_file(tip.join("journal")).unwrap();
        }
        fs::write(tip.join(name), bytes).unwrap();
        hurt
    }
}

async fn close(log: EmbeddedLog, dir: &Path) {
    log.close().await.unwrap();
    drop_and_wait(log, dir).await;
    for entry in fs::read_dir(dir.join("log")).unwrap() {
        // sled's threads may hold on to it for a moment.
        if let Ok(db) = fs::File::open(entry.unwrap().path().join("db")) {
            tokio::task::spawn_blocking(move || db.lock().unwrap()).await.unwrap();
        }
    }
}

/// What damage has cost.
#[derive(Debug, Default)]
struct Harm {
    cases: u64,
    /// Cases in which records were missing, and told of.
    told: u64,
    /// Cases in which the tip was set aside whole.
    set_aside: u64,
    records: u64,
}

impl Harm {
    /// Opens a hurt log, appends to it and reads it, twice: it opens, no sequence that was visible is used
    /// again, every record read is what was appended under its sequence, what is missing is told, and what
    /// could be read after the damage stays.
    async fn take(&mut self, image: &Image, hurt: &TempDir, about: &str) {
        let mut appended: BTreeMap<u64, &NewRecord> = (1..).zip(&image.all[..image.all.len() - 2]).collect();
        let mut before = Vec::new();
        for (round, record) in image.all[image.all.len() - 2..].iter().enumerate() {
            let (log, recovery) = EmbeddedLog::open(hurt.path()).unwrap_or_else(|e| panic!("{about}: does not open: {e}"));
            let next = *log.append(vec![record.clone()]).await.unwrap_or_else(|e| panic!("{about}: {e}")).start();
            let last = *appended.keys().next_back().unwrap();
            assert!(next > last, "{about}: {next} is given, {last} was visible; {recovery:?}");
            appended.insert(next, record);
            let found = read(&log, &appended, about).await;
            assert_eq!(found.last(), Some(&next), "{about}: what is appended now can be read");
            let gone: Vec<_> = before.iter().filter(|seq| !found.contains(seq)).collect();
            assert!(gone.is_empty(), "{about}: {gone:?} could be read after the damage and are gone now; {recovery:?}");
            if round == 0 {
                let missing = image.records + 1 - found.len() as u64;
                self.cases += 1;
                self.told += u64::from(missing > 0);
                self.set_aside += u64::from(!recovery.quarantined.is_empty());
                self.records += missing;
            }
            before = found;
            close(log, hurt.path()).await;
        }
    }
}

/// The sequences of all records there are. Each is what was appended under it, and what lies between them is
/// told.
async fn read(log: &EmbeddedLog, appended: &BTreeMap<u64, &NewRecord>, about: &str) -> Vec<u64> {
    let (mut covered, mut found) = (0, Vec::new());
    for (seq, text) in read_all(log, 0, &Scan::default()).await {
        assert_eq!(seq, covered + 1, "{about}: a hole that nothing tells of, or a sequence twice");
        covered = seq;
        if let Some(gap) = text.strip_prefix("gap to ") {
            covered = gap.split(' ').next().unwrap().parse().unwrap();
            continue;
        }
        let record = appended.get(&seq).unwrap_or_else(|| panic!("{about}: {seq} was never appended: {text}"));
        assert!(text == record.event.as_json(), "{about}: {seq} is {text}");
        found.push(seq);
    }
    found
}

/// The harm beside the other half, which must be none, and without it.
async fn flip_bits(image: &Image, part: &Part, flips: usize, random: &mut StdRng, about: &str) -> u64 {
    let (name, good, used) = part;
    // All over the file, beginning anywhere.
    let begin = random.random_range(0..*used);
    let mut harms = [Harm::default(), Harm::default()];
    for flip in 0..flips {
        let (at, bit) = ((begin + used * flip / flips) % used, random.random_range(0..8));
        let mut bytes = good.clone();
        bytes[at] ^= 1 << bit;
        for (alone, harm) in [false, true].into_iter().zip(&mut harms) {
            let about = format!("bit {bit} of byte {at} of {}, alone: {alone}, way {}, {about}", name.display(), flip % 4);
            harm.take(image, &image.with(name, &bytes, flip, alone), &about).await;
        }
    }
    eprintln!("{flips} flips in {used} bytes of {}: {:?}; alone {:?}", name.display(), harms[0], harms[1]);
    assert_eq!(harms[0].records, 0, "the other half has it");
    harms[1].told
}

fn random(what: &str) -> (StdRng, String) {
    let seed = environment("SHIPSLOG_SEED").unwrap_or_else(rand::random);
    eprintln!("{what}: SHIPSLOG_SEED={seed}");
    (StdRng::seed_from_u64(seed), format!("SHIPSLOG_SEED={seed}"))
}

#[tokio::test]
async fn flipped_bits_never_give_wrong_bytes_or_a_used_sequence() {
    let (mut random, seed) = random("flipped bits");
    let image = Image::new(120, 0).await;
    let mut told = 0;
    for part in image.parts() {
        let flips = if part.0.to_string_lossy().starts_with("snap.") { 4 } else { 50 } * faults();
        told += flip_bits(&image, &part, flips, &mut random, &seed).await;
    }
    assert!(told > 0, "no flip did any harm: the test hurts nothing");
}

#[tokio::test]
async fn flipped_bits_in_a_large_tip_take_nothing_that_is_recorded_behind_them() {
    let (mut random, seed) = random("flipped bits in a large tip");
    // Several of sled's segments: what lies before the one that its snapshot names is only looked at when it
    // is read.
    let image = Image::new(180, 40_000).await;
    let mut told = 0;
    for part in image.parts() {
        told += flip_bits(&image, &part, 4 * faults(), &mut random, &seed).await;
    }
    assert!(told > 0, "no flip did any harm: the test hurts nothing");
}

#[tokio::test]
async fn a_file_cut_short_anywhere_costs_its_end_and_is_told() {
    let image = Image::new(120, 0).await;
    let mut told = 0;
    for (name, good, used) in image.parts() {
        let (mut harms, mut length) = ([Harm::default(), Harm::default()], 0);
        while length < used {
            for (alone, harm) in [false, true].into_iter().zip(&mut harms) {
                let turn = usize::try_from(harm.cases).unwrap();
                let about = format!("{} cut to {length} of {used} bytes, alone: {alone}, way {}", name.display(), turn % 4);
                harm.take(&image, &image.with(&name, &good[..length], turn, alone), &about).await;
            }
            length += if length + END >= used { FINE } else { (FINE * 10 / faults()).max(FINE) };
        }
        eprintln!("cuts in {used} bytes of {}: {:?}; alone {:?}", name.display(), harms[0], harms[1]);
        assert_eq!(harms[0].records, 0, "the other half has it");
        told += harms[1].told;
    }
    assert!(told > 0, "no cut did any harm: the test hurts nothing");
}

#[tokio::test]
async fn each_half_of_a_tip_makes_good_what_the_other_one_lost() {
    type Hurt = fn(&Path);
    let cases: [Hurt; 6] = [
        |tip| fs::write(tip.join("conf"), b"not what sled wrote").unwrap(),
        |tip| fs::remove_file(tip.join("db")).unwrap(),
        |tip| fs::write(tip.join("db"), vec![0xaa; 100_000]).unwrap(),
        |tip| fs::remove_file(tip.join("journal")).unwrap(),
        |tip| fs::write(tip.join("journal"), vec![0xaa; 2_000_000]).unwrap(),
        |tip| fs::write(tip.join("journal"), b"").unwrap(),
    ];
    for (case, hurt) in cases.into_iter().enumerate() {
        let dir = TempDir::new().unwrap();
        let (log, _) = EmbeddedLog::open(dir.path()).unwrap();
        log.append(records(1..=10)).await.unwrap();
        log.append(records(11..=12)).await.unwrap();
        log.close().await.unwrap();
        drop_and_wait(log, dir.path()).await;
        hurt(&dir.path().join("log/tip-00000000000000000001"));
        for next in 13..=14 {
            let (log, recovery) = EmbeddedLog::open(dir.path()).unwrap();
            assert_eq!(recovery, CLEAN, "case {case}");
            let read: Vec<_> = read_all(&log, 0, &Scan::default()).await.into_iter().map(|(seq, _)| seq).collect();
            assert!(read.iter().copied().eq(1..next), "case {case}: {read:?}");
            assert_eq!(log.append(records(next..=next)).await.unwrap(), next..=next);
            log.close().await.unwrap();
            drop_and_wait(log, dir.path()).await;
        }
    }
}

/// Makes a block unreadable in both halves of a tip. `fits`: its checksum is made to fit, so that nobody sees
/// it before the block is read.
fn spoil(tip: &Path, first: u64, fits: bool) {
    let store = SledStore::open(tip).unwrap();
    let good = store.get(first, 1).unwrap();
    let mut bad = good.clone();
    bad[HEADER_BYTES] ^= 0xff;
    if fits {
        let crc = crc32fast::hash(&[&bad[..HEADER_BYTES - 4], &bad[HEADER_BYTES..]].concat());
        bad[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&crc.to_be_bytes());
    }
    store.insert(first, &bad).unwrap();
    let journal = fs::read(tip.join("journal")).unwrap();
    let at = memchr::memmem::find(&journal, &good).unwrap();
    fs::write(tip.join("journal"), [&journal[..at], &bad, &journal[at + bad.len()..]].concat()).unwrap();
}

/// Only the records of the last block tell the chain's value after them.
#[tokio::test]
async fn behind_a_last_block_that_cannot_be_read_goes_a_new_tip() {
    // 1 to 3, 4 to 6, 7 | 8 to 10, 11 and 12.
    let image = Image::new(12, 0).await;
    let journal = fs::read(image.dir.path().join(TIP).join("journal")).unwrap();
    let hurt = |turn, firsts: &[u64], fits| {
        let hurt = image.with(Path::new("journal"), &journal, turn, false);
        for first in firsts {
            spoil(&hurt.path().join(TIP), *first, fits);
        }
        hurt
    };
    // The last block of all, and one that is the last since the one after it is not there at all.
    for (firsts, fits, lost) in [(&[11][..], true, 2), (&[8, 11], false, 5)] {
        let dir = hurt(0, firsts, fits);
        let found = recover::open(dir.path(), None).unwrap();
        let tip = found.tail.tip.as_ref().unwrap();
        assert!(tip.name() > 12 && found.tail.fill.records == 0, "{}", tip.dir().display());
        let mut harm = Harm::default();
        for turn in 0..4 {
            harm.take(&image, &hurt(turn, firsts, fits), &format!("blocks {firsts:?}, way {turn}")).await;
        }
        assert_eq!((harm.cases, harm.told, harm.set_aside, harm.records), (4, 4, 0, 4 * lost));
    }
}
