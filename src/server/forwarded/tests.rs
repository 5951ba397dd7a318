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
