//! What holds whatever was recorded.

use crate::recordings::{self, Recording};
use bincode::Options as _;
use proptest::prelude::*;
use shipslog::event::Record;
use shipslog::projection::incidents::{State, View, advance, step, view};
use shipslog::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// Recordings that are short enough to be folded thousands of times: without their dullest records.
fn short() -> &'static [Recording] {
    static SHORT: OnceLock<Vec<Recording>> = OnceLock::new();
    SHORT.get_or_init(|| {
        let mut all = recordings::all("");
        all.retain(|recording| !recording.name.starts_with("day"));
        for recording in &mut all {
            recording.records.retain(|record| record.event.noise().is_none());
        }
        all
    })
}

fn fold(records: &[Record]) -> State {
    let mut state = State::default();
    for record in records {
        step(&mut state, record);
    }
    state
}

/// Through the form in which a state is kept.
fn kept(state: &State) -> State {
    let bytes = bincode::options().serialize(state).unwrap();
    bincode::options().deserialize(&bytes).unwrap()
}

fn told(view: &View) -> String {
    serde_json::to_string(&(&view.incidents, &view.notices, &view.merged)).unwrap()
}

/// The time before the next record, at most so far after this one. Before a start of the recorder nothing
/// tells how long the one before it listened.
fn between(recording: &Recording, place: usize, nanos: i64) -> Timestamp {
    let next = recording.records.get(place + 1);
    let killed = next.is_some_and(|next| next.event.is_own() && next.event.view().action.as_deref() == Some("start"));
    let nanos = if killed { 0 } else { nanos };
    let at = Timestamp::from_nanos(recording.records[place].received.nanos().saturating_add(nanos));
    at.min(recording.records.get(place + 1).map_or(recording.as_of, |next| next.received))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_cut_anywhere_changes_nothing(which in any::<prop::sample::Index>(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        let recording = which.get(short());
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(recording.records.len())).collect();
        places.sort_unstable();
        let (mut state, mut from) = (State::default(), 0);
        for place in places {
            for record in &recording.records[from..place] {
                step(&mut state, record);
            }
            state = kept(&state);
            from = place;
        }
        for record in &recording.records[from..] {
            step(&mut state, record);
        }
        prop_assert_eq!(state, fold(&recording.records), "{}", &recording.name);
    }

    #[test]
    fn it_does_not_matter_when_time_is_told(which in any::<prop::sample::Index>(), tells in proptest::collection::vec((any::<prop::sample::Index>(), 0i64..20_000_000_000), 1..20)) {
        let recording = which.get(short());
        let records = &recording.records;
        let mut at: BTreeMap<usize, Timestamp> = BTreeMap::new();
        for (place, nanos) in tells {
            let place = place.index(records.len());
            at.insert(place, between(recording, place, nanos));
        }
        let mut state = State::default();
        for (place, record) in records.iter().enumerate() {
            step(&mut state, record);
            if let Some(now) = at.get(&place) {
                advance(&mut state, *now);
            }
        }
        let plain = fold(records);
        let show = |state: &State| told(&view(state, &recording.log.into(), recording.as_of));
        prop_assert_eq!(show(&state), show(&plain), "{}", &recording.name);
    }

    #[test]
    fn the_known_disorder_of_a_daemon_changes_no_conclusion(which in any::<prop::sample::Index>(), seed in any::<u64>()) {
        let recording = which.get(short());
        let swapped = disordered(&recording.records, seed);
        let show = |records: &[Record]| -> Vec<String> {
            let view = view(&fold(records), &recording.log.into(), recording.as_of);
            view.incidents.iter().map(|one| format!("{} {:?} {:?} {:?} {:?} {}", one.subject, one.kind, one.severity, one.state, one.resolution, one.counts.deaths)).collect()
        };
        prop_assert_eq!(show(&swapped), show(&recording.records), "{}", &recording.name);
    }
}

/// Some neighbours changed places that the daemon is known to mix up: `stop`, `oom` and `network disconnect`
/// beside the `die` that they belong to, `restart` beside its `start`, all within a few milliseconds.
fn disordered(records: &[Record], mut seed: u64) -> Vec<Record> {
    let mut records = records.to_vec();
    let mut place = 0;
    while place + 1 < records.len() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (a, b) = (&records[place], &records[place + 1]);
        let close = b.time.nanos().saturating_sub(a.time.nanos()).abs() < 5_000_000 && b.received == b.received.max(a.received);
        if close && seed >> 63 == 1 && are_mixed(a, b) {
            let (seqs, received) = ((a.seq, b.seq), (a.received, b.received));
            records.swap(place, place + 1);
            let (first, second) = records.split_at_mut(place + 1);
            (first[place].seq, second[0].seq) = seqs;
            (first[place].received, second[0].received) = received;
            place += 1;
        }
        place += 1;
    }
    records
}

