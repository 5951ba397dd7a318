use super::*;
use crate::server::peer::Address;
use std::task::Poll;

const EXPENSIVE: Duration = Duration::from_secs(1);

fn party(user: u32) -> Party {
    Party { address: Address::User(user), token: None }
}

/// Lets each of `waiting` (client, how expensive) queue in this order, and gives the order in which they are
/// called, one at a time.
async fn order(waiting: &[(u32, Duration)], most: usize) -> Vec<usize> {
    let turns = Arc::new(Turns::new(most));
    let held = turns.take(party(0), Duration::ZERO).await;
    let mut all: Vec<_> = waiting.iter().map(|(user, used)| Some(Box::pin(turns.take(party(*user), *used)))).collect();
    for wait in all.iter_mut().flatten() {
        assert!(futures_util::poll!(wait).is_pending());
    }
    drop(held);
    let mut called = Vec::new();
    while called.len() < all.len() {
        for (at, slot) in all.iter_mut().enumerate() {
            let Some(wait) = slot else { continue };
            if let Poll::Ready(turn) = futures_util::poll!(wait) {
                called.push(at);
                *slot = None;
                // So that the one who had it has been served for longer than those who have not.
                while turn.took().is_zero() {}
                drop(turn);
                break;
            }
        }
    }
    let state = turns.state.lock();
    assert!(state.accounts.is_empty() && state.waiting.is_empty() && (state.running, state.expensive) == (0, 0));
    called
}

#[tokio::test]
async fn cheap_ones_come_before_dear_ones_of_the_same_address() {
    let expensive = [(1, EXPENSIVE), (1, 2 * EXPENSIVE), (1, EXPENSIVE)];
    assert_eq!(order(&[&expensive[..], &[(1, Duration::ZERO)]].concat(), 1).await, [3, 0, 2, 1]);
}

#[tokio::test]
async fn an_address_waits_for_none_of_another_s_crowd() {
    // After one of each, the crowd has been served and the single one has not.
    let crowd = [(1, Duration::ZERO); 5];
    let called = order(&[&crowd[..], &[(2, Duration::ZERO)]].concat(), 1).await;
    assert!(called.iter().position(|at| *at == 5).unwrap() <= 1, "{called:?}");
}

#[tokio::test]
async fn dear_ones_are_not_starved_and_leave_a_turn_free() {
    let mut all = vec![(1, EXPENSIVE)];
    all.extend([(1, Duration::ZERO); 2 * OLDEST_EVERY]);
    let called = order(&all, 1).await;
    assert!(called.iter().position(|at| *at == 0).unwrap() < OLDEST_EVERY, "{called:?}");

    let turns = Arc::new(Turns::new(3));
    let _held = (turns.take(party(1), EXPENSIVE).await, turns.take(party(2), EXPENSIVE).await);
    let mut third = Box::pin(turns.take(party(3), EXPENSIVE));
    assert!(futures_util::poll!(&mut third).is_pending());
    let _cheap = turns.take(party(1), Duration::ZERO).await;
}

#[tokio::test]
async fn who_gives_up_leaves_nothing_behind() {
    let turns = Arc::new(Turns::new(1));
    let held = turns.take(party(1), Duration::ZERO).await;
    let (mut waits, mut called) = (Box::pin(turns.take(party(2), Duration::ZERO)), Box::pin(turns.take(party(3), Duration::ZERO)));
    assert!(futures_util::poll!(&mut waits).is_pending() && futures_util::poll!(&mut called).is_pending());
    drop(waits);
    drop(held);
    // Called, and gone before it looked.
    drop(called);
    let state = turns.state.lock();
    assert!(state.accounts.is_empty() && state.waiting.is_empty() && state.running == 0);
}
