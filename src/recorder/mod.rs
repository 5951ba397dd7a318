//! The recorder: the only writer. Takes what sources tell, drops what is stored already, judges continuity, appends.

mod continuity;
mod memory;
mod redaction;
mod stats;

pub use stats::RecorderStats;

use crate::event::Event;
use crate::ingest::{Inbox, Input, Tagged};
use crate::log::{EventLog, LogError, NewRecord, Recovery, WriterState};
use crate::reader::{Reader, Step, Want};
use crate::redact::{Redactor, Rules};
use crate::time::Timestamp;
use continuity::Continuity;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Inputs taken from the queue at a time; what queues meanwhile goes into the next commit.
const BATCH: usize = 512;
/// Records of one replay that are held back for its verdict: the ring and what was observed beside it.
const MAX_REPLAY_RECORDS: usize = 2048;
/// Bytes that they may hold.
const MAX_REPLAY_BYTES: usize = 16 * 1024 * 1024;
/// How long they are held back. The ring comes in one burst; where a daemon's clock is behind, its live events look like replayed ones, and
/// must not wait for the end of a replay that they prolong.
const MAX_REPLAY_WAIT: Duration = Duration::from_millis(500);
/// While the disk is full, how often it is tried again.
const ROOM_POLL: Duration = Duration::from_millis(250);
/// `source` of the records that concern the recorder as a whole.
const SELF_SOURCE: &str = "shipslog";

/// Writes the log.
pub struct Recorder {
    log: Arc<dyn EventLog>,
    stats: Arc<RecorderStats>,
    redactor: Redactor,
    drop_noise: bool,
    sources: HashMap<Arc<str>, Continuity>,
    /// Records of the replay under way, by source. They are stored behind its verdict: were they stored before it, a kill in between
    /// would leave an overlap that proves nothing.
    replays: HashMap<Arc<str>, (Instant, Vec<NewRecord>)>,
    /// The look back reached the log's beginning: a source that is not in `sources` has no events in the log.
    saw_all: bool,
    batch: Vec<NewRecord>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    /// Learns from the log what was stored last, and records the start (and what recovery found lost).
    ///
    /// # Errors
    /// When the log can be neither read nor written.
    pub async fn start(log: Arc<dyn EventLog>, recovery: &Recovery, stats: Arc<RecorderStats>) -> Result<Self, LogError> {
        let (sources, saw_all) = memory::remember(&log).await?;
        let redactor = Redactor::new(Rules::none());
        let mut recorder = Self { log, stats, redactor, drop_noise: false, sources, replays: HashMap::new(), saw_all, batch: Vec::new() };
        for lost in &recovery.lost {
            let (from, to) = (lost.start().to_string(), lost.end().to_string());
            recorder.own(SELF_SOURCE, "gap", &[("reason", "damage"), ("from_seq", &from), ("to_seq", &to)]);
        }
        let stopped = if recovery.clean { "clean" } else { "unclean" };
        recorder.own(SELF_SOURCE, "start", &[("version", env!("CARGO_PKG_VERSION")), ("last_stop", stopped)]);
        match recorder.flush().await {
            // What there is to say is said when there is room.
            Ok(()) | Err(LogError::Full { .. }) => Ok(recorder),
            Err(e) => Err(e),
        }
    }

    /// With secrets taken out of everything that comes, before anything else is done with it.
    #[must_use]
    pub fn redacting(self, redactor: Redactor) -> Self {
        Self { redactor, ..self }
    }

    /// With what is marked as noise counted and not stored, if `drop`.
    #[must_use]
    pub fn dropping_noise(self, drop: bool) -> Self {
        Self { drop_noise: drop, ..self }
    }

    /// Time of the newest event of a source, in order of arrival, that the log holds.
    pub fn newest(&self, source: &str) -> Option<Timestamp> {
        self.sources.get(source).and_then(Continuity::newest)
    }

    /// Records until every source is gone, then records the stop.
    pub async fn run(mut self, mut inbox: Inbox) {
        self.stats.watch_queue(inbox.gauge());
        let mut inputs = Vec::with_capacity(BATCH);
        loop {
            inputs.clear();
            if inbox.recv_many(&mut inputs, BATCH).await == 0 {
                break;
            }
            for Tagged { source, input } in inputs.drain(..) {
                self.take(&source, input).await;
            }
            // After a failed write the log is poisoned and has said so; the queue is drained and counted even so, since a
            // reader that stops reading would slow the Docker daemon.
            while let Err(LogError::Full { .. }) = self.flush().await {
                self.wait_for_room().await;
            }
        }
        for source in self.replays.keys().cloned().collect::<Vec<_>>() {
            self.cut_short(&source);
        }
        self.own(SELF_SOURCE, "stop", &[("version", env!("CARGO_PKG_VERSION"))]);
        let _ = self.flush().await;
    }

