//! Names that look like those of secrets. Only the name is judged, never the value that goes with it.
//!
//! A name is cut into words where it is not alphanumeric, at `camelCase`, and between letters and digits.
//! What counts is the last word that is a secret's (words.rs) and what follows it: `db.password`,
//! `PASSWORD_REDIS` and `token2` are secrets, while `token_ttl`, `PASSWORD_FILE` and `k8s.secret.name` say
//! something about one. docs/redaction.md has examples of each.

mod words;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use std::sync::LazyLock;
use words::{COUNTS, Follows, KEYS, LEADS, NO_WEAK_AFTER, OTHERS, PAIRS, PIECES, STRONG, WEAK, ends, follows, is_one};

/// What a name says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// It is a secret.
    Secret,
    /// It is a secret, unless it is a switch (`auth=true`) or a path.
    Perhaps,
    /// It leads to something and may hold a secret on the way, as a webhook's URL or a DSN do.
    Leads,
}

/// Names that Docker's own tools give; what they hold is known, and none is a secret.
const OWN: [&str; 3] = ["com.docker.compose.", "com.docker.swarm.", "com.docker.stack."];
const OWN_BEGIN: &str = "com.docker.";
/// Most bytes of a name that are looked at, from its end.
const MAX_NAME_BYTES: usize = 512;

static FINDER: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(PIECES).ok());

/// What a name says; `None`: nothing of a secret.
pub(super) fn says(name: &str) -> Option<Says> {
    let name = super::tail(name, MAX_NAME_BYTES);
    let is_own = name.starts_with(OWN_BEGIN) && OWN.iter().any(|own| name.starts_with(own));
    if is_own || FINDER.as_ref().is_some_and(|finder| !finder.is_match(name)) {
        return None;
    }
    let words = Words::of(name);
    let (at, found) = (0..words.0.len()).rev().find_map(|at| Some((at, words.secret(at)?)))?;
    if found == Says::Leads {
        return Some(found);
    }
    let after = words.0.get(at + 1..).unwrap_or_default();
    let follows_word = |list| at.checked_sub(1).is_some_and(|before| words.is(before, list));
    if words.is(at, "basicauth digestauth auth") && matches!(after, [users] if users.text.eq_ignore_ascii_case("users")) {
        return Some(Says::Secret);
    }
    if words.is(at, "tokens") && follows_word(COUNTS) || words.is(at, "secrets") && follows_word("pull") {
        return None;
    }
    // An id is half of a pair of credentials (`access_key_id`, `vault_secret_id`), or the number of something
    // (`token_id`).
    let is_half =
        |word: &Word<'_>| !word.starts_level && word.text.eq_ignore_ascii_case("id") && words.is(at, "key secret accesskey apikey");
    let says_after: Vec<_> = after.iter().filter(|word| !is_half(word)).map(Word::follows).collect();
    if says_after.contains(&Some(Follows::About)) {
        return None;
    }
    if says_after.contains(&None) {
        // A name between dots is often somebody's own: of a router, a project, a host.
        let elsewhere = after.iter().any(|word| word.starts_level);
        let shouted = !name.chars().any(char::is_lowercase);
        let adjective = words.is(at, "secret") && !shouted;
        if elsewhere || adjective || found == Says::Perhaps {
            return None;
        }
    }
    Some(found)
}

#[derive(Debug, Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    /// A `.` or `/` stands before it.
    starts_level: bool,
}

impl Word<'_> {
    /// What it says after a secret's word. Numbers and single letters tell several of a kind apart.
    fn follows(&self) -> Option<Follows> {
        let counts = self.text.bytes().all(|c| c.is_ascii_digit()) || self.text.chars().count() == 1;
        if counts { Some(Follows::Still) } else { follows(self.text) }
    }
}

struct Words<'a>(Vec<Word<'a>>);

impl<'a> Words<'a> {
    fn of(name: &'a str) -> Self {
        let mut all = Vec::new();
        for level in name.split(['.', '/']) {
            let mut starts_level = !all.is_empty();
            for part in level.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
                // As one word where only that is a secret's, for `passWord`, or where that is known to be
                // none, for `OAuth`.
                let alone = |text| Self(vec![Word { text, starts_level }]);
                let cut = words(part).count() > 1;
                let only_whole = cut && words(part).all(|word| alone(word).secret(0).is_none()) && alone(part).secret(0).is_some();
                if only_whole || cut && ends(part, OTHERS) {
                    all.push(Word { text: part, starts_level });
                } else {
                    all.extend(words(part).map(|text| Word { text, starts_level: std::mem::take(&mut starts_level) }));
                }
                starts_level = false;
            }
        }
        Self(all)
    }

    fn is(&self, at: usize, list: &str) -> bool {
        self.0.get(at).is_some_and(|word| is_one(word.text, list))
    }

    /// What the word there names, with the one before it.
    fn secret(&self, at: usize) -> Option<Says> {
        let word = self.0.get(at)?.text.trim_end_matches(|c: char| c.is_ascii_digit());
        let before = self.0.get(..at).and_then(|before| before.iter().rev().find(|word| !word.text.bytes().all(|c| c.is_ascii_digit())));
        let before = before.map_or("", |word| word.text);
        let is = |text: &str, known: &str| text.eq_ignore_ascii_case(known);
        if ends(word, OTHERS) {
            return None;
        }
        if ends(word, STRONG) || PAIRS.iter().any(|(first, second)| is(before, first) && is(word, second)) {
            return Some(Says::Secret);
        }
        if is(word, "key") || is(word, "keys") {
            return ends(before, KEYS).then_some(Says::Secret);
        }
        let joined = word.strip_suffix(['s', 'S']).unwrap_or(word);
        if ends(joined, "key") && joined.get(..joined.len() - 3).is_some_and(|rest| ends(rest, KEYS)) {
            return Some(Says::Secret);
        }
        if ends(word, LEADS) || (is(before, "connection") || is(before, "conn")) && (is(word, "string") || is(word, "str")) {
            return Some(Says::Leads);
        }
        let weak = is_one(word, WEAK) || ends(word, "pass pw");
        (weak && !is_one(before, NO_WEAK_AFTER)).then_some(Says::Perhaps)
    }
}

/// `getHTTPToken2` as `get`, `HTTP`, `Token`, `2`.
fn words(part: &str) -> impl Iterator<Item = &str> {
    let mut rest = part;
    std::iter::from_fn(move || {
        let (word, behind) = rest.split_at(word_end(rest)?);
        rest = behind;
        Some(word)
    })
}

fn word_end(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().peekable();
    let (_, mut before) = chars.next()?;
    while let Some((at, c)) = chars.next() {
        let next_is_lower = chars.peek().is_some_and(|(_, next)| next.is_lowercase());
        let begins = (c.is_uppercase() && (!before.is_uppercase() || next_is_lower)) || c.is_numeric() != before.is_numeric();
        if begins {
            return Some(at);
        }
        before = c;
    }
    Some(text.len())
}

#[cfg(test)]
mod tests;
