//! Places for connections: a cap in all, and one for each address, so that nobody takes them all.

use crate::server::context::{Gauge, StreamGuard};
use crate::server::peer::household;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of a server.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    total: usize,
    of_each: usize,
    /// Whether local peers are counted too. A reverse proxy or a tunnel is one, and speaks for many.
    local: bool,
    taken: Arc<Taken>,
    gauge: Gauge,
}

/// A browser alone opens six.
const MIN_OF_EACH: usize = 16;

type Taken = Mutex<HashMap<IpAddr, usize>>;

/// Why there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// All are taken.
    Full,
    /// This address has as many as one may have.
    Address,
}

impl Refused {
    pub(super) fn detail(self) -> &'static str {
        match self {
            Self::Full => "too many connections (see --max-connections)",
            Self::Address => "too many connections from this address (see --max-connections-per-address)",
        }
    }
}

/// A place, given back when it is dropped. A WebSocket keeps it beyond the end of its HTTP connection.
#[derive(Debug, Clone)]
pub(in crate::server) struct Place(#[expect(dead_code, reason = "held, not read")] Arc<Held>);

#[derive(Debug)]
struct Held {
    _permit: OwnedSemaphorePermit,
    _counted: StreamGuard,
    address: Option<IpAddr>,
    taken: Arc<Taken>,
}

impl Places {
    /// `of_each`: most for one address; by default a quarter of all, and no limit for local ones.
    pub(super) fn new(total: usize, of_each: Option<usize>, gauge: Gauge) -> Self {
        let default = (total / 4).max(MIN_OF_EACH);
        let free = Arc::new(Semaphore::new(total));
        Self { free, total, of_each: of_each.unwrap_or(default), local: of_each.is_some(), taken: Arc::default(), gauge }
    }

    /// A place for a connection from `peer`.
    pub(super) fn take(&self, peer: Option<IpAddr>) -> Result<Place, Refused> {
        let permit = Arc::clone(&self.free).try_acquire_owned().map_err(|_| Refused::Full)?;
        let address = peer.filter(|peer| self.local || !peer.is_loopback()).map(household);
        if let Some(address) = address {
            let mut taken = self.taken.lock();
            let count = taken.entry(address).or_default();
            if *count >= self.of_each {
                return Err(Refused::Address);
            }
            *count += 1;
        }
        Ok(Place(Arc::new(Held { _permit: permit, _counted: self.gauge.enter(), address, taken: Arc::clone(&self.taken) })))
    }

    /// Comes back when all have been given back.
    pub(super) async fn all_free(&self) {
        let _ = self.free.acquire_many(u32::try_from(self.total).unwrap_or(u32::MAX)).await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut taken = self.taken.lock();
        if let Some(count) = taken.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_and_places_come_back() {
        let places = Places::new(4, Some(2), Gauge::default());
        let [one, neighbour, other]: [Option<IpAddr>; 3] = ["fd00::1", "fd00::2", "10.0.0.1"].map(|text| Some(text.parse().unwrap()));
        let held = [places.take(one).unwrap(), places.take(neighbour).unwrap()];
        assert_eq!(places.take(one).unwrap_err(), Refused::Address);
        let more = [places.take(other).unwrap(), places.take(None).unwrap()];
        assert_eq!(places.take(other).unwrap_err(), Refused::Full);
        assert_eq!(places.gauge.get(), 4);
        drop(held);
        assert!(places.take(one).is_ok() && places.taken.lock().len() == 1);
        drop(more);
        assert_eq!((places.gauge.get(), places.free.available_permits()), (0, 4));
    }
}
