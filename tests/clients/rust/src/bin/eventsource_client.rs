//! Crate eventsource-client: reconnects by itself.

use eventsource_client::{Client, ClientBuilder, ReconnectOptions, SSE};
use futures_util::StreamExt;
use launchdarkly_sdk_transport::HyperTransport;
use shipslog_clients::Received;
use std::error::Error;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut received = Received::from_args()?;
    // By default it would wait twice as long after each cut within a minute: too few of them for a test.
    let reconnect = ReconnectOptions::reconnect(true).retry_initial(true).delay(Duration::from_secs(2)).backoff_factor(1);
    let client = ClientBuilder::for_url(&received.url)?.reconnect(reconnect.build()).build_with_transport(HyperTransport::new()?);
    let mut stream = client.stream();
    while let Some(event) = stream.next().await {
        // An error is told, and then followed by the next attempt.
        if let Ok(SSE::Event(event)) = event
            && event.event_type == "message"
        {
            received.note(event.id.as_deref().unwrap_or_default(), &event.data)?;
        }
    }
    Err("the stream has ended".into())
}
