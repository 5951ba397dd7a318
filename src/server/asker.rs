//! The one who asks: its address, and the token by which it was let in.

use super::access::{Admitted, revoked};
use super::peer::Address;

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

    /// Returns when the token is no longer one of ours.
    pub(super) async fn revoked(&self) {
        revoked(self.admitted.as_ref()).await;
    }
}
