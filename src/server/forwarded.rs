//! Who asks, behind proxies that are trusted to say so: `Forwarded` (RFC 7239) and `X-Forwarded-For`.

use super::names::Authority;
use ipnet::IpNet;
use std::net::IpAddr;
use std::str::FromStr;
use warp::http::HeaderMap;

/// Proxies that are followed back from the nearest one.
const MAX_HOPS: usize = 16;
/// The word for clients of the unix socket.
const UNIX: &str = "unix";

/// Who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// A machine, or one that the system does not name.
    Tcp(Option<IpAddr>),
    /// A user of this machine.
    Unix,
}

/// Proxies that say for whom they ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<TrustedProxy>);

/// An address, a network of them, or the unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedProxy {
    /// Machines.
    Net(IpNet),
    /// Clients of the unix socket.
    Unix,
}

impl FromStr for TrustedProxy {
    type Err = ();

    /// `10.0.0.7`, `10.0.0.0/8`, `fd00::/8` or `unix`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        if text == UNIX {
            return Ok(Self::Unix);
        }
        let address = || text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        text.parse::<IpNet>().or_else(|_| address()).map(Self::Net).map_err(|_| ())
    }
}

impl FromIterator<TrustedProxy> for TrustedProxies {
    fn from_iter<T: IntoIterator<Item = TrustedProxy>>(proxies: T) -> Self {
        Self(proxies.into_iter().collect())
    }
}

impl TrustedProxies {
    pub(super) fn trusts(&self, peer: Peer) -> bool {
        self.0.iter().any(|proxy| match (proxy, peer) {
            (TrustedProxy::Net(net), Peer::Tcp(Some(address))) => net.contains(&address),
            (TrustedProxy::Unix, Peer::Unix) => true,
            _ => false,
        })
    }

    /// For whom a peer asks. `None`: for itself, or it is not trusted to say, or does not say in a way that
    /// can be believed.
    pub(super) fn client(&self, peer: Peer, headers: &HeaderMap) -> Option<IpAddr> {
        if !self.trusts(peer) {
            return None;
        }
        let standard = lists(headers, "forwarded").map(|lists| lists.into_iter().flat_map(elements).collect::<Vec<_>>());
        let usual = lists(headers, "x-forwarded-for").map(|lists| lists.into_iter().flat_map(|list| list.split(',').map(node)).collect());
        match (standard, usual) {
            // Most proxies write one of the two and let the other pass, as the client made it up.
            (Some(standard), Some(usual)) => self.walk(&standard).filter(|client| Some(*client) == self.walk(&usual)),
            (Some(hops), None) | (None, Some(hops)) => self.walk(&hops),
            (None, None) => None,
        }
    }

    /// Back from the nearest proxy to the first address that is none of ours. Whatever lies before that one
    /// anybody may have written.
    fn walk(&self, hops: &[Option<IpAddr>]) -> Option<IpAddr> {
        let mut found = None;
        for hop in hops.iter().rev().take(MAX_HOPS) {
            let Some(address) = *hop else { break };
            found = Some(address);
            if !self.trusts(Peer::Tcp(Some(address))) {
                break;
            }
        }
        found
    }
}

/// All fields of this name, in order; `None` where there is none. A field that is not text cannot be
/// believed.
fn lists<'a>(headers: &'a HeaderMap, name: &str) -> Option<Vec<&'a str>> {
    let lists: Vec<_> = headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or_default()).collect();
    (!lists.is_empty()).then_some(lists)
}

/// `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`; `None` for `unknown` and for names that a proxy made up.
fn node(text: &str) -> Option<IpAddr> {
    Authority::parse(text.trim())?.address()
}

/// The elements of one `Forwarded` field: for whom each proxy asked.
fn elements(list: &str) -> Vec<Option<IpAddr>> {
    split(list, ',')
        .map(|element| {
            let mut of =
                split(element, ';').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| key.trim().eq_ignore_ascii_case("for"));
            let (_, value) = of.next()?;
            // Nobody can say which of two was meant.
            if of.next().is_some() { None } else { node(value.trim().trim_matches('"')) }
        })
        .collect()
}

/// Splits where the sign does not stand in quotes.
fn split(text: &str, sign: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == sign && !quoted
    })
}

#[cfg(test)]
mod tests;
