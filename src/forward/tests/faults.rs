//! What a hub, a network and other recorders can do to a forwarder.

use super::support::*;
use crate::forward::{ForwardState, Since};
use crate::log::EventLog as _;
use crate::stream::memory::{Fault, MemoryStream};
use crate::stream::{FleetStream as _, StreamError};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::time::Duration;
use tokio::time::sleep;

/// Schedules of the model that are run; more by the environment.
const SCHEDULES: u64 = 24;

/// One random life of a host: records come, the hub fails in every way there is, the recorder is killed.
async fn schedule(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let (dir, hub) = (tempfile::tempdir().unwrap(), MemoryStream::new());
    let log = open(dir.path(), 300);
    let mut forwarding = Forwarding::start(&log, &hub, Since::Oldest);
    let mut older = hub.copy();
    for _ in 0..30 {
        match random.random_range(0..14) {
            0..=3 => append(&log, random.random_range(1..200)).await,
            4 => hub.fail_publish(Fault::StoredUnanswered),
            5 => hub.fail_publish(Fault::LostUnanswered),
            6 => (0..random.random_range(1..12)).for_each(|_| hub.fail_publish(Fault::Unavailable)),
            7 => hub.set_outage(Some(StreamError::Unavailable("no node leads".to_owned()))),
            8 => hub.set_hanging(true),
            9 => {
                hub.set_outage(None);
                hub.set_hanging(false);
            }
            10 => older = hub.copy(),
            11 => {
                hub.put_back(&older);
                older = hub.copy();
            }
            12 => hub.set_replica_at(hub.messages().last().map(|newest| newest.place).filter(|_| random.random_bool(0.5))),
            _ => {
                forwarding.kill().await;
                forwarding = Forwarding::start(&log, &hub, Since::Oldest);
            }
        }
        sleep(Duration::from_millis(random.random_range(0..3000))).await;
    }
    hub.set_outage(None);
    hub.set_hanging(false);
    hub.set_replica_at(None);
    append(&log, 1).await;
    let now = forwarding.until_live().await;
    let folded = fold(&hub.messages());
    assert_eq!((folded.again, folded.gaps.len()), (0, 0), "seed {seed}");
    assert_eq!(folded.lines, lines(&log, 0).await, "seed {seed}");
    assert_eq!(now.acknowledged, Some(log.bounds().head), "seed {seed}");
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_the_hub_gets_each_record_once_and_in_order() {
    let schedules = std::env::var("SHIPSLOG_FORWARD_SCHEDULES").ok().and_then(|count| count.parse().ok()).unwrap_or(SCHEDULES);
    for seed in 0..schedules {
        schedule(seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_hub_loses_is_forwarded_again() {
    let (dir, hub) = (tempfile::tempdir().unwrap(), MemoryStream::new());
    let log = open(dir.path(), 65_536);
    append(&log, 10).await;
    let forwarding = Forwarding::start(&log, &hub, Since::Oldest);
    forwarding.until_live().await;
    let older = hub.copy();
    append(&log, 10).await;
    forwarding.until_live().await;
    hub.put_back(&older);
    append(&log, 1).await;
    forwarding.until(|now| now.acknowledged == Some(21) && now.records == 31).await;
    let folded = fold(&hub.messages());
    assert_eq!((folded.lines, folded.again), (lines(&log, 0).await, 0));
    hub.make_again(crate::time::Timestamp::now());
    append(&log, 1).await;
    forwarding.until(|now| now.acknowledged == Some(22) && now.records == 53).await;
    assert_eq!(fold(&hub.messages()).lines, lines(&log, 0).await);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_was_trimmed_costs_repeats_and_no_record() {
    let (dir, hub) = (tempfile::tempdir().unwrap(), MemoryStream::new());
    let log = open(dir.path(), 65_536);
    append(&log, 10).await;
    let forwarding = Forwarding::start(&log, &hub, Since::Oldest);
    forwarding.until_live().await;
    let mut seen = hub.messages();
    hub.trim_before(seen.len() as u64 + 1);
    append(&log, 5).await;
    forwarding.until(|now| now.acknowledged == Some(15)).await;
    seen.extend(hub.messages());
    let folded = fold(&seen);
    assert_eq!((folded.lines, folded.again), (lines(&log, 0).await, 10));
}

#[tokio::test(start_paused = true)]
async fn a_place_of_another_recorder_stops_forwarding_and_not_the_recording() {
    for (last, expected) in [(10, "another record 10"), (12, "up to 12, and the log ends with 10")] {
        let (dir, hub) = (tempfile::tempdir().unwrap(), MemoryStream::new());
        let log = open(dir.path(), 65_536);
        append(&log, 5).await;
        let forwarding = Forwarding::start(&log, &hub, Since::Oldest);
        let own = forwarding.until_live().await;
        let ours = hub.copy();
        hub.publish(foreign(&log, last), hub.messages().len() as u64).await.unwrap();
        append(&log, 5).await;
        let now = forwarding.until(|now| now.state == ForwardState::Conflict).await;
        assert!(now.error.as_deref().is_some_and(|why| why.contains(expected)), "{now:?}");
        assert_eq!((now.acknowledged, now.behind_records), (own.acknowledged, 5));
        let stored = hub.messages().len();
        // No two who go on for ever.
        sleep(Duration::from_secs(600)).await;
        assert_eq!(hub.messages().len(), stored);
        let now = forwarding.now();
        assert!(now.behind_records == 5 && now.state == ForwardState::Conflict, "{now:?}");
        // Whoever was wrong is gone.
        hub.put_back(&ours);
        forwarding.until_live().await;
        assert_eq!(fold(&hub.messages()).lines, lines(&log, 0).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_as_one_and_tried_again_later() {
    let (dir, hub) = (tempfile::tempdir().unwrap(), MemoryStream::new());
    let log = open(dir.path(), 65_536);
    append(&log, 5).await;
    for error in [StreamError::Refused("no right to publish".to_owned()), StreamError::Unfit("nats-server 2.9 is too old".to_owned())] {
        hub.set_outage(Some(error.clone()));
        let forwarding = Forwarding::start(&log, &hub, Since::Oldest);
        let began = tokio::time::Instant::now();
        let now = forwarding.until(|now| now.state == ForwardState::Refused).await;
        assert!(began.elapsed() < Duration::from_secs(2));
        assert_eq!(now.error, Some(error.to_string()));
        assert_eq!(now.acknowledged, None);
        hub.set_outage(None);
        forwarding.until_live().await;
        forwarding.kill().await;
    }
    assert_eq!(fold(&hub.messages()).again, 0);
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_takes_less_than_it_said_gets_smaller_messages() {
    let (dir, hub) = (tempfile::tempdir().unwrap(), MemoryStream::new());
    let log = open(dir.path(), 65_536);
    append(&log, 1).await;
    let forwarding = Forwarding::start(&log, &hub, Since::Oldest);
    forwarding.until_live().await;
    hub.set_max_bytes(16 * 1024);
    let random = || (0..2000).map(|_| char::from(rand::random_range(b'A'..=b'Z'))).collect::<String>();
    log.append((0..100).map(|_| record(&random())).collect()).await.unwrap();
    let now = forwarding.until_live().await;
    assert_eq!(now.missing, 0);
    assert_eq!(fold(&hub.messages()).lines, lines(&log, 0).await);
    hub.set_max_bytes(1000);
    log.append(vec![record(&random())]).await.unwrap();
    let now = forwarding.until(|now| now.state == ForwardState::Refused).await;
    assert!(now.error.as_deref().is_some_and(|why| why.contains("bytes at most")), "{now:?}");
}
