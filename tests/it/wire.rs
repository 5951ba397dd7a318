//! Event streams as bytes: a cheap client for very many connections, and parsers that let nothing pass that
//! the format does not allow.

use crate::support::PATIENCE;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// A loopback address of its own for each client, as if each were another host. A connection to a server that
/// is being restarted cannot meet itself on the server's port then, either.
pub(crate) fn own_address(client: usize) -> Ipv4Addr {
    let [high, low] = u16::try_from(client + 2).unwrap().to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// Connects from `from`.
pub(crate) async fn connect(url: &str, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let server: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(server).await
}

/// One block of a stream, up to the empty line that ends it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) event: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
    pub(crate) data: Option<&'a str>,
}

impl<'a> Frame<'a> {
    /// Reads what the contract allows: a comment alone, or at most one line of each field, `retry` with
    /// control frames only.
    fn read(text: &'a str) -> Self {
        let mut frame = Self::default();
        assert!(!text.contains('\r'), "{text:?}");
        if text.starts_with(':') {
            assert!(!text.contains('\n'), "{text:?}");
            return frame;
        }
        let mut retry = None;
        for line in text.split('\n') {
            let (field, value) = line.split_once(": ").unwrap_or_else(|| panic!("no field: {line:?}"));
            let place = match field {
                "event" => &mut frame.event,
                "id" => &mut frame.id,
                "data" => &mut frame.data,
                "retry" => &mut retry,
                _ => panic!("an unknown field: {line:?}"),
            };
            assert!(place.replace(value).is_none(), "a field twice: {text:?}");
        }
        assert!(frame.id.is_some() && frame.data.is_some(), "{text:?}");
        assert!(retry.is_none_or(|ms| ms.parse::<u32>().is_ok() && matches!(frame.event, Some("hello" | "closing"))), "{text:?}");
        frame
    }

    /// Sequence in the cursor.
    pub(crate) fn seq(&self) -> u64 {
        self.id.unwrap().split_once('-').unwrap().1.parse().unwrap()
    }
}

/// An open stream. Dropping it closes the connection at once.
pub(crate) struct Wire {
    body: Incoming,
    task: JoinHandle<()>,
    buffer: BytesMut,
    /// Bytes that may still be read; beyond them the connection counts as cut.
    left: usize,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Wire {
    /// Opens a stream of which `left` bytes will be read. An error means that the server is away.
    pub(crate) async fn open(url: &str, from: Ipv4Addr, path: &str, last_id: Option<&[u8]>, left: usize) -> Result<Self, String> {
        let stream = connect(url, from).await.map_err(|e| e.to_string())?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        let task = tokio::spawn(async move { drop(connection.await) });
        let mut request = hyper::Request::get(path).header(HOST, url.trim_start_matches("http://"));
        if let Some(id) = last_id {
            request = request.header("last-event-id", HeaderValue::from_bytes(id).unwrap());
        }
        let answer = tokio::time::timeout(PATIENCE, sender.send_request(request.body(Empty::new()).unwrap())).await;
        let response = match answer.expect("an answer to a stream's request") {
            Ok(response) => response,
            Err(e) => {
                task.abort();
                return Err(e.to_string());
            }
        };
        assert_eq!(response.status(), 200, "{path} {last_id:?}");
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        Ok(Self { body: response.into_body(), task, buffer: BytesMut::new(), left })
    }

    /// Hands on the frames that come next, one at least; `false` when the connection is over.
    pub(crate) async fn read(&mut self, mut sink: impl FnMut(&Frame<'_>)) -> bool {
        loop {
            let mut done = 0;
            while let Some(end) = memchr::memmem::find(&self.buffer[done..], b"\n\n") {
                sink(&Frame::read(std::str::from_utf8(&self.buffer[done..done + end]).expect("UTF-8")));
                done += end + 2;
            }
            if done > 0 {
                drop(self.buffer.split_to(done));
                return true;
            }
            if self.left == 0 {
                return false;
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("a stream shows life");
            let Some(Ok(frame)) = frame else { return false };
            let Ok(mut bytes) = frame.into_data() else { return false };
            bytes.truncate(self.left);
            self.left -= bytes.len();
            self.buffer.extend_from_slice(&bytes);
        }
    }
}
