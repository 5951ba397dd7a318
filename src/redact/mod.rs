//! Redaction: takes secrets out of a message before anything keeps it, and leaves a mark in their place. It
//! never touches anything else: only the values that a rule names, or the secret parts of them, are replaced,
//! by `[redacted]` and the rule's name; every other byte of the message stays as Docker sent it.
//!
//! docs/redaction.md shows for each form what is taken and what is not; a test reads it.
//!
//! | rule | what is replaced |
//! |---|---|
//! | `exec-command` | the command after `exec_create: `, `exec_start: `, `exec_detach: `, `exec_die: ` in `Action` and in its older name, `status` |
//! | `secret-name` | attributes whose name says so (`names/`) |
//! | `url-password` | the password in `scheme://user:password@host`, or the token in its place, wherever in an attribute (`url.rs`) |
//! | `private-key` | a private key in PEM, as text or in base64 (`known.rs`) |
//! | `secret-value` | what a text gives to a secret's name (`assigned.rs`), and tokens, addresses and hashes of a known form (`known.rs`) |
//! | `attribute:GLOB` | attributes that the user has named |

mod assigned;
mod known;
mod names;
mod rules;
mod url;
mod walk;

pub use rules::{MAX_GLOBS, Rule, Rules, UnknownRule};

use crate::event::{Event, LAST_WORDS};
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use memchr::memchr;
use rules::Glob;

/// Attributes that no rule touches: numbers and ids of Docker's own, which tell apart what is otherwise the
/// same event. Whoever compares stored events with new ones may rely on these, whatever the rules were when
/// they were stored.
pub const KEPT_ATTRIBUTES: [&str; 4] = ["container", "execID", "exitCode", "signal"];
/// Rule of a line that is no message and may hold a secret.
const MALFORMED_SAMPLE: &str = "malformed-sample";
/// What every replacement begins with.
pub const REDACTED: &str = "[redacted]";

/// Without one of these, or the beginning of a known form, in any case, a message has nothing for the default
/// rules. A letter after `\u` may be part of any of them.
const TRIGGERS: [&str; 28] = [
    r"\u",
    "exec_create: ",
    "exec_start: ",
    "exec_detach: ",
    "exec_die: ",
    "pass",
    "phrase",
    "pwd",
    "pw",
    "secret",
    "token",
    "cred",
    "basic",
    "auth",
    "jwt",
    "bearer",
    "dsn",
    "webhook",
    "conn",
    "key",
    "-u ",
    "-user ",
    "cookie",
    "@tcp",
    "@unix",
    PEM,
    ":/",
    r":\/",
];
/// From this one on they mean nothing in a message without an `@`.
const FIRST_URL_TRIGGER: usize = 26;
const PEM: &str = "-----BEGIN ";

/// Takes secrets out of messages.
#[derive(Debug)]
pub struct Redactor {
    rules: Rules,
    attributes: Vec<(Glob, String)>,
    except: Vec<Glob>,
    /// Finds what may need a closer look; `None`: everything may.
    triggers: Option<AhoCorasick>,
}

/// A message without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// The message.
    pub event: Event,
    /// How many values were replaced in it.
    pub values: u64,
}

impl Redactor {
    /// By these rules.
    pub fn new(rules: Rules) -> Self {
        let attributes: Vec<_> = rules.attributes.iter().map(|text| (Glob::new(text), format!("attribute:{text}"))).collect();
        let except = rules.except.iter().map(|text| Glob::new(text)).collect();
        // The longest piece of a glob that looks the same in JSON; a glob without one could mean any name.
        let pieces: Option<Vec<&str>> = attributes.iter().map(|(glob, _)| glob.plain_piece()).collect();
        let triggers = pieces.and_then(|pieces| {
            let patterns = TRIGGERS.iter().copied().chain(known::triggers()).chain(pieces);
            AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(patterns).ok()
        });
        Self { rules, attributes, except, triggers }
    }

    /// Whether there is any rule.
    pub fn is_on(&self) -> bool {
        self.rules != Rules { except: self.rules.except.clone(), ..Rules::none() }
    }

    /// The message without its secrets; `None`: it has none.
    pub fn redact(&self, event: &Event) -> Option<Redacted> {
        let json = event.as_json();
        if !self.is_on() {
            return None;
        }
        let is_output = event.fields().action == LAST_WORDS && event.is_own();
        let edits = walk::edits(self, json, self.first_suspect(json)?, is_output);
        let values = edits.len() as u64;
        (values > 0).then(|| Redacted { event: event.with_values(&edits), values })
    }

    /// What stands for a piece of a line that is no message; `None`: it may be shown as it is.
    pub fn redact_sample(&self, sample: &str) -> Option<String> {
        // Samples have their backslashes doubled, and may end before the blank that makes a command or the
        // `@` that makes a password.
        let cut_or_escaped = || ["exec_", r"\\u", ":/", r":\\/"].iter().any(|piece| sample.contains(piece));
        let suspect = || self.may_hold_a_secret(sample) || cut_or_escaped();
        (self.is_on() && suspect()).then(|| replacement(MALFORMED_SAMPLE))
    }

    fn has_globs(&self) -> bool {
        !(self.attributes.is_empty() && self.except.is_empty())
    }

    /// May be wrong in one direction only.
    fn may_hold_a_secret(&self, text: &str) -> bool {
        self.first_suspect(text).is_some()
    }

    /// Where the first piece of `text` ends that may be part of a secret: what ends before has none. `None`:
    /// nothing has.
    fn first_suspect(&self, text: &str) -> Option<usize> {
        let Some(triggers) = &self.triggers else { return Some(0) };
        let mut has_at = None;
        let mut suspects = triggers.find_iter(text).filter(|found| {
            let pattern = found.pattern().as_usize();
            let of_a_url = (FIRST_URL_TRIGGER..TRIGGERS.len()).contains(&pattern);
            !of_a_url || *has_at.get_or_insert_with(|| memchr(b'@', text.as_bytes()).is_some())
        });
        suspects.next().map(|found| found.end())
    }
}

/// What stands where a rule found a secret.
fn replacement(rule: &str) -> String {
    format!("{REDACTED} ({rule})")
}

/// How `text` begins: at most so many bytes.
fn head(text: &str, max: usize) -> &str {
    (0..=max.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

/// How `text` ends: at most so many bytes.
fn tail(text: &str, max: usize) -> &str {
    (text.len().saturating_sub(max)..=text.len()).find_map(|from| text.get(from..)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
