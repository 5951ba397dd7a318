//! Reports, over the API.

use crate::support::{Ship, client};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

/// A recording of a real Engine: its log, served to be read.
pub(crate) fn recorded(dir: &Path, name: &str) -> Ship {
    let file = recording(name);
    Ship::start_with(dir, &["--read-only", &file])
}

/// Where a recording lies.
pub(crate) fn recording(name: &str) -> String {
    format!("{}/tests/fixtures/incidents/{name}.jsonl.zst", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_had_in_every_form_and_not_sent_twice() {
    let dir = TempDir::new().unwrap();
    let ship = recorded(dir.path(), "compose-bad-deploy-a");
    let all: Value = ship.json("/api/v1/incidents").await;
    let incident = &all["incidents"][0];
    let id = incident["id"].as_str().unwrap();
    for (format, content_type, way, suffix, says) in [
        ("markdown", "text/markdown; charset=utf-8", "attachment", "md", "## Timeline"),
        ("html", "text/html; charset=utf-8", "inline", "html", "<svg "),
        ("json", "application/json", "attachment", "json", "\"timeline\""),
        ("perfetto", "application/json", "attachment", "perfetto.json", "traceEvents"),
        ("csv", "text/csv; charset=utf-8; header=present", "attachment", "csv", "incident,time,record"),
    ] {
        let path = format!("/api/v1/incidents/{id}/report?format={format}");
        let answer = ship.get(&path).await;
        assert_eq!(answer.status(), 200, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), content_type);
        assert_eq!(header("content-disposition"), format!("{way}; filename=\"shipslog-incident-{id}.{suffix}\""));
        assert_eq!(
            answer.headers().get("content-security-policy").is_some_and(|v| v.to_str().unwrap().contains("style-src 'unsafe-inline'")),
            format == "html"
        );
        let etag = header("etag");
        let text = answer.text().await.unwrap();
        assert!(text.contains(says), "{format}: {text}");
        let again = client().get(format!("{}{path}", ship.url)).header("if-none-match", &etag).send().await.unwrap();
        assert_eq!(again.status(), 304, "{format}");
    }
    // The same with what the list says, and of a range.
    let one: Value = ship.json(&format!("/api/v1/incidents/{id}/report?format=json")).await;
    let mut told = one["incidents"][0].clone();
    for own in ["timeline", "related", "deploys", "last_words", "notified"] {
        assert!(told.as_object_mut().unwrap().remove(own).is_some_and(|value| value.is_array()), "{own}");
    }
    assert_eq!(told.as_object_mut().unwrap().remove("last_words_more"), Some(0.into()));
    assert_eq!(told, *incident);
    let range: Value = ship.json("/api/v1/report?format=json").await;
    assert_eq!(range["incidents"].as_array().unwrap().len(), all["incidents"].as_array().unwrap().len());
    assert_eq!(range["manifest"]["log"], all["log"]["id"]);
    assert_eq!(range["manifest"]["as_of"], all["as_of"]);
    let none: Value = ship.json("/api/v1/report?format=json&until=2020-01-01").await;
    assert_eq!(none["incidents"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_question_is_said() {
    let dir = TempDir::new().unwrap();
    let ship = recorded(dir.path(), "crash-once-a");
    for (path, status, words) in [
        ("/api/v1/report?format=pdf", 400, "markdown, html, json, perfetto or csv"),
        ("/api/v1/report?severity=bad", 400, "minor"),
        ("/api/v1/report?since=now&until=1h", 400, "lies after"),
        ("/api/v1/incidents/7f3c9a1e-1c/report", 404, "no such incident"),
        ("/api/v1/incidents/x/report?since=1h", 400, "unknown parameter"),
    ] {
        let answer = ship.get(path).await;
        assert_eq!(answer.status(), status, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(words), "{path}: {text}");
    }
}
