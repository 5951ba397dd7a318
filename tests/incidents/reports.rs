//! Reports of recordings, in every form.

use crate::tape::Tape;
use serde_json::Value;
use shipslog::export;
use shipslog::log::{EmbeddedLog, EventLog, NewRecord, import};
use shipslog::projection::Losses;
use shipslog::projection::incidents::{Ids, Severity, Shown, State, View, step, view};
use shipslog::reader::{Reader, Step, Want};
use shipslog::report::{FIRST_ITEMS, Format, Found, LAST_ITEMS, MAX_ALL_ROWS, MAX_INCIDENTS, MAX_ROWS, Of, Report, Row, Selection, gather};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// Recordings that between them hold every kind of incident, and quiet ones.
const RECORDINGS: [&str; 16] = [
    "busy-host-a",
    "chaos1-a",
    "compose-bad-deploy-a",
    "compose-bad-deploy-c",
    "compose-chaos1-c",
    "compose-good-c",
    "crash-before-recording-a",
    "crashloop-exit-a",
    "daemon-restart-a",
    "dependency-chain-a",
    "exec-flood-a",
    "health-flap-c",
    "host-reboot-a",
    "command-not-found-c",
    "mass-failure-a",
    "recorder-gap-c",
];

pub(crate) struct Opened {
    _dir: TempDir,
    log: Arc<dyn EventLog>,
    pub(crate) view: View,
}

impl Opened {
    async fn new(dir: TempDir, log: EmbeddedLog) -> Self {
        let log: Arc<dyn EventLog> = Arc::new(log);
        let head = log.bounds().head;
        let block = shipslog::reader::block_of(&*log, head).await.unwrap().unwrap();
        let (mut state, mut ids) = (State::default(), Ids::default());
        let mut reader = Reader::new(Arc::clone(&log), 0, Want { until: head, ..Want::default() });
        while let Some(read) = reader.next().await.unwrap() {
            let Step::Records(selection) = read else { continue };
            ids.note(selection.block.cursor(selection.first().unwrap()).parse().unwrap());
            selection.sequences().for_each(|seq| step(&mut state, &selection.block.record(seq).unwrap()));
        }
        let view = view(&state, &ids, block.received(head));
        Self { _dir: dir, log, view }
    }

    async fn recording(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/incidents/{name}.jsonl.zst"));
        let dir = TempDir::new().unwrap();
        import(&mut *export::decompress(File::open(path).unwrap()).unwrap(), dir.path(), &mut |_| {}).unwrap();
        let log = EmbeddedLog::open_read_only(dir.path()).unwrap();
        Self::new(dir, log).await
    }

    pub(crate) async fn tape(tape: &Tape) -> Self {
        Self::of(|_| tape.clone()).await
    }

    /// Of a tape that knows how the ids of its log begin.
    pub(crate) async fn of(tape: impl Fn(&str) -> Tape) -> Self {
        let dir = TempDir::new().unwrap();
        let log = EmbeddedLog::open(dir.path()).unwrap().0;
        let tape = tape(&log.bounds().log.to_string()[..8]);
        let new = |record: &shipslog::event::Record| NewRecord {
            source: Arc::clone(&record.source),
            received: record.received,
            event: record.event.clone(),
        };
        log.append(tape.records.iter().map(new).collect()).await.unwrap();
        Self::new(dir, log).await
    }

    fn found<'a>(&'a self, incidents: impl IntoIterator<Item = &'a Shown>) -> Found {
        let mut found = Found::new(self.view.as_of, self.view.folded_to);
        found.others.clone_from(&self.view.incidents);
        incidents.into_iter().for_each(|incident| found.add(incident.clone()));
        found
    }

    async fn report(&self, found: Found, of: &Of) -> Report {
        gather(&self.log, &Losses::default(), found, of).await.unwrap()
    }

    pub(crate) async fn all(&self) -> Report {
        let all = Selection { severity: Severity::Notice, ..Selection::default() };
        self.report(self.found(self.view.incidents.iter().chain(&self.view.notices)), &Of::Many(all)).await
    }

    pub(crate) async fn one(&self, id: &str) -> Report {
        let one = self.view.incidents.iter().chain(&self.view.notices).find(|one| one.id == id);
        self.report(self.found(one), &Of::One(id.to_owned())).await
    }
}

/// Rows without what only records before the incident tell: how long something had run.
fn without_lengths(rows: &[Row]) -> Vec<(Option<String>, &'static str, String, u64)> {
    let end = |text: &str| text.split_once(", after ").and_then(|(_, rest)| Some(rest[rest.find(": ")?..].to_owned()));
    let text = |row: &Row| row.text.split(", ").next().unwrap_or_default().to_owned() + &end(&row.text).unwrap_or_default();
    rows.iter().map(|row| (row.record.clone(), row.what, text(row), row.folded)).collect()
}

