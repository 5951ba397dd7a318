//! What is to be redacted.

use std::collections::BTreeSet;
use std::str::FromStr;

/// More globs than this are not taken, since each is tried on every attribute.
pub const MAX_GLOBS: usize = 100;

/// A rule that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Command lines of `docker exec` and of health checks.
    ExecCommand,
    /// Attributes whose name looks like that of a secret.
    SecretName,
    /// Passwords in URLs.
    UrlPassword,
    /// Private keys in PEM, as text or in base64.
    PrivateKey,
    /// Secrets in the middle of a value: given to a secret's name, or of a known form.
    SecretValue,
}

impl Rule {
    /// All of them: the default.
    pub const ALL: [Self; 5] = [Self::ExecCommand, Self::SecretName, Self::UrlPassword, Self::PrivateKey, Self::SecretValue];

    /// As it is written in settings and in replacements.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExecCommand => "exec-command",
            Self::SecretName => "secret-name",
            Self::UrlPassword => "url-password",
            Self::PrivateKey => "private-key",
            Self::SecretValue => "secret-value",
        }
    }
}

/// No rule has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such rule; use exec-command, secret-name, url-password, private-key or secret-value")]
pub struct UnknownRule;

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(text: &str) -> Result<Self, UnknownRule> {
        Self::ALL.into_iter().find(|rule| rule.name() == text).ok_or(UnknownRule)
    }
}

/// The rules that apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Those that come with the program.
    pub rules: BTreeSet<Rule>,
    /// More names of attributes; `*` stands for anything.
    pub attributes: Vec<String>,
    /// Names that all rules but `private-key` leave alone.
    pub except: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { rules: Rule::ALL.into(), ..Self::none() }
    }
}

impl Rules {
    /// Nothing is redacted.
    pub fn none() -> Self {
        Self { rules: BTreeSet::new(), attributes: Vec::new(), except: Vec::new() }
    }

    pub(super) fn has(&self, rule: Rule) -> bool {
        self.rules.contains(&rule)
    }
}

/// A name in which `*` stands for anything. ASCII letters match in either case.
#[derive(Debug)]
pub(super) struct Glob {
    /// What must be there, in this order; the first at the beginning, the last at the end.
    pieces: Vec<String>,
}

impl Glob {
    pub(super) fn new(text: &str) -> Self {
        Self { pieces: text.split('*').map(str::to_ascii_lowercase).collect() }
    }

    /// `name` is in lower case.
    pub(super) fn matches(&self, name: &str) -> bool {
        let (Some((first, rest)), Some(mut left)) = (self.pieces.split_first(), Some(name)) else { return false };
        let Some((last, middle)) = rest.split_last() else { return name == first };
        let Some(behind) = left.strip_prefix(first.as_str()) else { return false };
        let Some(between) = behind.strip_suffix(last.as_str()) else { return false };
        left = between;
        for piece in middle {
            let Some(at) = left.find(piece.as_str()) else { return false };
            left = left.get(at + piece.len()..).unwrap_or_default();
        }
        true
    }

    /// The longest run of characters that are in every JSON text of a matching name as they are, but for `\u`
    /// escapes.
    pub(super) fn plain_piece(&self) -> Option<&str> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ' | ':');
        self.pieces.iter().flat_map(|piece| piece.split(|c| !plain(c))).max_by_key(|run| run.len()).filter(|run| !run.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        let matches = |glob: &str, name: &str| Glob::new(glob).matches(&name.to_ascii_lowercase());
        for (glob, name) in
            [("*", ""), ("*", "x"), ("a*", "a"), ("A*c", "aBC"), ("*b*", "abc"), ("a*b*c", "a1b2b3c"), ("x", "X"), ("*.key", "tls.key")]
        {
            assert!(matches(glob, name), "{glob} {name}");
        }
        for (glob, name) in [("a", "ab"), ("a*a", "a"), ("*b", "abc"), ("a*b*c", "acb"), ("ab*bc", "abc"), ("x*", "ax")] {
            assert!(!matches(glob, name), "{glob} {name}");
        }
        assert_eq!(Glob::new("com.Example.*/x").plain_piece(), Some("com.example."));
        assert_eq!((Glob::new("*").plain_piece(), Glob::new("*é\"*").plain_piece()), (None, None));
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for rule in Rule::ALL {
            assert_eq!(rule.name().parse(), Ok(rule));
            assert!(UnknownRule.to_string().contains(rule.name()));
        }
        assert_eq!("exec".parse::<Rule>(), Err(UnknownRule));
    }
}
