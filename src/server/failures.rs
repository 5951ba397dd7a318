//! Wrong tokens: counted, slowed down by address, and told in a line now and then.

use super::peer::Address;
use crate::shutdown::Shutdown;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The time in which failures are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// Wrong tokens that one address may send in that time before it is told to wait. A right token always
/// passes: behind a proxy everybody has the same address.
const MAX_FAILURES: u32 = 20;
/// Addresses that are remembered; the one that began first makes room for another.
const MAX_ADDRESSES: usize = 4096;
/// How often the log tells of them, if there were any.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Failed logins and bearer tokens.
#[derive(Debug, Default)]
pub(super) struct Failures {
    known: Mutex<HashMap<Address, Entry>>,
    /// Wrong tokens since start.
    pub(super) wrong: AtomicU64,
    /// Those of them that were told to wait.
    pub(super) slowed: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    began: Instant,
    count: u32,
    /// Wrong tokens that the log has not told of.
    untold: u32,
}

impl Failures {
    /// Counts a wrong token. Gives how long this address is to wait, if it has sent too many.
    pub(super) fn failed(&self, address: Address) -> Option<Duration> {
        let wait = self.count(address, Instant::now());
        self.wrong.fetch_add(1, Relaxed);
        self.slowed.fetch_add(u64::from(wait.is_some()), Relaxed);
        wait
    }

    fn count(&self, address: Address, now: Instant) -> Option<Duration> {
        let mut known = self.known.lock();
        if known.len() >= MAX_ADDRESSES && !known.contains_key(&address) {
            known.retain(|_, entry| now.duration_since(entry.began) < WINDOW);
            let first = known.iter().min_by_key(|(_, entry)| entry.began).map(|(address, _)| *address);
            if let Some(first) = first.filter(|_| known.len() >= MAX_ADDRESSES) {
                known.remove(&first);
            }
        }
        let entry = known.entry(address).or_insert(Entry { began: now, count: 0, untold: 0 });
        if now.duration_since(entry.began) >= WINDOW {
            (entry.began, entry.count) = (now, 0);
        }
        entry.count = entry.count.saturating_add(1);
        entry.untold = entry.untold.saturating_add(1);
        (entry.count > MAX_FAILURES).then(|| WINDOW.saturating_sub(now.duration_since(entry.began)))
    }

    /// Tells of what has not been told, in one line, however much it is.
    fn tell(&self) {
        let mut known = self.known.lock();
        let untold = known.values().filter(|entry| entry.untold > 0);
        let (count, addresses) = untold.fold((0u64, 0u64), |(count, addresses), entry| (count + u64::from(entry.untold), addresses + 1));
        let most = known.iter().max_by_key(|(_, entry)| entry.untold).map(|(address, _)| *address);
        let Some(most) = most.filter(|_| count > 0) else { return };
        known.values_mut().for_each(|entry| entry.untold = 0);
        drop(known);
        tracing::warn!(auth.failures = count, auth.addresses = addresses, auth.most_from = %most, "wrong tokens were refused");
    }

    /// Tells of failures for as long as the server runs.
    pub(super) async fn follow(self: Arc<Self>, shutdown: Shutdown) {
        loop {
            let stops = tokio::time::timeout(TELL_EVERY, shutdown.stopping()).await.is_ok();
            self.tell();
            if stops {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slows_down_an_address_and_no_other_and_forgets() {
        let failures = Failures::default();
        let (one, other, now) = (Address::User(1), Address::User(2), Instant::now());
        for n in 0..MAX_FAILURES {
            assert_eq!(failures.count(one, now), None, "{n}");
        }
        let later = now + Duration::from_secs(10);
        assert_eq!(failures.count(one, later), Some(Duration::from_secs(50)));
        assert_eq!(failures.count(other, later), None);
        assert_eq!(failures.count(one, now + WINDOW), None, "a new minute");
    }

    #[test]
    fn the_table_has_a_bound_and_keeps_who_came_last() {
        let failures = Failures::default();
        let now = Instant::now();
        let many = u32::try_from(MAX_ADDRESSES).unwrap() + 100;
        for n in 0..many {
            failures.count(Address::User(n), now + Duration::from_millis(n.into()));
        }
        let known = failures.known.lock();
        assert_eq!(known.len(), MAX_ADDRESSES);
        assert!(known.contains_key(&Address::User(many - 1)) && !known.contains_key(&Address::User(0)));
    }
}
