//! Secrets that are known by their form: tokens with a prefix of their own, JSON Web Tokens, addresses of
//! webhooks, password hashes, and private keys in PEM, as text or in base64.

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine as _;
use std::ops::Range;
use std::sync::LazyLock;

/// What a form looks like after its beginning.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// At least so many letters, digits, `_`, `-` or `.`; the beginning goes too.
    Token(usize),
    /// Two more parts after dots.
    Jwt,
    /// The rest of an address.
    Address,
    /// A password's hash, of at least so many characters.
    Hash(usize),
}

/// How they begin. In any case of their letters where they are addresses, which is why all are looked for so.
const KNOWN: [(&str, Form); 68] = [
    ("ghp_", Form::Token(20)),
    ("gho_", Form::Token(20)),
    ("ghu_", Form::Token(20)),
    ("ghs_", Form::Token(20)),
    ("ghr_", Form::Token(20)),
    ("github_pat_", Form::Token(20)),
    ("glpat-", Form::Token(16)),
    ("gldt-", Form::Token(16)),
    ("glrt-", Form::Token(16)),
    ("glptt-", Form::Token(16)),
    ("AKIA", Form::Token(16)),
    ("ASIA", Form::Token(16)),
    ("xoxa-", Form::Token(10)),
    ("xoxb-", Form::Token(10)),
    ("xoxe-", Form::Token(10)),
    ("xoxe.", Form::Token(10)),
    ("xoxo-", Form::Token(10)),
    ("xoxp-", Form::Token(10)),
    ("xoxr-", Form::Token(10)),
    ("xoxs-", Form::Token(10)),
    ("xapp-", Form::Token(10)),
    ("sk_live_", Form::Token(10)),
    ("sk_test_", Form::Token(10)),
    ("rk_live_", Form::Token(10)),
    ("rk_test_", Form::Token(10)),
    ("sk-ant-", Form::Token(20)),
    ("sk-proj-", Form::Token(20)),
    ("whsec_", Form::Token(20)),
    ("shpat_", Form::Token(20)),
    ("AIza", Form::Token(30)),
    ("npm_", Form::Token(30)),
    ("pypi-AgE", Form::Token(30)),
    ("hf_", Form::Token(30)),
    ("dop_v1_", Form::Token(40)),
    ("dckr_pat_", Form::Token(20)),
    ("hvs.", Form::Token(20)),
    ("hvb.", Form::Token(20)),
    ("glsa_", Form::Token(20)),
    ("tskey-", Form::Token(16)),
    ("ya29.", Form::Token(20)),
    ("SG.", Form::Token(40)),
    ("AGE-SECRET-KEY-", Form::Token(30)),
    ("eyJ", Form::Jwt),
    ("hooks.slack.com/services/", Form::Address),
    ("hooks.slack.com/workflows/", Form::Address),
    ("hooks.slack.com/triggers/", Form::Address),
    ("discord.com/api/webhooks/", Form::Address),
    ("discordapp.com/api/webhooks/", Form::Address),
    ("discord.com/api/v9/webhooks/", Form::Address),
    ("discord.com/api/v10/webhooks/", Form::Address),
    ("GOCSPX-", Form::Token(20)),
    ("LTAI", Form::Token(16)),
    ("ATATT3", Form::Token(40)),
    ("dp.pt.", Form::Token(30)),
    ("{SHA}", Form::Hash(20)),
    ("webhook.office.com/", Form::Address),
    ("hooks.zapier.com/hooks/", Form::Address),
    ("api.telegram.org/bot", Form::Address),
    ("chat.googleapis.com/v1/spaces/", Form::Address),
    ("$apr1$", Form::Hash(20)),
    ("$2a$", Form::Hash(40)),
    ("$2b$", Form::Hash(40)),
    ("$2y$", Form::Hash(40)),
    ("$5$", Form::Hash(30)),
    ("$6$", Form::Hash(30)),
    ("$argon2", Form::Hash(30)),
    ("$$apr1$$", Form::Hash(20)),
    ("$$2y$$", Form::Hash(40)),
];
/// Beginnings of PEM.
const BEGIN: &str = "-----BEGIN ";
/// The same in base64.
const BASE64_BEGIN: &str = "LS0tLS1CRUdJTi";
const END: &str = "-----END ";
const DASHES: &str = "-----";
const PRIVATE_KEY: &str = "PRIVATE KEY";

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let patterns = KNOWN.iter().map(|(begins, _)| *begins);
    AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(patterns).ok()
});

/// What a message must hold, in any case, to hold one of them.
pub(super) fn triggers<'a>() -> impl Iterator<Item = &'a str> {
    KNOWN.iter().map(|(begins, _)| *begins).chain([BASE64_BEGIN])
}

