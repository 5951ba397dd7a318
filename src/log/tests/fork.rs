//! A follower's log that goes on under another id.

use super::follower::{chain_after, close, expected, fleet, limits, lines, record, records, segments};
use crate::cursor::{LogId, Sequence};
use crate::log::dir::forking;
use crate::log::testing::directory::copy_dir;
use crate::log::{EmbeddedLog, EventLog, Follow, FollowerLog, Fork, Forked, Ids, LogError, verify};
use crate::testing::until;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn id(byte: u8) -> LogId {
    LogId::from_bytes([byte; 16])
}

fn fork(last: Sequence, log: LogId) -> Fork {
    Fork { last, log }
}

/// The lines of a log whose records have these ids.
fn named(ids: &Ids, range: std::ops::RangeInclusive<Sequence>) -> Vec<String> {
    range.map(|seq| record(seq).to_line(ids.at(seq), seq)).collect()
}

/// A log with the records up to `last`.
async fn filled(dir: &Path, follow: &Follow, last: Sequence) {
    let (log, resume, _) = FollowerLog::open_with(dir, follow, limits()).unwrap();
    for first in (resume.next..=last).step_by(250) {
        log.append_at(first, records(first..=(first + 249).min(last))).await.unwrap();
    }
    close(log, dir).await;
}

