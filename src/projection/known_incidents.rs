//! The incidents of a log that goes on: the fold's state, kept from one question to the next.
//!
//! Nothing is read at start. The first question folds the log, each later one what came since. What was
//! folded stays when a question is given up half-way. The answer is a function of the records that are kept:
//! when retention has taken some, the log is folded again.

use super::incidents::{self, Ids, State, View};
use crate::cursor::Sequence;
use crate::log::{EventLog, LogError};
use crate::reader::{Reader, Step, Want};
use crate::time::Timestamp;
use std::sync::Arc;
use tokio::sync::Mutex;

/// What has been found in one log so far.
#[derive(Debug, Default)]
pub struct KnownIncidents(Mutex<Folded>);

#[derive(Debug, Default)]
struct Folded {
    state: State,
    ids: Ids,
    /// Everything up to here has been folded.
    through: Sequence,
    /// The oldest record at that time.
    oldest: Sequence,
}

impl KnownIncidents {
    /// All incidents that began in the records kept, as of a time up to which everything received is in the
    /// log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn view(&self, log: &Arc<dyn EventLog>, as_of: Timestamp) -> Result<View, LogError> {
        let mut folded = self.0.lock().await;
        folded.read(log, Timestamp::MAX).await?;
        Ok(incidents::view(&folded.state, &folded.ids, as_of))
    }
}

/// All incidents as they were known at a time: from the records received by then. The whole log is folded for
/// it.
///
/// # Errors
/// When the log cannot be read.
pub async fn known_at(log: &Arc<dyn EventLog>, at: Timestamp) -> Result<View, LogError> {
    let mut folded = Folded::default();
    folded.read(log, at).await?;
    Ok(incidents::view(&folded.state, &folded.ids, at))
}

impl Folded {
    /// Folds what came since, but for what was received after `until`.
    async fn read(&mut self, log: &Arc<dyn EventLog>, until: Timestamp) -> Result<(), LogError> {
        let bounds = log.bounds();
        if self.oldest != bounds.oldest {
            *self = Self { oldest: bounds.oldest, through: bounds.oldest.saturating_sub(1), ..Self::default() };
        }
        let mut reader = Reader::new(Arc::clone(log), self.through, Want { until: bounds.head, ..Want::default() });
        while let Some(step) = reader.next().await? {
            if let Step::Records(selection) = step {
                let first = selection.sequences().next().and_then(|seq| selection.block.cursor(seq).parse().ok());
                if let Some(first) = first {
                    self.ids.note(first);
                }
                let records = selection.sequences().filter_map(|seq| selection.block.record(seq));
                records.filter(|record| record.received <= until).for_each(|record| incidents::step(&mut self.state, &record));
            }
            self.through = reader.position();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::log::{EmbeddedLog, NewRecord};

    const SECOND: i64 = 1_000_000_000;

    fn died(at: i64, action: &str) -> NewRecord {
        let (time, time_nano) = (at / SECOND, at);
        let line = format!(
            r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{:064}","Attributes":{{"name":"db","image":"db:1","exitCode":"1"}}}},"scope":"local","time":{time},"timeNano":{time_nano}}}"#,
            7
        );
        NewRecord { source: "local".into(), received: Timestamp::from_nanos(at), event: Event::from_line(line.as_bytes()).unwrap() }
    }

    #[tokio::test]
    async fn a_question_goes_on_where_the_last_one_ended() {
        let dir = tempfile::tempdir().unwrap();
        let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
        let known = KnownIncidents::default();
        let at = |seconds: i64| Timestamp::from_nanos(seconds * SECOND);
        assert_eq!(known.view(&log, at(0)).await.unwrap().incidents.len(), 0);

        log.append(vec![died(10 * SECOND, "start"), died(100 * SECOND, "die")]).await.unwrap();
        let crash = known.view(&log, at(110)).await.unwrap();
        assert_eq!((crash.incidents.len(), crash.folded_to), (1, 2));

        log.append((0..3).flat_map(|n| [died((120 + 2 * n) * SECOND, "start"), died((121 + 2 * n) * SECOND, "die")]).collect())
            .await
            .unwrap();
        let now = known.view(&log, at(200)).await.unwrap();
        assert_eq!(now, KnownIncidents::default().view(&log, at(200)).await.unwrap(), "as if all had been folded at once");
        assert!(now.incidents[0].revision > crash.incidents[0].revision && now.incidents[0].id == crash.incidents[0].id);
        // As of then, nothing of what came later is known.
        assert_eq!(known_at(&log, at(110)).await.unwrap(), crash);
    }
}
