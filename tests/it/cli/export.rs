//! `export` makes whole files or none.

use super::{ask, refused, ship_with, shipslog, succeed, text};
use crate::dockerd::Background;
use crate::support::{docker_line, wait_for};
use rand::RngExt;
use std::io::{BufReader, Read};
use std::path::Path;
use tempfile::TempDir;

fn unpacked(path: &Path) -> String {
    let file = std::fs::File::open(path).unwrap();
    let mut out = String::new();
    match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => flate2::read::MultiGzDecoder::new(file).read_to_string(&mut out).unwrap(),
        Some("zst") => zstd::stream::read::Decoder::new(file).unwrap().read_to_string(&mut out).unwrap(),
        _ => BufReader::new(file).read_to_string(&mut out).unwrap(),
    };
    out
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_whole_files() {
    let (_dir, _daemon, ship) = ship_with(30).await;
    let out = TempDir::new().unwrap();
    let http = ship.get("/api/v1/export?format=jsonl").await.text().await.unwrap();
    let export = |options: &str, name: &str| {
        let mut command = shipslog(&ship.url, &format!("export {options} -O"));
        command.arg(out.path().join(name));
        command
    };
    for name in ["all.jsonl", "all.jsonl.gz", "all.jsonl.zst"] {
        assert_eq!(succeed(&mut export("", name), name), "");
        let text = unpacked(&out.path().join(name));
        let (records, end) = text.split_at(http.len());
        assert_eq!(records, http, "{name}");
        let end: serde_json::Value = serde_json::from_str(end).unwrap();
        assert_eq!(end["end"]["records"], http.lines().count(), "{name}: a file says that it is whole");
    }
    succeed(&mut export("--no-trailer", "plain.jsonl"), "--no-trailer");
    assert_eq!(unpacked(&out.path().join("plain.jsonl")), http);
    assert_eq!(ask(&ship, "export"), http, "without a file, to stdout");
    assert_eq!(ask(&ship, "export -O -"), http);
    let part = ship.get(r#"/api/v1/export?format=jsonl&since=1795344577.003&until=1795344577.009&filters={"event":["die"]}"#).await;
    let part = part.text().await.unwrap();
    assert_eq!(part.lines().filter(|line| line.contains(r#""Action":"die""#)).count(), 2);
    assert_eq!(part.lines().count(), 3, "and the record that recording began");
    assert_eq!(ask(&ship, "export --since 1795344577.003 --until 1795344577.009 -f event=die"), part);

    std::fs::write(out.path().join("mine"), "precious").unwrap();
    let (code, why) = refused(&mut export("", "mine"));
    assert!(code == 2 && why.contains("mine exists") && why.contains("--force"), "{code} {why}");
    assert_eq!(unpacked(&out.path().join("mine")), "precious");
    succeed(&mut export("--force --no-trailer", "mine"), "--force");
    assert_eq!(unpacked(&out.path().join("mine")), http);
    let (code, why) = refused(&mut export("", "no/such/directory"));
    assert!(code == 1 && why.contains("cannot create"), "{code} {why}");
    assert_eq!(names(out.path()), ["all.jsonl", "all.jsonl.gz", "all.jsonl.zst", "mine", "plain.jsonl"], "nothing else is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_breaks_leaves_no_file() {
    // More than the sockets between them hold, also compressed, so that no export can be over when the server
    // dies.
    const EVENTS: u64 = 3200;
    let (_dir, daemon, mut ship) = ship_with(0).await;
    let mut random = rand::rng();
    for n in 0..EVENTS {
        let noise = hex::encode((0..8192).map(|_| random.random()).collect::<Vec<u8>>());
        daemon.emit(&docker_line("container", "start", n).replacen("\"name\"", &format!(r#""noise":"{noise}","name""#), 1));
        if n % 200 == 199 {
            ship.wait_for_head(|head| head >= n + 4).await;
        }
    }
    let out = TempDir::new().unwrap();
    for name in ["all.jsonl", "all.jsonl.gz", "all.jsonl.zst"] {
        let mut command = shipslog(&ship.url, "export -O");
        let exporting = Background::start(command.arg(out.path().join(name)));
        let part = out.path().join(format!("{name}.part"));
        wait_for("the first bytes", async || part.metadata().is_ok_and(|part| part.len() > 0).then_some(())).await;
        exporting.signal("-STOP");
        ship.kill();
        exporting.signal("-CONT");
        let output = exporting.wait();
        let why = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {why}");
        assert!(why.contains("the connection broke before the answer was complete"), "{name}: {why}");
        assert!(names(out.path()).is_empty(), "{name}: {:?}", names(out.path()));
        ship.restart();
    }
    // And the log itself took no harm.
    assert_eq!(ask(&ship, "query -f event=start -f type=container -o json").lines().count() as u64, EVENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_formats_for_other_tools() {
    let (dir, daemon, ship) = ship_with(30).await;
    let odd = docker_line("container", r#"=odd,\n\"x\""#, 31).replace("busybox", "=2+3");
    daemon.emit(&odd);
    ship.wait_for_head(|head| head >= 34).await;
    let path = dir.path().join("incident.txt.gz");
    ask(&ship, &format!("export --format docker -O {}", path.to_str().unwrap()));
    let lines = unpacked(&path);
    let queried = ask(&ship, "query -o docker").replace("\\n", "\n");
    assert_eq!(lines, queried, "as Docker prints them; what is shown to people has its line ends escaped");
    assert_eq!(lines.lines().filter(|line| line.starts_with("20")).count(), 31, "none of the recorder's own");
    assert!(lines.contains(" container =odd,\n\"x\" c31 (image==2+3, name=job-31)\n"), "{lines}");
    let own = ask(&ship, "export --format docker -f type=recorder");
    assert!(own.contains(" recorder gap local ("), "{own}");

    let table = ask(&ship, "export --format csv");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(reader.headers().unwrap().iter().take(3).collect::<Vec<_>>(), ["id", "time", "received"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let records: Vec<String> = ship.export("").await.into_values().collect();
    assert_eq!(rows.len(), records.len(), "a row a record");
    for (row, record) in rows.iter().zip(&records) {
        let record: serde_json::Value = serde_json::from_str(record).unwrap();
        assert_eq!((&row[0], &row[1]), (record["id"].as_str().unwrap(), record["time"].as_str().unwrap()));
        assert_eq!(row[5].to_owned(), record["event"]["Action"].as_str().unwrap().replacen('=', "'=", 1));
    }
    let last = rows.iter().find(|row| &row[6] == "c31").unwrap();
    assert_eq!((&last[8], &last[10]), ("'=2+3", r#"{"image":"=2+3","name":"job-31"}"#), "a formula is a text");
    let error = ship.get("/api/v1/export?format=parquet").await.text().await.unwrap();
    assert!(error.contains("jsonl, docker or csv"), "{error}");
}
