//! Any sequence of records: the fold never panics, forgets nothing that a copy of it remembers, and tells of
//! nobody who has no trouble.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shipslog::cursor::LogId;
use shipslog::event::{Event, Record};
use shipslog::projection::incidents::{self, Ids, State};
use shipslog::time::Timestamp;

/// What happens, as the first byte of an operation chooses.
const ACTIONS: [(&str, &str); 32] = [
    ("container", "create"),
    ("container", "start"),
    ("container", "die"),
    ("container", "die"),
    ("container", "die"),
    ("container", "kill"),
    ("container", "stop"),
    ("container", "restart"),
    ("container", "destroy"),
    ("container", "oom"),
    ("container", "pause"),
    ("container", "unpause"),
    ("container", "rename"),
    ("container", "update"),
    ("container", "health_status: healthy"),
    ("container", "health_status: unhealthy"),
    ("network", "connect"),
    ("network", "disconnect"),
    ("network", "destroy"),
    ("volume", "mount"),
    ("volume", "destroy"),
    ("volume", "prune"),
    ("service", "update"),
    ("recorder", "start"),
    ("recorder", "connect"),
    ("recorder", "disconnect"),
    ("recorder", "resumed"),
    ("recorder", "gap"),
    ("recorder", "baseline"),
    ("recorder", "observed"),
    ("recorder", "clock"),
    ("image", "tag"),
];
const STATES: [&str; 6] = ["created", "running", "exited", "restarting", "paused", "odd"];
const REASONS: [&str; 5] = ["daemon-restart", "first-contact", "ring-overflow", "shutdown", "damage"];
/// Steps of work of one record, at most: everything that is remembered of 400 records some times over.
const MOST_WORK: u64 = 20_000;
/// A log of an hour begins here.
const BEGIN: i64 = 1_800_000_000_000_000_000;

fn event(action: (&str, &str), id: u8, more: u8, time: Timestamp) -> Event {
    let (kind, action) = action;
    let (name, code) = (format!("c{}", id % 6), more.to_string());
    let pick = |of: &[&'static str]| of[usize::from(more) % of.len()];
    let service = format!("s{}", id % 3);
    let attributes = [
        ("name", name.as_str()),
        ("container", name.as_str()),
        ("image", if more & 64 == 0 { "app:1" } else { "app:2" }),
        ("exitCode", code.as_str()),
        ("signal", pick(&["9", "15", "1", "0", "odd"])),
        ("state", pick(&STATES)),
        ("observation", pick(&["difference", "failure", "gone", "baseline"])),
        ("oomKilled", pick(&["true", "false", ""])),
        ("error", pick(&["", "exec: no such file"])),
        ("reason", pick(&REASONS)),
        ("replayed", pick(&["0", "3"])),
        ("kind", "container"),
        ("com.docker.compose.project", pick(&["shop", ""])),
        ("com.docker.compose.service", service.as_str()),
        ("shipslog.incidents", pick(&["", "", "", "", "notice", "off"])),
    ];
    // As many of them as another bit says: what is missing is unknown, not empty.
    let given = if more & 128 == 0 { &attributes[..] } else { &attributes[..4] };
    if kind == "recorder" {
        return Event::recorder(action, if action == "observed" { &name } else { "local" }, given, time);
    }
    let given: serde_json::Map<_, _> = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    let json = serde_json::json!({"Type": kind, "Action": action, "Actor": {"ID": name, "Attributes": given}, "timeNano": time.nanos()});
    Event::from_line(json.to_string().as_bytes()).expect("an event")
}

/// From four bytes each: what, to whom, details, and how much later (the last bit: a time of receipt alone).
fn records(input: &[u8]) -> Vec<Record> {
    let (mut time, mut received) = (BEGIN, BEGIN);
    let of = |(number, bytes): (usize, &[u8])| {
        let wait = i64::from(bytes[3] >> 1);
        let wait = wait * wait * 50_000_000;
        received += wait;
        time = if bytes[3] & 1 == 0 { received } else { time.saturating_sub(wait) };
        let at = Timestamp::from_nanos(time);
        let event = event(ACTIONS[usize::from(bytes[0]) % ACTIONS.len()], bytes[1], bytes[2], at);
        let source = if bytes[1] & 128 == 0 { "local" } else { "other" };
        Record { seq: number as u64 + 1, time: at, received: Timestamp::from_nanos(received), source: source.into(), event }
    };
    input.chunks_exact(4).take(400).enumerate().map(of).collect()
}

fuzz_target!(|input: &[u8]| {
    let records = records(input);
    let Some(last) = records.last() else { return };
    let ids = Ids::from("7f3c9a1e-0000-4000-8000-000000000000".parse::<LogId>().expect("an id"));
    let (mut state, mut resumed) = (State::default(), State::default());
    let cut = usize::from(input[0]) % records.len();
    for (at, record) in records.iter().enumerate() {
        let before = state.work();
        incidents::step(&mut state, record);
        let work = state.work() - before;
        assert!(work <= MOST_WORK, "one record made {work} steps of work");
        incidents::step(&mut resumed, record);
        if at == cut {
            let stored = bincode::serialize(&resumed).expect("a state");
            resumed = bincode::deserialize(&stored).expect("what was stored");
        }
    }
    let later = last.received.checked_add(std::time::Duration::from_secs(3 * 3600)).expect("a time");
    let (told, again) = (incidents::view(&state, &ids, later), incidents::view(&resumed, &ids, later));
    let text = |view: &incidents::View| serde_json::to_string(&view.incidents).expect("incidents");
    assert_eq!(text(&told), text(&again), "a stored state goes on as if it had not been stored");
    for incident in told.incidents.iter().chain(&told.notices) {
        assert!(incident.start <= later && incident.end.is_none_or(|end| end >= incident.start), "{incident:?}");
        assert!(incident.revision > 0 && !incident.title.is_empty() && !incident.evidence.is_empty(), "{incident:?}");
    }
    assert!(bincode::serialize(&state).expect("a state").len() < 4 << 20, "it grows with containers, not with records");
});
