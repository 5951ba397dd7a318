use super::*;
use crate::cursor::LogId;
use crate::event::{Event, Record};

const SECOND: i64 = 1_000_000_000;

fn time(second: i64) -> Timestamp {
    Timestamp::from_nanos(second * SECOND)
}

/// 1,000,000 s, drawn so wide that nothing melts.
fn drawing() -> Drawing {
    let range = time(0)..=time(1_000_000);
    Drawing::new(&range, &range, 1_000_000)
}

fn tell(drawing: &mut Drawing, second: usize, id: usize, name: &str, action: &str) {
    let line = format!(
        r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{id:012}{id:052}","Attributes":{{"name":"{name}","exitCode":"1"}}}},"timeNano":1}}"#
    );
    let (event, at) = (Event::from_line(line.as_bytes()).unwrap(), time(i64::try_from(second).unwrap()));
    let record = Record { seq: second as u64 + 1, time: at, received: at, source: "local".into(), event };
    drawing.read(&record.view(), &Ids::from(LogId::from_bytes([7; 16])));
}

#[test]
fn the_worst_lanes_are_answered_and_the_others_counted_once() {
    let mut drawing = drawing();
    for n in 0..MAX_FOLLOWED + 3 {
        tell(&mut drawing, 2 * n, n, &format!("c{n}"), "start");
        tell(&mut drawing, 2 * n + 1, n, &format!("c{n}"), "die");
    }
    for again in 0..50 {
        tell(&mut drawing, 20_000 + again, 4000, "c4000", "die");
    }
    let told = drawing.end();
    assert_eq!((told.lanes.len(), told.more), (MAX_LANES, MAX_FOLLOWED + 3 - MAX_LANES));
    assert_eq!(told.lanes[0].key, "c4000");
}

#[test]
fn lanes_that_are_not_followed_are_counted_up_to_a_bound() {
    let mut drawing = drawing();
    for n in 0..MAX_FOLLOWED + MAX_COUNTED + 10 {
        drawing.lane("local", &format!("c{n}"), None, "service");
    }
    assert_eq!((drawing.lanes.len(), drawing.left_out.len()), (MAX_FOLLOWED, MAX_COUNTED));
}

#[test]
fn names_of_a_lane_have_a_bound() {
    let mut drawing = drawing();
    for n in 0..MAX_NAMED + 5 {
        tell(&mut drawing, n, n, "web", "oom");
    }
    let told = drawing.end();
    let lane = &told.lanes[0];
    assert_eq!((lane.containers.len(), lane.failures), (MAX_NAMED, MAX_NAMED as u64 + 5));
    assert_eq!((told.lanes.len(), told.more), (1, 0));
}

#[test]
fn beyond_so_many_spans_whatever_follows_melts() {
    let mut drawing = drawing();
    let lane = drawing.lane("local", "web", None, "service").unwrap();
    // Spans of two seconds each, which one second of width leaves apart.
    let states = ["running", "exited"];
    for n in 0..MAX_SPANS + 5000 {
        let since = 2 * i64::try_from(n).unwrap() * SECOND;
        drawing.draw(&Doing { lane, state: states[n % 2], since, waited: 0 }, since + 2 * SECOND);
    }
    let spans = &drawing.lanes[lane].spans;
    assert!((MAX_SPANS..=MAX_SPANS + 1).contains(&spans.len()), "{}", spans.len());
    let melted: u64 = spans.iter().map(|span| span.3).sum();
    assert!(melted >= 4999, "{melted}");
    let end = 2 * i64::try_from(MAX_SPANS + 5000).unwrap();
    assert_eq!(spans.last().map(|span| (span.1, span.2)), Some((Some(time(end)), "looping")));
}
