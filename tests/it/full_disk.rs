//! The disk is full, for longer than the queue can hold what comes: recording pauses and says so, reads go
//! on, and afterwards the log has every event or tells, exactly, how many it has not.

use crate::fake_daemon::FakeDaemon;
use crate::mount::Mount;
use crate::skipped::skipped;
use crate::support::{Ship, Sse, assert_dense, is_record, quick_docker_line, wait_for};
use serde_json::Value;
use std::path::Path;

/// This leaves less free than the recorder wants.
fn fill(disk: &Path, file: &Path) {
    let stat = rustix::fs::statvfs(disk).unwrap();
    let free = usize::try_from(stat.f_bavail * stat.f_frsize).unwrap();
    std::fs::write(file, vec![1; free - 12 * 1024 * 1024]).unwrap();
}

/// An event of `bytes` more than usual.
fn event(n: u64, bytes: usize) -> String {
    quick_docker_line("container", "start", n).replacen("\"name\"", &format!(r#""noise":"{}","name""#, "x".repeat(bytes)), 1)
}

fn text<'a>(record: &'a Value, attribute: &str) -> &'a str {
    record["event"]["Actor"]["Attributes"][attribute].as_str().unwrap()
}

/// Which event a record holds.
fn number(record: &Value) -> Option<u64> {
    record["event"]["Actor"]["Attributes"]["name"].as_str()?.strip_prefix("job-")?.parse().ok()
}