    async fn take(&mut self, source: &Arc<str>, input: Input) {
        match self.without_secrets(input) {
            Input::Event { event, received } => {
                self.stats.received.fetch_add(1, Relaxed);
                if self.continuity(source).is_doubtful(&event) && self.is_stored(source, &event).await {
                    self.continuity(source).found_stored(&event);
                    self.stats.duplicates.fetch_add(1, Relaxed);
                } else if self.continuity(source).is_new(&event) {
                    if self.drop_noise && event.noise().is_some() {
                        // Known from now on, so that it proves as much as others while this process lives.
                        self.stats.dropped_noise.fetch_add(1, Relaxed);
                        return;
                    }
                    self.stats.count_action(&event);
                    self.add(NewRecord { source: Arc::clone(source), received, event });
                } else {
                    self.stats.duplicates.fetch_add(1, Relaxed);
                }
            }
            Input::Observed { event, received } => self.add(NewRecord { source: Arc::clone(source), received, event }),
            Input::Connected { engine, reason } => {
                self.continuity(source).connected();
                self.own(source, "connect", &[("engine", &engine), ("reason", &reason)]);
                self.replays.insert(Arc::clone(source), (Instant::now(), Vec::new()));
            }
            Input::ReplayEnd { replayed, first } => {
                self.continuity(source).saw_ring();
                self.conclude(source, replayed, first);
            }
            Input::Malformed { received, bytes, why, sample } => {
                self.stats.malformed.fetch_add(1, Relaxed);
                let (time, bytes) = (received.to_string(), bytes.to_string());
                let attributes = [
                    ("reason", "malformed"),
                    ("from", &*time),
                    ("until", &time),
                    ("lost", "1"),
                    ("why", &why),
                    ("bytes", &bytes),
                    ("sample", &sample),
                ];
                self.own(source, "gap", &attributes);
            }
            Input::Overflow { lost, from, until } => {
                let (lost, from, until) = (lost.to_string(), from.to_string(), until.to_string());
                self.own(source, "gap", &[("reason", "queue-overflow"), ("from", &from), ("until", &until), ("lost", &lost)]);
            }
            Input::Disconnected { reason, doubt } => {
                self.cut_short(source);
                let Some(doubt) = doubt else { return self.own(source, "disconnect", &[("reason", &reason)]) };
                // Also for whoever comes after a crash.
                let (lines, since) = (doubt.lines.to_string(), doubt.since.to_string());
                self.own(source, "disconnect", &[("reason", &reason), (memory::DOUBTFUL, &lines), (memory::DOUBTFUL_SINCE, &since)]);
                self.continuity(source).doubt(doubt);
            }
        }
    }

    fn continuity(&mut self, source: &Arc<str>) -> &mut Continuity {
        let saw_all = self.saw_all;
        self.sources.entry(Arc::clone(source)).or_insert_with(|| Continuity::remembering([].iter(), saw_all))
    }

    /// Looks an event up in the log by its own time. Slow beside the memory of [`Continuity`], which answers for all but the replay
    /// of a host that has been quiet while others were busy.
    async fn is_stored(&self, source: &Arc<str>, event: &Event) -> bool {
        let Some(time) = event.fields().time else { return false };
        let want = Want { time: time..=time, ..Want::default() };
        let mut reader = Reader::new(Arc::clone(&self.log), self.log.bounds().oldest - 1, want);
        while let Ok(Some(step)) = reader.next().await {
            if let Step::Records(selection) = step {
                let block = &selection.block;
                let same = |seq| block.record(seq).is_some_and(|r| r.source == *source && continuity::is_same(&r.event, event));
                if selection.sequences().any(same) {
                    return true;
                }
            }
        }
        false
    }

    /// Adds a record of the recorder's own.
    fn own(&mut self, source: &str, action: &str, attributes: &[(&str, &str)]) {
        let now = Timestamp::now();
        self.add(NewRecord { source: source.into(), received: now, event: Event::recorder(action, source, attributes, now) });
    }

    /// Adds a record, behind the verdict if one is due.
    fn add(&mut self, record: NewRecord) {
        let Some((began, replay)) = self.replays.get_mut(&record.source) else {
            self.batch.push(record);
            return;
        };
        let source = Arc::clone(&record.source);
        replay.push(record);
        let bytes: usize = replay.iter().map(|record| record.event.as_json().len()).sum();
        if replay.len() > MAX_REPLAY_RECORDS || bytes > MAX_REPLAY_BYTES || began.elapsed() > MAX_REPLAY_WAIT {
            self.cut_short(&source);
        }
    }

    /// Stores the verdict on a replay, then what was new in it.
    fn conclude(&mut self, source: &Arc<str>, replayed: u64, first: Option<Timestamp>) {
        let Some((_, replay)) = self.replays.remove(source) else { return };
        let verdict = self.continuity(source).judge(replayed, first, Timestamp::now());
        self.own(source, verdict.action, &verdict.attributes());
        self.batch.extend(replay);
    }

    /// Concludes a replay by as much as came of it. Without an overlap so far that is a gap: events *may* be missing.
    fn cut_short(&mut self, source: &Arc<str>) {
        if let Some((_, replay)) = self.replays.get(source) {
            let first = replay.iter().filter_map(|record| record.event.fields().time).min();
            let replayed = replay.len() as u64;
            self.conclude(source, replayed, first);
        }
    }

    /// Stores what waits. While the disk is full it waits on, and the queue in front counts what it cannot hold; see [`Self::wait_for_room`].
    async fn flush(&mut self) -> Result<(), LogError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let count = self.batch.len();
        match self.log.append(self.batch.clone()).await {
            Ok(_) => {
                self.batch.clear();
                self.stats.stored.fetch_add(count as u64, Relaxed);
                Ok(())
            }
            Err(LogError::Full { why, stored }) => {
                self.batch.drain(..stored.min(count));
                self.stats.stored.fetch_add(stored as u64, Relaxed);
                Err(LogError::Full { why, stored })
            }
            Err(e) => {
                self.batch.clear();
                self.stats.lost.fetch_add(count as u64, Relaxed);
                Err(e)
            }
        }
    }

    /// Comes back when the log may take records again, or after a moment.
    async fn wait_for_room(&self) {
        let mut state = self.log.watch_writer();
        let room = state.wait_for(|state| !matches!(state, WriterState::Full(_)));
        let _ = tokio::time::timeout(ROOM_POLL, room).await;
    }
}

#[cfg(test)]
mod tests;
