//! The words of titles and causes. Each claims what events show and no more (docs/incidents.md).

use super::bounds::SECOND;
use super::incident::{CauseKind, Incident, Kind, Link, Phase};
use super::subject::{Change, Difference};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Phases that a title tells.
const MAX_PHASES: usize = 3;

pub(super) const OOM: &str = "out of memory: the kernel told of it, and the container died";
/// With the limit, where an inspection told it.
pub(super) fn oom(limit: Option<u64>) -> String {
    match limit {
        Some(bytes) if bytes >= 1 << 20 => format!("{OOM}; its limit is {} MiB", bytes >> 20),
        Some(bytes) => format!("{OOM}; its limit is {bytes} bytes"),
        None => OOM.to_owned(),
    }
}
pub(super) const OOM_INSIDE: &str = "out of memory: a process inside was killed, the container itself lives on";
pub(super) const KILLED: &str =
    "exit 137 (SIGKILL): no signal was sent through Docker's API and no oom was told, so it came from outside Docker or from inside";
pub(super) const CREATED: &str = "newly created: it never ran well before";
pub(super) const UNHEALTHY: &str = "health check failed";
pub(super) const NEVER_HEALTHY: &str = "health check failed; it was never healthy since its start, so the check itself may be broken";
pub(super) const REFUSED: &str = "never started: the runtime refused it, and no event says why";
pub(super) const GAVE_UP: &str = "the start again was refused, and no event says why: nothing more is tried";
pub(super) const LEFT: &str = "never started: it took the place of another container, and nobody started it";
pub(super) const LOST_CODE: &str = "its exit code is not known: the daemon says exit 255 of containers whose code it lost";
pub(super) const LIVED: &str = "daemon restarted; containers lived on";
pub(super) const NOTHING_RAN: &str = "daemon restarted; no container is known to have ended by that";

pub(super) fn went_away(count: usize) -> String {
    format!("the daemon or the host went away without stopping its containers; {} ended", containers(count))
}

pub(super) fn stopped_late(count: usize) -> String {
    format!("the daemon went away without stopping its containers; the next one stopped {}", containers(count))
}

pub(super) fn stopped_in_order(count: usize) -> String {
    format!("daemon restarted; it stopped {} in good order", containers(count))
}

pub(super) fn restarted_unseen(count: usize) -> String {
    format!("the daemon was restarted while nobody recorded; {} ended by then", containers(count))
}

fn containers(count: usize) -> String {
    if count == 1 { "1 container".to_owned() } else { format!("{count} containers") }
}

pub(super) fn disarmed(signal: u32) -> String {
    let name = signal_name(signal);
    format!("not started again: signal {signal}{name} sent through Docker's API takes a restart policy away until the next start")
}

/// A signal of a stop that was asked for.
pub(super) fn told_to_stop(signal: u32) -> String {
    let name = signal_name(signal);
    let what = if signal == 9 { "killed, since it had not stopped," } else { "told to stop" };
    format!("{what} with signal {signal}{name} through Docker's API")
}

fn signal_name(signal: u32) -> &'static str {
    match signal {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        9 => " (SIGKILL)",
        15 => " (SIGTERM)",
        10 => " (SIGUSR1)",
        12 => " (SIGUSR2)",
        17 => " (SIGCHLD)",
        28 => " (SIGWINCH)",
        _ => "",
    }
}

pub(super) fn exit(code: Option<i64>) -> String {
    let Some(code) = code else { return "exit code unknown".to_owned() };
    let meaning = match code {
        126 => " (command cannot be executed)",
        127 => " (command not found)",
        134 => " (aborted, SIGABRT)",
        137 => " (SIGKILL)",
        139 => " (segmentation fault, SIGSEGV)",
        143 => " (SIGTERM)",
        _ => "",
    };
    format!("exit {code}{meaning}")
}

pub(super) fn deploy(change: &Change) -> String {
    if change.differences.is_empty() {
        return "re-created; nothing visible changed (environment and command are not in events)".to_owned();
    }
    let what = if change.after.is_none() { "service update" } else { "deploy" };
    format!("{what}: {}", differences(&change.differences, 4, change.more))
}

