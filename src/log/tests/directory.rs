//! Every file of a log's directory: each byte of it wrong, cut off anywhere, and something else in its place.
//! The log opens, never hangs, and loses no more than what was hurt.
//!
//! Of large files a sample is taken, with all of what they begin with; `SHIPSLOG_FAULTS` multiplies it (1).

use crate::log::testing::contract::{self, read_all, records};
use crate::log::testing::directory::{KINDS, copy_dir, drop_and_wait};
use crate::log::{EmbeddedLog, EventLog, Limits, LogError, Recovery, Scan, verify};
use crate::testing::{PATIENCE, until};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Places in a file at which it is hurt.
const PLACES: usize = 24;
/// Bytes at the begin of a file that belong to its head.
const HEAD: usize = 64;

/// A log with segments and a tip that was stopped cleanly, and so one that was killed.
struct Image {
    clean: TempDir,
    killed: TempDir,
    records: u64,
}

impl Image {
    async fn new() -> Self {
        let mut image = Self { clean: TempDir::new().unwrap(), killed: TempDir::new().unwrap(), records: 0 };
        let dir = image.clean.path();
        let limits = Limits { tip_records: 8, merge_after: Duration::from_secs(3600), ..Limits::default() };
        let (log, _) = EmbeddedLog::open_with(dir, limits).unwrap();
        let began = Instant::now();
        let (mut head, mut end) = (0, None);
        while end.is_none_or(|end| head < end) {
            assert!(began.elapsed() < PATIENCE, "nothing is sealed");
            head += 1;
            log.append(records(head..=head)).await.unwrap();
            // A few after it, for the tip.
            end = end.or_else(|| log.next_trim().map(|step| head.max(step.before) + 4));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let names = || {
            let entries = fs::read_dir(dir.join("log")).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<BTreeSet<_>>()
        };
        // A sealer that lags has more than one tip before it: a copy is of one moment where nothing came or
        // went.
        until("a copy of one moment", async || {
            let before = names();
            let _ = fs::remove_dir_all(image.killed.path().join("log"));
            copy_dir(dir, image.killed.path());
            before == names() && !before.iter().any(|name| name.contains("unfinished") || name.starts_with("removed-"))
        })
        .await;
        log.close().await.unwrap();
        drop_and_wait(log, dir).await;
        image.records = head;
        image
    }

    /// Files of the log whose path holds `part`.
    fn files(&self, part: &str) -> Vec<PathBuf> {
        let (mut found, mut waiting) = (Vec::new(), vec![PathBuf::from("log")]);
        while let Some(dir) = waiting.pop() {
            for entry in fs::read_dir(self.clean.path().join(&dir)).unwrap() {
                let path = dir.join(entry.unwrap().file_name());
                if self.clean.path().join(&path).is_dir() { waiting.push(path) } else { found.push(path) }
            }
        }
        found.retain(|path| path.to_string_lossy().contains(part));
        found.sort();
        assert!(!found.is_empty(), "there is no {part}");
        found
    }

    fn hurt(&self, killed: bool, hurt: impl FnOnce(&Path)) -> TempDir {
        let dir = TempDir::new().unwrap();
        copy_dir(if killed { self.killed.path() } else { self.clean.path() }, dir.path());
        hurt(dir.path());
        dir
    }
}

fn faults() -> usize {
    std::env::var("SHIPSLOG_FAULTS").map_or(1, |text| text.parse().unwrap())
}

/// Runs it on a thread of its own, so that one that hangs is told.
fn in_time<T: Send + 'static>(about: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, answer) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || drop(done.send(work())));
    answer.recv_timeout(PATIENCE).unwrap_or_else(|e| panic!("{about}: {e}"))
}

