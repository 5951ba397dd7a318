use super::*;
use crate::event::{Event, Noise};
use crate::filter::Subject as Matched;
use proptest::prelude::*;

fn event(kind: &str, action: &str, id: &str, name: &str) -> Event {
    let json = serde_json::json!({"Type": kind, "Action": action, "Actor": {"ID": id, "Attributes": {"name": name}}});
    Event::from_line(json.to_string().as_bytes()).unwrap()
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]{0,3}",
        "[ab]{6,10}",
        "(exec_create|exec_start): [ab]{0,3}",
        "(die|oom|start|health_status: healthy)",
        "sha256:[ab]{7,9}",
        "[aé]{28,50}",
        ".{0,3}"
    ]
}

proptest! {
    #[test]
    fn never_says_no_where_there_is_something(
        events in prop::collection::vec((word(), word(), word(), word(), word()), 1..40),
        keys in prop::collection::vec((prop::sample::select(&crate::filter::KEYS[..]), word(), any::<bool>(), any::<bool>()), 0..3),
    ) {
        let mut builder = SubjectsBuilder::default();
        let frames: Vec<_> = events.chunks(3).collect();
        for frame in &frames {
            for (source, kind, action, id, name) in *frame {
                builder.add(source, &event(kind, action, id, name).view());
            }
            builder.end_frame();
        }
        let stored = Summaries::unpack(&builder.finish().unwrap(), frames.len()).unwrap();
        let stored = stored.subjects().unwrap();
        // Through a merge as well.
        let mut merged = SubjectsBuilder::default();
        (0..frames.len()).for_each(|frame| merged.copy_frame(&stored, frame));
        let merged = Summaries::unpack(&merged.finish().unwrap(), frames.len()).unwrap();
        let merged = merged.subjects().unwrap();
        let terms = |excluded: bool| -> Vec<String> {
            keys.iter().filter(|k| k.2 == excluded).map(|(key, value, _, star)| format!("{key}={value}{}", if *star && excluded { "*" } else { "" })).collect()
        };
        let filter = Filter::from_terms(&terms(false), &terms(true)).unwrap();
        for subjects in [&stored, &merged] {
            let candidates = subjects.candidates(&filter);
            for (at, frame) in frames.iter().enumerate() {
                let holds = frame.iter().any(|(source, kind, action, id, name)| {
                    let noise = name.len().is_multiple_of(2).then_some(Noise::HealthCheck);
                    filter.matches(&Matched { source, noise, event: &event(kind, action, id, name).view() })
                });
                prop_assert!(!holds || candidates.may_match(at), "{filter} in {frame:?}");
            }
        }
    }
}

#[test]
fn passes_over_what_cannot_match() {
    let mut builder = SubjectsBuilder::default();
    let add = |builder: &mut SubjectsBuilder, action: &str, id: &str, name: &str| {
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
    assert!(Summaries::unpack(&packed, 4).unwrap().subjects().is_err(), "about other frames");
    let summaries = Summaries::unpack(&packed, 3).unwrap();
    let subjects = summaries.subjects().unwrap();
    let frames = |terms: &[&str]| {
        let terms: Vec<_> = terms.iter().map(|t| (*t).to_owned()).collect();
        let filter = Filter::from_terms(&terms, &[]).unwrap();
        let candidates = subjects.candidates(&filter);
        [candidates.may_match(0), candidates.may_match(1), candidates.may_match(2), candidates.may_match(99)]
    };
    assert_eq!(frames(&["event=die", "container=api"]), [false, true, false, true], "an unknown frame may hold anything");
    assert_eq!(frames(&["container=0123456789abcdef", "event=die"])[..2], [false, true]);
    assert_eq!(frames(&["container=db"])[..3], [true, false, true]);
    assert_eq!(frames(&["event=odd-199", "container=db"])[..3], [false, false, true], "beyond the actions that are told apart");
    assert_eq!(frames(&["event=exec_start: 7"])[..2], [true, false]);
    assert_eq!(frames(&["container=0123999"])[..2], [false, false]);
    let quiet = Filter::from_terms(&[], &["event=exec_*".to_owned(), "container=db".to_owned()]).unwrap();
    assert!(!subjects.candidates(&quiet).may_match(0), "all noise");
    assert!(subjects.candidates(&quiet).may_match(1));
}
