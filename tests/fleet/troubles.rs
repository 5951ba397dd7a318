//! A node that hangs, a hub that is away, and a stream that others have been at.

use crate::cluster::{Cluster, STREAM, shape};
use crate::support::{host, message, next, patiently, text, within};
use async_nats::jetstream;
use shipslog::stream::nats::{NatsSettings, NatsStream, Shape};
use shipslog::stream::{FleetStream, StreamError};
use std::time::{Duration, Instant};

/// What a call may take at most that a hub leaves without an answer: some more than it waits.
const AT_MOST: Duration = Duration::from_secs(15);

/// One node will do where nothing is asked of a cluster.
fn lone() -> Shape {
    Shape { replicas: 1, ..shape() }
}

fn settings(cluster: &Cluster) -> NatsSettings {
    NatsSettings { unsafe_engine: true, ..cluster.settings("web-17", None) }
}

/// The error of a call that ends in time.
async fn fails<T: std::fmt::Debug>(what: &str, call: impl Future<Output = Result<T, StreamError>>) -> StreamError {
    let began = Instant::now();
    let error = within(what, call).await.expect_err(what);
    assert!(began.elapsed() < AT_MOST, "{what}: {:?}", began.elapsed());
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_hangs_or_is_away_is_given_up_and_found_again() {
    let Some(cluster) = Cluster::start(1, "").await else { return };
    let hub = cluster.made(&settings(&cluster), &lone()).await;
    let subject = host("web-17");
    let place = hub.publish(message(&subject, "first"), 0).await.unwrap();
    let mut delivery = hub.read_from(1).await.unwrap();
    assert_eq!(next(&mut delivery).await.unwrap().place, place);

    cluster.pause(1);
    let unanswered = fails("a publish", hub.publish(message(&subject, "second"), place)).await;
    assert!(matches!(unanswered, StreamError::Unanswered(_)), "{unanswered:?}");
    assert!(matches!(fails("a delivery", next(&mut delivery)).await, StreamError::Unavailable(_)));
    assert!(matches!(fails("a question", hub.newest(&subject)).await, StreamError::Unavailable(_)));
    cluster.resume(1);
    // The message that nobody knows of was stored, or will be, or was lost: the next one finds out which.
    let place = patiently("a publish", async || {
        let newest = hub.newest(&subject).await?.map_or(0, |newest| newest.place);
        hub.publish(message(&subject, "third"), newest).await.map_err(|error| match error {
            StreamError::Conflict => StreamError::Unavailable("it was stored meanwhile".to_owned()),
            other => other,
        })
    });
    let place = place.await;

    cluster.kill(1);
    assert!(matches!(fails("a question", hub.ends()).await, StreamError::Unavailable(_)));
    assert!(matches!(fails("a connection", NatsStream::connect(settings(&cluster))).await, StreamError::Unavailable(_)));
    cluster.restart(1);
    let newest = patiently("the newest", async || hub.newest(&subject).await).await.unwrap();
    assert_eq!((newest.place, text(&newest)), (place, "third".to_owned()));
}

/// What an operator must not do to a stream, and what a damaged node does: one message is missing within. And
/// a message that is none of ours, as somebody with a key for everything may store it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_goes_past_a_hole_and_past_messages_of_others() {
    let Some(cluster) = Cluster::start(1, "").await else { return };
    let settings = settings(&cluster);
    let context = jetstream::new(async_nats::connect(settings.urls.clone()).await.unwrap());
    let config = jetstream::stream::Config { name: STREAM.to_owned(), subjects: vec!["slog.v1.acme.>".to_owned()], ..Default::default() };
    let stream = context.create_stream(config).await.unwrap();
    let hub = NatsStream::connect(settings).await.unwrap();
    // That it may be deleted from is told, among other things.
    assert!(hub.faults(&lone()).await.unwrap().iter().any(|fault| fault.contains("deny_delete")));
    let subject = host("web-17");
    let mut place = 0;
    for number in 1..=4 {
        place = hub.publish(message(&subject, number.to_string()), place).await.unwrap();
    }
    context.publish("slog.v1.acme.WEB.x", "foreign".into()).await.unwrap().await.unwrap();
    let place = hub.publish(message(&subject, "6"), place).await.unwrap();
    assert!(stream.delete_message(3).await.unwrap());
    for (from, places) in [(1, vec![1, 2, 4, place]), (3, vec![4, place]), (5, vec![place])] {
        let mut delivery = hub.read_from(from).await.unwrap();
        for expected in places {
            assert_eq!(next(&mut delivery).await.unwrap().place, expected, "from {from}");
        }
    }
    assert!(matches!(hub.at(5).await, Err(StreamError::Unfit(why)) if why.contains("none of shipslog's")));
}
