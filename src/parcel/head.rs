//! The head of a parcel: one line of text.
//!
//! ```text
//! 1 <first> <count> <16 bytes of the chain after>[ <32 bytes of the chain before>][ gap=<from>-<to>:<why>]
//! ```
//! Numbers are decimal, chain values standard base64 without padding. The chain before stands where the
//! receiver cannot have it: in the first parcel of a log, and after records that are missing.

use crate::chain::ChainValue;
use crate::cursor::{MAX_SEQUENCE, Sequence};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::fmt;
use std::str::FromStr;

/// What a head of this form begins with.
const VERSION: &str = "1";
/// Lines of a parcel, at most: as many as a full frame of a segment has.
pub const MAX_LINES: u32 = 768;
/// Bytes of the chain's value that a head tells.
pub const MARK_BYTES: usize = 16;
/// Stretches that a head tells as missing, at most: one for each reason, of which `since` and `ancestor`
/// stand in each other's place.
pub const MAX_GAPS: usize = 5;
/// Bytes of a head, at most; the longest one that is written has 334.
pub const MAX_HEAD_BYTES: usize = 384;
const GAP: &str = "gap=";

/// The first bytes of a value of the chain: enough to tell one from every other.
pub type Mark = [u8; MARK_BYTES];

/// The first bytes of a value of the chain.
pub fn mark(chain: &ChainValue) -> Mark {
    let mut mark = [0; MARK_BYTES];
    mark.iter_mut().zip(chain).for_each(|(to, byte)| *to = *byte);
    mark
}

/// Why a host does not forward records that its log once counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Removed by its retention before they were forwarded.
    Retention,
    /// Lost to damage of its disk or files.
    Damage,
    /// Not in the export from which its log was made.
    Export,
    /// It forwards from a later record on (`--forward-since now`).
    Since,
    /// Larger than what the hub takes.
    Large,
    /// They are on the hub already, as records of the log whose copy this one is: nothing is missing.
    Ancestor,
}

impl Reason {
    const ALL: [Self; MAX_GAPS + 1] = [Self::Retention, Self::Damage, Self::Export, Self::Since, Self::Large, Self::Ancestor];

    /// As a head tells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::Damage => "damage",
            Self::Export => "export",
            Self::Since => "since",
            Self::Large => "large",
            Self::Ancestor => "ancestor",
        }
    }
}

/// Records that the host will never forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The first of them.
    pub from: Sequence,
    /// The last of them.
    pub to: Sequence,
    /// Why.
    pub reason: Reason,
}

/// What a parcel holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Sequence of its first record in the host's log.
    pub first: Sequence,
    /// How many records there are, from 1 to [`MAX_LINES`].
    pub count: u32,
    /// The first bytes of the chain's value after the last of them.
    pub after: Mark,
    /// The chain's value before the first of them, where the receiver cannot have it.
    pub before: Option<ChainValue>,
    /// What is missing right before `first`: stretches side by side, the last of which ends there.
    pub gaps: Vec<Missing>,
}

/// Why a text is no head of a parcel. The text is left out: it comes from outside and may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// More than [`MAX_HEAD_BYTES`].
    #[error("the head of a message has {0} bytes, more than {MAX_HEAD_BYTES}")]
    TooLong(usize),
    /// Of a later form, or something else.
    #[error("the head of a message does not begin with the form {VERSION} that this shipslog knows; a newer one may have sent it")]
    Version,
    /// A part is not there, is none, or is written in another way than shipslog does.
    #[error("the head of a message has no proper {0}")]
    Part(&'static str),
    /// More records than a message has, or none.
    #[error("the head of a message tells {0} records; there are 1 to {MAX_LINES}")]
    Count(u32),
    /// Sequences over [`MAX_SEQUENCE`], or 0.
    #[error("the head of a message tells records that no log has: {first} and {count} from there")]
    Sequences {
        /// The first one.
        first: Sequence,
        /// How many.
        count: u32,
    },
    /// Gaps that do not lie side by side right before the first record, or a gap without the chain before.
    #[error("the head of a message tells gaps that make no sense")]
    Gaps,
}

impl Head {
    /// Sequence of its last record.
    pub fn last(&self) -> Sequence {
        self.first.saturating_add(u64::from(self.count)).saturating_sub(1)
    }

    /// Whether it says something that can be.
    ///
    /// # Errors
    /// What cannot be.
    pub fn check(&self) -> Result<(), HeadError> {
        if !(1..=MAX_LINES).contains(&self.count) {
            return Err(HeadError::Count(self.count));
        }
        if self.first == 0 || self.last() > MAX_SEQUENCE {
            return Err(HeadError::Sequences { first: self.first, count: self.count });
        }
        let begins = self.gaps.first().map(|gap| gap.from);
        let sound = self.gaps.iter().all(|gap| 0 < gap.from && gap.from <= gap.to)
            && self.gaps.iter().zip(self.gaps.iter().skip(1)).all(|(gap, next)| Some(next.from) == gap.to.checked_add(1))
            && self.gaps.last().is_none_or(|gap| gap.to.checked_add(1) == Some(self.first));
        if sound && self.gaps.len() <= MAX_GAPS && (begins.is_none() || self.before.is_some()) { Ok(()) } else { Err(HeadError::Gaps) }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION} {} {} {}", self.first, self.count, STANDARD_NO_PAD.encode(self.after))?;
        if let Some(before) = &self.before {
            write!(f, " {}", STANDARD_NO_PAD.encode(before))?;
        }
        self.gaps.iter().try_for_each(|gap| write!(f, " {GAP}{}-{}:{}", gap.from, gap.to, gap.reason.name()))
    }
}

/// A number as shipslog writes it: one number has one spelling.
fn number<N: FromStr + ToString>(text: Option<&str>, what: &'static str) -> Result<N, HeadError> {
    let number = text.and_then(|text| text.parse::<N>().ok().filter(|number| number.to_string() == text));
    number.ok_or(HeadError::Part(what))
}

fn bytes<const N: usize>(text: Option<&str>, what: &'static str) -> Result<[u8; N], HeadError> {
    let bytes = text.and_then(|text| STANDARD_NO_PAD.decode(text).ok()?.try_into().ok());
    bytes.ok_or(HeadError::Part(what))
}

fn gap(text: &str) -> Result<Missing, HeadError> {
    let parts = text.strip_prefix(GAP).and_then(|text| text.split_once('-')).and_then(|(from, rest)| Some((from, rest.split_once(':')?)));
    let (from, (to, reason)) = parts.ok_or(HeadError::Part("gap"))?;
    let reason = Reason::ALL.into_iter().find(|known| known.name() == reason).ok_or(HeadError::Part("reason of a gap"))?;
    Ok(Missing { from: number(Some(from), "begin of a gap")?, to: number(Some(to), "end of a gap")?, reason })
}

impl FromStr for Head {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        if text.len() > MAX_HEAD_BYTES {
            return Err(HeadError::TooLong(text.len()));
        }
        let mut parts = text.split(' ').peekable();
        if parts.next() != Some(VERSION) {
            return Err(HeadError::Version);
        }
        let first = number(parts.next(), "first sequence")?;
        let count = number(parts.next(), "number of records")?;
        let after = bytes(parts.next(), "chain value after its records")?;
        let before = parts.next_if(|part| !part.starts_with(GAP));
        let before = before.map(|before| bytes(Some(before), "chain value before its records")).transpose()?;
        let gaps = parts.map(gap).collect::<Result<Vec<_>, _>>()?;
        let head = Self { first, count, after, before, gaps };
        head.check()?;
        Ok(head)
    }
}
