//! The fold by itself.

use crate::chain;
use crate::event::Event;
use crate::follow::testing::{Act, Deed, Folded, Host, TENANT, at, deeds, fleet, message, messages};
use crate::follow::{Base, CONFLICT_SHOWN, FOLD, HostState, Misplaced, Note, SILENT_AFTER, State, hosts, is_own_gap, step};
use crate::log::host_line;
use crate::parcel::{Head, Reason};
use crate::stream::{Outgoing, Subject};
use crate::time::Timestamp;
use proptest::prelude::*;
use std::time::Duration;

/// One of everything.
fn golden() -> Vec<Deed> {
    let acts = [
        Act::Send,
        Act::Repeat,
        Act::ToldHole(Reason::Retention),
        Act::ToldHole(Reason::Large),
        Act::Hole { before: true },
        Act::Hole { before: false },
        Act::Send,
        Act::Payload,
        Act::Send,
        Act::ToldHole(Reason::Since),
        Act::Chain,
        Act::Head,
        Act::Conflict,
        Act::Tenant,
        Act::Send,
    ];
    (0i64..).zip(&acts).flat_map(|(n, act)| (0..3).map(move |host| (host, *act, 1 + n.unsigned_abs() % 4, 7 - n))).collect()
}

/// A change of these lines changes the chain of every fleet's log: it is another fold, with another number.
#[test]
fn the_fold_makes_the_same_lines_for_ever() {
    let folded = Folded::of(&messages(&golden()));
    let lines = folded.lines.join("\n") + "\n" + &folded.bases.last().unwrap().to_text();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fleet-fold.txt");
    if std::env::var_os("SHIPSLOG_WRITE_GOLDEN").is_some() {
        std::fs::write(golden, &lines).unwrap();
    }
    assert_eq!(FOLD, 1);
    let golden = std::fs::read_to_string(golden).unwrap();
    for (n, (found, golden)) in lines.lines().zip(golden.lines()).enumerate() {
        assert_eq!(found, golden, "line {n}");
    }
    assert_eq!(lines.len(), golden.len());
}

fn event_of(line: &str) -> Event {
    let record: serde_json::Value = serde_json::from_str(line).unwrap();
    Event::from_line(record["event"].to_string().as_bytes()).unwrap()
}

#[test]
fn host_lines_come_back_and_whatever_else_there_is_is_told() {
    let folded = Folded::of(&messages(&golden()));
    for host in Host::all() {
        let Subject::Host { host: name, log, .. } = host.subject() else { panic!() };
        // Every sequence of the host once, as its line or as missing.
        let (mut next, mut kept) = (1, 0);
        for line in &folded.lines {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            if !value["origin"]["id"].as_str().unwrap().starts_with(&log) {
                continue;
            }
            let event = event_of(line);
            let view = event.view();
            let number = |name| view.attribute(name).map(|text| text.parse::<u64>().unwrap());
            if !is_own_gap(&event) {
                assert_eq!(String::from_utf8(host_line(line.as_bytes()).unwrap()).unwrap(), host.line(next));
                (next, kept) = (next + 1, kept + 1);
            } else if let Some(first) = number("first") {
                assert_eq!((first, number("lost")), (next, Some(number("last").unwrap() + 1 - first)), "{line}");
                assert!(["retention", "large", "since", "damage", "conflict"].contains(&view.attribute("reason").unwrap()));
                assert_eq!(value["source"], name);
                next = number("last").unwrap() + 1;
            } else {
                assert_eq!((view.attribute("reason"), view.attribute("why")), (Some("damage"), Some("head")));
            }
        }
        let state = folded.state.logs.iter().find(|(key, _)| key.log == log).unwrap().1;
        assert_eq!((state.next, state.lost), (next, next - 1 - kept));
        assert!(kept > 15);
    }
}

#[test]
fn several_docker_hosts_of_one_recorder_are_told_apart() {
    let folded = Folded::of(&messages(&[(1, Act::Send, 5, 0)]));
    let source = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap()["source"].as_str().unwrap().to_owned();
    let sources: Vec<_> = folded.lines.iter().map(source).collect();
    assert_eq!(sources, ["db", "db/second \"host\"", "db", "db", "db"]);
}

#[test]
fn no_message_is_taken_twice_and_places_may_be_left_out() {
    let sent = messages(&[(0, Act::Send, 5, 0), (1, Act::Tenant, 1, 0), (0, Act::Send, 5, 0)]);
    let mut state = State::begin(TENANT, 0);
    step(&mut state, &sent[0]).unwrap();
    let before = state.clone();
    assert_eq!(step(&mut state, &sent[0]).unwrap_err(), Misplaced { expected: 2, given: 1 });
    assert_eq!(state, before);
    // A place of none of shipslog's messages, which no server is given.
    assert_eq!((step(&mut state, &sent[2]).unwrap().records.len(), state.place, state.next), (5, 3, 11));
}

#[test]
fn time_never_falls_and_a_gap_says_between_which_records() {
    let folded = Folded::of(&messages(&[(0, Act::Send, 2, 10), (0, Act::Hole { before: true }, 3, -2), (0, Act::Send, 1, -2)]));
    let lines: Vec<serde_json::Value> = folded.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["received"] == at(600_000_000_000).to_string()));
    let gap = &lines[2]["event"]["Actor"]["Attributes"];
    assert_eq!((&gap["from"], &gap["until"]), (&lines[1]["time"], &lines[3]["time"]));
    assert_eq!((&gap["reason"], &gap["lost"], &gap["place"]), (&"damage".into(), &"3".into(), &"2".into()));
}

