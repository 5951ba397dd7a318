//! Hosts of a fleet: whatever the hub sees of them when, each is judged as its own recorder judges it.

use crate::recordings::Recording;
use crate::revisions::ticking;
use crate::tape::Tape;
use proptest::prelude::*;
use shipslog::cursor::LogId;
use shipslog::event::{AtHost, Event, Record, RecordView, TICK};
use shipslog::log::GapReason;
use shipslog::projection::incidents::{
    Confidence, Shown, Standing, State, Told, View, across, advance, is_across, miss, step, step_view, view,
};
use shipslog::time::Timestamp;
use std::collections::BTreeMap;

const SECOND: i64 = 1_000_000_000;

fn ids() -> shipslog::projection::incidents::Ids {
    LogId::with_prefix(7).into()
}

/// A record of a host's log as the fleet's log holds it.
fn came<'a>(record: &'a Record, seq: u64, host: &'a str, source: &'a str, arrived: Timestamp) -> RecordView<'a> {
    let mut view = record.view();
    let name = if &*record.source == "shipslog" { host } else { source };
    view.at_host = Some(AtHost { received: record.received, source: (*record.source != *name).then(|| (&*record.source).into()) });
    (view.seq, view.source, view.received) = (seq, name.into(), arrived);
    view
}

fn later(time: Timestamp, nanos: i64) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_add(nanos))
}

fn own(action: &str, of: &str, attributes: &[(&str, &str)], time: Timestamp) -> Record {
    let event = Event::recorder(action, of, attributes, time);
    Record { seq: 0, time, received: time, source: of.into(), event }
}

/// What a host recorded, up to a last `tick` at the time that it is judged at.
fn recorded(recording: &Recording) -> Vec<Record> {
    recording.records.iter().cloned().chain([own(TICK, "shipslog", &[], recording.as_of)]).collect()
}

/// Hosts and the names of their Docker hosts in the fleet.
const HOSTS: [(&str, &str); 3] = [("web-1", "web-1/db"), ("web-17", "web-17"), ("web-1-7", "web-1-7/app")];

/// Everything that is shown, by id.
fn shown(view: View) -> BTreeMap<String, String> {
    let all = view.incidents.into_iter().chain(view.notices).chain(view.merged);
    all.map(|one| (one.id.clone(), serde_json::to_string(&one).unwrap())).collect()
}

/// Revisions, each with its record.
type AllTold = Vec<(u64, Shown)>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Each host comes in portions, hours late and many records in the same moment, between those of others.
    #[test]
    fn each_host_of_a_fleet_is_judged_by_its_own_clock(which in proptest::collection::vec(any::<prop::sample::Index>(), 1..=3), portions in proptest::collection::vec((0usize..3, 1usize..200, 0i64..3 * SECOND), 1..40)) {
        let recordings: Vec<&Recording> = which.iter().map(|which| which.get(ticking())).collect();
        let logs: Vec<Vec<Record>> = recordings.iter().map(|recording| recorded(recording)).collect();
        let end = recordings.iter().map(|recording| recording.as_of).max().unwrap();
        let (mut fleet, mut told) = (State::default(), AllTold::new());
        let mut alone = vec![State::default(); logs.len()];
        let mut told_alone: Vec<AllTold> = vec![Vec::new(); logs.len()];
        fleet.tell(Some(&ids()));
        for state in &mut alone {
            state.tell(Some(&ids()));
        }
        let (mut from, mut seq, mut now) = (vec![0; logs.len()], 0, later(end, 3600 * SECOND));
        let rest = (0..logs.len()).map(|host| (host, usize::MAX, 0));
        for (host, count, wait) in portions.into_iter().chain(rest) {
            let host = host % logs.len();
            let (name, source) = HOSTS[host];
            for record in logs[host].iter().skip(from[host]).take(count) {
                (seq, from[host]) = (seq + 1, from[host] + 1);
                step_view(&mut fleet, &came(record, seq, name, source, now));
                told.extend(fleet.take_told().into_iter().map(|one| (seq, one)));
                let renamed = if &*record.source == "shipslog" { record.source.clone() } else { source.into() };
                step(&mut alone[host], &Record { seq, source: renamed, ..record.clone() });
                told_alone[host].extend(alone[host].take_told().into_iter().map(|one| (seq, one)));
            }
            now = later(now, wait);
            // Time passes at the hub, and whoever asks there changes nothing.
            let before = shown(view(&fleet, &ids(), now));
            advance(&mut fleet, later(now, -1));
            prop_assert_eq!(fleet.next_due(), None);
            prop_assert_eq!(shown(view(&fleet, &ids(), now)), before);
        }
        let apart: BTreeMap<String, String> = alone.iter().zip(&recordings).flat_map(|(state, recording)| shown(view(state, &ids(), recording.as_of))).collect();
        prop_assert_eq!(shown(view(&fleet, &ids(), later(now, 3600 * SECOND))), apart);
        let mut all: AllTold = told_alone.into_iter().flatten().collect();
        all.sort_by_key(|(seq, _)| *seq);
        prop_assert_eq!(told, all);
    }
}

