//! Where a connection comes from.

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

/// Who holds one IPv6 address mostly holds the 64 bits after the prefix as well (RFC 4291, 2.5.1).
pub(super) fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}
