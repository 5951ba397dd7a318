//! Who asks, behind proxies that are trusted to say so: `Forwarded` (RFC 7239) and `X-Forwarded-For`.

use super::names::Authority;
use ipnet::IpNet;
use std::net::IpAddr;
use std::str::FromStr;
use warp::http::HeaderMap;

/// Proxies that are followed back from the nearest one.
const MAX_HOPS: usize = 16;
/// What stands for whoever connects over the unix socket.
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
    /// Whoever connects over the unix socket.
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

/// All fields of this name, in order; `None` where there is none. What is no text is nothing that can be
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
mod tests {
    use super::*;

    fn proxies() -> TrustedProxies {
        ["127.0.0.1", "10.0.0.0/8", "fd00::/8", "unix"].into_iter().map(|text| text.parse::<TrustedProxy>().unwrap()).collect()
    }

    fn client(peer: Peer, headers: &[(&'static str, &str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        proxies().client(peer, &map).map(|address| address.to_string())
    }

    #[test]
    fn the_nearest_address_that_is_no_proxy_s_counts() {
        let peer = Peer::Tcp(Some("127.0.0.1".parse().unwrap()));
        for (name, value, expected) in [
            ("x-forwarded-for", "192.0.2.1", Some("192.0.2.1")),
            ("x-forwarded-for", "6.6.6.6, 192.0.2.1", Some("192.0.2.1")),
            ("x-forwarded-for", "6.6.6.6, 192.0.2.1 , 10.1.2.3", Some("192.0.2.1")),
            ("x-forwarded-for", "192.0.2.1:4711", Some("192.0.2.1")),
            ("x-forwarded-for", "::ffff:192.0.2.1", Some("192.0.2.1")),
            ("x-forwarded-for", "2001:db8::1", Some("2001:db8::1")),
            ("x-forwarded-for", "[2001:db8::1]:80", Some("2001:db8::1")),
            // All are proxies: the one that is farthest.
            ("x-forwarded-for", "10.1.1.1,10.2.2.2", Some("10.1.1.1")),
            // Written by nobody whom we trust.
            ("x-forwarded-for", "6.6.6.6, unknown, 10.2.2.2", Some("10.2.2.2")),
            ("x-forwarded-for", "6.6.6.6, _hidden", None),
            ("x-forwarded-for", "", None),
            ("forwarded", "for=192.0.2.1;proto=http;by=10.0.0.1", Some("192.0.2.1")),
            ("forwarded", "for=6.6.6.6, FOR=\"[2001:db8::1]:4711\"", Some("2001:db8::1")),
            ("forwarded", "for=6.6.6.6, for=192.0.2.1;host=\"a,for=7.7.7.7\"", Some("192.0.2.1")),
            ("forwarded", "for=6.6.6.6, host=\"a\\\",for=7.7.7.7;\";for=192.0.2.1", Some("192.0.2.1")),
            ("forwarded", "for=6.6.6.6;for=7.7.7.7", None),
            ("forwarded", "for=6.6.6.6, proto=https", None),
            ("forwarded", "for=unknown", None),
        ] {
            assert_eq!(client(peer, &[(name, value)]).as_deref(), expected, "{name}: {value}");
        }
        let two = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(client(peer, &two).as_deref(), Some("192.0.2.1"), "fields are one list");
        let long = ["6.6.6.6"].into_iter().chain(std::iter::repeat_n("10.1.1.1", MAX_HOPS)).collect::<Vec<_>>().join(",");
        assert_eq!(client(peer, &[("x-forwarded-for", &long)]).as_deref(), Some("10.1.1.1"), "no farther than {MAX_HOPS} hops");
    }

    #[test]
    fn only_a_trusted_peer_is_believed_and_only_if_it_says_one_thing() {
        let said = [("x-forwarded-for", "192.0.2.1")];
        for (peer, expected) in [
            (Peer::Tcp(Some("127.0.0.2".parse().unwrap())), None),
            (Peer::Tcp(Some("192.0.2.9".parse().unwrap())), None),
            (Peer::Tcp(None), None),
            (Peer::Tcp(Some("10.9.9.9".parse().unwrap())), Some("192.0.2.1")),
            (Peer::Tcp(Some("fd12::1".parse().unwrap())), Some("192.0.2.1")),
            (Peer::Unix, Some("192.0.2.1")),
        ] {
            assert_eq!(client(peer, &said).as_deref(), expected, "{peer:?}");
        }
        for (forwarded, expected) in [("for=192.0.2.1", Some("192.0.2.1")), ("for=6.6.6.6", None), ("for=unknown", None)] {
            assert_eq!(client(Peer::Unix, &[said[0], ("forwarded", forwarded)]).as_deref(), expected, "{forwarded}");
        }
        assert_eq!(TrustedProxies::default().client(Peer::Unix, &HeaderMap::new()), None);
    }

    #[test]
    fn addresses_and_networks_are_taken_and_names_are_not() {
        for text in ["10.0.0.1", " 10.0.0.0/8 ", "::1", "fd00::/8", "::ffff:10.0.0.1", "unix"] {
            assert!(text.parse::<TrustedProxy>().is_ok(), "{text}");
        }
        for text in ["", "proxy.example", "10.0.0.0/33", "10.0.0.1:80", "*", "[::1]"] {
            assert!(text.parse::<TrustedProxy>().is_err(), "{text}");
        }
    }
}
