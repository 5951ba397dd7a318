//! Points in time: one value type, and one parser for every place where a user writes a time. Only
//! [`Timestamp::now`] and [`Clock`] ask what time it is: the parser is told the present moment and the zone.

mod clock;
mod parse;

pub use chrono_tz::Tz;
pub use clock::{Clock, ClockStep, Reading, STEP, received_now};
pub use parse::{ReadTime, Remark, TimeError, TimeParser, ZoneError, zone};

use chrono::{DateTime, NaiveDate, SecondsFormat, Timelike as _, Utc};
use std::fmt;
use std::time::Duration;

/// Nanoseconds since the Unix epoch, UTC. Covers the years 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

const NANOS_PER_SECOND: i64 = 1_000_000_000;

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

    /// Reads back what [`Display`](fmt::Display) shows, and nothing else: far quicker than
    /// [`Timestamp::parse`].
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

    /// Reads a time as users write it, with dates in UTC: what [`TimeParser`] reads.
    ///
    /// # Errors
    /// [`TimeError`] when the text is no time or lies outside the representable years.
    pub fn parse(text: &str, now: Self) -> Result<Self, TimeError> {
        TimeParser::utc(now).parse(text).map(|reading| reading.time)
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

    /// `duration` later; `None` where there is no such time.
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        i64::try_from(duration.as_nanos()).ok().and_then(|nanos| self.0.checked_add(nanos)).map(Self)
    }

    /// Seconds since midnight, by the clocks of a zone.
    pub fn second_of_day(self, zone: Tz) -> u32 {
        self.to_datetime().with_timezone(&zone).time().num_seconds_from_midnight()
    }

    /// As a calendar date and time.
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.0)
    }
}

/// As it is shown.
impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From what [`Timestamp`] is shown as.
impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::from_text(text.as_bytes()).ok_or_else(|| serde::de::Error::custom("not a time with nine decimals"))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with all nine decimals, so that texts sort as the times do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_datetime().to_rfc3339_opts(SecondsFormat::Nanos, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_nanos(1_795_344_577_148_160_810);

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
    }
}
