//! NATS JetStream as the hub; nothing outside speaks NATS, `app` and `cli/fleet` only set it up. No message
//! waits in the client for a hub that may come back later: what cannot be sent is an error within seconds,
//! and the caller decides.
//!
//! What is asked goes through `link`, which connects again where a connection is lost. What is answered
//! becomes a [`StreamError`] in `answer`, a stored message in `wire`. `delivery` follows a stream, and
//! `shape` says how one is set up. `enrol` makes keys, and `doctor` looks at a hub, with `monitor` at each
//! node of it.

mod answer;
mod delivery;
mod doctor;
mod enrol;
mod limits;
mod link;
mod monitor;
mod settings;
mod shape;
mod wire;

use super::api::{Delivery, Ends, FleetStream, Message, Outgoing, StreamError};
use super::subject::Subject;
use answer::{Acknowledged, Failure, api};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::Info;
use async_nats::{HeaderMap, HeaderValue, Request, StatusCode, header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE};
use async_trait::async_trait;
use bytes::Bytes;
pub use doctor::{Finding, Verdict, examine};
pub use enrol::{Enrolment, Part};
use link::Links;
pub use settings::{KeyFile, NatsSettings, TlsFiles};
pub use shape::{Made, Shape};
use std::sync::Arc;

/// A stream of NATS JetStream, in the rights of one key.
#[derive(Debug)]
pub struct NatsStream {
    links: Arc<Links>,
}

impl NatsStream {
    /// Connects to one of the servers, and looks whether its version will do.
    ///
    /// # Errors
    /// [`StreamError::Refused`] for a key that the server does not know and for TLS that fails,
    /// [`StreamError::Unfit`] for settings that cannot be and for an engine that is too old.
    pub async fn connect(settings: NatsSettings) -> Result<Self, StreamError> {
        let hub = Self::to(settings)?;
        hub.links.get().await?;
        Ok(hub)
    }

    /// The same without a connection, which the first call makes.
    ///
    /// # Errors
    /// [`StreamError::Unfit`] for settings that cannot be.
    pub fn to(settings: NatsSettings) -> Result<Self, StreamError> {
        Ok(Self { links: Arc::new(Links::new(settings)?) })
    }

    /// Version of the server that this is connected to.
    ///
    /// # Errors
    /// As for any call, where it has to connect first.
    pub async fn version(&self) -> Result<String, StreamError> {
        Ok(self.links.get().await?.version())
    }

    /// Makes the stream as `shape` says, or checks that the one which is there does what a fleet needs. Makes
    /// nothing twice, and changes nothing of a stream that is there.
    ///
    /// # Errors
    /// [`StreamError::Unfit`] says all that is wrong with it, unless the settings allow an unsafe engine.
    pub async fn create_or_check(&self, shape: &Shape) -> Result<Made, StreamError> {
        let made = match self.links.info().await? {
            Some(_) => Made::WasThere,
            None => {
                let subject = format!("$JS.API.STREAM.CREATE.{}", self.stream());
                let config = shape.config(self.stream())?;
                let _: Info = api(&self.ask(&subject, answer::json(&config)?).await?)?;
                Made::New
            }
        };
        self.check(shape).await.map(|()| made)
    }

    /// Checks that the stream does what a fleet needs.
    ///
    /// # Errors
    /// As [`NatsStream::create_or_check`]; [`StreamError::Unfit`] also where there is no stream.
    pub async fn check(&self, shape: &Shape) -> Result<(), StreamError> {
        let faults = self.faults(shape).await?;
        if faults.is_empty() || self.links.settings().unsafe_engine {
            return Ok(());
        }
        Err(StreamError::Unfit(format!("stream {}: {}", self.stream(), faults.join("; "))))
    }

    /// What the stream lacks of what a fleet needs, one text each.
    ///
    /// # Errors
    /// [`StreamError::Unfit`] where there is no stream; otherwise as the hub says.
    pub async fn faults(&self, shape: &Shape) -> Result<Vec<String>, StreamError> {
        let info = self.links.info().await?.ok_or_else(|| self.links.missing())?;
        shape.faults(&info.config)
    }

    fn stream(&self) -> &str {
        &self.links.settings().stream
    }

    async fn ask(&self, subject: &str, payload: Bytes) -> Result<async_nats::Message, StreamError> {
        self.links.ask(subject, Request::new().payload(payload)).await
    }
}

#[async_trait]
impl FleetStream for NatsStream {
    async fn newest(&self, subject: &Subject) -> Result<Option<Message>, StreamError> {
        let answer = self.ask(&format!("$JS.API.DIRECT.GET.{}.{subject}", self.stream()), Bytes::new()).await?;
        match answer.status {
            Some(StatusCode::NOT_FOUND) => Ok(None),
            Some(status) if status != StatusCode::OK => {
                Err(StreamError::Unavailable(format!("{status} {}", answer.description.unwrap_or_default())))
            }
            _ => {
                let stored = StreamMessage::try_from(answer).map_err(|error| StreamError::Unfit(error.to_string()))?;
                wire::stored(stored).map(Some).map_err(Into::into)
            }
        }
    }

    async fn publish(&self, message: Outgoing, expected: u64) -> Result<u64, StreamError> {
        let Outgoing { subject, head, payload } = message;
        let link = self.links.get().await?;
        let (bytes, limit) = (head.len().saturating_add(payload.len()), self.links.max_bytes());
        if bytes > limit {
            return Err(StreamError::TooLarge { bytes, limit });
        }
        let mut headers = HeaderMap::new();
        let head: HeaderValue = head.parse().map_err(|_| StreamError::Refused("the head of a message has a line break".to_owned()))?;
        headers.insert(wire::HEAD, head);
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, HeaderValue::from(expected));
        let subject = subject.to_string();
        let answer = self.links.ask_by(&link, &subject, Request::new().payload(payload).headers(headers)).await;
        let answer = answer.map_err(Failure::of_publish)?;
        let acknowledged: Acknowledged = api(&answer)?;
        if acknowledged.stream != self.stream() {
            return Err(StreamError::Unfit(format!("{subject} is stored by the stream {}, not by {}", acknowledged.stream, self.stream())));
        }
        Ok(acknowledged.seq)
    }

    async fn read_from(&self, place: u64) -> Result<Delivery, StreamError> {
        delivery::start(Arc::clone(&self.links), place.max(1)).await
    }

    async fn ends(&self) -> Result<Ends, StreamError> {
        let info = self.links.info().await?.ok_or_else(|| self.links.missing())?;
        Ok(wire::ends(&info))
    }

    async fn at(&self, place: u64) -> Result<Option<Message>, StreamError> {
        let subject = format!("$JS.API.STREAM.MSG.GET.{}", self.stream());
        let place = serde_json::json!({ "seq": place });
        let found: Option<wire::Raw> = answer::found(&self.ask(&subject, answer::json(&place)?).await?)?;
        found.map(|raw| raw.try_into().map_err(|error: wire::Foreign| error.into())).transpose()
    }

    fn max_bytes(&self) -> usize {
        self.links.max_bytes()
    }
}
