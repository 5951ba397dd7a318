//! Texts that a message must hold to pass a filter, looked for in its bytes before it is parsed, since most
//! messages hold none of them. A message that passes may never be left out by this.

use super::friendly::EXIT_CODE_LITERAL;
use super::losses::GAP_LITERAL;
use super::{Dialect, Filter, Terms, health, stem};
use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A text that is looked for in the bytes of messages.
#[derive(Debug, Clone)]
pub enum Literal {
    /// As it is.
    Exact(Box<Finder<'static>>),
    /// In any case; letters of ASCII only.
    Caseless(AhoCorasick),
}

impl Literal {
    fn exact(text: &str) -> Self {
        Self::Exact(Box::new(Finder::new(text).into_owned()))
    }

    /// `None` where bytes cannot tell.
    fn caseless(text: &str) -> Option<Self> {
        let finder = AhoCorasick::builder().ascii_case_insensitive(true).build([text]);
        finder.ok().filter(|_| text.is_ascii()).map(Self::Caseless)
    }

    /// Where it is found first.
    pub fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Exact(finder) => finder.find(bytes),
            Self::Caseless(finder) => finder.find(bytes).map(|found| found.start()),
        }
    }

    /// Bytes of the text.
    fn bytes(&self) -> usize {
        match self {
            Self::Exact(finder) => finder.needle().len(),
            Self::Caseless(finder) => finder.min_pattern_len(),
        }
    }
}

/// For each key that is asked for, the texts of which one must be there. They follow from the filter, so they
/// take no part in comparing filters.
#[derive(Debug, Clone, Default)]
pub(super) struct Literals(Arc<[Vec<Literal>]>);

impl PartialEq for Literals {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Literals {}

impl Hash for Literals {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Literals {
    /// `losses`: what the recorder may have missed passes as well.
    pub(super) fn of(include: &Terms, dialect: Dialect, losses: bool) -> Self {
        let asked = include.iter().filter(|(_, values)| !values.is_empty());
        let lists = asked.filter_map(|(key, values)| literals(key, values, dialect));
        let gap = losses.then(|| Literal::exact(GAP_LITERAL));
        Self(lists.map(|list| list.into_iter().chain(gap.clone()).collect()).collect())
    }
}

/// `None` where only parsing can tell.
fn literals(key: &str, values: &[String], dialect: Dialect) -> Option<Vec<Literal>> {
    // A text that JSON would have to escape stands in the message in another form, and an empty one is
    // everywhere.
    let plain = |text: &&str| !text.is_empty() && text.chars().all(|c| !c.is_control() && c != '"' && c != '\\');
    let exact = |texts: Vec<&str>| texts.iter().all(plain).then(|| texts.into_iter().map(Literal::exact).collect());
    let stems = || values.iter().map(|value| stem(value, dialect)).collect::<Vec<_>>();
    match key {
        // Not in the message, or compared in another form than it stands there.
        "source" | "image" | "noise" => None,
        // All labels must be there; the key of the first is enough to look for.
        "label" => {
            let label = values.first()?;
            exact(vec![label.split_once('=').map_or_else(|| stem(label, dialect), |(key, _)| key)])
        }
        // With its quotes: a number of a few digits is in every message.
        "exit" if values.iter().all(|value| value.bytes().all(|b| b.is_ascii_digit() || b == b'-')) => {
            Some(values.iter().map(|code| Literal::exact(&format!("\"{code}\""))).collect())
        }
        "exit" => Some(vec![Literal::exact(EXIT_CODE_LITERAL)]),
        "text" => stems().into_iter().map(|text| Literal::caseless(text).filter(|_| plain(&text))).collect(),
        "event" if dialect == Dialect::Own => exact(stems().into_iter().map(health::literal).collect()),
        _ => exact(stems()),
    }
}

impl Filter {
    /// Texts of which every message that passes holds at least one, unless it holds a backslash: the longest
    /// such texts, which are the rarest by a guess. `None` where only parsing can tell.
    pub fn rarest_texts(&self) -> Option<&[Literal]> {
        // The last one is that of losses, which is in each list.
        let own = |texts: &Vec<Literal>| texts.len() - usize::from(self.losses);
        let shortest = |texts: &Vec<Literal>| texts.iter().take(own(texts)).map(Literal::bytes).min();
        self.literals.0.iter().max_by_key(|texts| shortest(texts)).map(Vec::as_slice)
    }

    /// Whether a message may pass, judged by its bytes. `true` where only parsing can tell.
    pub fn may_match_text(&self, json: &[u8]) -> bool {
        // JSON may write any character as an escape.
        self.literals.0.iter().all(|texts| texts.iter().any(|text| text.find(json).is_some())) || memchr::memchr(b'\\', json).is_some()
    }
}
