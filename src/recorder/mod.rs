//! The recorder: takes what sources tell, drops what is stored already, judges continuity, and appends.
//! Nothing else appends to a host's log. It asks no Docker host anything, lets no secret pass that `redact`
//! finds, and calls no reconnect gapless without proof.

mod continuity;
mod lines;
mod memory;
mod redaction;
mod refusal;
mod stats;
pub mod ticks;

pub use stats::RecorderStats;

use crate::event::Event;
use crate::ingest::{Input, QueueReceiver, Tagged};
use crate::log::{EventLog, LogError, NewRecord, Recovery, WriterState};
use crate::reader::{Reader, Step, Want};
use crate::redact::{Redactor, Rules};
use crate::time::{Clock, Timestamp};
use continuity::Continuity;
use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Inputs taken from the queue at a time; what queues meanwhile goes into the next commit.
const BATCH: usize = 512;
/// Records of one replay that are held back for its verdict: the ring and what was observed beside it.
const MAX_REPLAY_RECORDS: usize = 2048;
/// Bytes that they may hold.
const MAX_REPLAY_BYTES: usize = 16 * 1024 * 1024;
/// How long they are held back. The ring comes in one burst; where a daemon's clock is behind, its live
/// events look like replayed ones, and must not wait for the end of a replay that they prolong.
const MAX_REPLAY_WAIT: Duration = Duration::from_millis(500);
/// While the disk is full, how often it is tried again.
const ROOM_POLL: Duration = Duration::from_millis(250);
/// How often it is looked at whether the wall clock was set.
const CLOCK_LOOK: Duration = Duration::from_secs(1);
/// `source` of the records that concern the recorder as a whole.
pub const SELF_SOURCE: &str = "shipslog";

/// Writes the log.
pub struct Recorder {
    log: Arc<dyn EventLog>,
    stats: Arc<RecorderStats>,
    redactor: Redactor,
    drop_noise: bool,
    sources: HashMap<Arc<str>, Continuity>,
    /// Records of the replay under way, by source. They are stored after its verdict: were they stored
    /// before it, a kill in between would leave an overlap that proves nothing.
    replays: HashMap<Arc<str>, HeldBack>,
    clock: Arc<Clock>,
    /// The look back reached the log's beginning: a source that is not in `sources` has no events in the log.
    saw_all: bool,
    batch: Vec<NewRecord>,
}

