//! One record in words.

use super::safe::plain;
use crate::event::{EventView, Record};
use crate::projection::incidents::subject_of;

/// Actions that a report reads of a log, as a filter.
pub(super) const READ: &str = r#"{"type":["container","recorder"],"event":["create","start","die","died","oom","kill","stop","restart","destroy","remove","rename","pause","unpause","update","health_status","observed","gap","disconnect","connect","resumed"]}"#;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Create,
    Start,
    Die,
    Oom,
    Kill,
    Stop,
    Restart,
    Destroy,
    Rename,
    Pause,
    Unpause,
    Update,
    Healthy,
    Unhealthy,
    /// An inspection saw it so, and no event had told it.
    Seen(Seen),
    /// The recorder tells of itself.
    Own,
}

/// What an inspection saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Created,
    Running,
    Paused,
    Exited,
    Gone,
}

/// One record, as far as a report needs it.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) act: Act,
    /// 12 characters of the container's id; empty for the recorder's own.
    pub(super) container: String,
    pub(super) subject: String,
    /// In words, without what a look at the record before would add.
    pub(super) text: String,
    /// Nothing changed: it belongs to a full look.
    pub(super) repeats: bool,
}

impl Fact {
    /// What a record says; `None` for one that no report tells.
    pub(super) fn of(record: &Record) -> Option<Self> {
        let event = record.event.view();
        let action = event.action.as_deref().unwrap_or_default();
        if record.event.is_own() {
            return own(action, &event);
        }
        if event.kind.as_deref() != Some("container") {
            return None;
        }
        let said = |key: &str| event.attribute(key).map(plain);
        let health = action.strip_prefix("health_status").map(|rest| rest.trim_start_matches([':', ' ']));
        let health = health.map(|told| if told.is_empty() { event.health.as_deref().unwrap_or_default() } else { told });
        let (act, text) = match (action, health) {
            (_, Some("healthy")) => (Act::Healthy, "became healthy".to_owned()),
            (_, Some("unhealthy")) => (Act::Unhealthy, "became unhealthy".to_owned()),
            ("create", _) => (Act::Create, said("image").map_or_else(|| "was made".to_owned(), |image| format!("was made from {image}"))),
            ("start", _) => (Act::Start, "started".to_owned()),
            ("die" | "died", _) => {
                let code = said("exitCode").or_else(|| said("containerExitCode"));
                (Act::Die, code.map_or_else(|| "ended, exit code unknown".to_owned(), |code| format!("ended with exit {code}")))
            }
            ("oom", _) => (Act::Oom, "ran out of memory, the kernel says".to_owned()),
            ("kill", _) => {
                let signal = said("signal").map_or_else(|| "a signal".to_owned(), |signal| format!("signal {signal}"));
                (Act::Kill, format!("was sent {signal} through Docker's API"))
            }
            ("stop", _) => (Act::Stop, "was stopped through Docker's API".to_owned()),
            ("restart", _) => (Act::Restart, "was restarted through Docker's API".to_owned()),
            ("destroy" | "remove", _) => (Act::Destroy, "was removed".to_owned()),
            ("rename", _) => {
                let from = said("oldName").map_or_else(String::new, |from| format!(" from {}", from.trim_start_matches('/')));
                (Act::Rename, format!("was renamed{from} to {}", said("name").unwrap_or_default()))
            }
            ("pause", _) => (Act::Pause, "was paused".to_owned()),
            ("unpause", _) => (Act::Unpause, "went on after a pause".to_owned()),
            ("update", _) => (Act::Update, "limits or restart policy were changed; the event has no values".to_owned()),
            _ => return None,
        };
        Some(Self {
            act,
            container: short(&event),
            subject: subject_of(|key| event.attribute(key), event.actor_id.as_deref().unwrap_or_default()),
            text,
            repeats: false,
        })
    }

    /// The class of a row.
    pub(super) fn what(&self, failure: bool) -> &'static str {
        match self.act {
            Act::Die | Act::Seen(Seen::Exited) if failure => "failure",
            Act::Oom => "oom",
            Act::Healthy | Act::Unhealthy => "health",
            Act::Die | Act::Kill | Act::Stop | Act::Pause | Act::Seen(Seen::Exited | Seen::Paused) => "stop",
            Act::Start | Act::Restart | Act::Unpause | Act::Seen(Seen::Running) => "start",
            Act::Create | Act::Destroy | Act::Rename | Act::Update | Act::Seen(Seen::Created | Seen::Gone) => "change",
            Act::Own => "recorder",
        }
    }
}

/// The first 12 characters of an id.
fn short(event: &EventView<'_>) -> String {
    event.actor_id.as_deref().unwrap_or_default().chars().take(12).collect()
}

fn own(action: &str, event: &EventView<'_>) -> Option<Fact> {
    let said = |key: &str| event.attribute(key).filter(|value| !value.is_empty()).map(plain);
    let reason = || said("reason").unwrap_or_else(|| "no reason given".to_owned());
    let text = match action {
        "observed" if event.attribute("kind") == Some("container") => return seen(event),
        "gap" if event.attribute("reason") == Some("first-contact") => "recording of this host began".to_owned(),
        "gap" => format!("events may be missing ({})", reason()),
        "disconnect" => format!("the event stream ended ({})", reason()),
        "connect" => "connected to the Docker host".to_owned(),
        "resumed" => "connected again, and nothing is missing".to_owned(),
        _ => return None,
    };
    Some(Fact { act: Act::Own, container: String::new(), subject: "recorder".to_owned(), text, repeats: false })
}

fn seen(event: &EventView<'_>) -> Option<Fact> {
    let observation = event.attribute("observation").unwrap_or_default();
    let state = event.attribute("state").unwrap_or_default();
    let seen = match state {
        _ if observation == "gone" => Seen::Gone,
        "created" => Seen::Created,
        "running" => Seen::Running,
        "paused" => Seen::Paused,
        "exited" | "dead" | "restarting" => Seen::Exited,
        _ => return None,
    };
    let code = event.attribute("exitCode").filter(|_| seen == Seen::Exited);
    let text = match (seen, code) {
        (Seen::Gone, _) => "was gone, an inspection says".to_owned(),
        // The daemon says so of codes that it lost.
        (Seen::Exited, Some("255") | None) => "had ended, an inspection says; its exit code is not known".to_owned(),
        (Seen::Exited, Some(code)) => format!("had ended with exit {}, an inspection says", plain(code)),
        _ => format!("was {}, an inspection says", plain(state)),
    };
    Some(Fact {
        act: Act::Seen(seen),
        container: short(event),
        subject: subject_of(|key| event.attribute(key), event.actor_id.as_deref().unwrap_or_default()),
        text,
        repeats: observation == "baseline",
    })
}
