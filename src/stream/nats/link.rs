//! The connection: made when it is needed, given up when it is lost, and watched for refusals, which come
//! beside the call that they are meant for.

use super::answer::{Failure, cut, found, unconnected};
use super::limits::{ANSWER_WAIT, CONNECT_ALL_WAIT, HEADER_BYTES, MAX_MESSAGE_BYTES, MAX_REFUSALS};
use super::settings::NatsSettings;
use crate::stream::api::StreamError;
use async_nats::connection::State;
use async_nats::jetstream::stream::Info;
use async_nats::{Client, Event, Message, Request, ServerAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::sync::{Mutex, broadcast};
use tokio::time::timeout;

/// The oldest engine that stores one of two messages with the same expectation, and never both, on which
/// everything rests: 2.9 stores both, and what lies between was not measured with syncs joined.
const OLDEST: (u64, u64) = (2, 12);
/// What was tried longest.
const RECOMMENDED: (u64, u64) = (2, 15);
/// How a server begins to say that a key may not do something.
const REFUSAL: &str = "permissions violation";

/// One connection to one server.
#[derive(Debug)]
pub(super) struct Link {
    client: Client,
    refusals: broadcast::Sender<Arc<str>>,
}

/// The connection of now.
#[derive(Debug)]
pub(super) struct Links {
    settings: NatsSettings,
    servers: Vec<ServerAddr>,
    now: Mutex<Option<Arc<Link>>>,
    /// Of the server that was connected to last.
    max_bytes: AtomicUsize,
}

impl Link {
    async fn connect(settings: &NatsSettings, servers: Vec<ServerAddr>) -> Result<Self, StreamError> {
        let (refusals, _) = broadcast::channel(MAX_REFUSALS);
        let told = refusals.clone();
        let options = settings.options()?.event_callback(move |event| {
            let told = told.clone();
            async move {
                match event {
                    // Nobody waits for it where there is no call.
                    Event::ServerError(error) => _ = told.send(Arc::from(cut(&error.to_string()))),
                    event => tracing::debug!("the hub's connection: {event}"),
                }
            }
        });
        let late = || StreamError::Unavailable(format!("no server took a connection within {} s", CONNECT_ALL_WAIT.as_secs()));
        // It is large, and in every future that may have to connect.
        let connected = timeout(CONNECT_ALL_WAIT, Box::pin(options.connect(servers))).await.map_err(|_| late())?;
        let client = connected.map_err(|error| unconnected(&error))?;
        if !settings.unsafe_engine {
            fits(&client.server_info().version)?;
        }
        Ok(Self { client, refusals })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn version(&self) -> String {
        self.client.server_info().version
    }

    pub(super) fn server_name(&self) -> String {
        cut(&self.client.server_info().server_name)
    }

    /// Bytes of head and payload that a message to this server may have.
    fn max_bytes(&self) -> usize {
        self.client.server_info().max_payload.saturating_sub(HEADER_BYTES).min(MAX_MESSAGE_BYTES)
    }

    /// Refusals from now on.
    pub(super) fn refusals(&self) -> Refusals {
        Refusals(self.refusals.subscribe())
    }
}

/// What a server says that the key may not do.
pub(super) struct Refusals(broadcast::Receiver<Arc<str>>);

impl Refusals {
    /// Comes when the key may not use `subject`, or not receive anything.
    pub(super) async fn of(&mut self, subject: &str) -> StreamError {
        loop {
            match self.0.recv().await {
                Ok(text) if is_meant(&text, subject) => return StreamError::Refused(text.to_string()),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

fn is_meant(text: &str, subject: &str) -> bool {
    let lower = text.to_lowercase();
    lower.contains(REFUSAL) && (text.contains(&format!("\"{subject}\"")) || lower.contains("for subscription to"))
}

impl Links {
    pub(super) fn new(settings: NatsSettings) -> Result<Self, StreamError> {
        let servers = settings.servers()?;
        Ok(Self { settings, servers, now: Mutex::new(None), max_bytes: AtomicUsize::new(0) })
    }

    pub(super) fn settings(&self) -> &NatsSettings {
        &self.settings
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.max_bytes.load(Relaxed)
    }

    /// The connection, which is made where there is none. Whoever comes meanwhile waits for the same one.
    pub(super) async fn get(&self) -> Result<Arc<Link>, StreamError> {
        let mut now = self.now.lock().await;
        if let Some(link) = now.as_ref().filter(|link| link.client.connection_state() == State::Connected) {
            return Ok(Arc::clone(link));
        }
        *now = None;
        let link = Arc::new(Link::connect(&self.settings, self.servers.clone()).await?);
        self.max_bytes.store(link.max_bytes(), Relaxed);
        *now = Some(Arc::clone(&link));
        Ok(link)
    }

    /// Never uses `link` again.
    pub(super) async fn forget(&self, link: &Arc<Link>) {
        let mut now = self.now.lock().await;
        if now.as_ref().is_some_and(|held| Arc::ptr_eq(held, link)) {
            *now = None;
        }
    }

    /// What the leader says of the stream; `None` where there is none.
    pub(super) async fn info(&self) -> Result<Option<Info>, StreamError> {
        let subject = format!("$JS.API.STREAM.INFO.{}", self.settings.stream);
        found(&self.ask(&subject, Request::new()).await?)
    }

    /// Said where there is no stream.
    pub(super) fn missing(&self) -> StreamError {
        StreamError::Unfit(format!("the hub has no stream {}: make it with `shipslog fleet init`", self.settings.stream))
    }

    /// The answer to a question.
    pub(super) async fn ask(&self, subject: &str, request: Request) -> Result<Message, StreamError> {
        let link = self.get().await?;
        self.ask_by(&link, subject, request).await.map_err(Failure::of_question)
    }

    /// As [`Links::ask`], by a connection that one has.
    pub(super) async fn ask_by(&self, link: &Arc<Link>, subject: &str, request: Request) -> Result<Message, Failure> {
        let mut refusals = link.refusals();
        let asking = timeout(ANSWER_WAIT, link.client.send_request(subject.to_owned(), request.timeout(None)));
        let answer = tokio::select! {
            answer = asking => answer,
            refused = refusals.of(subject) => return Err(Failure::Told(refused)),
        };
        let answer = match answer {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(Failure::Silence(format!("no answer within {} s", ANSWER_WAIT.as_secs()))),
        };
        if matches!(answer, Err(Failure::Silence(_))) {
            self.forget(link).await;
        }
        answer
    }
}

/// Whether an engine of this version will do.
pub(super) fn fits(version: &str) -> Result<(), StreamError> {
    if numbers(version).is_some_and(|version| version >= OLDEST) {
        return Ok(());
    }
    Err(StreamError::Unfit(format!(
        "the hub is nats-server {}, which may store both of two messages where one must be refused; \
         {}.{} or later is needed",
        cut(version),
        OLDEST.0,
        OLDEST.1
    )))
}

pub(super) fn is_recommended(version: &str) -> bool {
    numbers(version).is_some_and(|version| version >= RECOMMENDED)
}

fn numbers(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.split(['.', '-', '+']).map(|part| part.parse::<u64>().ok());
    numbers.next().flatten().zip(numbers.next().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_stores_what_it_must_refuse_is_named() {
        for version in ["2.12.0", "2.15.1", "2.12.0-RC.3", "3.0.0"] {
            assert!(fits(version).is_ok(), "{version}");
        }
        for version in ["2.9.25", "2.11.9", "1.99.0", "2", "", "x.y"] {
            let error = fits(version).unwrap_err();
            assert!(matches!(&error, StreamError::Unfit(_)), "{version}");
            assert!(error.to_string().contains(version) && error.to_string().contains("2.12"), "{error}");
        }
    }

    #[test]
    fn a_refusal_is_for_the_call_whose_subject_it_names() {
        let publish = "nats: Permissions Violation for Publish to \"slog.v1.acme.web.7f3c9a1e\"";
        assert!(is_meant(publish, "slog.v1.acme.web.7f3c9a1e"));
        assert!(!is_meant(publish, "slog.v1.acme.web.7f3c9a1"));
        assert!(is_meant("nats: Permissions Violation for Subscription to \"_INBOX_web.x.*\"", "anything"));
        assert!(!is_meant("nats: Stale Connection", "anything"));
    }
}