/// How many failures a row tells of.
fn failures(row: &Row) -> usize {
    let ended = row.text.contains("ended");
    match row.text.strip_prefix("… ").and_then(|rest| rest.split_once(" more times")) {
        Some((turns, _)) if ended => turns.parse().unwrap(),
        Some(_) => 0,
        None => usize::from(row.what == "failure"),
    }
}

/// Every record once, in order of time, and every failure among them.
fn check_timeline(incident: &Shown, rows: &[Row]) {
    let id = &incident.id;
    assert!(!rows.is_empty() && rows.len() <= MAX_ROWS, "{id}: {} rows", rows.len());
    assert!(rows.is_sorted_by_key(|row| row.time), "{id}: {rows:#?}");
    let records: Vec<&String> = rows.iter().filter_map(|row| row.record.as_ref()).collect();
    assert_eq!(records.iter().collect::<BTreeSet<_>>().len(), records.len(), "{id}: a record stands twice: {rows:#?}");
    let total: u64 = rows.iter().map(|row| row.folded + u64::from(row.record.is_some())).sum();
    assert!(total >= 1 && rows.iter().all(|row| !row.text.is_empty()), "{id}");
    let listed = rows.iter().all(|row| row.record.is_some());
    if listed {
        let told: usize = rows.iter().map(failures).sum();
        assert_eq!(told, incident.failures.len(), "{id} {}: {rows:#?}", incident.title);
        assert!(total <= (FIRST_ITEMS + LAST_ITEMS + 100) as u64);
    }
}

/// A stack of open elements; the forms are written so that they are XML, too.
fn check_markup(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some((text, after)) = rest.split_once('<') {
        assert!(!text.contains('>') || open.last() == Some(&"style"), "a bare > in {text:?}");
        for reference in text.split('&').skip(1) {
            let name = reference.split_once(';').map(|(name, _)| name);
            assert!(matches!(name, Some("amp" | "lt" | "gt" | "quot" | "#39")), "&{reference}");
        }
        let (tag, after) = after.split_once('>').unwrap();
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed in the wrong order");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        let tag = tag.split(" title=").next().unwrap(); // The last attribute, and a text.
        let name = tag.trim_start_matches('/').split(' ').next().unwrap().to_owned();
        assert!(!["script", "img", "link", "iframe", "object", "base", "form"].contains(&name.as_str()), "<{tag}>");
        assert!(!tag.contains(" on") && !tag.contains("src=") && (!tag.contains(':') || tag.starts_with("meta ")), "<{tag}>");
        assert!(!tag.contains("href=") || tag.contains("href=\"#i"), "<{tag}>");
    }
    assert!(open.is_empty(), "{open:?}");
}