fn are_mixed(a: &Record, b: &Record) -> bool {
    let (a, b) = (a.event.fields(), b.event.fields());
    let same = a.actor_id == b.actor_id && a.kind == b.kind;
    let pair = |one: &str, other: &str| (a.action == one && b.action == other) || (a.action == other && b.action == one);
    (same && (pair("stop", "die") || pair("oom", "die") || pair("start", "restart"))) || (a.actor_id != b.actor_id && pair("kill", "kill"))
}

#[test]
fn health_checks_left_out_change_nothing() {
    for recording in recordings::all("") {
        let without: Vec<Record> = recording.records.iter().filter(|record| record.event.noise().is_none()).cloned().collect();
        let show = |records: &[Record]| told(&view(&fold(records), &recording.log.into(), recording.as_of));
        assert_eq!(show(&without), show(&recording.records), "{}", recording.name);
    }
}

#[test]
fn a_view_after_each_record_names_nobody_without_trouble() {
    let mut views = 0;
    for recording in short().iter().filter(|recording| !recording.name.contains("chaos")) {
        let wanted: BTreeSet<&str> = recording
            .label
            .incidents
            .iter()
            .flat_map(|want| std::iter::once(&*want.subject).chain(want.also.iter().map(|also| &**also)))
            .collect();
        let mut state = State::default();
        for record in &recording.records {
            step(&mut state, record);
            views += 1;
            for incident in view(&state, &recording.log.into(), record.received).incidents {
                assert!(
                    wanted.contains(&*incident.subject) || incident.subject == "prod-1",
                    "{} after {}: {}",
                    recording.name,
                    record.seq,
                    incident.title
                );
            }
        }
    }
    println!("{views} views");
}

#[test]
fn what_is_over_can_be_taken_out() {
    for recording in recordings::all("").iter().filter(|recording| recording.name.starts_with("day") || recording.name.contains("chaos")) {
        let (mut state, mut taken) = (State::default(), Vec::new());
        for (place, record) in recording.records.iter().enumerate() {
            step(&mut state, record);
            if place % 97 == 0 {
                taken.extend(state.take_settled(&recording.log.into()));
            }
        }
        let late = Timestamp::from_nanos(recording.as_of.nanos() + 40 * 60 * 1_000_000_000);
        let whole = view(&fold(&recording.records), &recording.log.into(), late);
        advance(&mut state, late);
        taken.extend(state.take_settled(&recording.log.into()));
        let rest = view(&state, &recording.log.into(), late);
        let all = |view: View| -> BTreeMap<String, String> {
            let all = view.incidents.into_iter().chain(view.notices).chain(view.merged);
            all.map(|one| (one.id.clone(), serde_json::to_string(&one).unwrap())).collect()
        };
        assert!(!taken.is_empty(), "{}", recording.name);
        let mut told = all(rest);
        assert!(taken.iter().all(|one| !told.contains_key(&one.id)));
        told.extend(taken.iter().map(|one| (one.id.clone(), serde_json::to_string(one).unwrap())));
        assert_eq!(told, all(whole), "{}", recording.name);
    }
}

#[test]
fn revisions_rise_by_one_and_ids_stay() {
    for recording in short() {
        let mut state = State::default();
        let mut known: BTreeMap<String, (u64, String)> = BTreeMap::new();
        for record in &recording.records {
            step(&mut state, record);
            let now = view(&state, &recording.log.into(), record.received);
            let all = || now.incidents.iter().chain(&now.notices).chain(&now.merged);
            for one in all() {
                let text = serde_json::to_string(one).unwrap();
                if let Some((revision, before)) = known.get(&one.id) {
                    assert!(one.revision >= *revision, "{} {}", recording.name, one.id);
                    // The same revision says the same; one that was taken in has told its last.
                    assert!(
                        one.revision > *revision || *before == text || one.merged_into.is_some(),
                        "{} after {}:\n{before}\n{text}",
                        recording.name,
                        record.seq
                    );
                }
                known.insert(one.id.clone(), (one.revision, text));
            }
            assert!(known.keys().all(|id| all().any(|one| one.id == *id)), "{}: an incident is gone", recording.name);
        }
    }
}
