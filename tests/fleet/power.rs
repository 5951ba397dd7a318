//! All nodes of a hub lose power at once while hosts publish (F9): what was acknowledged is there
//! afterwards, at its place, and everybody goes on after it.

use crate::cluster::{Cluster, shape};
use crate::power_disk::Disk;
use crate::support::{host, message, next, patiently, text, times};
use futures_util::future::{join, join_all};
use shipslog::stream::{FleetStream, StreamError, Subject};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const HOSTS: u64 = 8;
const NODES: usize = 3;
/// How long hosts publish before the power is cut.
const PUBLISHING: Duration = Duration::from_secs(3);
/// Cuts that turn out to be none are repeated, so many times.
const MAX_VOID: u64 = 10;

/// What hosts were told to be stored: messages by their places.
type Stored = BTreeMap<u64, String>;

/// Publishes for a host after what the hub has of it, until `ends`; what was acknowledged.
async fn publish(hub: &dyn FleetStream, number: u64, ends: &AtomicBool) -> Stored {
    let subject = host(&format!("host-{number}"));
    let (mut place, mut count) = newest(hub, &subject).await;
    let mut stored = Stored::new();
    while !ends.load(Ordering::Relaxed) {
        let said = format!("{number} {}", count + 1);
        match hub.publish(message(&subject, said.clone()), place).await {
            Ok(at) => {
                (place, count) = (at, count + 1);
                stored.insert(at, said);
            }
            // A replica that lags had answered.
            Err(StreamError::Conflict) => (place, count) = newest(hub, &subject).await,
            // It may be stored or not; the next round will see.
            Err(StreamError::Unanswered(_) | StreamError::Unavailable(_)) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    stored
}

/// Where a host's newest message stands, and which of its messages that is.
async fn newest(hub: &dyn FleetStream, subject: &Subject) -> (u64, u64) {
    let newest = patiently("the newest", async || hub.newest(subject).await).await;
    newest.map_or((0, 0), |newest| (newest.place, counted(&text(&newest))))
}

fn counted(text: &str) -> u64 {
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

/// All that the hub has, once it has a message at `last`.
async fn all(hub: &dyn FleetStream, last: u64) -> Stored {
    patiently("the end", async || {
        let ends = hub.ends().await?;
        if ends.last >= last { Ok(()) } else { Err(StreamError::Unavailable(format!("it ends with {}", ends.last))) }
    })
    .await;
    let end = patiently("the end", async || hub.ends().await).await.last;
    let (mut all, mut from) = (Stored::new(), 1);
    while from <= end {
        let mut delivery = patiently("a delivery", async || hub.read_from(from).await).await;
        while from <= end
            && let Ok(message) = next(&mut delivery).await
        {
            assert_eq!(message.place, from, "no message is missing");
            all.insert(message.place, text(&message));
            from += 1;
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_a_power_cut_of_all_nodes() {
    let Some(disk) = Disk::new(2 << 30) else {
        return crate::skipped::skipped("a power cut of all nodes: needs root, mkfs.ext4 and loop devices");
    };
    let Some(cluster) = Cluster::start_in(disk.path(), NODES).await else { return };
    let settings = cluster.settings("hosts", None);
    drop(cluster.made(&settings, &shape()).await);
    // Their settings are no part of what is lost.
    assert!(Command::new("sync").status().unwrap().success());
    let (mut acknowledged, mut valid, mut void) = (Stored::new(), 0, 0);
    while valid < times(1) {
        let (hub, ends) = (cluster.client(&settings).await, AtomicBool::new(false));
        let cutting = async {
            tokio::time::sleep(PUBLISHING).await;
            let is_cut = disk.cut(|| (1..=NODES).for_each(|node| cluster.kill(node)));
            ends.store(true, Ordering::Relaxed);
            is_cut
        };
        let (is_cut, stored) = join(cutting, join_all((1..=HOSTS).map(|number| publish(&hub, number, &ends)))).await;
        for mut stored in stored {
            acknowledged.append(&mut stored);
        }
        *(if is_cut { &mut valid } else { &mut void }) += 1;
        assert!(void < MAX_VOID, "the power is never really cut");
        cluster.restart_all();
        let hub = cluster.client(&settings).await;
        let Some((last, _)) = acknowledged.last_key_value() else { continue };
        let there = all(&hub, *last).await;
        let lost: Vec<_> = acknowledged.iter().filter(|(place, text)| there.get(place) != Some(text)).collect();
        assert!(
            lost.is_empty(),
            "{} of {} acknowledged messages are lost: {:?}",
            lost.len(),
            acknowledged.len(),
            &lost[..lost.len().min(9)]
        );
        for number in 1..=HOSTS {
            let counts = there.values().filter(|text| text.starts_with(&format!("{number} "))).map(|text| counted(text));
            assert!(
                counts.eq(1..=there.values().filter(|text| text.starts_with(&format!("{number} "))).count() as u64),
                "once and in order"
            );
        }
    }
    assert!(acknowledged.len() > 50, "hosts published: {}", acknowledged.len());
    eprintln!("{valid} valid power cuts of all nodes ({void} void): {} messages acknowledged, none lost", acknowledged.len());
}