/// Goes on with the records up to `last`, and says what the log holds then.
async fn go_on(dir: &Path, last: Sequence) -> Vec<String> {
    let follow = FollowerLog::found(dir).unwrap().unwrap();
    let (log, resume, recovery) = FollowerLog::open_with(dir, &follow, limits()).unwrap();
    assert!(recovery.lost.is_empty() && recovery.quarantined.is_empty(), "{recovery:?}");
    for first in (resume.next..=last).step_by(250) {
        log.append_at(first, records(first..=(first + 249).min(last))).await.unwrap();
    }
    let lines = lines(&log.log(), follow.first - 1).await;
    let ids = FollowerLog::ids_of(&log);
    let ends =
        |limit: Sequence| (0..=last / limit).map(|n| n * limit).chain(ids.ancestors.iter().map(|(_, last)| *last)).collect::<Vec<_>>();
    let complete =
        ends(limits().tip_records).into_iter().filter(|end| (follow.first..last).contains(end)).collect::<std::collections::BTreeSet<_>>();
    until("the sealer", async || segments(dir).len() == complete.len()).await;
    close(log, dir).await;
    let report = verify(dir, &mut |_, _| {}).unwrap();
    assert!(report.damage.is_empty(), "{report:?}");
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_keeps_what_lies_before_the_fork_and_the_rest_is_set_aside() {
    // In a tip, in a segment, at the end of one, in the first one, and at the very end.
    for last in [2700, 1500, 2000, 3, 2900] {
        let (dir, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let follow = Follow::whole(fleet());
        filled(dir.path(), &follow, 2900).await;
        filled(other.path(), &follow, last).await;
        assert_eq!(FollowerLog::fork(dir.path(), fork(2901, id(2)), limits()).await.unwrap(), Forked::Behind);
        let before = segments(dir.path());
        let forked = FollowerLog::fork(dir.path(), fork(last, id(2)), limits()).await.unwrap();
        let ids = Ids { log: id(2), ancestors: vec![(fleet(), last)] };
        assert_eq!(FollowerLog::ids(dir.path()).unwrap(), Some(ids.clone()));
        match &forked {
            Forked::SetAside(aside) if last < 2900 => {
                assert_eq!(aside, &dir.path().join("log.before-f1f1f1f1"));
                let set_aside = EmbeddedLog::open_read_only(aside).unwrap();
                assert_eq!((lines(&set_aside, 0).await, set_aside.bounds().log), (expected(1..=2900), fleet()));
            }
            forked => assert_eq!((forked, last), (&Forked::Renamed, 2900)),
        }
        // Another server, which was behind, only gets the other id.
        assert_eq!(FollowerLog::fork(other.path(), fork(last, id(2)), limits()).await.unwrap(), Forked::Renamed);
        let follow = FollowerLog::found(dir.path()).unwrap().unwrap();
        assert_eq!(follow, Follow::whole(id(2)));
        let (log, resume, _) = FollowerLog::open_with(dir.path(), &follow, limits()).unwrap();
        assert_eq!((resume.next, resume.chain, resume.place.is_some()), (last + 1, chain_after(last), true));
        let (own, old) = (|seq| id(2).cursor(seq), |seq| fleet().cursor(seq));
        for (cursor, good) in [(old(last), true), (old(last + 1), false), (own(1), true), (own(last + 1), true)] {
            assert_eq!(log.log().owns(cursor), good, "{cursor}");
        }
        close(log, dir.path()).await;
        let all = go_on(dir.path(), 4100).await;
        assert_eq!(all, named(&ids, 1..=4100), "{last}");
        assert_eq!(go_on(other.path(), 4100).await, all);
        assert!(segments(dir.path()) == segments(other.path()), "{last}: the segments of both have the same bytes");
        let kept = segments(dir.path());
        assert!(
            before
                .iter()
                .filter(|(name, _)| name[..20].parse::<u64>().unwrap() + 999 < last)
                .all(|(name, bytes)| kept.get(name) == Some(bytes))
        );
        assert!(!dir.path().join("log.forking").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_behind_and_ahead_of_earlier_ones() {
    for (last, ancestors) in [
        (2600, vec![(fleet(), 1200), (id(2), 1900), (id(3), 2600)]),
        (1900, vec![(fleet(), 1200), (id(2), 1900)]),
        (1850, vec![(fleet(), 1200), (id(2), 1850)]),
        (700, vec![(fleet(), 700)]),
    ] {
        let dir = TempDir::new().unwrap();
        filled(dir.path(), &Follow::whole(fleet()), 1300).await;
        for (at, log) in [(1200, id(2)), (1900, id(3))] {
            FollowerLog::fork(dir.path(), fork(at, log), limits()).await.unwrap();
            go_on(dir.path(), at + 800).await;
        }
        let aside = FollowerLog::fork(dir.path(), fork(last, id(4)), limits())
            .await
            .unwrap_or_else(|e| panic!("{last}: {e}: {:?}", segments(dir.path()).keys()));
        assert!(matches!(aside, Forked::SetAside(_)), "{aside:?}");
        let ids = Ids { log: id(4), ancestors };
        assert_eq!(FollowerLog::ids(dir.path()).unwrap(), Some(ids.clone()));
        assert_eq!(go_on(dir.path(), 3100).await, named(&ids, 1..=3100), "{last}");
    }
    // Back to an id that it had: what came under the later one is not of this fleet.
    let dir = TempDir::new().unwrap();
    filled(dir.path(), &Follow::whole(fleet()), 1300).await;
    FollowerLog::fork(dir.path(), fork(1200, id(2)), limits()).await.unwrap();
    go_on(dir.path(), 1500).await;
    FollowerLog::fork(dir.path(), fork(1200, fleet()), limits()).await.unwrap();
    assert_eq!(FollowerLog::ids(dir.path()).unwrap(), Some(Ids::only(fleet())));
    assert_eq!(go_on(dir.path(), 2100).await, expected(1..=2100));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_has_removed_and_a_beginning_in_the_middle() {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), &Follow::whole(fleet()), 3300).await;
    let follow = FollowerLog::found(dir.path()).unwrap().unwrap();
    let (log, ..) = FollowerLog::open_with(dir.path(), &follow, limits()).unwrap();
    until("the sealer", async || segments(dir.path()).len() == 3).await;
    assert_eq!(log.log().trim(1500).await.unwrap(), 1001);
    close(log, dir.path()).await;
    assert_eq!(FollowerLog::fork(dir.path(), fork(1000, id(2)), limits()).await.unwrap(), Forked::Gone);
    assert_eq!(FollowerLog::ids(dir.path()).unwrap(), Some(Ids::only(fleet())));
    // No segment lies wholly before it.
    FollowerLog::fork(dir.path(), fork(1700, id(2)), limits()).await.unwrap();
    let follow = FollowerLog::found(dir.path()).unwrap().unwrap();
    let (log, resume, _) = FollowerLog::open_with(dir.path(), &follow, limits()).unwrap();
    assert_eq!((resume.next, resume.chain, log.log().bounds().oldest), (1701, chain_after(1700), 1001));
    assert_eq!(lines(&log.log(), 1000).await, expected(1001..=1700));
    close(log, dir.path()).await;

    let cold = TempDir::new().unwrap();
    let follow = Follow { log: id(2), first: 1801, chain: chain_after(1800) };
    FollowerLog::make(cold.path(), &follow, &[(fleet(), 1700)]).unwrap();
    FollowerLog::make(cold.path(), &Follow::whole(id(9)), &[]).unwrap();
    assert_eq!(FollowerLog::found(cold.path()).unwrap(), Some(follow));
    filled(cold.path(), &follow, 1900).await;
    let (log, ..) = FollowerLog::open_with(cold.path(), &follow, limits()).unwrap();
    assert!(log.log().owns(fleet().cursor(1700)) && !log.log().owns(fleet().cursor(1701)));
    close(log, cold.path()).await;
    let aside = FollowerLog::set_aside(cold.path()).unwrap();
    assert_eq!((aside.is_dir(), FollowerLog::found(cold.path()).unwrap()), (true, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_aside_takes_room_when_retention_has_removed_it_from_the_log() {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), &Follow::whole(fleet()), 2900).await;
    assert_eq!(FollowerLog::aside_bytes(dir.path()), 0);
    FollowerLog::fork(dir.path(), fork(2700, id(2)), limits()).await.unwrap();
    let (before, shared) = (FollowerLog::aside_bytes(dir.path()), &segments(dir.path())[&format!("{:020}.jsonl.zst", 1)]);
    assert!(before > 0, "what is not in common");
    let follow = FollowerLog::found(dir.path()).unwrap().unwrap();
    let (log, ..) = FollowerLog::open_with(dir.path(), &follow, limits()).unwrap();
    assert_eq!(log.log().trim(1001).await.unwrap(), 1001);
    close(log, dir.path()).await;
    assert_eq!(FollowerLog::aside_bytes(dir.path()), before + shared.len() as u64);
}

/// What a kill leaves after each of its steps: the directory, and whether the fork holds already.
fn kills(whole: &Path) -> Vec<(TempDir, bool)> {
    let image = || {
        let dir = TempDir::new().unwrap();
        copy_dir(whole, dir.path());
        dir
    };
    let mut images = Vec::new();
    // While the new directory is made, with more or less in it.
    for keep in ["", "LOG", "LOG segments"] {
        let dir = image();
        let made = forking::place(dir.path()).join("log");
        for entry in fs::read_dir(&made).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let kept = (name == "LOG" && keep.contains("LOG")) || (name.ends_with("zst") && keep.contains("segments"));
            if !kept {
                crate::log::dir::files::remove(&path).unwrap();
            }
        }
        images.push((dir, false));
    }
    images.push((image(), false));
    let sealed = image();
    forking::seal(sealed.path()).unwrap();
    images.push((sealed, true));
    let aside = image();
    forking::seal(aside.path()).unwrap();
    forking::set_aside(aside.path(), &fleet().to_string()).unwrap();
    images.push((aside, true));
    let renamed = image();
    forking::seal(renamed.path()).unwrap();
    forking::set_aside(renamed.path(), &fleet().to_string()).unwrap();
    let from: PathBuf = forking::place(renamed.path()).join("whole");
    fs::rename(from, renamed.path().join("log")).unwrap();
    images.push((renamed, true));
    images
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_any_two_steps_is_finished_by_the_next_start() {
    let dir = TempDir::new().unwrap();
    let follow = Follow::whole(fleet());
    filled(dir.path(), &follow, 2900).await;
    let (log, ..) = FollowerLog::open_with(dir.path(), &follow, limits()).unwrap();
    crate::log::fork::build(dir.path(), &log, &follow, fork(1500, id(2)), limits()).await.unwrap();
    assert!(matches!(FollowerLog::found(dir.path()), Err(LogError::InUse(_))), "nobody else is to meddle");
    close(log, dir.path()).await;
    let ids = Ids { log: id(2), ancestors: vec![(fleet(), 1500)] };
    for (nth, (image, done)) in kills(dir.path()).into_iter().enumerate() {
        let found = FollowerLog::ids(image.path()).unwrap().unwrap();
        assert_eq!(found == ids, done, "image {nth}: {found:?}");
        assert!(!forking::place(image.path()).exists(), "image {nth}");
        if !done {
            let forked = FollowerLog::fork(image.path(), fork(1500, id(2)), limits()).await.unwrap();
            assert!(matches!(forked, Forked::SetAside(_)), "image {nth}: {forked:?}");
        }
        let aside = EmbeddedLog::open_read_only(&image.path().join("log.before-f1f1f1f1")).unwrap();
        assert_eq!(aside.bounds().head, 2900, "image {nth}");
        assert_eq!(go_on(image.path(), 2600).await, named(&ids, 1..=2600), "image {nth}");
    }
}
