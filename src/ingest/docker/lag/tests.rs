use super::*;

const MS: i64 = 1_000_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_nanos(1_795_344_577_000_000_000 + ms * MS)
}

/// Lines of the given times in ms, received at the given times.
fn read(lines: impl IntoIterator<Item = (i64, i64)>) -> Lag {
    let mut lag = Lag::new(at(0));
    for (time, received) in lines {
        lag.line(Some(at(time)), at(received));
    }
    lag
}

#[test]
fn a_reader_that_stood_still_is_in_doubt() {
    let stream = (0..100).map(|n| (n, n + 1));
    // It stood still until 3000 and then read at once what had waited.
    let lag = read(stream.clone().chain((100..1200).map(|n| (n, 3000))));
    assert_eq!(lag.doubt(false), None, "there may be more of it");
    assert_eq!(lag.doubt(true), Some(Doubt { lines: 1100, since: at(100) }));
    let lag = read(stream.chain((100..1200).map(|n| (n, 3000))).chain([(2999, 3000), (3000, 3001)]));
    assert_eq!(lag.doubt(false), Some(Doubt { lines: 1102, since: at(100) }));
}

#[test]
fn what_moby_holds_for_a_reader_is_not_lost() {
    let lag = read((0..100).map(|n| (n, n + 1)).chain((100..1000).map(|n| (n, 3000))).chain([(2999, 3000)]));
    assert_eq!((lag.doubt(true), lag.behind), (None, 0));
    // So many lines in so short a time that each late one has a thousand behind its time.
    let busy = read((0..50_000).map(|n| (if n % 8 == 0 { n / 20 - 300 } else { n / 20 }, n / 20 + 1)));
    assert_eq!(busy.doubt(true), None);
    // Slow for a long time, but never with much in front.
    let slow = read((0..10).map(|n| (n, n + 1)).chain((10..5000).map(|n| (n * 3, n * 3 + 200))));
    assert_eq!(slow.doubt(true), None);
}

#[test]
fn other_clocks_and_late_events_are_no_doubt() {
    for skew in [-86_400_000, 86_400_000] {
        let busy = (0..5000).map(|n| (n + skew, n + 2));
        assert_eq!(read(busy).doubt(true), None, "{skew}");
    }
    // Each third event comes 300 ms late, as measured under load.
    let unordered = (0..5000).map(|n| (if n % 3 == 0 { n - 300 } else { n }, n + 1));
    assert_eq!(read(unordered).doubt(true), None);
    // A clock that loses 100 ppm: 360 ms in an hour.
    let drifting = (0..36_000).map(|n| (n * 100 - n / 100, n * 100 + 1));
    assert_eq!(read(drifting).doubt(true), None);
}

/// Lines at a pace, the clock of each ahead of ours by what `skew` says.
fn paced(every_us: i64, lines: i64, skew: impl Fn(i64) -> i64) -> Lag {
    let mut lag = Lag::new(at(0));
    for n in 0..lines {
        let us = at(0).nanos() + n * every_us * 1000;
        lag.line(Some(Timestamp::from_nanos(us + skew(n) * MS)), Timestamp::from_nanos(us + MS));
        assert_eq!(lag.doubt(true), None, "line {n}, one every {every_us} us");
    }
    lag
}

#[test]
fn a_clock_that_is_set_back_is_no_lag() {
    for back in [1, 5, 60, 3600] {
        for every_us in [20, 200, 1000, 6667, 40_000] {
            paced(every_us, 5000, |n| if n < 50 { 0 } else { -back * 1000 });
            // Several times, and ahead in between.
            paced(every_us, 9000, |n| -(n / 2000) * back * 1000);
            paced(every_us, 9000, |n| if n / 1500 % 2 == 0 { 0 } else { back * 1000 });
        }
    }
}

#[test]
fn a_machine_that_slept_is_no_lag() {
    // Nothing was said for a minute, and its clock is behind by as much: no time falls.
    for every_ms in [3, 7, 50] {
        let stream = (0..50).map(|n| (n, n + 1)).chain((0..4000).map(|n| (50 + n * every_ms, 60_051 + n * every_ms)));
        assert_eq!(read(stream).doubt(true), None, "{every_ms}");
        // In bursts of 30.
        let stream = (0..50).map(|n| (n, n + 1)).chain((0..4000).map(|n| (50 + n / 30 * 30 * every_ms, 60_051 + n / 30 * 30 * every_ms)));
        assert_eq!(read(stream).doubt(true), None, "{every_ms}");
    }
}

#[test]
fn a_reader_that_stood_still_is_in_doubt_whatever_the_clock_did_before() {
    for skew in [-60_000, 60_000] {
        let before = (0..100).map(|n| (n, n + 1)).chain((100..2000).map(|n| (n + skew, n + 1)));
        let lag = read(before.chain((2000..3100).map(|n| (n + skew, 5000))));
        assert_eq!(lag.doubt(true), Some(Doubt { lines: 1100, since: at(2000) }), "{skew}");
    }
    // The clock is set back among what had waited.
    let lag = read((0..100).map(|n| (n, n + 1)).chain((100..2200).map(|n| (if n < 1000 { n } else { n - 60_000 }, 4000))));
    assert!(lag.doubt(true).is_some_and(|doubt| doubt.lines >= 1000 && doubt.since == at(100)), "{:?}", lag.doubt(true));
    // One old event among them.
    let lag = read((0..100).map(|n| (n, n + 1)).chain((100..1200).map(|n| (if n == 700 { -9000 } else { n }, 3000))));
    assert_eq!(lag.doubt(true), Some(Doubt { lines: 1100, since: at(100) }));
    // A starved one, which takes long for what happened at once.
    let lag = read((0..100).map(|n| (n, n + 1)).chain((0..1100).map(|n| (100, 3000 + n * 3))));
    assert!(lag.doubt(true).is_some());
    // A reader that is too slow for good, and never waits.
    let lag = read((0..100).map(|n| (n, n + 1)).chain((100..6000).map(|n| (100 + (n - 100) * 2 / 3, n + 1))));
    assert!(lag.doubt(true).is_some());
}
