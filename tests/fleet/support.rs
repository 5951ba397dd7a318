//! Waits that end, and messages.

use futures_util::StreamExt as _;
use shipslog::stream::{Delivery, FleetStream, Message, Outgoing, StreamError, Subject};
use std::time::{Duration, Instant};

/// Nothing here takes this long unless it is broken; an election on a busy machine takes longest.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
pub(crate) const TENANT: &str = "acme";

/// How often something happens that does `usual` times where nothing else is said.
pub(crate) fn times(usual: u64) -> u64 {
    usual * std::env::var("SHIPSLOG_FLEET").map_or(1, |text| text.parse().expect("SHIPSLOG_FLEET is a number"))
}

/// What comes of `future`, which is called `what` where it does not come in time.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

pub(crate) fn host(name: &str) -> Subject {
    Subject::host(TENANT, name, "7f3c9a1e").unwrap()
}

pub(crate) fn message(subject: &Subject, payload: impl Into<String>) -> Outgoing {
    let payload = payload.into();
    Outgoing { subject: subject.clone(), head: format!("1 {}", payload.len()), payload: payload.into() }
}

pub(crate) fn text(message: &Message) -> String {
    String::from_utf8(message.payload.to_vec()).unwrap()
}

/// The next message of a delivery, which has one.
pub(crate) async fn next(delivery: &mut Delivery) -> Result<Message, StreamError> {
    within("the next message", delivery.next()).await.expect("a delivery ends with an error")
}

/// Asks until there is an answer other than that the hub cannot give one now: a cluster that has just begun
/// is like that for seconds.
pub(crate) async fn patiently<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, StreamError>) -> T {
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(StreamError::Unavailable(why) | StreamError::Unanswered(why)) => {
                assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}: {why}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("{what}: {error:?}"),
        }
    }
}

/// The newest message of `subject`, once the replica that answers has the one at `place`.
pub(crate) async fn newest(hub: &dyn FleetStream, subject: &Subject, place: u64) -> Message {
    patiently("the newest message", async || match hub.newest(subject).await? {
        Some(message) if message.place >= place => Ok(message),
        older => Err(StreamError::Unavailable(format!("{:?}", older.map(|message| message.place)))),
    })
    .await
}
