//! The one who asks: its address, and the token by which it was let in.

use super::access::{Admitted, revoked};
use std::net::{IpAddr, Ipv6Addr};

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Address {
    /// A machine; of IPv6, a network of 64 bits.
    Net(IpAddr),
    /// A user of this machine, over a unix socket.
    User(u32),
    /// The system does not say.
    Unknown,
}

impl Address {
    /// Of a peer over TCP.
    pub(super) fn of(peer: IpAddr) -> Self {
        Self::Net(household(peer))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Net(address) => write!(f, "{address}"),
            Self::User(user) => write!(f, "user {user} of this machine"),
            Self::Unknown => f.write_str("an unknown address"),
        }
    }
}

/// Those who share what one of them may take: an address, and behind a proxy, where all have the same, a
/// token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Party {
    pub(super) address: Address,
    /// Tells tokens apart, no more.
    pub(super) token: Option<u64>,
}

/// The one who asks.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    pub(super) address: Address,
    pub(super) admitted: Option<Admitted>,
}

impl Asker {
    /// With whom it shares.
    pub(super) fn party(&self) -> Party {
        Party { address: self.address, token: self.admitted.as_ref().map(Admitted::mark) }
    }

    /// Comes back when the token is no longer one of ours.
    pub(super) async fn revoked(&self) {
        revoked(self.admitted.as_ref()).await;
    }
}

/// Who holds one IPv6 address mostly holds the 64 bits behind the prefix as well (RFC 4291, 2.5.1).
pub(super) fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}
