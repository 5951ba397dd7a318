use super::*;

const SECOND: i64 = 1_000_000_000;

fn container(action: &str, id: &str, at: i64, attributes: &str) -> Event {
    let line = format!(
        r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{id}","Attributes":{{{attributes}}}}},"timeNano":{}}}"#,
        at * SECOND
    );
    Event::from_line(line.as_bytes()).unwrap()
}

fn network(action: &str, id: &str, at: i64) -> Event {
    let line = format!(
        r#"{{"Type":"network","Action":"{action}","Actor":{{"ID":"n","Attributes":{{"container":"{id}"}}}},"timeNano":{}}}"#,
        at * SECOND
    );
    Event::from_line(line.as_bytes()).unwrap()
}

/// Why each event of a story is looked at.
fn looked_at(story: &[Event]) -> Vec<Option<Why>> {
    let (watch, now) = (Watch::default(), Instant::now());
    story.iter().map(|event| watch.heard(event, now).map(|failure| failure.why)).collect()
}

fn last(story: &[Event]) -> Option<Why> {
    looked_at(story).pop().unwrap()
}

#[test]
fn deaths_that_nobody_asked_for() {
    let start = || container("start", "c", 0, "");
    let die = |at, code: i32| container("die", "c", at, &format!(r#""exitCode":"{code}","name":"web""#));
    let kill = |at, signal: u32| container("kill", "c", at, &format!(r#""signal":"{signal}""#));
    assert_eq!(last(&[start(), die(5, 1)]), Some(Why::Died));
    assert_eq!(last(&[die(5, 137)]), Some(Why::Died), "of a container that was never heard of");
    assert_eq!(last(&[start(), die(5, 0)]), None, "a job's end");
    assert_eq!(last(&[start(), kill(5, 15), die(6, 143)]), None);
    assert_eq!(last(&[start(), kill(5, 15), kill(15, 9), die(16, 137)]), None);
    assert_eq!(last(&[start(), kill(5, 1), die(6, 1)]), Some(Why::Died), "SIGHUP ends nothing");
    assert_eq!(last(&[start(), kill(5, 9), die(60, 1)]), Some(Why::Died), "long after");
    assert_eq!(last(&[start(), kill(5, 15), container("start", "c", 7, ""), die(8, 1)]), Some(Why::Died), "another run");
    assert_eq!(last(&[start(), kill(5, 15), container("die", "other", 6, r#""exitCode":"1""#)]), Some(Why::Died));
}

/// As Engine 20.10 and 28.5 tell a start that they refuse, and a policy's that fails.
#[test]
fn starts_that_were_refused() {
    let (connect, disconnect) = (|at| network("connect", "c", at), |at| network("disconnect", "c", at));
    let create = || container("create", "c", 0, "");
    let die = |at| container("die", "c", at, r#""exitCode":"0""#);
    assert_eq!(last(&[create(), connect(0), disconnect(0)]), Some(Why::Refused));
    assert_eq!(last(&[create(), disconnect(0)]), Some(Why::Refused));
    assert_eq!(last(&[create(), connect(0), container("start", "c", 0, ""), disconnect(9)]), None, "while it runs");
    assert_eq!(last(&[container("start", "c", 0, ""), die(5), disconnect(5)]), None, "its own end");
    assert_eq!(last(&[die(5), disconnect(5), connect(6), disconnect(6)]), Some(Why::Refused));
    assert_eq!(last(&[die(5), disconnect(5), disconnect(9)]), Some(Why::Refused));
    assert_eq!(last(&[disconnect(0)]), None, "nothing is known of it");
    assert_eq!(last(&[create(), container("destroy", "c", 1, ""), disconnect(1)]), None);
}

#[test]
fn one_container_once_a_minute_and_others_at_once() {
    let (watch, begin) = (Watch::default(), Instant::now());
    let die = |id: &str| container("die", id, 5, r#""exitCode":"1","name":"web""#);
    let at = |id: &str, seconds| watch.heard(&die(id), begin + Duration::from_secs(seconds)).is_some();
    let looked = [at("a", 0), at("a", 1), at("b", 1), at("a", 59), at("a", 60), at("a", 61)];
    assert_eq!(looked, [true, false, true, false, true, false]);
    let long = "i".repeat(MAX_ID_BYTES + 1);
    assert!(watch.heard(&die(&long), begin).is_some() && watch.known.get(&long).is_none(), "such an id is not kept in mind");
}

#[test]
fn memory_that_ran_out_is_looked_at_after_the_death_that_may_follow() {
    let (watch, now) = (Watch::default(), Instant::now());
    let failure = watch.heard(&container("oom", "c", 5, r#""name":"web""#), now).unwrap();
    assert_eq!((failure.why, failure.attributes), (Why::Oom, vec![("name".to_owned(), "web".to_owned())]));
    assert!(watch.heard(&container("die", "c", 5, r#""exitCode":"137""#), now).is_some());
    assert!(!watch.claims("c", now + Duration::from_secs(1)), "the death was looked at");
}
