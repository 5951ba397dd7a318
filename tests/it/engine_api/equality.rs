//! For the same times and filters a real Engine and shipslog give the same, to the letter: to the `docker`
//! command, to docker-py, and on the wire.

use super::filters::{as_json, filters};
use super::scenario::{live, live_on};
use super::{SECOND, now, unix};
use crate::dockerd::{Background, Engine};
use crate::skipped::say;
use crate::support::{Ship, wait_for};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// moby's ring.
const RING: usize = 256;
/// moby hands concurrent events to its subscribers, and to its ring, each in an order of its own.
const CONCURRENT_NANOS: i64 = 10_000_000;

/// The same lines; only those of concurrent events may change places.
fn assert_equal(theirs: &str, ours: &str, time: impl Fn(&str) -> i64, what: &str) {
    if theirs == ours {
        return;
    }
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(theirs), sorted(ours), "{what}");
    assert_eq!(theirs.len(), ours.len(), "{what}");
    for (theirs, ours) in theirs.lines().zip(ours.lines()) {
        assert!(theirs == ours || (time(theirs) - time(ours)).abs() < CONCURRENT_NANOS, "{what}: another order:\n{theirs}\n{ours}");
    }
}

fn time_of_json(line: &str) -> i64 {
    serde_json::from_str::<Value>(line).unwrap()["timeNano"].as_i64().unwrap()
}

fn time_of_text(line: &str) -> i64 {
    let time = line.split(' ').next().unwrap();
    DateTime::parse_from_rfc3339(time).unwrap_or_else(|e| panic!("{e}: {line}")).timestamp_nanos_opt().unwrap()
}

/// Begins with the time in nanoseconds.
const LEGACY: &str = "{{.TimeNano}} {{.Time}} {{.Actor.Attributes.name}} {{.Status}} {{.ID}} {{.From}} {{.Scope}}";

fn time_of_number(line: &str) -> i64 {
    line.split(' ').next().unwrap().parse().unwrap()
}

/// What the same command prints for the Engine and for shipslog, side by side.
fn both(urls: [&str; 2], command: impl Fn(&str) -> Command) -> [String; 2] {
    let running = urls.map(|url| (url, Background::start(&mut command(url))));
    running.map(|(url, running)| {
        let output = running.wait();
        assert!(output.status.success(), "{:?}: {}", command(url), String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    })
}

fn cli(url: &str, args: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.env_remove("DOCKER_API_VERSION").args(["-H", url, "events"]).args(args);
    command
}

/// A request whose answer comes as it is on the wire.
fn wire(url: &str, path: &str, params: &[(&str, String)]) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--get"]);
    match url.strip_prefix("unix://") {
        Some(socket) => curl.args(["--unix-socket", socket]).arg(format!("http://docker{path}")),
        None => curl.arg(format!("{}{path}", url.replacen("tcp://", "http://", 1))),
    };
    for (name, value) in params {
        curl.args(["--data-urlencode", &format!("{name}={value}")]);
    }
    curl
}

/// An Engine and what has recorded it.
struct Pair<'a> {
    engine: &'a str,
    ship: &'a str,
    /// Versions of the API, the Engine's own last.
    versions: Vec<String>,
    /// All that happened, as the Engine tells it, and a time after that.
    events: Vec<Value>,
    until: String,
}

