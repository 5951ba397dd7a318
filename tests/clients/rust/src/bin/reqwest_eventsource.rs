//! Crate reqwest-eventsource: reconnects by itself.

use futures_util::StreamExt;
use reqwest_eventsource::{Event, EventSource};
use shipslog_clients::Received;
use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut received = Received::from_args()?;
    let mut source = EventSource::get(&received.url);
    while let Some(event) = source.next().await {
        // An error is told, and then followed by the next attempt.
        if let Ok(Event::Message(event)) = event
            && event.event == "message"
        {
            received.note(&event.id, &event.data)?;
        }
    }
    Err("the stream has ended".into())
}
