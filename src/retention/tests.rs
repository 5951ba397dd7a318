use super::*;
use crate::event::Event;
use crate::log::{EmbeddedLog, Limits, NewRecord};
use crate::testing::until;
use tempfile::TempDir;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const START: i64 = 4_000_000_000_000_000_000;

fn at(after: Duration) -> Timestamp {
    Timestamp::from_nanos(START + i64::try_from(after.as_nanos()).unwrap())
}

/// A log of 60 records, one an hour, in segments of about 8.
async fn log() -> (TempDir, EmbeddedLog) {
    let dir = TempDir::new().unwrap();
    let limits = Limits { tip_records: 8, ..Limits::default() };
    let log = EmbeddedLog::open_with(dir.path(), limits).unwrap().0;
    for n in 0..60 {
        let event = Event::recorder("start", "x", &[], at(HOUR * n));
        log.append(vec![NewRecord { source: "local".into(), received: at(HOUR * n), event }]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    until("a sealed tip", async || log.next_trim().is_some_and(|step| step.before <= 30)).await;
    (dir, log)
}

#[tokio::test]
async fn age_removes_step_by_step_once_the_clock_is_settled() {
    let (_dir, log) = log().await;
    let mut keeper = Keeper::new(Retention { age: Some(HOUR * 20), bytes: None }, at(HOUR * 59));
    let mut look = async |uptime: Duration| {
        keeper.look(&log, at(HOUR * 59 + uptime), uptime).await.unwrap();
        log.bounds().oldest
    };
    let first = look(Duration::ZERO).await;
    assert!(first > 1, "what is too old goes");
    assert_eq!(look(EVERY).await, first, "one step in the first hour");
    let mut oldest = first;
    for minute in 0..30 {
        let now = look(HOUR * 2 + EVERY * minute).await;
        assert!(now >= oldest);
        oldest = now;
    }
    assert!(oldest > first && oldest <= 43, "nothing goes that is not older than 20 h: {oldest}");
}

#[tokio::test]
async fn a_clock_jump_removes_at_most_one_step() {
    for jump in [i64::try_from((DAY * 10).as_nanos()).unwrap(), -i64::try_from((DAY * 10).as_nanos()).unwrap()] {
        let (_dir, log) = log().await;
        let mut keeper = Keeper::new(Retention { age: Some(DAY * 9), bytes: None }, at(HOUR * 59));
        let before = log.bounds().oldest;
        for minute in 0..180 {
            let uptime = HOUR * 2 + EVERY * minute;
            let now = at(HOUR * 59 + uptime).nanos() + if minute >= 10 { jump } else { 0 };
            keeper.look(&log, Timestamp::from_nanos(now), uptime).await.unwrap();
        }
        assert_eq!(log.bounds().oldest, before, "a clock that was set is not believed");
        // A day later it is the clock.
        let uptime = HOUR * 30;
        keeper.look(&log, Timestamp::from_nanos(at(HOUR * 59 + uptime).nanos() + jump), uptime).await.unwrap();
        assert_eq!(log.bounds().oldest > before, jump > 0);
    }
}

#[tokio::test]
async fn bytes_are_kept_to_whatever_the_clock_says() {
    let (_dir, log) = log().await;
    let limit = log.disk_bytes() - log.next_trim().unwrap().bytes - 1;
    let mut keeper = Keeper::new(Retention { age: None, bytes: Some(limit) }, at(HOUR));
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        keeper.look(&log, at(DAY * 999), Duration::ZERO).await.unwrap();
        if log.disk_bytes() <= limit && log.bounds().oldest > 8 {
            break;
        }
        // A tip that is being sealed counts twice for a moment.
        assert!(std::time::Instant::now() < deadline, "{} of {limit} bytes, from {}", log.disk_bytes(), log.bounds().oldest);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A run whose clock was a year ahead, then one whose clock is right.
#[tokio::test]
async fn what_a_clock_that_was_ahead_marked_goes_by_the_age_of_what_followed() {
    let dir = TempDir::new().unwrap();
    let limits = Limits { tip_records: 8, merge_after: DAY, ..Limits::default() };
    let log = EmbeddedLog::open_with(dir.path(), limits).unwrap().0;
    let (mut n, mut ahead) = (0, 0);
    // Until something of either run can go.
    for run in [365, 0] {
        let (first, deadline) = (n, std::time::Instant::now() + Duration::from_secs(60));
        while n < first + 12 || log.next_trim().is_none_or(|step| run == 0 && step.followed_by.is_none_or(|by| by >= at(DAY * 300))) {
            assert!(std::time::Instant::now() < deadline, "nothing is sealed");
            let received = at(DAY * run + HOUR * n / 20);
            let event = Event::recorder(if n == first { "start" } else { "x" }, "x", &[], received);
            log.append(vec![NewRecord { source: "local".into(), received, event }]).await.unwrap();
            n += 1;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        ahead = if run == 0 { ahead } else { u64::from(n) };
    }
    let look = async |days: u32| {
        let mut keeper = Keeper::new(Retention { age: Some(DAY * 90), bytes: None }, at(DAY * days));
        for _ in 0..n {
            keeper.look(&log, at(DAY * days + SETTLING), SETTLING).await.unwrap();
        }
        log.bounds().oldest
    };
    assert_eq!(look(80).await, 1, "nothing is 90 days old");
    let oldest = look(110).await;
    assert!(oldest > ahead.min(8), "what the wrong clock marked is gone: {oldest}, {ahead} were marked");
}

#[tokio::test]
async fn what_the_archive_lacks_stays_within_limits() {
    let (_dir, log) = log().await;
    let (archived, receiver) = watch::channel(0);
    let next = || log.next_trim().unwrap().before;
    let keeper = |retention: Retention| Keeper { archived: Some(receiver.clone()), ..Keeper::new(retention, at(HOUR * 59)) };
    let first = next();
    // By age: nothing goes that is not there, until it is a week too old.
    let aged = Retention { age: Some(HOUR * 20), bytes: None };
    let look = async |archive_age: Duration| {
        let mut keeper = keeper(aged);
        let now = at(HOUR * 59 + archive_age);
        keeper.anchor = now;
        keeper.look(&log, now, Duration::ZERO).await.unwrap();
        next()
    };
    assert_eq!(look(Duration::ZERO).await, first);
    archived.send_replace(first - 1);
    let second = look(Duration::ZERO).await;
    assert!(second > first, "what is there goes");
    assert_eq!(look(Duration::ZERO).await, second, "and what follows does not");
    let third = look(ARCHIVE_GRACE).await;
    assert!(third > second, "after a week it is not waited for any longer");
    // By size: up to a quarter more.
    let bytes = log.settled_bytes();
    let mut sized = keeper(Retention { age: None, bytes: Some(bytes - 1) });
    sized.look(&log, at(HOUR * 59), Duration::ZERO).await.unwrap();
    assert_eq!(next(), third);
    let oldest = log.bounds().oldest;
    let mut sized = keeper(Retention { age: None, bytes: Some(0) });
    sized.look(&log, at(HOUR * 59), Duration::ZERO).await.unwrap();
    assert!(log.bounds().oldest > oldest, "a dead archive does not fill the disk");
}
