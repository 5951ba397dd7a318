//! For the same times and filters a real Engine and shipslog give the same, to the letter: to the `docker` command, to docker-py, and on the
//! wire.

use super::scenario::{ODD, live, live_on};
use super::{SECOND, now, unix};
use crate::dockerd::{Background, Engine, say};
use crate::support::{Ship, wait_for};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
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

/// The filters that are compared, as `docker events --filter` takes them.
fn filters(engine: &Engine, events: &[Value]) -> Vec<Vec<String>> {
    let id = |kind: &str, name: &str| {
        let name = engine.name(name);
        let of = |e: &&Value| e["Type"] == kind && (e["Actor"]["Attributes"]["name"] == name.as_str() || e["Actor"]["ID"] == name.as_str());
        events.iter().find(of).unwrap_or_else(|| panic!("no {kind} {name}"))["Actor"]["ID"].as_str().unwrap().to_owned()
    };
    let of = |words: &str| words.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let name = |name: &str| engine.name(name);
    let daemon = events.iter().find(|e| e["Type"] == "daemon").expect("a reload")["Actor"].clone();
    let image = events.iter().find(|e| e["Type"] == "image" && e["Action"] == "tag").unwrap()["Actor"]["ID"].as_str().unwrap().to_owned();
    let mut all: Vec<Vec<String>> = [
        "",
        "type=container",
        "type=image",
        "type=network",
        "type=volume",
        "type=daemon",
        "type=builder",
        "type=plugin",
        "type=service",
        "type=node",
        "type=secret",
        "type=config",
        "type=container type=volume",
        "type=nonsense",
        "event=die",
        "event=die event=oom event=kill",
        "event=exec_create",
        "event=exec_start event=die",
        "event=exec_cre",
        "event=health_status",
        "event=health_status event=st",
        "event=exec_die",
        "event=prune",
        "event=tag event=untag event=import event=save event=load event=delete",
        "event=connect event=disconnect",
        "event=reload",
        "scope=local",
        "scope=swarm",
        "scope=local scope=swarm",
        "label=app",
        "label=app=web",
        "label=app=web label=com.docker.compose.service=web",
        "label=app=web label=app=batch",
        "label=exitCode=3",
        "label=exitCode=137 event=die",
        "label=empty",
        "label=empty=",
        "label=tier",
        "label=name",
        "label=signal=9",
        "image=busybox",
        "image=busybox:test",
        "image=busybox:tes",
        "image=sha256",
        "image=shipslog-lone",
        "image=shipslog/two",
        "image=library/shipslog/two",
        "image=127.0.0.1:5000/team/app",
        "image=127.0.0.1:5000/team/app:2",
        "image=team_a/app__b",
        "container=shipslog",
        "container=sha256:",
        "container=nothing",
        "daemon=nothing",
        "nonsense=x",
        "nonsense=x type=image event=tag",
        "type=network event=connect event=disconnect label=type=bridge",
    ]
    .into_iter()
    .map(of)
    .collect();
    all.extend([
        of(&format!("container={}", name("web"))),
        of(&format!("container={}", name("web-2"))),
        of(&format!("container={} event=die event=start", name("web"))),
        of(&format!("container={} container={}", name("three"), name("gone"))),
        of(&format!("container={}", id("container", "three"))),
        of(&format!("container={}", &id("container", "three")[..12])),
        of(&format!("container={} type=network", name("net"))),
        of(&format!("network={}", name("net"))),
        of(&format!("network={}", &id("network", "net")[..6])),
        of(&format!("network=bridge network={}", name("net"))),
        of(&format!("volume={}", name("vol"))),
        of(&format!("volume={}", name("v"))),
        of(&format!("volume={} event=mount event=unmount", name("vol"))),
        of(&format!("image={}", name("img"))),
        of(&format!("image={}:1.0", name("img"))),
        of(&format!("image={}:1.0 type=container event=die", name("img"))),
        of(&format!("image={image}")),
        of(&format!("container={}", &image[..20])),
        of(&format!("daemon={}", daemon["ID"].as_str().unwrap())),
        of(&format!("daemon={}", &daemon["ID"].as_str().unwrap()[..9])),
        of(&format!("daemon={}", daemon["Attributes"]["name"].as_str().unwrap())),
        of(&format!("service={}", name("service"))),
        of(&format!("secret={} secret={}", name("secret"), name("config"))),
        of(&format!("config={}", name("config"))),
        of("node=vm"),
        of(&format!("plugin={}", name("web"))),
        vec![format!("label=odd={ODD}")],
        vec![format!("event=exec_create: sh -c exit 9")],
        vec!["event=exec_start: sh -c echo 'a: b'\nexit 0".to_owned(), "event=rename".to_owned()],
        vec!["event=health_status: healthy".to_owned()],
    ]);
    all
}

