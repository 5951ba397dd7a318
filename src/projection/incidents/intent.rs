//! What was asked for: whether a death was ordered through the API. Never by the exit code alone.

use super::bounds::{ASKED_BY_KILL, ASKED_BY_SIGNAL, ECHO, FORCED, GRACE};
use super::container::{Container, Death, Kill};

const SIGKILL: u32 = 9;
/// SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGWINCH: programs are told something by them.
const TELLING: [u32; 5] = [1, 10, 12, 17, 28];

pub(in crate::projection) fn is_fatal(signal: u32) -> bool {
    signal != 0 && !TELLING.contains(&signal)
}

/// Whether a death was asked for, by a signal or by a `stop`.
pub(super) fn is_asked(container: &Container, death: &Death) -> bool {
    let since = |time: i64| death.at.time.saturating_sub(time);
    let by_signal = container.kills.iter().rev().any(|kill| {
        let after = since(kill.at.time);
        match kill.signal {
            SIGKILL => (-GRACE..=ASKED_BY_KILL).contains(&after),
            signal if is_fatal(signal) => (-GRACE..=ASKED_BY_SIGNAL).contains(&after),
            signal => (0..=ECHO).contains(&after) && death.code == Some(128 + i64::from(signal)),
        }
    });
    by_signal || container.stopped.is_some_and(|stop| (-GRACE..=GRACE).contains(&since(stop.time)))
}

/// Whether a fatal signal through the API is under way.
pub(super) fn is_being_ended(container: &Container, time: i64) -> bool {
    container.kills.iter().any(|kill| {
        let limit = if kill.signal == SIGKILL { ASKED_BY_KILL } else { ASKED_BY_SIGNAL };
        is_fatal(kill.signal) && (-GRACE..=limit).contains(&time.saturating_sub(kill.at.time))
    })
}

/// The signal that a program was told to stop with and did not obey, and the one that killed it then.
pub(super) fn forced_after(container: &Container, death: &Death) -> Option<(Kill, Kill)> {
    let killed = container.kills.iter().rev().find(|kill| kill.signal == SIGKILL)?;
    let asked = container.kills.iter().find(|kill| is_fatal(kill.signal) && kill.signal != SIGKILL)?;
    let waited = killed.at.time.saturating_sub(asked.at.time);
    (death.code == Some(137) && waited >= FORCED).then_some((*asked, *killed))
}
