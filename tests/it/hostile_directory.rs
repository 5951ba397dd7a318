//! Somebody else's directory: what `verify`, `serve --read-only` and `import` make of files that are larger
//! than any log writes, or no files. The memory is measured at the child.

use crate::support::{BIN, PATIENCE, end_of, ship_with};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;

/// Far above what a small log takes, far below what is claimed by the files; MiB.
const MOST_MIB: u64 = 400;

/// A stopped log of some records.
async fn log() -> TempDir {
    let (dir, _daemon, mut ship) = ship_with(50).await;
    ship.stop();
    dir
}

fn tip(dir: &Path) -> PathBuf {
    let entries = fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("tip-")).max().unwrap()
}

fn sparse(path: &Path, bytes: u64) {
    let file = File::options().create(true).truncate(false).write(true).open(path).unwrap();
    file.set_len(bytes).unwrap();
    // Something in the middle, so that it is not one hole.
    file.write_all_at(b"\x04\x00\x00\x01 shipslog \x28\xB5\x2F\xFD", bytes / 2).unwrap();
}

fn fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// Most memory that a process has had, MiB.
fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib >> 10)
}

/// Waits for the end, or until `enough`; how much memory it had at most.
fn watch(child: &mut Child, about: &str, mut enough: impl FnMut() -> bool) -> (u64, Option<i32>) {
    let (began, mut most) = (Instant::now(), 0);
    loop {
        most = peak(child).unwrap_or(0).max(most);
        let ended = child.try_wait().unwrap();
        if ended.is_some() || enough() {
            assert!(most < MOST_MIB, "{about}: {most} MiB");
            return (most, ended.and_then(|status| status.code()));
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("{about}: it hangs");
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// Bytes on the disk below `dir`.
fn taken(dir: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let data = fs::symlink_metadata(entry.path()).map_or(0, |data| data.blocks() * 512);
        bytes += data + if entry.path().is_dir() { taken(&entry.path()) } else { 0 };
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_that_are_not_true_and_files_that_are_none_cost_nothing() {
    type Hurt = fn(&Path);
    let cases: [(&str, Hurt); 8] = [
        ("a segment of 8 GiB", |dir| sparse(&dir.join("log/00000000000000000001.jsonl.zst"), 8 << 30)),
        ("a journal of 4 GiB", |dir| sparse(&tip(dir).join("journal"), 4 << 30)),
        ("a journal of 1 TiB", |dir| sparse(&tip(dir).join("journal"), 1 << 40)),
        ("a db of 8 GiB", |dir| sparse(&tip(dir).join("db"), 8 << 30)),
        ("a conf of 8 GiB", |dir| sparse(&tip(dir).join("conf"), 8 << 30)),
        ("LOG is /dev/zero", |dir| {
            fs::remove_file(dir.join("log/LOG")).unwrap();
            symlink("/dev/zero", dir.join("log/LOG")).unwrap();
        }),
        ("watermark is /dev/zero", |dir| {
            fs::remove_file(dir.join("log/watermark")).unwrap();
            symlink("/dev/zero", dir.join("log/watermark")).unwrap();
        }),
        ("a FIFO for a segment", |dir| fifo(&dir.join("log/00000000000000000001.jsonl.zst"))),
    ];
    for (about, hurt) in cases {
        let (dir, scratch) = (log().await, TempDir::new().unwrap());
        hurt(dir.path());
        let command = |args: &[&str]| {
            let mut command = Command::new(BIN);
            command.args(args).arg(dir.path()).env("TMPDIR", scratch.path()).env("SHIPSLOG_LOG", "off");
            command.stdout(Stdio::piped()).stderr(Stdio::null());
            command
        };
        let mut verify = command(&["verify", "--data-dir"]).spawn().unwrap();
        let (verified, code) = watch(&mut verify, &format!("verify, {about}"), || false);
        assert!(code.is_some(), "verify, {about}: it was killed");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "verify, {about}: it left something");

        let mut serve = command(&["serve", "--listen", "127.0.0.1:0", "--read-only"]).spawn().unwrap();
        let mut out = std::io::BufReader::new(serve.stdout.take().unwrap());
        let (listening, told) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = std::io::BufRead::read_line(&mut out, &mut line);
            let _ = listening.send(line);
        });
        let mut line = None;
        let (served, code) = watch(&mut serve, &format!("serve, {about}"), || {
            line = line.take().or_else(|| told.try_recv().ok());
            line.is_some()
        });
        assert!(code.is_none() && line.as_ref().is_some_and(|line| line.contains("listening")), "serve, {about}: {line:?}, {code:?}");
        let disk = taken(scratch.path());
        assert!(disk < 64 << 20, "serve, {about}: the copy takes {disk} bytes");
        // A kill leaves the copy; the next start of any shipslog removes it.
        serve.kill().unwrap();
        end_of(&mut serve, "a program that was killed");
        assert!(fs::read_dir(scratch.path()).unwrap().count() > 0, "there was a copy");
        let mut verify = command(&["verify", "--data-dir"]).spawn().unwrap();
        watch(&mut verify, about, || false);
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "{about}: what a kill left");
        eprintln!("{about}: verify {verified} MiB, serve {served} MiB, {disk} bytes in the copy");
    }
}
