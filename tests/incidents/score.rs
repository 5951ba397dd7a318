//! What the fold finds, against what the labels of recordings expect.

use crate::recordings::{Expected, Recording};
use shipslog::projection::incidents::{Confidence, Shown, State, step, view};
use std::collections::BTreeSet;

#[derive(Default)]
pub(crate) struct Score {
    pub(crate) expected: usize,
    pub(crate) found: usize,
    /// Told as a phase of one that was still open.
    pub(crate) phases: usize,
    pub(crate) kind: usize,
    pub(crate) severity: usize,
    pub(crate) state: usize,
    pub(crate) start: usize,
    pub(crate) causes: usize,
    pub(crate) named: usize,
    pub(crate) extra: usize,
    pub(crate) quiet: usize,
    pub(crate) kept_quiet: usize,
    /// What is not as labelled, one line each: recording and what.
    pub(crate) faults: Vec<String>,
}

/// A conclusion that may answer an expectation: an incident, or a phase of one.
struct Told<'a> {
    incident: &'a Shown,
    kind: String,
    severity: String,
    start: i64,
    firsts: Vec<u64>,
    text: String,
}

fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap_or_default().to_owned()
}

fn seq(cursor: &str) -> u64 {
    cursor.split_once('-').unwrap().1.parse().unwrap()
}

pub(crate) fn shown(recording: &Recording) -> shipslog::projection::incidents::View {
    let mut state = State::default();
    for record in &recording.records {
        step(&mut state, record);
    }
    view(&state, &recording.log.into(), recording.as_of)
}

fn whole(incident: &Shown) -> Told<'_> {
    let text =
        std::iter::once(&incident.title).chain(incident.cause.iter().map(|cause| &cause.text)).cloned().collect::<Vec<_>>().join(" ");
    let firsts = std::iter::once(seq(&incident.first)).chain(incident.evidence.first().map(|first| seq(first))).collect();
    Told { incident, kind: word(&incident.kind), severity: word(&incident.severity), start: incident.start.nanos(), firsts, text }
}

fn parts(incident: &Shown) -> impl Iterator<Item = Told<'_>> {
    incident.phases.iter().map(move |phase| {
        let text = std::iter::once(&phase.text).chain(phase.cause.iter().map(|cause| &cause.text)).cloned().collect::<Vec<_>>().join(" ");
        Told {
            incident,
            kind: word(&phase.kind),
            severity: word(&phase.severity),
            start: phase.start.nanos(),
            firsts: vec![seq(&phase.first)],
            text,
        }
    })
}

const SECOND: i64 = 1_000_000_000;

#[expect(clippy::cast_possible_truncation, reason = "seconds of slack are small")]
fn begins(told: &Told<'_>, want: &Expected) -> bool {
    let slack = (want.start_slack.unwrap_or(0.5) * 1e9) as i64;
    want.start.seq.is_some_and(|seq| told.firsts.contains(&seq)) || (told.start - want.start()).abs() < slack
}

/// Whether a cause that a label names is in the words: those that have a fixed form, and the rest by its key
/// word.
fn names(text: &str, cause: &str) -> Option<bool> {
    let text = text.to_lowercase();
    let cause = cause.to_lowercase();
    let first = cause.split([':', ',']).next().unwrap_or_default();
    let has = |part: &str| text.contains(part);
    Some(if let Some(code) = first.strip_prefix("exit ") {
        let code = code.split(' ').next().unwrap_or_default();
        if !code.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        has(&format!("exit {code}")) || (code == "137" && has("memory"))
    } else if first == "oom" {
        has("memory")
    } else if first.starts_with("deploy") {
        has("deploy") || has("service update")
    } else if first.starts_with("image ") && first.contains("->")
        || first.starts_with("volume ")
        || first.starts_with("network ")
        || first == "volumes pruned"
    {
        has(first)
    } else if let Some(what) = first.strip_suffix(" changed") {
        has(what)
    } else if first.starts_with("label ") {
        has(first.trim_end_matches(" added"))
    } else if first == "health check failed" {
        has("health check failed") || has("unhealthy")
    } else if first == "never started" {
        has("never started") || has("waits for")
    } else if first == "limits updated before" {
        has("updated")
    } else if first.contains("had taken it away") || first.contains("stays down although") {
        has("takes a restart policy away")
    } else {
        return None;
    })
}

