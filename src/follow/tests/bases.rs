//! Bases, epochs, and what tells that the hub is another one.

use crate::cursor::{LogId, MAX_SEQUENCE};
use crate::follow::testing::{Act, Folded, TENANT, at, deeds, fleet, message, messages};
use crate::follow::{BASE_EVERY, Base, BaseError, Earlier, Epoch, Had, Judgement, State, compare, judge, step};
use crate::stream::{Ends, Message, Outgoing, Subject};
use proptest::prelude::*;

fn subject() -> Subject {
    Subject::base(TENANT).unwrap()
}

fn published(base: &Base) -> Message {
    message(base.state.place + 5, at(0), base.to_message(subject(), 1 << 20).unwrap())
}

fn base() -> Base {
    let sent: Vec<_> = (0..30).map(|n| (n % 3, if n % 7 == 6 { Act::Hole { before: true } } else { Act::Send }, 3, 20)).collect();
    Folded::of(&messages(&sent)).bases.pop().unwrap()
}

#[test]
fn a_flipped_byte_in_a_base_is_an_alarm() {
    let base = base();
    let sent = published(&base);
    assert_eq!(compare(base.state.place, &base.to_text(), &Base::of_message(&sent).unwrap().to_text()), Ok(()));
    for at in 0..sent.payload.len() {
        let mut payload = sent.payload.to_vec();
        payload[at] ^= 0x10;
        let read = zstd::bulk::decompress(&payload, 1 << 20);
        let theirs = Base::of_message(&Message { payload: payload.into(), ..sent.clone() });
        let compared = theirs.and_then(|theirs| compare(base.state.place, &base.to_text(), &theirs.to_text()));
        // A bit of zstd's header may say nothing.
        assert!(compared.is_err() || read.unwrap() == base.to_text().as_bytes(), "{at}");
    }
    // And one in the memory of the server that published it.
    let text = base.to_text();
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let differing = compare(base.state.place, &text, &String::from_utf8_lossy(&bytes));
        assert!(matches!(differing, Err(BaseError::Differs { place, .. }) if place == base.state.place));
    }
}

