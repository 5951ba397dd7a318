//! Passwords and tokens before the host of a URL.
//!
//! In `scheme://user:password@host` the password goes up to the last `@` of the authority, which ends at a
//! `/`, `?`, `#`, `"`, `<`, `>` or blank. Where the authority has no `@` and what follows its colon is no
//! port, a password with such characters in it is assumed: up to the last `@` before a blank, else up to the
//! first `@` that is near. `user:password@tcp(host)`, as Go's drivers write it, needs no scheme. In
//! `https://TOKEN@host` what stands for the user is a token when it is long, or not short and with a digit in
//! it.

use super::{REDACTED, head, tail};
use std::ops::Range;

/// How far after a blank or quote a password may go on.
const MAX_ODD_PASSWORD: usize = 128;
/// Most bytes that are looked at after `://`, so that work grows with the length of a text and not with its
/// square.
const MAX_AUTHORITY: usize = 512;
/// The user of an HTTP URL is taken for a token from so many characters on, and from so many where a digit is
/// among them.
const TOKEN_CHARS: usize = 20;
const TOKEN_WITH_DIGIT_CHARS: usize = 10;
/// What follows the `@` in the addresses of Go's database drivers.
const GO_NETWORKS: [&str; 3] = ["@tcp(", "@unix(", "@tcp6("];

/// Where passwords lie in `text`, in order. Empty ones are left out.
pub(super) fn passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("://")) {
        let start = from + at + 3;
        from = start;
        let rest = text.get(start..).unwrap_or_default();
        let scheme = text.get(..start - 3).unwrap_or_default();
        if !scheme.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            continue;
        }
        if let Some(password) = token(scheme, rest).or_else(|| password(rest)) {
            from = start + password.end;
            found.push(start + password.start..from);
        }
    }
    found.extend(GO_NETWORKS.iter().flat_map(|network| text.match_indices(network)).filter_map(|(at, _)| before_network(text, at)));
    found.sort_unstable_by_key(|range| range.start);
    found
}

/// The token in `TOKEN@host`.
fn token(scheme: &str, rest: &str) -> Option<Range<usize>> {
    let user =
        rest.get(..rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '<' | '>' | ':' | '@' | '\\' | '\''))?)?;
    let is_http = ["http", "https"]
        .iter()
        .any(|http| scheme.len().checked_sub(http.len()).and_then(|at| scheme.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(http)));
    let long = user.len() >= TOKEN_CHARS || user.len() >= TOKEN_WITH_DIGIT_CHARS && user.bytes().any(|b| b.is_ascii_digit());
    let after = rest.get(user.len()..)?;
    // `TOKEN@`, `TOKEN:@`, and what GitHub wants of a token that stands for the user.
    let alone = ["@", ":@", ":x-oauth-basic@"].iter().any(|end| after.starts_with(end));
    (is_http && long && alone).then_some(0..user.len())
}

/// The password in `user:password@tcp(`.
fn before_network(text: &str, at: usize) -> Option<Range<usize>> {
    let before = tail(text.get(..at)?, MAX_AUTHORITY);
    let offset = at - before.len();
    let start = before.rfind(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '=' | '/')).map_or(0, |at| at + 1);
    let colon = start + before.get(start..)?.find(':')?;
    (colon + 1 < before.len() && !before.get(colon + 1..)?.starts_with(REDACTED)).then_some(offset + colon + 1..at)
}

/// The password in what stands after `://`.
fn password(rest: &str) -> Option<Range<usize>> {
    let rest = head(rest, MAX_AUTHORITY);
    let ends_token = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>');
    let authority = until(rest, |c| ends_token(c) || matches!(c, '/' | '?' | '#'));
    let user_end = authority.find([':', '@']).filter(|at| authority.as_bytes().get(*at) == Some(&b':'))?;
    let end = match authority.rfind('@') {
        Some(end) => end,
        None if authority.starts_with('[') || is_port(authority.get(user_end + 1..)?) => return None,
        None => match until(rest, ends_token).rfind('@') {
            Some(end) => end,
            None => odd_end(rest, user_end + 1)?,
        },
    };
    let is_new = !rest.get(user_end + 1..)?.starts_with(REDACTED);
    (is_new && user_end + 1 < end).then_some(user_end + 1..end)
}

/// Where a password ends that holds blanks or quotes: at an `@` that is near, with a host after it and no
/// other URL before it.
fn odd_end(rest: &str, from: usize) -> Option<usize> {
    let near = rest.get(from..)?;
    let near = head(near, MAX_ODD_PASSWORD);
    let near = until(near, |c| matches!(c, '\n' | '\r'));
    if near.starts_with("${") {
        return None;
    }
    let near = near.get(..near.find("://").unwrap_or(near.len()))?;
    let at = near.find('@')?;
    near.get(at + 1..)?.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[').then_some(from + at)
}

fn is_port(text: &str) -> bool {
    text.split(',').next().is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

fn until(text: &str, end: impl Fn(char) -> bool) -> &str {
    text.find(end).and_then(|at| text.get(..at)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        passwords(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn the_password_and_nothing_else() {
        for (text, expected) in [
            ("postgres://user:hunter2@db:5432/app", &["hunter2"][..]),
            ("redis://:hunter2@cache", &["hunter2"]),
            ("http://u:p@ss@host/path", &["p@ss"]),
            ("redis://:pa/ss@host", &["pa/ss"]),
            ("amqp://u:a@h1,amqp://u:b@h2", &["a", "b"]),
            ("see http://u:p@h and ftp://x:y@z.", &["p", "y"]),
            (r#"["http://u:p@h","x@y"]"#, &["p"]),
            ("mongodb://u:p%40@h1:27017,h2:27017/db?x=a@b", &["p%40"]),
            ("http://host:8080/path?mail=a@b", &[]),
            ("http://[::1]:8080/@", &[]),
            ("https://user@host/a:b@c", &[]),
            ("https://deadbeef12345@host/x.git", &["deadbeef12345"]),
            ("https://abcdefghijklmnopqrstuv@host", &["abcdefghijklmnopqrstuv"]),
            ("https://git@github.com/a/b", &[]),
            ("https://deadbeef12345:@host", &["deadbeef12345"]),
            ("https://deadbeef12345:x-oauth-basic@host", &["deadbeef12345"]),
            ("http://host:${PORT}/x to a@b", &[]),
            ("ssh://deploy-user-01@host", &[]),
            ("postgres://u:a b@db/x", &["a b"]),
            ("postgres://u:a\"b@db/x", &["a\"b"]),
            ("app:hunter2@tcp(db:3306)/x", &["hunter2"]),
            ("http://host:abc and then x@y", &["abc and then x"]),
            ("postgres://u:[redacted] (url-password)@db", &[]),
            ("https://user:@host", &[]),
            ("git@github.com:a/b", &[]),
            ("://u:p@h", &[]),
            ("http://u:", &[]),
            ("é://u:p@h", &[]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }
}
