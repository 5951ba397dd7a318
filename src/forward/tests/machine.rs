//! The machine by itself.

use crate::chain::CHAIN_START;
use crate::forward::ForwardState;
use crate::forward::machine::{Action, Event, LINGER, Machine, OnHub, Piece, Seen, Trouble};
use crate::parcel::{Head, Reason, mark};
use std::time::Duration;

const MAX_BYTES: usize = 1 << 20;

fn piece(last: u64, is_full: bool) -> Event {
    Event::Cut(Some(Piece { last, chain: CHAIN_START, is_full }))
}

fn cut(after: u64, chain: bool) -> Action {
    let chain = chain.then_some(CHAIN_START);
    Action::Cut { after, chain, skipped: 0, because: Reason::Since, max_bytes: MAX_BYTES, target_bytes: MAX_BYTES / 2 }
}

fn seen(place: u64, last: u64) -> Event {
    let head = Head { first: last, count: 1, after: mark(&CHAIN_START), before: None, gaps: Vec::new() };
    Event::Place(Seen { place, head: Some(head), ends: 2000, chain: Some(CHAIN_START) })
}

/// Connected to a hub that has nothing yet of a log with `head` records.
fn connected(head: u64) -> (Machine, Action) {
    let mut machine = Machine::new(0);
    assert_eq!(machine.connect(), Action::Connect);
    assert_eq!(machine.next(Event::Connected(MAX_BYTES), head), Action::ReadPlace);
    let action = machine.next(Event::Nowhere(None), head);
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
    let smaller = Action::Cut { after: 768, chain, skipped: 0, because: Reason::Since, max_bytes: MAX_BYTES, target_bytes: MAX_BYTES / 4 };
    assert_eq!(machine.next(seen(1, 768), 2000), smaller);
    assert_eq!(machine.state().0, ForwardState::Unavailable, "until the hub acknowledges something");
    machine.next(piece(1536, true), 2000);
    assert_eq!(machine.next(Event::Acknowledged(2), 2000), cut(1536, true));
    assert_eq!(machine.state(), (ForwardState::Live, None));
}

#[test]
fn an_answer_of_a_replica_that_lags_does_not_make_it_busy() {
    // One that knows an older message, one that knows none, and both in turn.
    for answers in [[seen(5, 100), seen(5, 100)], [Event::Nowhere(None), Event::Nowhere(None)], [seen(5, 100), Event::Nowhere(None)]] {
        let (mut machine, _) = connected(2000);
        let (mut waits, mut asked, mut action) = (0, 0, machine.next(piece(768, true), 2000));
        for _ in 0..20 {
            action = match action {
                Action::Publish { .. } => machine.next(Event::Failed(Trouble::Conflict), 2000),
                Action::ReadPlace => {
                    asked += 1;
                    machine.next(answers[asked % 2].clone(), 2000)
                }
                Action::Cut { after, .. } => machine.next(piece(after + 768, true), 2000),
                Action::Wait { jitter, .. } => {
                    assert!(jitter <= Duration::from_secs(5));
                    waits += 1;
                    machine.next(Event::Elapsed, 2000)
                }
                other => panic!("{other:?}"),
            };
        }
        assert!(waits >= 3, "{waits} {answers:?}");
        // What is true in the end is believed.
        machine.connect();
        machine.next(Event::Connected(MAX_BYTES), 2000);
        assert_eq!(machine.next(seen(9, 768), 2000), cut(768, true));
    }
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

/// The hub has a record of another chain.
fn other(place: u64, last: u64) -> Event {
    let head = Head { first: last, count: 1, after: mark(&[7; 32]), before: None, gaps: Vec::new() };
    Event::Place(Seen { place, head: Some(head), ends: 2000, chain: Some(CHAIN_START) })
}

/// The hub has a record that the log, which went up to `ends`, did not come up to.
fn beyond(place: u64, last: u64, ends: u64) -> Event {
    let head = Head { first: last, count: 1, after: mark(&[7; 32]), before: None, gaps: Vec::new() };
    Event::Place(Seen { place, head: Some(head), ends, chain: None })
}

#[test]
fn a_log_of_which_the_hub_has_another_history_forks_where_it_may_and_waits_where_not() {
    for (event, why) in [
        (other(5, 8), "another record 8"),
        (beyond(5, 12, 10), "up to 12, and the log ends with 10"),
        // The log got its own record 9 after it was asked for it, and before the machine heard.
        (beyond(5, 9, 7), "up to 9, and the log ends with 7"),
    ] {
        for may_fork in [true, false] {
            let mut machine = Machine::new(0).forking(may_fork);
            machine.connect();
            machine.next(Event::Connected(MAX_BYTES), 10);
            let action = machine.next(event.clone(), 10);
            let (state, error) = machine.state();
            assert_eq!(state, ForwardState::Conflict);
            let error = error.unwrap();
            assert!(error.contains(why) && error.contains("waits for a restart") != may_fork, "{error}");
            if may_fork {
                assert_eq!(action, Action::Fork);
                continue;
            }
            assert!(matches!(action, Action::Wait { least, .. } if least >= Duration::from_secs(60)), "{action:?}");
            assert_eq!(machine.next(Event::Elapsed, 10), Action::ReadPlace, "it may be over by then");
        }
    }
}

#[test]
fn neither_an_unknown_form_nor_a_place_that_went_back_is_a_reason_to_fork() {
    let mut machine = Machine::new(0).forking(true);
    machine.connect();
    machine.next(Event::Connected(MAX_BYTES), 10);
    let unknown = machine.next(Event::Place(Seen { place: 5, head: None, ends: 10, chain: None }), 10);
    assert!(matches!(unknown, Action::Wait { .. }), "{unknown:?}");
    assert_eq!(machine.state().0, ForwardState::Conflict);
    machine.next(Event::Elapsed, 10);
    assert_eq!(machine.next(seen(5, 10), 10), Action::AwaitHead);
    machine.connect();
    machine.next(Event::Connected(MAX_BYTES), 10);
    machine.next(seen(3, 4), 10);
    assert_eq!(machine.next(Event::Elapsed, 10), cut(4, true), "what the hub lost goes to it again");
}

#[test]
fn a_copy_begins_where_its_ancestor_would_and_leaves_out_what_it_is_told_to_where_another_has_gone_on() {
    let on_hub = |last, is_newest| Some(OnHub { last, is_newest });
    for (start, of_ancestor, after, because) in [
        (6, on_hub(4, true), 4, Reason::Ancestor),
        (6, on_hub(4, false), 6, Reason::Since),
        (6, on_hub(6, false), 6, Reason::Ancestor),
        (6, on_hub(9, false), 9, Reason::Ancestor),
        (6, None, 6, Reason::Since),
        (0, on_hub(4, true), 4, Reason::Ancestor),
        (0, on_hub(4, false), 4, Reason::Ancestor),
        (0, None, 0, Reason::Since),
    ] {
        let mut machine = Machine::new(start);
        machine.connect();
        machine.next(Event::Connected(MAX_BYTES), 2000);
        let action = machine.next(Event::Nowhere(of_ancestor), 2000);
        let wanted = Action::Cut { after, chain: None, skipped: after, because, max_bytes: MAX_BYTES, target_bytes: MAX_BYTES / 2 };
        assert_eq!(action, wanted, "{start} {of_ancestor:?}");
    }
}
