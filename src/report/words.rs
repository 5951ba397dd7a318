//! The sentences of a report. Each claims what the fold says and no more.

use super::model::{LastWords, Manifest, Missing, Notified, Report};
use super::people;
use super::safe::plain;
use crate::projection::incidents::{CauseKind, Confidence, Difference, Kind, Resolution, Severity, Shown, ShownCause, Standing};
use crate::time::Timestamp;
use std::time::Duration;

/// Characters of a digest that are shown.
const DIGEST: usize = 12;
/// Gaps that a report names in words, the newest.
const MAX_GAPS: usize = 20;
/// Messages that a sentence names.
const MAX_TOLD: usize = 12;
/// Subjects that a sentence names.
const MAX_SUBJECTS: usize = 12;
/// What an id of a log ends with of which only the beginning is known.
const UNKNOWN_REST: &str = "-0000-0000-0000-000000000000";
/// What people write, as events cannot say it, and what belongs there.
pub(super) const TO_WRITE: [(&str, &str); 4] = [
    ("Impact", "Who noticed what, and from when to when."),
    ("Root causes", "Why it could happen. Events tell what happened, not why."),
    ("Action items", "What is to be done, by whom, until when."),
    ("Lessons learned", "What went well, what did not, and where luck helped."),
];
/// Of one incident, where no other was at its time. A report of many does not know those that were not asked
/// for.
pub(super) const NOTHING_ELSE: &str = "Nothing else failed on this host.";
/// Exit codes that a sentence names.
const MAX_CODES: usize = 4;

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

/// Since when and how long.
pub(super) fn lasted(incident: &Shown, as_of: Timestamp) -> String {
    match incident.end {
        Some(end) if end <= incident.start => format!("{} UTC (a moment)", date_and_time(end)),
        Some(end) => format!("{} UTC ({})", range(incident.start, end), people::length(end.since(incident.start))),
        None => format!("since {} UTC ({} so far)", date_and_time(incident.start), people::length(as_of.since(incident.start))),
    }
}

/// What may be missing.
pub(super) fn evidence(incident: &Shown) -> String {
    // What came before it is a part of the evidence, which rises.
    let first = incident.evidence.first().unwrap_or(&incident.first);
    let records = if *first == incident.last { format!("record {first}") } else { format!("records {first} to {}", incident.last) };
    match incident.confidence {
        Confidence::Complete => format!("no event is known to be missing ({records})"),
        Confidence::Qualified => format!("may be incomplete ({records}): {}", people::told(&incident.qualified.join("; "))),
    }
}

/// How it ended, as the end of a sentence. `many`: of many subjects at once. `acts`: what each thing changed
/// that was done before it and until then, in order of time.
pub fn how_it_ended(resolution: &str, many: bool, down: bool, acts: &[&[Difference]]) -> String {
    let image = || acts.iter().rev().flat_map(|changes| changes.iter()).find(|change| change.what == "image");
    let back = |to: &str| {
        acts.iter().flat_map(|changes| changes.iter()).any(|change| change.what == "image" && change.from.as_deref() == Some(to))
    };
    let removed = if many { "all or most of them were" } else { "it was" };
    let stayed = if down { " after no further start came" } else { "" };
    match resolution {
        "recovered" if many => "they recovered by themselves or by their restart policies".to_owned(),
        "recovered" => "it recovered by itself or by its restart policy".to_owned(),
        "restarted" if many => "they were well after restarts through Docker's API".to_owned(),
        "restarted" => "it was well after a restart or a start through Docker's API".to_owned(),
        "redeployed" => match image().and_then(|change| change.to.as_deref()) {
            Some(to) if back(to) => format!("it was well since image {} was back", plain(to)),
            Some(to) => format!("it was well since it was re-created with image {}", plain(to)),
            None => "it was well since it was re-created".to_owned(),
        },
        "stopped" => format!("{removed} stopped{stayed}"),
        "removed" => format!("{removed} removed{stayed}"),
        _ => "it was over".to_owned(),
    }
}

