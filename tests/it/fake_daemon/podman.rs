//! The daemon as Podman: the same API but for its history.

use super::{FakeDaemon, SUBSCRIBER_PIECES, State, write_chunk};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

/// What is wrong with its answers of history.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    /// They break off after so many lines.
    cut: Option<usize>,
    /// They are errors.
    fails: bool,
    /// They stand still after their head.
    hangs: bool,
    /// They continue for ever with one more line each second.
    drips: bool,
}

impl FakeDaemon {
    /// From now on it is Podman, with such a history.
    pub(crate) fn set_libpod(&self, history: Vec<String>) {
        self.state.lock().libpod = Some(history);
    }

    /// After how many lines the answer with Podman's history breaks off.
    pub(crate) fn set_cut_history(&self, lines: Option<usize>) {
        self.state.lock().podman.cut = lines;
    }

    /// Whether history is answered with an error.
    pub(crate) fn set_failing_history(&self, fails: bool) {
        self.state.lock().podman.fails = fails;
    }

    /// Whether answers with history continue for ever, a line each second.
    pub(crate) fn set_dripping_history(&self, drips: bool) {
        self.state.lock().podman.drips = drips;
    }

    /// Whether nothing comes after the head of an answer with history.
    pub(crate) fn set_hanging_history(&self, hangs: bool) {
        self.state.lock().podman.hangs = hangs;
    }
}

/// As Podman 4.3.1 answers: `since` gives history of any length, by the events' own times, and `stream=false`
/// ends after it.
pub(super) async fn events(
    mut stream: impl AsyncWrite + Unpin,
    query: &str,
    history: Vec<String>,
    faults: Faults,
    state: &Mutex<State>,
) -> std::io::Result<()> {
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)).map(str::to_owned);
    let seconds =
        |line: &String| serde_json::from_str::<serde_json::Value>(line).ok()?["timeNano"].as_i64().map(|nanos| nanos / 1_000_000_000);
    let since: Option<i64> = value("since=").map(|text| text.parse().unwrap());
    let told = history.into_iter().filter(|line| since.is_some_and(|since| seconds(line) >= Some(since)));
    let (sender, mut pieces) = mpsc::channel(SUBSCRIBER_PIECES);
    let goes_on = value("stream=").as_deref() != Some("false");
    if goes_on {
        state.lock().subscribers.push(sender);
    } else {
        drop(sender);
    }
    if faults.fails && !goes_on {
        let body = r#"{"message":"no journal"}"#;
        let head = format!("HTTP/1.1 500 X\r\nServer: Libpod/4.3.1 (linux)\r\nContent-Length: {}\r\n\r\n", body.len());
        return stream.write_all((head + body).as_bytes()).await;
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: Libpod/4.3.1 (linux)\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    if faults.hangs && !goes_on {
        return std::future::pending().await;
    }
    for (n, line) in told.enumerate() {
        if faults.cut.is_some_and(|cut| n >= cut && !goes_on) {
            return Ok(());
        }
        write_chunk(&mut stream, format!("{line}\n").as_bytes()).await?;
    }
    if faults.drips && !goes_on {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            write_chunk(&mut stream, b"{\"Type\":\"drip\"}\n").await?;
        }
    }
    while let Some(piece) = pieces.recv().await {
        write_chunk(&mut stream, &piece).await?;
    }
    stream.write_all(b"0\r\n\r\n").await
}
