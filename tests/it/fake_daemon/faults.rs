//! What the daemon does wrong when it is told to.

use super::{Address, FakeDaemon, State, write_chunk};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;

impl FakeDaemon {
    /// Drops all connections and refuses new ones.
    pub(crate) fn refuse(&mut self) {
        if let Some(task) = self.accepting.take() {
            task.abort();
        }
        self.drop_connections();
    }

    /// As `refuse`, and there is no socket file any more.
    pub(crate) fn remove_socket(&mut self) {
        self.refuse();
        if let Address::Unix(path) = &self.address {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Breaks all connections off, in the middle of whatever they were doing.
    pub(crate) fn drop_connections(&self) {
        let mut state = self.state.lock();
        state.subscribers.clear();
        for connection in state.connections.drain(..) {
            connection.abort();
        }
    }

    /// Whether TCP connections that come from now on are reset when they are broken off.
    pub(crate) fn set_reset(&self, reset: bool) {
        self.state.lock().reset = reset;
    }

    /// From now on, each new subscriber gets the newest event of the ring once more: moby's replay and its
    /// live events overlap now and then.
    pub(crate) fn set_twice(&self, twice: bool) {
        self.state.lock().twice = twice;
    }

    /// Ends all event streams as HTTP ends them.
    pub(crate) fn end_streams(&self) {
        self.state.lock().subscribers.clear();
    }

    /// Whether requests are left unanswered from now on, as by a process that is stopped: those that came
    /// meanwhile are answered when it continues. Open event streams stay open.
    pub(crate) fn set_hang(&self, hang: bool) {
        self.state.lock().hang.send_replace(hang);
    }

    /// What `GET /events` fails with from now on.
    pub(crate) fn set_events_failure(&self, failure: Option<(u16, &str)>) {
        self.state.lock().events_failure = failure.map(|(status, message)| (status, message.to_owned()));
    }

    /// After how long each event stream that is opened from now on ends as HTTP ends it.
    pub(crate) fn set_stream_life(&self, life: Option<Duration>) {
        self.state.lock().stream_life = life;
    }
}

/// Sends what is published, until the daemon ends the stream, or its life is over.
pub(super) async fn publish_until_end(
    stream: &mut (impl AsyncWrite + Unpin),
    pieces: &mut mpsc::Receiver<Vec<u8>>,
    state: &Mutex<State>,
) -> std::io::Result<()> {
    let life = state.lock().stream_life;
    let ends = async {
        match life {
            Some(life) => tokio::time::sleep(life).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(ends);
    loop {
        tokio::select! {
            piece = pieces.recv() => match piece {
                Some(piece) => write_chunk(stream, &piece).await?,
                None => return Ok(()),
            },
            () = &mut ends => return Ok(()),
        }
    }
}