/// Spans of a thread follow each other, and what begins ends.
fn check_trace(trace: &str) {
    let trace: Value = serde_json::from_str(trace).unwrap();
    let mut threads: BTreeMap<(u64, u64), i64> = BTreeMap::new();
    let mut open: BTreeSet<String> = BTreeSet::new();
    for event in trace["traceEvents"].as_array().unwrap() {
        let at = |key: &str| event[key].as_i64();
        match event["ph"].as_str().unwrap() {
            "X" => {
                let thread = (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
                let (from, to) = (at("ts").unwrap(), at("ts").unwrap() + at("dur").unwrap());
                let before = threads.insert(thread, to);
                assert!(before.is_none_or(|before| before <= from) && from <= to, "{event} begins before {before:?}");
            }
            "b" => assert!(open.insert(event["id"].to_string())),
            "e" => assert!(open.remove(&event["id"].to_string())),
            "i" => assert!(at("ts").is_some() && !event["name"].as_str().unwrap().is_empty()),
            "M" => assert!(event["args"]["name"].is_string()),
            other => panic!("{other}"),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(trace["otherData"]["log"].is_string());
}

/// Every row of a table has the cells of its head.
fn check_markdown(text: &str) {
    let cells = |line: &str| line.replace("\\\\", "").replace("\\|", "").matches('|').count();
    let mut head = 0;
    for line in text.lines() {
        if !line.starts_with('|') {
            head = 0;
        } else if head == 0 {
            head = cells(line);
        } else {
            assert_eq!(cells(line), head, "{line}");
        }
    }
}

fn check(report: &Report) {
    for told in &report.incidents {
        check_timeline(&told.incident, &told.timeline);
    }
    let mut marked = BTreeSet::new();
    for lane in &report.lanes {
        let mut before = None;
        for span in &lane.spans {
            assert!(before.is_none_or(|before| before <= span.from) && span.to.is_none_or(|to| span.from <= to), "{lane:#?}");
            before = span.to;
        }
        let open = lane.spans.iter().filter(|span| span.to.is_none()).count();
        assert!(open == 0 || (open == 1 && before.is_none()), "{lane:#?}");
        marked.extend(lane.marks.iter().filter(|mark| mark.what == "failure").map(|mark| mark.record.clone()));
    }
    let judged: BTreeSet<String> =
        report.incidents.iter().flat_map(|told| &told.incident.failures).map(|failed| failed.record.clone()).collect();
    assert!(marked.is_subset(&judged), "a mark at what was no failure");
    check_markup(&report.render(Format::Html));
    check_trace(&report.render(Format::Perfetto));
    check_markdown(&report.render(Format::Markdown));
    let json: Value = serde_json::from_str(&report.render(Format::Json)).unwrap();
    assert_eq!(json["incidents"].as_array().unwrap().len(), report.incidents.len());
    let rows: usize = report.incidents.iter().map(|told| told.timeline.len()).sum();
    let csv = report.render(Format::Csv);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.records().map(Result::unwrap).count(), rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recording_makes_reports_that_hold() {
    let mut incidents = 0;
    for name in RECORDINGS {
        println!("{name}");
        let opened = Opened::recording(name).await;
        let all = opened.all().await;
        assert_eq!(all.incidents.len(), opened.view.incidents.len() + opened.view.notices.len());
        check(&all);
        for told in &all.incidents {
            let one = opened.one(&told.incident.id).await;
            assert!(one.is_one && one.incidents.len() == 1);
            assert_eq!(one.incidents[0].incident, told.incident, "{name}");
            assert_eq!(without_lengths(&one.incidents[0].timeline), without_lengths(&told.timeline), "{name}");
            check(&one);
            incidents += 1;
        }
    }
    assert!(incidents > 40, "{incidents}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_tells_the_story_in_order() {
    let opened = Opened::recording("compose-bad-deploy-a").await;
    let id = opened.view.incidents[0].id.clone();
    let report = opened.one(&id).await;
    let told: Vec<String> = report.incidents[0].timeline.iter().map(|row| format!("{}: {}", row.what, row.text)).collect();
    let order = [
        "stop: was stopped through Docker's API",
        "change: was made from acme/api:8; re-created: image acme/api:7 -> acme/api:8; config-hash",
        "failure: ended with exit 1, after 1.",
        "failure: … ",
        "change: was made from acme/api:7; re-created: image acme/api:8 -> acme/api:7",
        "start: started",
    ];
    let mut rest = told.as_slice();
    for begins in order {
        let place = rest.iter().position(|row| row.starts_with(begins)).unwrap_or_else(|| panic!("{begins} in {told:#?}"));
        rest = &rest[place + 1..];
    }
    assert!(told.len() <= 25, "the loop is told in one row: {told:#?}");

    let html = report.render(Format::Html);
    for says in [
        "rolled back after 46\u{a0}s",
        "<h1>shop/api crashed 9 times in 39\u{a0}s after a deploy, until it was rolled back.</h1>",
        "It was well since image acme/api:7 was back",
        "waits to be started",
        "default-src 'none'",
    ] {
        assert!(html.contains(says), "{says}");
    }
    let markdown = report.render(Format::Markdown);
    for says in [
        "**Status:** ◆ major crash-loop, rolled back after 46 s",
        "| **X** ended with exit 1",
        "### Timeline",
        "## Lessons learned",
        "| image | acme/api:7 | acme/api:8 |",
    ] {
        assert!(markdown.replace("\n## ", "\n### ").contains(says) || markdown.contains(says), "{says} in {markdown}");
    }
    assert!(html.contains(&report.manifest.log) && markdown.contains(&report.manifest.log));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_told_and_nothing_of_a_quiet_log() {
    let gap = Opened::recording("recorder-gap-c").await.all().await;
    assert!(!gap.manifest.gaps.is_empty(), "{:#?}", gap.manifest);
    assert!(gap.manifest.gaps.iter().all(|gap| gap.reason != "first-contact"));
    assert!(gap.render(Format::Markdown).contains("may be missing"));
    let quiet = Opened::recording("compose-good-c").await;
    let none = quiet.report(quiet.found([]), &Of::Many(Selection::default())).await;
    assert!(none.incidents.is_empty());
    assert!(none.render(Format::Html).contains("Nothing broke"));
    let stopped = none.lanes.iter().flat_map(|lane| &lane.marks).filter(|mark| mark.what == "stop").count();
    assert!(stopped > 0, "a planned stop is drawn");
}

/// Names that try what each form could be tricked by.
const HOSTILE: [&str; 6] = [
    "</title><script>alert(1)</script><b x=\"'",
    "a|b`c` @here #12 [x](https://e.example) ![y](//e.example)",
    "=HYPERLINK(\"http://e.example\")",
    "line\nend\r\u{2028}\u{202e}txt.exe\u{0}\u{1b}[2J",
    "\",\"traceEvents\":[]}",
    "<!-- --> &amp; <![CDATA[ ]]> \\",
];

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_are_text_and_nothing_else() {
    let mut tape = Tape::new();
    for (n, name) in HOSTILE.iter().enumerate() {
        let id = format!("{n:064}");
        let attributes = [("name", *name), ("image", *name), ("exitCode", "1"), ("com.docker.compose.project", ""), ("x", *name)];
        for action in ["create", "start", "oom", "die", "start", "die", "start", "die"] {
            tape.of(&id, action, &attributes).wait(2500);
        }
    }
    tape.wait(60_000).own("baseline", &[]);
    let report = Opened::tape(&tape).await.all().await;
    assert_eq!(report.incidents.len(), HOSTILE.len());
    check(&report);
    for format in [Format::Html, Format::Markdown, Format::Csv] {
        let text = report.render(format);
        assert!(format == Format::Csv || !text.contains("<script"), "{format:?}");
        assert!(!text.contains(['\u{202e}', '\u{2028}', '\u{0}', '\u{1b}']), "{format:?}");
        assert!(text.contains("\\\\u{202e}") || text.contains("\\u{202e}"), "what disguises is spelled out: {format:?}");
    }
    let markdown = report.render(Format::Markdown).replace("\\]", "").replace("\\#<!-- -->", "").replace("@<!-- -->", "");
    for acts in ["@", "#12", "](", "https://"] {
        assert!(!markdown.contains(acts), "{acts} in {markdown}");
    }
    for line in report.render(Format::Csv).lines() {
        assert!(!line.starts_with('=') && !line.contains(",=") && !line.contains(",\"="), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_story_is_told_within_bounds() {
    let mut tape = Tape::new();
    let id = format!("{:064}", 1);
    tape.run(&id).wait(30_000);
    // Each death is like no other, so that nothing melts.
    for n in 0..600 {
        tape.die(&id, &(n % 97 + 1).to_string()).wait(200).start(&id).wait(300);
    }
    tape.die(&id, "1").wait(90_000).own("baseline", &[]);
    let report = Opened::tape(&tape).await.all().await;
    let told = &report.incidents[0];
    assert!(told.timeline.len() <= MAX_ROWS);
    let unlisted: u64 = told.timeline.iter().filter(|row| row.record.is_none()).map(|row| row.folded).sum();
    let listed = told.timeline.iter().filter(|row| row.record.is_some()).count() as u64;
    assert!(listed + unlisted >= 1200, "{listed} and {unlisted}");
    check(&report);
}

/// More of everything than a report holds, of names that grow where they are escaped.
#[tokio::test(flavor = "multi_thread")]
async fn the_worst_report_is_bounded_in_bytes() {
    const BYTES: usize = 24 << 20;
    let mut tape = Tape::new();
    let name = |n: usize| format!("{n}{}", "\"".repeat(180));
    let many = MAX_INCIDENTS + 10;
    for n in 0..many {
        tape.of(&format!("{n:064}"), "start", &[("name", &name(n)), ("image", "app:1")]);
    }
    for turn in 0..30 {
        for n in 0..many {
            let (id, code) = (format!("{n:064}"), (turn + 1).to_string());
            tape.of(&id, "die", &[("name", &name(n)), ("exitCode", &code)]).of(&id, "start", &[("name", &name(n))]);
        }
    }
    tape.wait(60_000).own("baseline", &[]);
    let report = Opened::tape(&tape).await.all().await;
    assert!(report.incidents.len() == MAX_INCIDENTS || report.incidents[0].incident.subjects.len() > 1, "{}", report.incidents.len());
    let rows: usize = report.incidents.iter().map(|told| told.timeline.len()).sum();
    assert!(rows <= MAX_ALL_ROWS, "{rows}");
    for format in [Format::Html, Format::Markdown, Format::Json, Format::Perfetto, Format::Csv] {
        let bytes = report.render(format).len();
        assert!(bytes < BYTES, "{format:?}: {bytes}");
    }
    check(&report);
}
