//! The one grammar for times that users write: on the command line, in requests, on the page.

use super::{NANOS_PER_SECOND, Timestamp};
use chrono::{DateTime, Duration as Span, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _};
use chrono_tz::Tz;
use std::fmt;

/// Why a text is not a time. Says what was wrong and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a time: {why}; use 10m (ago), 02:00, yesterday 23:10, 2026-11-29 02:00:05, RFC 3339 or Unix seconds")]
pub struct TimeError {
    text: String,
    why: &'static str,
}

/// A text is not the name of a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a time zone; use a name from the IANA database, such as Europe/Berlin or UTC")]
pub struct ZoneError(String);

/// Longest text of a time, in bytes. Longer texts are refused before they are looked at.
const MAX_TEXT_BYTES: usize = 64;
/// Longest name of a time zone that is repeated in an error, in characters.
const MAX_ZONE_CHARS: usize = 64;
/// Longest stretch that a clock change leaves out, in minutes. A whole day has been skipped where a country
/// changed sides of the date line.
const MAX_SKIPPED_MINUTES: i64 = 24 * 60;

/// Something that a user should know about how a text was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// The clock showed this time twice, and the earlier one was taken.
    Twice,
    /// The clock was set forward over this time, and the moment of that change was taken.
    Skipped,
    /// A time without a date, which is still to come today.
    StillToCome,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Twice => "the clock showed this time twice, and the earlier one was taken; add the offset to choose, as in 02:30+01:00",
            Self::Skipped => "the clock was set forward over this time, and the moment of that change was taken",
            Self::StillToCome => "this time is still to come today; write \"yesterday\" in front of it for the day before",
        })
    }
}

/// A time as it was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadTime {
    /// The time.
    pub time: Timestamp,
    /// What there is to say about it.
    pub remark: Option<Remark>,
}

/// Reads times as users write them.
#[derive(Debug, Clone, Copy)]
pub struct TimeParser {
    /// What durations, `now`, `today` and `yesterday` count from.
    pub now: Timestamp,
    /// The zone of dates and of times without an offset.
    pub zone: Tz,
}

/// The zone with this IANA name.
///
/// # Errors
/// [`ZoneError`] when there is none.
pub fn zone(name: &str) -> Result<Tz, ZoneError> {
    name.trim().parse().map_err(|_| ZoneError(name.chars().take(MAX_ZONE_CHARS).collect()))
}

impl TimeParser {
    /// A parser for texts whose dates are in UTC.
    pub const fn utc(now: Timestamp) -> Self {
        Self { now, zone: Tz::UTC }
    }

    /// Reads RFC 3339 (also with a blank where a form has decoded the `+`), Unix seconds with up to 9
    /// decimals, a duration back from now (`10m`, `-10m`, `now-10m`), `now`, and in the parser's zone
    /// `today`, `yesterday`, `02:00`, `2026-11-29` and `2026-11-29 02:00[:05[.123]]`. A day stands for its
    /// first moment. A time of day may end with its offset.
    ///
    /// # Errors
    /// [`TimeError`] when the text is none of these or lies outside the representable years.
    pub fn parse(&self, text: &str) -> Result<ReadTime, TimeError> {
        self.read(text).map_err(|why| TimeError { text: text.chars().take(MAX_TEXT_BYTES).collect(), why })
    }

