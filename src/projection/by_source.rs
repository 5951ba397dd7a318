//! What the log tells of each Docker host, for graphs and alerts that outlive a restart: how many gaps there
//! are by reason, and the time of its last event.
//!
//! Nothing is read at start. The first question reads the log for it, by summaries, so that few frames are
//! unpacked; each later one what came since. What was found stays when a question is given up half-way.

use crate::cursor::Sequence;
use crate::filter::Filter;
use crate::log::{EventLog, LogError};
use crate::reader::{Reader, ReverseReader, Step, Want};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Pairs of source and reason that are counted apart; whatever comes after them is counted together.
const MAX_PAIRS: usize = 1000;
/// What stands for those.
const OTHER: &str = "other";
/// What finds `gap` records.
const GAPS: &str = r#"{"type":["recorder"],"event":["gap"]}"#;
/// What an event of a Docker host is not.
const OWN: &str = r#"{"type":["recorder"]}"#;

/// Counts and times by source.
#[derive(Debug, Default)]
pub struct BySource(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    gaps: BTreeMap<(String, String), u64>,
    /// Everything up to here has been looked at for gaps.
    counted: Sequence,
    newest: BTreeMap<String, Timestamp>,
    /// Everything up to here has been looked at for events, but for those of sources that have none yet, from
    /// `deep` down.
    seen: Sequence,
    deep: Sequence,
}

impl BySource {
    /// `gap` records by source and reason, those that retention has taken since this process began included.
    ///
    /// # Errors
    /// When the log cannot be read. What was counted until then stays.
    pub async fn gaps(&self, log: &Arc<dyn EventLog>) -> Result<BTreeMap<(String, String), u64>, LogError> {
        let mut state = self.0.lock().await;
        let bounds = log.bounds();
        let after = state.counted.max(bounds.oldest.saturating_sub(1));
        let mut reader = Reader::whole(Arc::clone(log), after, Want { until: bounds.head, ..Want::filtered(filter(Some(GAPS), None)?) });
        while let Some(step) = reader.next().await? {
            if let Step::Records(selection) = step {
                for record in selection.sequences().filter_map(|seq| selection.block.record(seq)) {
                    let view = record.event.view();
                    if record.event.is_own() && view.action.as_deref() == Some("gap") {
                        let pair = (record.source.to_string(), view.attribute("reason").unwrap_or(OTHER).to_owned());
                        let full = state.gaps.len() >= MAX_PAIRS && !state.gaps.contains_key(&pair);
                        let pair = if full { (OTHER.to_owned(), OTHER.to_owned()) } else { pair };
                        *state.gaps.entry(pair).or_default() += 1;
                    }
                }
            }
            state.counted = reader.position();
        }
        state.counted = state.counted.max(bounds.head);
        Ok(state.gaps.clone())
    }

    /// The time of the newest event, in order of arrival, of each of these sources that has one.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn newest(&self, log: &Arc<dyn EventLog>, sources: &[String]) -> Result<BTreeMap<String, Timestamp>, LogError> {
        let mut state = self.0.lock().await;
        let head = log.bounds().head;
        if state.seen == 0 {
            (state.seen, state.deep) = (head, head + 1);
        }
        let seen = state.seen;
        let mut found = BTreeMap::new();
        search(log, sources.to_vec(), head + 1, seen, &mut found, &mut |_| {}).await?;
        state.newest.append(&mut found);
        state.seen = head;
        let State { newest, deep, .. } = &mut *state;
        let without = sources.iter().filter(|source| !newest.contains_key(*source)).cloned().collect();
        search(log, without, *deep, 0, newest, &mut |position| *deep = position).await?;
        Ok(state.newest.clone())
    }
}

fn filter(filters: Option<&str>, exclude: Option<&str>) -> Result<Filter, LogError> {
    Filter::from_params(filters, exclude).map_err(|e| LogError::Refused(e.to_string()))
}