/// A host's log with one Docker host, and what the hub makes of it.
struct Hub {
    state: State,
    seq: u64,
    now: Timestamp,
}

impl Hub {
    fn new() -> Self {
        Self { state: State::default(), seq: 0, now: later(Tape::new().as_of(), 7200 * SECOND) }
    }

    fn take(&mut self, host: &str, source: &str, record: &Record) {
        self.seq += 1;
        step_view(&mut self.state, &came(record, self.seq, host, source, self.now));
    }

    /// What a server of a fleet says where records of a host are missing.
    fn gap(&mut self, host: &str, reason: &str, lost: &str) {
        let attributes = [("reason", reason), ("lost", lost), ("first", "7"), ("last", "9"), ("log", "00000007"), ("place", "12")];
        let gap = own("gap", host, &attributes, self.now);
        self.take(host, host, &gap);
    }

    fn all(&self) -> Vec<Shown> {
        view(&self.state, &ids(), later(self.now, 3600 * SECOND)).incidents
    }

    fn of(&self, source: &str) -> Shown {
        self.all().into_iter().find(|one| one.source == source).unwrap()
    }
}

/// Two hosts on which the same has crashed a second ago and is up again.
fn crashed() -> (Hub, Tape) {
    let mut tape = Tape::new();
    tape.run("web").wait(60_000).die("web", "1").wait(100).start("web").wait(3000);
    let tick = own(TICK, "shipslog", &[], tape.as_of());
    let mut hub = Hub::new();
    for (host, source) in [("web-1", "web-1/db"), ("web-17", "web-17")] {
        tape.records.iter().chain([&tick]).for_each(|record| hub.take(host, source, record));
    }
    assert_eq!(hub.all().iter().filter(|one| one.state != Standing::Closed).count(), 2);
    (hub, tape)
}

#[test]
fn what_fails_on_two_hosts_at_once_is_told_as_one() {
    let (hub, _) = crashed();
    let lines: Vec<String> = hub.all().iter().map(|one| serde_json::to_string(one).unwrap()).collect();
    let told: Vec<_> = lines.iter().filter_map(|line| Told::of_json(line)).collect();
    let groups = across(&told);
    assert_eq!((told.len(), groups.len()), (2, 1));
    assert_eq!((&*groups[0].subject, &groups[0].sources), ("web", &vec!["web-1/db".to_owned(), "web-17".to_owned()]));
    assert_eq!(groups[0].title, "On 2 hosts: web crashed: exit 1");
    let [one, other] = &hub.all()[..] else { panic!("two of them") };
    assert!(is_across(one, other) && !is_across(one, one));
}

#[test]
fn a_tick_is_of_its_own_host() {
    let (mut hub, mut tape) = crashed();
    tape.wait(3_600_000);
    hub.take("web-1", "web-1", &own(TICK, "shipslog", &[], tape.as_of()));
    assert_eq!(hub.of("web-1/db").state, Standing::Closed);
    // Nobody knows how the other one is, however long it says nothing.
    advance(&mut hub.state, later(hub.now, 3600 * SECOND));
    assert_ne!(hub.of("web-17").state, Standing::Closed);
    hub.take("web-17", "web-17", &own(TICK, "shipslog", &[], tape.as_of()));
    assert_eq!(hub.of("web-17").state, Standing::Closed);
}

#[test]
fn a_start_of_a_recorder_blinds_its_own_host() {
    let (mut hub, mut tape) = crashed();
    tape.wait(3_600_000);
    hub.take("web-1", "web-1", &own("start", "shipslog", &[], tape.as_of()));
    for host in ["web-1", "web-17"] {
        hub.take(host, host, &own(TICK, "shipslog", &[], tape.as_of()));
    }
    assert_ne!(hub.of("web-1/db").state, Standing::Closed, "nobody listened");
    assert_eq!(hub.of("web-17").state, Standing::Closed);
}

