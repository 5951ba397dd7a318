//! Pages as they are gathered, folded, and led on from.

use super::*;
use crate::event::{Event, Noise};
use crate::log::{EmbeddedLog, NewRecord, import};

/// An export of every second record makes a log of which half is gaps.
#[tokio::test]
async fn a_page_tells_of_no_more_gaps_than_its_bound_and_the_next_goes_on() {
    let (dir, id) = (tempfile::tempdir().unwrap(), LogId::random());
    let line = |seq: Sequence| {
        let (time, event) = (Timestamp::from_nanos(1), Event::from_line(br#"{"Type":"container","Action":"start"}"#).unwrap());
        crate::event::Record { seq, time, received: time, source: "local".into(), event }.to_line(id) + "\n"
    };
    let count = 2 * MAX_PAGE_GAPS as Sequence + 100;
    let lines: String = (1..=count).map(|n| line(2 * n)).collect();
    import(&mut lines.as_bytes(), dir.path(), &mut |_| {}).unwrap();
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
    for order in [Order::Asc, Order::Desc] {
        let (mut at, mut records, mut gaps, mut pages) = (At::Edge { oldest: 1 }, Vec::new(), Vec::new(), 0);
        loop {
            let want = Want { until: 2 * count, ..Want::default() };
            let request = PageRequest { order, direction: Direction::Next, at, want, limit: 10_000, fold: false };
            let Loaded { page, next, .. } = Page::load(&log, request).await.unwrap();
            assert!(page.gaps.len() <= MAX_PAGE_GAPS, "{}", page.gaps.len());
            pages += 1;
            records.extend(page.records.walk());
            gaps.extend(page.gaps.iter().map(|(range, _)| range.clone()));
            let Some(next) = next else { break };
            at = At::After(next.at.seq);
        }
        if order == Order::Desc {
            records.reverse();
            gaps.reverse();
        }
        assert_eq!((pages, records), (3, (1..=count).map(|n| 2 * n).collect()), "{order:?}");
        // The first is before the oldest record.
        let told: Vec<_> = (1..count).map(|n| 2 * n + 1..=2 * n + 1).collect();
        assert!(gaps.ends_with(&told) && gaps.len() <= told.len() + 1, "{order:?}: {} of {}", gaps.len(), told.len());
    }
}

/// One record a second; a health check where `noise` says so.
async fn log_of(noise: &[bool]) -> (tempfile::TempDir, Arc<dyn EventLog>) {
    let dir = tempfile::TempDir::new().unwrap();
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
    let records = noise.iter().zip(1i64..).map(|(noise, second)| {
        let line = format!(r#"{{"Type":"container","Action":"exec_die","timeNano":{second}000000000}}"#);
        let event = Event::from_line(line.as_bytes()).unwrap().marked(noise.then_some(Noise::HealthCheck));
        NewRecord { source: "local".into(), received: Timestamp::from_nanos(second), event }
    });
    for some in records.collect::<Vec<_>>().chunks(7) {
        log.append(some.to_vec()).await.unwrap();
    }
    (dir, log)
}

/// However one goes on, by page or from the last record, every record comes once and every health check
/// is counted once. No page passes over more than it may, and pages that follow each other leave no time
/// between them.
#[tokio::test]
async fn folded_pages_count_every_health_check_once() {
    // Single ones, none, and a run that is longer than a page may pass over.
    let noise: Vec<bool> = (0..400u32).map(|n| (100..260).contains(&n) || (n % 3 == 0 && n > 20) || n > 390).collect();
    let (_dir, log) = log_of(&noise).await;
    let quiet = || (1u64..).zip(&noise).filter(|(_, noise)| !**noise).map(|(seq, _)| seq);
    let probes = noise.iter().filter(|noise| **noise).count() as u64;
    for (order, limit, by_token) in [Order::Asc, Order::Desc]
        .into_iter()
        .flat_map(|order| [1, 7, 1000].map(|limit| (order, limit)))
        .flat_map(|(o, l)| [(o, l, true), (o, l, false)])
    {
        let (mut at, mut seen, mut folded, mut spans) = (At::Edge { oldest: 1 }, Vec::new(), 0, Vec::new());
        loop {
            let want = Want { until: 400, ..Want::default() };
            let request = PageRequest { order, direction: Direction::Next, at, want, limit, fold: true };
            let Loaded { page, next, span, .. } = Page::load(&log, request).await.unwrap();
            assert!(page.folded <= MAX_FOLDED && page.records.len() <= limit);
            folded += page.folded;
            spans.push(span);
            let last = page.records.last();
            seen.extend(page.records.walk());
            let Some(next) = next else { break };
            // A page of nothing but health checks has no record to go on from.
            at = At::After(last.filter(|_| !by_token).unwrap_or(next.at.seq));
        }
        let mut expected: Vec<_> = quiet().collect();
        if order == Order::Desc {
            expected.reverse();
            spans.reverse();
        }
        assert_eq!(seen, expected, "{order:?} {limit} {by_token}");
        assert_eq!(folded, probes, "{order:?} {limit} {by_token}");
        assert!(spans.windows(2).all(|pair| pair[1].start() <= pair[0].end()), "{spans:?}");
        assert_eq!(
            (spans.first().map(RangeInclusive::start), spans.last().map(RangeInclusive::end)),
            (Some(&Timestamp::MIN), Some(&Timestamp::MAX))
        );
    }
}

#[test]
fn tokens_round_trip_and_refuse_garbage() {
    let token = Token { direction: Direction::Prev, time: Timestamp::MIN..=Timestamp::from_nanos(5), at: Cursor { log: 7, seq: 9 } };
    assert_eq!(token.to_string().parse(), Ok(token));
    for text in ["", "n", "n.1.2", "x.1.2.00000007-9", "n.a.2.00000007-9", "n.1.2.7-9", "n.1.2.00000007-9.3", "7f3c9a1e-1842"] {
        assert!(text.parse::<Token>().unwrap_err().contains("page token"), "{text}");
    }
}
