//! Secrets that a text gives to a name: `password=…`, `?token=…&`, `"secret":"…"` in JSON inside a label,
//! `token: …`, `--password …`.
//!
//! The name is judged as an attribute's is (`names/`). What is given ends at a quote that it began with, at a
//! `;` in a connection string, else at a blank or a character that ends values in addresses, JSON and command
//! lines. A reference (`${NAME}`) and a switch (`auth=true`) stay.

use super::REDACTED;
use super::names::{Says, says};
use std::ops::Range;

/// Most bytes of a name.
const MAX_NAME: usize = 128;
/// Most blanks and backslashes between a name, its sign and its value.
const MAX_BETWEEN: usize = 8;
/// Words before the credentials of an `Authorization` header.
const SCHEMES: [&str; 6] = ["basic", "bearer", "digest", "token", "apikey", "negotiate"];
/// Values that are no secret whatever their name.
const SWITCHES: [&str; 14] =
    ["true", "false", "yes", "no", "on", "off", "none", "null", "nil", "enabled", "disabled", "0", "1", "undefined"];

/// Values that say how somebody is known, and are no secret under a short name such as `auth`.
const WAYS: [&str; 18] = [
    "basic",
    "digest",
    "bearer",
    "ldap",
    "ldaps",
    "oidc",
    "oauth",
    "oauth2",
    "saml",
    "sso",
    "kerberos",
    "required",
    "optional",
    "internal",
    "external",
    "anonymous",
    "trust",
    "scram-sha-256",
];
/// Parameters of addresses that sign them.
const SIGNATURES: [&str; 4] = ["sig", "signature", "x-amz-signature", "x-goog-signature"];

/// Whether it only switches something.
pub(super) fn is_switch(value: &str) -> bool {
    SWITCHES.iter().any(|switch| value.eq_ignore_ascii_case(switch))
}

/// Whether a value is no secret under a name that says so much: a switch, a reference, where a file is.
pub(super) fn is_plain(says: Says, value: &str) -> bool {
    let is_path = || {
        let of_path = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/');
        value.starts_with("/run/secrets/")
            || value.starts_with("/var/run/secrets/")
            || value.starts_with(['/', '.'])
                && value.contains('/')
                && value.len() < 200
                && value.bytes().all(of_path)
                && (says == Says::Perhaps || value.contains('.'))
    };
    is_reference(value)
        || is_path()
        || says == Says::Perhaps && (is_switch(value) || WAYS.iter().any(|way| value.eq_ignore_ascii_case(way)))
}

/// Where values of secret names lie in `text`, in order.
pub(super) fn values(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let bytes = text.as_bytes();
    for at in memchr::memchr3_iter(b'=', b':', b' ', bytes) {
        if found.last().is_some_and(|last| at < last.end) {
            continue;
        }
        let value = match bytes.get(at) {
            Some(b'=') => after_equals(text, at),
            Some(b':') => after_colon(text, at),
            _ => after_flag(text, at),
        };
        let is_new = |value: &Range<usize>| !text.get(value.start..).is_some_and(|rest| rest.starts_with(REDACTED));
        found.extend(value.filter(|value| is_secret(text.get(value.clone()).unwrap_or_default()) && is_new(value)));
    }
    found
}

/// Whether it only names what is to be put there: `${NAME}`, `{{.Name}}`.
pub(super) fn is_reference(value: &str) -> bool {
    let inner = value.strip_prefix("${").and_then(|v| v.strip_suffix('}')).or_else(|| value.strip_prefix("{{")?.strip_suffix("}}"));
    inner.is_some_and(|inner| !inner.contains(['{', '}']))
}

fn is_secret(value: &str) -> bool {
    !(value.is_empty() || is_switch(value) || is_reference(value))
}

/// `name=value`.
fn after_equals(text: &str, at: usize) -> Option<Range<usize>> {
    let name = name_before(text, at, true)?;
    let named = text.get(name.clone())?;
    let signs = SIGNATURES.iter().any(|signature| named.eq_ignore_ascii_case(signature));
    let says = if signs { Says::Secret } else { says(named).filter(|says| *says != Says::Leads)? };
    let first = text.get(..name.start)?.trim_end_matches([' ', '"', '\'', '\\']).chars().next_back();
    // `Server=db;Password=with blanks;…`
    let rest = text.get(at + 1..)?;
    let listed = first == Some(';') || (first.is_none() && rest.contains(';') && !rest.contains('&'));
    let value = value(text, at + 1, if listed { Ends::Listed } else { Ends::Word });
    (!is_plain(says, text.get(value.clone())?)).then_some(value)
}