/// What events do not say of these causes, each a kind and its words; `way`: how to find it out.
pub fn unsaid<'a>(causes: impl Iterator<Item = (&'a str, &'a str)>, many: bool, way: &str) -> Option<String> {
    let it = if many { "they" } else { "it" };
    let its = if many { "their" } else { "its" };
    let (mut codes, mut checks) = (Vec::new(), false);
    for (kind, text) in causes {
        let code = text.strip_prefix("exit ").filter(|_| kind == "exit-code").and_then(|rest| rest.split(' ').next());
        if let Some(code) = code.filter(|code| !codes.contains(code)) {
            codes.push(code);
        }
        checks |= kind == "health";
    }
    codes.truncate(MAX_CODES);
    let why = match (codes.as_slice(), checks) {
        ([], false) => return None,
        ([], true) => format!("{its} check failed"),
        (codes, false) => format!("{it} exited with {}", codes.join(" and ")),
        (codes, true) => format!("{it} exited with {} and {its} check failed", codes.join(" and ")),
    };
    Some(format!("Why {why}, events do not say: {way} {its} logs."))
}

/// The same of an incident, with its last words if they are there.
pub(super) fn unsaid_of(incident: &Shown, has_last_words: bool) -> Option<String> {
    let kind = |of: CauseKind| match of {
        CauseKind::ExitCode => "exit-code",
        CauseKind::Health => "health",
        _ => "",
    };
    let way = if has_last_words { "see the last words here, or" } else { "look at" };
    unsaid(incident.cause.iter().map(|cause| (kind(cause.kind), cause.text.as_str())), incident.kind == Kind::Mass, way)
}

/// How it ended, in a sentence.
pub(super) fn ended(incident: &Shown) -> String {
    let Some(end) = incident.end.filter(|_| incident.state == Standing::Closed) else {
        return if incident.state == Standing::Closed { "It is over.".to_owned() } else { "It is not over.".to_owned() };
    };
    let Some(how) = incident.resolution else {
        return if end > incident.start {
            format!("It was over at {} UTC.", date_and_time(end))
        } else {
            "It was over at once: nothing had to be mended.".to_owned()
        };
    };
    let causes = incident.cause.iter().map(|cause| cause.changes.as_slice());
    let acts = incident.actions.iter().filter(|act| act.time <= end).map(|act| act.changes.as_slice());
    let acts: Vec<&[Difference]> = causes.chain(acts).collect();
    let how = how_it_ended(resolution(how), incident.kind == Kind::Mass, incident.down, &acts);
    let (first, rest) = how.split_at_checked(1).unwrap_or_default();
    format!("{}{rest}, at {} UTC.", first.to_ascii_uppercase(), date_and_time(end))
}

/// When the recorder knew, in a sentence. `told`: whether somebody is said to have been told.
pub(super) fn detected(incident: &Shown, told: bool) -> String {
    let after = incident.known.since(incident.start);
    let after = if after.is_zero() { "at once".to_owned() } else { format!("{} after it began", people::length(after)) };
    let told = if told { "" } else { " No notification by a hook is recorded." };
    format!("It was known {after}, at {} UTC.{told}", date_and_time(incident.known))
}

/// Whom it is about.
pub(super) fn subjects(incident: &Shown) -> String {
    let mut names: Vec<String> = incident.subjects.iter().take(MAX_SUBJECTS).map(|part| plain(&part.key)).collect();
    let more = incident.subjects.len().saturating_sub(MAX_SUBJECTS);
    if more > 0 {
        names.push(format!("{more} more subjects"));
    }
    if names.is_empty() {
        names.push(plain(&incident.subject));
    }
    format!("{} on {}", names.join(", "), plain(&incident.source))
}

/// What came before or what the symptom says, with its time.
pub(super) fn causes(incident: &Shown) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    // In order of time; a cause without one is the last.
    let mut all: Vec<&ShownCause> = incident.cause.iter().collect();
    all.sort_by_key(|cause| cause.time.unwrap_or(Timestamp::MAX));
    for cause in all {
        let at = cause.time.map_or_else(String::new, |time| format!("{}: ", clock(time)));
        let text = format!("{at}{}", people::cause(&cause.text));
        if !said.contains(&text) {
            said.push(text);
        }
    }
    said
}

