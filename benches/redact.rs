//! What redaction costs the recorder, by kind of message.
//!
//! `cargo bench --bench redact`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing, reason = "a bench")]

mod support;

use shipslog::event::Event;
use shipslog::redact::{Redactor, Rules};
use std::hint::black_box;
use std::time::{Duration, Instant};
use support::{RUNS, median, messages};

const RUN: Duration = Duration::from_millis(300);

/// Nanoseconds a message.
fn measure(events: &[Event], mut look: impl FnMut(&Event)) -> f64 {
    let (began, mut count) = (Instant::now(), 0u32);
    while began.elapsed() < RUN {
        events.iter().for_each(&mut look);
        count += u32::try_from(events.len()).unwrap();
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}

fn main() {
    let all = messages(20_000);
    let redactor = Redactor::new(Rules::default());
    let labelled = |extra: &str| {
        let labels = (0..10).map(|n| format!(r#""com.docker.compose.label-{n}":"{n:0>60}","#)).collect::<Vec<_>>().concat();
        let line = format!(
            r#"{{"Type":"container","Action":"start","Actor":{{"ID":"{:064}","Attributes":{{{labels}{extra}"image":"busybox","name":"web"}}}},"scope":"local","time":1795344577,"timeNano":1795344577148160810}}"#,
            1
        );
        vec![Event::from_line(line.as_bytes()).unwrap()]
    };
    let is_exec = |event: &Event| event.fields().action.starts_with("exec_create");
    let (exec, other): (Vec<_>, Vec<_>) = all.iter().cloned().partition(is_exec);
    println!("ns a message, medians of {RUNS}: reading it from its line | redacting it");
    for (name, events) in [
        ("synthetic, all", all),
        ("synthetic, exec_create", exec),
        ("synthetic, the rest", other),
        ("labels, nothing suspect", labelled("")),
        ("labels, a URL", labelled(r#""url":"https://example.com/","#)),
        ("labels, suspect but nothing found", labelled(r#""keyboard":"de","#)),
        ("labels, one secret", labelled(r#""db.password":"hunter2","#)),
    ] {
        let bytes = events.iter().map(|event| event.as_json().len()).sum::<usize>() / events.len();
        let (mut reading, mut redacting) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            reading.push(measure(&events, |event| drop(black_box(Event::from_line(event.as_json().as_bytes())))));
            redacting.push(measure(&events, |event| drop(black_box(redactor.redact(event)))));
        }
        println!("{name:>34} ({bytes:>4} B) | {:>6.0} | {:>6.0}", median(reading), median(redacting));
    }
}
