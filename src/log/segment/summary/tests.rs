use super::*;
use crate::event::{Event, Noise};
use crate::filter::Subject as Matched;
use crate::time::Timestamp;
use proptest::prelude::*;

fn event(kind: &str, action: &str, id: &str, name: &str) -> Event {
    if (kind, action) == ("recorder", "gap") {
        return Event::recorder(action, id, &[("name", name), ("reason", "damage")], Timestamp::from_nanos(5));
    }
    // An exit code, a project and a service that follow from the rest.
    let (code, group) = ((id.len() % 3).to_string(), name.chars().take(2).collect::<String>());
    let mut attributes = serde_json::json!({"name": name, "exitCode": code,
        "com.docker.compose.project": group, "com.docker.compose.service": group});
    // Podman has the status of health elsewhere: one of its versions beside the actor, another among the
    // attributes.
    let status = if name.len().is_multiple_of(2) { "unhealthy" } else { "healthy" };
    let beside = action == "health_status" && id.len().is_multiple_of(2);
    if action == "health_status" && !beside {
        attributes["health_status"] = status.into();
    }
    let mut json = serde_json::json!({"Type": kind, "Action": action, "Actor": {"ID": id, "Attributes": attributes}});
    if beside {
        json["HealthStatus"] = status.into();
    }
    Event::from_line(json.to_string().as_bytes()).unwrap()
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]{0,3}",
        "[ab]{6,10}",
        "(exec_create|exec_start): [ab]{0,3}",
        "(die|oom|start|exec_die|observed|health_status|health_status: (un)?healthy)",
        "(recorder|gap)",
        "sha256:[ab]{7,9}",
        "[aé]{28,50}",
        ".{0,3}"
    ]
}

/// As it was stored before there were positions.
fn without_positions(summaries: &Summaries<'_>) -> Vec<u8> {
    let Summaries { sources, kinds, actions, rows, frames } = summaries;
    let frames = frames.iter().map(|frame| frame.iter().map(|seen| (seen.distance, seen.actions)).collect()).collect();
    let old = WithoutPositions { sources: sources.clone(), kinds: kinds.clone(), actions: actions.clone(), rows: rows.clone(), frames };
    zstd::bulk::compress(&bincode().serialize(&old).unwrap(), ZSTD_LEVEL).unwrap()
}

fn may_be_at(candidates: &Candidates, line: u32) -> bool {
    match candidates {
        Candidates::Nowhere => false,
        Candidates::Anywhere => true,
        Candidates::At(positions) => line < positions.end() && positions.lines().any(|at| at == line),
    }
}

proptest! {
    #[test]
    fn never_says_no_where_there_is_something(
        events in prop::collection::vec((word(), word(), word(), word(), word()), 1..40),
        frame_lines in prop_oneof![1usize..4, 9usize..15],
        keys in prop::collection::vec((prop::sample::select(&crate::filter::KEYS[..]), word(), any::<bool>(), any::<bool>()), 0..3),
    ) {
        let mut builder = SummaryBuilder::default();
        let frames: Vec<_> = events.chunks(frame_lines).collect();
        for frame in &frames {
            for (source, kind, action, id, name) in *frame {
                builder.add(source, &event(kind, action, id, name).view());
            }
            builder.end_frame();
        }
        let stored = SummaryChunk::unpack(&builder.finish().unwrap(), frames.len(), true).unwrap();
        let stored = stored.summaries().unwrap();
        let old = SummaryChunk::unpack(&without_positions(&stored), frames.len(), false).unwrap();
        let old = old.summaries().unwrap();
        // Through a merge as well.
        let merged = [&stored, &old].map(|from| {
            let mut merged = SummaryBuilder::default();
            (0..frames.len()).for_each(|frame| merged.copy_frame(from, frame));
            SummaryChunk::unpack(&merged.finish().unwrap(), frames.len(), true).unwrap()
        });
        let [merged, merged_old] = merged.each_ref().map(|merged| merged.summaries().unwrap());
        let terms = |excluded: bool| -> Vec<String> {
            let term = |(key, value, _, star): &(&str, String, bool, bool)| match (*key, value.len() % 4) {
                ("exit", 3) => "exit=*".to_owned(),
                ("exit", code) => format!("exit{}={code}", if *star { "!" } else { "" }),
                _ => format!("{key}={value}{}", if *star { "*" } else { "" }),
            };
            keys.iter().filter(|k| k.2 == excluded).map(term).collect()
        };
        let filter = Filter::from_terms(&terms(false), &terms(true)).unwrap();
        let telling = filter.clone().telling_losses();
        for (summaries, filter) in [&stored, &old, &merged, &merged_old].into_iter().flat_map(|all| [(all, &filter), (all, &telling)]) {
            let verdict = summaries.judge(filter);
            for (at, frame) in frames.iter().enumerate() {
                let candidates = verdict.candidates(at);
                for (line, (source, kind, action, id, name)) in (0..).zip(*frame) {
                    let noise = name.len().is_multiple_of(2).then_some(Noise::HealthCheck);
                    let event = event(kind, action, id, name);
                    let holds = filter.matches(&Matched { source, noise, foreign: false, event: &event.view() });
                    prop_assert!(!holds || filter.may_match_text(event.as_json().as_bytes()), "{filter}: {event:?}");
                    prop_assert!(!holds || may_be_at(&candidates, line), "{filter} in line {line} of {frame:?}: {candidates:?}");
                }
            }
        }
    }
}

