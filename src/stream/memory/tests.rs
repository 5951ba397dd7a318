use super::*;
use crate::testing::within;
use futures_util::StreamExt as _;

fn message(payload: &str) -> Outgoing {
    let subject = Subject::host("acme", "web", "7f3c9a1e").unwrap();
    Outgoing { subject, head: "1 1".to_owned(), payload: payload.to_owned().into() }
}

/// A hub with `count` messages, each of which has its place as its payload.
async fn filled(count: u64) -> MemoryStream {
    let hub = MemoryStream::new();
    for place in 1..=count {
        assert_eq!(hub.publish(message(&place.to_string()), place - 1).await.unwrap(), place);
    }
    hub
}

async fn next(delivery: &mut Delivery) -> Result<u64, StreamError> {
    Ok(within("a message", delivery.next()).await.expect("more to come")?.place)
}

async fn ended(delivery: &mut Delivery) -> bool {
    within("the end", delivery.next()).await.is_none()
}

#[tokio::test]
async fn a_fault_is_met_once_and_says_what_became_of_the_message() {
    for (fault, stored) in [(Fault::StoredUnanswered, 2), (Fault::LostUnanswered, 1), (Fault::Unavailable, 1), (Fault::Refused, 1)] {
        let hub = filled(1).await;
        hub.fail_publish(fault);
        // One that would fail anyhow does not use it up.
        assert!(matches!(hub.publish(message("x"), 7).await, Err(StreamError::Conflict)));
        let met = hub.publish(message("2"), 1).await.unwrap_err();
        assert_eq!(met.to_string(), fault.error().to_string());
        assert_eq!(hub.ends().await.unwrap().last, stored, "{fault:?}");
        assert_eq!(hub.publish(message("3"), stored).await.unwrap(), stored + 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_stream_that_was_put_back_uses_places_again_and_keeps_when_it_was_made() {
    let hub = filled(3).await;
    let (older, created) = (hub.copy(), hub.ends().await.unwrap().created);
    let mut delivery = hub.read_from(4).await.unwrap();
    let lost = hub.publish(message("lost"), 3).await.unwrap();
    let arrived = hub.at(lost).await.unwrap().unwrap().arrived;
    hub.put_back(&older);
    assert!(matches!(next(&mut delivery).await, Err(StreamError::Unavailable(_))));
    assert!(ended(&mut delivery).await);
    assert_eq!(hub.ends().await.unwrap(), Ends { created, first: 1, last: 3 });
    assert!(matches!(hub.read_from(5).await, Err(StreamError::Unavailable(_))), "place 4 is gone");
    assert_eq!(hub.publish(message("other"), 3).await.unwrap(), lost);
    assert!(hub.at(lost).await.unwrap().unwrap().arrived > arrived, "time does not go back");
}

#[tokio::test]
async fn a_stream_that_was_made_again_is_empty_and_another() {
    let hub = filled(3).await;
    let created = Timestamp::from_nanos(DEFAULT_CREATED + 1);
    hub.make_again(created);
    assert_eq!(hub.ends().await.unwrap(), Ends { created, first: 1, last: 0 });
    assert_eq!(hub.publish(message("1"), 0).await.unwrap(), 1);
}

#[tokio::test]
async fn a_delivery_ends_where_and_when_a_test_says() {
    let hub = filled(3).await;
    hub.end_delivery_at(2);
    let mut delivery = hub.read_from(1).await.unwrap();
    assert_eq!(next(&mut delivery).await.unwrap(), 1);
    assert!(next(&mut delivery).await.is_err());
    assert!(ended(&mut delivery).await);
    let mut delivery = hub.read_from(2).await.unwrap();
    assert_eq!(next(&mut delivery).await.unwrap(), 2, "it was cut once");
    hub.end_deliveries();
    assert!(next(&mut delivery).await.is_err());
}

#[tokio::test]
async fn an_outage_meets_every_call_and_a_hub_that_hangs_answers_none() {
    let hub = filled(1).await;
    hub.set_outage(Some(StreamError::Unavailable("down".to_owned())));
    assert!(hub.ends().await.is_err() && hub.at(1).await.is_err() && hub.read_from(1).await.is_err());
    assert!(hub.publish(message("2"), 1).await.is_err());
    hub.set_outage(None);
    hub.set_hanging(true);
    let publish = hub.publish(message("2"), 1);
    tokio::pin!(publish);
    assert!(futures_util::poll!(publish.as_mut()).is_pending());
    assert_eq!(hub.messages().len(), 1);
    hub.set_hanging(false);
    assert_eq!(within("the hub", publish).await.unwrap(), 2);
}

#[tokio::test]
async fn a_replica_that_lags_knows_an_older_newest_message() {
    let hub = filled(3).await;
    hub.set_replica_at(Some(2));
    let subject = message("").subject;
    assert_eq!(hub.newest(&subject).await.unwrap().unwrap().place, 2);
    assert_eq!(hub.at(3).await.unwrap().unwrap().place, 3, "the leader answers");
    assert!(matches!(hub.publish(message("x"), 2).await, Err(StreamError::Conflict)));
    hub.set_replica_at(None);
    assert_eq!(hub.newest(&subject).await.unwrap().unwrap().place, 3);
}

#[tokio::test]
async fn messages_arrive_when_a_test_says() {
    let hub = filled(1).await;
    hub.set_now(Timestamp::from_nanos(5_000_000));
    hub.publish(message("2"), 1).await.unwrap();
    hub.publish(message("3"), 2).await.unwrap();
    let arrived: Vec<i64> = hub.messages().iter().map(|message| message.arrived.nanos()).collect();
    assert_eq!(arrived, [DEFAULT_CREATED, 5_000_000, 6_000_000]);
}
