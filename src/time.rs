//! Points in time: one value type, one parser for every place where a user writes a time.

mod clock;

pub use clock::{Clock, ClockStep, Reading, STEP, received_now};

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use std::fmt;
use std::time::Duration;

/// Nanoseconds since the Unix epoch, UTC. Covers the years 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Why a text is not a time. Says what was wrong and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a time: {why}; use RFC 3339 (2026-11-22T10:49:37Z), Unix seconds (1795344577.148) or a duration back from now (10m, 2h30m, 7d)"
)]
pub struct TimeError {
    text: String,
    why: &'static str,
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Longer texts are refused before they are looked at.
const MAX_TEXT_BYTES: usize = 64;

impl Timestamp {
    /// The earliest representable time.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest representable time.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The wall clock, now.
    pub fn now() -> Self {
        Self(Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX))
    }

    /// Bytes of the text that a time is shown as.
    pub const TEXT_BYTES: usize = 30;

    /// Reads back what [`Display`](fmt::Display) shows, and nothing else: far quicker than [`Timestamp::parse`].
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let text: &[u8; Self::TEXT_BYTES] = text.try_into().ok()?;
        let number = |range: std::ops::Range<usize>| {
            text.get(range)?.iter().try_fold(0u32, |n, b| Some(n * 10 + u32::from(b.is_ascii_digit().then(|| b - b'0')?)))
        };
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (29, b'Z')];
        if marks.iter().any(|(at, mark)| text.get(*at) != Some(mark)) {
            return None;
        }
        let date = NaiveDate::from_ymd_opt(i32::try_from(number(0..4)?).ok()?, number(5..7)?, number(8..10)?)?;
        let time = date.and_hms_nano_opt(number(11..13)?, number(14..16)?, number(17..19)?, number(20..29)?)?;
        time.and_utc().timestamp_nanos_opt().map(Self)
    }

    /// Reads a time as users write it: RFC 3339, Unix seconds with up to 9 decimals, a duration back from `now`
    /// (`10m`, `2h30m`, `7d`), `now`, or `now-DURATION`.
    ///
    /// # Errors
    /// [`TimeError`] when the text is none of these or lies outside the representable years.
    pub fn parse(text: &str, now: Self) -> Result<Self, TimeError> {
        let error = |why| TimeError { text: text.chars().take(MAX_TEXT_BYTES).collect(), why };
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(error("it is empty"));
        }
        if trimmed.len() > MAX_TEXT_BYTES {
            return Err(error("it is too long"));
        }
        if trimmed == "now" {
            return Ok(now);
        }
        if trimmed.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return parse_unix(trimmed).ok_or_else(|| error("not Unix seconds with at most 9 decimals"));
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(trimmed) {
            return time.timestamp_nanos_opt().map(Self).ok_or_else(|| error("outside the years 1677 to 2262"));
        }
        let duration = trimmed.strip_prefix("now-").unwrap_or(trimmed);
        let back = humantime::parse_duration(duration).map_err(|_| error("unknown form"))?;
        now.checked_sub(back).ok_or_else(|| error("the duration reaches before 1677"))
    }

    /// This time less `duration`; `None` outside the representable years.
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let nanos = i64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Self)
    }

    /// Time passed since `earlier`; zero when `earlier` lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// As a calendar date and time.
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.0)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with all nine decimals, so that texts sort as the times do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_datetime().to_rfc3339_opts(SecondsFormat::Nanos, true))
    }
}

/// `seconds[.fraction]`; short fractions are padded on the right, as Docker does (`.5` is 500 ms).
fn parse_unix(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    let seconds: i64 = seconds.parse().ok()?;
    seconds.checked_mul(NANOS_PER_SECOND)?.checked_add(nanos).map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_nanos(1_795_344_577_148_160_810);

    #[test]
    fn reads_every_documented_form() {
        let cases = [
            ("2026-11-22T10:49:37.148160810Z", 1_795_344_577_148_160_810),
            ("2026-11-22T11:49:37+01:00", 1_795_344_577_000_000_000),
            ("1795344577", 1_795_344_577_000_000_000),
            ("1795344577.5", 1_795_344_577_500_000_000),
            ("1795344577.000000001", 1_795_344_577_000_000_001),
            ("0", 0),
            ("now", NOW.nanos()),
            ("10m", NOW.nanos() - 600_000_000_000),
            ("2h30m", NOW.nanos() - 9_000_000_000_000),
            ("now-7d", NOW.nanos() - 604_800_000_000_000),
        ];
        for (text, nanos) in cases {
            assert_eq!(Timestamp::parse(text, NOW), Ok(Timestamp(nanos)), "{text}");
        }
    }

    #[test]
    fn says_what_was_wrong() {
        for text in ["", "yesterday", "1.2.3", "1.", "1.0000000001", "99999999999999999999", "-5m", "2026-13-01T00:00:00Z", "10 parsecs"] {
            let error = Timestamp::parse(text, NOW).unwrap_err().to_string();
            assert!(error.contains("is not a time") && error.contains("RFC 3339"), "{text}: {error}");
        }
        assert!(Timestamp::parse(&"9".repeat(1000), NOW).unwrap_err().to_string().len() < 400);
    }

    proptest! {
        #[test]
        fn text_round_trips(nanos in any::<i64>()) {
            let time = Timestamp(nanos);
            prop_assert_eq!(Timestamp::parse(&time.to_string(), NOW), Ok(time));
            prop_assert_eq!(Timestamp::from_text(time.to_string().as_bytes()), Some(time));
        }

        #[test]
        fn texts_sort_as_times(a in 0i64..i64::MAX, b in 0i64..i64::MAX) {
            prop_assert_eq!(a.cmp(&b), Timestamp(a).to_string().cmp(&Timestamp(b).to_string()));
        }

        #[test]
        fn never_panics(text in ".{0,80}") {
            let _ = Timestamp::parse(&text, NOW);
        }
    }
}
