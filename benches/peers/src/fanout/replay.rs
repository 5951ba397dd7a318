//! A whole log to one client, beside nginx sending a file of the same bytes.

use super::body::Body;
use super::crowd::request;
use super::machine::disk_reads;
use super::server::{Server, nchan, shipslog_replaying};
use super::{Goal, line};
use crate::fleet::Fleet;
use crate::{scratch, store};
use memchr::memmem;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const RECORDS: u64 = 1_000_000;
const READ_BYTES: usize = 256 * 1024;
/// Ends the replay; the client looks for it across reads.
const END: &[u8] = b"event: caught-up";
const FILE: &str = "/static/replay.sse";

pub(super) fn run(rounds: usize) {
    let dir = scratch();
    let (log, files) = (dir.path().join("data"), dir.path().join("files"));
    std::fs::create_dir(&files).unwrap();
    fill(&log);
    let bytes = save(&shipslog_replaying(&log), &files.join("replay.sse"));
    println!("{RECORDS} records replayed to one client: {:.0} MB of frames, {:.0} MB of them on disk", mega(bytes), mega(size(&log)));
    for (what, cold, goal) in [("  page cache warm: MB/s", false, 1.0), ("  page cache cold: MB/s", true, 0.5)] {
        let [mut ours, mut theirs] = [const { Vec::new() }; 2];
        for _ in 0..rounds {
            // A new process each time, which has nothing in memory of its own.
            let server = shipslog_replaying(&log);
            ours.push(mega(bytes) / timed(cold, &log, &server, || replay(&server)));
            drop(server);
            let server = nchan(Some(&files));
            theirs.push(mega(bytes) / timed(cold, &files, &server, || download(&server, bytes)));
        }
        line(what, &ours, "sendfile", &theirs, Goal::AtLeast(goal));
    }
}

fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Seconds that the server takes for it with its files in the page cache, or out of it.
fn timed(cold: bool, dir: &Path, server: &Server, work: impl FnOnce()) -> f64 {
    for file in walk(dir) {
        let file = File::open(file).unwrap();
        let advice = if cold { rustix::fs::Advice::DontNeed } else { rustix::fs::Advice::WillNeed };
        // What is not on the disk yet cannot be dropped.
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, advice).unwrap();
        if !cold {
            std::io::copy(&mut &file, &mut std::io::sink()).unwrap();
        }
    }
    let (began, before) = (Instant::now(), disk_reads(&server.pids()));
    work();
    let time = began.elapsed().as_secs_f64();
    let (read, size) = (disk_reads(&server.pids()) - before, size(dir));
    // The newest records may be in the server's own memory, and some of a file in the kernel's.
    assert_eq!(cold, read > size / 2, "{}: {read} B of {size} B were read from the disk", server.name);
    time
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

fn size(dir: &Path) -> u64 {
    walk(dir).iter().map(|file| file.metadata().unwrap().len()).sum()
}

fn fill(dir: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let log = runtime.block_on(store::filled(dir, RECORDS, &mut Fleet::new()));
    runtime.block_on(log.close()).unwrap();
    drop(log);
    // Its sealer ends after what it is at, and holds the directory until then.
    while File::open(dir.join("log/lock")).unwrap().try_lock().is_err() {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Writes what a client is sent to a file; its length.
fn save(server: &Server, path: &Path) -> u64 {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let (mut body, mut records, mut ended) = (Body::sse(), 0, false);
    let mut stream = request(server.address, server.path);
    let mut buffer = vec![0; READ_BYTES];
    while !ended {
        let read = stream.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "the stream ended");
        body.read(&buffer[..read], |frame| {
            records += u64::from(frame.starts_with(b"id: "));
            ended |= frame.starts_with(END);
            file.write_all(frame).unwrap();
        });
    }
    assert!(records >= RECORDS, "{records} records came instead of {RECORDS}");
    file.into_inner().unwrap().metadata().unwrap().len()
}

fn replay(server: &Server) {
    let mut stream = request(server.address, server.path);
    let (mut buffer, mut tail) = (vec![0; READ_BYTES], Vec::new());
    loop {
        let read = stream.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "the stream ended");
        // The mark is near the end of what is sent last.
        tail.extend_from_slice(&buffer[read.saturating_sub(512)..read]);
        if memmem::find(&tail, END).is_some() {
            return;
        }
        tail.drain(..tail.len().saturating_sub(END.len()));
    }
}

fn download(server: &Server, length: u64) {
    let mut stream = request(server.address, FILE);
    let (mut buffer, mut got) = (vec![0; READ_BYTES], 0);
    let mut body = Body::sse();
    while got < length {
        let read = stream.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "the file ended");
        if body.has_begun() {
            got += read as u64;
        } else {
            body.raw(&buffer[..read], |data| got += data.len() as u64);
            assert_eq!(body.length.unwrap_or(length), length);
        }
    }
}