/// Differences in one line: at most so many, and how many more there are.
pub(super) fn differences(all: &[Difference], most: usize, more: usize) -> String {
    let mut parts: Vec<String> = all.iter().take(most).map(difference).collect();
    let more = more + all.len().saturating_sub(most);
    if more > 0 {
        parts.push(format!("and {more} more {}", if more == 1 { "change" } else { "changes" }));
    }
    parts.join("; ")
}

fn difference(one: &Difference) -> String {
    let shown = |text: &String| match text.strip_prefix("sha256:") {
        Some(digest) => digest.chars().take(12).collect(),
        None if one.what == "config-hash" => text.chars().take(8).collect(),
        None => text.clone(),
    };
    match (&one.from, &one.to) {
        (Some(from), Some(to)) => format!("{} {} -> {}", one.what, shown(from), shown(to)),
        (None, Some(to)) => format!("{}={} added", one.what, shown(to)),
        (Some(from), None) => format!("{}={} removed", one.what, shown(from)),
        (None, None) => one.what.clone(),
    }
}

/// The most frequent exit codes.
fn exits(of: &BTreeMap<i64, u64>) -> String {
    let mut all: Vec<(&i64, &u64)> = of.iter().collect();
    all.sort_by_key(|(code, count)| (std::cmp::Reverse(**count), **code));
    let shown: Vec<String> = all.iter().take(3).map(|(code, _)| exit(Some(**code))).collect();
    if shown.is_empty() { exit(None) } else { shown.join(", ") }
}

/// What happened in one phase, without its subject.
pub(super) fn phase(phase: &Phase) -> String {
    let mut parts = Vec::new();
    let others = phase.deaths.saturating_sub(phase.ooms);
    if phase.ooms > 0 {
        parts.push(format!("ran out of memory and was killed{}", times(phase.ooms)));
    }
    if others > 0 && phase.kind == Kind::RestartLoop {
        parts.push(format!("ends with exit 0 and is started again and again ({others} times)"));
    } else if others > 0 {
        let mut codes = phase.exits.clone();
        if phase.ooms > 0 {
            let left = codes.get(&137).map_or(0, |count| count.saturating_sub(phase.ooms));
            if left == 0 {
                codes.remove(&137);
            }
        }
        parts.push(format!("crashed{}: {}", times(others), exits(&codes)));
    }
    if phase.unhealthy > 0 {
        parts.push(format!("became unhealthy{}", times(phase.unhealthy)));
    }
    if parts.is_empty() {
        parts.push(match phase.kind {
            Kind::StartFailed => "was never started".to_owned(),
            Kind::Oom => "ran out of memory inside and lives on".to_owned(),
            _ => "was failing".to_owned(),
        });
    }
    parts.join(", ")
}

fn times(count: u64) -> String {
    if count == 1 { String::new() } else { format!(" {count} times") }
}

/// The title of one subject's incident.
pub(super) fn title(incident: &Incident) -> String {
    if let Some(title) = &incident.title {
        return title.clone();
    }
    let mut text = incident.subject.clone();
    let more = incident.phases.len().saturating_sub(MAX_PHASES);
    for (place, one) in incident.phases.iter().take(MAX_PHASES).enumerate() {
        text.push_str(if place == 0 { " " } else { "; then it " });
        text.push_str(&phase(one));
        text.push_str(&after(one));
    }
    if more > 0 {
        let _ = write!(text, "; and {more} more trouble{}", if more == 1 { "" } else { "s" });
    }
    if incident.phases.len() == 1 && incident.deaths >= 3 {
        let (first, last) = (incident.failures().next(), incident.failures().next_back());
        if let (Some(first), Some(last)) = (first, last) {
            let over = last.at.time.saturating_sub(first.at.time) / SECOND;
            text = text.replacen(" times", &format!(" times in {over} s"), 1);
        }
    }
    text.push_str(&tried(incident));
    if incident.down {
        text.push_str(if incident.is_open() { "; it stays down" } else { "; it stayed down" });
    }
    text
}