/// Where tokens, addresses and hashes lie in `text`, in order.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    let Some(finder) = &*FINDER else { return Vec::new() };
    let mut found: Vec<Range<usize>> = Vec::new();
    // So that one long word is not read again for each beginning in it.
    let mut no_jwt_before = 0;
    for begin in finder.find_iter(text) {
        let Some((begins, form)) = KNOWN.get(begin.pattern().as_usize()) else { continue };
        if found.last().is_some_and(|last| begin.start() < last.end) {
            continue;
        }
        let exact = text.get(begin.range()) == Some(*begins);
        let fresh = !text.get(..begin.start()).and_then(|before| before.chars().next_back()).is_some_and(char::is_alphanumeric);
        let after = |of: &dyn Fn(char) -> bool| {
            let rest = text.get(begin.end()..).unwrap_or_default();
            begin.end() + rest.find(|c: char| !of(c)).unwrap_or(rest.len())
        };
        let of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let range = match form {
            Form::Token(least) if exact && fresh => {
                let end = after(&of_token);
                (end - begin.end() >= *least).then_some(begin.start()..end)
            }
            Form::Jwt if exact && fresh && begin.start() >= no_jwt_before => {
                let end = after(&of_token);
                let mut parts = text.get(begin.start()..end).unwrap_or_default().split('.').map(str::len);
                let long = matches!((parts.next(), parts.next(), parts.next()), (Some(8..), Some(_), Some(4..)));
                no_jwt_before = end;
                long.then_some(begin.start()..end)
            }
            Form::Address => {
                let end = after(&|c| !c.is_whitespace() && !matches!(c, '"' | '\'' | '<' | '>' | '`' | '\\' | '?' | '#' | ')' | '[' | ','));
                (end > begin.end()).then_some(begin.end()..end)
            }
            Form::Hash(least) if exact => {
                // Only Argon2 has commas of its own; others stand in lists.
                let own = |c: char| c.is_ascii_alphanumeric() || matches!(c, '$' | '/' | '.' | '+' | '=' | '_' | '-');
                let end = if begins.contains("argon") { after(&|c| own(c) || c == ',') } else { after(&own) };
                (end - begin.end() >= *least).then_some(begin.start()..end)
            }
            _ => None,
        };
        found.extend(range);
    }
    found
}

/// Where private keys lie that were made from PEM into base64.
pub(super) fn private_keys_in_base64(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut looked = 0;
    for (at, _) in text.match_indices(BASE64_BEGIN) {
        if at < looked {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '\n' | '\r'))).unwrap_or(rest.len());
        looked = at + end;
        if is_private_key_in_base64(rest.get(..end).unwrap_or_default()) {
            found.push(at..at + end);
        }
    }
    found
}

/// By its first line.
fn is_private_key_in_base64(text: &str) -> bool {
    let head: String = text.chars().filter(|c| !c.is_whitespace()).take(64).collect();
    let whole = head.get(..head.len() / 4 * 4).unwrap_or_default();
    let decoded = base64::engine::general_purpose::STANDARD.decode(whole).unwrap_or_default();
    private_keys(&String::from_utf8_lossy(&decoded)).next().is_some()
}

/// Where the first private key ends whose beginning is not there.
pub(super) fn end_of_private_key(text: &str) -> Option<usize> {
    let at = text.find(END)?;
    let label = text.get(at + END.len()..)?;
    let end = label.find(DASHES)?;
    let begins = text.get(..at)?.contains(BEGIN);
    (!begins && label.get(..end)?.contains(PRIVATE_KEY)).then_some(at + END.len() + end + DASHES.len())
}

/// Where private keys in PEM lie: `-----BEGIN EC PRIVATE KEY-----` and its relatives, up to their last line
/// or the end.
pub(super) fn private_keys(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + text.get(from..)?.find(BEGIN)?;
            let label = text.get(at + BEGIN.len()..)?;
            from = at + BEGIN.len();
            let end = label.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ')).unwrap_or(label.len());
            if !label.get(..end)?.contains(PRIVATE_KEY) {
                continue;
            }
            let last = label.find(END).and_then(|end| Some(end + END.len() + label.get(end + END.len()..)?.find(DASHES)? + DASHES.len()));
            from = last.map_or(text.len(), |last| at + BEGIN.len() + last);
            return Some(at..from);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        secrets(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn known_forms() {
        let long = "a1B2".repeat(12);
        for prefix in ["ghp_", "github_pat_", "glpat-", "AKIA", "xoxb-", "sk_live_", "AIza", "npm_", "hf_", "dckr_pat_", "SG."] {
            let token = format!("{prefix}{long}");
            assert_eq!(found(&format!("see {token}, and")), [token.as_str()]);
            assert_eq!(found(&format!("x{token}")), [""; 0], "in the middle of a word");
            assert_eq!(found(&format!("{prefix}a")), [""; 0], "too short");
        }
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
        assert_eq!(found(&format!("x={jwt};")), [jwt]);
        assert_eq!(found("post to https://hooks.slack.com/services/T0/B0/xyz now"), ["T0/B0/xyz"]);
        assert_eq!(found("https://discord.com/api/webhooks/1/abc?wait=true"), ["1/abc"]);
        assert_eq!(found("admin:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/,b:x"), ["$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"]);
        let key = "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlF";
        let base64 = format!("pem={key} x");
        assert_eq!(private_keys_in_base64(&base64).into_iter().map(|range| &base64[range]).collect::<Vec<_>>(), [key]);
        assert!(private_keys_in_base64("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUQ=").is_empty(), "a certificate");
    }

    #[test]
    fn private_keys_with_their_end() {
        let found = |text: &'static str| private_keys(text).map(|range| &text[range]).collect::<Vec<_>>();
        assert_eq!(
            found("a -----BEGIN EC PRIVATE KEY-----\nx\n-----END EC PRIVATE KEY----- b"),
            ["-----BEGIN EC PRIVATE KEY-----\nx\n-----END EC PRIVATE KEY-----"]
        );
        assert_eq!(found("-----BEGIN PRIVATE KEY-----x"), ["-----BEGIN PRIVATE KEY-----x"]);
        assert_eq!(found("-----BEGIN CERTIFICATE-----\nkey"), [""; 0]);
    }
}
