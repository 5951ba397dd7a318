use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn backoff() -> Backoff {
    Backoff::new(ms(200), ms(1500), ms(30_000))
}

#[test]
fn doubles_up_to_the_maximum_and_starts_again() {
    let mut backoff = backoff();
    for step in [200, 400, 800, 1500, 1500] {
        let wait = backoff.after_failure();
        assert!(wait <= ms(step) && wait >= ms(step / 2), "{wait:?} of {step} ms");
    }
    assert_eq!(backoff.probation(), Duration::ZERO, "it was never a stream that had ended");
    assert!(backoff.after_stream(ms(500), 1) <= ms(200));
    assert!(!backoff.is_flapping());
}

#[test]
fn a_host_that_refuses_is_asked_less_and_less_often() {
    let mut backoff = backoff();
    let waits: Vec<Duration> = (0..12).map(|_| backoff.after_refusal()).collect();
    assert!(waits[0] <= ms(200) && waits[11] >= ms(15_000) && waits.iter().all(|wait| *wait <= ms(30_000)), "{waits:?}");
    assert_eq!(backoff.probation(), Duration::ZERO, "it was never a stream that had ended");
    // When nobody is there, it may be that something is being mended.
    assert!(backoff.after_failure() <= ms(1500));
    assert!(backoff.after_stream(ms(500), 1) <= ms(200));
}

#[test]
fn a_host_that_ends_its_streams_is_asked_less_and_less_often() {
    let mut backoff = backoff();
    let waits: Vec<Duration> = (0..12).map(|_| backoff.after_stream(ms(150), 0)).collect();
    assert!(waits.is_sorted_by(|a, b| a.as_millis() <= b.as_millis() * 2), "{waits:?}");
    assert!(backoff.is_flapping() && waits.last() >= Some(&ms(15_000)), "{waits:?}");
    // It brought something, but ended before its time.
    assert!(backoff.after_stream(ms(150), 1) >= ms(15_000));
    // And when it holds at last:
    assert!(backoff.after_stream(ms(60_000), 0) <= ms(200));
    assert!(!backoff.is_flapping());
}

#[test]
fn a_busy_host_whose_streams_end_is_asked_again_before_its_ring_is_over() {
    let mut backoff = backoff();
    let mut wait = Duration::ZERO;
    for _ in 0..50 {
        // At 350 events/s its ring of 256 lasts 731 ms; each stream is shorter than the wait before it.
        let lived = wait / 2;
        let news = (lived + wait).as_millis() * 350 / 1000;
        wait = backoff.after_stream(lived, u64::try_from(news).unwrap());
        assert!(wait <= ms(250), "{wait:?}");
    }
    // As soon as it has nothing new to tell, there is no haste.
    let waits: Vec<Duration> = (0..12).map(|_| backoff.after_stream(ms(50), 0)).collect();
    assert!(waits.last() >= Some(&ms(15_000)), "{waits:?}");
}

#[test]
fn a_proxy_that_cuts_each_half_minute_stays_connected() {
    let mut backoff = backoff();
    for _ in 0..50 {
        assert!(backoff.after_stream(ms(30_000), 0) <= ms(1500));
        assert!(backoff.probation() <= ms(1500));
    }
    // One that brings events each time is as good as any.
    assert!(backoff.after_stream(ms(30_000), 1) <= ms(200));
}