/// What was tried through the API before it failed again.
fn tried(incident: &Incident) -> String {
    let failed = incident.phases.iter().map(|phase| phase.last.time).max().unwrap_or(i64::MIN);
    let vain = |what: &str| {
        incident.actions.iter().filter(|action| action.what == what && action.at.time < failed && action.at.time > incident.start).count()
    };
    let mut text = String::new();
    for (what, said) in [("restart", "restarted"), ("recreate", "re-created")] {
        match vain(what) {
            0 => {}
            count => {
                let _ = write!(text, "; {said}{} through Docker's API without effect", times(u64::try_from(count).unwrap_or(0)));
            }
        }
    }
    text
}

/// What came before a phase.
fn after(phase: &Phase) -> String {
    let deploy =
        phase.causes.iter().find(|cause| cause.kind == CauseKind::Deploy && (!cause.changes.is_empty() || phase.causes.len() <= 2));
    let mut text = String::new();
    if phase.causes.iter().any(|cause| cause.text == KILLED) && phase.deaths > 0 {
        text.push_str(", not through Docker's API and with no oom told,");
    }
    if let Some(deploy) = deploy {
        let what = if deploy.changes.is_empty() { "it was re-created".to_owned() } else { deployed(&deploy.changes, deploy.more) };
        text.push_str(" after ");
        text.push_str(&what);
    }
    let said = |kind: CauseKind| {
        matches!(kind, CauseKind::Network | CauseKind::Volume | CauseKind::Update | CauseKind::Dependency | CauseKind::Signal)
    };
    if phase.causes.iter().any(|cause| cause.kind == CauseKind::Created) {
        text.push_str("; ");
        text.push_str(CREATED);
    }
    let mut after = deploy.is_some();
    for cause in phase.causes.iter().filter(|cause| said(cause.kind) || cause.text == GAVE_UP) {
        match cause.kind {
            CauseKind::Network | CauseKind::Volume | CauseKind::Update => {
                text.push_str(if after { ", and after " } else { " after " });
                text.push_str(&cause.text);
                after = true;
            }
            CauseKind::Signal if cause.text == KILLED => {}
            _ => {
                text.push_str("; ");
                text.push_str(&cause.text);
            }
        }
    }
    text.trim_end_matches(',').to_owned()
}

/// A deploy in a title: its image says most, and the cause says the rest.
fn deployed(changes: &[Difference], more: usize) -> String {
    match changes.iter().find(|change| change.what == "image") {
        Some(image) => {
            let image = difference(image);
            format!("deploy {}", image.strip_prefix("image ").unwrap_or(&image))
        }
        None => format!("deploy: {}", differences(changes, 1, more)),
    }
}

/// Many at once.
pub(super) fn mass(members: &[&Incident]) -> String {
    let mut codes = BTreeMap::new();
    for (code, count) in members.iter().flat_map(|member| &member.exits) {
        *codes.entry(*code).or_insert(0) += count;
    }
    let starts = members.iter().map(|member| member.start);
    let over = starts.clone().max().unwrap_or(0).saturating_sub(starts.min().unwrap_or(0));
    let over = (over + SECOND - 1) / SECOND;
    format!("{} containers failed within {} s: {}; the daemon was not restarted", members.len(), over.max(1), exits(&codes))
}

/// One after the other. "Then" is said of those that depend on the root or share a network with it, "at the
/// same time" of others.
pub(super) fn cascade(own: &str, members: &[&Incident]) -> String {
    let what = |member: &Incident| {
        let phases = member.phases.first().map(phase).unwrap_or_default();
        let down = match (member.down, member.is_open()) {
            (false, _) => "",
            (true, true) => " and stays down",
            (true, false) => " and stayed down",
        };
        format!("{} {phases}{down}", member.subject)
    };
    let mut text = own.to_owned();
    for (link, said) in [
        (Link::Depends, "; then, depending on it, "),
        (Link::Network, "; then, on the same network, "),
        (Link::Project, "; at about the same time "),
    ] {
        let of: Vec<String> = members.iter().filter(|member| member.link == Some(link)).take(5).map(|member| what(member)).collect();
        if !of.is_empty() {
            text.push_str(said);
            text.push_str(&of.join(", "));
        }
    }
    text
}
