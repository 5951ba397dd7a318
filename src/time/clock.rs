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
/// this one goes with it at the next [`step`](Self::step); when it is set back, this one runs on steadily.
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
        // What is ahead of the wall clock waits for nobody: it runs on.
        self.offset.fetch_add(difference.max(0), SeqCst);
        *known = difference.min(0);
        Some(ClockStep { from, to: wall })
    }
}

/// When something is received that is received now: the time of [`Clock::of_process`].
pub fn received_now() -> Timestamp {
    PROCESS.now()
}

/// The machine's clocks. The steady one runs while the machine sleeps, as the wall clock does.
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
mod tests;
