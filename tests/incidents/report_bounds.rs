//! More of one thing than a report names: the rest is counted, and said.

use crate::reports::Opened;
use crate::tape::Tape;
use shipslog::projection::incidents::Severity;
use shipslog::report::{Format, MAX_INCIDENTS, MAX_LANES, MAX_MARKS, MAX_RELATED, MAX_SPANS, Run};

/// Containers that stay down, each long enough after the one before it to be an incident of its own.
fn down(count: usize) -> Tape {
    let mut tape = Tape::new();
    for n in 0..count {
        tape.run(&format!("c{n}"));
    }
    tape.wait(60_000);
    for n in 0..count {
        tape.die(&format!("c{n}"), "1").wait(7000);
    }
    tape.wait(90_000).own("baseline", &[]);
    tape
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_incidents_the_worst_and_newest_are_told() {
    let mut tape = down(MAX_INCIDENTS + 9);
    // One that mended itself is none of the worst.
    tape.run("mended").wait(20_000).die("mended", "1").wait(200).start("mended").wait(60_000).own("baseline", &[]);
    let opened = Opened::tape(&tape).await;
    assert_eq!(opened.view.incidents.len(), MAX_INCIDENTS + 10);
    let report = opened.all().await;
    assert_eq!((report.incidents.len(), report.manifest.left_out), (MAX_INCIDENTS, 10));
    assert!(report.incidents.iter().all(|told| told.incident.severity == Severity::Major));
    assert_eq!((&*report.incidents[0].incident.subject, &*report.incidents[MAX_INCIDENTS - 1].incident.subject), ("c9", "c108"));
    assert!(report.render(Format::Markdown).contains("being too many: 10 incidents"), "it says so");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_was_at_the_same_time_the_worst_is_named() {
    let mut tape = down(MAX_RELATED + 4);
    tape.run("mended").wait(20_000).die("mended", "1").wait(200).start("mended").wait(60_000).own("baseline", &[]);
    let opened = Opened::tape(&tape).await;
    let mended = opened.view.incidents.iter().find(|one| one.subject == "mended").unwrap();
    let report = opened.one(&mended.id).await;
    let related = &report.incidents[0].related;
    assert_eq!(related.len(), MAX_RELATED);
    assert!(related.iter().all(|other| other.severity == Severity::Major && other.id != mended.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_containers_those_of_incidents_are_followed() {
    let mut tape = Tape::new();
    for n in 0..MAX_LANES + 30 {
        tape.run(&format!("c{n}"));
    }
    // The last of all, which others have to give way to.
    let last = format!("c{}", MAX_LANES + 29);
    tape.wait(60_000).die(&last, "1").wait(90_000).own("baseline", &[]);
    let report = Opened::tape(&tape).await.all().await;
    assert_eq!((report.lanes.len(), report.more_lanes), (MAX_LANES, 30));
    assert!(report.lanes.iter().any(|lane| lane.hit && lane.subject == last));
    let html = report.render(Format::Html);
    // One that is hit, and twelve that are not.
    assert!(html.contains(&format!("{} more subjects are not drawn", MAX_LANES - 13)), "drawn");
    assert!(html.contains("30 more are not drawn"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_subjects_with_incidents_so_many_are_drawn() {
    let report = Opened::tape(&down(45)).await.all().await;
    assert_eq!(report.lanes.iter().filter(|lane| lane.hit).count(), 45);
    let html = report.render(Format::Html);
    assert!(html.contains("States of the containers of 40 subjects") && html.contains("<p>5 more subjects are not drawn.</p>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn states_and_marks_of_a_container_have_bounds() {
    let mut tape = Tape::new();
    for id in ["web", "api"] {
        tape.run(id).wait(20_000);
        for _ in 0..MAX_MARKS.max(MAX_SPANS) {
            tape.of(id, "health_status: unhealthy", &[]).wait(100).of(id, "health_status: healthy", &[]).wait(100);
        }
    }
    tape.wait(90_000).own("baseline", &[]);
    let report = Opened::tape(&tape).await.all().await;
    for lane in &report.lanes {
        assert_eq!((lane.spans.len(), lane.spans.last().map(|span| span.run)), (MAX_SPANS, Some(Run::Changing)), "{}", lane.subject);
        assert_eq!((lane.marks.len(), lane.more_marks), (MAX_MARKS, (MAX_SPANS - MAX_MARKS) as u64), "{}", lane.subject);
    }
    assert_eq!(report.lanes.len(), 2);
    // The table beside the drawing lists 600 states.
    let html = report.render(Format::Html);
    assert!(html.contains(&format!("{} more states are not listed", 2 * MAX_SPANS - 600)));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_subjects_gaps_and_differences_some_are_named() {
    let mut tape = Tape::new();
    let labels: Vec<(String, String)> = (0..9).map(|n| (format!("label{n}"), n.to_string())).collect();
    let before: Vec<(&str, &str)> = labels.iter().map(|(key, _)| (&**key, "old")).collect();
    let after: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (&**key, &**value)).collect();
    for n in 0..20 {
        tape.run(&format!("c{n}"));
    }
    tape.of("one", "create", &[&[("name", "web")][..], &before].concat()).of("one", "start", &[("name", "web")]).wait(60_000);
    tape.kill("one", "15").of("one", "die", &[("name", "web"), ("exitCode", "0")]).of("one", "destroy", &[("name", "web")]);
    tape.of("two", "create", &[&[("name", "web")][..], &after].concat()).of("two", "start", &[("name", "web")]).wait(3000);
    tape.of("two", "die", &[("name", "web"), ("exitCode", "1")]).wait(60_000);
    // All at once.
    for n in 0..20 {
        tape.die(&format!("c{n}"), "1");
    }
    tape.wait(60_000);
    for _ in 0..25 {
        let from = tape.text();
        tape.wait(1000).own("gap", &[("reason", "ring-overflow"), ("replayed", "0"), ("from", &from)]);
    }
    tape.wait(90_000).own("baseline", &[]);
    let report = Opened::tape(&tape).await.all().await;
    let mass = report.incidents.iter().find(|told| told.incident.subjects.len() >= 20).unwrap();
    let (named, markdown) = (mass.incident.subjects.len() - 12, report.render(Format::Markdown));
    assert!(markdown.contains(&format!(", {named} more subjects on host-1")), "{markdown}");
    assert_eq!(report.manifest.gaps.len(), 25);
    assert_eq!(markdown.matches("ring-overflow").count(), 20 + qualified(&markdown), "20 gaps, and what is qualified by them");
    assert!(markdown.contains("5 more gaps"), "{markdown}");
    let web = report.incidents.iter().find(|told| told.incident.subject == "web").unwrap();
    let made = web.timeline.iter().find(|row| row.text.contains("re-created")).unwrap();
    assert!(made.text.ends_with("and 3 more changes"), "{}", made.text);
}

/// Sentences that say what qualifies an incident.
fn qualified(markdown: &str) -> usize {
    markdown.lines().filter(|line| !line.contains("Gap")).map(|line| line.matches("ring-overflow").count()).sum()
}
