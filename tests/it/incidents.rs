//! What broke, over the API.

use crate::support::{Ship, client};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

/// A recording of a real Engine: its log, served to be read.
fn recorded(dir: &Path, name: &str) -> Ship {
    let file = format!("{}/tests/fixtures/incidents/{name}.jsonl.zst", env!("CARGO_MANIFEST_DIR"));
    Ship::start_with(dir, &["--read-only", &file])
}

async fn json(ship: &Ship, path: &str) -> Value {
    let answer = ship.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_are_told_with_their_records() {
    let dir = TempDir::new().unwrap();
    let ship = recorded(dir.path(), "crashloop-exit-a");
    let all = json(&ship, "/api/v1/incidents").await;
    let [incident] = all["incidents"].as_array().unwrap().as_slice() else { panic!("{all}") };
    assert_eq!(incident["kind"], "crash-loop", "{incident}");
    // Each word leads to its record.
    let first = incident["first"].as_str().unwrap();
    let record = json(&ship, &format!("/api/v1/events/{first}")).await;
    assert_eq!(record["id"], first);
    let id = incident["id"].as_str().unwrap();
    assert_eq!(json(&ship, &format!("/api/v1/incidents/{id}")).await, *incident);

    // By range, state and severity; before it began there is nothing, and then it was not known.
    let start = incident["start"].as_str().unwrap();
    for (query, count) in [
        (format!("until={start}"), 1),
        (format!("until={start}&since=2020-01-01"), 1),
        ("until=2020-01-01".to_owned(), 0),
        ("since=2040-01-01".to_owned(), 0),
        ("at=2020-01-01".to_owned(), 0),
        ("kind=crash-loop".to_owned(), 1),
        ("kind=host".to_owned(), 0),
        ("severity=notice&limit=1".to_owned(), 1),
        ("subject=nobody".to_owned(), 0),
    ] {
        let found = json(&ship, &format!("/api/v1/incidents?{query}")).await;
        assert_eq!(found["incidents"].as_array().unwrap().len(), count, "{query}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_not_sent_again_and_what_is_wrong_is_said() {
    let dir = TempDir::new().unwrap();
    let ship = recorded(dir.path(), "crashloop-exit-a");
    let answer = ship.get("/api/v1/incidents").await;
    let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
    assert!(etag.starts_with("W/"), "{etag}");
    let again = client().get(format!("{}/api/v1/incidents", ship.url)).header("if-none-match", &etag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    for (path, status, words) in [
        ("/api/v1/incidents?severity=bad", 400, "minor"),
        ("/api/v1/incidents?kind=bad", 400, "crash-loop"),
        ("/api/v1/incidents?limit=0", 400, "limit must be"),
        ("/api/v1/incidents?cursor=x", 400, "no incident"),
        ("/api/v1/incidents?filters=x", 400, "unknown parameter"),
        ("/api/v1/incidents/7f3c9a1e-1a", 404, "no such incident"),
    ] {
        let answer = ship.get(path).await;
        assert_eq!(answer.status(), status, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(words), "{path}: {text}");
    }
}