impl Score {
    pub(crate) fn add(&mut self, recording: &Recording) {
        let view = shown(recording);
        let mut left: Vec<&Shown> = view.incidents.iter().collect();
        let mut faults = Vec::new();
        for want in &recording.label.incidents {
            let is_about = |shown: &&Shown| {
                shown.subject == want.subject
                    && (want.kind == "mass" || want.kind == "host") == matches!(&*word(&shown.kind), "mass" | "host")
            };
            let near = |told: &Told<'_>| (told.start - want.start()).abs();
            let hit = left.iter().copied().filter(is_about).map(whole).min_by_key(|told| near(told));
            if !want.counts() {
                if let Some(hit) = hit.filter(|hit| want.optional && near(hit) < 10 * SECOND) {
                    left.retain(|shown| shown.id != hit.incident.id);
                }
                continue;
            }
            self.expected += 1;
            let exact = hit.filter(|hit| begins(hit, want) || want.kind_any.is_empty() || near(hit) <= 8 * SECOND);
            let told = match exact {
                Some(exact) => {
                    self.found += 1;
                    left.retain(|shown| shown.id != exact.incident.id);
                    // Several troubles in one: this one is its first phase.
                    let part = parts(exact.incident).find(|part| begins(part, want) && want.is_kind(&part.kind));
                    if want.is_kind(&exact.kind) { exact } else { part.unwrap_or(exact) }
                }
                None => {
                    let of = view.incidents.iter().chain(&view.merged).filter(|shown| shown.subject == want.subject);
                    let mut phases: Vec<Told<'_>> = of.clone().flat_map(parts).collect();
                    phases.extend(of.clone().map(whole));
                    let phase =
                        phases.into_iter().min_by_key(|told| near(told)).filter(|told| begins(told, want) || near(told) <= 8 * SECOND);
                    let Some(phase) = phase else {
                        let over = of.clone().find(|shown| {
                            shown.start.nanos() - 2 * SECOND <= want.start()
                                && shown.end.is_none_or(|end| want.start() <= end.nanos() + 2 * SECOND)
                        });
                        faults.push(format!(
                            "MISSED {} {} at {:?}{}",
                            want.kind,
                            want.subject,
                            want.start.seq,
                            over.map_or(String::new(), |shown| format!(" (inside «{}»)", shown.title))
                        ));
                        continue;
                    };
                    self.phases += 1;
                    phase
                }
            };
            let mut check = |count: &mut usize, good: bool, fault: String| {
                *count += usize::from(good);
                if !good {
                    faults.push(fault);
                }
            };
            let (severity, state) = (told.severity.clone(), word(&told.incident.state));
            let who = format!("{} {}", want.subject, want.kind);
            check(&mut self.kind, want.is_kind(&told.kind), format!("{who}: kind {}", told.kind));
            check(&mut self.severity, want.is_severity(&severity), format!("{who}: severity {severity} for {}", want.severity));
            let resolution = told.incident.resolution.map(|how| word(&how));
            let good = want.state == "any" || (want.state == state && (want.resolution.is_none() || want.resolution == resolution));
            check(&mut self.state, good, format!("{who}: state {state} {resolution:?} for {} {:?}", want.state, want.resolution));
            check(
                &mut self.start,
                want.start.time.is_some() && begins(&told, want),
                format!("{who}: start {:?} for {:?}", told.firsts, want.start.seq),
            );
            let sure = told.incident.confidence == Confidence::Complete;
            if want.qualified == sure {
                check(&mut 0, false, format!("{who}: qualified {:?}", told.incident.qualified));
            }
            for cause in &want.cause {
                if let Some(named) = names(&told.text, cause) {
                    self.named += 1;
                    check(&mut self.causes, named, format!("{who}: cause «{cause}» not in «{}»", told.text));
                }
            }
            if !want.also.is_empty() {
                let told: BTreeSet<&str> =
                    told.incident.subjects.iter().filter(|part| part.role == "affected").map(|part| &*part.key).collect();
                let want: BTreeSet<&str> = want.also.iter().map(String::as_str).collect();
                if told != want {
                    faults.push(format!("{who}: affected {told:?} for {want:?}"));
                }
            }
        }
        for shown in &left {
            faults.push(format!("EXTRA {} {} {}: {}", word(&shown.severity), word(&shown.kind), shown.first, shown.title));
        }
        self.extra += left.len();
        if !recording.label.incidents.iter().any(Expected::counts) {
            self.quiet += 1;
            self.kept_quiet += usize::from(left.is_empty());
        }
        self.faults.extend(faults.into_iter().map(|fault| format!("{}: {fault}", recording.name)));
    }

    pub(crate) fn row(&self, name: &str) -> String {
        let Self { expected, found, phases, kind, severity, state, start, causes, named, extra, quiet, kept_quiet, .. } = self;
        format!(
            "{name:<14} {expected:>8} {found:>5} +{phases:<3} {kind:>5} {severity:>5} {state:>5} {start:>5} {causes:>4} of {named:<4} {extra:>5} {kept_quiet:>3} of {quiet}"
        )
    }
}

pub(crate) const HEAD: &str = "                expected found +ph.  kind  sev. state start    causes   false  quiet";
