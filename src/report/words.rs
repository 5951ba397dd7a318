//! The sentences of a report. Each claims what the fold says and no more.

use super::model::{Manifest, Missing, Report};
use super::safe::plain;
use crate::projection::incidents::{Confidence, Difference, Kind, Resolution, Severity, Shown, Standing};
use crate::time::Timestamp;
use std::time::Duration;

/// Characters of a digest that are shown.
const DIGEST: usize = 12;
/// Gaps that a report names in words, the newest.
const MAX_GAPS: usize = 20;
/// Subjects that a sentence names.
const MAX_SUBJECTS: usize = 12;

/// A length of time for people: two units at most.
pub fn duration(of: Duration) -> String {
    let (seconds, millis) = (of.as_secs(), of.subsec_millis());
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds}.{} s", millis / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// `2026-11-29 01:46:31.778`, in UTC.
pub(super) fn date_and_time(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {}", text.get(..10).unwrap_or_default(), text.get(11..23).unwrap_or_default())
}

/// `01:46:31.778`, in UTC.
pub(super) fn clock(time: Timestamp) -> String {
    time.to_string().get(11..23).unwrap_or_default().to_owned()
}

/// A range; the day is named once where it is one.
pub(super) fn range(from: Timestamp, to: Timestamp) -> String {
    let (from, to) = (date_and_time(from), date_and_time(to));
    if from.get(..10) == to.get(..10) {
        return format!("{from} to {}", to.get(11..).unwrap_or_default());
    }
    format!("{from} to {to}")
}

pub(super) fn difference(one: &Difference) -> String {
    let what = plain(&one.what);
    match (&one.from, &one.to) {
        (Some(from), Some(to)) => format!("{what} {} -> {}", shortened(from), shortened(to)),
        (None, Some(to)) => format!("{what}={} added", shortened(to)),
        (Some(from), None) => format!("{what}={} removed", shortened(from)),
        (None, None) => what,
    }
}

/// Without the most of a digest, which nobody reads.
fn shortened(text: &str) -> String {
    let digest = text.strip_prefix("sha256:").unwrap_or(text);
    let is_digest = digest.len() >= 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    if is_digest { digest.chars().take(DIGEST).collect() } else { plain(text) }
}

pub(super) fn severity(of: Severity) -> &'static str {
    match of {
        Severity::Notice => "notice",
        Severity::Minor => "minor",
        Severity::Major => "major",
        Severity::Critical => "critical",
    }
}

pub(super) fn kind(of: Kind) -> &'static str {
    match of {
        Kind::Paused => "paused",
        Kind::StopTimeout => "stop-timeout",
        Kind::JobFailed => "job-failed",
        Kind::Unhealthy => "unhealthy",
        Kind::RestartLoop => "restart-loop",
        Kind::Crash => "crash",
        Kind::Oom => "oom",
        Kind::StartFailed => "start-failed",
        Kind::CrashLoop => "crash-loop",
        Kind::Cascade => "cascade",
        Kind::Mass => "mass",
        Kind::Host => "host",
    }
}

fn resolution(of: Resolution) -> &'static str {
    match of {
        Resolution::Recovered => "recovered",
        Resolution::Restarted => "restarted",
        Resolution::Redeployed => "redeployed",
        Resolution::Stopped => "stopped",
        Resolution::Removed => "removed",
    }
}

/// `closed (redeployed)`, `open, down`.
pub(super) fn state(incident: &Shown) -> String {
    let state = match incident.state {
        Standing::Open => "open",
        Standing::Recovering => "recovering",
        Standing::Closed => "closed",
    };
    match incident.resolution {
        Some(how) => format!("{state} ({})", resolution(how)),
        None if incident.down && incident.state != Standing::Closed => format!("{state}, down"),
        None => state.to_owned(),
    }
}

/// Since when and how long.
pub(super) fn lasted(incident: &Shown, as_of: Timestamp) -> String {
    match incident.end {
        Some(end) => format!("{} UTC ({})", range(incident.start, end), duration(end.since(incident.start))),
        None => format!("since {} UTC ({} so far)", date_and_time(incident.start), duration(as_of.since(incident.start))),
    }
}

/// What may be missing.
pub(super) fn evidence(incident: &Shown) -> String {
    let records = if incident.first == incident.last {
        format!("record {}", incident.first)
    } else {
        format!("records {} to {}", incident.first, incident.last)
    };
    match incident.confidence {
        Confidence::Complete => format!("complete as far as the log knows ({records})"),
        Confidence::Qualified => format!("may be incomplete ({records}): {}", plain(&incident.qualified.join("; "))),
    }
}

