//! What every hub does. `clients` are at least two of one stream, by different ways if there are several.

use crate::support::{host, message, newest, next, patiently, text, times, within};
use shipslog::stream::{FleetStream, StreamError, Subject};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) type Clients = [Arc<dyn FleetStream>];

/// All but what becomes of a host whose messages were removed, for which see [`trimmed`].
pub(crate) async fn run(clients: &Clients) {
    ends_of_nothing(clients).await;
    newest_and_expectation(clients).await;
    subjects_apart(clients).await;
    one_of_two_racing_messages_is_stored(clients).await;
    a_delivery_begins_where_it_was_asked_to(clients).await;
    a_delivery_goes_on_live(clients).await;
    ends_and_messages_by_place(clients).await;
    a_message_that_is_too_large_is_refused(clients).await;
    nothing_is_read_from_past_the_end(clients).await;
}

async fn ends_of_nothing(clients: &Clients) {
    let ends = clients[0].ends().await.unwrap();
    assert_eq!((ends.first, ends.last), (1, 0));
    assert_eq!(clients[0].at(1).await.unwrap(), None);
    assert_eq!(clients[1].newest(&host("nobody")).await.unwrap(), None);
    assert!(clients[0].max_bytes() >= 1 << 16);
}

async fn newest_and_expectation(clients: &Clients) {
    let (hub, subject) = (&clients[0], host("newest"));
    let first = hub.publish(message(&subject, "first"), 0).await.unwrap();
    for wrong in [0, first + 1] {
        assert!(matches!(hub.publish(message(&subject, "wrong"), wrong).await, Err(StreamError::Conflict)), "{wrong}");
    }
    let second = hub.publish(message(&subject, "second"), first).await.unwrap();
    assert!(second > first);
    assert!(matches!(hub.publish(message(&subject, "late"), first).await, Err(StreamError::Conflict)));
    let newest = newest(hub.as_ref(), &subject, second).await;
    assert_eq!((newest.place, newest.subject.clone()), (second, subject.clone()));
    assert_eq!((newest.head.as_str(), text(&newest).as_str()), ("1 6", "second"));
    let earlier = hub.at(first).await.unwrap().unwrap();
    assert!(earlier.arrived <= newest.arrived);
    assert!(earlier.arrived >= hub.ends().await.unwrap().created);
}

async fn subjects_apart(clients: &Clients) {
    let hub = &clients[0];
    let subjects = [host("one"), host("two"), Subject::host("acme", "one", "00000000").unwrap(), Subject::base("acme").unwrap()];
    let mut places = BTreeMap::new();
    for subject in &subjects {
        places.insert(hub.publish(message(subject, subject.to_string()), 0).await.unwrap(), subject);
    }
    assert_eq!(places.len(), subjects.len());
    for (place, subject) in places {
        assert_eq!(text(&newest(hub.as_ref(), subject, place).await), subject.to_string());
    }
    assert_eq!(hub.newest(&Subject::epoch("acme").unwrap()).await.unwrap(), None);
}

async fn one_of_two_racing_messages_is_stored(clients: &Clients) {
    let subject = host("races");
    let (mut place, mut taken) = (0, 0);
    let races = times(200);
    for race in 0..races {
        let (a, b) = (message(&subject, format!("a{race}")), message(&subject, format!("b{race}")));
        let (a, b) = within("two messages", futures_util::future::join(clients[0].publish(a, place), clients[1].publish(b, place))).await;
        // While one is being stored, the other may also be told to come again.
        let refused = |error: &StreamError| matches!(error, StreamError::Conflict | StreamError::Unavailable(_));
        let (name, stored) = match (a, b) {
            (Ok(stored), Err(error)) if refused(&error) => ("a", stored),
            (Err(error), Ok(stored)) if refused(&error) => ("b", stored),
            (Err(a), Err(b)) if refused(&a) && refused(&b) => continue,
            both => panic!("race {race}: {both:?}"),
        };
        let newest = clients[0].at(stored).await.unwrap().unwrap();
        assert_eq!((text(&newest), newest.subject), (format!("{name}{race}"), subject.clone()));
        assert!(stored > place);
        (place, taken) = (stored, taken + 1);
    }
    assert!(taken > races / 2, "{taken} of {races} races had a winner");
    let mut delivery = clients[1].read_from(1).await.unwrap();
    let mut found = 0;
    while found < taken {
        found += u64::from(next(&mut delivery).await.unwrap().subject == subject);
    }
    let last = clients[0].ends().await.unwrap().last;
    assert_eq!(last, place, "nothing was stored beside the winners");
}

