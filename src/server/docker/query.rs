//! What a client of `/events` asks for, read as Docker reads it: unknown parameters are passed over, and of
//! one that is given twice the first counts.

use crate::event::RECORDER_TYPE;
use crate::filter::Filter;
use crate::server::problem::ApiError;
use crate::time::Timestamp;

/// A request for events.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EventsQuery {
    /// Absent: nothing of the past, unless `until` is given.
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) filter: Filter,
    /// Whether the recorder's own records are wanted. Docker has no such type, and some clients end at one
    /// that they do not know.
    pub(super) recorder: bool,
}

impl EventsQuery {
    pub(super) fn parse(query: &str) -> Result<Self, ApiError> {
        let get = |name: &str| form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value);
        let time = |name: &str| get(name).map_or(Ok(None), |text| time(name, &text));
        let (since, until) = (time("since")?, time("until")?);
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            return Err(ApiError::bad_request(format!("since ({since}) cannot be after until ({until})")));
        }
        let filter = Filter::from_docker(&get("filters").unwrap_or_default()).map_err(ApiError::bad_request)?;
        // Not by a filter: a daemon's own message of that type is Docker's, and is shown.
        let recorder = filter.asks_for("type", RECORDER_TYPE);
        Ok(Self { since, until, filter, recorder })
    }

    /// The times of the past that are wanted; `None` where only the present is.
    pub(super) fn past(&self) -> Option<std::ops::RangeInclusive<Timestamp>> {
        if self.since.is_none() && self.until.is_none() {
            return None;
        }
        // Docker takes an end at or before 1970 for none, as far as its history goes.
        let until = self.until.filter(|until| until.nanos() > 0);
        Some(self.since.unwrap_or(Timestamp::MIN)..=until.unwrap_or(Timestamp::MAX))
    }
}

/// Unix seconds with decimals, of which those after the ninth are cut off. As in Docker, -1 stands for no
/// time at all.
fn time(name: &str, text: &str) -> Result<Option<Timestamp>, ApiError> {
    if text.is_empty() || text == "-1" {
        return Ok(None);
    }
    parse(text).map(Some).ok_or_else(|| {
        let text: String = text.chars().take(64).collect();
        let what = "is not a time in Unix seconds, such as 1795344577 or 1795344577.148160810";
        ApiError::bad_request(format!("{name}: {text:?} {what} (the docker command makes such a time of 10m or 2026-11-22T10:49:37Z)"))
    })
}

/// Times out of range count as the first or last that can be told.
fn parse(text: &str) -> Option<Timestamp> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (seconds, fraction) = text.split_once('.').map_or((text, None), |(seconds, fraction)| (seconds, Some(fraction)));
    if !digits(seconds.strip_prefix(['-', '+']).unwrap_or(seconds)) || !fraction.is_none_or(digits) {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    let nanos: i64 = format!("{:0<9}", fraction.unwrap_or("")).get(..9)?.parse().ok()?;
    Some(Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> Option<i64> {
        parse(text).map(Timestamp::nanos)
    }

    #[test]
    fn times_are_docker_s() {
        for (text, expected) in [
            ("0", 0),
            ("1795344577", 1_795_344_577_000_000_000),
            ("1795344577.148160810", 1_795_344_577_148_160_810),
            ("1795344577.5", 1_795_344_577_500_000_000),
            ("1795344577.000000001", 1_795_344_577_000_000_001),
            ("1795344577.0000000019", 1_795_344_577_000_000_001),
            ("-5", -5_000_000_000),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(nanos(text), Some(expected), "{text}");
        }
        for text in ["", "1h", "now", "2026-11-22T10:49:37Z", "1.2.3", "1.", ".5", "1.-5", "1e9", " 1", "9223372036854775808", "1.5x"] {
            assert_eq!(nanos(text), None, "{text}");
        }
    }

    #[test]
    fn queries_are_docker_s() {
        let past = |query: &str| EventsQuery::parse(query).unwrap().past().map(|past| (past.start().nanos(), past.end().nanos()));
        let second = 1_000_000_000;
        for (query, expected) in [
            ("", None),
            ("since=&until=", None),
            ("since=-1", None),
            ("since=0", Some((0, i64::MAX))),
            ("since=1&until=2", Some((second, 2 * second))),
            ("until=2", Some((i64::MIN, 2 * second))),
            ("until=0", Some((i64::MIN, i64::MAX))),
            ("since=1&since=2&unknown=x", Some((second, i64::MAX))),
        ] {
            assert_eq!(past(query), expected, "{query}");
        }
        for bad in ["since=2&until=1", "since=1h", "until=x", "filters={", "filters=[]", "filters={\"type\":1}"] {
            assert!(EventsQuery::parse(bad).is_err(), "{bad}");
        }
        assert!(EventsQuery::parse("filters=%7B%22type%22%3A%5B%22recorder%22%5D%7D").unwrap().recorder);
        assert!(!EventsQuery::parse("filters=%7B%22event%22%3A%5B%22recorder%22%5D%7D").unwrap().recorder);
    }
}
