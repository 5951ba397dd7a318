//! The command line as a user types it, against a running server.

mod export;
mod finding;
mod incidents;
mod replay;
mod words;

use crate::dockerd::Background;
use crate::fake_daemon::FakeDaemon;
use crate::support::{BIN, Ship, docker_line, first_line, sequence, wait_for};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// The program, which asks `url`, without any setting of this machine.
fn shipslog(url: &str, line: &str) -> Command {
    let mut command = Command::new(BIN);
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "DOCKER_HOST", "SHIPSLOG_LISTEN", "SHIPSLOG_DATA_DIR", "SHIPSLOG_CONFIG"] {
        command.env_remove(variable);
    }
    command.env("SHIPSLOG_URL", url).env("TZ", "UTC").args(line.split_whitespace());
    command
}

/// Runs it to its end.
fn run(command: &mut Command) -> Output {
    Background::start(command).wait()
}

/// stdout of a run that must succeed and has nothing to say on stderr, but perhaps when recording began.
fn ask(ship: &Ship, line: &str) -> String {
    succeed(&mut shipslog(&ship.url, line), line)
}

fn succeed(command: &mut Command, line: &str) -> String {
    let output = run(command);
    let said: Vec<_> = text(&output.stderr).lines().filter(|line| !is_beginning(line)).map(str::to_owned).collect();
    assert_eq!((output.status.code(), said), (Some(0), Vec::new()), "{line}");
    text(&output.stdout)
}

/// Whether a remark says when recording began: before that there is nothing, and a reader who asks for that
/// time is told.
fn is_beginning(remark: &str) -> bool {
    remark.starts_with("-- recording of ") && remark.contains(" began at ")
}

/// Exit code and stderr of a run that must fail.
fn refused(command: &mut Command) -> (i32, String) {
    let output = run(command);
    (output.status.code().expect("ended by itself"), text(&output.stderr))
}

fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).expect("UTF-8").to_owned()
}

/// Records one after the other, as export and `-o json` show them.
async fn export(ship: &Ship, query: &str) -> Vec<String> {
    let lines = if query.contains("=[") || query.contains("={") { ship.selected(query).await } else { ship.export(query).await };
    lines.into_values().collect()
}

