//! On an otherwise idle system: how much later an event is at an SSE client than at who reads Docker's own
//! stream, as `docker events` does.

use super::body::Body;
use super::crowd::request;
use super::event::{event, stamps};
use super::machine::nanos;
use super::server::shipslog;
use crate::support::median;
use std::io::Read;
use std::net::TcpStream;
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

/// By round.
const EVENTS: u64 = 100;
const PACE: Duration = Duration::from_millis(20);
const GOAL_MS: f64 = 2.0;

pub(super) fn run(rounds: usize) {
    let count = EVENTS * rounds as u64;
    let mut server = shipslog();
    let sse = reader(request(server.address, server.path), Body::sse(), count);
    let daemon = server.daemon().unwrap();
    let direct = reader(request(daemon.address, "/events"), Body::frames(b"\n"), count);
    daemon.await_subscriber();
    server.settle();
    for number in 0..count {
        server.publish(&event(number));
        sleep(PACE);
    }
    let [sse, direct] = [sse, direct].map(|reader| reader.join().unwrap());
    let later = median(sse.iter().zip(&direct).map(|(sse, direct)| sse - direct).collect());
    let [sse, direct] = [sse, direct].map(median);
    let what = format!("idle, {count} events: p50 ms from Docker to the client");
    let met = super::verdict(later <= GOAL_MS);
    println!("{what:<52} | {sse:>10.3} | {direct:>10.3} | {:<9} | {later:>+6.2} | <= +{GOAL_MS} ms: {met}", "direct");
}

/// Reads so many events; milliseconds from sending to receipt of each.
fn reader(mut stream: TcpStream, mut body: Body, count: u64) -> JoinHandle<Vec<f64>> {
    spawn(move || {
        let (mut buffer, mut delays) = (vec![0; 64 * 1024], Vec::new());
        while (delays.len() as u64) < count {
            let read = stream.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "a stream ended");
            let now = nanos();
            body.read(&buffer[..read], |frame| {
                let Some((number, sent)) = stamps(frame) else { return };
                assert_eq!(number, delays.len() as u64, "an event out of turn");
                delays.push(now.saturating_sub(sent) as f64 / 1e6);
            });
        }
        delays
    })
}
