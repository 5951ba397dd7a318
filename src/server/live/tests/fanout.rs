//! The fan-out's threads outlive a panic, and only the client that it hit loses its connection.

use super::super::fanout::FanOut;
use crate::cursor::Sequence;
use crate::event::Event;
use crate::filter::Filter;
use crate::log::testing::stand_in::{StandIn, Twist};
use crate::log::{EmbeddedLog, EventLog, NewRecord};
use crate::server::net::{Socket, Standing};
use crate::shutdown::Stop;
use crate::testing::PATIENCE;
use crate::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// Panics once when it is asked for what is new.
#[derive(Clone, Default)]
struct Panics(Arc<AtomicBool>);

impl Twist for Panics {
    fn answers_at_once(&self) -> bool {
        assert!(!self.0.swap(false, SeqCst), "this test's panic");
        true
    }
}

fn record() -> NewRecord {
    let event = Event::from_line(br#"{"Type":"container","Action":"start"}"#).unwrap();
    NewRecord { received: Timestamp::now(), source: "local".into(), event }
}

/// A client, as seen from both of its ends.
struct Client {
    end: UnixStream,
    /// Waits until the socket is the task's again.
    task: JoinHandle<Option<Standing>>,
    /// As hyper holds it.
    _socket: Arc<Socket>,
}

impl Client {
    /// One that has everything up to `position`, with its socket lent.
    async fn lent(fan_out: &FanOut, position: Sequence) -> Self {
        let (ours, end) = UnixStream::pair().unwrap();
        let socket = Arc::new(Socket::Unix(ours));
        let link = fan_out.link(&socket).unwrap();
        let standing = Standing { position, told: position, spoke: Instant::now(), filter: Arc::new(Filter::default()) };
        let task = tokio::spawn({
            let link = Arc::clone(&link);
            async move { link.lend(standing, std::future::pending()).await }
        });
        tokio::task::yield_now().await;
        link.flushed();
        Self { end, task, _socket: socket }
    }

    /// What comes next; empty at the end of the connection.
    async fn hears(&mut self) -> String {
        let mut bytes = [0; 4096];
        let read = timeout(PATIENCE, self.end.read(&mut bytes)).await.expect("the client hears nothing, not even an end").unwrap();
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    }
}

#[tokio::test]
async fn a_panic_ends_the_connection_that_it_hit_and_the_others_are_served() {
    let dir = tempfile::TempDir::new().unwrap();
    let armed = Panics::default();
    let log: Arc<dyn EventLog> = Arc::new(StandIn(Arc::new(EmbeddedLog::open(dir.path()).unwrap().0), armed.clone()));
    let stop = Stop::new();
    // One worker, so one shard: all links are its.
    let fan_out = FanOut::start(&log, &stop.shutdown());
    let mut served = Client::lent(&fan_out, 0).await;
    let head = *log.append(vec![record()]).await.unwrap().end();
    assert!(served.hears().await.contains("data: {"));

    let caught_up = Client::lent(&fan_out, head).await;
    armed.0.store(true, SeqCst);
    let head = *log.append(vec![record()]).await.unwrap().end();
    let mut hit = 0;
    for mut client in [served, caught_up] {
        let heard = client.hears().await;
        if heard.is_empty() {
            hit += 1;
            let handed_back = timeout(PATIENCE, client.task).await.expect("its task waits for ever");
            assert!(handed_back.unwrap().is_some());
        } else {
            assert!(heard.contains(&format!("-{head}\n")), "{heard}");
        }
    }
    assert_eq!(hit, 1, "one panic, one connection");

    let mut next = Client::lent(&fan_out, head).await;
    log.append(vec![record()]).await.unwrap();
    assert!(next.hears().await.contains(&format!("-{}\n", head + 1)));
}