    fn read(&self, text: &str) -> Result<ReadTime, &'static str> {
        let text = text.trim();
        if text.is_empty() {
            return Err("it is empty");
        }
        if text.len() > MAX_TEXT_BYTES {
            return Err("it is too long");
        }
        let plain = |time| ReadTime { time, remark: None };
        if text.eq_ignore_ascii_case("now") {
            return Ok(plain(self.now));
        }
        if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return parse_unix(text).map(plain).ok_or("not Unix seconds with at most 9 decimals");
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return instant(&time).map(plain);
        }
        if let Some(reading) = self.calendar(text) {
            return reading;
        }
        let duration = text.strip_prefix("now").map_or(text, str::trim_start);
        let duration = duration.strip_prefix(['-', '−']).map_or(duration, str::trim_start);
        let back = humantime::parse_duration(duration).map_err(|_| why_not(text))?;
        self.now.checked_sub(back).map(plain).ok_or("the duration reaches before 1677")
    }

    /// A day, a time of day, or both; `None` for a text of another form.
    fn calendar(&self, text: &str) -> Option<Result<ReadTime, &'static str>> {
        let (day, rest) = self.day(text)?;
        if let (Some(day), "") = (day, rest) {
            return Some(self.moment(day.and_time(NaiveTime::MIN), false));
        }
        let (time, rest) = time_of_day(rest)?;
        let date = day.unwrap_or_else(|| self.today());
        let at = date.and_time(time);
        if rest.is_empty() {
            return Some(self.moment(at, day.is_none()));
        }
        let offset = offset(rest)?;
        let Some(time) = at.and_local_timezone(offset).single() else { return Some(Err("outside the years 1677 to 2262")) };
        Some(instant(&time).map(|time| ReadTime { time, remark: None }))
    }

    /// The day that a text begins with, if it does, and what follows it. `None` for a text that begins with
    /// neither day nor time.
    fn day<'t>(&self, text: &'t str) -> Option<(Option<NaiveDate>, &'t str)> {
        for (word, back) in [("today", 0), ("yesterday", 1)] {
            if let Some(rest) = strip_word(text, word) {
                return Some((Some(self.today().checked_sub_days(chrono::Days::new(back))?), rest));
            }
        }
        if let Some(date) = text.get(..10).and_then(date) {
            let rest = text.get(10..)?;
            let rest = if rest.is_empty() { rest } else { rest.strip_prefix(['T', 't', ' ', '_'])?.trim_start() };
            return Some((Some(date), rest));
        }
        text.get(..2).is_some_and(|hour| hour.bytes().all(|b| b.is_ascii_digit())).then_some((None, text))
    }

    fn today(&self) -> NaiveDate {
        self.now.to_datetime().with_timezone(&self.zone).date_naive()
    }

    /// What the zone's clock showed as `at`.
    fn moment(&self, at: NaiveDateTime, today: bool) -> Result<ReadTime, &'static str> {
        let outside = "outside the years 1677 to 2262";
        let (time, remark) = match self.zone.from_local_datetime(&at) {
            LocalResult::Single(time) => (instant(&time)?, None),
            LocalResult::Ambiguous(earlier, _) => (instant(&earlier)?, Some(Remark::Twice)),
            LocalResult::None => (instant(&self.after_skipped(at).ok_or(outside)?)?, Some(Remark::Skipped)),
        };
        Ok(ReadTime { time, remark: remark.or_else(|| (today && time > self.now).then_some(Remark::StillToCome)) })
    }

    /// The moment at which the clock was set forward over `at`. Clocks are changed on whole minutes, in all
    /// zones in use.
    fn after_skipped(&self, at: NaiveDateTime) -> Option<DateTime<Tz>> {
        let at = at.date().and_time(NaiveTime::from_hms_opt(chrono::Timelike::hour(&at), chrono::Timelike::minute(&at), 0)?);
        (1..=MAX_SKIPPED_MINUTES)
            .find_map(|minutes| self.zone.from_local_datetime(&at.checked_add_signed(Span::minutes(minutes))?).earliest())
    }
}

/// What is wrong with a text that has none of the forms, as far as it can be told.
fn why_not(text: &str) -> &'static str {
    why_no_clock(text).or_else(|| why_no_day(text)).unwrap_or("unknown form")
}

/// What is wrong with the time of day in it.
fn why_no_clock(text: &str) -> Option<&'static str> {
    let is_number = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let clock = text.split([' ', 'T', 't', '_']).rfind(|word| word.contains(':')).unwrap_or_default();
    let clock = clock.trim_end_matches(['Z', 'z']).split(['+', '-', '.']).next().unwrap_or_default();
    let parts: Vec<&str> = clock.split(':').collect();
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(|part| is_number(part)) {
        return None;
    }
    let beyond = |part: &&str, most: u32| part.parse::<u32>().is_ok_and(|value| value > most);
    match parts.as_slice() {
        [hour, ..] if beyond(hour, 23) => Some("an hour goes from 00 to 23"),
        [_, rest @ ..] if rest.iter().any(|part| beyond(part, 59)) => Some("minutes and seconds go from 00 to 59"),
        parts if parts.iter().any(|part| part.len() < 2) => Some("a time of day has two digits each, as in 09:04"),
        _ => None,
    }
}