#[test]
fn passes_over_what_cannot_match() {
    let mut builder = SummaryBuilder::default();
    let add = |builder: &mut SummaryBuilder, action: &str, id: &str, name: &str| {
        builder.add("local", &event("container", action, id, name).view());
    };
    for n in 0..200 {
        add(&mut builder, &format!("exec_start: {n}"), "0123456789abcdef", "api");
    }
    add(&mut builder, "die", "fedcba9876543210", "db");
    builder.end_frame();
    add(&mut builder, "die", "0123456789abcdef", "api");
    builder.end_frame();
    for n in 0..200 {
        add(&mut builder, &format!("odd-{n}"), "fedcba9876543210", "db");
    }
    builder.end_frame();
    let packed = builder.finish().unwrap();
    assert!(SummaryChunk::unpack(&packed, 4, true).unwrap().summaries().is_err(), "about other frames");
    let summary_chunk = SummaryChunk::unpack(&packed, 3, true).unwrap();
    let summaries = summary_chunk.summaries().unwrap();
    let frames = |terms: &[&str]| {
        let terms: Vec<_> = terms.iter().map(|t| (*t).to_owned()).collect();
        let filter = Filter::from_terms(&terms, &[]).unwrap();
        let verdict = summaries.judge(&filter);
        [0, 1, 2, 99].map(|frame| verdict.candidates(frame) != Candidates::Nowhere)
    };
    assert_eq!(frames(&["event=die", "container=api"]), [false, true, false, true], "an unknown frame may hold anything");
    assert_eq!(frames(&["container=0123456789abcdef", "event=die"])[..2], [false, true]);
    assert_eq!(frames(&["container=db"])[..3], [true, false, true]);
    assert_eq!(frames(&["event=odd-199", "container=db"])[..3], [false, false, true], "beyond the actions that are told apart");
    assert_eq!(frames(&["event=exec_start: 7"])[..2], [true, false]);
    assert_eq!(frames(&["container=0123999"])[..2], [false, false]);
    assert_eq!(frames(&["container=0123*", "event=di*"])[..2], [false, true]);
    assert_eq!(frames(&["exit=0", "container=api"])[..2], [false, true], "nothing that ends");
    assert_eq!(frames(&["exit!=0", "container=db"])[..2], [true, false]);
    assert_eq!(frames(&["text=nothing"])[..2], [true, true], "only the records tell");
    let quiet = Filter::from_terms(&[], &["event=exec_*".to_owned(), "container=db".to_owned()]).unwrap();
    assert_eq!(summaries.judge(&quiet).candidates(0), Candidates::Nowhere, "all noise");
    assert_ne!(summaries.judge(&quiet).candidates(1), Candidates::Nowhere);
}

#[test]
fn tells_where_what_incidents_are_searched_for_is() {
    let mut builder = SummaryBuilder::default();
    for n in 0..2000 {
        let (action, name) = match n {
            3 | 1500 => ("oom", "db"),
            300 => ("die", "api"),
            900 => ("destroy", "api"),
            _ => ("start", "web"),
        };
        builder.add("local", &event("container", action, &format!("{n:08}"), name).view());
    }
    builder.end_frame();
    let summary_chunk = SummaryChunk::unpack(&builder.finish().unwrap(), 1, true).unwrap();
    let summaries = summary_chunk.summaries().unwrap();
    let candidates = |terms: &[&str]| {
        let terms: Vec<_> = terms.iter().map(|t| (*t).to_owned()).collect();
        summaries.judge(&Filter::from_terms(&terms, &[]).unwrap()).candidates(0)
    };
    let Candidates::At(positions) = candidates(&["event=die", "container=api"]) else { panic!("known to be in one position") };
    assert_eq!((positions.lines().collect::<Vec<_>>(), positions.end()), (vec![300, 301, 302, 303], 304));
    assert_eq!(candidates(&["event=oom"]), Candidates::Anywhere, "after the last position");
    assert_eq!(candidates(&["event=destroy", "container=api"]), Candidates::Anywhere, "not one whose positions are told");
    assert_eq!(candidates(&["event=oom", "container=api"]), Candidates::Nowhere);
}