async fn a_delivery_begins_where_it_was_asked_to(clients: &Clients) {
    let ends = clients[0].ends().await.unwrap();
    for start in 0..times(60) {
        let hub = &clients[usize::try_from(start).unwrap() % clients.len()];
        let from = ends.first + start * 37 % (ends.last - ends.first);
        let mut delivery = hub.read_from(from).await.unwrap();
        for place in from..=(from + 2).min(ends.last) {
            assert_eq!(next(&mut delivery).await.unwrap().place, place, "start {start}");
        }
    }
    assert_eq!(next(&mut clients[0].read_from(0).await.unwrap()).await.unwrap().place, ends.first);
}

async fn a_delivery_goes_on_live(clients: &Clients) {
    let (hub, subject) = (&clients[0], host("live"));
    let from = hub.ends().await.unwrap().last + 1;
    let mut delivery = clients[1].read_from(from).await.unwrap();
    let mut expected = 0;
    for number in 0..20 {
        expected = hub.publish(message(&subject, format!("live {number}")), expected).await.unwrap();
        let came = next(&mut delivery).await.unwrap();
        assert_eq!((came.place, text(&came)), (expected, format!("live {number}")));
        assert_eq!(Some(came), hub.at(expected).await.unwrap());
    }
}

async fn ends_and_messages_by_place(clients: &Clients) {
    let (hub, subject) = (&clients[0], host("ends"));
    let before = hub.ends().await.unwrap();
    let place = hub.publish(message(&subject, "x"), 0).await.unwrap();
    let after = clients[1].ends().await.unwrap();
    assert_eq!((after.created, after.first, after.last), (before.created, before.first, before.last + 1));
    assert_eq!(place, after.last);
    assert_eq!(clients[1].at(place).await.unwrap().unwrap().subject, subject);
    assert_eq!(hub.at(place + 1).await.unwrap(), None);
}

async fn a_message_that_is_too_large_is_refused(clients: &Clients) {
    let (hub, subject) = (&clients[0], host("large"));
    let mut large = message(&subject, "");
    large.payload = vec![b'x'; hub.max_bytes() - large.head.len()].into();
    let place = hub.publish(large.clone(), 0).await.unwrap();
    assert_eq!(newest(hub.as_ref(), &subject, place).await.payload, large.payload);
    assert_eq!(hub.at(place).await.unwrap().unwrap().payload, large.payload);
    assert_eq!(next(&mut hub.read_from(place).await.unwrap()).await.unwrap().payload, large.payload);
    large.payload = vec![b'x'; large.payload.len() + 1].into();
    match hub.publish(large, place).await {
        Err(StreamError::TooLarge { bytes, limit }) => assert_eq!((bytes, limit), (hub.max_bytes() + 1, hub.max_bytes())),
        other => panic!("{other:?}"),
    }
    assert_eq!(newest(hub.as_ref(), &subject, place).await.place, place);
}

async fn nothing_is_read_from_past_the_end(clients: &Clients) {
    let last = clients[0].ends().await.unwrap().last;
    for hub in clients {
        assert!(matches!(hub.read_from(last + 2).await.map(|_| ()), Err(StreamError::Unavailable(_))));
    }
}

/// What becomes of a host whose messages were removed from the front. `trim` removes all ahead of a place.
pub(crate) async fn trimmed(hub: &dyn FleetStream, trim: impl AsyncFnOnce(u64)) {
    let subject = host("trimmed");
    let first = hub.publish(message(&subject, "first"), 0).await.unwrap();
    let old = hub.publish(message(&subject, "old"), first).await.unwrap();
    trim(old + 1).await;
    let ends = hub.ends().await.unwrap();
    assert!(ends.first > old && ends.last >= old);
    let gone = async || match hub.newest(&subject).await? {
        None => Ok(()),
        Some(message) => Err(StreamError::Unavailable(format!("{message:?}"))),
    };
    patiently("a replica that has forgotten it", gone).await;
    assert_eq!(hub.at(old).await.unwrap(), None);
    assert!(matches!(hub.publish(message(&subject, "x"), old).await, Err(StreamError::Conflict)));
    let place = hub.publish(message(&subject, "again"), 0).await.unwrap();
    assert_eq!(place, ends.last + 1);
    // A delivery from a place that is gone begins with the first that is kept, once the replica that
    // delivers has forgotten it, too.
    let kept = hub.ends().await.unwrap().first;
    let delivered = async || match next(&mut hub.read_from(first).await?).await?.place {
        place if place < kept => Err(StreamError::Unavailable(format!("{place} is still delivered"))),
        place => Ok(place),
    };
    assert_eq!(patiently("a delivery of what is kept", delivered).await, kept);
}
