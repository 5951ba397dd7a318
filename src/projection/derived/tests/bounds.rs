use super::*;
use crate::log::testing::stand_in::{StandIn, Twist};

/// Each read takes longer than an answer may.
struct Slow;

#[async_trait::async_trait]
impl Twist for Slow {
    async fn has_read(&self) {
        tokio::time::pause();
        tokio::time::advance(span::MAX_READING + Duration::from_millis(1)).await;
        tokio::time::resume();
    }
    fn answers_at_once(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn what_was_not_reached_in_time_is_left_out_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let fast = log(dir.path(), 8000).await;
    let (known, _stop) = known(&fast, None);
    let slow: Arc<dyn EventLog> = Arc::new(StandIn(Arc::clone(&fast), Slow));
    let filter = crate::filter::Filter::from_params(Some(r#"{"type":["container"]}"#), None).unwrap();
    let span = Span { time: at(0)..=at(COUNT * APART), filter: Arc::new(filter) };
    let facets = known.facets(&slow, &span).await.unwrap();
    let end = facets.ended_after.unwrap();
    assert!((1..8000).contains(&end) && facets.scanned == end && !facets.exact, "{end} of {}", facets.scanned);
    let histogram = known.histogram(&slow, &span, 10, true).await.unwrap();
    let counted: u64 = histogram.bins.iter().flatten().sum();
    assert_eq!((histogram.ended_after, counted), (Some(end), end));
    let lifelines = known.lifelines(&slow, at(0)..=at(COUNT * APART), 100).await.unwrap();
    assert!(lifelines.ended_after.is_some_and(|end| end < 8000), "{:?}", lifelines.ended_after);
    let whole = known.facets(&fast, &span).await.unwrap();
    assert_eq!((whole.ended_after, whole.exact, whole.scanned), (None, true, 8000));
}

#[tokio::test]
async fn an_answer_that_knows_more_is_of_a_later_time() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 4000).await;
    let (known, _stop) = known(&log, None);
    let newest = at(3999 * APART);
    let live = known.list(&known.log, asked(Severity::Minor), at(100)).await.unwrap();
    assert_eq!((live.as_of, live.folded_to), (newest, 4000));
    assert_eq!(known.list_at(&log, asked(Severity::Minor), newest).await.unwrap(), live);
    assert_eq!(known.list(&known.log, asked(Severity::Minor), at(END)).await.unwrap().as_of, at(END));
}

/// A full look at a Docker host that comes after so many records tells of what was there before them.
async fn told_before_a_look_after(count: i64) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), count).await;
    let own = |action: &str, attributes: &[(&str, &str)]| {
        let event = Event::recorder(action, &format!("{:064}", 999), attributes, at(count * APART));
        NewRecord { source: "local".into(), received: at(count * APART), event }
    };
    let seen = [("observation", "baseline"), ("kind", "container"), ("name", "old"), ("state", "running")];
    log.append(vec![own("observed", &seen), own("baseline", &[])]).await.unwrap();
    let (known, _stop) = known(&log, None);
    let inventory = known.state_at(&log, at(-10)).await.unwrap();
    inventory.containers.iter().filter(|one| one.key == "old" && one.state == "unknown").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_full_look_is_looked_for_so_far_ahead() {
    let ahead = i64::try_from(super::super::at::MAX_AHEAD).unwrap();
    assert_eq!(told_before_a_look_after(ahead - 10).await, 1);
    assert_eq!(told_before_a_look_after(ahead + 10).await, 0);
}

/// Records of two days that are told in turns, so that each leaf reaches over the middle.
async fn counted_over_edges(leaves: usize) -> Facets {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 0).await;
    let count = i64::try_from(leaves).unwrap() * i64::try_from(LEAF).unwrap();
    for from in (0..count).step_by(4096) {
        let late = |n: i64| if n % 2 == 0 { n } else { n + 1_000_000 };
        log.append((from..count.min(from + 4096)).map(|n| event(late(n), 1, "start", "")).collect()).await.unwrap();
    }
    let (known, _stop) = known(&log, None);
    known.facets(&log, &Span { time: at(0)..=at(500_000), filter: Arc::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_leaves_at_edges_are_read() {
    let leaves = charts::MAX_EDGE_LEAVES;
    let (exact, half) = (counted_over_edges(leaves).await, leaves as u64 * LEAF / 2);
    assert_eq!((exact.exact, exact.scanned, exact.top("action", 1).0[0].count), (true, half, u32::try_from(half).unwrap()));
    let guessed = counted_over_edges(leaves + 1).await;
    assert!(!guessed.exact);
}
