//! Healthy clients among such as never read and such as never end their request, without them, and with few
//! open files.

use super::crowd::request;
use super::load::pace_among;
use super::server::{Server, shipslog, shipslog_with_files};
use super::{Goal, line};
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const HEALTHY: usize = 100;
const STALLED: usize = 500;
const DAWDLING: usize = 500;
/// Fewer than all of these connections need.
const FILES: u32 = 600;
/// Recorded before: more than the socket of a client that never reads can hold.
const HISTORY: u64 = 8_000;
const RUN: Duration = Duration::from_secs(4);
const RATE: u64 = 50;
/// Dawdlers that are served at a time, so that this does not keep the clients' core from measuring.
const AT_A_TIME: usize = 5;

/// Who must not harm the others. Gone when dropped.
struct Company {
    _stalled: Vec<TcpStream>,
    stop: Arc<AtomicBool>,
    dawdling: Option<JoinHandle<()>>,
}

impl Company {
    /// Those that the server refuses are content with that.
    fn join(server: &Server) -> Self {
        let stalled = (0..STALLED).map(|_| request(server.address, "/api/v1/stream?since=oldest")).collect();
        let mut slow: Vec<_> = (0..DAWDLING).map(|_| TcpStream::connect(server.address).unwrap()).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let dawdling = std::thread::spawn(move || {
            let bytes = b"GET /api/v1/stream?since=oldest HTTP/1.1\r\nHost: localhost\r\nX-Padding: "
                .iter()
                .copied()
                .chain(std::iter::repeat(b'x'));
            for byte in bytes {
                for some in slow.chunks_mut(AT_A_TIME) {
                    for stream in some.iter_mut() {
                        let _ = stream.write_all(&[byte]);
                    }
                    std::thread::sleep(Duration::from_millis(1));
                    if stopped.load(Ordering::Relaxed) {
                        return;
                    }
                }
            }
        });
        Self { _stalled: stalled, stop, dawdling: Some(dawdling) }
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.dawdling.take() {
            thread.join().unwrap();
        }
    }
}

pub(super) fn run(rounds: usize) {
    let mut servers = [shipslog(), shipslog(), shipslog_with_files(FILES)];
    for server in &mut servers {
        server.record_history(HISTORY);
    }
    let [mut alone, mut among, mut few] = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        let [a, b, c] = &mut servers;
        alone.push(pace_among(a, HEALTHY, RATE, RUN, |_| ()).p99);
        among.push(pace_among(b, HEALTHY, RATE, RUN, Company::join).p99);
        few.push(pace_among(c, HEALTHY, RATE, RUN, Company::join).p99);
    }
    line("100 clients among 500 stalled, 500 dawdling: p99 ms", &among, "alone", &alone, Goal::AtMost(2.0));
    line("  with 600 files: p99 ms", &few, "alone", &alone, Goal::AtMost(2.0));
}
