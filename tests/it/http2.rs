//! What is particular to HTTP/2: tunnels, and how much a client may send that nobody has read.

use crate::bounds::encrypted;
use crate::support::within;
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_is_refused_and_its_connection_goes_on() {
    let dir = TempDir::new().unwrap();
    let (ship, config) = encrypted(dir.path());
    let socket = TcpStream::connect(ship.url.trim_start_matches("https://")).await.unwrap();
    let tls = TlsConnector::from(config).connect("localhost".try_into().unwrap(), socket).await.unwrap();
    let (mut send, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
    let running = tokio::spawn(connection);
    for target in ["127.0.0.1:80", "localhost:443", "evil.example:1"] {
        let request = hyper::Request::builder().method("CONNECT").uri(target).body(Empty::<bytes::Bytes>::new()).unwrap();
        assert_eq!(within(target, send.send_request(request)).await.unwrap().status(), 400, "{target}");
        let request = hyper::Request::get("https://localhost/healthz").body(Empty::new()).unwrap();
        assert_eq!(within("an answer after it", send.send_request(request)).await.unwrap().status(), 200, "{target}");
    }
    running.abort();
    assert!(!std::fs::read_to_string(dir.path().join("said")).unwrap().contains("panicked"));
}

/// Types of frames, and the setting for a stream's window (RFC 9113, 6).
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const INITIAL_WINDOW_SIZE: u16 = 4;
/// What a connection may send at first (RFC 9113, 6.9.2).
const FIRST_WINDOW: u32 = 65_535;

/// What the server takes without having read it is what it tells of; h2 ends the connection of a client that
/// sends more.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_send_no_more_than_is_read() {
    let dir = TempDir::new().unwrap();
    let (ship, config) = encrypted(dir.path());
    let socket = TcpStream::connect(ship.url.trim_start_matches("https://")).await.unwrap();
    let mut tls = TlsConnector::from(config).connect("localhost".try_into().unwrap(), socket).await.unwrap();
    tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // A ping, whose answer comes after all that is told at the beginning.
    tls.write_all(b"\0\0\x08\x06\0\0\0\0\0 answer ").await.unwrap();
    let (mut of_connection, mut of_stream) = (FIRST_WINDOW, None);
    loop {
        let mut head = [0; 9];
        within("a frame", tls.read_exact(&mut head)).await.unwrap();
        let mut body = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        within("its content", tls.read_exact(&mut body)).await.unwrap();
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
        match head[3] {
            SETTINGS => {
                let windows = body.chunks(6).filter(|setting| setting[..2] == INITIAL_WINDOW_SIZE.to_be_bytes());
                of_stream = windows.map(|setting| number(&setting[2..])).next_back().or(of_stream);
            }
            WINDOW_UPDATE => of_connection += number(&body),
            _ if body == b" answer " => break,
            _ => {}
        }
    }
    assert!(of_connection <= 64 * 1024 && of_stream == Some(64 * 1024), "{of_connection} {of_stream:?}");
}
