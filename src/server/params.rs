//! Query parameters: strict, so that a typo is told instead of ignored.

use super::problem::ApiError;
use crate::filter::Filter;
use crate::time::{self, TimeParser, Timestamp};

/// Parameters that hold a time. A route that takes one of them takes the zone of its dates as well.
const TIMES: [&str; 3] = ["since", "until", "at"];
/// The zone in which dates and times without an offset are read.
const ZONE: &str = "tz";

/// The parameter that leaves out health checks.
pub(super) const FOLD: &str = "fold";
/// Its only value.
pub(super) const NOISE: &str = "noise";

/// The same filter without health checks.
pub(super) fn folded(filter: Filter) -> Filter {
    filter.without(NOISE, "*")
}

/// The query parameters of one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Parses a query string. Each parameter must be one of `known` and stand once; names that begin with `_`
    /// are let through for cache busters.
    pub(super) fn parse(query: &str, known: &[&str]) -> Result<Self, ApiError> {
        let mut params: Vec<(String, String)> = Vec::new();
        let zone = Some(ZONE).filter(|_| known.iter().any(|name| TIMES.contains(name)));
        let known: Vec<&str> = known.iter().copied().chain(zone).collect();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name.starts_with('_') {
                continue;
            }
            if !known.contains(&name.as_ref()) {
                let name: String = name.chars().take(64).collect();
                return Err(ApiError::bad_request(format!("unknown parameter {name:?}; this route takes {}", known.join(", "))));
            }
            if params.iter().any(|(n, _)| *n == name) {
                return Err(ApiError::bad_request(format!("the parameter {name} is given twice")));
            }
            params.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(params))
    }

    /// The value of `name`; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// A time.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let reading = self.clock()?.parse(text).map_err(|e| ApiError::bad_request(format!("{name}: {e}")))?;
        Ok(Some(reading.time))
    }

    /// What there is to say about how times were read, in words for a header.
    pub(super) fn remark(&self) -> Option<String> {
        let clock = self.clock().ok()?;
        let remark = |name: &&str| Some(format!("{name}: {}", clock.parse(self.get(name)?).ok()?.remark?));
        let remarks: Vec<_> = TIMES.iter().filter_map(remark).collect();
        (!remarks.is_empty()).then(|| remarks.join("; "))
    }

    /// Reads times in the zone that is asked for, UTC without one.
    fn clock(&self) -> Result<TimeParser, ApiError> {
        let zone = self.get(ZONE).map_or(Ok(time::Tz::UTC), time::zone).map_err(|e| ApiError::bad_request(format!("{ZONE}: {e}")))?;
        Ok(TimeParser { now: Timestamp::now(), zone })
    }

    /// `since` and `until` as an inclusive range, open where absent.
    pub(super) fn time_range(&self) -> Result<std::ops::RangeInclusive<Timestamp>, ApiError> {
        // A zone that does not exist is told also where no time depends on it.
        self.clock()?;
        let since = match self.get("since") {
            Some("oldest") | None => Timestamp::MIN,
            Some(_) => self.time("since")?.unwrap_or(Timestamp::MIN),
        };
        let until = self.time("until")?.unwrap_or(Timestamp::MAX);
        if since > until {
            return Err(ApiError::bad_request(format!("since ({since}) lies after until ({until})")));
        }
        Ok(since..=until)
    }

    /// `filters` and `exclude`.
    pub(super) fn filter(&self) -> Result<Filter, ApiError> {
        Filter::from_params(self.get("filters"), self.get("exclude")).map_err(ApiError::bad_request)
    }

    /// Whether health checks are to be left out and counted.
    pub(super) fn folds(&self) -> Result<bool, ApiError> {
        match self.get(FOLD) {
            None => Ok(false),
            Some(NOISE) => Ok(true),
            Some(other) => {
                let other: String = other.chars().take(64).collect();
                Err(ApiError::bad_request(format!("{FOLD} must be {NOISE}, not {other:?}")))
            }
        }
    }

    /// As [`Params::filter`], without health checks where they are to be folded.
    pub(super) fn folded_filter(&self) -> Result<Filter, ApiError> {
        let filter = self.filter()?;
        Ok(if self.folds()? { folded(filter) } else { filter })
    }

    /// The query string of the page that `token` names.
    pub(super) fn for_page(&self, token: &str) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        for (n, v) in self.0.iter().filter(|(n, _)| n != "cursor" && n != "after" && n != "before") {
            out.append_pair(n, v);
        }
        out.append_pair("cursor", token).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_zone_that_is_asked_for() {
        let range = |query: &str| {
            let params = Params::parse(query, &["since", "until"]).unwrap();
            params.time_range().map(|range| (range.start().to_string(), range.end().to_string())).map_err(|_| ())
        };
        let times = |since: &str, until: &str| Ok((since.to_owned(), until.to_owned()));
        assert_eq!(
            range("since=2026-07-01&until=2026-07-01+02:00&tz=Europe/Berlin"),
            times("2026-06-30T22:00:00.000000000Z", "2026-07-01T00:00:00.000000000Z")
        );
        assert_eq!(
            range("since=2026-07-01&until=2026-07-01T02:00:00+01:00"),
            times("2026-07-01T00:00:00.000000000Z", "2026-07-01T01:00:00.000000000Z"),
            "a plus that a form has decoded"
        );
        assert!(range("since=2026-07-01&tz=Mars").is_err() && range("tz=Mars").is_err());
        assert!(Params::parse("tz=UTC", &["format"]).is_err(), "a route without times takes no zone");
    }
}
