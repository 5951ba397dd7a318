//! When something was received: a time that never falls while the process runs, whatever is done to the wall
//! clock.

use super::Timestamp;
use parking_lot::Mutex;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The wall clock was set if it moved by more than this against the steady one.
pub const STEP: Duration = Duration::from_secs(2);

static PROCESS: LazyLock<Arc<Clock>> = LazyLock::new(|| Arc::new(Clock::new(read)));

/// What the two clocks of a machine show.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// The one that people and NTP set.
    pub wall: Timestamp,
    /// The one that nobody sets, in nanoseconds since some moment.
    pub steady: i64,
}

/// The wall clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockStep {
    /// What it would have shown.
    pub from: Timestamp,
    /// What it showed.
    pub to: Timestamp,
}

/// Begins at the wall clock's time and follows the steady one from there. When the wall clock is set forward,
/// this one goes with it at the next [`step`](Self::step); when it is set back, this one goes on steadily.
pub struct Clock {
    read: Box<dyn Fn() -> Reading + Send + Sync>,
    /// This clock less the steady one, in nanoseconds. It only grows.
    offset: AtomicI64,
    /// The wall clock less this one, as it was when it was set last.
    difference: Mutex<i64>,
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl Clock {
    /// One that reads the machine's clocks as `read` says.
    pub fn new(read: impl Fn() -> Reading + Send + Sync + 'static) -> Self {
        let Reading { wall, steady } = read();
        Self { read: Box::new(read), offset: AtomicI64::new(wall.nanos().saturating_sub(steady)), difference: Mutex::new(0) }
    }

    /// The one that everything in this process is stamped with. It begins when it is first asked for.
    pub fn of_process() -> Arc<Self> {
        Arc::clone(&PROCESS)
    }

    /// The time, as of receipt. Never earlier than any that it gave before.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_nanos((self.read)().steady.saturating_add(self.offset.load(SeqCst)))
    }

    /// The wall clock's time.
    pub fn wall(&self) -> Timestamp {
        (self.read)().wall
    }

    /// Looks whether the wall clock was set since the last look, and follows it if it was set forward.
    pub fn step(&self) -> Option<ClockStep> {
        let mut known = self.difference.lock();
        let Reading { wall, steady } = (self.read)();
        let now = steady.saturating_add(self.offset.load(SeqCst));
        let difference = wall.nanos().saturating_sub(now);
        if u128::from(difference.abs_diff(*known)) <= STEP.as_nanos() {
            return None;
        }
        let from = Timestamp::from_nanos(now.saturating_add(*known));
        // What is ahead of the wall clock waits for nobody: it goes on.
        self.offset.fetch_add(difference.max(0), SeqCst);
        *known = difference.min(0);
        Some(ClockStep { from, to: wall })
    }
}

/// When something is received that is received now: the time of [`Clock::of_process`].
pub fn received_now() -> Timestamp {
    PROCESS.now()
}

/// The machine's clocks. The steady one goes on while the machine sleeps, as the wall clock does.
fn read() -> Reading {
    // In this order: what is received must not seem to be received before it happened, by however little.
    let steady = steady();
    Reading { wall: Timestamp::now(), steady }
}

fn steady() -> i64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(clock);
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

#[cfg(test)]
mod tests {
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
            // Set back: it goes on.
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
}
