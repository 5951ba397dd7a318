//! The one who asks: its address, and the token by which it was let in.

use super::access::{Admitted, revoked};
use super::peer::Address;
use crate::filter::Hosts;

/// Clients that share one allowance: those of one address, or behind a proxy, where all have the same
/// address, those of one token.
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

    /// The Docker hosts of which it may be told; all without.
    pub(super) fn hosts(&self) -> Option<&Hosts> {
        self.admitted.as_ref().and_then(Admitted::hosts)
    }

    /// Whether it may be told of this Docker host.
    pub(super) fn may_be_told_of(&self, source: &str) -> bool {
        self.hosts().is_none_or(|hosts| hosts.have(source))
    }

    /// Returns when the token is no longer one of ours, or reads of other Docker hosts.
    pub(super) async fn revoked(&self) {
        revoked(self.admitted.as_ref()).await;
    }
}