/// As the command line sends them, and as docker-py does.
fn as_json(filters: &[String]) -> (Value, Value) {
    let (mut go, mut python) = (json!({}), json!({}));
    for filter in filters {
        let (key, value) = filter.split_once('=').unwrap();
        go[key][value] = true.into();
        match &mut python[key] {
            Value::Array(list) => list.push(value.into()),
            none => *none = json!([value]),
        }
    }
    (go, python)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_and_shipslog_give_the_same() {
    let Some(engine) = Engine::own("equal") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(&dir.path().join("data"), &engine.url);
    wait_for("the verdict", async || (!ship.export(r#"&filters={"event":["gap"]}"#).await.is_empty()).then_some(())).await;
    let url = ship.url.replacen("http://", "tcp://", 1);
    let begin = now();
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
    let until = unix(now());

    let urls = [engine.url.as_str(), url.as_str()];
    let [everything, _] = both(urls, |url| wire(url, "/events", &[("since", "0".to_owned()), ("until", until.clone())]));
    let events: Vec<Value> = everything.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.len() < RING, "the ring has overflowed; the scenario has to become shorter");

    let mut compared = 0;
    let (mut with_events, mut queries) = (0, Vec::new());
    for filters in filters(&engine, &events) {
        let mut args = vec!["--since", "0", "--until", &until];
        args.extend(filters.iter().flat_map(|filter| ["--filter", filter]));
        let [theirs, ours] = both(urls, |url| cli(url, &args));
        assert_equal(&theirs, &ours, time_of_text, &format!("{filters:?}"));
        with_events += usize::from(!theirs.is_empty());
        let (go, python) = as_json(&filters);
        for filters in [&go, &python] {
            let params = [("since", "0".to_owned()), ("until", until.clone()), ("filters", filters.to_string())];
            let [theirs, ours] = both(urls, |url| wire(url, "/v1.41/events", &params));
            assert_equal(&theirs, &ours, time_of_json, &format!("{filters} on the wire"));
        }
        queries.push(json!({ "since": 0, "until": until, "filters": python }));
        compared += 1;
    }
    assert!(compared > 80 && with_events > 50, "{with_events} of {compared} filters find something");

    // Forms of time. Where a range begins or ends, there are no concurrent events.
    let times: Vec<i64> = events.iter().map(|e| e["timeNano"].as_i64().unwrap()).collect();
    let quiet = |from: usize| {
        let apart = |n: usize| times[n] - times[n - 1] > CONCURRENT_NANOS && times[n + 1] - times[n] > CONCURRENT_NANOS;
        let rises = |n: usize| times[..n].iter().all(|t| *t < times[n]) && times[n + 1..].iter().all(|t| *t > times[n]);
        (from..times.len() - 1).find(|n| apart(*n) && rises(*n)).expect("a quiet moment")
    };
    let (first, second) = (quiet(times.len() / 3), quiet(times.len() * 2 / 3));
    let date = |nanos: i64| DateTime::<Utc>::from_timestamp_nanos(nanos);
    let rfc = |nanos: i64| date(nanos).to_rfc3339_opts(SecondsFormat::Nanos, true);
    let number = |nanos: i64| unix(u64::try_from(nanos).unwrap());
    let seconds = |nanos: i64| nanos / 1_000_000_000;
    let mut formats = vec![
        (rfc(times[first]), rfc(times[second])),
        (rfc(times[first] + 1), rfc(times[second] - 1)),
        (number(times[first]), number(times[second])),
        (number(times[first] - 1), number(times[second] + 1)),
        (number(times[first]).trim_end_matches('0').to_owned(), format!("{}.9", seconds(times[second]))),
        (seconds(times[first]).to_string(), (seconds(times[second]) + 1).to_string()),
        (date(times[first]).format("%Y-%m-%dT%H:%M:%S").to_string(), date(times[second]).format("%Y-%m-%dT%H:%M:%S.999").to_string()),
        (date(times[first]).format("%Y-%m-%dT%H:%M+00:00").to_string(), until.clone()),
        (date(times[0]).format("%Y-%m-%d").to_string(), until.clone()),
        ("10m".to_owned(), until.clone()),
        ("1h30m".to_owned(), "0s".to_owned()),
        ("0".to_owned(), "0".to_owned()),
        (number(i64::try_from(begin).unwrap()), until.clone()),
        (number(times[second]), number(times[second])),
        (String::new(), rfc(times[first])),
    ];
    for (since, until) in &formats {
        let mut args = vec!["--until", until.as_str()];
        if !since.is_empty() {
            args.extend(["--since", since]);
        }
        for format in
            [&[][..], &["--format", "{{json .}}"], &["--format", "{{.Time}} {{.Actor.Attributes.name}} {{.Status}} {{.ID}} {{.From}}"]]
        {
            let args = [&args[..], format].concat();
            let time = |line: &str| if line.starts_with('{') { time_of_json(line) } else { time_of_text(line) };
            let [theirs, ours] = both(urls, |url| cli(url, &args));
            if format.len() == 2 && !format[1].contains("json") {
                let sorted = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
                assert_eq!(sorted(&theirs), sorted(&ours), "{args:?}");
            } else {
                assert_equal(&theirs, &ours, time, &format!("{args:?}"));
            }
            let more = usize::from(since == &number(times[second]));
            assert!(theirs.lines().count() >= more, "{args:?} finds nothing");
        }
    }
    formats.retain(|(since, until)| since.parse::<f64>().is_ok() && until.parse::<f64>().is_ok());
    queries.extend(formats.iter().map(|(since, until)| json!({ "since": since, "until": until })));

    let file = dir.path().join("queries.json");
    std::fs::write(&file, Value::from(queries).to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/docker-py/run.sh");
    let python = Command::new(script).args([&engine.url, &url]).arg(&file).output().unwrap();
    assert!(python.status.success(), "docker-py: {}{}", String::from_utf8_lossy(&python.stdout), String::from_utf8_lossy(&python.stderr));

    the_present_is_the_same(&engine, &url, number(times[second])).await;
    say(&format!(
        "{} events; {compared} filters, of which {with_events} find something; docker-py: {}",
        events.len(),
        String::from_utf8_lossy(&python.stdout).trim()
    ));
}

/// History and live in one, up to a moment that is still to come.
async fn the_present_is_the_same(engine: &Engine, url: &str, since: String) {
    let until = unix(now() + 3 * SECOND);
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