/// How it ended, in a sentence.
pub(super) fn ended(incident: &Shown) -> String {
    let how = match incident.resolution {
        None => return "It is not over.".to_owned(),
        Some(Resolution::Recovered) => "It became well by itself or by its restart policy",
        Some(Resolution::Restarted) => "It became well after a restart or a start through the API",
        Some(Resolution::Redeployed) => "It became well after it was made again",
        Some(Resolution::Stopped) => "It was stopped",
        Some(Resolution::Removed) => "It was removed",
    };
    incident.end.map_or_else(|| format!("{how}."), |end| format!("{how}, at {} UTC.", date_and_time(end)))
}

/// When the recorder knew, in a sentence.
pub(super) fn detected(incident: &Shown) -> String {
    let after = duration(incident.known.since(incident.start));
    format!("The events told it at {} UTC, {after} after it began. Who was told, no record says.", date_and_time(incident.known))
}

/// Whom it is about.
pub(super) fn subjects(incident: &Shown) -> String {
    let mut names: Vec<String> = incident.subjects.iter().take(MAX_SUBJECTS).map(|part| plain(&part.key)).collect();
    let more = incident.subjects.len().saturating_sub(MAX_SUBJECTS);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    if names.is_empty() {
        names.push(plain(&incident.subject));
    }
    format!("{} on {}", names.join(", "), plain(&incident.source))
}

/// What came before or what the symptom says, with its time.
pub(super) fn causes(incident: &Shown) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for cause in &incident.cause {
        let at = cause.time.map_or_else(String::new, |time| format!("{}: ", clock(time)));
        let text = format!("{at}{}", plain(&cause.text));
        if !said.contains(&text) {
            said.push(text);
        }
    }
    said
}

/// What a report is called.
pub(super) fn title(report: &Report) -> String {
    match report.incidents.as_slice() {
        [one] if report.is_one => plain(&one.incident.title),
        [] => "No incident".to_owned(),
        [one] => format!("1 incident on {}", plain(&one.incident.source)),
        many => {
            let mut hosts: Vec<&str> = many.iter().map(|told| told.incident.source.as_str()).collect();
            hosts.sort_unstable();
            hosts.dedup();
            let on = if let [host] = hosts.as_slice() { plain(host) } else { format!("{} Docker hosts", hosts.len()) };
            format!("{} incidents on {on}", many.len())
        }
    }
}

/// What a report rests on, in words: what it is, and the value.
pub(super) fn manifest(of: &Manifest) -> Vec<(&'static str, String)> {
    let records = match (&of.first, &of.last) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "none".to_owned(),
    };
    let mut said = vec![
        ("Range", format!("{} UTC", range(of.since, of.until))),
        ("Judged as of", format!("{} UTC", date_and_time(of.as_of))),
        ("Log", of.log.clone()),
        ("Records", records),
        ("Versions", format!("shipslog {}, fold {}", of.recorder, of.fold)),
    ];
    let gaps = of.gaps.iter().rev().take(MAX_GAPS).rev();
    said.extend(gaps.map(|gap| ("Gap", missing(gap))));
    match of.gaps_more + of.gaps.len().saturating_sub(MAX_GAPS) as u64 {
        0 if of.gaps.is_empty() => said.push(("Gaps", "none known".to_owned())),
        0 => {}
        more => said.push(("Gaps", format!("{more} more"))),
    }
    said
}

/// A time in which events may be missing.
fn missing(of: &Missing) -> String {
    let reason = plain(&of.reason);
    let source = if of.source.is_empty() { String::new() } else { format!(" of {}", plain(&of.source)) };
    let record = of.record.as_ref().map_or_else(String::new, |record| format!(", record {record}"));
    match (of.from, of.until) {
        (Some(from), Some(until)) => format!("events{source} may be missing, {} ({reason}{record})", range(from, until)),
        (None, Some(until)) => format!("events{source} may be missing until {} ({reason}{record})", date_and_time(until)),
        _ => format!("{reason}{record}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_for_people() {
        for (millis, said) in [
            (4, "4 ms"),
            (999, "999 ms"),
            (1049, "1.0 s"),
            (59_999, "59.9 s"),
            (85_053, "1 min 25 s"),
            (3_600_000, "1 h 0 min"),
            (180_000_000, "2 d 2 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), said);
        }
        let (from, to) = (Timestamp::from_nanos(0), Timestamp::from_nanos(86_400_000_000_000));
        assert_eq!(range(from, from), "1970-01-01 00:00:00.000 to 00:00:00.000");
        assert_eq!(range(from, to), "1970-01-01 00:00:00.000 to 1970-01-02 00:00:00.000");
    }
}
