//! Revisions as they are told one by one.

use crate::recordings::{self, Recording};
use bincode::Options as _;
use proptest::prelude::*;
use shipslog::event::{Event, Record, TICK};
use shipslog::projection::incidents::{Shown, State, advance, step, view};
use shipslog::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Steps of work of one record in these recordings, at most: each is of some dozen containers.
const MOST_WORK: u64 = 500;

/// Recordings with a `tick` wherever the recorder would have made one, since time alone changed an incident.
pub(crate) fn ticking() -> &'static [Recording] {
    static TICKING: OnceLock<Vec<Recording>> = OnceLock::new();
    TICKING.get_or_init(|| recordings::all("").into_iter().filter(|recording| !recording.name.starts_with("day")).map(with_ticks).collect())
}

fn with_ticks(mut recording: Recording) -> Recording {
    let (mut state, mut records, mut seq) = (State::default(), Vec::new(), 0);
    let ends: Vec<Timestamp> = recording.records.iter().skip(1).map(|record| record.received).chain([recording.as_of]).collect();
    let mut push = |state: &mut State, record: Record| {
        seq += 1;
        let record = Record { seq, ..record };
        step(state, &record);
        records.push(record);
    };
    for (record, until) in recording.records.drain(..).zip(ends) {
        push(&mut state, record);
        while let Some(due) = state.next_due().map(Timestamp::from_nanos).filter(|due| *due < until) {
            let mut later = state.clone();
            advance(&mut later, due);
            if later.revisions() == 0 {
                // Nothing that would be told: it happens all the same, at its time.
                state = later;
                continue;
            }
            let event = Event::recorder(TICK, "shipslog", &[], due);
            push(&mut state, Record { seq: 0, time: due, received: due, source: "shipslog".into(), event });
        }
    }
    Recording { records, ..recording }
}

/// Every revision of these records, each with its record and its number among those of that one.
fn told(state: &mut State, recording: &Recording, records: &[Record]) -> Vec<(u64, usize, Shown)> {
    state.tell(Some(&recording.log.into()));
    let mut all = Vec::new();
    for record in records {
        step(state, record);
        all.extend(state.take_told().into_iter().enumerate().map(|(nth, shown)| (record.seq, nth, shown)));
    }
    all
}

#[test]
fn each_revision_is_told_once_and_the_last_is_what_a_view_shows() {
    let mut ticks = 0;
    for recording in ticking() {
        ticks += recording.records.iter().filter(|record| record.event.fields().action == TICK).count();
        let mut state = State::default();
        let all = told(&mut state, recording, &recording.records);
        let mut last: BTreeMap<&str, &Shown> = BTreeMap::new();
        for (seq, _, shown) in &all {
            let before = last.insert(&shown.id, shown);
            let expected = before.map_or(1, |before| before.revision + 1);
            assert_eq!(shown.revision, expected, "{} at {seq}: {}", recording.name, shown.id);
            assert!(before.is_none_or(|before| before.merged_into.is_none()), "{}: {} has told its last", recording.name, shown.id);
        }
        let received = recording.records.last().unwrap().received;
        let now = view(&state, &recording.log.into(), received);
        for shown in now.incidents.iter().chain(&now.notices) {
            assert_eq!(last.get(shown.id.as_str()), Some(&shown), "{}", recording.name);
        }
        assert_eq!(now.merged.len() + now.incidents.len() + now.notices.len(), last.len(), "{}", recording.name);
    }
    println!("{ticks} ticks");
    assert!(ticks > 100, "{ticks}");
}

#[test]
fn time_that_passes_without_a_record_changes_nothing_that_was_told() {
    // Where each change by time has its record, no time between two records changes anything.
    for recording in ticking() {
        let mut state = State::default();
        for (record, next) in recording.records.iter().zip(recording.records.iter().skip(1)) {
            step(&mut state, record);
            let mut later = state.clone();
            let just_before = Timestamp::from_nanos(next.received.nanos() - 1);
            advance(&mut later, just_before);
            assert_eq!(later.revisions(), 0, "{} after {}", recording.name, record.seq);
        }
    }
}

#[test]
fn the_work_of_a_record_is_counted_and_bounded() {
    let (mut all, mut records) = (0, 0);
    for recording in ticking() {
        let (mut state, mut before) = (State::default(), 0);
        for record in &recording.records {
            step(&mut state, record);
            let work = state.work() - before;
            assert!(work <= MOST_WORK, "{} at {}: {work}", recording.name, record.seq);
            before += work;
        }
        (all, records) = (all + before, records + recording.records.len() as u64);
    }
    println!("{all} steps of work for {records} records");
    assert!(all > 0 && all <= 2 * records, "{all} for {records}: it grows with what is remembered");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn who_resumes_at_any_place_is_told_the_rest(which in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
        let recording = which.get(ticking());
        let place = cut.index(recording.records.len());
        let whole = told(&mut State::default(), recording, &recording.records);
        let mut state = State::default();
        for record in &recording.records[..place] {
            step(&mut state, record);
        }
        let stored = bincode::options().serialize(&state).unwrap();
        let mut again: State = bincode::options().deserialize(&stored).unwrap();
        let rest = told(&mut again, recording, &recording.records[place..]);
        let first = recording.records[place].seq;
        let expected: Vec<_> = whole.into_iter().filter(|(seq, ..)| *seq >= first).collect();
        prop_assert_eq!(rest, expected, "{} from {}", &recording.name, first);
    }
}
