//! Words and marks of the live page, so that a report has no language of its own: the fold's texts for
//! people, an incident as one sentence, how it came out, and the letters of what happened. Of `src/ui`,
//! `incident-words.js`, `headline.js` and `timeline.js` say the same for the page.

use super::model::Row;
use super::safe::plain;
use crate::projection::incidents::{CauseKind, Difference, Kind, Resolution, Severity, Shown, ShownCause, Standing};
use crate::time::Timestamp;
use std::time::Duration;

/// Hex digits from which on a number is a hash.
const HASH: usize = 32;
/// Hex digits of a hash that a sentence shows.
const IN_TEXT: usize = 12;
/// Hex digits of a hash that a table of differences shows.
const IN_TABLE: usize = 8;
/// Subjects after the first that a sentence names.
const MAX_OTHERS: usize = 3;

/// What happened, with its letter and its word; nothing for what is no trouble and no change.
pub(super) fn mark(row: &Row) -> Option<(&'static str, &'static str)> {
    let is_well = row.what == "health" && row.text.contains("became healthy");
    // Compose renames and removes on the way to another container.
    let is_on_the_way = row.what == "change" && (row.text.starts_with("was renamed") || row.text.starts_with("was removed"));
    if is_well || is_on_the_way { None } else { letter(row.what) }
}

/// The letter and the word of a class of rows or marks.
pub(super) fn letter(what: &str) -> Option<(&'static str, &'static str)> {
    match what {
        "failure" => Some(("X", "failed")),
        "oom" => Some(("M", "out of memory")),
        "health" => Some(("H", "unhealthy")),
        "change" => Some(("C", "changed")),
        "deaf" => Some(("K", "did not stop, killed")),
        "stop" => Some(("P", "stopped as asked")),
        "recorder" => Some(("?", "not known")),
        _ => None,
    }
}

/// Each severity has a shape.
pub(super) fn shape(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "▲",
        Severity::Major => "◆",
        Severity::Minor => "●",
        Severity::Notice => "○",
    }
}

/// A length of time, never finer than it matters.
pub(super) fn length(of: Duration) -> String {
    let two = |big: u64, unit: &str, small: u64, less: &str, up_to: u64| {
        if small > 0 && big < up_to { format!("{big} {unit} {small} {less}") } else { format!("{big} {unit}") }
    };
    let millis = u64::try_from(of.as_millis()).unwrap_or(u64::MAX);
    let rounded = |unit: u64| millis.saturating_add(unit / 2) / unit;
    let (s, min) = (rounded(1000), rounded(60_000));
    match (millis, s) {
        (..1000, _) => "under 1 s".to_owned(),
        (_, ..60) => format!("{s} s"),
        (_, ..3600) => two(s / 60, "min", s % 60, "s", 10),
        _ if min < 48 * 60 => two(min / 60, "h", min % 60, "min", 10),
        _ => format!("{} days", (min + 720) / 1440),
    }
}

/// A text of the fold's as people read it.
pub(super) fn told(text: &str) -> String {
    let text = plain(text);
    let text = text.replace(", not through Docker's API and with no oom told", ", not by Docker and not for memory");
    // That it was killed is said by whom it was not.
    let text = units(&hashes(&parts(&unsigned(&text)).join("; ").replace(" -> ", " → ")));
    match text.split_once(" subjects failed") {
        Some((count, rest)) if count.bytes().all(|b| b.is_ascii_digit()) => format!("{count} containers failed{rest}"),
        _ => text,
    }
}

/// Without the signal, where it is said that it was killed, and by whom not.
fn unsigned(text: &str) -> String {
    let mut all: Vec<&str> = text.split("), not by Docker").collect();
    let last = all.pop().unwrap_or_default();
    let mut out: String =
        all.iter().map(|part| part.rsplit_once(" (SIG").map_or(*part, |(before, _)| before).to_owned() + ", not by Docker").collect();
    out.push_str(last);
    out
}

