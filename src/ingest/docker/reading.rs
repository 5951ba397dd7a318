//! One open event stream, read to its end. Nothing here waits for the recorder, beyond a moment
//! ([`SourceSender::make_room`]).

use super::Timing;
use super::engine::Engine;
use super::error::IngestError;
use super::failure::Failures;
use super::health::Marker;
use super::heard::Heard;
use super::lag::{CAUGHT_UP_AFTER, Lag};
use super::observe::Observer;
use super::replay::Replay;
use super::wire::EventStream;
use crate::event::Event;
use crate::ingest::lines::{Line, LineSplitter, MAX_LINE_BYTES, sample};
use crate::ingest::{Doubt, Input, Malformed, SourceSender, StatusHandle};
use crate::text::printable;
use crate::time::{Timestamp, received_now};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

/// After this much silence an old stream has nothing more that matters beside a new one.
const LAST_WORDS_QUIET: Duration = Duration::from_millis(20);
/// And no longer than this in all: the new one must not wait.
const LAST_WORDS_MAX: Duration = Duration::from_millis(500);

/// What a parser says of a line is kept up to this many characters: it may cite the line.
const MAX_WHY_CHARS: usize = 200;
/// Podman's history that stands still for so long is given up.
const HISTORY_QUIET: Duration = Duration::from_secs(5);
/// And one that takes longer than this in all: meanwhile nobody reads the stream.
const HISTORY_MAX: Duration = Duration::from_secs(60);

/// How reading ended.
pub(super) enum End {
    /// Something went wrong, or the daemon ended it.
    Failed(IngestError),
    /// The daemon answers nothing any more, but the stream is open, and something may still come.
    Silent,
    /// The daemon may have dropped events for us; only another connection can tell.
    Doubtful(Doubt),
    /// Nobody wants to read on: the recorder is gone, or it is time to stop.
    Closed,
}

/// What ends the wait for more.
enum Wake {
    Bytes(Result<Bytes, IngestError>),
    NoHistory,
    Quiet,
    Flushed,
    Silent,
    Deaf,
    CaughtUp,
    Closed,
}

/// Where lines go: the queue, and the status that people see.
pub(super) struct Sink {
    pub(super) sender: SourceSender,
    pub(super) status: StatusHandle,
    /// The latest time that an event carried.
    pub(super) newest: Option<Timestamp>,
    heard: Heard,
    received: Timestamp,
    /// Since the status was told last.
    events: u64,
    /// Events that no earlier stream had told, ever.
    pub(super) news: u64,
}

/// An open event stream.
pub(super) struct Reading {
    stream: EventStream,
    /// What was read of the stream already.
    held: VecDeque<Bytes>,
    /// What is read before the stream, to its end, and until when.
    history: Option<EventStream>,
    history_until: Instant,
    splitter: LineSplitter,
    lines: Lines,
    /// When bytes came last.
    heard: Instant,
}

/// What is known of one stream's lines.
struct Lines {
    replay: Replay,
    /// What was heard up to here is no news when it is replayed.
    known: Option<Timestamp>,
    /// All of a replay was heard before, or is news.
    is_ring: bool,
    lag: Lag,
    marker: Option<Marker>,
    failures: Option<Failures>,
}

impl Reading {
    /// `held`: what was read of the stream already. `known`: the time of the newest event heard before.
    pub(super) fn new(
        timing: &Timing,
        (stream, held): (EventStream, VecDeque<Bytes>),
        history: Option<EventStream>,
        known: Option<Timestamp>,
    ) -> Self {
        let replay = if stream.is_libpod { Replay::to_an_end() } else { Replay::new(stream.requested, stream.date, timing.replay_quiet) };
        let lines = Lines { replay, known, is_ring: !stream.is_libpod, lag: Lag::new(stream.requested), marker: None, failures: None };
        Self {
            stream,
            held,
            history,
            history_until: Instant::now() + HISTORY_MAX,
            splitter: LineSplitter::default(),
            lines,
            heard: Instant::now(),
        }
    }

    /// Has failures looked at that it tells of.
    pub(super) fn watched(mut self, failures: Option<Failures>) -> Self {
        self.lines.failures = failures;
        self
    }

