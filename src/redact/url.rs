//! Passwords in URLs.
//!
//! In `scheme://user:password@host` the password goes up to the last `@` of the authority, which ends at a `/`, `?`, `#`, `"`, `<`, `>` or blank. Where the
//! authority has no `@` and what follows its colon is no port, a password with a `/` in it is assumed, up to the last `@` before a blank.

use std::ops::Range;

/// Where passwords lie in `text`, in order. Empty ones are left out.
pub(super) fn passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("://")) {
        let start = from + at + 3;
        from = start;
        let rest = text.get(start..).unwrap_or_default();
        let scheme = text.get(..start - 3).and_then(|before| before.chars().next_back());
        if !scheme.is_some_and(|c| c.is_ascii_alphanumeric()) {
            continue;
        }
        if let Some(password) = password(rest) {
            from = start + password.end;
            found.push(start + password.start..from);
        }
    }
    found
}

/// The password in what stands behind `://`.
fn password(rest: &str) -> Option<Range<usize>> {
    let token = until(rest, |c| c.is_whitespace() || matches!(c, '"' | '<' | '>'));
    let authority = until(token, |c| matches!(c, '/' | '?' | '#'));
    let user_end = authority.find([':', '@']).filter(|at| authority.as_bytes().get(*at) == Some(&b':'))?;
    let end = match authority.rfind('@') {
        Some(end) => end,
        None if authority.starts_with('[') || is_port(authority.get(user_end + 1..)?) => return None,
        None => token.rfind('@')?,
    };
    (user_end + 1 < end).then_some(user_end + 1..end)
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