/// Its parts, without differences that nobody can read, and with an image's name once.
fn parts(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut before = String::new();
    let many = text.contains("; ");
    for part in text.split("; ") {
        let (head, difference) = match part.split_once(": ") {
            Some((head @ ("deploy" | "re-created"), rest)) => (format!("{head}: "), rest),
            _ => (String::new(), part),
        };
        let head = before.clone() + &head;
        let is_unread = difference.contains(" -> ") && (difference.starts_with("config-hash ") || difference.starts_with("image digest "));
        if many && is_unread {
            before = head;
            continue;
        }
        before.clear();
        all.push(head + &image(difference));
    }
    if !before.is_empty() {
        all.push(before.trim_end_matches([':', ' ']).to_owned());
    }
    all
}

/// `image a:1 -> a:2` with the name once.
fn image(difference: &str) -> String {
    let once = || {
        let (from, to) = difference.strip_prefix("image ")?.split_once(" -> ")?;
        let ((name, old), (same, new)) = (from.rsplit_once(':')?, to.rsplit_once(':')?);
        (name == same && !to.contains(' ')).then(|| format!("image {name}:{old} -> {new}"))
    };
    once().unwrap_or_else(|| difference.to_owned())
}

/// Without the most of each hash.
fn hashes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for run in text.split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_')) {
        let end = run.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(run.len());
        let (word, rest) = run.split_at(end);
        if is_hash(word) {
            out.truncate(out.strip_suffix("sha256:").map_or(out.len(), str::len));
            out.extend(word.chars().take(IN_TEXT));
        } else {
            out.push_str(word);
        }
        out.push_str(rest);
    }
    out
}