    /// Reads until the stream ends, or is no longer to be trusted. May be dropped at any time.
    /// `is_flapping`: the stream before this one was not worth its connection.
    pub(super) async fn run(&mut self, sink: &mut Sink, engine: Option<Engine>, observer: &Observer, is_flapping: bool) -> End {
        let observations = sink.sender.observations();
        let heard = AtomicBool::new(true);
        let silence = silence(engine.as_ref(), &heard);
        tokio::pin!(silence);
        self.lines.marker = Some(observer.probes().marker(engine.clone()));
        // Once the replay has been read, so that what it tells of earlier times does not come after newer
        // states.
        let mut to_observe = engine.clone().map(|engine| observer.clone().run(engine, observations.clone(), is_flapping));
        let mut _observing = None;
        loop {
            let caught_up_at = self.heard + CAUGHT_UP_AFTER;
            let history_until = self.history_until.min(self.heard + HISTORY_QUIET);
            let has_history = self.history.is_some();
            let step = tokio::select! {
                biased;
                () = observations.closed() => Wake::Closed,
                bytes = next(self.history.as_mut(), &mut self.held, &mut self.stream) => Wake::Bytes(bytes),
                () = sleep_until(history_until), if has_history => Wake::NoHistory,
                () = self.lines.replay.silence() => Wake::Quiet,
                () = sink.sender.flush_overflow(), if sink.sender.overflowed() => Wake::Flushed,
                () = sleep_until(caught_up_at), if self.lines.lag.is_long() => Wake::CaughtUp,
                () = &mut silence => Wake::Silent,
                () = observer.deaf() => Wake::Deaf,
            };
            match step {
                Wake::Bytes(Ok(bytes)) => {
                    heard.store(true, Relaxed);
                    sink.make_room(&bytes).await;
                    self.take(&bytes, sink, Some(observer));
                }
                Wake::Bytes(Err(IngestError::Ended)) if self.history.as_ref().is_some_and(|history| history.is_whole) => {
                    self.end(sink, true);
                    self.history = None;
                    if let Some(end) = self.lines.replay.end() {
                        sink.sender.send_reserved(end);
                    }
                }
                Wake::Bytes(Err(error)) if has_history => self.lose_history(&error, sink),
                Wake::NoHistory => {
                    let late = IngestError::Timeout { what: "GET /events (history)", after: HISTORY_QUIET };
                    self.lose_history(&late, sink);
                }
                Wake::Bytes(Err(error)) => {
                    self.end(sink, self.stream.is_whole);
                    return End::Failed(error);
                }
                Wake::Quiet => {
                    if let Some(end) = self.lines.replay.end() {
                        sink.sender.send_reserved(end);
                    }
                }
                Wake::Flushed | Wake::CaughtUp => {}
                Wake::Silent => return End::Silent,
                Wake::Deaf => return End::Failed(IngestError::Deaf),
                Wake::Closed => return End::Closed,
            }
            if let Some(doubt) = self.lines.lag.doubt(self.heard.elapsed() >= CAUGHT_UP_AFTER) {
                return End::Doubtful(doubt);
            }
            if !self.lines.replay.is_open()
                && let Some(observe) = to_observe.take()
            {
                _observing = Some(AbortOnDropHandle::new(tokio::spawn(observe)));
            }
        }
    }

    /// There is no history, or not all of it. The stream is read all the same; what may be missing is told.
    pub(super) fn lose_history(&mut self, why: &IngestError, sink: &mut Sink) {
        self.history = None;
        // What was broken off in the middle is no line.
        self.splitter = LineSplitter::default();
        if self.lines.replay.end().is_some() {
            sink.sender.send_reserved(Input::ReplayLost { why: why.words() });
        }
    }

    /// What of it is in doubt, if nothing more comes.
    pub(super) fn doubt(&self) -> Option<Doubt> {
        self.lines.lag.doubt(true)
    }

    /// Reads on during attempts to connect again: a daemon that is being stopped answers nothing either, and
    /// still sends how its containers end; and the ring of a busy daemon would not hold what happens
    /// meanwhile. Returns with the stream's end.
    pub(super) async fn drain(&mut self, sink: &mut Sink, observer: &Observer) -> IngestError {
        loop {
            let next = tokio::select! {
                biased;
                next = next(None, &mut self.held, &mut self.stream) => next,
                () = sink.sender.flush_overflow(), if sink.sender.overflowed() => continue,
            };
            match next {
                Ok(bytes) => self.take(&bytes, sink, Some(observer)),
                Err(error) => {
                    self.end(sink, self.stream.is_whole);
                    return error;
                }
            }
        }
    }

    /// From now on it is the old stream: its replay is over, without a word, since a replay that was broken
    /// off proves nothing.
    pub(super) fn retire(mut self) -> Self {
        let _ = self.lines.replay.end();
        if self.history.take().is_some() {
            self.splitter = LineSplitter::default();
        }
        self
    }

    /// Takes what is there already: another stream is open, whose replay may not reach as far back as what
    /// waits in this one.
    pub(super) async fn last_words(mut self, sink: &mut Sink, observer: &Observer) {
        let until = Instant::now() + LAST_WORDS_MAX;
        while Instant::now() < until
            && let Ok(Ok(bytes)) = timeout(LAST_WORDS_QUIET, next(None, &mut self.held, &mut self.stream)).await
        {
            self.take(&bytes, sink, Some(observer));
        }
        // An unfinished line comes again, whole, in the replay.
    }

    fn take(&mut self, bytes: &[u8], sink: &mut Sink, observer: Option<&Observer>) {
        let Self { splitter, lines, .. } = self;
        self.heard = Instant::now();
        if lines.replay.is_open() {
            lines.replay.heard(Timestamp::now());
        }
        sink.received = received_now();
        splitter.push(bytes, |line| lines.take(line, sink, observer));
        sink.count();
    }

