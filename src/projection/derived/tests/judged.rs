use super::*;
use crate::filter::Filter;

/// What is counted under a filter of these terms: by class, and failures by exit code.
async fn counted(log: &Arc<dyn EventLog>, known: &Arc<Known>, terms: &[&str]) -> (Vec<(&'static str, u64)>, u32) {
    let terms: Vec<String> = terms.iter().map(|term| (*term).to_owned()).collect();
    let span = Span { time: at(0)..=at(COUNT * APART), filter: Arc::new(Filter::from_terms(&terms, &[]).unwrap()) };
    let histogram = known.histogram(log, &span, 1, true).await.unwrap();
    let sums = CLASSES.into_iter().zip(histogram.bins[0]).filter(|(_, sum)| *sum > 0).collect();
    let (exits, _) = known.facets(log, &span).await.unwrap().top("exit", 10);
    (sums, exits.iter().map(|facet| facet.failures).sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_does_not_make_a_stop_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 0).await;
    let mut second = 0;
    let mut next = |id: u64, action: &str, attributes: &str| {
        second += 1;
        event(second, id, action, attributes)
    };
    // One is told to end and is killed, one ends by itself, and one is killed from outside.
    let asked = [("start", ""), ("kill", r#","signal":"15""#), ("kill", r#","signal":"9""#), ("die", r#","exitCode":"137""#), ("stop", "")];
    let mut all: Vec<NewRecord> = asked.iter().map(|(action, attributes)| next(1, action, attributes)).collect();
    all.extend([next(2, "start", ""), next(2, "die", r#","exitCode":"137""#), next(3, "start", "")]);
    // What was asked for so many records before is another matter.
    all.push(next(3, "kill", r#","signal":"9""#));
    all.extend((0..i64::try_from(class::WINDOW).unwrap()).map(|_| event(40, 9, "exec_start: sh", "")));
    all.push(event(41, 3, "die", r#","exitCode":"137""#));
    all.extend([event(42, 1, "start", ""), event(43, 1, "kill", r#","signal":"15""#), event(44, 1, "die", r#","exitCode":"0""#)]);
    all.push(event(45, 1, "stop", ""));
    log.append(all).await.unwrap();
    let (known, _stop) = known(&log, None);
    assert_eq!(counted(&log, &known, &["exit=137"]).await, (vec![("failure", 2), ("stop", 1)], 2));
    assert_eq!(counted(&log, &known, &["event=die"]).await, (vec![("failure", 2), ("stop", 2)], 2));
    // Each is a part of a death.
    assert_eq!(counted(&log, &known, &["event=stop"]).await, (vec![], 0));
    let unfiltered = counted(&log, &known, &[]).await;
    assert_eq!(
        unfiltered.0.iter().filter(|(class, _)| ["failure", "stop"].contains(class)).copied().collect::<Vec<_>>(),
        [("failure", 2), ("stop", 2)]
    );
    assert_eq!(counted(&log, &known, &["type=container"]).await, unfiltered);
}
