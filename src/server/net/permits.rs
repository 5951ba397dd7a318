//! Permits for connections: a cap in all, and one for each address, so that nobody takes them all.

use crate::server::context::{Gauge, StreamGuard};
use crate::server::peer::household;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The permits of a server.
#[derive(Debug)]
pub(in crate::server) struct Permits {
    free: Arc<Semaphore>,
    total: usize,
    taken: Arc<Taken>,
    gauge: Gauge,
}

/// A browser alone opens six.
const MIN_OF_EACH: usize = 16;

/// How many permits each address has.
#[derive(Debug)]
struct Taken {
    counts: Mutex<HashMap<IpAddr, usize>>,
    of_each: usize,
    /// Whether local peers are counted too. A reverse proxy or a tunnel is one, and speaks for many.
    local: bool,
}

impl Taken {
    /// One more for an address. `None`: it is not counted.
    fn take(self: &Arc<Self>, peer: Option<IpAddr>) -> Result<Option<Share>, Refused> {
        let Some(address) = peer.filter(|peer| self.local || !peer.is_loopback()).map(household) else { return Ok(None) };
        let mut counts = self.counts.lock();
        let count = counts.entry(address).or_default();
        if *count >= self.of_each {
            return Err(Refused::Address);
        }
        *count += 1;
        Ok(Some(Share { address, taken: Arc::clone(self) }))
    }
}

/// One that an address has.
#[derive(Debug)]
struct Share {
    address: IpAddr,
    taken: Arc<Taken>,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.taken.counts.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// Why there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Refused {
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

/// A permit, given back when it is dropped. A WebSocket keeps it beyond the end of its HTTP connection.
#[derive(Debug, Clone)]
pub(in crate::server) struct Permit {
    connection: Arc<Held>,
    /// Of whom a trusted proxy asks for.
    _client: Option<Arc<Share>>,
}

#[derive(Debug)]
struct Held {
    _permit: OwnedSemaphorePermit,
    _counted: StreamGuard,
    _share: Option<Share>,
    taken: Arc<Taken>,
}

impl Permit {
    /// The permit of one request, whose client is at another address than the connection's.
    pub(super) fn of_client(&self, client: IpAddr) -> Result<Self, Refused> {
        let share = self.connection.taken.take(Some(client))?;
        Ok(Self { connection: Arc::clone(&self.connection), _client: share.map(Arc::new) })
    }
}

impl Permits {
    /// `of_each`: most for one address; by default a quarter of all, and no limit for local ones.
    pub(in crate::server) fn new(total: usize, of_each: Option<usize>, gauge: Gauge) -> Self {
        let default = (total / 4).max(MIN_OF_EACH);
        let free = Arc::new(Semaphore::new(total));
        let taken = Taken { counts: Mutex::default(), of_each: of_each.unwrap_or(default), local: of_each.is_some() };
        Self { free, total, taken: Arc::new(taken), gauge }
    }

    /// A permit for a connection from `peer`. `None`: it is not counted by address.
    pub(in crate::server) fn take(&self, peer: Option<IpAddr>) -> Result<Permit, Refused> {
        let permit = Arc::clone(&self.free).try_acquire_owned().map_err(|_| Refused::Full)?;
        let share = self.taken.take(peer)?;
        let held = Held { _permit: permit, _counted: self.gauge.enter(), _share: share, taken: Arc::clone(&self.taken) };
        Ok(Permit { connection: Arc::new(held), _client: None })
    }

    /// Returns when all have been given back.
    pub(in crate::server) async fn all_free(&self) {
        let _ = self.free.acquire_many(u32::try_from(self.total).unwrap_or(u32::MAX)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_and_permits_come_back() {
        let permits = Permits::new(4, Some(2), Gauge::default());
        let [one, neighbour, other]: [Option<IpAddr>; 3] = ["fd00::1", "fd00::2", "10.0.0.1"].map(|text| Some(text.parse().unwrap()));
        let held = [permits.take(one).unwrap(), permits.take(neighbour).unwrap()];
        assert_eq!(permits.take(one).unwrap_err(), Refused::Address);
        let more = [permits.take(other).unwrap(), permits.take(None).unwrap()];
        assert_eq!(permits.take(other).unwrap_err(), Refused::Full);
        assert_eq!(permits.gauge.get(), 4);
        drop(held);
        assert!(permits.take(one).is_ok() && permits.taken.counts.lock().len() == 1);
        drop(more);
        assert_eq!((permits.gauge.get(), permits.free.available_permits()), (0, 4));
    }

    #[test]
    fn a_proxy_s_clients_are_counted_each_for_itself() {
        let permits = Permits::new(4, Some(2), Gauge::default());
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        // A proxy that is trusted is not counted itself.
        let [first, second, third] = [(); 3].map(|()| permits.take(None).unwrap());
        let held = [first.of_client(one).unwrap(), second.of_client(one).unwrap()];
        assert_eq!(third.of_client(one).unwrap_err(), Refused::Address);
        assert!(third.of_client(other).is_ok());
        // And a client that comes by itself as well has no more for that.
        assert_eq!(permits.take(Some(one)).unwrap_err(), Refused::Address);
        drop(held);
        assert!(third.of_client(one).is_ok() && permits.taken.counts.lock().is_empty());
    }
}
