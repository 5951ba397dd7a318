//! A recorder's log that is one of two copies, which the file `LOG` does not show.

use crate::cursor::{LogId, Sequence};
use crate::log::dir::manifest::Manifest;
use crate::log::testing::contract::{read_all, records};
use crate::log::testing::directory::{CLEAN, copy_dir, drop_and_wait};
use crate::log::{EmbeddedLog, EventLog, Follow, FollowerLog, Limits, LogError, Recovery, Scan, copy_unnoticed, verify};
use crate::testing::until;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

fn limits() -> Limits {
    Limits { tip_records: 8, merge_after: Duration::from_secs(3600), ..Limits::default() }
}

fn open(dir: &Path) -> (EmbeddedLog, Recovery) {
    EmbeddedLog::open_with(dir, limits()).unwrap()
}

async fn close(log: EmbeddedLog, dir: &Path) {
    log.close().await.unwrap();
    drop_and_wait(log, dir).await;
}

/// A log with 30 records that was stopped cleanly, and its id.
async fn filled() -> (TempDir, LogId) {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(dir.path());
    for n in 1..=30 {
        log.append(records(n..=n)).await.unwrap();
    }
    let id = log.bounds().log;
    close(log, dir.path()).await;
    (dir, id)
}

/// The records of a log: how many, rising without a hole.
async fn count(log: &EmbeddedLog) -> Sequence {
    let all = read_all(log, 0, &Scan::default()).await;
    assert!(all.iter().map(|(seq, _)| *seq).eq(1..=all.len() as u64), "{all:?}");
    all.len() as u64
}

#[tokio::test]
async fn a_copy_that_looks_like_the_log_forks_when_it_is_told_to() {
    let (dir, id) = filled().await;
    let copy = TempDir::new().unwrap();
    copy_unnoticed(dir.path(), copy.path());
    let (twin, recovery) = open(copy.path());
    assert_eq!((recovery, twin.bounds().log), (CLEAN, id), "nothing shows that it is a copy");
    twin.append(records(31..=33)).await.unwrap();
    assert!(matches!(waiting(copy.path()), Err(LogError::InUse(_))), "while it is open nothing changes");
    close(twin, copy.path()).await;
    EmbeddedLog::fork_next(copy.path()).await.unwrap();
    let (twin, recovery) = open(copy.path());
    let new = twin.bounds().log;
    assert_eq!(recovery, Recovery { forked: Some((id, 33)), ..CLEAN });
    assert!(new != id && twin.owns(id.cursor(33)) && !twin.owns(id.cursor(34)) && twin.owns(new.cursor(34)));
    assert_eq!(twin.append(records(34..=34)).await.unwrap(), 34..=34);
    close(twin, copy.path()).await;
    // Once.
    let (twin, recovery) = open(copy.path());
    assert_eq!((recovery, twin.bounds().log, twin.ancestors()), (CLEAN, new, vec![(id, 33)]));
    close(twin, copy.path()).await;
    let report = verify(copy.path(), &mut |_, _| {}).unwrap();
    assert!(report.damage.is_empty() && report.notes.len() == 1, "{report:?}");
    let (log, _) = open(dir.path());
    assert_eq!(log.bounds().log, id);
}

/// What comes of a fork of a log that is open: an error, after as long as closing may take.
fn waiting(dir: &Path) -> Result<(), LogError> {
    crate::log::dir::lock::lock(&dir.join("log")).map(drop)
}

#[tokio::test]
async fn a_fleets_log_and_none_are_not_forked_like_this() {
    let dir = TempDir::new().unwrap();
    assert!(EmbeddedLog::fork_next(dir.path()).await.is_err());
    let (log, ..) = FollowerLog::open_with(dir.path(), &Follow::whole(LogId::from_bytes([3; 16])), limits()).unwrap();
    log.log().close().await.unwrap();
    drop(log);
    assert!(matches!(EmbeddedLog::fork_next(dir.path()).await, Err(LogError::IsFollower { .. })));
}

/// A copy of a directory with the very file `LOG` that is given.
fn image(of: &Path, log: &Path) -> TempDir {
    let image = TempDir::new().unwrap();
    copy_dir(of, image.path());
    fs::remove_file(image.path().join("log/LOG")).unwrap();
    fs::hard_link(log, image.path().join("log/LOG")).unwrap();
    image
}

#[tokio::test]
async fn a_kill_after_any_step_of_a_fork_leaves_the_log_whole_and_forked_once_or_not_at_all() {
    let (dir, id) = filled().await;
    let (kept, path) = (TempDir::new().unwrap(), dir.path().join("log/LOG"));
    let keep = |name: &str| {
        let kept = kept.path().join(name);
        fs::hard_link(&path, &kept).unwrap();
        kept
    };
    let before = keep("before");
    let mut images = vec![("before", image(dir.path(), &before), 30)];
    let half = image(dir.path(), &before);
    fs::write(half.path().join("log/LOG.new"), "{").unwrap();
    images.push(("while LOG is written", half, 30));
    EmbeddedLog::fork_next(dir.path()).await.unwrap();
    let told = keep("told");
    images.push(("when it is told", image(dir.path(), &told), 30));
    let old_mark = fs::read(dir.path().join("log/watermark")).unwrap();
    let (log, _) = open(dir.path());
    // A copy that is made while the sealer works is no image of one moment.
    let names = || fs::read_dir(dir.path().join("log")).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let is_at_rest = || {
        let moving = names().any(|name| name.contains("unfinished") || name.starts_with("removed-"));
        !moving && names().filter(|name| name.starts_with("tip-")).count() == 1
    };
    until("the sealer", async || is_at_rest()).await;
    let new_tip = image(dir.path(), &told);
    fs::write(new_tip.path().join("log/watermark"), old_mark).unwrap();
    images.push(("when there is a new tip", new_tip, 30));
    images.push(("when the watermark is written", image(dir.path(), &told), 30));
    let opened = keep("opened");
    images.push(("when it is open", image(dir.path(), &opened), 30));
    log.append(records(31..=31)).await.unwrap();
    images.push(("when it has a record", image(dir.path(), &opened), 31));
    let new = log.bounds().log;
    close(log, dir.path()).await;
    for (about, image, head) in images {
        let is_told = Manifest::read(&image.path().join("log")).unwrap().unwrap();
        let forks = is_told.forks || is_told.log == new.to_string();
        assert_eq!(forks, !matches!(about, "before" | "while LOG is written"), "{about}");
        let (log, recovery) = open(image.path());
        assert!(recovery.lost.is_empty() && recovery.quarantined.is_empty(), "{about}: {recovery:?}");
        assert_eq!(recovery.forked, (forks && head == 30).then_some((id, 30)), "{about}");
        assert_eq!((log.bounds().log != id, count(&log).await), (forks, head), "{about}");
        let ancestors = if forks { vec![(id, 30)] } else { Vec::new() };
        assert_eq!(log.ancestors(), ancestors, "{about}");
        log.append(records(99..=99)).await.unwrap();
        let named = log.bounds().log;
        close(log, image.path()).await;
        let (log, recovery) = open(image.path());
        assert_eq!((recovery, log.bounds().log, count(&log).await), (CLEAN, named, head + 1), "{about}");
        close(log, image.path()).await;
        let report = verify(image.path(), &mut |_, _| {}).unwrap();
        assert!(report.damage.is_empty(), "{about}: {report:?}");
    }
}