/// Opens a hurt log for reading and for writing, and verifies it; how many of its records are there.
fn open(dir: &Path, about: &str) -> Result<(u64, Recovery), LogError> {
    let path = dir.to_owned();
    in_time(about, move || drop((EmbeddedLog::open_read_only(&path), verify(&path, &mut |_, _| {}))));
    let (path, name) = (dir.to_owned(), about.to_owned());
    in_time(about, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let (log, recovery) = EmbeddedLog::open(&path)?;
            let new = *log.append(records(9999..=9999)).await.unwrap_or_else(|e| panic!("{name}: {e}")).start();
            let (mut covered, mut found) = (log.bounds().oldest - 1, 0);
            for (seq, text) in read_all(&log, covered, &Scan::default()).await {
                assert_eq!(seq, covered + 1, "{name}: a hole that nothing tells of");
                covered = seq;
                match text.strip_prefix("gap to ") {
                    Some(gap) => covered = gap.split(' ').next().unwrap().parse().unwrap(),
                    None if seq == new => assert_eq!(text, contract::record(9999).event.as_json(), "{name}"),
                    None => {
                        assert_eq!(text, contract::record(seq).event.as_json(), "{name}");
                        found += 1;
                    }
                }
            }
            assert_eq!(covered, new, "{name}: what is appended can be read");
            log.close().await.unwrap();
            drop_and_wait(log, &path).await;
            Ok((found, recovery))
        })
    })
}

