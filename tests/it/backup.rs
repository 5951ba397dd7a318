//! An export is a backup, and somebody else's log can be looked at.

use crate::support::{BIN, Ship, Sse, assert_dense, is_record, ship_with};
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

fn shipslog(args: &[&str]) -> Output {
    crate::dockerd::Background::start(Command::new(BIN).args(args).env_remove("SHIPSLOG_DATA_DIR")).wait()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// An export of `ship` under `name`.
fn save(ship: &Ship, dir: &Path, name: &str, more: &[&str]) -> String {
    let path = dir.join(name).to_str().unwrap().to_owned();
    let output = shipslog(&[&["export", "--url", &ship.url, "-O", &path], more].concat());
    assert!(output.status.success(), "{}", text(&output));
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_comes_back_under_its_ids_and_goes_on_under_another() {
    let (dir, daemon, mut ship) = ship_with(1500).await;
    let log = ship.log().await;
    let before = ship.export("").await;
    for name in ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"] {
        let path = save(&ship, dir.path(), name, &[]);
        let data = TempDir::new().unwrap();
        let data_dir = data.path().to_str().unwrap();
        let output = shipslog(&["import", &path, "--data-dir", data_dir]);
        assert!(output.status.success() && text(&output).contains("under their ids"), "{}", text(&output));
        assert!(text(&shipslog(&["verify", "--data-dir", data_dir])).contains("whole: every checksum"));
        // A copy of what was imported keeps it, start after start.
        let twin = TempDir::new().unwrap();
        assert!(Command::new("cp").arg("-r").arg(data.path().join("log")).arg(twin.path()).status().unwrap().success());
        for _ in 0..2 {
            let mut copy = Ship::start(twin.path(), "unix:///nonexistent/docker.sock");
            let all = copy.export("").await;
            assert!(before.iter().all(|(seq, line)| all.get(seq) == Some(line)), "{name}: every record as it was");
            copy.stop();
        }
        assert!(!twin.path().join("quarantine").exists());
        let again = shipslog(&["import", &path, "--data-dir", data_dir]);
        assert!(!again.status.success() && text(&again).contains("holds a log already"), "{}", text(&again));

        // It can be recorded into, and both know that they are no longer the same log.
        let copy = Ship::start(data.path(), &daemon.url());
        let all = copy.export("").await;
        assert!(before.iter().all(|(seq, line)| all.get(seq) == Some(line)), "{name}: every record as it was");
        let new = copy.log().await;
        assert_ne!(new, log);
        let last = copy.wait_for_head(|head| head > *before.keys().last().unwrap()).await;
        assert_dense(&copy.export("").await);
        let one = copy.json(&format!("/api/v1/events/{new}-{last}")).await;
        assert_eq!(one["id"], format!("{new}-{last}"));
        // A client of the old log continues where it was.
        let mut stream = Sse::open(&copy.url, "/api/v1/stream", Some(&format!("{log}-700"))).await.unwrap();
        let events = stream.read_until(is_record).await;
        assert!(events.iter().all(|e| e.event != "reset") && events.last().unwrap().id == format!("{log}-701"));
    }
    ship.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_log_is_served_and_left_alone() {
    let (dir, _daemon, mut ship) = ship_with(300).await;
    let whole = save(&ship, dir.path(), "all.jsonl.zst", &[]);
    let part = save(&ship, dir.path(), "part.jsonl.gz", &["-f", "type=network"]);
    let expected = ship.export("").await;
    let log = ship.log().await;
    ship.kill();
    let list = |dir: &Path| {
        let mut files: Vec<_> = std::fs::read_dir(dir.join("log"))
            .unwrap()
            .map(|e| e.unwrap())
            .map(|e| (e.file_name(), e.metadata().unwrap().modified().unwrap()))
            .collect();
        files.sort();
        files
    };
    let files = list(dir.path());
    for what in [dir.path().to_str().unwrap(), &whole] {
        let nowhere = TempDir::new().unwrap();
        let reading = Ship::start_with(nowhere.path(), &["--read-only", what]);
        assert_eq!(reading.export("").await, expected, "{what}");
        assert_eq!(reading.json("/readyz").await["ready"], true);
        assert_eq!(reading.json("/api/v1/events?limit=2&order=desc").await["records"].as_array().unwrap().len(), 2);
        let mut stream = Sse::open(&reading.url, "/api/v1/stream?since=oldest", None).await.unwrap();
        let events = stream.read_until(|e| e.event == "caught-up").await;
        let lines: Vec<_> = events.iter().filter(|e| is_record(e)).map(|e| e.data.clone()).collect();
        assert_eq!(lines, expected.values().cloned().collect::<Vec<_>>());
        for page in ["/", "/compare", "/demo/sse", "/api/v1/stats", "/metrics", "/healthz"] {
            assert_eq!(reading.get(page).await.status(), 200, "{page}");
        }
        assert!(!nowhere.path().join("log").exists(), "nothing is recorded");
    }
    assert_eq!(list(dir.path()), files, "nothing was changed");

    // What a filtered export left out is told, and is no damage.
    let nowhere = TempDir::new().unwrap();
    let reading = Ship::start_with(nowhere.path(), &["--read-only", &part]);
    let mut stream = Sse::open(&reading.url, &format!("/api/v1/stream?last_event_id={log}-0"), None).await.unwrap();
    let events = stream.read_until(|e| e.event == "caught-up").await;
    let is_gap = |line: &str| line.contains(r#""Type":"recorder","Action":"gap""#);
    assert_eq!(events.iter().filter(|e| is_record(e) && !is_gap(&e.data)).count(), 150);
    let gaps: Vec<_> = events.iter().filter(|e| e.event == "gap").map(|e| e.data.clone()).collect();
    assert!(gaps.len() > 100 && gaps[1..].iter().all(|gap| gap.contains(r#""reason":"export""#)), "{:?}", &gaps[..3]);
}

fn line(seq: u64) -> String {
    format!(
        r#"{{"id":"7f3c9a1e-{seq}","seq":{seq},"time":"2026-11-22T10:49:37.148160810Z","received":"2026-11-22T10:49:37.149002113Z","source":"local","event":{{"Type":"x"}}}}"#
    )
}

#[test]
fn an_export_with_holes_is_whole_when_it_is_imported() {
    let dir = TempDir::new().unwrap();
    let (file, data) = (dir.path().join("export.jsonl"), dir.path().join("data"));
    std::fs::write(&file, [line(5), line(6), line(9)].join("\n")).unwrap();
    let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    assert!(shipslog(&["import", file, "--data-dir", data]).status.success());
    let verified = shipslog(&["verify", "--data-dir", data]);
    assert!(verified.status.success() && text(&verified).contains("the records 7 to 8 are missing"), "{}", text(&verified));
}

#[test]
fn what_cannot_be_imported_or_served_is_told() {
    let dir = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(&path, text).unwrap();
        path
    };
    let data = dir.path().join("data").to_str().unwrap().to_owned();
    for (file, words) in [
        (write("garbage", "hello\n"), "line 1 cannot be imported"),
        (write("empty", ""), "it holds no records"),
        (write("twice", &format!("{}\n{}\n", line(5), line(5))), "line 2 cannot be imported: its sequence 5 does not rise"),
        (write("high", &line(u64::MAX)), "is over"),
        (
            write("short", &format!("{}\n{{\"end\":{{\"as_of\":\"2026-11-22T11:00:00Z\",\"records\":2,\"last\":null}}}}\n", line(1))),
            "its last line says 2 records",
        ),
        (
            write("other", &format!("{}\n{{ \"end\": {{\"records\": 1, \"last\": \"7f3c9a1e-2\"}} }}\n", line(1))),
            "up to 7f3c9a1e-2, and it holds 1",
        ),
        (
            write("after", &format!("{}\n{{\"end\":{{\"records\":1}}}}\n{}\n", line(1), line(2))),
            "line 3 cannot be imported: it comes after the line that ends",
        ),
        (write("mixed", &[line(1), line(2).replace("7f3c", "8f3c"), line(3)].join("\n")), "line 3 cannot be imported: its log"),
        (write("id", &line(5).replace("7f3c9a1e-5", "x")), "line 1"),
        ("/nonexistent".to_owned(), "cannot open /nonexistent"),
    ] {
        let output = shipslog(&["import", &file, "--data-dir", &data]);
        assert!(!output.status.success() && text(&output).contains(words), "{file}: {}", text(&output));
        assert!(!Path::new(&data).join("log").exists() && !Path::new(&data).join("log.importing").exists(), "nothing is left behind");
        let output = shipslog(&["serve", "--listen", "127.0.0.1:0", "--read-only", &file]);
        assert!(!output.status.success() && text(&output).contains("read-only"), "{file}: {}", text(&output));
    }
    // Another tool's spelling of the envelope is put in order.
    let loose = write("loose", &format!("{}\n", line(5).replace("\",\"", "\", \"").replace(r#""Type":"x""#, r#""Type": "x""#)));
    let output = shipslog(&["import", &loose, "--data-dir", &data]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&shipslog(&["verify", "--data-dir", &data])).contains("whole"));
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_tells_what_is_wrong_with_an_exit_code() {
    let (dir, _daemon, mut ship) = ship_with(50).await;
    let data = dir.path().to_str().unwrap().to_owned();
    let beside = shipslog(&["verify", "--data-dir", &data]);
    assert!(beside.status.success(), "{}", text(&beside));
    assert!(
        text(&beside).contains("records 1 to 53, 53 whole") && text(&beside).contains("note: a recorder is writing"),
        "{}",
        text(&beside)
    );
    ship.stop();
    let whole = shipslog(&["verify", "--data-dir", &data]);
    assert!(whole.status.success() && text(&whole).contains("whole: every checksum"), "{}", text(&whole));
    std::fs::write(dir.path().join("log/LOG"), "x").unwrap();
    let hurt = shipslog(&["verify", "--data-dir", &data]);
    assert_eq!(hurt.status.code(), Some(1));
    assert!(text(&hurt).contains("DAMAGE: LOG cannot be read"), "{}", text(&hurt));
    let nothing = shipslog(&["verify", "--data-dir", "/nonexistent"]);
    assert!(!nothing.status.success() && text(&nothing).contains("/nonexistent"), "{}", text(&nothing));
}
