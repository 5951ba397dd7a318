//! Small logs made by hand.

use shipslog::cursor::LogId;
use shipslog::event::{Event, Record};
use shipslog::projection::incidents::{Shown, State, View, step, view};
use shipslog::time::Timestamp;

const MILLI: i64 = 1_000_000;
/// When every tape begins.
const BEGIN: i64 = 1_795_000_000_000 * MILLI;

/// Attributes of a service of Compose.
pub(crate) fn service<'a>(name: &'a str, number: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("com.docker.compose.project", "shop"),
        ("com.docker.compose.service", name),
        ("com.docker.compose.container-number", number),
        ("com.docker.compose.oneoff", "False"),
        ("image", "app:1"),
    ];
    all.extend_from_slice(more);
    all
}

/// The same with more of them.
pub(crate) fn with<'a>(attributes: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    attributes.iter().chain(more).copied().collect()
}

#[derive(Clone)]
pub(crate) struct Tape {
    pub(crate) records: Vec<Record>,
    now: i64,
    /// Records carry this time of receipt instead of their own.
    received: Option<i64>,
}

impl Tape {
    pub(crate) fn new() -> Self {
        let mut tape = Self { records: Vec::new(), now: 0, received: None };
        tape.own("start", &[]);
        tape.own("connect", &[("engine", "28.5.2"), ("reason", "start")]);
        tape.own("gap", &[("reason", "first-contact"), ("replayed", "0")]);
        tape.own("baseline", &[]);
        tape.wait(1000);
        tape
    }

    /// Milliseconds pass.
    pub(crate) fn wait(&mut self, millis: i64) -> &mut Self {
        self.now += millis;
        self
    }

    /// From now on records are received at once, as in a replay, but happened so many milliseconds earlier.
    pub(crate) fn replay(&mut self, earlier: i64) -> &mut Self {
        self.received = Some(self.now);
        self.now -= earlier;
        self
    }

    /// The end of a replay.
    pub(crate) fn live(&mut self) -> &mut Self {
        self.now = self.received.take().unwrap();
        self
    }

    fn push(&mut self, event: Event) {
        let time = Self::at(self.now);
        let received = Self::at(self.received.unwrap_or(self.now));
        self.records.push(Record { seq: self.records.len() as u64 + 1, time, received, source: "host-1".into(), event });
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(BEGIN + millis * MILLI)
    }

    /// The present time, as records write it.
    pub(crate) fn text(&self) -> String {
        Self::at(self.now).to_string()
    }

    /// A record of the recorder's own.
    pub(crate) fn own(&mut self, action: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.push(Event::recorder(action, "host-1", attributes, Self::at(self.now)));
        self
    }

    /// A record of the recorder's own about something.
    pub(crate) fn about(&mut self, action: &str, id: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.push(Event::recorder(action, id, attributes, Self::at(self.now)));
        self
    }

    pub(crate) fn observed(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        let attributes: Vec<(&str, &str)> = [("kind", "container"), ("name", name)].into_iter().chain(attributes.iter().copied()).collect();
        self.push(Event::recorder("observed", name, &attributes, Self::at(self.now)));
        self
    }

    pub(crate) fn event(&mut self, kind: &str, action: &str, id: &str, attributes: &[(&str, &str)]) -> &mut Self {
        let attributes: serde_json::Map<String, serde_json::Value> =
            attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
        let nanos = Self::at(self.now).nanos();
        let json = serde_json::json!({"Type": kind, "Action": action, "Actor": {"ID": id, "Attributes": attributes}, "timeNano": nanos});
        self.push(Event::from_line(json.to_string().as_bytes()).unwrap());
        self.wait(1)
    }

    /// An event of a container whose id is `id` and that bears these attributes.
    pub(crate) fn of(&mut self, id: &str, action: &str, attributes: &[(&str, &str)]) -> &mut Self {
        let attributes: Vec<(&str, &str)> =
            attributes.iter().copied().chain((!attributes.iter().any(|(key, _)| *key == "name")).then_some(("name", id))).collect();
        self.event("container", action, id, &attributes)
    }

    pub(crate) fn create(&mut self, id: &str) -> &mut Self {
        self.of(id, "create", &[("image", "app:1")])
    }

    pub(crate) fn start(&mut self, id: &str) -> &mut Self {
        self.of(id, "start", &[("image", "app:1")])
    }

    pub(crate) fn run(&mut self, id: &str) -> &mut Self {
        self.create(id).start(id)
    }

    pub(crate) fn die(&mut self, id: &str, code: &str) -> &mut Self {
        self.of(id, "die", &[("exitCode", code)])
    }

    pub(crate) fn kill(&mut self, id: &str, signal: &str) -> &mut Self {
        self.of(id, "kill", &[("signal", signal)])
    }

    /// A stop that is obeyed.
    pub(crate) fn stop(&mut self, id: &str) -> &mut Self {
        self.kill(id, "15").die(id, "0").of(id, "stop", &[])
    }

    pub(crate) fn network(&mut self, action: &str, id: &str, name: &str) -> &mut Self {
        self.event("network", action, &format!("net-{name}"), &[("container", id), ("name", name)])
    }

    /// Crashes and starts by the daemon's policy, so many times.
    pub(crate) fn crash_loop(&mut self, id: &str, times: u32, code: &str) -> &mut Self {
        for n in 0..times {
            self.wait(50).die(id, code).wait(100 << n).start(id);
        }
        self
    }

    pub(crate) fn state(&self) -> State {
        let mut state = State::default();
        for record in &self.records {
            step(&mut state, record);
        }
        state
    }

    /// Now.
    pub(crate) fn as_of(&self) -> Timestamp {
        Self::at(self.received.unwrap_or(self.now))
    }

    pub(crate) fn view(&self) -> View {
        view(&self.state(), &LogId::with_prefix(7).into(), self.as_of())
    }

    /// Incidents of a subject as they are told now.
    pub(crate) fn told(&self, subject: &str) -> Vec<Shown> {
        self.view().incidents.into_iter().filter(|one| one.subject == subject).collect()
    }

    /// The only incident there is.
    pub(crate) fn only(&self) -> Shown {
        let mut all = self.view().incidents;
        assert_eq!(all.len(), 1, "{:#?}", all.iter().map(|one| &one.title).collect::<Vec<_>>());
        all.remove(0)
    }

    pub(crate) fn none(&self) {
        let all = self.view().incidents;
        assert!(all.is_empty(), "{:#?}", all.iter().map(|one| &one.title).collect::<Vec<_>>());
    }

    /// Kinds of notices.
    pub(crate) fn notices(&self) -> Vec<String> {
        self.view().notices.iter().map(|one| one.title.clone()).collect()
    }
}