impl Pair<'_> {
    fn cli(&self, args: &[&str]) -> [String; 2] {
        both([self.engine, self.ship], |url| cli(url, args))
    }

    fn wire(&self, version: &str, params: &[(&str, String)]) -> [String; 2] {
        both([self.engine, self.ship], |url| wire(url, &format!("/v{version}/events"), params))
    }

    /// How many filters there are, and how many of them find something.
    fn compare_filters(&self, filters: &[Vec<String>]) -> (usize, usize) {
        let mut found = 0;
        for filters in filters {
            let mut args = vec!["--since", "0", "--until", &self.until];
            args.extend(filters.iter().flat_map(|filter| ["--filter", filter]));
            let [theirs, ours] = self.cli(&args);
            assert_equal(&theirs, &ours, time_of_text, &format!("{filters:?}"));
            found += usize::from(!theirs.is_empty());
            let (go, python) = as_json(filters);
            for filters in [&go, &python] {
                for version in &self.versions {
                    let params = [("since", "0".to_owned()), ("until", self.until.clone()), ("filters", filters.to_string())];
                    let [theirs, ours] = self.wire(version, &params);
                    assert_equal(&theirs, &ours, time_of_json, &format!("{filters} on the wire, version {version}"));
                }
            }
        }
        (filters.len(), found)
    }

    /// A third and two thirds of the way, where it is quiet: a range that begins or ends among concurrent
    /// events may hold any of them.
    fn moments(&self) -> [i64; 2] {
        let times: Vec<i64> = self.events.iter().map(|e| e["timeNano"].as_i64().unwrap()).collect();
        let quiet = |n: usize| times[n] - times[n - 1] > CONCURRENT_NANOS && times[n + 1] - times[n] > CONCURRENT_NANOS;
        let rises = |n: usize| times[..n].iter().all(|t| *t < times[n]) && times[n + 1..].iter().all(|t| *t > times[n]);
        let from = |from: usize| times[(from..times.len() - 1).find(|n| quiet(*n) && rises(*n)).expect("a quiet moment")];
        [from(times.len() / 3), from(times.len() * 2 / 3)]
    }

    /// Ranges of time in every form that the `docker` command takes.
    fn ranges(&self) -> Vec<(String, String)> {
        let [first, second] = self.moments();
        let date = |nanos: i64, format: &str| DateTime::<Utc>::from_timestamp_nanos(nanos).format(format).to_string();
        let rfc = |nanos: i64| DateTime::<Utc>::from_timestamp_nanos(nanos).to_rfc3339_opts(SecondsFormat::Nanos, true);
        let (number, seconds) = (|nanos: i64| unix(u64::try_from(nanos).unwrap()), |nanos: i64| nanos / 1_000_000_000);
        let until = || self.until.clone();
        vec![
            (rfc(first), rfc(second)),
            (rfc(first + 1), rfc(second - 1)),
            (number(first), number(second)),
            (number(first - 1), number(second + 1)),
            (number(second), number(second)),
            (number(first).trim_end_matches('0').to_owned(), format!("{}.9", seconds(second))),
            (seconds(first).to_string(), (seconds(second) + 1).to_string()),
            (date(first, "%Y-%m-%dT%H:%M:%S"), date(second, "%Y-%m-%dT%H:%M:%S.999")),
            (date(first, "%Y-%m-%dT%H:%M+00:00"), until()),
            (date(first, "%Y-%m-%d"), until()),
            ("10m".to_owned(), until()),
            ("1h30m".to_owned(), "0s".to_owned()),
            ("0".to_owned(), "0".to_owned()),
            (String::new(), rfc(first)),
        ]
    }

    fn compare_ranges(&self, ranges: &[(String, String)]) {
        for (since, until) in ranges {
            let mut args = vec!["--until", until];
            if !since.is_empty() {
                args.extend(["--since", since]);
            }
            let [theirs, ours] = self.cli(&args);
            assert_equal(&theirs, &ours, time_of_text, &format!("{args:?}"));
            for (format, time) in [("{{json .}}", time_of_json as fn(&str) -> i64), (LEGACY, time_of_number)] {
                let args = [&args[..], &["--format", format]].concat();
                let [theirs, ours] = self.cli(&args);
                assert!(!theirs.is_empty(), "{args:?} finds nothing");
                assert_equal(&theirs, &ours, time, &format!("{args:?}"));
            }
        }
    }

    /// What docker-py says about these queries.
    fn compare_through_python(&self, queries: Vec<Value>, dir: &Path) -> String {
        let file = dir.join("queries.json");
        std::fs::write(&file, Value::from(queries).to_string()).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/docker-py/run.sh");
        let python = Background::start(Command::new(script).args([self.engine, self.ship]).arg(&file)).wait();
        assert!(python.status.success(), "docker-py: {}", String::from_utf8_lossy(&python.stderr));
        String::from_utf8(python.stdout).unwrap().trim().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_and_shipslog_give_the_same() {
    let Some(engine) = Engine::own("equal") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start_with(&dir.path().join("data"), &["--docker-host", &engine.url, "--redact", "none"]);
    wait_for("the verdict", async || (!ship.export(r#"&filters={"event":["gap"]}"#).await.is_empty()).then_some(())).await;
    live(&engine, dir.path());
    live_on(&engine).await;
    let end = engine.name("end");
    engine.docker(&["volume", "create", &end]);
    wait_for("the last event in the log", async || {
        let log = ship.export("").await;
        log.values().any(|line| line.contains(&format!(r#""ID":"{end}""#))).then_some(())
    })
    .await;
    // Times are cut to seconds on their way by some of the forms.
    let over = now();
    wait_for("the next second", async || (now() / SECOND > over / SECOND).then_some(())).await;

    let (url, until) = (ship.url.replacen("http://", "tcp://", 1), unix(now()));
    let (major, minor) = engine.api();
    // Where an older version of the API gives less, it does so in both.
    let mut versions = vec!["1.41".to_owned(), format!("{major}.{}", minor.min(51))];
    versions.dedup();
    let mut pair = Pair { engine: &engine.url, ship: &url, versions, events: Vec::new(), until };
    let [everything, _] = pair.wire(&format!("{major}.{minor}"), &[("since", "0".to_owned()), ("until", pair.until.clone())]);
    pair.events = everything.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(pair.events.len() < RING, "the ring has overflowed; the scenario has to become shorter");

    let (filters, ranges) = (filters(&engine, &pair.events), pair.ranges());
    let (compared, found) = pair.compare_filters(&filters);
    assert!(compared > 80 && found > 50, "{found} of {compared} filters find something");
    pair.compare_ranges(&ranges);
    let filtered = filters.iter().map(|filters| json!({ "since": 0, "until": pair.until, "filters": as_json(filters).1 }));
    let is_number = |text: &String| text.parse::<f64>().is_ok();
    let ranged = ranges.iter().filter(|(since, until)| is_number(since) && is_number(until));
    let queries = filtered.chain(ranged.map(|(since, until)| json!({ "since": since, "until": until }))).collect();
    let python = pair.compare_through_python(queries, dir.path());
    let [_, second] = pair.moments();
    the_present_is_the_same(&engine, &url, unix(u64::try_from(second).unwrap())).await;
    say(&format!("{} events; {compared} filters, of which {found} find something; docker-py: {python}", pair.events.len()));
}

/// History and live in one, up to a moment that is still to come.
async fn the_present_is_the_same(engine: &Engine, url: &str, since: String) {
    // Long enough for all of it to be live on a busy machine.
    let until = unix(now() + 15 * SECOND);
    let args = ["--since", &since, "--until", &until];
    let listen = |url: &str, filters: &[&str]| Background::start(&mut cli(url, &[&args[..], filters].concat()));
    let project = ["--filter", "label=com.docker.compose.project=shop"];
    let all = [listen(&engine.url, &[]), listen(url, &[])];
    let some = [listen(&engine.url, &project), listen(url, &project)];
    for listener in all.iter().chain(&some) {
        wait_for("history", async || (!listener.lines().is_empty()).then_some(())).await;
    }
    engine.run(5, "live", &["--label", "com.docker.compose.project=shop"], "exit 5");
    let last = engine.name("last");
    engine.docker(&["volume", "create", &last]);
    assert!(unix(now()) < until, "too slow to have been live");
    for [theirs, ours] in [all, some] {
        let text = |listener: Background| String::from_utf8(listener.wait().stdout).unwrap();
        let (theirs, ours) = (text(theirs), text(ours));
        assert!(theirs.contains(&engine.name("live")), "{theirs}");
        assert_equal(&theirs, &ours, time_of_text, "up to a moment to come");
    }
}