#[test]
fn a_log_that_is_new_behind_trimmed_history_is_no_damage() {
    let mut host = Host::new("late", 7);
    host.skip(10);
    let sent = host.send(3);
    let mut state = State::begin(TENANT, 99);
    let records = step(&mut state, &message(100, at(0), host.outgoing(&sent))).unwrap().records;
    assert_eq!(records.len(), 4);
    assert_eq!(records[0].event.view().attribute("reason"), Some("retention"));
    assert_eq!(records[0].event.view().attribute("last"), Some("10"));
}

#[test]
fn a_line_that_is_no_record_of_the_host_damages_its_message() {
    let mut host = Host::new("web", 7);
    let (head, lines) = host.send(3);
    let text = String::from_utf8(lines).unwrap();
    for (from, to) in [("-2\"", "-9\""), ("\"source\"", "\"sourc\""), ("\"seq\":3", "\"seq\":4"), ("{\"Type\"", "[\"Type\"")] {
        let lines = text.replacen(from, to, 1).into_bytes();
        let after = crate::parcel::mark(&chain::after(&chain::CHAIN_START, &lines));
        let sent = host.outgoing(&(Head { after, ..head.clone() }, lines));
        let mut state = State::begin(TENANT, 0);
        let folded = step(&mut state, &message(1, at(0), sent)).unwrap();
        assert_eq!(folded.records.len(), 1, "{to}");
        assert_eq!(folded.records[0].event.view().attribute("why"), Some("line"));
        assert!(matches!(&*folded.notes, [Note::Gap(..), Note::Damage(..)]), "{:?}", folded.notes);
        assert_eq!(state.logs.values().next().unwrap().next, 4);
    }
}

#[test]
fn hosts_are_shown_as_they_come_along() {
    let folded = Folded::of(&messages(&[(0, Act::Send, 2, 0), (1, Act::Conflict, 2, 0), (1, Act::Send, 2, 0), (2, Act::Send, 2, 39)]));
    let view = |folded: &Folded, as_of: Timestamp| {
        let view = hosts(&folded.state, as_of, SILENT_AFTER);
        view.iter().map(|host| (host.host.to_owned(), host.state)).collect::<Vec<_>>()
    };
    let soon = at(0).checked_add(Duration::from_secs(3600)).unwrap();
    let expected = [("ci-a", HostState::CatchingUp), ("db", HostState::Conflict), ("web-17", HostState::Live)];
    assert_eq!(view(&folded, soon), expected.map(|(host, state)| (host.to_owned(), state)));
    let late = at(0).checked_add(SILENT_AFTER).unwrap();
    assert_eq!(view(&folded, late)[2].1, HostState::Silent);
    assert_eq!(view(&folded, late)[0].1, HostState::CatchingUp);
    let json = serde_json::to_value(hosts(&folded.state, soon, SILENT_AFTER)).unwrap();
    assert_eq!(json[2]["last_arrived"], at(0).to_string());
    assert_eq!((&json[2]["next"], &json[0]["state"], &json[2]["gaps"]), (&3.into(), &"catching-up".into(), &serde_json::json!([])));
    assert_eq!(json[1]["gaps"][0], serde_json::json!({"first": 1, "last": 2, "reason": "conflict"}));
    let later = at(0).checked_add(CONFLICT_SHOWN).unwrap();
    assert_eq!(view(&folded, later)[1].1, HostState::Silent);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Restarts from bases change nothing.
    #[test]
    fn in_chunks_it_is_the_same_as_at_once(deeds in deeds(40), restarts in prop::collection::vec(any::<bool>(), 40)) {
        let messages = messages(&deeds);
        let whole = Folded::of(&messages);
        let mut chunked = Folded::begin();
        for (message, restart) in messages.iter().zip(restarts) {
            if chunked.take(message).base_due && restart {
                let base = chunked.bases.last().unwrap();
                let out = base.to_message(Subject::base(TENANT).unwrap(), 1 << 20).unwrap();
                let sent = super::super::testing::message(base.state.place + 1, at(0), out);
                chunked.state = Base::of_message(&sent).unwrap().state;
            }
        }
        prop_assert_eq!(&chunked, &whole);
        prop_assert_eq!(whole.state.next, whole.lines.len() as u64 + 1);
        prop_assert!(whole.bases.iter().all(|base| base.fleet == fleet()));
    }

    #[test]
    fn nothing_that_a_host_sends_breaks_it(head in "[ -~]{0,60}", payload in prop::collection::vec(any::<u8>(), 0..60), good in any::<bool>()) {
        let mut host = Host::new("web", 7);
        let sent = host.send(2);
        let good_head = sent.0.to_string();
        let out = Outgoing { head: if good { good_head } else { head }, payload: payload.into(), ..host.outgoing(&sent) };
        let mut folded = Folded::begin();
        folded.take(&message(1, at(0), out));
        prop_assert!(folded.lines.len() == 1 && is_own_gap(&event_of(&folded.lines[0])));
    }
}
