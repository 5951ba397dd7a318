//! What sort of thing a record tells: what histograms stack.

use crate::cursor::Sequence;
use crate::event::RecordView;
use crate::projection::incidents::{is_fatal, subject_of};
use std::borrow::Cow;
use std::collections::HashMap;

/// The names of the classes, in the order of their numbers.
pub const CLASSES: [&str; 10] = ["failure", "oom", "health", "stop", "start", "change", "exec", "probe", "other", "recorder"];

/// A death is told apart by what so many records before it tell: the answer is the same wherever reading
/// begins.
pub(super) const WINDOW: u64 = 4096;
/// A SIGKILL, or another fatal signal, so long before a death asked for it, in nanoseconds.
const ASKED_BY_KILL: i64 = 30_000_000_000;
const ASKED_BY_SIGNAL: i64 = 120_000_000_000;
/// A `stop` so long after a death belongs to it, in nanoseconds.
const STOPPED: i64 = 15_000_000_000;
/// Bytes of a value that is counted.
const MAX_VALUE_BYTES: usize = 200;
/// The label that names a project of Compose.
const PROJECT: &str = "com.docker.compose.project";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Failure,
    Oom,
    Health,
    Stop,
    Start,
    Change,
    Exec,
    Probe,
    Other,
    Recorder,
}

/// What is counted of one record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counted<'a> {
    /// `None`: it is a part of what another record is counted for, as `kill` and `stop` are of a death.
    pub(super) class: Option<Class>,
    /// Values by key, in the order of [`KEYS`](super::counts::KEYS).
    pub(super) values: [Option<Cow<'a, str>>; 5],
}

impl Counted<'_> {
    pub(super) fn failed(&self) -> bool {
        matches!(self.class, Some(Class::Failure | Class::Oom))
    }
}

/// What happened to a container lately.
#[derive(Debug, Clone, Copy, Default)]
struct Recent {
    seq: Sequence,
    killed: Option<(Sequence, i64, bool)>,
    died: Option<(Sequence, i64)>,
}

/// Tells classes apart, by what came within [`WINDOW`].
#[derive(Debug, Default)]
pub(super) struct Classifier {
    containers: HashMap<Box<str>, Recent>,
}

impl Classifier {
    /// Reads the next record.
    pub(super) fn read<'a>(&mut self, record: &'a RecordView<'_>) -> Counted<'a> {
        let (view, own) = (&record.event, record.is_own());
        let action = view.action.as_deref().unwrap_or_default();
        let (action, detail) = action.split_once(": ").unwrap_or((action, ""));
        let of_container = view.kind.as_deref() == Some("container") && !own;
        let id = view.actor_id.as_deref().unwrap_or_default();
        let mut counted = Counted::default();
        let [subject, project, image, action_value, exit] = &mut counted.values;
        *action_value = value(action.into());
        if of_container {
            *subject = value(subject_of(|key| view.attribute(key), id).into());
            *project = view.attribute(PROJECT).and_then(|text| value(text.into()));
            *image = view.attribute("image").and_then(|text| value(text.into()));
        }
        if of_container && action == "die" {
            *exit = view.attribute("exitCode").and_then(|text| value(text.into()));
        }
        counted.class = if own {
            Some(Class::Recorder)
        } else if record.marks.noise.is_some() {
            Some(Class::Probe)
        } else if of_container && action == "health_status" {
            // That something is well again is no trouble.
            let unhealthy = [Some(detail), view.health.as_deref(), view.attribute("health_status")].contains(&Some("unhealthy"));
            Some(if unhealthy { Class::Health } else { Class::Other })
        } else if of_container {
            let signal = view.attribute("signal").and_then(|signal| signal.parse().ok()).unwrap_or(15);
            let failed = view.attribute("exitCode") != Some("0");
            self.of_container(id, action, record.seq, record.time.nanos(), signal, failed)
        } else {
            Some(of_thing(action))
        };
        counted
    }

    fn of_container(&mut self, id: &str, action: &str, seq: Sequence, time: i64, signal: u32, failed: bool) -> Option<Class> {
        let within = |then: Sequence| then + WINDOW >= seq;
        match action {
            "die" => {
                let recent = self.note(id, seq);
                recent.died = Some((seq, time));
                let asked = recent.killed.take().is_some_and(|(then, at, by_kill)| {
                    within(then) && time.saturating_sub(at) <= if by_kill { ASKED_BY_KILL } else { ASKED_BY_SIGNAL }
                });
                Some(match (asked, failed) {
                    (true, _) => Class::Stop,
                    (false, true) => Class::Failure,
                    // A job has done its work.
                    (false, false) => Class::Other,
                })
            }
            "kill" if is_fatal(signal) => {
                self.note(id, seq).killed = Some((seq, time, signal == 9));
                None
            }
            "stop" => {
                let died = self.containers.get(id).and_then(|recent| recent.died);
                let part = died.is_some_and(|(then, at)| within(then) && time.saturating_sub(at) <= STOPPED);
                // Without a death before it: it waited for its next start, or told of it first.
                if !part {
                    self.note(id, seq).killed = Some((seq, time, true));
                }
                (!part).then_some(Class::Stop)
            }
            "start" => {
                if let Some(recent) = self.containers.get_mut(id) {
                    *recent = Recent { seq, ..Recent::default() };
                }
                Some(Class::Start)
            }
            // The start before it is counted.
            "restart" => None,
            "oom" => Some(Class::Oom),
            "rename" | "update" | "pause" | "unpause" => Some(Class::Change),
            _ if action.starts_with("exec_") => Some(Class::Exec),
            _ => Some(Class::Other),
        }
    }

