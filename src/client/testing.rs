//! A scripted server: each connection gets exactly the bytes that a test wants it to get.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What a client asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) target: String,
    pub(crate) headers: HashMap<String, String>,
}

/// What the server does with one connection.
pub(crate) enum Reply {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes, then silence for as long as the client stays.
    Hold(Vec<u8>),
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Every request so far.
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) async fn start(script: impl FnMut(usize, &Request) -> Reply + Send + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), script).await
    }

    pub(crate) async fn start_at(address: SocketAddr, mut script: impl FnMut(usize, &Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), requests: Arc::default() };
        let requests = Arc::clone(&server.requests);
        tokio::spawn(async move {
            let mut number = 0;
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let Some(request) = read_request(&mut socket).await else { continue };
                let reply = script(number, &request);
                requests.lock().unwrap().push(request);
                number += 1;
                tokio::spawn(async move {
                    let (Reply::Bytes(bytes) | Reply::Hold(bytes)) = &reply;
                    let _ = socket.write_all(bytes).await;
                    if matches!(reply, Reply::Hold(_)) {
                        let _ = socket.read(&mut [0]).await;
                    }
                    let _ = socket.shutdown().await;
                });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let target = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.filter_map(|l| l.split_once(": ")).map(|(k, v)| (k.to_lowercase(), v.to_owned())).collect();
    Some(Request { target, headers })
}

/// A whole answer with a length.
pub(crate) fn answer(status: &str, kind: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_bytes()
}

/// A chunked answer without its last chunk: what a stream that breaks looks like.
pub(crate) fn chunked(kind: &str, chunks: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
    for chunk in chunks {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The chunk that marks the true end.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The id of the log that the scripted streams belong to.
pub(crate) const LOG: &str = "0000000a-0000-4000-8000-000000000000";

/// The stream of a log with the records 1 to `head`, from where the request wants it.
pub(crate) fn stream_body(request: &Request, head: u64) -> String {
    let after: u64 = request.headers.get("last-event-id").map_or(0, |id| id.strip_prefix("0000000a-").unwrap().parse().unwrap());
    let mut body = format!(
        "retry: 1\n\nevent: hello\nid: 0000000a-{after}\ndata: {{\"log\":\"{LOG}\",\"oldest\":1,\"head\":{head},\"after\":{after}}}\n\n"
    );
    for seq in after + 1..=head {
        let _ = write!(body, "id: 0000000a-{seq}\ndata: {}\n\n", line(seq));
    }
    let _ = write!(body, "event: caught-up\nid: 0000000a-{head}\ndata: {{\"head\":{head}}}\n\n");
    body
}

/// The line of record `seq`.
pub(crate) fn line(seq: u64) -> String {
    format!(
        r#"{{"id":"0000000a-{seq}","seq":{seq},"time":"2026-11-22T10:49:37.000000001Z","received":"2026-11-22T10:49:37.000000001Z","source":"local","event":{{"Type":"container","Action":"start","Actor":{{"ID":"f4155d","Attributes":{{"name":"wäb-{seq}"}}}}}}}}"#
    )
}
