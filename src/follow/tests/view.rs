//! A hub as one server sees it.

use crate::stream::memory::MemoryStream;
use crate::stream::{Delivery, Ends, FleetStream, Message, Outgoing, StreamError, Subject};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use tokio_stream::StreamExt as _;

/// What differs from the hub itself.
pub(super) struct View {
    pub(super) hub: MemoryStream,
    /// There is a message of nobody's, which a delivery passes over.
    pub(super) strange: Option<u64>,
    /// It lost the message there.
    pub(super) lacks: Option<u64>,
    /// Deliveries bring nothing after this place.
    pub(super) until: Arc<AtomicU64>,
    /// The payload of the message there is altered on its way, once.
    pub(super) alters: u64,
    pub(super) altered: Arc<AtomicBool>,
}

impl View {
    pub(super) fn of(hub: &MemoryStream) -> Self {
        Self { hub: hub.clone(), strange: None, lacks: None, until: Arc::new(AtomicU64::new(u64::MAX)), alters: 0, altered: Arc::default() }
    }
}

#[async_trait::async_trait]
impl FleetStream for View {
    async fn newest(&self, subject: &Subject) -> Result<Option<Message>, StreamError> {
        self.hub.newest(subject).await
    }

    async fn publish(&self, message: Outgoing, expected: u64) -> Result<u64, StreamError> {
        self.hub.publish(message, expected).await
    }

    async fn read_from(&self, place: u64) -> Result<Delivery, StreamError> {
        let (strange, lacks, until, alters, altered) =
            (self.strange, self.lacks, Arc::clone(&self.until), self.alters, Arc::clone(&self.altered));
        let all = self.hub.read_from(place).await?;
        let shown = all.filter(move |message| {
            let place = message.as_ref().map_or(0, |message| message.place);
            place == 0 || (Some(place) != strange && Some(place) != lacks && place <= until.load(Relaxed))
        });
        Ok(Box::pin(shown.map(move |message| {
            let mut message = message?;
            if message.place == alters && !altered.swap(true, Relaxed) {
                let mut payload = message.payload.to_vec();
                payload.reverse();
                message.payload = payload.into();
            }
            Ok(message)
        })))
    }

    async fn ends(&self) -> Result<Ends, StreamError> {
        self.hub.ends().await
    }

    async fn at(&self, place: u64) -> Result<Option<Message>, StreamError> {
        if Some(place) == self.strange {
            return Err(StreamError::Unfit("it is none of shipslog's".to_owned()));
        }
        if Some(place) == self.lacks { Ok(None) } else { self.hub.at(place).await }
    }

    fn max_bytes(&self) -> usize {
        self.hub.max_bytes()
    }
}