fn is_hash(word: &str) -> bool {
    word.len() >= HASH && word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A minute and more of seconds as such.
fn units(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    let mut taken = false;
    for (place, word) in words.iter().enumerate() {
        if taken {
            taken = false;
            continue;
        }
        let next = words.get(place + 1).and_then(|next| next.strip_prefix('s')).filter(|rest| !rest.starts_with(char::is_alphanumeric));
        let seconds = word.parse::<u64>().ok().filter(|seconds| *seconds >= 60);
        if let (Some(seconds), Some(rest)) = (seconds, next) {
            out.push(length(Duration::from_secs(seconds)) + rest);
            taken = true;
        } else {
            out.push((*word).to_owned());
        }
    }
    out.join(" ")
}

/// One value of a table of differences, as much of it as somebody reads.
pub(super) fn value(text: &str) -> String {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    if digits.len() <= 2 * HASH && is_hash(digits) { digits.chars().take(IN_TABLE).collect() } else { plain(text) }
}

/// One row of a timeline.
pub(super) fn step(text: &str) -> String {
    let text = told(text);
    let (main, rest) = text.split_once("; ").unwrap_or((&text, ""));
    let turns = main.strip_prefix("… ").and_then(|main| main.split_once(" more times: "));
    let main = turns.map_or_else(
        || main.to_owned(),
        |(count, did)| format!("{}, {count} more times", did.split_once(", ").map_or(did, |(first, _)| first)),
    );
    // The cause says it already.
    let rest = rest.split("; ").filter(|part| !part.is_empty() && !part.contains("no signal was sent"));
    [main.as_str()].into_iter().chain(rest).collect::<Vec<_>>().join("; ")
}

/// A cause as a sentence.
pub(super) fn cause(text: &str) -> String {
    if text.starts_with("exit 137 (SIGKILL): no signal") {
        return "Exit 137 means SIGKILL. Docker was not asked to kill it and reported no lack of memory, so it was killed from outside \
                Docker, or it ended itself with 137. Events cannot tell which."
            .to_owned();
    }
    format!("{}.", capital(&told(text)))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// What happened without what came of it.
pub(super) fn short(title: &str) -> String {
    let title = told(title);
    let after = title.match_indices(" after ").find(|(at, word)| !title.split_at(at + word.len()).1.starts_with("it was told"));
    let ends = [title.find("; "), after.map(|(at, _)| at), title.find(", not by ")];
    title.split_at(ends.into_iter().flatten().min().unwrap_or(title.len())).0.to_owned()
}

fn image_of(changes: &[Difference]) -> Option<&Difference> {
    changes.iter().find(|change| change.what == "image")
}

/// Whether what was done put back what had changed.
fn is_rolled_back(incident: &Shown) -> bool {
    let changed = incident.cause.iter().find_map(|cause| image_of(&cause.changes)).and_then(|change| change.from.as_ref());
    changed.is_some() && incident.actions.iter().any(|act| image_of(&act.changes).is_some_and(|change| change.to.as_ref() == changed))
}

/// `open`, `rolled back after 46 s`.
pub(super) fn outcome(incident: &Shown, as_of: Timestamp) -> String {
    match incident.state {
        Standing::Open => return "open".to_owned(),
        Standing::Recovering => return "recovering".to_owned(),
        Standing::Closed => {}
    }
    let how = match incident.resolution {
        Some(Resolution::Redeployed) if is_rolled_back(incident) => "rolled back",
        Some(Resolution::Recovered) => "recovered by itself",
        Some(Resolution::Restarted) => "restarted through the API",
        Some(Resolution::Redeployed) => "re-created",
        Some(Resolution::Stopped) => "never recovered; stopped",
        Some(Resolution::Removed) => "never recovered; removed",
        None => "over",
    };
    let took = incident.end.unwrap_or(as_of).since(incident.start);
    if took.is_zero() { how.to_owned() } else { format!("{how} after {}", length(took)) }
}

/// An incident in one sentence with a verb.
pub(super) fn headline(incident: &Shown) -> String {
    let is_mass = incident.kind == Kind::Mass;
    let subject = plain(&incident.subject);
    let fact = short(&incident.title);
    let own = fact.strip_prefix(&subject).and_then(|rest| rest.strip_prefix(' ')).filter(|_| !subject.is_empty());
    let fact = own.unwrap_or(&fact);
    let fact = fact.split_once(": exit").map_or(fact, |(fact, _)| fact);
    let mut text = if own.is_some() && !is_mass { format!("{subject} {fact}") } else { capital(fact) };
    // What can be seen of a change tells more than that something was made again.
    let is_change =
        |cause: &&ShownCause| matches!(cause.kind, CauseKind::Deploy | CauseKind::Network | CauseKind::Volume | CauseKind::Update);
    let is_vague = |cause: &ShownCause| cause.kind == CauseKind::Deploy && cause.changes.is_empty();
    let changed = incident.cause.iter().filter(is_change).min_by_key(|cause| is_vague(cause)).filter(|_| incident.kind != Kind::Host);
    if let Some(cause) = changed {
        let after = match cause.kind {
            CauseKind::Deploy if is_vague(cause) => "it was re-created".to_owned(),
            CauseKind::Deploy => "a deploy".to_owned(),
            _ => told(&cause.text),
        };
        text = format!("{text} after {after}");
    }
    if changed.is_none() && incident.kind != Kind::Host && incident.cause.iter().any(|cause| cause.kind == CauseKind::Created) {
        text.push_str(" after it was newly created");
    }
    if is_mass && incident.title.contains("the daemon was not restarted") {
        text.push_str(" while the daemon ran on");
    }
    let is_of_many = is_mass || incident.kind == Kind::Host;
    if incident.state != Standing::Closed && incident.down && !is_of_many {
        text.push_str(" and is down");
    }
    let others: Vec<String> =
        incident.subjects.iter().filter(|part| part.role != "root" && !is_of_many).map(|part| own_name(&part.key)).collect();
    match others.as_slice() {
        [] => {}
        [one] => text = format!("{text}; then {one} failed"),
        [many @ .., last] if many.len() < MAX_OTHERS => text = format!("{text}; then {} and {last} failed", many.join(", ")),
        many => text = format!("{text}; then {} more failed", many.len()),
    }
    format!("{text}{}.", end_of(incident, is_mass || !others.is_empty()))
}

/// The name of a subject without its project.
fn own_name(key: &str) -> String {
    plain(key.rsplit_once('/').map_or(key, |(_, name)| name))
}

/// How it ended, as the end of a sentence.
fn end_of(incident: &Shown, is_of_many: bool) -> &'static str {
    if incident.state != Standing::Closed {
        return "";
    }
    // What comes and goes may have been well when it was done.
    let came_and_went = incident.kind == Kind::Unhealthy;
    match (incident.resolution, is_of_many) {
        (Some(Resolution::Redeployed), _) if is_rolled_back(incident) => ", until it was rolled back",
        _ if incident.kind == Kind::Host => "",
        (Some(Resolution::Restarted), false) if came_and_went => ", and was restarted",
        (Some(Resolution::Restarted), true) if came_and_went => ", and were restarted",
        (Some(Resolution::Restarted), false) => ", until it was restarted",
        (Some(Resolution::Restarted), true) => ", until they were restarted",
        (Some(Resolution::Redeployed), false) => ", until it was re-created",
        (Some(Resolution::Redeployed), true) => ", until they were re-created",
        (Some(Resolution::Stopped), false) => ", and was stopped",
        (Some(Resolution::Stopped), true) => ", and were stopped",
        (Some(Resolution::Removed), false) => ", and was removed",
        (Some(Resolution::Removed), true) => ", and were removed",
        (Some(Resolution::Recovered) | None, _) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_page() {
        let hash = "73dc0f2313d5315b751c02a46a95da5bfdc2bd6df973f1d8f583b96667a77fe5";
        for (text, said) in [
            (
                "thumbnailer ran out of memory and was killed 3 times in 141 s",
                "thumbnailer ran out of memory and was killed 3 times in 2 min 21 s",
            ),
            ("crashed 2 times in 59 s: exit 1", "crashed 2 times in 59 s: exit 1"),
            (
                "deploy: image acme/api:7 -> acme/api:8; config-hash 73dc -> b703; label build 1 -> 2",
                "deploy: image acme/api:7 → 8; label build 1 → 2",
            ),
            ("deploy: config-hash 73dc -> b703; label build 1 -> 2", "deploy: label build 1 → 2"),
            ("deploy: config-hash 73dc -> b703", "deploy: config-hash 73dc → b703"),
            (
                "crashed: exit 137 (SIGKILL), not through Docker's API and with no oom told; it stayed down",
                "crashed: exit 137, not by Docker and not for memory; it stayed down",
            ),
            ("10 subjects failed within 1 s: exit 1", "10 containers failed within 1 s: exit 1"),
            (&format!("a sha256:{hash}, b {hash}"), "a 73dc0f2313d5, b 73dc0f2313d5"),
        ] {
            assert_eq!(told(text), said);
        }
        assert_eq!(cause("exit 1"), "Exit 1.");
        assert!(cause("exit 137 (SIGKILL): no signal was sent").ends_with("Events cannot tell which."));
        assert_eq!((value(hash), value("acme/api:7")), ("73dc0f23".to_owned(), "acme/api:7".to_owned()));
        assert_eq!(value(&format!("sha256:{hash}")), "73dc0f23");
        assert_eq!(
            step("… 6 more times: ended with exit 1, started; the last wait was 9.0 s"),
            "ended with exit 1, 6 more times; the last wait was 9.0 s"
        );
    }

    #[test]
    fn lengths_are_those_of_the_page() {
        for (millis, said) in [
            (900, "under 1 s"),
            (1400, "1 s"),
            (59_499, "59 s"),
            (59_500, "1 min"),
            (141_600, "2 min 22 s"),
            (660_000, "11 min"),
            (5_400_000, "1 h 30 min"),
            (360_000_000, "4 days"),
        ] {
            assert_eq!(length(Duration::from_millis(millis)), said);
        }
    }

    #[test]
    fn what_is_no_trouble_has_no_mark() {
        let row = |what: &'static str, text: &str| Row {
            time: Timestamp::MIN,
            record: None,
            what,
            subject: String::new(),
            text: text.into(),
            folded: 0,
        };
        assert_eq!(mark(&row("health", "became healthy")), None);
        assert_eq!((mark(&row("change", "was removed")), mark(&row("start", "started"))), (None, None));
        let letters =
            ["failure", "oom", "health", "change", "stop", "recorder"].map(|what| mark(&row(what, "x")).map(|(letter, _)| letter));
        assert_eq!(letters.map(Option::unwrap), ["X", "M", "H", "C", "P", "?"]);
    }
}
