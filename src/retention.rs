//! Retention: removes the oldest segments of a log when they are older, or the log is larger, than the
//! settings allow. It never removes anything but whole segments, and always the oldest first.
//!
//! How large a log is, is certain. How old it is depends on the wall clock, which may be set wrongly. So age
//! removes one segment in a look at most, one in the first hour after the start, and none for a day after the
//! wall clock was seen to jump.
//! What is to be archived and is not yet stays longer, within limits: a dead archive must not fill the disk.

use crate::cursor::Sequence;
use crate::log::{EventLog, LogError, TrimStep, WriterState};
use crate::shutdown::Shutdown;
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What of a log is kept. The default keeps everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Records received longer ago than this may go.
    pub age: Option<Duration>,
    /// The oldest records go while the log takes more bytes than this.
    pub bytes: Option<u64>,
}

/// How often is looked.
const EVERY: Duration = Duration::from_secs(60);
/// In so long after the start age removes one step at most: a machine may start with a wrong clock.
const SETTLING: Duration = Duration::from_secs(3600);
/// A clock that moves so much against the steady one has been set.
const JUMP: Duration = Duration::from_secs(120);
/// How long a clock that was set is not believed.
const DISTRUST: Duration = Duration::from_secs(24 * 3600);

/// What an archive does not have yet stays longer than it would, while it is no older than this besides,
pub const ARCHIVE_GRACE: Duration = Duration::from_secs(7 * 24 * 3600);
/// and the log is no larger than it is to be by more than this part of it.
pub const ARCHIVE_GRACE_PART: u64 = 4;

/// Removes what is not to be kept until `shutdown` says so.
pub async fn run(log: Arc<dyn EventLog>, retention: Retention, shutdown: Shutdown) {
    keep(log, retention, None, shutdown).await;
}

/// As [`run`], for a log that is archived: what the archive lacks stays for a while. `archived`: up to which
/// record it has everything.
pub async fn run_archived(log: Arc<dyn EventLog>, retention: Retention, archived: watch::Receiver<Sequence>, shutdown: Shutdown) {
    keep(log, retention, Some(archived), shutdown).await;
}

async fn keep(log: Arc<dyn EventLog>, retention: Retention, archived: Option<watch::Receiver<Sequence>>, shutdown: Shutdown) {
    if retention == Retention::default() {
        return;
    }
    let began = steady();
    let mut keeper = Keeper { archived, ..Keeper::new(retention, Timestamp::now()) };
    loop {
        if let Err(e) = keeper.look(&*log, Timestamp::now(), steady().saturating_sub(began)).await {
            tracing::warn!(error = %e, "old records cannot be removed; they stay for now");
        }
        let stop = tokio::time::timeout(EVERY, shutdown.stopping()).await;
        if stop.is_ok() {
            return;
        }
    }
}

/// Time since the machine was started, with that in which it slept: the wall clock runs meanwhile, and has
/// not jumped.
fn steady() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Decides what goes.
#[derive(Debug)]
struct Keeper {
    retention: Retention,
    /// The wall clock at the time 0 of the steady clock, as far as it is believed.
    anchor: Timestamp,
    /// Age removes nothing before this time of the steady clock.
    distrusted_until: Duration,
    removed_by_age: bool,
    /// Up to which record an archive has everything, where there is one.
    archived: Option<watch::Receiver<Sequence>>,
}

impl Keeper {
    fn new(retention: Retention, now: Timestamp) -> Self {
        Self { retention, anchor: now, distrusted_until: Duration::ZERO, removed_by_age: false, archived: None }
    }

    /// One look: `now` by the wall clock, `uptime` by the steady one.
    async fn look(&mut self, log: &dyn EventLog, now: Timestamp, uptime: Duration) -> Result<(), LogError> {
        if let Some(limit) = self.retention.bytes {
            while log.settled_bytes() > limit {
                let Some(step) = log.next_trim() else { break };
                // A full disk keeps more than history from being there.
                let is_pressing = log.settled_bytes() > limit.saturating_add(limit / ARCHIVE_GRACE_PART)
                    || matches!(&*log.watch_writer().borrow(), WriterState::Full(_));
                if !self.may_go(&step, is_pressing) {
                    break;
                }
                remove(log, step, "the log is larger than it is to be").await?;
            }
        }
        self.watch_clock(now, uptime);
        let Some(age) = self.retention.age else { return Ok(()) };
        let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
        let believed = uptime >= self.distrusted_until && (uptime >= SETTLING || !self.removed_by_age);
        let grace = i64::try_from(ARCHIVE_GRACE.as_nanos()).unwrap_or(i64::MAX);
        let is_older = |step: &TrimStep, age: i64| received(step, now).nanos() < now.nanos().saturating_sub(age);
        let is_old = |step: &TrimStep| is_older(step, age) && self.may_go(step, is_older(step, age.saturating_add(grace)));
        if let Some(step) = log.next_trim().filter(|step| believed && is_old(step)) {
            self.removed_by_age = true;
            remove(log, step, "they are older than is kept").await?;
        }
        Ok(())
    }

    /// Whether the archive has what would go, or it cannot be waited for any longer.
    fn may_go(&self, step: &TrimStep, is_pressing: bool) -> bool {
        let lacks = self.archived.as_ref().is_some_and(|archived| *archived.borrow() + 1 < step.before);
        if lacks && is_pressing {
            tracing::error!(
                "the records before {} go, though the archive does not have all of them: it has been behind for too long",
                step.before
            );
        }
        !lacks || is_pressing
    }

    /// Notices that the wall clock was set.
    fn watch_clock(&mut self, now: Timestamp, uptime: Duration) {
        let steady = i64::try_from(uptime.as_nanos()).unwrap_or(i64::MAX);
        let expected = self.anchor.nanos().saturating_add(steady);
        let off = now.nanos().saturating_sub(expected);
        if off.unsigned_abs() > u64::try_from(JUMP.as_nanos()).unwrap_or(u64::MAX) {
            tracing::warn!(clock.off_s = off / 1_000_000_000, "the clock has jumped; age removes nothing for a day");
            self.distrusted_until = uptime + DISTRUST;
            self.anchor = Timestamp::from_nanos(now.nanos().saturating_sub(steady));
        }
    }
}

/// When the newest record of a step was received, by what is known: a time to come is none, but what followed
/// was received later.
fn received(step: &TrimStep, now: Timestamp) -> Timestamp {
    let ahead = step.received > now;
    step.followed_by.filter(|_| ahead).map_or(step.received, |followed_by| followed_by.min(step.received))
}

async fn remove(log: &dyn EventLog, step: TrimStep, why: &str) -> Result<(), LogError> {
    let oldest = log.trim(step.before).await?;
    tracing::info!(store.oldest = oldest, store.bytes = step.bytes, why, "removed the oldest records");
    Ok(())
}

#[cfg(test)]
mod tests;
