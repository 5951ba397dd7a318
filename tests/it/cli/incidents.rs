//! `incidents` and `report`: the same from a server, an export and a directory.

use super::{refused, run, shipslog, succeed, text};
use crate::dockerd::Background;
use crate::fake_daemon::FakeDaemon;
use crate::support::Ship;
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const NOWHERE: &str = "http://127.0.0.1:9";

pub(super) fn recording(name: &str) -> String {
    format!("{}/tests/fixtures/incidents/{name}.jsonl.zst", env!("CARGO_MANIFEST_DIR"))
}

/// The program without a server.
pub(super) fn offline(line: &str) -> Command {
    shipslog(NOWHERE, line)
}

pub(super) fn of_file(line: &str, name: &str) -> Command {
    let mut command = offline(line);
    command.arg("--file").arg(recording(name));
    command
}

/// stdout of the program with a file on its stdin.
fn fed(line: &str, file: &Path) -> String {
    let mut command = offline(line);
    command.stdin(File::open(file).unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = Background::adopt(command.spawn().unwrap()).wait();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{line}");
    text(&output.stdout)
}

/// A report without what tells one copy of a log from another.
fn same_part(report: &str) -> Value {
    let mut report: Value = serde_json::from_str(report).unwrap();
    assert!(report["manifest"].as_object_mut().unwrap().remove("log").is_some());
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_a_file_and_a_directory_tell_the_same() {
    for name in ["busy-host-a", "dependency-chain-a"] {
        let dir = TempDir::new().unwrap();
        let data = dir.path().join("restored");
        let import = format!("import {} --data-dir {}", recording(name), data.display());
        run(&mut offline(&import));
        let plain = dir.path().join("plain.jsonl");
        let mut lines = zstd::stream::read::Decoder::new(File::open(recording(name)).unwrap()).unwrap();
        std::io::copy(&mut lines, &mut File::create(&plain).unwrap()).unwrap();
        let served = TempDir::new().unwrap();
        let ship = Ship::start_with(served.path(), &["--read-only", data.to_str().unwrap()]);

        for line in ["incidents -o json", "incidents", "incidents --severity notice --state closed", "report -o json", "report -o csv"] {
            let from_server = succeed(&mut shipslog(&ship.url, line), line);
            let others = [
                succeed(&mut of_file(line, name), line),
                succeed(&mut offline(&format!("{line} --file {}", plain.display())), line),
                fed(&format!("{line} --file -"), &plain),
                succeed(&mut offline(&format!("{line} --data-dir {}", data.display())), line),
            ];
            for other in others {
                if line == "report -o json" {
                    assert_eq!(same_part(&other), same_part(&from_server), "{name}: {line}");
                } else {
                    assert_eq!(other, from_server, "{name}: {line}");
                }
            }
            if line == "incidents -o json" {
                let told: Vec<Value> = from_server.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                let all = ship.json("/api/v1/incidents?severity=notice").await;
                assert_eq!(Value::Array(told.clone()), all["incidents"]);
                assert!(!told.is_empty() && told.is_sorted_by_key(|one| one["start"].as_str().unwrap().to_owned()));
            }
        }
        let markdown = succeed(&mut shipslog(&ship.url, "incidents -o markdown"), "markdown");
        assert_eq!(markdown, ship.get("/api/v1/report?format=markdown").await.text().await.unwrap());
    }
}

/// A quiet end is in no record: only the last line of an export tells it.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_says_until_when_is_judged_as_of_then() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("ended.jsonl");
    let mut lines = zstd::decode_all(File::open(recording("busy-host-a")).unwrap()).unwrap();
    let records = text(&lines).lines().count();
    let end = format!(r#"{{"end":{{"as_of":"2026-11-29T03:00:00.000000000Z","last":"efb83cb4-529","records":{records}}}}}"#);
    lines.extend(end.bytes().chain([b'\n']));
    std::fs::write(&file, lines).unwrap();
    let served = TempDir::new().unwrap();
    let ship = Ship::start_with(served.path(), &["--read-only", file.to_str().unwrap()]);
    let line = "incidents --subject thumbnailer";
    let (from_server, from_file) =
        (succeed(&mut shipslog(&ship.url, line), line), succeed(&mut offline(&format!("{line} --file {}", file.display())), line));
    assert_eq!(from_server, from_file);
    let from_file = from_file.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(from_file.contains("it recovered by itself") && from_file.contains("as of 2026-11-29 03:00:00+00:00."), "{from_file}");
    let without = succeed(&mut of_file(line, "busy-host-a"), line);
    assert!(without.contains("goes on"), "{without}");
    // A time after the end is not judged as if somebody had listened.
    let later = run(&mut of_file(&format!("{line} --utc --at 2026-11-29T09:00:00Z"), "busy-host-a"));
    assert_eq!(text(&later.stdout), succeed(&mut of_file(&format!("{line} --utc"), "busy-host-a"), line));
    assert!(text(&later.stderr).contains("the recording ends at 2026-11-29 01:49:07+00:00; this is how it was then"), "{later:?}");
}

#[test]
fn people_read_sentences_that_fit_a_terminal() {
    let told = succeed(&mut of_file("incidents --utc", "busy-host-a"), "human");
    assert!(told.lines().all(|line| line.chars().count() <= 100), "{told}");
    let joined = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for says in [
        "major thumbnailer ran out of memory and was killed 3 times in 141 s",
        "It began at 2026-11-29 01:46:09+00:00 and goes on, for 2 min 58 s so far.",
        "1 min 25 s later, at 01:47:56, it was well since image acme/api:7 was back.",
        "What events say: at 01:46:30 deploy: image acme/api:7 -> acme/api:8;",
        "Why it exited with 1, events do not say: look at its logs.",
        "No event is known to be missing. crash-loop on prod-1, efb83cb4-210c",
        "2 incidents, 1 of them open; 1 notice (--severity notice shows them); as of 2026-11-29 01:49:07+00:00.",
        "One of them in full: shipslog report ID, with the same --file, --data-dir or --url.",
    ] {
        assert!(joined.contains(says), "{says} in\n{told}");
    }
    let berlin = succeed(&mut of_file("incidents --tz Europe/Berlin --subject shop/api", "busy-host-a"), "zone");
    assert!(berlin.contains("02:46:31+01:00") && !berlin.contains("thumbnailer"), "{berlin}");
    let gap = succeed(&mut of_file("incidents", "recorder-gap-c"), "gap");
    assert!(gap.contains("The evidence may be incomplete:"), "{gap}");
    let quiet = succeed(&mut of_file("incidents", "compose-good-c"), "quiet");
    assert!(quiet.starts_with("No incident;"), "{quiet}");
}

#[test]
fn times_say_what_was_known() {
    let count = |line: &str| {
        let output = run(&mut of_file(&format!("incidents -o json {line}"), "crashloop-exit-a"));
        assert_eq!(output.status.code(), Some(0), "{line}");
        text(&output.stdout).lines().count()
    };
    assert_eq!(count(""), 1);
    let first: Value = serde_json::from_str(&succeed(&mut of_file("incidents -o json", "crashloop-exit-a"), "first")).unwrap();
    let start = first["start"].as_str().unwrap();
    let known = first["known"].as_str().unwrap();
    assert_eq!((count(&format!("--until {known}")), count(&format!("--at {start}")), count("--until 2020-01-01")), (1, 0, 0));
    assert_eq!((count("--since 2040-01-01"), count("--at now"), count("--kind oom")), (0, 1, 0), "nobody listened after the end");
    // When it was known first it was no loop yet.
    let early = succeed(&mut of_file(&format!("incidents -o json --until {known}"), "crashloop-exit-a"), "early");
    assert!(early.contains("\"kind\":\"crash\"") && first["kind"] == "crash-loop", "{early}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_whether_something_broke() {
    let dir = TempDir::new().unwrap();
    let ship = Ship::start_with(dir.path(), &["--read-only", &recording("busy-host-a")]);
    // The worst of it is major.
    for (line, code) in [
        ("incidents", 0),
        ("incidents --fail-on notice", 3),
        ("incidents --fail-on major", 3),
        ("incidents --fail-on critical", 0),
        ("incidents --fail-on major -o json", 3),
        ("incidents --fail-on major -o markdown", 3),
        ("incidents --fail-on major --severity critical", 3),
        ("incidents --fail-on major --kind host", 0),
        ("incidents --fail-on major --until 2020-01-01", 0),
        ("incidents --fail-on bad", 2),
        ("incidents --severity bad", 2),
        ("incidents --since now --until yesterday", 2),
        ("incidents --at nonsense", 2),
    ] {
        for mut command in [shipslog(&ship.url, line), of_file(line, "busy-host-a")] {
            let output = run(&mut command);
            assert_eq!(output.status.code(), Some(code), "{line}: {}", text(&output.stderr));
            // A remark about a range of which nothing is known is no refusal.
            let is_said = code == 2 || line.contains("2020");
            assert!(is_said || output.stderr.is_empty(), "{line}: {}", text(&output.stderr));
        }
    }
    let told = text(&run(&mut of_file("incidents --fail-on major --severity critical", "busy-host-a")).stdout);
    assert!(told.starts_with("No incident;"), "what is not asked for is not shown: {told}");
    // What cannot be found out is no "yes".
    let file = dir.path().join("no.jsonl");
    std::fs::write(&file, "no record\n").unwrap();
    for (line, says) in [
        (format!("incidents --fail-on major --file {}", file.display()), "no.jsonl"),
        (format!("incidents --fail-on major --file {}/missing", dir.path().display()), "missing"),
        (format!("incidents --fail-on major --data-dir {}/missing", dir.path().display()), "missing"),
        ("incidents --fail-on major".to_owned(), "127.0.0.1:9"),
    ] {
        let (code, why) = refused(&mut offline(&line));
        assert!(code == 1 && why.contains(says) && why.lines().count() == 1, "{line}: {code} {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_files_whose_name_says_the_form() {
    let dir = TempDir::new().unwrap();
    let ship = Ship::start_with(dir.path(), &["--read-only", &recording("compose-bad-deploy-a")]);
    let id = ship.json("/api/v1/incidents").await["incidents"][0]["id"].as_str().unwrap().to_owned();
    let written = |command: &mut Command, name: &str| {
        let path = dir.path().join(name);
        assert_eq!(succeed(command.arg("-O").arg(&path), name), "");
        std::fs::read_to_string(path).unwrap()
    };
    for (name, begins) in [
        ("a.md", "# shop/api crashed"),
        ("a.html", "<!DOCTYPE html>"),
        ("a.json", "{\n  \"manifest\""),
        ("a.perfetto.json", "{\"displayTimeUnit\""),
        ("a.csv", "incident,time,record"),
    ] {
        let from_server = written(&mut shipslog(&ship.url, &format!("report {id}")), name);
        let from_file = written(&mut of_file(&format!("report {id}"), "compose-bad-deploy-a"), &format!("file-{name}"));
        assert!(from_server.starts_with(begins) && from_file.starts_with(begins), "{name}: {from_server}");
    }
    let stdout = succeed(&mut shipslog(&ship.url, &format!("report {id}")), "stdout");
    assert_eq!(stdout, ship.get(&format!("/api/v1/incidents/{id}/report")).await.text().await.unwrap());

    let there = dir.path().join("a.md");
    for (line, says) in [
        (format!("report {id} -O {}", there.display()), "--force"),
        (format!("report -o html -O {}/b.md", dir.path().display()), "change one of the two"),
        (format!("report -O {}/b.pdf", dir.path().display()), ".perfetto.json"),
        ("report nonsense".to_owned(), "no incident's id"),
        (format!("report {id} --since 1h"), "an ID names one incident"),
    ] {
        let (code, why) = refused(&mut shipslog(&ship.url, &line));
        assert!(code == 2 && why.contains(says), "{line}: {code} {why}");
    }
    assert!(!dir.path().join("b.md").exists() && !Path::new("b.pdf").exists());
    for mut command in [shipslog(&ship.url, "report 00000000-1c"), of_file("report 00000000-1c", "compose-bad-deploy-a")] {
        let (code, why) = refused(&mut command);
        assert!(code == 1 && why.contains("there is no such incident in this log"), "{code} {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_read_beside_its_recorder() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    let ship = Ship::start(dir.path(), &daemon.url());
    ship.wait_for_head(|head| head >= 3).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for (at, action) in [(0, "start"), (1, "die")] {
        let (time, id) = (now + at, "7".repeat(64));
        daemon.emit(&format!(
            r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{id}","Attributes":{{"name":"db","image":"db:1","exitCode":"1"}}}},"scope":"local","time":{time},"timeNano":{time}000000000}}"#
        ));
    }
    ship.wait_for_head(|head| head >= 5).await;
    let line = format!("report -o json --data-dir {}", dir.path().display());
    let beside: Value = serde_json::from_str(&succeed(&mut offline(&line), &line)).unwrap();
    // That the death was judged may be a record by now, too.
    let last = beside["manifest"]["last"].as_str().and_then(|last| last.rsplit('-').next()?.parse::<u64>().ok());
    assert!(last.is_some_and(|last| last >= 5), "{beside}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_at_a_time_is_the_same_from_everywhere() {
    let (dir, name) = (TempDir::new().unwrap(), "crashloop-exit-a");
    let ship = Ship::start_with(dir.path(), &["--read-only", &recording(name)]);
    let list: Value = ship.get("/api/v1/incidents").await.json().await.unwrap();
    let line = format!("state --at {} --output json", list["incidents"][0]["start"].as_str().unwrap());
    let state = |command: &mut Command| serde_json::from_str::<Value>(&succeed(command, &line)).unwrap();
    let (served, read) = (state(&mut shipslog(&ship.url, &line)), state(&mut of_file(&line, name)));
    assert_eq!(served["containers"], read["containers"]);
    assert!(!served["containers"].as_array().unwrap().is_empty(), "{served}");
    let shown = succeed(&mut of_file("state --utc", name), "state --utc");
    assert!(shown.contains("subject") && shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
}

/// What hooks would have sent is said and not sent: the URL is nobody's.
#[test]
fn what_hooks_would_have_sent_is_said() {
    let dir = TempDir::new().unwrap();
    let config = dir.path().join("shipslog.toml");
    let hooks = "[[hook]]\nname = \"ops\"\nurl = \"http://127.0.0.1:9/in\"\n[[hook]]\nname = \"pager\"\nurl = \"http://127.0.0.1:9/in\"\n\
                 severity = \"major\"\nformat = \"slack\"\n";
    std::fs::write(&config, hooks).unwrap();
    let rehearse = |more: &str| {
        let mut command = of_file(&format!("incidents --hooks --dry-run {more}"), "crashloop-exit-a");
        let output = run(command.arg("--config").arg(&config));
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{more}");
        text(&output.stdout)
    };
    let messages: Vec<Value> = rehearse("-o json").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |hook: &str| -> Vec<&str> {
        messages.iter().filter(|message| message["hook"] == hook).map(|message| message["occasion"].as_str().unwrap()).collect()
    };
    assert_eq!((of("ops").first(), of("pager").first()), (Some(&"opened"), Some(&"opened")), "{messages:?}");
    assert!(messages.is_sorted_by_key(|message| message["time"].as_str().unwrap().to_owned()), "{messages:?}");
    let pager = messages.iter().find(|message| message["hook"] == "pager").unwrap();
    let (id, incident) = (pager["id"].as_str().unwrap(), pager["incident"].as_str().unwrap());
    assert!(id.starts_with(&format!("{incident}.")) && pager["body"].as_str().unwrap().starts_with(r#"{"text":"#), "{pager}");
    let human = rehearse("--utc");
    assert!(human.contains("  pager  opened  ") && human.lines().all(|line| line.chars().count() <= 100), "{human}");
    // What began before the range is none of theirs, and a mute is one.
    assert_eq!(rehearse("--since 2040-01-01"), "Nothing would have been sent.\n");
    std::fs::write(&config, format!("{hooks}[[mute]]\n")).unwrap();
    assert_eq!(rehearse(""), "Nothing would have been sent.\n");
    for (line, words) in [("incidents --hooks --dry-run --config", "--data-dir"), ("incidents --hooks --config", "--dry-run")] {
        let mut command = offline(line);
        command.arg(&config);
        let output = run(&mut command);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(text(&output.stderr).contains(words), "{line}: {}", text(&output.stderr));
    }
}
