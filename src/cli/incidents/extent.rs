//! Where a recording begins and ends, and what is asked for beyond that.

use crate::time::{Timestamp, Tz};

/// The time that a recording tells of.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Extent {
    /// When its oldest record was received, where that is known.
    pub(in crate::cli) begin: Option<Timestamp>,
    /// The time up to which it tells everything.
    pub(in crate::cli) end: Timestamp,
}

impl Extent {
    /// What is to be said of a range of which nothing is known.
    pub(in crate::cli) fn outside(&self, since: Option<Timestamp>, until: Option<Timestamp>, zone: Tz) -> Option<String> {
        if since.is_some_and(|since| since > self.end) {
            return Some(format!("the range lies after the recording's end ({}): nothing is known of it", date(self.end, zone)));
        }
        let begin = self.begin.filter(|begin| until.is_some_and(|until| until < *begin))?;
        Some(format!("the range lies before the recording's beginning ({}): nothing is known of it", date(begin, zone)))
    }

    /// What is to be said of a time that is not known.
    pub(in crate::cli) fn beyond(&self, at: Option<Timestamp>, zone: Tz) -> Option<String> {
        at.filter(|at| *at > self.end).map(|_| format!("the recording ends at {}; this is how it was then", date(self.end, zone)))
    }
}

/// A time with its day and its offset.
pub(in crate::cli) fn date(time: Timestamp, zone: Tz) -> String {
    time.to_datetime().with_timezone(&zone).format("%Y-%m-%d %H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_a_recording_is_said() {
        let at = |seconds: i64| Timestamp::from_nanos(seconds * 1_000_000_000);
        let extent = Extent { begin: Some(at(100)), end: at(200) };
        let outside = |since: Option<i64>, until: Option<i64>| extent.outside(since.map(at), until.map(at), Tz::UTC);
        assert_eq!(
            outside(Some(201), None).as_deref(),
            Some("the range lies after the recording's end (1970-01-01 00:03:20+00:00): nothing is known of it")
        );
        assert!(outside(None, Some(99)).is_some_and(|said| said.contains("before the recording's beginning (1970-01-01 00:01:40+00:00)")));
        for (since, until) in [(None, None), (Some(50), Some(100)), (Some(200), Some(300)), (Some(50), Some(300))] {
            assert_eq!(outside(since, until), None, "{since:?} {until:?}");
        }
        assert_eq!((extent.beyond(None, Tz::UTC), extent.beyond(Some(at(200)), Tz::UTC)), (None, None));
        let said = extent.beyond(Some(at(201)), Tz::UTC);
        assert_eq!(said.as_deref(), Some("the recording ends at 1970-01-01 00:03:20+00:00; this is how it was then"));
    }
}