#[test]
fn what_never_came_from_a_host_qualifies_its_own_incidents() {
    let (mut hub, mut tape) = crashed();
    hub.gap("web-1", "damage", "3");
    tape.wait(3_600_000);
    for host in ["web-1", "web-17"] {
        hub.take(host, host, &own(TICK, "shipslog", &[], tape.as_of()));
    }
    let (hit, other) = (hub.of("web-1/db"), hub.of("web-17"));
    assert_eq!((hit.confidence, other.confidence), (Confidence::Qualified, Confidence::Complete));
    assert!(hit.qualified.iter().any(|why| why == "events may be missing: 3 records of the log are lost"), "{:?}", hit.qualified);
    assert_ne!(hit.state, Standing::Closed, "it may have died again, unseen");
    assert_eq!(other.state, Standing::Closed);
    // By the host's clock it is well a while later: twice its longest run.
    tape.wait(130_000);
    hub.take("web-1", "web-1", &own(TICK, "shipslog", &[], tape.as_of()));
    assert_eq!(hub.of("web-1/db").state, Standing::Closed);
}

#[test]
fn what_never_came_opens_no_eyes() {
    let (mut hub, mut tape) = crashed();
    tape.own("disconnect", &[("reason", "eof")]).wait(3_600_000);
    let disconnect = tape.records.last().unwrap().clone();
    hub.take("web-1", "web-1/db", &disconnect);
    hub.gap("web-1", "damage", "3");
    for _ in 0..2 {
        tape.wait(3_600_000);
        hub.take("web-1", "web-1", &own(TICK, "shipslog", &[], tape.as_of()));
    }
    assert_ne!(hub.of("web-1/db").state, Standing::Closed, "its Docker host is not connected");
}

#[test]
fn a_recorders_own_damage_is_no_verdict_on_its_docker_host() {
    let (mut hub, mut tape) = crashed();
    tape.own("disconnect", &[("reason", "eof")]).wait(3_600_000);
    let disconnect = tape.records.last().unwrap().clone();
    hub.take("web-17", "web-17", &disconnect);
    hub.take("web-17", "web-17", &own("gap", "shipslog", &[("reason", "damage"), ("from_seq", "7"), ("to_seq", "9")], tape.as_of()));
    tape.wait(3_600_000);
    hub.take("web-17", "web-17", &own(TICK, "shipslog", &[], tape.as_of()));
    assert_ne!(hub.of("web-17").state, Standing::Closed);
}

#[test]
fn a_host_that_left_records_out_is_sure_of_nothing() {
    let (mut hub, _) = crashed();
    hub.gap("web-1", "export", "3");
    assert_eq!(hub.of("web-1/db").confidence, Confidence::Qualified);
    assert_eq!(hub.of("web-17").confidence, Confidence::Complete);
    // Also of a Docker host of it that comes later.
    let mut tape = Tape::new();
    tape.run("api").wait(60_000).die("api", "1").wait(100).start("api").wait(3000);
    tape.records.iter().for_each(|record| hub.take("web-1", "web-1/app", record));
    hub.take("web-1", "web-1", &own(TICK, "shipslog", &[], tape.as_of()));
    assert_eq!(hub.of("web-1/app").confidence, Confidence::Qualified);
}

#[test]
fn records_that_the_fleets_log_lost_may_be_of_any_host() {
    let (mut hub, mut tape) = crashed();
    miss(&mut hub.state, &(hub.seq + 1..=hub.seq + 4), GapReason::Damage);
    hub.seq += 4;
    tape.wait(3_600_000);
    for host in ["web-1", "web-17"] {
        hub.take(host, host, &own(TICK, "shipslog", &[], tape.as_of()));
    }
    for one in hub.all() {
        assert!(one.qualified.iter().any(|why| why == "events may be missing: 4 records of the log are lost"), "{:?}", one.qualified);
        assert_ne!(one.state, Standing::Closed);
    }
    let inventory = hub.state.inventory(&ids(), hub.now);
    assert!(!inventory.qualified.iter().any(|why| why.contains("are lost before")), "{:?}", inventory.qualified);
}
