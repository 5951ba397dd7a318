//! One open event stream, read to its end. Nothing here waits for the recorder.

use super::Timing;
use super::engine::Engine;
use super::error::IngestError;
use super::health::Marker;
use super::observe::Observer;
use super::replay::Replay;
use super::wire::{EventStream, Task};
use crate::event::Event;
use crate::ingest::lines::{Line, LineSplitter, MAX_LINE_BYTES, sample};
use crate::ingest::{Input, SourceFeed, StatusHandle};
use crate::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// How reading ended.
pub(super) enum End {
    /// Something went wrong, or the daemon ended it.
    Failed(IngestError),
    /// Nobody wants to read on: the recorder is gone, or it is time to stop.
    Closed,
}

/// What happened next.
enum Step {
    Bytes(Result<bytes::Bytes, IngestError>),
    Quiet,
    Flushed,
    Closed,
}

pub(super) struct Reading<'a> {
    stream: EventStream,
    splitter: LineSplitter,
    lines: Lines<'a>,
}

/// Where lines go.
struct Lines<'a> {
    feed: &'a mut SourceFeed,
    status: &'a StatusHandle,
    replay: Replay,
    received: Timestamp,
    events: u64,
    marker: Option<Marker>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(feed: &'a mut SourceFeed, status: &'a StatusHandle, timing: &Timing, stream: EventStream) -> Self {
        let replay = Replay::new(stream.requested, stream.date, timing.replay_quiet);
        let lines = Lines { feed, status, replay, received: stream.requested, events: 0, marker: None };
        Self { stream, splitter: LineSplitter::default(), lines }
    }

    /// Reads until the stream ends. May be dropped at any time.
    pub(super) async fn run(mut self, host: Arc<str>, engine: Option<Engine>, observer: Observer) -> End {
        let observations = self.lines.feed.observations();
        let heard = Arc::new(AtomicBool::new(true));
        let _watching = engine.clone().map(|engine| {
            let (host, heard, status) = (Arc::clone(&host), Arc::clone(&heard), self.lines.status.clone());
            Task::spawn(async move { engine.watch(host, heard, status).await })
        });
        self.lines.marker = Some(observer.probes.marker(engine.as_ref().map(|engine| engine.docker.clone())));
        // Once the replay has been read, so that what it tells of earlier times does not come after newer states.
        let mut to_observe = engine.map(|engine| observer.observe(host, engine.docker, observations.clone()));
        let mut _observing = None;
        loop {
            let step = tokio::select! {
                biased;
                () = observations.closed() => Step::Closed,
                bytes = self.stream.next() => Step::Bytes(bytes),
                () = self.lines.replay.silence() => Step::Quiet,
                () = self.lines.feed.flush_overflow(), if self.lines.feed.overflowed() => Step::Flushed,
            };
            match step {
                Step::Bytes(Ok(bytes)) => {
                    heard.store(true, Relaxed);
                    self.take(&bytes);
                }
                Step::Bytes(Err(error)) => {
                    self.end();
                    return End::Failed(error);
                }
                Step::Quiet => self.lines.end_replay(),
                Step::Flushed => {}
                Step::Closed => return End::Closed,
            }
            if !self.lines.replay.is_open()
                && let Some(observe) = to_observe.take()
            {
                _observing = Some(Task::spawn(observe));
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let Self { splitter, lines, .. } = self;
        lines.replay.heard();
        lines.received = Timestamp::now();
        splitter.push(bytes, |line| lines.take(line));
        lines.count();
    }

    /// The stream is over: a last line without its end is a line all the same.
    fn end(&mut self) {
        let Self { splitter, lines, .. } = self;
        lines.received = Timestamp::now();
        splitter.finish(|line| lines.take(line));
        lines.count();
    }
}

impl Lines<'_> {
    fn take(&mut self, line: Line<'_>) {
        let malformed =
            |bytes: u64, start: &[u8], why: String| Input::Malformed { received: self.received, bytes, why, sample: sample(start) };
        let input = match line {
            Line::Whole(line) => match Event::from_line(line) {
                Ok(event) => Input::Event { event: self.marked(event), received: self.received },
                Err(error) => malformed(line.len() as u64, line, error.to_string()),
            },
            Line::TooLong { bytes, start } => malformed(bytes, start, format!("the line is longer than {MAX_LINE_BYTES} bytes")),
        };
        if self.replay.is_open() {
            let time = if let Input::Event { event, .. } = &input { event.fields().time } else { None };
            if let Some(end) = self.replay.before_line(time) {
                self.feed.send_reserved(end);
            }
        }
        self.events += u64::from(matches!(input, Input::Event { .. }));
        self.feed.offer(input);
    }

    fn marked(&self, event: Event) -> Event {
        match &self.marker {
            Some(marker) => marker.mark(event),
            None => event,
        }
    }

    fn end_replay(&mut self) {
        if let Some(end) = self.replay.end() {
            self.feed.send_reserved(end);
        }
    }

    /// Once per chunk rather than per line, since the status is behind a lock.
    fn count(&mut self) {
        let events = std::mem::take(&mut self.events);
        if events > 0 {
            self.status.read(events, self.received);
        }
    }
}
