//! Nodes that are killed while a host publishes and a server follows.

use crate::cluster::{Cluster, shape};
use crate::support::{PATIENCE, host, message, patiently, text, times, within};
use futures_util::{StreamExt as _, future::join};
use shipslog::stream::{FleetStream, StreamError};
use std::sync::Arc;
use std::time::Instant;

/// Messages that are published.
fn messages() -> u64 {
    times(150)
}

/// After so many of them, a node is killed; the one that was killed before starts again.
const KILL_EVERY: u64 = 60;

/// Publishes every message once, whatever the hub says, as a forwarder does.
async fn publish(hub: &dyn FleetStream, cluster: &Cluster) {
    let subject = host("kills");
    let (mut place, mut next, mut dead) = (0, 1, None);
    let mut began = Instant::now();
    while next <= messages() {
        assert!(began.elapsed() < PATIENCE, "message {next} was not stored");
        if next.is_multiple_of(KILL_EVERY) && dead.is_none_or(|(at, _)| at < next) {
            if let Some((_, node)) = dead {
                cluster.restart(node);
            }
            let node = usize::try_from(next / KILL_EVERY % 3).unwrap() + 1;
            cluster.kill(node);
            dead = Some((next, node));
        }
        match hub.publish(message(&subject, next.to_string()), place).await {
            Ok(stored) => (place, next, began) = (stored, next + 1, Instant::now()),
            // Nothing is known, or another is the newest: perhaps the one whose answer was lost.
            Err(StreamError::Unanswered(_) | StreamError::Conflict) => {
                let newest = patiently("the newest", async || hub.newest(&subject).await).await;
                let Some(newest) = newest.filter(|newest| newest.place > place) else { continue };
                assert_eq!(text(&newest), next.to_string());
                (place, next) = (newest.place, next + 1);
            }
            Err(StreamError::Unavailable(_)) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Numbers of the messages in the order in which a server sees them.
async fn follow(hub: &dyn FleetStream) -> Vec<String> {
    let (mut seen, mut from) = (Vec::new(), 1);
    while from <= messages() {
        let mut delivery = patiently("a delivery", async || hub.read_from(from).await).await;
        while let Some(Ok(message)) = within("the next message", delivery.next()).await {
            assert_eq!(message.place, from, "after {} messages", seen.len());
            seen.push(text(&message));
            from += 1;
            if from > messages() {
                break;
            }
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_stored_twice_when_nodes_are_killed() {
    let Some(cluster) = Cluster::start(3, "").await else { return };
    let hub: Arc<dyn FleetStream> = Arc::new(cluster.made(&cluster.settings("init", None), &shape()).await);
    let server: Arc<dyn FleetStream> = Arc::new(cluster.client(&cluster.settings("server", None)).await);
    let (seen, ()) = join(follow(server.as_ref()), publish(hub.as_ref(), &cluster)).await;
    assert_eq!(seen, (1..=messages()).map(|number| number.to_string()).collect::<Vec<_>>());
}
