//! What became of a container that ended and was no failure: it stopped as it was asked to, it did not and
//! was killed, or another one took its place. `src/ui/cause.js` says the same of records.

use super::acts::Act;
use super::item::Item;
use crate::time::Timestamp;
use std::time::Duration;

/// Less between the question and the kill is a timeout of 0 and nothing that was not obeyed.
const NOT_OBEYED: Duration = Duration::from_millis(500);
/// A container made so long before or after the end of another one took its place.
const SUCCEEDED: Duration = Duration::from_secs(60);
/// Signals that tell a program something: HUP, USR1, USR2, CHLD, WINCH.
const TELLING: [&str; 10] = ["1", "10", "12", "17", "28", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGWINCH"];
const KILL: [&str; 3] = ["9", "KILL", "SIGKILL"];

/// Adds to each end, in order of time, what became of it.
pub(super) fn tell(items: &mut [Item]) {
    for place in 0..items.len() {
        let Some((before, [item, after @ ..])) = items.split_at_mut_checked(place) else { return };
        if item.act != Act::Die || item.failure {
            continue;
        }
        let (asked, killed) = signals(before, item);
        let waited = asked.zip(killed).map(|(asked, killed)| killed.since(asked)).filter(|waited| *waited >= NOT_OBEYED);
        let stopped = killed.or(asked).is_some() || after.iter().any(|next| next.container == item.container && next.act == Act::Stop);
        let is_killed = item.kind.ends_with(" 137");
        let mut parts = Vec::new();
        if let Some(waited) = waited.filter(|_| is_killed) {
            item.what = "deaf";
            parts.push(format!("did not stop in {} s and was killed", (waited.as_millis() + 500) / 1000));
        }
        match successor(before, item, after) {
            Some(image) if stopped => parts.push(format!("replaced by {image}")),
            _ if !parts.is_empty() || !stopped => {}
            _ => parts.push(if is_killed { "killed as asked" } else { "stopped as asked" }.to_owned()),
        }
        if !parts.is_empty() {
            item.text = format!("{}: {}", item.text, parts.join(" and "));
        }
    }
}

/// When it was asked to end, and when it was killed, both through Docker's API since it had started.
fn signals(before: &[Item], end: &Item) -> (Option<Timestamp>, Option<Timestamp>) {
    let (mut asked, mut killed) = (None, None);
    for item in before.iter().rev().filter(|item| item.container == end.container) {
        let signal = item.kind.strip_prefix("was sent signal ").and_then(|rest| rest.split(' ').next());
        match (item.act, signal) {
            (Act::Start, _) => break,
            (Act::Kill, Some(signal)) if KILL.contains(&signal) => killed = killed.or(Some(item.time)),
            (Act::Kill, Some(signal)) if !TELLING.contains(&signal) => asked = Some(item.time),
            _ => {}
        }
    }
    (asked, killed)
}

/// The image of what took its place.
fn successor(before: &[Item], end: &Item, after: &[Item]) -> Option<String> {
    let ran_since = before.iter().rev().find(|item| item.container == end.container && item.act == Act::Start).map(|item| item.time);
    let near = |item: &&Item| {
        let apart = if item.time > end.time { item.time.since(end.time) } else { end.time.since(item.time) };
        item.act == Act::Create && item.subject == end.subject && item.container != end.container && apart <= SUCCEEDED
    };
    let made =
        after.iter().find(near).or_else(|| before.iter().rev().find(near).filter(|item| ran_since.is_some_and(|ran| item.time > ran)));
    made.map(|item| item.kind.strip_prefix("was made from ").unwrap_or("another one").to_owned())
}

#[cfg(test)]
mod tests;