    fn note(&mut self, id: &str, seq: Sequence) -> &mut Recent {
        if self.containers.len() as u64 >= WINDOW && !self.containers.contains_key(id) {
            self.containers.retain(|_, recent| recent.seq + WINDOW >= seq);
        }
        let recent = self.containers.entry(id.into()).or_default();
        recent.seq = seq;
        recent
    }
}

fn of_thing(action: &str) -> Class {
    match action {
        "create" | "destroy" | "remove" | "update" | "pull" | "tag" | "untag" | "delete" | "prune" | "load" | "import" | "push"
        | "enable" | "disable" | "install" => Class::Change,
        _ => Class::Other,
    }
}

fn value(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let text = if text.len() <= MAX_VALUE_BYTES {
        text
    } else {
        let end = (0..=MAX_VALUE_BYTES - '…'.len_utf8()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        format!("{}…", text.get(..end).unwrap_or_default()).into()
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Record};
    use crate::time::Timestamp;

    /// Its class, what it is counted for by subject, and how much of its exit code.
    fn read(
        classifier: &mut Classifier,
        seq: u64,
        second: i64,
        action: &str,
        attribute: (&str, &str),
    ) -> (Option<Class>, Option<String>, Option<usize>) {
        let line = format!(
            r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"f1","Attributes":{{"name":"web","image":"app:1","{}":"{}"}}}},"timeNano":{}}}"#,
            attribute.0,
            attribute.1,
            second * 1_000_000_000
        );
        let time = Timestamp::from_nanos(second * 1_000_000_000);
        let record = Record { seq, time, received: time, source: "a".into(), event: Event::from_line(line.as_bytes()).unwrap() };
        let view = record.view();
        let counted = classifier.read(&view);
        (counted.class, counted.values[0].as_deref().map(str::to_owned), counted.values[4].as_ref().map(|exit| exit.len()))
    }

    #[test]
    fn a_stop_counts_once_and_a_death_that_nobody_asked_for_is_a_failure() {
        let mut classifier = Classifier::default();
        for (seq, second, action, attribute, class) in [
            (1, 1, "start", ("a", ""), Some(Class::Start)),
            (2, 2, "kill", ("signal", "15"), None),
            (3, 12, "kill", ("signal", "9"), None),
            (4, 12, "die", ("exitCode", "137"), Some(Class::Stop)),
            (5, 12, "stop", ("a", ""), None),
            (6, 13, "start", ("a", ""), Some(Class::Start)),
            (7, 14, "die", ("exitCode", "137"), Some(Class::Failure)),
            (8, 15, "start", ("a", ""), Some(Class::Start)),
            (9, 15, "restart", ("a", ""), None),
            (10, 16, "die", ("exitCode", "0"), Some(Class::Other)),
            (11, 40, "stop", ("a", ""), Some(Class::Stop)),
            (12, 41, "kill", ("signal", "1"), Some(Class::Other)),
            (13, 42, "die", ("exitCode", "1"), Some(Class::Stop)),
            (14, 43, "start", ("a", ""), Some(Class::Start)),
            (15, 44, "kill", ("signal", "15"), None),
            (16, 244, "die", ("exitCode", "1"), Some(Class::Failure)),
            (17, 245, "kill", ("signal", "9"), None),
            (18 + WINDOW, 246, "die", ("exitCode", "1"), Some(Class::Failure)),
            (19 + WINDOW, 247, "health_status: healthy", ("a", ""), Some(Class::Other)),
            (20 + WINDOW, 248, "health_status: unhealthy", ("a", ""), Some(Class::Health)),
            (21 + WINDOW, 249, "health_status", ("health_status", "unhealthy"), Some(Class::Health)),
            (22 + WINDOW, 250, "create", ("a", ""), Some(Class::Other)),
            (23 + WINDOW, 251, "rename", ("a", ""), Some(Class::Change)),
        ] {
            assert_eq!(read(&mut classifier, seq, second, action, attribute).0, class, "{seq}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_values_are_short() {
        let mut classifier = Classifier::default();
        for seq in 0..3 * WINDOW {
            classifier.of_container(&seq.to_string(), "kill", seq, 0, 9, true);
            assert!(classifier.containers.len() as u64 <= WINDOW + 1);
        }
        let (_, subject, exit_bytes) = read(&mut classifier, 1, 1, "die", ("exitCode", &"9".repeat(1000)));
        assert_eq!((subject.as_deref(), exit_bytes), (Some("web"), Some(MAX_VALUE_BYTES)));
    }
}