/// Records of a replay that wait for its verdict.
struct HeldBack {
    since: Instant,
    records: Vec<NewRecord>,
    /// Of all messages among them.
    bytes: usize,
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
        Self::start_by(Clock::of_process(), log, recovery, stats).await
    }

    async fn start_by(clock: Arc<Clock>, log: Arc<dyn EventLog>, recovery: &Recovery, stats: Arc<RecorderStats>) -> Result<Self, LogError> {
        let (sources, saw_all) = memory::remember(&log).await?;
        let fresh = log.bounds().head == 0;
        let redactor = Redactor::new(Rules::none());
        let (replays, batch) = (HashMap::new(), Vec::new());
        let mut recorder = Self { log, stats, redactor, drop_noise: false, sources, replays, clock, saw_all, batch };
        for lost in &recovery.lost {
            let (from, to) = (lost.start().to_string(), lost.end().to_string());
            recorder.own(SELF_SOURCE, "gap", &[("reason", "damage"), ("from_seq", &from), ("to_seq", &to)]);
        }
        let stopped = if recovery.clean { "clean" } else { "unclean" };
        let mut attributes = vec![("version", env!("CARGO_PKG_VERSION"))];
        // The first start comes after no stop.
        if !fresh {
            attributes.push(("last_stop", stopped));
        }
        let forked = recovery.forked.map(|(ancestor, last)| (ancestor.to_string(), last.to_string()));
        if let Some((ancestor, last)) = &forked {
            attributes.extend([("ancestor", ancestor.as_str()), ("ancestor_last", last)]);
        }
        recorder.own(SELF_SOURCE, "start", &attributes);
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
    pub async fn run(mut self, mut receiver: QueueReceiver) {
        self.stats.watch_queue(receiver.gauge());
        let mut inputs = Vec::with_capacity(BATCH);
        loop {
            inputs.clear();
            // Time out: nothing came, but the clock may have been set.
            if let Ok(0) = tokio::time::timeout(CLOCK_LOOK, receiver.recv_many(&mut inputs, BATCH)).await {
                break;
            }
            self.look_at_the_clock();
            for Tagged { source, input } in inputs.drain(..) {
                self.take(&source, input).await;
            }
            // After a failed write the log is poisoned and has said so; the queue is drained and counted even
            // so, since a reader that stops reading would slow the Docker daemon.
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
                self.take_event(source, event, received).await;
            }
            Input::Observed { event, received } => self.add(NewRecord { source: Arc::clone(source), received, event }),
            Input::Connected { engine, reason, attempts } => {
                self.continuity(source).connected();
                let attempts = attempts.to_string();
                let attributes = [("engine", &*engine), ("reason", &reason), ("attempts", &attempts)];
                // The usual one attempt is not worth a word.
                let told = if attempts == "1" { attributes.get(..2).unwrap_or_default() } else { &attributes };
                self.own(source, "connect", told);
                self.replays.insert(Arc::clone(source), HeldBack { since: Instant::now(), records: Vec::new(), bytes: 0 });
            }
            Input::ReplayEnd { replayed, first } => {
                self.continuity(source).saw_ring();
                self.conclude(source, replayed, first);
            }
            Input::ReplayLost { why } => {
                let replay = self.replays.remove(source).map(|held| held.records);
                let verdict = self.continuity(source).judge_without_proof(Timestamp::now());
                let mut attributes = verdict.attributes();
                attributes.push(("why", &why));
                self.own(source, verdict.action, &attributes);
                self.batch.extend(replay.into_iter().flatten());
            }
            Input::Malformed(line) => self.take_malformed(source, line).await,
            Input::Overflow { lost, from, until } => {
                let (lost, from, until) = (lost.to_string(), from.to_string(), until.to_string());
                self.own(source, "gap", &[("reason", "queue-overflow"), ("from", &from), ("until", &until), ("lost", &lost)]);
            }
            Input::Disconnected { reason, doubt } => {
                self.cut_short(source);
                let Some(doubt) = doubt else { return self.own(source, "disconnect", &[("reason", &reason)]) };
                // Also for the run after a crash.
                let (lines, since) = (doubt.lines.to_string(), doubt.since.to_string());
                self.own(source, "disconnect", &[("reason", &reason), (memory::DOUBTFUL, &lines), (memory::DOUBTFUL_SINCE, &since)]);
                self.continuity(source).doubt(doubt);
            }
        }
    }

    /// Stores an event that is not stored yet, and tells whether it was one.
    async fn take_event(&mut self, source: &Arc<str>, event: Event, received: Timestamp) -> bool {
        self.stats.received.fetch_add(1, Relaxed);
        if self.continuity(source).is_doubtful(&event) && self.is_stored(source, &event).await {
            self.continuity(source).found_stored(&event);
            self.stats.duplicates.fetch_add(1, Relaxed);
            return false;
        }
        if !self.continuity(source).is_new(&event) {
            self.stats.duplicates.fetch_add(1, Relaxed);
            return false;
        }
        if self.drop_noise && event.noise().is_some() {
            // Known from now on, so that it proves as much as others while this process lives.
            self.stats.dropped_noise.fetch_add(1, Relaxed);
            return false;
        }
        self.stats.count_action(&event);
        self.add(NewRecord { source: Arc::clone(source), received, event });
        true
    }

    fn continuity(&mut self, source: &Arc<str>) -> &mut Continuity {
        let saw_all = self.saw_all;
        let nothing = || Continuity::remembering(RandomState::new(), std::iter::empty(), saw_all);
        self.sources.entry(Arc::clone(source)).or_insert_with(nothing)
    }

    /// Records that the wall clock was set, if it was.
    fn look_at_the_clock(&mut self) {
        if let Some(step) = self.clock.step() {
            let (from, to) = (step.from.to_string(), step.to.to_string());
            tracing::warn!(from, to, "the wall clock was set");
            self.own(SELF_SOURCE, "clock", &[("from", &from), ("to", &to)]);
        }
    }

    /// Looks an event up in the log by its own time. Slow beside the memory of [`Continuity`], which answers
    /// for all but the replay of a host that has been quiet while others were busy.
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
        let event = Event::recorder(action, source, attributes, self.clock.wall());
        self.add(NewRecord { source: source.into(), received: self.clock.now(), event });
    }

    /// Adds a record, after the verdict if one is due.
    fn add(&mut self, record: NewRecord) {
        let Some(held) = self.replays.get_mut(&record.source) else {
            self.batch.push(record);
            return;
        };
        let source = Arc::clone(&record.source);
        held.bytes += record.event.as_json().len();
        held.records.push(record);
        if held.records.len() > MAX_REPLAY_RECORDS || held.bytes > MAX_REPLAY_BYTES || held.since.elapsed() > MAX_REPLAY_WAIT {
            self.cut_short(&source);
        }
    }

    /// Stores the verdict on a replay, then what was new in it.
    fn conclude(&mut self, source: &Arc<str>, replayed: u64, first: Option<Timestamp>) {
        let Some(held) = self.replays.remove(source) else { return };
        let now = self.clock.wall();
        let verdict = self.continuity(source).judge(replayed, first, now);
        self.own(source, verdict.action, &verdict.attributes());
        self.batch.extend(held.records);
    }

    /// Concludes a replay by as much as came of it. Without an overlap so far that is a gap: events *may* be
    /// missing.
    fn cut_short(&mut self, source: &Arc<str>) {
        if let Some(HeldBack { records, .. }) = self.replays.get(source) {
            let first = records.iter().filter_map(|record| record.event.fields().time).min();
            let replayed = records.len() as u64;
            self.conclude(source, replayed, first);
        }
    }

    /// Stores what waits. While the disk is full it waits on, and the queue in front counts what it cannot
    /// hold; see [`Self::wait_for_room`].
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
            Err(e) if refusal::is_one(&e) => self.flush_one_by_one().await,
            Err(e) => {
                self.batch.clear();
                self.stats.lost.fetch_add(count as u64, Relaxed);
                Err(e)
            }
        }
    }

    /// Returns when the log may take records again, or after a moment.
    async fn wait_for_room(&self) {
        let mut state = self.log.watch_writer();
        let room = state.wait_for(|state| !matches!(state, WriterState::Full(_)));
        let _ = tokio::time::timeout(ROOM_POLL, room).await;
    }
}

#[cfg(test)]
mod tests;
