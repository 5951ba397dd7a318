mod bounds;
mod judged;
mod lifelines;
mod rest;
mod revisions;

use super::*;
use crate::event::{Event, RecordView};
use crate::log::{DerivedFiles, EmbeddedLog, EventLog, Limits, NewRecord};
use crate::projection::incidents::{self, Ids, Severity, State};
use crate::reader::{Reader, Step, Want};
use crate::shutdown::Stop;
use crate::time::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const SECOND: i64 = 1_000_000_000;
const PATIENCE: Duration = Duration::from_secs(60);
/// Records are so many seconds apart.
const APART: i64 = 2;

fn at(second: i64) -> Timestamp {
    Timestamp::from_nanos(1_700_000_000 * SECOND + second * SECOND)
}

fn event(second: i64, id: u64, action: &str, attributes: &str) -> NewRecord {
    let nanos = at(second).nanos();
    let line = format!(
        r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{id:064}","Attributes":{{"name":"c{id}","image":"db:1"{attributes}}}}},"scope":"local","time":{},"timeNano":{nanos}}}"#,
        nanos / SECOND
    );
    NewRecord { source: "local".into(), received: at(second), event: Event::from_line(line.as_bytes()).unwrap() }
}

/// Each fortieth record is a crash of one of 50 containers, which start again; the others are commands that
/// somebody runs.
fn records(from: i64, count: i64) -> Vec<NewRecord> {
    (from..from + count)
        .map(|n| {
            let id = u64::try_from(n / 40 % 50).unwrap();
            match n % 40 {
                0 => event(n * APART, id, "die", r#","exitCode":"1""#),
                1 => event(n * APART, id, "start", ""),
                _ => event(n * APART, id, "exec_start: sh", ""),
            }
        })
        .collect()
}

async fn log(dir: &Path, count: i64) -> Arc<dyn EventLog> {
    let limits = Limits { tip_records: 8000, merge_after: Duration::from_secs(600), ..Limits::default() };
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open_with(dir, limits).unwrap().0);
    let begun = i64::try_from(log.bounds().head).unwrap();
    for from in (begun..count).step_by(4000) {
        log.append(records(from, 4000.min(count - from))).await.unwrap();
    }
    log
}

fn files(dir: &Path, log: &Arc<dyn EventLog>) -> DerivedFiles {
    DerivedFiles::new(dir, log.bounds().log, VERSION)
}

/// Followed until it is dropped.
fn known(log: &Arc<dyn EventLog>, files: Option<DerivedFiles>) -> (Arc<Known>, Stop) {
    let (known, stop) = (Arc::new(Known::new(Arc::clone(log), files)), Stop::new());
    tokio::spawn(Arc::clone(&known).follow(stop.shutdown()));
    (known, stop)
}

fn asked(severity: Severity) -> Asked {
    let range = Timestamp::MIN..=Timestamp::MAX;
    Asked { range, state: None, severity, kind: None, subject: None, newest_first: false, limit: 100_000, after: None }
}

/// What the fold says of records that were received by a time.
async fn by_hand(log: &Arc<dyn EventLog>, as_of: Timestamp, wanted: impl Fn(&RecordView<'_>) -> bool) -> Vec<String> {
    let bounds = log.bounds();
    let (mut state, mut ids) = (State::before(bounds.oldest), Ids::default());
    let mut reader = Reader::new(Arc::clone(log), bounds.oldest - 1, Want { until: bounds.head, ..Want::default() });
    while let Some(step) = reader.next().await.unwrap() {
        match step {
            Step::Records(selection) => {
                ids.note(selection.block.cursor(selection.first().unwrap()).parse().unwrap());
                let records = selection.sequences().filter_map(|seq| selection.block.view(seq));
                records.filter(&wanted).for_each(|record| incidents::step_view(&mut state, &record));
            }
            Step::Gap(range, why) => incidents::miss(&mut state, &range, why),
            Step::Nothing => {}
        }
    }
    incidents::view(&state, &ids, as_of).incidents.iter().map(|one| serde_json::to_string(one).unwrap()).collect()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "{what}");
}

