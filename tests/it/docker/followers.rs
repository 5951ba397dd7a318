//! Readers that live through restarts of the server.

use super::parsed;
use crate::support::{PATIENCE, Sse, is_record};
use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

type Lines = Arc<Mutex<Vec<String>>>;

/// A reader that lives through restarts of the server and collects what it gets.
pub(super) struct Follower {
    pub(super) name: &'static str,
    pub(super) lines: Lines,
    pub(super) task: JoinHandle<()>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn follower<F: Future<Output = ()> + Send + 'static>(name: &'static str, read: impl FnOnce(Lines) -> F) -> Follower {
    let lines = Lines::default();
    Follower { name, lines: Arc::clone(&lines), task: tokio::spawn(read(lines)) }
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

pub(super) async fn follow_sse(url: String, lines: Lines) {
    let mut last: Option<String> = None;
    loop {
        if let Some(mut stream) = Sse::open(&url, "/api/v1/stream?since=oldest", last.as_deref()).await {
            while let Some(event) = stream.next().await {
                assert!(event.event != "gap" && event.event != "reset", "{event:?}");
                if is_record(&event) {
                    assert_eq!(parsed(&event.data)["id"], event.id.as_str());
                    lines.lock().push(event.data);
                }
                last = Some(event.id);
            }
        }
        pause().await;
    }
}

pub(super) async fn follow_websocket(url: String, lines: Lines) {
    let mut last: Option<String> = None;
    loop {
        if let Ok((mut socket, _)) = tokio_tungstenite::connect_async(format!("{}/api/v1/ws", url.replace("http", "ws"))).await {
            let from = last.as_ref().map_or(r#""since":"oldest""#.to_owned(), |id| format!(r#""after":"{id}""#));
            let _ = socket.send(Message::text(format!(r#"{{"subscribe":{{{from}}}}}"#))).await;
            while let Ok(Some(Ok(message))) = tokio::time::timeout(PATIENCE, socket.next()).await {
                let Message::Text(text) = message else { continue };
                let value = parsed(&text);
                assert!(value["control"] != "gap" && value["control"] != "reset", "{text}");
                last = Some(value["id"].as_str().unwrap().to_owned());
                if value["control"].is_null() {
                    lines.lock().push(text.to_string());
                }
            }
        }
        pause().await;
    }
}

/// Records of a page, and where the next one begins.
pub(super) fn page(body: &str) -> (Vec<String>, Option<String>) {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(body).unwrap();
    let records: Vec<Box<RawValue>> = serde_json::from_str(members["records"].get()).unwrap();
    let next = parsed(members["page"].get())["next"].as_str().map(str::to_owned);
    (records.iter().map(|line| line.get().to_owned()).collect(), next)
}

pub(super) async fn follow_polling(url: String, lines: Lines) {
    let client = crate::support::client();
    let mut after = String::new();
    loop {
        let request = client.get(format!("{url}/api/v1/events?limit=7{after}")).header("Prefer", "wait=2");
        let Ok(response) = request.send().await else {
            pause().await;
            continue;
        };
        let status = response.status();
        // A body that breaks off counts for nothing, and the same page is asked for again.
        let Ok(body) = response.text().await else { continue };
        assert_eq!(status, 200, "{body}");
        let (records, _) = page(&body);
        if let Some(last) = records.last() {
            after = format!("&after={}", parsed(last)["id"].as_str().unwrap());
        }
        lines.lock().extend(records);
    }
}
