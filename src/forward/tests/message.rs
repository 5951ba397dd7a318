//! What goes into messages.

use super::support::*;
use crate::forward::{ForwardState, Since};
use crate::log::EventLog as _;
use crate::parcel::{Head, MAX_LINES, Missing, Reason};
use crate::stream::memory::MemoryStream;
use std::time::Duration;
use tokio::time::sleep;

fn heads(hub: &MemoryStream) -> Vec<Head> {
    hub.messages().iter().map(|message| message.head.parse().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_comes_together_goes_together_and_nothing_is_sent_twice() {
    let (dir, hub) = (tempfile::tempdir().unwrap(), MemoryStream::new());
    let log = open(dir.path(), 65_536);
    append(&log, 3).await;
    let forwarding = Forwarding::start(&log, &hub, Since::Oldest);
    forwarding.until_live().await;
    append(&log, 3).await;
    let now = forwarding.until_live().await;
    assert_eq!((now.acknowledged, now.records, now.behind_seconds, now.missing), (Some(6), 6, 0, 0));
    let heads = heads(&hub);
    assert_eq!(heads.iter().map(|head| (head.first, head.count)).collect::<Vec<_>>(), [(1, 3), (4, 3)]);
    assert_eq!((heads[0].before, heads[1].before), (Some([0; 32]), None));
    assert_eq!(fold(&hub.messages()).lines, lines(&log, 0).await);
    // A restart begins where the hub is, and tells no chain that the hub knows.
    forwarding.kill().await;
    append(&log, 1).await;
    Forwarding::start(&log, &hub, Since::Oldest).until_live().await;
    let folded = fold(&hub.messages());
    assert_eq!((folded.again, folded.lines), (0, lines(&log, 0).await));
    assert_eq!(hub.messages().len(), 3);
    assert!(hub.messages()[2].head.split(' ').count() == 4);
}

#[tokio::test(start_paused = true)]
async fn sealed_frames_go_as_they_are() {
    let (dir, hub) = (tempfile::tempdir().unwrap(), MemoryStream::new());
    let log = open(dir.path(), 1000);
    for _ in 0..25 {
        append(&log, 100).await;
    }
    sealed(&log, 2000).await;
    let forwarding = Forwarding::start(&log, &hub, Since::Oldest);
    forwarding.until_live().await;
    let (mut at, mut frames) = (0, 0);
    for message in hub.messages() {
        let head: Head = message.head.parse().unwrap();
        if let Some(frame) = log.sealed_after(at).await.unwrap() {
            assert_eq!((head.first, head.count, message.payload), (frame.first, frame.count, frame.bytes));
            frames += 1;
        }
        at = head.last();
    }
    assert!(frames >= 3, "{frames}");
    assert_eq!(fold(&hub.messages()).lines, lines(&log, 0).await);
}

#[tokio::test(start_paused = true)]
async fn messages_are_cut_by_what_they_take_packed() {
    let (dir, hub) = (tempfile::tempdir().unwrap(), MemoryStream::new());
    hub.set_max_bytes(128 * 1024);
    let log = open(dir.path(), 65_536);
    let random = |bytes: usize| (0..bytes).map(|_| char::from(rand::random_range(b'A'..=b'Z'))).collect::<String>();
    for _ in 0..30 {
        log.append((0..20).map(|_| record(&random(3000))).collect()).await.unwrap();
    }
    // One that the hub takes as it is, and one that it does not.
    log.append(vec![record(&random(150_000)), record("small"), record(&random(400_000)), record("after it")]).await.unwrap();
    let forwarding = Forwarding::start(&log, &hub, Since::Oldest);
    let now = forwarding.until_live().await;
    let messages = hub.messages();
    let sizes: Vec<_> = messages.iter().map(|message| message.payload.len()).collect();
    assert!(sizes.iter().filter(|size| **size > 64 * 1024).count() == 1 && sizes.iter().all(|size| *size <= 128 * 1024), "{sizes:?}");
    assert!(messages.len() < 40, "half of what fits is used: {sizes:?}");
    let folded = fold(&messages);
    assert_eq!(folded.gaps, [Missing { from: 603, to: 603, reason: Reason::Large }]);
    assert_eq!(now.missing, 1);
    let mut all = lines(&log, 0).await;
    all.remove(&603);
    assert_eq!(folded.lines, all);
}

#[tokio::test(start_paused = true)]
async fn a_full_message_has_as_many_lines_as_a_frame() {
    let (dir, hub) = (tempfile::tempdir().unwrap(), MemoryStream::new());
    let log = open(dir.path(), 65_536);
    append(&log, 2000).await;
    Forwarding::start(&log, &hub, Since::Oldest).until_live().await;
    assert_eq!(heads(&hub).iter().map(|head| head.count).collect::<Vec<_>>(), [MAX_LINES, MAX_LINES, 2000 - 2 * MAX_LINES]);
}

#[tokio::test(start_paused = true)]
async fn forwarding_from_now_on_says_what_it_leaves_out() {
    let (dir, hub) = (tempfile::tempdir().unwrap(), MemoryStream::new());
    let log = open(dir.path(), 65_536);
    append(&log, 40).await;
    let forwarding = Forwarding::start(&log, &hub, Since::Now);
    let now = forwarding.until_live().await;
    assert_eq!((now.acknowledged, hub.messages().len()), (Some(40), 0));
    append(&log, 2).await;
    forwarding.until_live().await;
    let folded = fold(&hub.messages());
    assert_eq!(folded.gaps, [Missing { from: 1, to: 40, reason: Reason::Since }]);
    assert_eq!(folded.lines, lines(&log, 40).await);
    // The hub knows better where to go on.
    forwarding.kill().await;
    append(&log, 5).await;
    Forwarding::start(&log, &hub, Since::Now).until_live().await;
    assert_eq!(fold(&hub.messages()).lines, lines(&log, 40).await);
}

#[tokio::test(start_paused = true)]
async fn what_retention_took_before_it_was_forwarded_is_told_exactly() {
    let (dir, hub) = (tempfile::tempdir().unwrap(), MemoryStream::new());
    let log = open(dir.path(), 100);
    append(&log, 50).await;
    let forwarding = Forwarding::start(&log, &hub, Since::Oldest);
    forwarding.until_live().await;
    hub.set_outage(Some(crate::stream::StreamError::Unavailable("no node leads".to_owned())));
    // Whole segments are removed: one is sealed before the next begins, so that none has half of the log.
    for _ in 0..20 {
        append(&log, 50).await;
        sealed(&log, log.bounds().head - 100).await;
    }
    let oldest = log.trim(650).await.unwrap();
    assert!(oldest > 500, "{oldest}");
    let now = forwarding.until(|now| now.state == ForwardState::Unavailable).await;
    assert!(now.error.as_deref().is_some_and(|why| why.contains("no node leads")), "{now:?}");
    assert_eq!(now.behind_records, 1000);
    sleep(Duration::from_secs(30)).await;
    hub.set_outage(None);
    let now = forwarding.until_live().await;
    assert_eq!(now.missing, oldest - 51);
    let folded = fold(&hub.messages());
    assert_eq!(folded.gaps, [Missing { from: 51, to: oldest - 1, reason: Reason::Retention }]);
    assert_eq!(
        folded.lines.range(oldest..).map(|(seq, line)| (*seq, line.clone())).collect::<Vec<_>>(),
        lines(&log, oldest - 1).await.into_iter().collect::<Vec<_>>()
    );
    assert_eq!((folded.lines.len() as u64, folded.again), (50 + 1050 - oldest + 1, 0));
}
