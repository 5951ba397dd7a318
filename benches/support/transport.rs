//! A client of each transport, as a page in a browser would be one.

use futures_util::{SinkExt, StreamExt};
use memchr::memmem;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const POLL_EVERY: Duration = Duration::from_secs(1);
const MARK: &[u8] = br#""bench.n":""#;
/// What Chromium sends along with a request of a page.
const BROWSER: [(&str, &str); 10] = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"),
    ("sec-ch-ua-platform", "\"Linux\""),
    ("sec-ch-ua", "\"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\""),
    ("sec-ch-ua-mobile", "?0"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "cors"),
    ("Sec-Fetch-Dest", "empty"),
    ("Referer", "http://localhost:7070/compare"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-US,en;q=0.9"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sse,
    WebSocket,
    LongPoll,
    Poll,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Sse, Self::WebSocket, Self::LongPoll, Self::Poll];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sse => "SSE",
            Self::WebSocket => "WebSocket",
            Self::LongPoll => "long poll, 25 s",
            Self::Poll => "poll, 1 s",
        }
    }
}

/// What the clients have seen.
pub(crate) struct Tally {
    began: Instant,
    /// The event that is due at each client.
    next: Mutex<Vec<u64>>,
    pub(crate) delays: Mutex<Vec<Duration>>,
    pub(crate) requests: AtomicU64,
    /// The server may go.
    pub(crate) over: AtomicBool,
}

impl Tally {
    pub(crate) fn new(clients: usize) -> Self {
        Self {
            began: Instant::now(),
            next: Mutex::new(vec![0; clients]),
            delays: Mutex::default(),
            requests: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// Since it began; the time of sending in an event.
    pub(crate) fn nanos(&self) -> u128 {
        self.began.elapsed().as_nanos()
    }

    /// Takes note of the events in these bytes and removes what has been looked at.
    fn scan(&self, client: usize, bytes: &mut Vec<u8>) {
        let now = self.began.elapsed();
        let (mut from, mut next) = (0, self.next.lock());
        while let Some(at) = memmem::find(&bytes[from..], MARK).map(|at| from + at) {
            from = at;
            let rest = String::from_utf8_lossy(&bytes[at + MARK.len()..]);
            let fields: Vec<_> = rest.splitn(5, '"').collect();
            // 17 " , " bench.sent " : " 1234 " ...
            let [number, _, "bench.sent", _, tail] = fields[..] else { break };
            let Some((sent, _)) = tail.split_once('"') else { break };
            assert_eq!(number.parse(), Ok(next[client]), "client {client}: an event out of turn");
            next[client] += 1;
            self.delays.lock().push(now.saturating_sub(Duration::from_nanos(sent.parse().unwrap())));
            from += MARK.len();
        }
        let keep = if bytes[from..].starts_with(MARK) { from } else { bytes.len().saturating_sub(MARK.len()).max(from) };
        bytes.drain(..keep);
    }
}

pub(crate) async fn client(kind: Kind, port: u16, at: usize, stagger: Duration, tally: Arc<Tally>) {
    tokio::time::sleep(stagger).await;
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let ended = match kind {
        Kind::Sse => sse(stream, at, &tally).await,
        Kind::WebSocket => websocket(stream, at, &tally).await,
        Kind::LongPoll | Kind::Poll => poll(kind, stream, at, &tally).await,
    };
    assert!(tally.over.load(Ordering::Relaxed), "{} client {at}: {ended:?}", kind.name());
}

fn get(target: &str, more: &[(&str, &str)]) -> String {
    let headers: String = BROWSER.iter().chain(more).flat_map(|(name, value)| [*name, ": ", *value, "\r\n"]).collect();
    format!("GET {target} HTTP/1.1\r\nHost: localhost:7070\r\nConnection: keep-alive\r\n{headers}\r\n")
}

async fn sse(mut stream: TcpStream, at: usize, tally: &Tally) -> std::io::Result<()> {
    tally.requests.fetch_add(1, Ordering::Relaxed);
    stream.write_all(get("/api/v1/stream", &[("Accept", "text/event-stream"), ("Cache-Control", "no-store")]).as_bytes()).await?;
    let mut bytes = Vec::new();
    while stream.read_buf(&mut bytes).await? > 0 {
        tally.scan(at, &mut bytes);
    }
    Ok(())
}

async fn websocket(stream: TcpStream, at: usize, tally: &Tally) -> std::io::Result<()> {
    tally.requests.fetch_add(1, Ordering::Relaxed);
    let mut request = "ws://localhost:7070/api/v1/ws".into_client_request().unwrap();
    for (name, value) in BROWSER {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    socket.send(Message::text("start")).await.unwrap();
    // Pings are answered by the library, when it is asked for the next message.
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() {
            tally.scan(at, &mut message.into_data().to_vec());
        }
    }
    Ok(())
}

/// As `/demo/polling` does it.
async fn poll(kind: Kind, mut stream: TcpStream, at: usize, tally: &Tally) -> std::io::Result<()> {
    let (mut after, mut etag) = (None::<String>, String::new());
    let mut ticks = tokio::time::interval(POLL_EVERY);
    loop {
        if kind == Kind::Poll {
            ticks.tick().await;
        }
        let target = after.as_ref().map_or("limit=1&order=desc".to_owned(), |after| format!("after={after}"));
        let (wait, known) = (("Prefer", "wait=25"), ("If-None-Match", etag.as_str()));
        let more = match kind {
            Kind::LongPoll => vec![("Accept", "*/*"), wait],
            _ if etag.is_empty() => vec![("Accept", "*/*")],
            _ => vec![("Accept", "*/*"), known],
        };
        tally.requests.fetch_add(1, Ordering::Relaxed);
        stream.write_all(get(&format!("/api/v1/events?{target}"), &more).as_bytes()).await?;
        let (head, mut body) = answer(&mut stream).await?;
        if head.starts_with("HTTP/1.1 304") {
            continue;
        }
        let page: serde_json::Value = serde_json::from_slice(&body)?;
        let last = page["records"].as_array().and_then(|records| records.last()?["id"].as_str());
        let moved = last.is_some();
        if after.is_some() {
            tally.scan(at, &mut body);
        }
        after = last.map(str::to_owned).or(after);
        // An ETag belongs to one address.
        etag = if moved { String::new() } else { header(&head, "etag").to_owned() };
    }
}

/// The head and the body.
async fn answer(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = memmem::find(&bytes, b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let length: usize = header(&head, "content-length").parse().unwrap_or(0);
        let body = bytes.split_off(end + 4);
        if body.len() >= length {
            return Ok((head, body));
        }
        bytes.extend_from_slice(&body);
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}