/// What is wrong with the day with which it begins.
fn why_no_day(text: &str) -> Option<&'static str> {
    let first = text.get(..10).unwrap_or_default();
    let [year, month, day] = *first.split('-').collect::<Vec<&str>>().as_slice() else { return None };
    let looks_like_one = number(year, 4).is_some() && number(month, 2).is_some() && number(day, 2).is_some();
    (looks_like_one && date(first).is_none()).then_some("there is no such day")
}

/// The time in nanoseconds.
fn instant<Z: chrono::TimeZone>(time: &DateTime<Z>) -> Result<Timestamp, &'static str> {
    time.timestamp_nanos_opt().map(Timestamp::from_nanos).ok_or("outside the years 1677 to 2262")
}

/// What follows the word in `text`.
fn strip_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let rest = text.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word)).and(text.get(word.len()..))?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ').map(str::trim_start) }
}

/// `2026-11-29`.
fn date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('-');
    let date =
        NaiveDate::from_ymd_opt(i32::try_from(number(parts.next()?, 4)?).ok()?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    date.filter(|_| parts.next().is_none())
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<u32> {
    if text.len() == digits && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// `02:00`, `02:00:05` or `02:00:05.123` at the beginning of `text`, and what follows it.
fn time_of_day(text: &str) -> Option<(NaiveTime, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(text.len());
    let (time, rest) = text.split_at_checked(end)?;
    let (clock, fraction) = time.split_once('.').map_or((time, None), |(clock, fraction)| (clock, Some(fraction)));
    let mut parts = clock.split(':').map(|part| number(part, 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next());
    if parts.next().is_some() || (second.is_none() && fraction.is_some()) {
        return None;
    }
    let nanos = match fraction {
        Some(digits) => nanoseconds(digits)?,
        None => 0,
    };
    Some((NaiveTime::from_hms_nano_opt(hour, minute, second.unwrap_or(Some(0))?, nanos)?, rest))
}

/// `Z`, `+01:00`, `-0330` or ` 01:00`: a form decodes a plus as a blank.
fn offset(text: &str) -> Option<FixedOffset> {
    let sign = |text: &str| text.starts_with(['+', '-', ' ']);
    let text = text.strip_prefix(' ').filter(|rest| sign(rest) || rest.eq_ignore_ascii_case("z")).unwrap_or(text);
    if text.eq_ignore_ascii_case("z") {
        return FixedOffset::east_opt(0);
    }
    let (sign, clock) = text.split_at_checked(1)?;
    let (hours, minutes) = clock.split_once(':').or_else(|| clock.split_at_checked(2))?;
    let (hours, minutes) = (number(hours, 2)?, if minutes.is_empty() { 0 } else { number(minutes, 2)? });
    let seconds = i32::try_from((hours * 60 + minutes) * 60).ok().filter(|_| minutes < 60)?;
    match sign {
        "+" | " " => FixedOffset::east_opt(seconds),
        "-" => FixedOffset::west_opt(seconds),
        _ => None,
    }
}

/// The digits after the point of a second; short fractions are padded on the right.
fn nanoseconds(digits: &str) -> Option<u32> {
    let right = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if right { format!("{digits:0<9}").parse().ok() } else { None }
}

/// `seconds[.fraction]`; short fractions are padded on the right, as Docker does (`.5` is 500 ms).
fn parse_unix(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let seconds: i64 = seconds.parse().ok()?;
    seconds.checked_mul(NANOS_PER_SECOND)?.checked_add(nanoseconds(fraction)?.into()).map(Timestamp::from_nanos)
}

#[cfg(test)]
mod tests;