async fn newest(ship: &Ship) -> Value {
    ship.json(r#"/api/v1/events?order=desc&limit=1&filters={"type":["container"]}"#).await["records"][0].take()
}

/// `count` events of `bytes` more than usual come while the disk is full.
async fn story(count: u64, bytes: usize) {
    let Some(disk) = Mount::new(&["-t", "tmpfs", "-o", "size=80m", "shipslog-test"]) else {
        return skipped("a full disk needs a filesystem of its own, which cannot be mounted; run as root");
    };
    let daemon = FakeDaemon::unix().await;
    let ship = Ship::start(&disk.path().join("data"), &daemon.url());
    daemon.wait_for_subscribers(1).await;
    // Once the replay has been judged: what comes from here on is live.
    ship.wait_for_head(|head| head >= 3).await;
    let mut sent = 0;
    for _ in 0..100 {
        daemon.emit(&event(sent, bytes));
        sent += 1;
    }
    ship.wait_for_head(|head| head >= 3 + sent).await;

    let filler = disk.path().join("filler");
    fill(disk.path(), &filler);
    let not_ready = wait_for("the full disk to be noticed", async || {
        daemon.emit(&event(sent, bytes));
        sent += 1;
        let response = ship.get("/readyz").await;
        if response.status() == 503 { Some(response.json::<Value>().await.unwrap()) } else { None }
    })
    .await;
    let (writer, sources) = (&not_ready["writer"], &not_ready["sources"]);
    assert_eq!((not_ready["ready"].as_bool(), writer["state"].as_str()), (Some(false), Some("full")));
    assert!(writer["error"].as_str().unwrap().contains("MiB free") && writer["hint"].as_str().unwrap().contains("make room"), "{writer}");
    assert_eq!(sources[0]["state"], "connected");

    let head = ship.wait_for_head(|_| true).await;
    // Many in a chunk, as from a busy daemon.
    let end = sent + count;
    while sent < end {
        let until = end.min(sent + 1 + 65_536 / event(sent, bytes).len() as u64);
        let chunk: String = (sent..until).map(|n| event(n, bytes) + "\n").collect();
        daemon.emit_raw(chunk.as_bytes());
        sent = until;
    }
    let lost = async || Some(ship.json("/api/v1/stats").await["ingest"]["lost"].as_u64().unwrap()).filter(|lost| *lost > 0);
    wait_for("the queue to overflow", lost).await;
    assert_eq!(ship.wait_for_head(|_| true).await, head, "nothing is recorded");
    assert_eq!(ship.get("/healthz").await.status(), 200);
    assert_eq!(ship.export("").await.len() as u64, head, "reads go on");
    let mut stream = Sse::open(&ship.url, "/api/v1/stream?since=oldest", None).await.unwrap();
    let replayed = stream.read_until(|e| e.event == "caught-up").await;
    assert_eq!(replayed.iter().filter(|e| is_record(e)).count() as u64, head);

    std::fs::remove_file(&filler).unwrap();
    wait_for("readiness", async || (ship.get("/readyz").await.status() == 200).then_some(())).await;
    // One after the other: while the queue is full they are lost, and counted.
    let after = sent;
    let last = wait_for("recording to go on by itself", async || {
        daemon.emit(&event(sent, bytes));
        sent += 1;
        number(&newest(&ship).await).filter(|n| *n >= after)
    })
    .await;
    // The stream that was open all the time gives what was recorded meanwhile.
    stream.read_until(|e| is_record(e) && e.data.contains(&format!("job-{last}\""))).await;
    assert_eq!(daemon.count("/events"), 1, "one connection all the time, so that no replay of the ring could mend anything");
    assert_eq!(ship.get("/readyz").await.status(), 200);
    // The last of them may still be on its way.
    wait_for("the last event", async || number(&newest(&ship).await).filter(|n| n + 1 == sent)).await;
    check(&ship, sent, bytes).await;
}

/// Every event is in the log, once and in order, or between its neighbours there are gaps that count it.
async fn check(ship: &Ship, sent: u64, bytes: usize) {
    let log = ship.export("").await;
    assert_dense(&log);
    let (mut next, mut received, mut told, mut lost, mut gaps) = (0, String::new(), Vec::<Value>::new(), 0, 0);
    for line in log.values() {
        let record: Value = serde_json::from_str(line).unwrap();
        if record["event"]["Action"] == "gap" && text(&record, "reason") == "queue-overflow" {
            told.push(record);
            continue;
        }
        let Some(n) = number(&record) else { continue };
        assert!(line.ends_with(&format!(r#""event":{}}}"#, event(n, bytes))), "byte for byte: {line:.300}");
        assert!(n >= next, "event {n} comes again or too late");
        let missing: u64 = told.iter().map(|gap| text(gap, "lost").parse::<u64>().unwrap()).sum();
        assert_eq!(n - next, missing, "events {next} to {n}: so many are missing, so many the log tells of; {told:?}");
        // What is missing was received between its neighbours, and so says the gap.
        let now = record["received"].as_str().unwrap();
        for gap in &told {
            assert!(*received <= *text(gap, "from") && text(gap, "from") <= text(gap, "until") && text(gap, "until") <= now, "{gap}");
        }
        lost += missing;
        gaps += told.len();
        told.clear();
        (next, received) = (n + 1, now.to_owned());
    }
    assert_eq!(next, sent, "up to the last event");
    assert!(lost > 0 && lost < sent / 2, "of {sent} events {lost} were lost: the queue held the others");
    eprintln!("of {sent} events {lost} were lost and told in {gaps} gaps");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_events_than_the_queue_has_places_for() {
    story(80_000, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_bytes_than_the_queue_may_hold() {
    story(1300, 64 * 1024).await;
}

/// Another program has filled the disk to the last byte before the start.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_on_a_full_disk_serves_reads_and_records_when_there_is_room() {
    for killed in [false, true] {
        let Some(disk) = Mount::new(&["-t", "tmpfs", "-o", "size=80m", "shipslog-test"]) else {
            return skipped("a full disk needs a filesystem of its own, which cannot be mounted; run as root");
        };
        let daemon = FakeDaemon::unix().await;
        let mut ship = Ship::start(&disk.path().join("data"), &daemon.url());
        daemon.wait_for_subscribers(1).await;
        for n in 0..100 {
            daemon.emit(&event(n, 0));
        }
        ship.wait_for_head(|head| head >= 103).await;
        if killed {
            ship.kill();
        } else {
            ship.stop();
        }

        let filler = disk.path().join("filler");
        let mut out = std::fs::File::create(&filler).unwrap();
        while std::io::Write::write_all(&mut out, &[1; 4096]).is_ok() {}
        drop(out);
        ship.restart();
        let before = ship.export("").await;
        assert!(before.len() >= 103, "reads are served: {}", before.len());
        assert_dense(&before);
        let not_ready = ship.get("/readyz").await;
        assert_eq!(not_ready.status(), 503);
        assert_eq!(not_ready.json::<Value>().await.unwrap()["writer"]["state"], "full");
        // Again, killed before there was room: nothing was used or forgotten.
        ship.kill();
        ship.restart();
        assert_eq!(ship.export("").await, before);
        daemon.emit(&event(100, 0));

        std::fs::remove_file(&filler).unwrap();
        wait_for("readiness", async || (ship.get("/readyz").await.status() == 200).then_some(())).await;
        wait_for("the event of the full disk", async || number(&newest(&ship).await).filter(|n| *n == 100)).await;
        let after = ship.export("").await;
        assert_dense(&after);
        assert!(before.iter().all(|(seq, line)| after.get(seq) == Some(line)), "what was shown stays under its id");
        let (status, _) = ship.stop();
        assert!(status.success(), "{status}");
    }
}