/// As printed, a line each.
fn printed<'a>(lines: impl IntoIterator<Item = &'a String>) -> String {
    lines.into_iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// A server whose log holds start, connect, first contact and `count` events: `job-0`, `job-1`, …. What dies
/// are networks: the death of a container is judged two seconds later, which is one record more.
async fn ship_with(count: u64) -> (TempDir, FakeDaemon, Ship) {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let ship = Ship::start(dir.path(), &daemon.url());
    ship.wait_for_head(|head| head >= 3).await;
    for n in 0..count {
        let (kind, dies) = if n % 2 == 0 { ("container", false) } else { ("network", n % 3 == 0) };
        daemon.emit(&docker_line(kind, if dies { "die" } else { "start" }, n));
    }
    ship.wait_for_head(|head| head >= count + 3).await;
    (dir, daemon, ship)
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_shows_the_newest() {
    let (_dir, _daemon, ship) = ship_with(30).await;
    let all = export(&ship, "").await;
    assert_eq!(all.len(), 33);
    assert_eq!(ask(&ship, "tail -o json"), printed(&all[23..]), "ten, if nothing else is said");
    assert_eq!(ask(&ship, "tail -n 3 -o json"), printed(&all[30..]));
    assert_eq!(ask(&ship, "tail -n 0 -o json"), "");
    assert_eq!(ask(&ship, "tail -n 100000 -o json"), printed(&all));
    assert_eq!(ask(&ship, "tail --since oldest -o json"), printed(&all), "all of them, if a time is given");
    assert_eq!(ask(&ship, "tail --since oldest -n 4 -o json"), printed(&all[29..]));
    for (options, query) in [
        ("-f event=die", r#"&filters={"event":["die"]}"#),
        ("-f event=die -f type=network", r#"&filters={"event":["die"],"type":["network"]}"#),
        ("-f event=die -f event=start -x type=network", r#"&filters={"event":["die","start"]}&exclude={"type":["network"]}"#),
        ("-x type=recorder -x event=st*", r#"&exclude={"type":["recorder"],"event":["st*"]}"#),
        ("-f container=c7 -x event=nothing", r#"&filters={"container":["c7"]}"#),
    ] {
        let expected = export(&ship, query).await;
        assert!(!expected.is_empty() && expected.len() < all.len(), "{query}");
        assert_eq!(ask(&ship, &format!("tail --since oldest {options} -o json")), printed(&expected), "{options}");
        let newest = &expected[expected.len().saturating_sub(10)..];
        assert_eq!(ask(&ship, &format!("tail {options} -o json")), printed(newest), "{options}");
    }
    let (code, why) = refused(&mut shipslog(&ship.url, "tail -f colour=red"));
    assert!(code == 2 && why.contains("unknown key \"colour\""), "{code} {why}");
}

/// Four followers live through two kills and an orderly restart, while events never cease.
#[tokio::test(flavor = "multi_thread")]
async fn tail_follows_through_restarts() {
    let (_dir, daemon, mut ship) = ship_with(20).await;
    let head = ship.wait_for_head(|_| true).await;
    let follow = |options: &str| Background::start(&mut shipslog(&ship.url, &format!("tail --follow -o json {options}")));
    let followers = [
        (follow("--since oldest"), "", 1),
        (follow("-n 5"), "", head - 4),
        (follow("-n 0"), "", head + 1),
        (follow("--since oldest -f type=network"), r#"&filters={"type":["network"]}"#, 1),
    ];
    wait_for("all streams", async || (ship.json("/api/v1/stats").await["server"]["streams"] == 4).then_some(())).await;

    let (daemon, emitted) = (Arc::new(daemon), Arc::new(AtomicU64::new(100)));
    let emitting = tokio::spawn({
        let (daemon, emitted) = (Arc::clone(&daemon), Arc::clone(&emitted));
        async move {
            loop {
                let n = emitted.fetch_add(1, Ordering::Relaxed);
                daemon.emit(&docker_line(if n % 2 == 0 { "container" } else { "network" }, "start", n));
                // Slow enough for the daemon's ring to bridge a restart.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    for round in 0..3 {
        let before = ship.wait_for_head(|_| true).await;
        ship.wait_for_head(|head| head > before + 20).await;
        if round == 1 {
            let (status, _) = ship.stop();
            assert!(status.success());
        } else {
            ship.kill();
        }
        ship.restart();
    }
    let before = ship.wait_for_head(|_| true).await;
    ship.wait_for_head(|head| head > before + 20).await;
    emitting.abort();
    let _ = emitting.await;
    daemon.emit(&docker_line("network", "destroy", 9_999_999));

    for (tail, query, first) in followers {
        let out =
            wait_for("the last event", async || Some(tail.out()).filter(|out| out.ends_with('\n') && out.contains("job-9999999\""))).await;
        let expected = export(&ship, query).await;
        let mut expected: Vec<_> = expected.into_iter().filter(|line| sequence(line) >= first).collect();
        // On a busy machine the recorder may tell something of itself after it.
        expected.truncate(1 + expected.iter().position(|line| line.contains("job-9999999\"")).expect("the last event"));
        let printed = printed(&expected);
        let missed = printed.lines().zip(out.lines()).find(|(expected, line)| expected != line);
        assert!(out == printed, "{query}: {} lines instead of {}; {missed:?}", out.lines().count(), expected.len());
        let remarks = tail.err();
        assert!(remarks.contains("trying again\n") && remarks.contains("-- connected again\n"), "{remarks}");
        assert!(!["gap", "lost", "reset"].iter().any(|word| remarks.contains(&format!("-- {word}"))), "{remarks}");
        tail.signal("-TERM");
        assert_eq!(tail.wait().status.code(), Some(0), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn query_reads_the_past() {
    let (_dir, _daemon, ship) = ship_with(30).await;
    let all = export(&ship, "").await;
    // docker_line's events are a millisecond apart, from this second on.
    let jobs = |from: usize, to: usize| printed(&all[3 + from..=3 + to]);
    assert_eq!(ask(&ship, "query -o json"), printed(&all));
    assert_eq!(ask(&ship, "query -n 2 -o json"), printed(&all[31..]));
    assert_eq!(ask(&ship, "query --until 1795344577.004 -o json"), jobs(0, 4));
    assert_eq!(ask(&ship, "query --since 1795344577.005 --until 1795344577.010 -o json"), jobs(5, 10), "both ends count");
    assert_eq!(ask(&ship, "query --since 2026-11-22T10:49:37.005Z --until 2026-11-22T12:49:37.010+02:00 -o json"), jobs(5, 10));
    assert_eq!(ask(&ship, "query --since 1795344577.005 --until 1795344577.010 -n 3 -o json"), jobs(8, 10), "the newest of them");
    let nothing = run(&mut shipslog(&ship.url, "query --since 1795344577.0051 --until 1795344577.0059 -o json"));
    assert_eq!((nothing.status.code(), text(&nothing.stdout)), (Some(0), String::new()), "nothing is no failure");
    assert!(
        text(&nothing.stderr).contains("-- nothing found: there is no event at all in this time; the newest one is of 20"),
        "{nothing:?}"
    );
    let filtered = export(&ship, r#"&filters={"type":["network"]}&exclude={"event":["die"]}&until=1795344577.020"#).await;
    assert!(filtered.len() > 3);
    assert_eq!(ask(&ship, "query -f type=network -x event=die --until 1795344577.02 -o json"), printed(&filtered));
    for (line, part) in [
        ("query --since 5m --until 10m", "swap them"),
        ("query --since tomorrow", "--since: \"tomorrow\" is not a time"),
        ("query -n many", "many"),
        ("query -o xml", "xml"),
    ] {
        let (code, why) = refused(&mut shipslog(&ship.url, line));
        assert!(code == 2 && why.contains(part), "{line}: {code} {why}");
    }
}

/// Anyone who may start a container writes its name and labels; a terminal must not obey them.
#[tokio::test(flavor = "multi_thread")]
async fn people_and_terminals_get_safe_lines() {
    let (_dir, daemon, ship) = ship_with(1).await;
    daemon.emit(
        r#"{"Type":"container","Action":"exec_create: sh -c \u001b]0;owned\u0007","Actor":{"ID":"c1","Attributes":{"com.docker.compose.project":"a\nb","exitCode":"3","image":"x\u202egpj.exe","label":"one\ntwo\r\u009b2J","name":"\u001b[2J\u001b[31mroot"}},"time":1795344578,"timeNano":1795344578000000001}"#,
    );
    daemon.emit(r#"{"Type":"container","Action":"die","Actor":{"ID":"c2","Attributes":{"exitCode":"137","name":"plain"}},"time":1795344579,"timeNano":1795344579000000002}"#);
    // Both, and that the death was judged.
    ship.wait_for_head(|head| head >= 7).await;
    let hostile = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';

    let human = ask(&ship, "query --since oldest -o human --utc");
    assert_eq!(human, ask(&ship, "query"), "what people get unasked");
    assert_eq!(human.lines().count(), 7, "a line each: {human}");
    assert!(!human.contains(hostile), "{human:?}");
    assert!(human.contains(r"\u{1b}[2J\u{1b}[31mroot") && human.contains(r"image=x\u{202e}gpj.exe") && human.contains(r"a\nb"), "{human}");
    assert!(human.contains(" die          plain exitCode=137\n") && human.contains(" recorder  gap "), "{human}");

    let docker = ask(&ship, "query -o docker --utc");
    let lines: Vec<_> = docker.lines().collect();
    assert_eq!(lines.len(), 3, "the recorder's own records are none of Docker's: {docker}");
    assert_eq!(lines[0], "2026-11-22T10:49:37.000000000Z container start c0 (image=busybox, name=job-0)");
    assert_eq!(lines[2], "2026-11-22T10:49:39.000000002Z container die c2 (exitCode=137, name=plain)");
    assert!(!docker.contains(hostile) && lines[1].contains(r"label=one\ntwo\r\u{9b}2J"), "{docker:?}");

    // Colours: never into a pipe, on a terminal unless NO_COLOR is there, and where asked for.
    let colour = |output: &str| output.contains("\u{1b}[31mdie");
    assert!(colour(&ask(&ship, "query --color always")));
    let terminal = |line: &str, no_color: bool| {
        let mut command = Command::new("script");
        command.args(["-qec", &format!("{BIN} {line} --url {}", ship.url), "/dev/null"]);
        command.env_remove("NO_COLOR").env("TERM", "xterm-256color").env_remove("CI");
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let output = run(&mut command);
        assert!(output.status.success(), "{line}: {output:?}");
        text(&output.stdout).replace("\r\n", "\n")
    };
    let coloured = terminal("query", false);
    assert!(colour(&coloured) && !coloured.contains("\u{1b}[2J") && !coloured.contains('\u{9b}'), "{coloured:?}");
    assert!(!terminal("query", true).contains(hostile));
    assert!(!terminal("query --color never", false).contains(hostile));
    // JSON as it is into a pipe, and with the same meaning but safe onto a terminal.
    let json = terminal("query -o json", false);
    assert!(!json.contains(hostile) && json.contains(r"\u009b2J"), "{json:?}");
    assert_eq!(ask(&ship, "query -o json"), printed(&export(&ship, "").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn stats_and_healthcheck_tell_how_it_is() {
    let (_dir, mut daemon, mut ship) = ship_with(5).await;
    let stats: serde_json::Value = serde_json::from_str(&ask(&ship, "stats -o json")).unwrap();
    assert_eq!((stats["log"]["head"].as_u64(), stats["ingest"]["received"].as_u64()), (Some(8), Some(5)), "{stats}");
    assert_eq!(stats["log"]["id"], ship.json("/api/v1/stats").await["log"]["id"]);
    let human = ask(&ship, "stats");
    for part in [
        &format!("version   {}\n", env!("CARGO_PKG_VERSION")),
        "holds     8 records, ",
        "sequences 1 to 8\n",
        "received 5, stored 8, duplicates 0, lost 0, malformed 0, redacted 0\n",
        "source    local connected\n",
    ] {
        assert!(human.contains(part), "{part:?} in {human}");
    }
    assert_eq!(ask(&ship, "healthcheck"), "ready: local connected\n");

    daemon.remove_socket();
    let output = wait_for("a health check that fails", async || {
        Some(run(&mut shipslog(&ship.url, "healthcheck"))).filter(|output| !output.status.success())
    })
    .await;
    let (why, remarks) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((output.status.code(), remarks.as_str()), (Some(1), ""), "the answer is on stdout");
    assert!(why.starts_with("not ready: local error: ") && why.lines().count() == 1, "{why}");
    wait_for("the reason", async || {
        text(&run(&mut shipslog(&ship.url, "healthcheck")).stdout).contains("is the Docker Engine installed and running?").then_some(())
    })
    .await;
    assert!(ask(&ship, "stats").contains("source    local error: "), "stats go on");
    daemon.listen().await;
    wait_for("the connection", async || run(&mut shipslog(&ship.url, "healthcheck")).status.success().then_some(())).await;

    ship.kill();
    for command in ["healthcheck", "stats", "tail", "query", "export"] {
        let (code, why) = refused(&mut shipslog(&ship.url, command));
        assert!(
            code == 1 && why.contains(&format!("cannot reach shipslog at {}: ", ship.url)) && why.contains("SHIPSLOG_URL"),
            "{command}: {code} {why}"
        );
    }
    let (code, why) = refused(shipslog(&ship.url, "stats --url").arg("ftp://127.0.0.1"));
    assert!(code == 1 && why.contains("the scheme must be http"), "--url goes before SHIPSLOG_URL: {code} {why}");
}

/// `| head -1`.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    let (_dir, daemon, ship) = ship_with(0).await;
    // More than a pipe holds.
    for n in 0..1000 {
        daemon.emit(&docker_line("container", "start", n));
        if n % 200 == 199 {
            ship.wait_for_head(|head| head >= n + 4).await;
        }
    }
    for line in
        ["query -o json", "query", "query -o docker", "tail --since oldest -o json", "tail --since oldest --follow -o json", "export"]
    {
        let mut child = shipslog(&ship.url, line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let first = first_line(child.stdout.take().unwrap(), child.id(), line);
        assert!(first.ends_with('\n') && first.len() > 10, "{line}: {first}");
        let mut child = Background::adopt(child);
        // Only the next event tells a follower that nobody reads its output any more.
        let code = wait_for("the end", async || {
            daemon.emit(&docker_line("container", "start", 5000));
            child.code()
        })
        .await;
        assert_eq!((code, child.err()), (0, String::new()), "{line}");
    }
    let pipe = Background::start(
        Command::new("bash").args(["-c", &format!("{BIN} query -o json --url {} | head -1; echo ${{PIPESTATUS[0]}}", ship.url)]),
    )
    .wait();
    assert!(text(&pipe.stdout).ends_with("}\n0\n") && pipe.stderr.is_empty(), "{pipe:?}");
}

#[test]
fn config_show_names_the_origin_of_every_setting() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("s.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:7071\"\ndata-dir = \"/srv/a\"\nmax-connections = 7\n").unwrap();
    let show = |line: &str| {
        let mut command = shipslog("", &format!("config show {line} --config"));
        command.arg(&file).env("SHIPSLOG_LISTEN", "127.0.0.1:7072").env("DOCKER_HOST", "tcp://10.0.0.7:2375");
        command
    };
    let shown = succeed(&mut show("--data-dir /srv/b"), "config show");
    let rows: Vec<Vec<_>> = shown.lines().map(|line| line.split('#').map(str::trim).collect()).collect();
    let file_origin = format!("file {}", file.display());
    for row in [
        [r#"data-dir = "/srv/b""#, "flag"],
        [r#"listen = "127.0.0.1:7072""#, "env SHIPSLOG_LISTEN"],
        [r#"docker-host = ["tcp://10.0.0.7:2375"]"#, "env DOCKER_HOST"],
        ["max-connections = 7", &file_origin],
        ["demo = false", "default"],
        ["token-file = \"\"", "default: not set: everyone who reaches the address may read"],
        ["max-connections-per-address = 0", "default: 16, a quarter of all but 16 or more, and any number from this machine"],
    ] {
        assert!(rows.iter().any(|shown| *shown == row), "{row:?} in {shown}");
    }
    let output = run(&mut show("--listen 0.0.0.0:7070"));
    let why = text(&output.stderr);
    assert!(output.status.code() == Some(2) && why.contains("--listen: 0.0.0.0:7070 can be reached from other machines"), "{why}");
    assert!(text(&output.stdout).contains("listen = \"0.0.0.0:7070\""), "shown all the same");
    std::fs::write(&file, "listne = \"x\"\n").unwrap();
    let (code, why) = refused(&mut show(""));
    assert!(code == 2 && why.contains("listne") && why.contains("s.toml"), "{code} {why}");
}
