//! The monitoring page of a node, which tells what the JetStream API does not: how it syncs, and what this
//! very node has.

use super::answer::cut;
use super::limits::{ANSWER_WAIT, MAX_PAGE_BYTES};
use crate::text::root_cause;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Asks nodes by HTTP.
#[derive(Debug)]
pub(super) struct Monitor {
    http: reqwest::Client,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) name: String,
    /// It syncs before it acknowledges.
    pub(super) sync_always: bool,
    /// Place of the newest message that it has of the stream; `None` where it does not hold it.
    pub(super) last: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Varz {
    server_name: String,
}

#[derive(Debug, Deserialize)]
struct Jsz {
    #[serde(default)]
    config: Config,
    #[serde(default)]
    account_details: Vec<Account>,
}

#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(default)]
    sync_always: bool,
}

#[derive(Debug, Deserialize)]
struct Account {
    #[serde(default)]
    stream_detail: Vec<Held>,
}

#[derive(Debug, Deserialize)]
struct Held {
    name: String,
    state: State,
}

#[derive(Debug, Deserialize)]
struct State {
    last_seq: u64,
}

impl Jsz {
    fn last(&self, stream: &str) -> Option<u64> {
        let held = self.account_details.iter().flat_map(|account| &account.stream_detail);
        held.filter(|held| held.name == stream).map(|held| held.state.last_seq).max()
    }
}

impl Monitor {
    /// # Errors
    /// A text, when no client can be made.
    pub(super) fn new() -> Result<Self, String> {
        // The first to ask decides for the whole process; another's choice serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().timeout(ANSWER_WAIT).redirect(reqwest::redirect::Policy::none()).no_proxy();
        let http = builder.build().map_err(|error| format!("cannot ask by HTTP: {error}"))?;
        Ok(Self { http })
    }

    /// What the node at `address` says, and what it has of `stream`.
    ///
    /// # Errors
    /// A text that says why it cannot be known.
    pub(super) async fn node(&self, address: &str, stream: &str) -> Result<Node, String> {
        let address = address.trim_end_matches('/');
        let told: Varz = self.get(&format!("{address}/varz")).await?;
        let jetstream: Jsz = self.get(&format!("{address}/jsz?streams=true")).await?;
        let last = jetstream.last(stream);
        Ok(Node { name: cut(&told.server_name), sync_always: jetstream.config.sync_always, last })
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let answer = self.http.get(url).send().await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(format!("its monitoring page answers with HTTP {}", answer.status()));
        }
        let (mut page, mut body) = (Vec::new(), answer.bytes_stream());
        while let Some(piece) = body.next().await {
            page.extend_from_slice(&piece.map_err(failed)?);
            if page.len() > MAX_PAGE_BYTES {
                return Err(format!("its monitoring page has more than {MAX_PAGE_BYTES} bytes"));
            }
        }
        serde_json::from_slice(&page).map_err(|error| format!("its monitoring page cannot be read: {}", cut(&error.to_string())))
    }
}

/// Why a node could not be asked. The address is told by the caller.
fn failed(error: reqwest::Error) -> String {
    cut(&root_cause(&error.without_url()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    #[test]
    fn what_a_node_has_is_found_in_any_account() {
        let jsz: Jsz = serde_json::from_str(
            r#"{"config":{"sync_always":true,"sync_interval":120000000000},"account_details":[{"name":"$SYS"},
                {"name":"A","stream_detail":[{"name":"OTHER","state":{"last_seq":9}},{"name":"SHIPSLOG","state":{"last_seq":4711}}]}]}"#,
        )
        .unwrap();
        assert_eq!((jsz.config.sync_always, jsz.last("SHIPSLOG"), jsz.last("NONE")), (true, Some(4711), None));
        let none: Jsz = serde_json::from_str(r#"{"disabled":true}"#).unwrap();
        assert_eq!((none.config.sync_always, none.last("SHIPSLOG")), (false, None));
    }

    #[tokio::test]
    async fn a_page_of_any_length_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let piece = vec![b' '; 1 << 20];
            let mut sent = 0;
            while stream.write_all(&piece).await.is_ok() {
                sent += piece.len();
                assert!(sent < 64 * MAX_PAGE_BYTES);
            }
        });
        let error = Monitor::new().unwrap().node(&address, "SHIPSLOG").await.unwrap_err();
        assert!(error.contains("more than"), "{error}");
        served.await.unwrap();
    }
}