/// Looks for the newest event of each of `wanted`, from `before` downwards to the one after `floor`; `at` is
/// told how far it has come.
async fn search(
    log: &Arc<dyn EventLog>,
    mut wanted: Vec<String>,
    mut before: Sequence,
    floor: Sequence,
    found: &mut BTreeMap<String, Timestamp>,
    at: &mut impl FnMut(Sequence),
) -> Result<(), LogError> {
    while !wanted.is_empty() && before > floor + 1 {
        let sources = serde_json::json!({ "source": wanted }).to_string();
        let mut reader = ReverseReader::whole(Arc::clone(log), before, Want::filtered(filter(Some(&sources), Some(OWN))?));
        let many = wanted.len();
        // A source that is found is not looked for further down.
        while wanted.len() == many {
            let Some(step) = reader.next().await? else { return Ok(()) };
            if let Step::Records(selection) = step {
                for seq in selection.sequences().rev().take_while(|seq| *seq > floor) {
                    let source = selection.block.source(seq);
                    let place = wanted.iter().position(|wanted| *wanted == source);
                    if let Some((place, record)) = place.zip(selection.block.record(seq)) {
                        found.insert(wanted.swap_remove(place), record.time);
                    }
                }
            }
            before = reader.position();
            if before <= floor + 1 {
                return Ok(());
            }
            // Those that are left have nothing from here on upwards.
            at(before);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::log::{EmbeddedLog, Limits, NewRecord};
    use std::time::Duration;

    fn own(source: &str, action: &str, reason: &str) -> NewRecord {
        let event = Event::recorder(action, source, &[("reason", reason)], Timestamp::from_nanos(1));
        NewRecord { source: source.into(), received: Timestamp::from_nanos(1), event }
    }

    fn event(source: &str, second: i64) -> NewRecord {
        let line = format!(r#"{{"Type":"container","Action":"gap","Actor":{{"ID":"x"}},"timeNano":{}}}"#, second * 1_000_000_000);
        NewRecord { source: source.into(), received: Timestamp::from_nanos(1), event: Event::from_line(line.as_bytes()).unwrap() }
    }

    fn names(sources: &[&str]) -> Vec<String> {
        sources.iter().map(|name| (*name).to_owned()).collect()
    }

    #[tokio::test]
    async fn what_a_log_tells_survives_a_restart() {
        let dir = tempfile::TempDir::new().unwrap();
        let limits = || Limits { tip_records: 200, merge_after: Duration::from_secs(3600), ..Limits::default() };
        let open = || -> Arc<dyn EventLog> { Arc::new(EmbeddedLog::open_with(dir.path(), limits()).unwrap().0) };
        let log = open();
        let first = vec![event("b", 7), own("a", "gap", "first-contact"), own("b", "gap", "malformed"), own("a", "connect", "x")];
        log.append(first).await.unwrap();
        for n in 0..10 {
            log.append((0..100).map(|_| event("a", 100 + n)).collect()).await.unwrap();
        }
        log.append(vec![own("a", "gap", "malformed"), own("a", "gap", "malformed")]).await.unwrap();
        let by_source = BySource::default();
        let (sources, second) = (names(&["a", "b", "c"]), |n: i64| Timestamp::from_nanos(n * 1_000_000_000));
        let told = async |by_source: &BySource, log: &Arc<dyn EventLog>| {
            let gaps = by_source.gaps(log).await.unwrap().into_iter().map(|((source, reason), n)| format!("{source} {reason} {n}"));
            (gaps.collect::<Vec<_>>().join(", "), by_source.newest(log, &sources).await.unwrap())
        };
        let newest = |of: &[(&str, i64)]| of.iter().map(|(name, n)| ((*name).to_owned(), second(*n))).collect::<BTreeMap<_, _>>();
        let expected = ("a first-contact 1, a malformed 2, b malformed 1".to_owned(), newest(&[("a", 109), ("b", 7)]));
        assert_eq!(told(&by_source, &log).await, expected);
        assert_eq!(told(&by_source, &log).await, expected, "asked again");
        log.append(vec![event("c", 5), own("c", "gap", "malformed"), event("a", 3)]).await.unwrap();
        let expected =
            ("a first-contact 1, a malformed 2, b malformed 1, c malformed 1".to_owned(), newest(&[("a", 3), ("b", 7), ("c", 5)]));
        assert_eq!(told(&by_source, &log).await, expected, "by arrival, not by time");
        log.close().await.unwrap();
        drop(log);
        let lock = std::fs::File::open(dir.path().join("log/lock")).unwrap();
        tokio::task::spawn_blocking(move || lock.lock().unwrap()).await.unwrap();
        assert_eq!(told(&BySource::default(), &open()).await, expected, "after a restart");
    }

    #[tokio::test]
    async fn pairs_are_bounded() {
        let dir = tempfile::TempDir::new().unwrap();
        let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
        log.append((0..MAX_PAIRS + 5).map(|n| own(&format!("s{n}"), "gap", "malformed")).collect()).await.unwrap();
        let gaps = BySource::default().gaps(&log).await.unwrap();
        assert_eq!((gaps.len(), gaps[&(OTHER.to_owned(), OTHER.to_owned())]), (MAX_PAIRS + 1, 5));
    }
}