const COUNT: i64 = 40_000;
const END: i64 = COUNT * APART + 3600;

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_the_same_with_files_without_and_with_some_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), COUNT).await;
    let expected = by_hand(&log, at(END), |_| true).await;
    assert!(expected.len() > 50, "{}", expected.len());
    let (first, stop) = known(&log, Some(files(dir.path(), &log)));
    assert_eq!(first.list(&first.log, asked(Severity::Minor), at(END)).await.unwrap().incidents, expected);
    until("both stretches that are over are stored", || files(dir.path(), &log).numbers() == [0, 1]).await;
    let bytes: usize = [0, 1].iter().map(|number| files(dir.path(), &log).read(*number).unwrap().len()).sum();
    assert!(bytes < 2 * 2 * usize::try_from(STRETCH).unwrap(), "{bytes} bytes");
    drop(stop);

    // As of then, from the state that was stored last by then.
    for second in [1000, 32_767, 32_768, 70_000] {
        let told = first.list_at(&log, asked(Severity::Minor), at(second)).await.unwrap().incidents;
        assert_eq!(told, by_hand(&log, at(second), |record| record.received <= at(second)).await, "{second}");
    }
    for harm in ["nothing", "the first is gone", "the second is damaged", "all are gone"] {
        let path = dir.path().join("log/derived").join(format!("{}-{VERSION}", log.bounds().log));
        match harm {
            "the first is gone" => std::fs::remove_file(path.join(format!("{:020}.bin", 0))).unwrap(),
            "the second is damaged" => std::fs::write(path.join(format!("{:020}.bin", 1)), b"shipslog?").unwrap(),
            "all are gone" => std::fs::remove_dir_all(dir.path().join("log/derived")).unwrap(),
            _ => {}
        }
        let (again, _stop) = known(&log, Some(files(dir.path(), &log)));
        assert_eq!(again.list(&again.log, asked(Severity::Minor), at(END)).await.unwrap().incidents, expected, "{harm}");
        until("they are made again", || files(dir.path(), &log).numbers() == [0, 1]).await;
        until("nothing is left to do", || again.progress().stretches == 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_go_while_they_are_used_are_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 20_000).await;
    let (known, _stop) = known(&log, Some(files(dir.path(), &log)));
    let expected = known.list(&known.log, asked(Severity::Minor), at(END)).await.unwrap();
    until("it is stored", || files(dir.path(), &log).numbers() == [0]).await;
    std::fs::remove_dir_all(dir.path().join("log/derived")).unwrap();
    assert_eq!(timeout(PATIENCE, known.list(&known.log, asked(Severity::Minor), at(END))).await.unwrap().unwrap(), expected);
    until("it is stored again", || files(dir.path(), &log).numbers() == [0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_trim_answers_are_those_of_the_records_that_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), COUNT).await;
    let (known, _stop) = known(&log, Some(files(dir.path(), &log)));
    let all = known.list(&known.log, asked(Severity::Minor), at(END)).await.unwrap().incidents;
    until("both are stored", || files(dir.path(), &log).numbers() == [0, 1]).await;
    let oldest = log.trim(24_100).await.unwrap();
    assert!(oldest > STRETCH && oldest <= 24_100, "{oldest}");
    let id = |json: &String| serde_json::from_str::<serde_json::Value>(json).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(known.one(&known.log, id(&all[0]), at(END)).await.unwrap(), Told::Gone);
    let kept = by_hand(&log, at(END), |_| true).await;
    until("the first stretch has gone", || files(dir.path(), &log).numbers() == [1]).await;
    let waiting = async {
        while known.list(&known.log, asked(Severity::Minor), at(END)).await.unwrap().incidents != kept {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok());
    assert!(kept[0].contains("before the records that are kept"), "{}", kept[0]);
    // And so it is after a restart.
    let (again, _stop) = self::known(&log, Some(files(dir.path(), &log)));
    assert_eq!(again.list(&again.log, asked(Severity::Minor), at(END)).await.unwrap().incidents, kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_list_make_it_whole_and_subjects_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 20_000).await;
    let (known, _stop) = known(&log, None);
    let all = known.list(&known.log, asked(Severity::Notice), at(END)).await.unwrap();
    for newest_first in [false, true] {
        let (mut parts, mut after) = (Vec::new(), None);
        loop {
            let part = known.list(&known.log, Asked { limit: 7, newest_first, after, ..asked(Severity::Notice) }, at(END)).await.unwrap();
            parts.extend(part.incidents);
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        if newest_first {
            parts.reverse();
        }
        assert_eq!(parts, all.incidents);
    }
    let of = known.list(&known.log, Asked { subject: Some("c7".into()), ..asked(Severity::Minor) }, at(END)).await.unwrap().incidents;
    let all_of: Vec<String> = all.incidents.iter().filter(|json| json.contains(r#""subject":"c7""#)).cloned().collect();
    assert!(!of.is_empty() && of == all_of);
    let lost = known.list(&known.log, Asked { after: Some("00000000-1c".into()), ..asked(Severity::Minor) }, at(END)).await.unwrap();
    assert!(lost.unknown_cursor);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_those_of_the_records_in_the_range() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), COUNT).await;
    let (known, _stop) = known(&log, Some(files(dir.path(), &log)));
    let of = |action: &'static str, range: std::ops::Range<i64>| {
        range.filter(|n| matches!((n % 40, action), (0, "die") | (1, "start") | (2.., "exec_start"))).count()
    };
    // Whole, over the edges of stretches and leaves, within one leaf, and nothing.
    for (from, to) in [(0, COUNT), (5, 20_001), (16_000, 17_000), (33_000, COUNT), (2100, 2150), (COUNT + 10, COUNT + 20)] {
        let time = at(from * APART)..=at((to - 1) * APART);
        let everything = Span { time: time.clone(), filter: Arc::default() };
        let filter = crate::filter::Filter::from_params(Some(r#"{"type":["container"]}"#), None).unwrap();
        let by_the_log = Span { time, filter: Arc::new(filter) };
        for span in [&everything, &by_the_log] {
            let facets = known.facets(&log, span).await.unwrap();
            assert!(facets.exact && facets.ended_after.is_none());
            assert_eq!(facets.scanned, u64::try_from(to.min(COUNT) - from.min(COUNT)).unwrap(), "{from} {to}");
            let (actions, others) = facets.top("action", 10);
            for action in ["die", "start", "exec_start"] {
                let seen = actions.iter().find(|facet| facet.value == action).map_or((0, 0), |facet| (facet.count, facet.failures));
                let expected = u32::try_from(of(action, from.min(COUNT)..to.min(COUNT))).unwrap();
                assert_eq!(seen, (expected, if action == "die" { expected } else { 0 }), "{action} {from} {to}");
            }
            assert_eq!(others, 0);
            for bins in [1, 7, 200] {
                let histogram = known.histogram(&log, span, bins, true).await.unwrap();
                assert_eq!((histogram.edge_error, histogram.ended_after), (0, None));
                let sum = |class: &str| {
                    let place = CLASSES.iter().position(|name| *name == class).unwrap();
                    histogram.bins.iter().map(|bin| bin[place]).sum::<u64>()
                };
                for (class, action) in [("failure", "die"), ("start", "start"), ("exec", "exec_start"), ("stop", "none")] {
                    assert_eq!(sum(class), of(action, from.min(COUNT)..to.min(COUNT)) as u64, "{class} {from} {to} {bins}");
                }
            }
        }
    }
    // Where edges are not read, what is not sure is said, and nothing is lost.
    let span = Span { time: at(0)..=at(COUNT * APART), filter: Arc::default() };
    let rough = known.histogram(&log, &span, 2000, false).await.unwrap();
    assert_eq!((rough.edge_error, rough.bins.iter().flatten().sum::<u64>()), (TALLY, u64::try_from(COUNT).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_at_a_time_is_folded_from_the_stretch_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), COUNT).await;
    let (known, _stop) = known(&log, Some(files(dir.path(), &log)));
    // Container 12 crashes with record 16,480, in the second stretch, and is started again 2 s later.
    let crash = 16_480 * APART;
    for (second, state, exit) in [(crash - 1, "running", None), (crash, "exited", Some(1)), (crash + 2, "running", None)] {
        let inventory = known.state_at(&log, at(second)).await.unwrap();
        let one = inventory.containers.iter().find(|one| one.key == "c12").unwrap();
        assert_eq!((one.state, one.exit), (state, exit), "{one:?}");
        assert_eq!(inventory.folded_to, u64::try_from(second / APART + 1).unwrap());
        assert_eq!(inventory.containers.len(), 50);
    }
    let before = known.state_at(&log, at(-10)).await.unwrap();
    assert!(before.containers.is_empty() && !before.qualified.is_empty());
}
