//! Names of machines, as they stand in `Host`, `Origin`, `Forwarded` and `--allow-host`.

use std::net::{IpAddr, Ipv6Addr};

/// Longest name in bytes (RFC 1035, 2.3.4), without the final dot.
const MAX_NAME_BYTES: usize = 253;

/// `NAME[:PORT]`, where the name may be an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority {
    /// In lower case, without final dot, brackets or zone.
    pub(super) name: String,
    pub(super) port: Option<u16>,
}

impl Authority {
    /// `None` for what is no name of a machine.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']')?;
            return Some(Self { name: v6(address)?, port: port(rest).ok()? });
        }
        if let Some(name) = v6(text) {
            return Some(Self { name, port: None });
        }
        let (name, rest) = text.find(':').map_or((text, ""), |at| text.split_at(at));
        // With the dot it is the same name, as far as browsers and resolvers go.
        let name = name.strip_suffix('.').unwrap_or(name);
        let labels = name.split('.').all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_')));
        (labels && name.len() <= MAX_NAME_BYTES).then_some(Self { name: name.to_lowercase(), port: port(rest).ok()? })
    }

    /// The address, if it is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.name.parse::<IpAddr>().ok().map(|address| address.to_canonical())
    }

    /// Whether the name is this machine's own by its meaning (RFC 6761, 6.3), and never of the DNS.
    pub(super) fn is_local(&self) -> bool {
        self.name == "localhost" || self.name.ends_with(".localhost")
    }

    /// Whether the user has given this name to the server. The port does not matter: a proxy has one of its
    /// own.
    pub(super) fn is_among(&self, allowed: &[String]) -> bool {
        allowed.contains(&self.name)
    }

    /// As it is written in a flag.
    pub(super) fn flag(&self) -> &str {
        &self.name
    }
}

/// A name for `--allow-host`, as `Authority` keeps names; `None` for what can be no name.
pub fn host_name(text: &str) -> Option<String> {
    Authority::parse(text.trim()).map(|authority| authority.name)
}

/// An IPv6 address. The zone belongs to the machine that wrote it and says nothing here (RFC 6874).
fn v6(text: &str) -> Option<String> {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().ok().map(|address| address.to_string())
}

/// The port of `:PORT`, if one is given; an error for what stands for none.
fn port(text: &str) -> Result<Option<u16>, ()> {
    match text.strip_prefix(':') {
        Some("") => Ok(None),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().map(Some).map_err(|_| ()),
        None if text.is_empty() => Ok(None),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_ports_dots_and_zones() {
        for (text, name, port) in [
            ("localhost", "localhost", None),
            ("LocalHost.:7070", "localhost", Some(7070)),
            ("ship.example:", "ship.example", None),
            ("Ship.Example.", "ship.example", None),
            ("127.0.0.1:80", "127.0.0.1", Some(80)),
            ("127.0.0.1.", "127.0.0.1", None),
            ("[::1]:7070", "::1", Some(7070)),
            ("::1", "::1", None),
            ("[0:0:0:0:0:0:0:1]", "::1", None),
            ("[fe80::1%25eth0]:7070", "fe80::1", Some(7070)),
            ("[fe80::1%eth0]", "fe80::1", None),
            ("my_host", "my_host", None),
        ] {
            assert_eq!(Authority::parse(text), Some(Authority { name: name.to_owned(), port }), "{text}");
        }
        let long = format!("{}.example", "x".repeat(300));
        for text in [
            "",
            ".",
            "a..b",
            ".a",
            "a.b..",
            "a b",
            "a/b",
            "user@a",
            "*",
            "a:b",
            "a:99999",
            "[evil]",
            "[::1",
            "[::1]x",
            "127.0.0.1:+1",
            &long,
        ] {
            assert_eq!(Authority::parse(text), None, "{text}");
        }
    }

    #[test]
    fn this_machine_s_names() {
        for (text, local) in [("localhost", true), ("a.localhost.", true), ("localhost.evil.example", false), ("evillocalhost", false)] {
            assert_eq!(Authority::parse(text).unwrap().is_local(), local, "{text}");
        }
    }
}