    /// The stream is over: a last line without its end is a line all the same. But where it was broken off,
    /// what is no event is a part of one, and comes again, whole, with the next connection, which also tells
    /// whether it does.
    fn end(&mut self, sink: &mut Sink, is_whole: bool) {
        let Self { splitter, lines, .. } = self;
        sink.received = received_now();
        splitter.finish(|line| {
            if is_whole || matches!(line, Line::Event(_)) {
                lines.take(line, sink, None);
            }
        });
        sink.count();
    }
}

/// The next bytes: of history to its end, then what was read already, then of the stream. May be dropped
/// while it waits.
async fn next(history: Option<&mut EventStream>, held: &mut VecDeque<Bytes>, stream: &mut EventStream) -> Result<Bytes, IngestError> {
    match history {
        Some(history) => history.next().await,
        None => match held.pop_front() {
            Some(bytes) => Ok(bytes),
            None => stream.next().await,
        },
    }
}

/// Returns when the daemon answers nothing any more.
async fn silence(engine: Option<&Engine>, heard: &AtomicBool) {
    match engine {
        Some(engine) => engine.silence(heard).await,
        None => std::future::pending().await,
    }
}

impl Lines {
    fn take(&mut self, line: Line<'_>, sink: &mut Sink, observer: Option<&Observer>) {
        let received = sink.received;
        let mut input = match line {
            Line::Event(event) => Input::Event { event: self.marked(event), received },
            Line::Malformed { line, error } => {
                let (bytes, checksum, why) = (line.len() as u64, crc32fast::hash(line), printable(&error.to_string(), MAX_WHY_CHARS));
                Input::Malformed(Malformed { received, bytes, checksum, why, sample: sample(line), cut: None })
            }
            Line::TooLong { bytes, start, checksum, cut } => {
                let why = format!("the line is longer than {MAX_LINE_BYTES} bytes");
                Input::Malformed(Malformed { received, bytes, checksum, why, sample: sample(start), cut })
            }
        };
        if let Input::Malformed(Malformed { cut, .. }) = &mut input {
            *cut = cut.take().map(|event| self.marked(event));
        }
        let told = match &input {
            Input::Event { event, .. } | Input::Malformed(Malformed { cut: Some(event), .. }) => Some(event),
            _ => None,
        };
        let time = told.and_then(|event| event.fields().time);
        if self.replay.is_open()
            && let Some(end) = self.replay.before_line(time)
        {
            sink.sender.send_reserved(end);
        }
        if !self.replay.is_open() {
            self.lag.line(time, received);
        }
        if let Some(event) = told {
            sink.events += 1;
            sink.newest = sink.newest.max(time);
            // What an earlier look has shown must not be undone by what came before it. Of history, which may
            // go back further than what is kept in mind, only the times tell.
            let is_new = sink.heard.is_new(event) && self.is_ring;
            let is_news = !self.replay.is_open() || time > self.known || is_new;
            sink.news += u64::from(is_news);
            if let Some(observer) = observer.filter(|_| is_news) {
                observer.heard(event);
            }
            // What is replayed has happened, and its container may be another thing by now.
            if let Some(failures) = self.failures.as_ref().filter(|_| !self.replay.is_open()) {
                failures.heard(event);
            }
        }
        sink.sender.offer(input);
        if let Some(observer) = observer.filter(|_| sink.sender.overflowed()) {
            observer.distrust();
        }
    }

    fn marked(&self, event: Event) -> Event {
        match &self.marker {
            Some(marker) => marker.mark(event),
            None => event,
        }
    }
}

impl Sink {
    pub(super) fn new(sender: SourceSender, status: StatusHandle) -> Self {
        Self { sender, status, newest: None, heard: Heard::default(), received: received_now(), events: 0, news: 0 }
    }

    /// Waits a moment if the queue is full; see [`SourceSender::make_room`].
    async fn make_room(&mut self, bytes: &Bytes) {
        let lines = memchr::memchr_iter(b'\n', bytes).count() + 1;
        self.sender.make_room(lines, bytes.len()).await;
    }

    /// Once per chunk rather than per line, since a lock guards the status.
    fn count(&mut self) {
        let events = std::mem::take(&mut self.events);
        if events > 0 {
            self.status.read(events, self.received);
        }
    }

    /// The event stream is open.
    /// `attempts`: how many it took.
    pub(super) fn connected(&mut self, engine: String, reason: String, attempts: u64) {
        self.status.connected(&engine);
        self.sender.send_reserved(Input::Connected { engine, reason, attempts });
    }

    /// The event stream is closed, or no longer to be trusted.
    pub(super) fn disconnected(&mut self, reason: &str, doubt: Option<Doubt>) {
        self.sender.send_reserved(Input::Disconnected { reason: reason.to_owned(), doubt });
    }
}
