use super::super::rest::GATHER;
use super::*;
use tokio::time::Instant;

fn follow(known: Known) -> (Arc<Known>, Stop) {
    let (known, stop) = (Arc::new(known), Stop::new());
    tokio::spawn(Arc::clone(&known).follow(stop.shutdown()));
    (known, stop)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_is_read_together() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 10).await;
    let (known, _stop) = known(&log, None);
    known.list(&known.log, asked(Severity::Minor), at(END)).await.unwrap();
    let (mut standing, began) = (known.standing.subscribe(), Instant::now());
    let counting = tokio::spawn(async move {
        let mut pieces = 0;
        while standing.borrow_and_update().through < 310 {
            standing.changed().await.unwrap();
            pieces += 1;
        }
        pieces
    });
    for n in 0..300 {
        log.append(records(10 + n, 1)).await.unwrap();
    }
    let pieces = timeout(PATIENCE, counting).await.unwrap().unwrap();
    let most = began.elapsed().as_millis() / GATHER.as_millis() + 2;
    assert!(pieces <= most, "{pieces} pieces, {most} at most");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_is_answered_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 10).await;
    let mut slow = Known::new(Arc::clone(&log), None);
    slow.gathers = Duration::from_secs(3600);
    let (known, _stop) = follow(slow);
    for n in 0..5 {
        log.append(records(10 + n, 1)).await.unwrap();
        let head = log.bounds().head;
        let listed = timeout(PATIENCE, known.list(&known.log, asked(Severity::Minor), at(END))).await.unwrap().unwrap();
        assert_eq!(listed.folded_to, head);
    }
    // So is whoever follows.
    let (_followed, newest) = (known.followed(), known.newest());
    log.append(records(15, 1)).await.unwrap();
    timeout(PATIENCE, known.more_than(newest, None)).await.unwrap();
}
