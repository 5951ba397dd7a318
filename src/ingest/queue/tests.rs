use super::*;
use proptest::prelude::*;

fn event(n: u64) -> Input {
    let received = Timestamp::from_nanos(i64::try_from(n).unwrap());
    Input::Event { event: Event::from_line(format!(r#"{{"n":{n}}}"#).as_bytes()).unwrap(), received }
}

async fn take(receiver: &mut QueueReceiver, max: usize) -> Vec<Input> {
    let mut out = Vec::new();
    crate::testing::within("inputs", receiver.recv_many(&mut out, max)).await;
    out.into_iter().map(|tagged| tagged.input).collect()
}

#[tokio::test]
async fn overflow_is_told_once_and_exactly_when_space_returns() {
    let (sender, mut receiver) = queue(20, 1 << 20);
    let mut source = sender.for_source("a".into());
    for n in 0..30 {
        source.offer(event(n));
    }
    assert_eq!((sender.stats().offered, sender.stats().lost, sender.stats().queued), (30, 10, 20));
    assert_eq!(take(&mut receiver, 1).await, [event(0)]);
    source.offer(event(30));
    assert!(source.overflowed(), "one place is not yet space");
    assert_eq!(take(&mut receiver, 100).await.len(), 19);
    source.offer(event(31));
    let overflow = Input::Overflow { lost: 11, from: Timestamp::from_nanos(20), until: Timestamp::from_nanos(30) };
    assert_eq!(take(&mut receiver, 100).await, [overflow, event(31)]);
    assert_eq!(sender.stats(), QueueStats { offered: 32, lost: 11, queued: 0, queued_bytes: 0 });
}

#[tokio::test]
async fn control_inputs_never_wait_after_reserving() {
    let (sender, mut receiver) = queue(20, 1 << 20);
    let mut source = sender.for_source("a".into());
    assert!(source.reserve().await);
    for n in 0..40 {
        source.offer(event(n));
    }
    let end = Input::ReplayEnd { replayed: 40, first: None };
    let gone = Input::Disconnected { reason: "x".to_owned(), doubt: None };
    assert!(source.send_reserved(Input::Connected { engine: "1".to_owned(), reason: "start".to_owned(), attempts: 1 }));
    assert!(source.send_reserved(end.clone()));
    source.offer(event(40));
    assert!(source.send_reserved(gone.clone()));
    let inputs = take(&mut receiver, 100).await;
    assert_eq!(inputs.len(), 19);
    assert!(matches!(inputs[14], Input::Overflow { lost: 26, .. }), "{inputs:?}");
    assert_eq!(inputs[16], end);
    assert!(matches!(inputs[17], Input::Overflow { lost: 1, .. }), "{inputs:?}");
    assert_eq!(inputs[18], gone);
}

/// Events of an old stream may be lost before the new one has begun.
#[tokio::test]
async fn each_control_input_may_have_an_overflow_in_front() {
    let (sender, mut receiver) = queue(24, 1 << 20);
    let mut source = sender.for_source("a".into());
    assert!(source.reserve().await);
    (0..40).for_each(|n| source.offer(event(n)));
    assert!(source.send_reserved(Input::Connected { engine: "1".to_owned(), reason: "x".to_owned(), attempts: 1 }));
    source.offer(event(40));
    assert!(source.send_reserved(Input::ReplayEnd { replayed: 1, first: None }));
    source.offer(event(41));
    assert!(source.send_reserved(Input::Disconnected { reason: "x".to_owned(), doubt: None }));
    let overflows = take(&mut receiver, 100).await.iter().filter(|input| matches!(input, Input::Overflow { .. })).count();
    assert_eq!(overflows, 3);
}

#[tokio::test]
async fn bytes_are_bounded_but_one_large_input_passes() {
    let (sender, mut receiver) = queue(1000, 1000);
    let mut source = sender.for_source("a".into());
    let large = Event::from_line(format!(r#"{{"x":"{}"}}"#, "y".repeat(5000)).as_bytes()).unwrap();
    source.offer(Input::Event { event: large, received: Timestamp::MIN });
    source.offer(event(1));
    assert_eq!((sender.stats().queued, sender.stats().lost, sender.stats().queued_bytes), (1, 1, 1000));
    assert_eq!(take(&mut receiver, 9).await.len(), 1);
    assert_eq!(sender.stats().queued_bytes, 0);
}

#[tokio::test]
async fn an_overflow_is_flushed_without_another_event() {
    let (sender, mut receiver) = queue(20, 1 << 20);
    let mut source = sender.for_source("a".into());
    for n in 0..25 {
        source.offer(event(n));
    }
    let flushed = tokio::spawn(async move { source.flush_overflow().await });
    let mut inputs = Vec::new();
    while inputs.len() < 21 {
        inputs.extend(take(&mut receiver, 5).await);
    }
    assert!(matches!(inputs[20], Input::Overflow { lost: 5, .. }));
    flushed.await.unwrap();
}

#[tokio::test]
async fn a_lack_of_bytes_is_one_overflow_as_well() {
    let (sender, mut receiver) = queue(1000, 8_000);
    let mut source = sender.for_source("a".into());
    let mut offered = 0;
    while sender.stats().lost == 0 {
        source.offer(event(offered));
        offered += 1;
    }
    let held = sender.stats().queued;
    // Room for one is not the end of it.
    assert_eq!(take(&mut receiver, 1).await.len(), 1);
    source.offer(event(offered));
    assert_eq!((sender.stats().lost, sender.stats().queued), (2, held - 1));
    let many = usize::try_from(held / 2).unwrap();
    assert_eq!(take(&mut receiver, many).await.len(), many);
    source.offer(event(offered + 1));
    assert_eq!(sender.stats().lost, 2);
    let rest = take(&mut receiver, 1000).await;
    assert!(matches!(rest[rest.len() - 2], Input::Overflow { lost: 2, .. }));
}

#[tokio::test]
async fn the_end_of_either_side_is_noticed() {
    let (sender, mut receiver) = queue(20, 100);
    drop(sender);
    assert_eq!(crate::testing::within("the end of the senders", receiver.recv_many(&mut Vec::new(), 5)).await, 0);
    let (sender, receiver) = queue(20, 100);
    let mut source = sender.for_source("a".into());
    drop(receiver);
    crate::testing::within("the end of the receiver", source.observations().closed()).await;
    assert!(!source.reserve().await);
    assert!(!source.observations().send(Event::from_line(b"{}").unwrap(), Timestamp::MIN).await);
}

proptest! {
    /// Whatever the recorder's pace: what arrives is in order, and each hole is told of where it is, with its
    /// size.
    #[test]
    fn nothing_is_lost_silently(steps in prop::collection::vec((0u64..40, 0usize..30), 0..30), max_bytes in 200usize..20_000) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (sender, mut receiver) = queue(24, max_bytes);
            let mut source = sender.for_source("a".into());
            let (mut offered, mut out) = (0, Vec::new());
            assert!(source.reserve().await);
            for (offers, takes) in steps {
                for _ in 0..offers {
                    source.offer(event(offered));
                    offered += 1;
                }
                if takes > 0 && sender.stats().queued > 0 {
                    receiver.recv_many(&mut out, takes).await;
                }
            }
            assert!(source.send_reserved(Input::Disconnected { reason: String::new(), doubt: None }));
            while sender.stats().queued > 0 {
                receiver.recv_many(&mut out, 7).await;
            }
            let mut next = 0;
            for tagged in out {
                match tagged.input {
                    Input::Overflow { lost, from, until } => {
                        assert!(lost > 0);
                        assert_eq!(event(next), event(u64::try_from(from.nanos()).unwrap()));
                        next += lost;
                        assert_eq!(u64::try_from(until.nanos()).unwrap(), next - 1);
                    }
                    Input::Disconnected { .. } => break,
                    input => {
                        assert_eq!(input, event(next));
                        next += 1;
                    }
                }
            }
            assert_eq!((next, sender.stats().queued_bytes), (offered, 0));
        });
    }
}