/// `"name":"value"`, `name: value`, but not `host:port` and `image:tag`.
fn after_colon(text: &str, at: usize) -> Option<Range<usize>> {
    let quoted = text.get(..at)?.ends_with(['"', '\'', '\\']);
    let blank = text.get(at + 1..)?.starts_with([' ', '\t']);
    if !quoted && !blank {
        return None;
    }
    let name = text.get(name_before(text, at, quoted)?)?;
    let says = says(name).filter(|says| *says != Says::Leads)?;
    let value = value(text, at + 1, Ends::Word);
    (!is_plain(says, text.get(value.clone())?)).then_some(value)
}

/// `--name value`, `-u user:password`.
fn after_flag(text: &str, at: usize) -> Option<Range<usize>> {
    let before = text.get(..at)?;
    let flag = before.rfind([' ', '"', '\'', '[', '\n']).map_or(Some(before), |at| before.get(at + 1..))?;
    if let Some(name) = flag.strip_prefix("--").filter(|name| name.len() <= MAX_NAME && !name.contains('='))
        && says(name).is_some_and(|says| says != Says::Leads)
    {
        let value = value(text, at + 1, Ends::Word);
        // `--secret id=x,src=y` names a file.
        return text.get(value.clone()).filter(|value| !value.starts_with('-') && !value.starts_with("id=")).map(|_| value);
    }
    if matches!(flag, "-u" | "--user" | "--proxy-user") && (before.contains("curl") || text.get(at..)?.contains("://")) {
        let value = value(text, at + 1, Ends::Word);
        let colon = text.get(value.clone())?.find(':')?;
        let password = text.get(value.start + colon + 1..value.end)?;
        // `--user 1000:1000` is no password.
        return (!password.bytes().all(|b| b.is_ascii_digit())).then_some(value.start + colon + 1..value.end);
    }
    None
}

/// Where the name lies that ends before the sign at `at`.
fn name_before(text: &str, at: usize, quoted: bool) -> Option<Range<usize>> {
    let before = text.get(..at)?;
    let between = |c: char| c == ' ' || c == '\t' || (quoted && matches!(c, '"' | '\'' | '\\'));
    let end = before.trim_end_matches(between).len();
    if at - end > MAX_BETWEEN {
        return None;
    }
    let of_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/');
    let length = before.as_bytes().get(..end)?.iter().rev().take(MAX_NAME).take_while(|b| of_name(b)).count();
    (length > 0).then_some(end - length..end)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Word,
    /// Only at a `;`, since blanks may be in it.
    Listed,
}

/// Where the value lies that begins at or after `from`.
fn value(text: &str, from: usize, ends: Ends) -> Range<usize> {
    let rest = text.get(from..).unwrap_or_default();
    let blanks = rest.bytes().take(MAX_BETWEEN).take_while(|b| matches!(b, b' ' | b'\t')).count();
    let rest = rest.get(blanks..).unwrap_or_default();
    let start = from + blanks;
    let escapes = rest.bytes().take(MAX_BETWEEN).take_while(|b| *b == b'\\').count();
    if let Some(quote) = rest.get(escapes..).and_then(|rest| rest.chars().next()).filter(|c| matches!(c, '"' | '\'')) {
        let inner = start + escapes + 1;
        // Found before any search for its end, which would be made again for each one.
        if text.get(inner..).is_some_and(|rest| rest.starts_with(REDACTED)) {
            return inner..inner;
        }
        return inner..quoted_end(text, inner, quote, escapes);
    }
    let end = |c: char| match ends {
        Ends::Listed => matches!(c, ';' | '\n' | '\r'),
        Ends::Word => c.is_whitespace() || matches!(c, '&' | ';' | ',' | '"' | '\'' | '<' | '>' | '`' | '\\' | ')' | '}' | ']' | '|' | '#'),
    };
    let length = rest.find(end).unwrap_or(rest.len());
    let word = rest.get(..length).unwrap_or_default();
    // What a reference is made of must not end it.
    if (word.starts_with("${") || word.starts_with("{{")) && rest.get(length..).is_some_and(|rest| rest.starts_with('}')) {
        let close = rest.get(length..).map_or(0, |rest| rest.bytes().take_while(|b| *b == b'}').count());
        return start..start + length + close;
    }
    // Of an `Authorization` the scheme stays.
    if SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme)) && rest.get(length..).is_some_and(|rest| rest.starts_with(' ')) {
        return value(text, start + length + 1, Ends::Word);
    }
    start..start + length
}

/// Where a value ends that began with `quote` after so many backslashes.
fn quoted_end(text: &str, from: usize, quote: char, escapes: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let mut backslashes = 0;
    for (at, c) in rest.char_indices() {
        match c {
            '\\' => backslashes += 1,
            _ if c == quote && backslashes <= escapes => return from + at - backslashes,
            _ => backslashes = 0,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests;
