//! The machine by itself.

use crate::chain::CHAIN_START;
use crate::forward::ForwardState;
use crate::forward::machine::{Action, Event, LINGER, Machine, Piece, Seen, Trouble};
use crate::parcel::{Head, mark};
use std::time::Duration;

const MAX_BYTES: usize = 1 << 20;

fn piece(last: u64, is_full: bool) -> Event {
    Event::Cut(Some(Piece { last, chain: CHAIN_START, is_full }))
}

fn cut(after: u64, chain: bool) -> Action {
    let chain = chain.then_some(CHAIN_START);
    Action::Cut { after, chain, skipped: 0, max_bytes: MAX_BYTES, target_bytes: MAX_BYTES / 2 }
}

fn seen(place: u64, last: u64) -> Event {
    let head = Head { first: last, count: 1, after: mark(&CHAIN_START), before: None, gaps: Vec::new() };
    Event::Place(Seen { place, head: Some(head), chain: Some(CHAIN_START) })
}

/// Connected to a hub that has nothing yet of a log with `head` records.
fn connected(head: u64) -> (Machine, Action) {
    let mut machine = Machine::new(0);
    assert_eq!(machine.connect(), Action::Connect);
    assert_eq!(machine.next(Event::Connected(MAX_BYTES), head), Action::ReadPlace);
    let action = machine.next(Event::Nowhere, head);
    (machine, action)
}

#[test]
fn a_few_records_wait_for_those_that_come_with_them_and_many_do_not() {
    let (mut machine, action) = connected(0);
    assert_eq!(action, Action::AwaitHead);
    assert_eq!(machine.next(Event::Moved, 1), Action::Wait { least: LINGER, jitter: Duration::ZERO });
    assert_eq!(machine.next(Event::Elapsed, 3), cut(0, false));
    assert_eq!(machine.next(piece(3, false), 3), Action::Publish { expected: 0 });
    assert_eq!(machine.state().0, ForwardState::Live);
    // What came meanwhile waits for company as well; what fills a message does not, nor what follows that.
    assert_eq!(machine.next(Event::Acknowledged(7), 4), Action::Wait { least: LINGER, jitter: Duration::ZERO });
    assert_eq!(machine.next(Event::Elapsed, 2000), cut(3, true));
    assert_eq!(machine.state().0, ForwardState::CatchingUp);
    assert_eq!(machine.next(piece(771, true), 2000), Action::Publish { expected: 7 });
    assert_eq!(machine.next(Event::Acknowledged(8), 800), cut(771, true));
    assert_eq!(machine.acknowledged(), Some(771));
}

#[test]
fn what_cannot_be_stored_now_is_published_again_unchanged_and_what_nobody_knows_is_not() {
    let (mut machine, action) = connected(2000);
    assert_eq!(action, cut(0, false));
    assert_eq!(machine.next(piece(768, true), 2000), Action::Publish { expected: 0 });
    let wait = machine.next(Event::Failed(Trouble::Unavailable("no leader".to_owned())), 2000);
    assert!(matches!(wait, Action::Wait { .. }));
    assert_eq!(machine.state(), (ForwardState::Unavailable, Some("no leader")));
    assert_eq!(machine.next(Event::Elapsed, 2000), Action::Publish { expected: 0 });
    let wait = machine.next(Event::Failed(Trouble::Unanswered("lost".to_owned())), 2000);
    assert!(matches!(wait, Action::Wait { .. }));
    assert_eq!(machine.next(Event::Elapsed, 2000), Action::Connect);
    assert_eq!(machine.next(Event::Connected(MAX_BYTES), 2000), Action::ReadPlace);
    // It was stored; and since it took so long, the next one is smaller.
    let chain = Some(CHAIN_START);
    let smaller = Action::Cut { after: 768, chain, skipped: 0, max_bytes: MAX_BYTES, target_bytes: MAX_BYTES / 4 };
    assert_eq!(machine.next(seen(1, 768), 2000), smaller);
    assert_eq!(machine.state().0, ForwardState::Unavailable, "until the hub acknowledges something");
    machine.next(piece(1536, true), 2000);
    assert_eq!(machine.next(Event::Acknowledged(2), 2000), cut(1536, true));
    assert_eq!(machine.state(), (ForwardState::Live, None));
}

#[test]
fn an_answer_of_a_replica_that_lags_does_not_make_it_busy() {
    let (mut machine, _) = connected(2000);
    let (mut waits, mut action) = (0, machine.next(piece(768, true), 2000));
    for _ in 0..20 {
        action = match action {
            Action::Publish { .. } => machine.next(Event::Failed(Trouble::Conflict), 2000),
            Action::ReadPlace => machine.next(seen(5, 100), 2000),
            Action::Cut { .. } => machine.next(piece(868, true), 2000),
            Action::Wait { jitter, .. } => {
                assert!(jitter <= Duration::from_secs(5));
                waits += 1;
                machine.next(Event::Elapsed, 2000)
            }
            other => panic!("{other:?}"),
        };
    }
    assert!(waits >= 3, "{waits}");
}

#[test]
fn waits_grow_up_to_a_bound() {
    let (mut machine, mut jitters) = (Machine::new(0), Vec::new());
    machine.connect();
    for _ in 0..12 {
        match machine.next(Event::Failed(Trouble::Unavailable("refused".to_owned())), 0) {
            Action::Wait { jitter, .. } => jitters.push(jitter.as_millis()),
            other => panic!("{other:?}"),
        }
        assert_eq!(machine.next(Event::Elapsed, 0), Action::Connect);
    }
    assert_eq!(jitters[..6], [250, 500, 1000, 2000, 4000, 5000]);
    assert!(jitters[6..].iter().all(|jitter| *jitter == 5000));
    assert_eq!(machine.acknowledged(), None);
}