/// What a report is called.
pub(super) fn title(report: &Report) -> String {
    match report.incidents.as_slice() {
        [one] if report.is_one => people::headline(&one.incident),
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
        // Of a log that was made from an export no more than this is known.
        ("Log", of.log.strip_suffix(UNKNOWN_REST).unwrap_or(&of.log).to_owned()),
        ("Records", records),
        ("Versions", format!("shipslog {}, rules for incidents {}", of.recorder, of.fold)),
    ];
    let gaps = of.gaps.iter().rev().take(MAX_GAPS).rev();
    said.extend(gaps.map(|gap| ("Gap", missing(gap))));
    match of.gaps_more + of.gaps.len().saturating_sub(MAX_GAPS) as u64 {
        0 if of.gaps.is_empty() => said.push(("Gaps", "none known".to_owned())),
        0 => {}
        more => said.push(("Gaps", format!("{more} more gaps"))),
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

/// Who was told of it, in one sentence; nothing where nobody was.
pub(super) fn notified(notified: &[Notified]) -> Option<String> {
    let said = |one: &Notified| {
        let outcome = if one.status == "failed" { "could not be told".to_owned() } else { format!("was told, {}", one.status) };
        format!("{} {outcome} at {} ({})", one.hook, date_and_time(one.time), one.occasion)
    };
    let mut parts: Vec<String> = notified.iter().take(MAX_TOLD).map(said).collect();
    let more = notified.len().saturating_sub(MAX_TOLD);
    if more > 0 {
        parts.push(format!("and {more} more messages"));
    }
    (!parts.is_empty()).then(|| format!("{}.", parts.join("; ")))
}

/// Whose last words these are.
pub(super) fn last_words(words: &LastWords) -> String {
    let died = words.died.map_or_else(|| "at a time that is not known".to_owned(), |died| format!("at {} UTC", date_and_time(died)));
    format!("{} ({}), which died {died}", words.subject, words.container)
}

/// What is to be known of them.
pub(super) fn of_last_words(words: &LastWords) -> Option<String> {
    let mut parts = Vec::new();
    if words.lines.is_empty() && words.why.is_none() {
        parts.push("It printed nothing.".to_owned());
    }
    parts.extend(words.why.as_ref().map(|why| format!("Not known, or not all of it: {why}.")));
    if words.left_out > 0 {
        parts.push(format!("Earlier lines that are not here: {}.", words.left_out));
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(from: &str, to: &str) -> Vec<Difference> {
        vec![Difference { what: "image".into(), from: Some(from.into()), to: Some(to.into()) }]
    }

    #[test]
    fn it_is_said_what_made_it_well() {
        let (deploy, back, other) = (image("api:7", "api:8"), image("api:8", "api:7"), image("api:8", "api:9"));
        let said = |resolution: &str, many: bool, down: bool, acts: &[&[Difference]]| how_it_ended(resolution, many, down, acts);
        assert_eq!(said("redeployed", false, false, &[&deploy, &back]), "it was well since image api:7 was back");
        assert_eq!(said("redeployed", false, false, &[&deploy, &other]), "it was well since it was re-created with image api:9");
        assert_eq!(said("redeployed", false, false, &[&[]]), "it was well since it was re-created");
        assert_eq!(said("removed", true, false, &[]), "all or most of them were removed");
        assert_eq!(said("removed", false, true, &[]), "it was removed after no further start came");
        assert_eq!(said("new", false, false, &[]), "it was over");
    }

    #[test]
    fn it_is_said_what_events_do_not_say() {
        let exit = ("exit-code", "exit 1");
        assert_eq!(
            unsaid([exit, exit].into_iter(), false, "look at").as_deref(),
            Some("Why it exited with 1, events do not say: look at its logs.")
        );
        let mass = [exit, ("exit-code", "exit 139 (segmentation fault, SIGSEGV)")];
        let said = unsaid(mass.into_iter(), true, "look at");
        assert_eq!(said.as_deref(), Some("Why they exited with 1 and 139, events do not say: look at their logs."));
        let unhealthy = unsaid([("health", "health check failed")].into_iter(), false, "look at");
        assert_eq!(unhealthy.as_deref(), Some("Why its check failed, events do not say: look at its logs."));
        assert_eq!(unsaid([("oom", "out of memory"), ("deploy", "exit 1")].into_iter(), false, "look at"), None);
    }

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
