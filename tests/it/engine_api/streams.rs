//! Where history ends and live begins, and where both end.

use super::{Lines, SECOND, event, now, recorded, unix};
use crate::support::{environment, wait_for, within};
use tokio::sync::watch;

/// Readers join while events are emitted: everything once, and in order.
#[tokio::test(flavor = "multi_thread")]
async fn history_hands_over_to_live_without_loss_or_repetition() {
    let count = environment("SHIPSLOG_EVENTS", 6_000);
    let base = now() - 3600 * SECOND;
    // Times that rise, fall and lie ahead: live does not look at them.
    let messages: Vec<_> = (0..count).map(|n| event(n, base + (n * 7919) % 1000 * SECOND / 10)).collect();
    let (_dir, daemon, ship) = recorded(&messages[..100]).await;
    let (emitted, emitting) = watch::channel(100);
    let mut readers = Vec::new();
    for reader in 0..20 {
        let (url, mut emitting, count) = (ship.url.clone(), emitting.clone(), usize::try_from(count).unwrap());
        readers.push(tokio::spawn(async move {
            emitting.wait_for(|emitted| *emitted >= (count - 200) * reader / 20).await.unwrap();
            let mut lines = Lines::open(&url, "/events?since=0").await;
            lines.take(count).await
        }));
    }
    for (n, message) in messages.iter().enumerate().skip(100) {
        daemon.emit(message);
        emitted.send_replace(n);
        // Slow enough for the readers to come before the end.
        if n % 20 == 0 {
            ship.wait_for_head(|head| head + 500 > u64::try_from(n).unwrap()).await;
        }
    }
    for reader in readers {
        let lines = reader.await.unwrap();
        assert!(lines == messages, "{:?}", lines.iter().zip(&messages).position(|(a, b)| a != b));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn until_ends_history_at_once_and_live_when_it_has_come() {
    let base = now() - 3600 * SECOND;
    // Out of order, as Docker's are under load.
    let order = [0, 2, 1, 4, 3, 5];
    let messages: Vec<_> = order.iter().map(|n| event(*n, base + n * SECOND)).collect();
    let (_dir, daemon, ship) = recorded(&messages).await;
    let of = |numbers: &[usize]| numbers.iter().map(|n| messages[*n].clone()).collect::<Vec<_>>();
    for (query, expected) in [
        (format!("until={}", unix(base + 2 * SECOND)), of(&[0, 1, 2])),
        (format!("since={}&until={}", unix(base + 2 * SECOND), unix(base + 4 * SECOND)), of(&[1, 3, 4])),
        (format!("since={}&until={0}", unix(base + 3 * SECOND)), of(&[4])),
        (format!("since=0&until={}", unix(base - 1)), vec![]),
        ("until=0".to_owned(), messages.clone()),
    ] {
        assert_eq!(Lines::open(&ship.url, &format!("/events?{query}")).await.rest().await, expected, "{query}");
    }
    // An end in the future: what comes before it comes, whatever its time.
    let end = now() + 10 * SECOND;
    let mut live = Lines::open(&ship.url, &format!("/v1.41/events?since={}&until={}", unix(base + 4 * SECOND), unix(end))).await;
    let mut alone = Lines::open(&ship.url, &format!("/v1.41/events?until={}", unix(end))).await;
    assert_eq!(live.take(2).await, of(&[3, 5]));
    assert_eq!(alone.take(6).await, messages);
    for late in [event(100, base), event(101, now() + 9000 * SECOND)] {
        daemon.emit(&late);
        assert_eq!(live.take(1).await, std::slice::from_ref(&late));
        assert_eq!(alone.take(1).await, [late]);
    }
    assert!(live.rest().await.is_empty() && alone.rest().await.is_empty());
    assert!(now() >= end, "not before its time");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_times_only_the_present_is_told() {
    let base = now() - 3600 * SECOND;
    let (_dir, daemon, ship) = recorded(&[event(0, base)]).await;
    // The head of the answer is there before any event is: what comes from then on is in it.
    let mut all = Lines::open(&ship.url, "/events").await;
    let mut one = Lines::open(&ship.url, r#"/v1.51/events?filters={"container":{"job-2":true}}"#).await;
    let mut future = Lines::open(&ship.url, &format!("/events?since={}", unix(now() + 3600 * SECOND))).await;
    let messages: Vec<_> = (1..4).map(|n| event(n, base + n)).collect();
    for message in &messages {
        daemon.emit(message);
    }
    assert_eq!(all.take(3).await, messages);
    assert_eq!(one.take(1).await, messages[1..2]);
    assert_eq!(future.take(3).await, messages);
    let streams = async || ship.json("/api/v1/stats").await["server"]["streams"].as_u64().unwrap();
    assert_eq!(streams().await, 3);
    drop((all, one, future));
    wait_for("the places", async || (streams().await == 0).then_some(())).await;
}

/// A client that has everything so far gets an orderly end, and one that has not gets none: half of history
/// must not look like all of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_live_streams_and_breaks_off_history() {
    let base = now() - 3600 * SECOND;
    // More than all buffers on the way hold.
    let label = "x".repeat(16 << 10);
    let messages: Vec<_> = (0..2000).map(|n| event(n, base + n).replace("\"image\"", &format!("\"long\":\"{label}\",\"image\""))).collect();
    let (_dir, _daemon, mut ship) = recorded(&messages).await;
    let mut live = Lines::open(&ship.url, r#"/events?since=0&filters={"container":["job-19"]}"#).await;
    assert_eq!(live.take(111).await.len(), 111, "19, 190 to 199, 1900 to 1999");
    let mut history = Lines::open(&ship.url, &format!("/events?since=0&until={}", unix(base + 5000))).await;
    assert_eq!(history.take(1).await, messages[..1]);
    let stopped = tokio::task::spawn_blocking(move || ship.stop().0);
    assert!(live.rest().await.is_empty());
    let mut bytes = 0;
    let broken = loop {
        match within("the end of the history", history.response.chunk()).await {
            Ok(Some(chunk)) => bytes += chunk.len(),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken && bytes < 30 << 20, "{bytes}");
    assert!(stopped.await.unwrap().success());
}
