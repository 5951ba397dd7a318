//! Live streams under load.

use super::load::{Outcome, pace, saturate};
use super::server::{Server, bare, nchan, shipslog};
use super::{Goal, line};
use std::time::Duration;

const THOUSAND: usize = 1000;
const CROWD: usize = 10_000;
const RUN: Duration = Duration::from_secs(2);
/// nchan does not keep up with the crowd, so that its delay grows with this.
const CROWD_RUN: Duration = Duration::from_secs(5);

/// What one server did, by round.
struct Column(Vec<Outcome>);

impl Column {
    fn of(&self, figure: impl Fn(&Outcome) -> f64) -> Vec<f64> {
        self.0.iter().map(figure).collect()
    }
}

fn by_turns<const N: usize>(rounds: usize, mut servers: [Server; N], run: impl Fn(&mut Server) -> Outcome) -> [Column; N] {
    let mut columns = [const { Column(Vec::new()) }; N];
    for _ in 0..rounds {
        for (server, column) in servers.iter_mut().zip(&mut columns) {
            column.0.push(run(server));
        }
    }
    columns
}

fn all() -> [Server; 3] {
    [shipslog(), nchan(None), bare()]
}

pub(super) fn saturated(rounds: usize) {
    let [ours, nchan, bare] = by_turns(rounds, all(), |server| saturate(server, THOUSAND, 64, RUN));
    line("1,000 clients, 64 events outstanding: deliveries/s", &ours.of(|o| o.rate), "nchan", &nchan.of(|o| o.rate), Goal::AtLeast(24.0));
    line("", &ours.of(|o| o.rate), "loop", &bare.of(|o| o.rate), Goal::None);
    line("  CPU s per million deliveries", &ours.of(|o| o.cpu), "loop", &bare.of(|o| o.cpu), Goal::AtMost(1.1));
    line("  cores taken by the clients", &ours.of(|o| o.clients), "loop", &bare.of(|o| o.clients), Goal::None);
}

pub(super) fn unbatched(rounds: usize) {
    let [ours, nchan, bare] = by_turns(rounds, all(), |server| saturate(server, THOUSAND, 1, RUN));
    line("1,000 clients, one event outstanding: deliveries/s", &ours.of(|o| o.rate), "nchan", &nchan.of(|o| o.rate), Goal::AtLeast(2.5));
    line("", &ours.of(|o| o.rate), "loop", &bare.of(|o| o.rate), Goal::None);
}

pub(super) fn steady(rounds: usize) {
    let [ours, nchan, bare] = by_turns(rounds, all(), |server| pace(server, THOUSAND, 50, RUN));
    for (peer, column, goal) in [("nchan", &nchan, 1.0 / 3.5), ("loop", &bare, 1.1)] {
        line("1,000 clients, 50 events/s: delay p50 ms", &ours.of(|o| o.p50), peer, &column.of(|o| o.p50), Goal::AtMost(goal));
        line("  p99 ms", &ours.of(|o| o.p99), peer, &column.of(|o| o.p99), Goal::AtMost(goal));
    }
    line("  CPU s per million deliveries", &ours.of(|o| o.cpu), "loop", &bare.of(|o| o.cpu), Goal::AtMost(1.1));
}

pub(super) fn crowd(rounds: usize) {
    let [ours, nchan, bare] = by_turns(rounds, all(), |server| pace(server, CROWD, 10, CROWD_RUN));
    line("10,000 clients, 10 events/s: delay p50 ms", &ours.of(|o| o.p50), "nchan", &nchan.of(|o| o.p50), Goal::AtMost(1.0 / 30.0));
    line("", &ours.of(|o| o.p50), "loop", &bare.of(|o| o.p50), Goal::None);
    line("  deliveries/s", &ours.of(|o| o.rate), "nchan", &nchan.of(|o| o.rate), Goal::None);
}