/// Where a file is hurt.
fn places(bytes: &[u8]) -> Vec<usize> {
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let step = (used / (PLACES * faults())).max(1);
    let mut places: Vec<usize> = (0..used).step_by(step).chain((0..used.min(HEAD)).step_by(if used <= HEAD { 1 } else { 7 })).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// Hurts a file in every way; at least `left` of the records stay, of the log that was stopped and of the one
/// that was killed.
fn hurt_every_way(image: &Image, file: &Path, left: [u64; 2], with_kinds: bool) {
    let good = fs::read(image.clean.path().join(file)).unwrap();
    let mut cases = 0;
    let mut check = |killed: bool, about: String, hurt: &dyn Fn(&Path)| {
        let about = format!("{}, killed: {killed}, {about}", file.display());
        let dir = image.hurt(killed, |dir| hurt(&dir.join(file)));
        let (found, recovery) = open(dir.path(), &about).unwrap_or_else(|e| panic!("{about}: does not open: {e}"));
        assert!(
            found >= left[usize::from(killed)] && found <= image.records,
            "{about}: {found} of {} are left; {recovery:?}",
            image.records
        );
        cases += 1;
    };
    for (turn, at) in places(&good).into_iter().enumerate() {
        // The same place of a log that was killed may hold something else; it is hurt all the same.
        check(turn % 2 == 1, format!("bit {} of byte {at}", turn % 8), &|path| {
            let mut bytes = fs::read(path).unwrap();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (turn % 8);
            }
            fs::write(path, bytes).unwrap();
        });
        if turn % 2 == 0 {
            check(turn % 4 == 0, format!("cut to {at} bytes"), &|path| {
                fs::File::options().write(true).open(path).unwrap().set_len(at as u64).unwrap();
            });
        }
    }
    for (kind, make) in KINDS.iter().filter(|_| with_kinds) {
        for killed in [false, true] {
            check(killed, (*kind).to_owned(), &|path| {
                fs::remove_file(path).unwrap();
                make(path);
            });
        }
    }
    check(false, "longer".to_owned(), &|path| {
        fs::File::options().write(true).open(path).unwrap().set_len(1 << 33).unwrap();
    });
    eprintln!("{}: {cases} cases", file.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn hurt_log_file() {
    let image = Image::new().await;
    hurt_every_way(&image, Path::new("log/LOG"), [image.records; 2], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn hurt_watermark() {
    let image = Image::new().await;
    hurt_every_way(&image, Path::new("log/watermark"), [image.records; 2], true);
}

/// A lock that is none is not replaced: another process may be about to take the one that was there.
#[tokio::test(flavor = "multi_thread")]
async fn hurt_lock() {
    let image = Image::new().await;
    let lock = Path::new("log/lock");
    hurt_every_way(&image, lock, [image.records; 2], false);
    for (kind, make) in KINDS {
        let dir = image.hurt(false, |dir| {
            fs::remove_file(dir.join(lock)).unwrap();
            make(&dir.join(lock));
        });
        let error = open(dir.path(), kind).unwrap_err().to_string();
        assert!(error.contains("not a regular file") && error.contains("remove it"), "{kind}: {error}");
        crate::log::dir::files::remove(&dir.path().join(lock)).unwrap();
        assert_eq!(open(dir.path(), kind).unwrap().0, image.records);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hurt_segment() {
    let image = Image::new().await;
    let segments = image.files(".zst");
    // These are small: each is one frame.
    let first = crate::log::segment::Segment::open(&image.clean.path().join(&segments[0])).unwrap();
    hurt_every_way(&image, &segments[0], [image.records - (first.last() - first.first() + 1); 2], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn hurt_journal() {
    let image = Image::new().await;
    // sled's copy is whole only after a clean stop.
    hurt_every_way(&image, image.files("journal").last().unwrap(), [image.records, 1], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn something_else_for_a_journal() {
    let image = Image::new().await;
    let file = image.files("journal").last().unwrap().clone();
    for (kind, make) in KINDS {
        let dir = image.hurt(false, |dir| {
            fs::remove_file(dir.join(&file)).unwrap();
            make(&dir.join(&file));
        });
        assert_eq!(open(dir.path(), kind).unwrap().0, image.records, "{kind}: after a clean stop sled has everything");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hurt_files_of_sled() {
    let image = Image::new().await;
    for name in ["conf", "db", "snap."] {
        let file = image.files(&format!("/{name}")).last().unwrap().clone();
        // sled names its snapshots as it goes.
        if image.killed.path().join(&file).exists() {
            hurt_every_way(&image, &file, [image.records; 2], true);
        }
    }
}

/// sled reads all of a snapshot at once, and it only saves time.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_sled_that_is_larger_than_any_goes() {
    let image = Image::new().await;
    let snapshot = image.files("journal").last().unwrap().with_file_name("snap.00000000000000FF");
    let dir = image.hurt(false, |dir| fs::File::create(dir.join(&snapshot)).unwrap().set_len(65 << 20).unwrap());
    assert_eq!(open(dir.path(), "a snapshot of 65 MiB").unwrap().0, image.records);
    assert!(fs::metadata(dir.path().join(&snapshot)).map_or(0, |data| data.len()) < 65 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn something_else_for_a_directory_and_beside_the_log() {
    let image = Image::new().await;
    let (tip, blobs) = (image.files("journal").last().unwrap().parent().unwrap().to_owned(), "blobs");
    let names = [tip.clone(), tip.join(blobs)];
    let strays = ["stray", "LOG.new", "tip-1", "tip-18446744073709551615", "1.jsonl.zst", "00000000000000000077.jsonl.zst", "x.unfinished"];
    let strays = strays.map(|stray| PathBuf::from("log").join(stray));
    for (kind, make) in KINDS.into_iter().chain([("an empty file", (|path| fs::write(path, "").unwrap()) as fn(&Path))]) {
        for name in names.iter().chain(&strays) {
            let about = format!("{kind} for {}", name.display());
            let dir = image.hurt(false, |dir| {
                crate::log::dir::files::remove(&dir.join(name)).unwrap();
                make(&dir.join(name));
            });
            let left = if *name == tip { 1 } else { image.records };
            let (found, _) = open(dir.path(), &about).unwrap_or_else(|e| panic!("{about}: {e}"));
            assert!(found >= left, "{about}: {found} are left");
        }
    }
}

/// Files of such sizes abort a process that believes them.
#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_believed_only_behind_a_checksum() {
    let image = Image::new().await;
    // A tip may have come, and another one gone, between the kill and the clean stop.
    let there_too = |file: &&PathBuf| image.killed.path().join(file).exists();
    let journal = image.files("journal").iter().rfind(there_too).unwrap().clone();
    let segment = image.files(".zst").iter().find(there_too).unwrap().clone();
    let db = journal.with_file_name("db");
    for (file, bytes) in [(&journal, 1u64 << 40), (&segment, 1 << 40), (&db, 1 << 36), (&db, 1 << 33)] {
        let dir = image.hurt(true, |dir| {
            let path = dir.join(file);
            let out = fs::File::options().write(true).open(path).unwrap();
            out.set_len(bytes).unwrap();
            // A head that makes sense, of a block that is not there; and what looks like the begin of a
            // frame.
            out.write_all_at(&[4, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 99], bytes / 2).unwrap();
            out.write_all_at(&[0x28, 0xB5, 0x2F, 0xFD, 0xA4, 0, 0, 0, 3], bytes / 2 + 4096).unwrap();
        });
        let began = Instant::now();
        let (found, _) = open(dir.path(), &format!("{} of {bytes} bytes", file.display())).unwrap();
        assert!(found >= image.records - 8, "{}: {found}", file.display());
        assert!(began.elapsed() < PATIENCE / 2, "{}: {:?}", file.display(), began.elapsed());
    }
}
