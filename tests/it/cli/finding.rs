//! How records are found: keys, hints, folding, hosts and times, over an export that is served as it is.

use super::{ask, refused, run, shipslog, text};
use crate::support::Ship;
use std::fmt::Write as _;
use std::path::Path;
use tempfile::TempDir;

/// An export of two hosts: probes of `shop-db-1`, deaths of the workers, and one event of the other host at
/// the end.
fn served(dir: &Path) -> Ship {
    let mut lines = String::new();
    let mut seq = 0;
    let mut put = |source: &str, noise: bool, action: &str, name: &str, more: &str| {
        seq += 1;
        let mark = if noise { r#""noise":"healthcheck","# } else { "" };
        let time = format!("2026-10-25T00:{:02}:00.000000000Z", seq - 1);
        let _ = writeln!(
            lines,
            r#"{{"id":"7f3c9a1e-{seq}","seq":{seq},"time":"{time}","received":"{time}","source":"{source}",{mark}"event":{{"Type":"container","Action":"{action}","Actor":{{"ID":"c{seq}","Attributes":{{"com.docker.compose.project":"shop","image":"busybox","name":"{name}"{more}}}}}}}}}"#
        );
    };
    for name in ["shop-worker-1", "shop-worker-2", "batch-worker"] {
        put("local", false, "start", name, "");
    }
    for round in 0..10 {
        for action in ["exec_create: /check", "exec_start: /check", "exec_die"] {
            put("local", true, action, "shop-db-1", if action == "exec_die" { r#","exitCode":"0""# } else { "" });
        }
        if round == 4 {
            put("local", false, "die", "shop-worker-1", r#","exitCode":"137""#);
        }
    }
    put("local", false, "die", "batch-worker", r#","exitCode":"0""#);
    put("edge", false, "start", "far", "");
    let file = dir.join("incident.jsonl");
    std::fs::write(&file, lines).unwrap();
    Ship::start_with(&dir.join("data"), &["--read-only", file.to_str().unwrap()])
}

/// The names and actions of what a query finds.
fn found(ship: &Ship, options: &str) -> Vec<String> {
    let lines = ask(ship, &format!("query -o json {options}"));
    let record = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let event = &record["event"];
        format!("{} {}", event["Actor"]["Attributes"]["name"].as_str().unwrap(), event["Action"].as_str().unwrap())
    };
    lines.lines().map(record).collect()
}

/// Two loss records that filters hide are among what was recorded here.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_tells_the_same_from_a_server_a_file_and_a_directory() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("incident.jsonl");
    let ship = served(dir.path());
    let mut lines = std::fs::read_to_string(&file).unwrap();
    drop(ship);
    for seq in [37, 38] {
        let time = format!("2026-10-25T00:{seq}:00.000000000Z");
        let _ = writeln!(
            lines,
            r#"{{"id":"7f3c9a1e-{seq}","seq":{seq},"time":"{time}","received":"{time}","source":"local","event":{{"Type":"recorder","Action":"gap","Actor":{{"ID":"local","Attributes":{{"from":"2026-10-25T00:30:00Z","until":"{time}","reason":"ring-overrun"}}}}}}}}"#
        );
    }
    std::fs::write(&file, &lines).unwrap();
    let data = dir.path().join("restored");
    run(&mut shipslog("http://127.0.0.1:9", &format!("import {} --data-dir {}", file.display(), data.display())));
    let ship = Ship::start_with(&dir.path().join("served"), &["--read-only", file.to_str().unwrap()]);
    let told = |url: &str, line: &str| {
        let output = shipslog(url, line).output().unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    for line in [
        "query",
        "query --all",
        "query -o json",
        "query -f exit=137",
        "query -f container=far -n 1",
        "query -n 4",
        "query -n 2 -f project=shop --format json",
        "query -n 3 --since 2026-10-25T00:10:00Z --until 2026-10-25T00:33:00Z",
        "query -f source=edge",
    ] {
        let expected = told(&ship.url, line);
        assert_eq!(expected.0, Some(0), "{line}: {}", expected.2);
        assert!(!expected.1.is_empty(), "{line}");
        for place in [format!("--file {}", file.display()), format!("--data-dir {}", data.display())] {
            assert_eq!(told("http://127.0.0.1:9", &format!("{line} {place}")), expected, "{line} {place}");
        }
    }
    let nothing = told("http://127.0.0.1:9", &format!("query -f container=nosuch --file {}", file.display()));
    assert_eq!(nothing.0, Some(0));
    assert!(nothing.2.contains("nothing found"), "{}", nothing.2);
    let lost = told("http://127.0.0.1:9", "query --file no-such-file.jsonl");
    assert!(lost.0 == Some(1) && lost.2.contains("cannot open no-such-file.jsonl"), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn friendly_keys_find_what_people_mean() {
    let dir = TempDir::new().unwrap();
    let ship = served(dir.path());
    assert_eq!(found(&ship, "-f exit=137"), ["shop-worker-1 die"]);
    assert_eq!(found(&ship, "-f exit!=0"), ["shop-worker-1 die"]);
    assert_eq!(found(&ship, "-f exit=0 -f exit=137 -x noise=healthcheck"), ["shop-worker-1 die", "batch-worker die"], "one or the other");
    assert_eq!(found(&ship, "-f text=WORKER-2"), ["shop-worker-2 start"]);
    assert_eq!(found(&ship, "-f project=shop -f event=di*"), ["shop-worker-1 die", "batch-worker die"]);
    assert_eq!(found(&ship, "-f container=shop-w* -x event=start"), ["shop-worker-1 die"]);
    assert_eq!(found(&ship, "-f noise=healthcheck -f exit=0").len(), 10);
    for (terms, part) in [("typ=container", "did you mean type?"), ("exit=red", "exit=137"), ("type!=image", "left out")] {
        let (code, why) = refused(&mut shipslog(&ship.url, &format!("query -f {terms}")));
        assert!(code == 2 && why.contains(part), "{terms}: {code} {why}");
    }
    // Docker's route ignores what Docker does not know.
    let docker = ship.get(r#"/events?since=1&until=1793000000&filters={"exit":["137"],"project":["x"],"type":["container"]}"#).await;
    assert_eq!(docker.text().await.unwrap().lines().count(), 36);
    let ours = ship.json(r#"/api/v1/events?filters={"exit!":["0"]}"#).await;
    assert_eq!(ours["records"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_close_is_named_where_nothing_is_found() {
    let dir = TempDir::new().unwrap();
    let ship = served(dir.path());
    for (command, remark) in [
        ("query -f type=contaner", r#"nothing found: no type is "contaner"; did you mean type=container?"#),
        (
            "query -f container=worker",
            r#"nothing found: no container's name begins with "worker"; 3 names contain it: batch-worker, shop-worker-1, shop-worker-2"#,
        ),
        ("tail -f event=died -o json", r#"nothing found: no event is "died"; did you mean event=die?"#),
        ("query -f project=shpo", r#"nothing found: no project is "shpo"; did you mean project=shop?"#),
        ("export -f source=egde", r#"nothing found: no source is "egde"; did you mean source=edge?"#),
        ("export --format csv -f source=egde", r#"nothing found: no source is "egde"; did you mean source=edge?"#),
        ("query --since 2026-12-01", "nothing found: there is no event at all in this time; the newest one is of 2026-10-25T00:35:00"),
        ("query -f container=far -f event=die", "nothing found"),
        ("tail --follow --until 2026-10-26 -f type=contaner", r#"nothing found: no type is "contaner"; did you mean type=container?"#),
    ] {
        let output = run(&mut shipslog(&ship.url, command));
        let (code, told) = (output.status.code(), text(&output.stderr));
        assert!(code == Some(0) && told.starts_with(&format!("-- {remark}")), "{command}: {code:?} {told}");
        assert_eq!(told.lines().count(), 1, "{command}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_checks_are_counted_and_hosts_named() {
    let dir = TempDir::new().unwrap();
    let ship = served(dir.path());
    let shown = ask(&ship, "query --utc");
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines.len(), 8, "{shown}");
    assert_eq!(lines[0], "2026-10-25 00:00:00.000 local    container start        shop-worker-1 image=busybox compose=shop/");
    assert_eq!(lines[3], "   … 15 events of health checks (--all shows them)");
    assert!(lines[4].contains(" die ") && lines[5] == lines[3] && lines[7].contains(" edge "), "{shown}");
    assert_eq!(ask(&ship, "query --all --utc").lines().count(), 36);
    assert_eq!(ask(&ship, "query -o json").lines().count(), 36, "for machines");
    assert_eq!(ask(&ship, "query -f noise=healthcheck").lines().count(), 30, "who asks for them sees them");
    // Not counted among the newest, though they lie between them.
    let newest = ask(&ship, "tail -n 3 --utc");
    let names: Vec<_> = newest
        .lines()
        .map(|line| ["shop-worker-1", "…", "batch-worker", "far"].iter().find(|name| line.contains(**name)).unwrap())
        .collect();
    assert_eq!(names, [&"shop-worker-1", &"…", &"batch-worker", &"far"], "{newest}");
    let followed = ask(&ship, "tail --since oldest --follow --until 2026-10-26 --utc");
    assert_eq!(followed, shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_read_and_shown_in_ones_own_zone() {
    let dir = TempDir::new().unwrap();
    let ship = served(dir.path());
    let count = |options: &str| {
        let output = run(&mut shipslog(&ship.url, &format!("query -o json {options}")));
        (text(&output.stdout).lines().count(), text(&output.stderr))
    };
    // In Berlin it is 02:00 then, for the first of two times.
    let twice = |flag: &str, time: &str| format!("-- {flag} {time}: the clock showed this time twice, and the earlier one was taken");
    let (records, told) = count("--since 2026-10-25T02:30 --tz Europe/Berlin");
    assert!(records == 6 && told.starts_with(&twice("--since", "2026-10-25T02:30")), "{records} {told}");
    assert_eq!(count("--since 2026-10-25T02:30+02:00 --tz Europe/Berlin"), (6, String::new()));
    assert_eq!(count("--since 2026-10-25 --until 2026-10-26 --utc"), (36, String::new()));
    assert_eq!(count("--since 2026-10-25 --tz America/New_York").0, 0);
    assert_eq!(count("--since -1000w --until=-0s").1, "", "a minus is no flag");
    let mut tokyo = shipslog(&ship.url, "tail -n 1");
    assert!(text(&run(tokyo.env("TZ", "Asia/Tokyo")).stdout).starts_with("2026-10-25 09:35:00.000 "));
    let (code, why) = refused(&mut shipslog(&ship.url, "query --tz Mars"));
    assert!(code == 2 && why.contains("--tz: \"Mars\" is not the name of a time zone"), "{code} {why}");
    for (query, records) in
        [("since=2026-10-25T02:30&tz=Europe/Berlin", 6), ("since=2026-10-25T02:30:00+02:00", 6), ("until=2026-10-25&tz=UTC", 1)]
    {
        let page = ship.json(&format!("/api/v1/events?{query}")).await;
        assert_eq!(page["records"].as_array().unwrap().len(), records, "{query}");
    }
    let twice = ship.get("/api/v1/events?since=2026-10-25+02:30&tz=Europe/Berlin").await;
    let remark = twice.headers()["shipslog-remark"].to_str().unwrap();
    assert!(remark.starts_with("since: the clock showed this time twice"), "{remark}");
    assert!(!ship.get("/api/v1/events?since=2026-10-25+03:30&tz=Europe/Berlin").await.headers().contains_key("shipslog-remark"));
    assert_eq!(ship.get("/api/v1/events?tz=Mars").await.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_file_chooses_its_format() {
    let dir = TempDir::new().unwrap();
    let ship = served(dir.path());
    let write = |name: &str, options: &str| {
        let path = dir.path().join(name);
        let output = run(shipslog(&ship.url, &format!("export {options} -O")).arg(&path));
        (output.status.code(), std::fs::read_to_string(path).unwrap_or_default(), text(&output.stderr))
    };
    let (code, table, _) = write("x.csv", "");
    assert!(code == Some(0) && table.starts_with("id,time,") && table.lines().count() == 37, "{table}");
    assert!(write("x.txt", "").1.starts_with("2026-10-25T00:00:00.000000000Z container start"));
    let (code, text, why) = write("y.csv", "--format jsonl");
    assert!(code == Some(2) && text.is_empty() && why.contains("--format asks for jsonl"), "{code:?} {why}");
    assert_eq!(write("y.parquet", "").0, Some(2));
}

#[test]
fn helps_completions_and_manuals_come_from_the_same_texts() {
    let help = run(shipslog("", "query --help").env("COLUMNS", "80"));
    let help = text(&help.stdout);
    for part in ["Which events:", "Times:", "Output:", "Server:", "exit!=0", "--tz <ZONE>"] {
        assert!(help.contains(part), "{part:?} in {help}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    assert!(text(&run(shipslog("", "serve -h").env("COLUMNS", "100")).stdout).lines().all(|line| line.chars().count() <= 100));
    for (shell, part) in [("bash", "_shipslog"), ("zsh", "#compdef shipslog"), ("fish", "complete -c shipslog")] {
        assert!(text(&run(&mut shipslog("", &format!("completions {shell}"))).stdout).contains(part), "{shell}");
    }
    let dir = TempDir::new().unwrap();
    let pages = dir.path().join("man");
    assert!(run(shipslog("", "man").arg(&pages)).status.success());
    let page = std::fs::read_to_string(pages.join("shipslog-query.1")).unwrap();
    assert!(page.contains("Which events") || page.contains("WHICH EVENTS"), "{page}");
    assert!(text(&run(&mut shipslog("", "man")).stdout).contains(".TH shipslog 1"));
}
