//! Memory of connections that have nothing to do.

use super::crowd::Crowd;
use super::machine::memory;
use super::server::{Server, nchan, shipslog};
use crate::support::median;

const CLIENTS: usize = 5_000;
/// What nginx with nchan was found to take, in KiB.
const GOAL: f64 = 10.0;

pub(super) fn run(rounds: usize) {
    let [mut ours, mut theirs] = [const { Vec::new() }; 2];
    for _ in 0..rounds {
        ours.push(each(&shipslog()));
        theirs.push(each(&nchan(None)));
    }
    let ratio = median(ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect());
    let [ours, theirs] = [ours, theirs].map(median);
    let met = super::verdict(ours <= GOAL);
    let what = "5,000 idle clients: KiB each";
    println!("{what:<52} | {ours:>10.2} | {theirs:>10.2} | {:<9} | {ratio:>6.3} | <= {GOAL} KiB: {met}", "nchan");
}

/// What a fresh server grows by for each.
fn each(server: &Server) -> f64 {
    server.settle();
    let before = memory(&server.pids());
    let crowd = Crowd::connect(server, CLIENTS);
    server.settle();
    let after = memory(&server.pids());
    drop(crowd);
    after.saturating_sub(before) as f64 / CLIENTS as f64
}