#[test]
fn a_base_of_another_fold_is_not_taken_for_one_that_differs() {
    let base = base();
    let text = base.to_text().replacen(r#""fold":1"#, r#""fold":2"#, 1);
    let payload = zstd::bulk::compress(text.as_bytes(), 1).unwrap();
    let other = Base::of_message(&Message { payload: payload.into(), ..published(&base) });
    assert_eq!(other, Err(BaseError::Other { place: base.state.place + 5, form: 1, fold: 2 }));
    for (from, to) in [(r#""form":1,"#, r#""form":01,"#), ("{\"host\"", " {\"host\""), (r#""next":"#, r#""next": "#), ("}\n", "},\n")] {
        let payload = zstd::bulk::compress(base.to_text().replacen(from, to, 1).as_bytes(), 1).unwrap();
        let read = Base::of_message(&Message { payload: payload.into(), ..published(&base) });
        assert!(matches!(read, Err(BaseError::Unreadable { .. })), "{to}");
    }
    for head in ["", "1", "2 1 0", "1 01 0", "1 1", &format!("1 {} 0", base.state.place - 1), &format!("1 {} 9999", base.state.place)] {
        assert!(Base::of_message(&Message { head: head.to_owned(), ..published(&base) }).is_err(), "{head}");
    }
    let early = Message { place: base.state.place, ..published(&base) };
    assert!(Base::of_message(&early).is_err());
    assert!(matches!(base.to_message(subject(), 100), Err(BaseError::TooLarge(_))));
}

#[test]
fn bases_are_due_by_messages_and_by_the_hubs_time() {
    let quick: Vec<_> = (0..=BASE_EVERY).map(|_| (0, Act::Tenant, 1, 0)).collect();
    let places = |folded: Folded| folded.bases.iter().map(|base| base.state.place).collect::<Vec<_>>();
    assert_eq!(places(Folded::of(&messages(&quick))), [1, BASE_EVERY + 1]);
    let slow: Vec<_> = (0..7).map(|_| (0, Act::Send, 1, 20)).collect();
    assert_eq!(places(Folded::of(&messages(&slow))), [1, 4, 7]);
}

#[test]
fn an_epoch_says_who_goes_on_from_where() {
    let subject = Subject::epoch(TENANT).unwrap();
    let earlier = |at| Earlier { fleet: fleet(), at, last: 3 * at };
    for earlier in [vec![], vec![earlier(41)], vec![earlier(5), earlier(5), earlier(41)]] {
        let began = if earlier.is_empty() { 41 } else { 1 };
        let epoch = Epoch { fleet: LogId::random(), earlier, began, fold: 1 };
        let sent = message(42, at(0), epoch.to_message(subject.clone()));
        assert_eq!(Epoch::of_message(&sent), Ok(epoch));
        assert!(Epoch::of_message(&Message { place: 41, ..sent.clone() }).is_err());
        assert!(Epoch::of_message(&Message { head: "2".into(), ..sent.clone() }).is_err());
        let newer = String::from_utf8(sent.payload.to_vec()).unwrap().replace(r#""fold":1"#, r#""fold":2"#);
        assert!(Epoch::of_message(&Message { payload: newer.into(), ..sent }).unwrap_err().to_string().contains("fold 2"));
    }
    let golden = r#"{"epoch":"f1f1f1f1-f1f1-f1f1-f1f1-f1f1f1f1f1f1","at":7,"before":"00000000-0000-0000-0000-000000000000","last":40,"began":2,"fold":1}"#;
    let before = Earlier { fleet: LogId::from_bytes([0; 16]), at: 7, last: 40 };
    let epoch = Epoch { fleet: fleet(), earlier: vec![before], began: 2, fold: 1 };
    assert_eq!(epoch.to_message(subject).payload, golden);
}

#[test]
fn numbers_that_no_fleet_can_have_are_refused() {
    let base = base();
    for (next, began) in [(0, 0), (MAX_SEQUENCE + 1, 0), (u64::MAX, 0), (1, base.state.place + 1), (1, u64::MAX)] {
        let mut strange = base.clone();
        (strange.state.next, strange.state.began) = (next, began);
        assert!(matches!(Base::of_message(&published(&strange)), Err(BaseError::Unreadable { .. })), "{next} {began}");
    }
    let subject = Subject::epoch(TENANT).unwrap();
    for (last, began) in [(u64::MAX, 1), (MAX_SEQUENCE + 1, 1), (3, 8), (3, u64::MAX)] {
        let epoch = Epoch { fleet: LogId::random(), earlier: vec![Earlier { fleet: fleet(), at: 7, last }], began, fold: 1 };
        assert!(Epoch::of_message(&message(42, at(0), epoch.to_message(subject.clone()))).is_err(), "{last} {began}");
    }
}

#[test]
fn a_hub_that_has_lost_or_replaced_messages_is_known() {
    let sent = messages(&[(0, Act::Send, 1, 0), (0, Act::Send, 1, 1), (0, Act::Send, 1, 1)]);
    let (created, newest) = (at(-1), &sent[1]);
    let had = Had::of(created, newest);
    let ends = |created, first, last| Ends { created, first, last };
    assert_eq!(judge(&had, &ends(created, 1, 3), Some(newest)), Judgement::Same);
    assert_eq!(judge(&had, &ends(created, 3, 3), None), Judgement::Same);
    assert_eq!(judge(&had, &ends(at(5), 1, 3), Some(newest)), Judgement::Recreated);
    assert_eq!(judge(&had, &ends(created, 1, 1), None), Judgement::LostTail);
    assert_eq!(judge(&had, &ends(created, 4, 9), None), Judgement::Trimmed);
    for other in [
        Message { arrived: at(2), ..newest.clone() },
        Message { head: sent[2].head.clone(), ..newest.clone() },
        Message { subject: Subject::base(TENANT).unwrap(), ..newest.clone() },
    ] {
        assert_eq!(judge(&had, &ends(created, 1, 3), Some(&other)), Judgement::LostTail);
    }
    // Before anything was folded, whatever is there is right.
    let none = Had { created, place: 0, newest: None };
    assert_eq!(judge(&none, &ends(created, 1, 0), None), Judgement::Same);
}

proptest! {
    #[test]
    fn a_base_is_read_as_it_is_written(deeds in deeds(30)) {
        for base in Folded::of(&messages(&deeds)).bases {
            prop_assert_eq!(Base::of_message(&published(&base)), Ok(base));
        }
    }

    #[test]
    fn garbage_is_no_base(head in "1 [0-9]{1,3} 0", payload in prop::collection::vec(any::<u8>(), 0..80)) {
        let sent = message(2000, at(0), Outgoing { subject: subject(), head, payload: payload.into() });
        prop_assert!(Base::of_message(&sent).is_err());
        prop_assert!(Epoch::of_message(&sent).is_err());
        step(&mut State::begin(TENANT, 1999), &sent).unwrap();
    }
}
