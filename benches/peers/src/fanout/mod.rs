//! Delivery beside Debian's nginx with nchan, and beside a bare epoll loop: shipslog's release binary records
//! a scripted daemon, syncing each commit; the others are given the same events by POST. Servers have one
//! core, clients the other; by turns.
//!
//! `cargo run --release -- fanout [ROW...]`, after `cargo build --release` in the main package; needs
//! `taskset` and `apt install nginx-light libnginx-mod-nchan`. `SHIPSLOG_ROUNDS` sets the rounds,
//! `SHIPSLOG_BIN` another binary.

mod arrival;
pub(crate) mod bare;
mod body;
mod company;
mod crowd;
mod daemon;
mod event;
mod live;
mod load;
mod machine;
mod memory;
mod publisher;
mod replay;
mod server;

use crate::support::{RUNS, median};
use std::time::Instant;

/// One row of the table, or a few that are measured together.
type Row = (&'static str, fn(rounds: usize));

const ROWS: [Row; 8] = [
    ("saturated", live::saturated),
    ("unbatched", live::unbatched),
    ("steady", live::steady),
    ("crowd", live::crowd),
    ("company", company::run),
    ("memory", memory::run),
    ("replay", replay::run),
    ("arrival", arrival::run),
];

/// On a quiet machine it is well below.
const DISTURBED: f64 = 0.03;

pub(crate) fn run(wanted: &[String]) {
    let names = ROWS.map(|(name, _)| name);
    for row in wanted {
        assert!(names.contains(&row.as_str()), "no row {row}; there are {}", names.join(", "));
    }
    let rounds = std::env::var("SHIPSLOG_ROUNDS").map_or(RUNS, |text| text.parse().expect("SHIPSLOG_ROUNDS is a number"));
    machine::prepare();
    println!(
        "medians of {rounds} rounds by turns; ratios are medians of those within a round; one core for the server, one for the clients"
    );
    let congestion = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").unwrap_or_default();
    println!("events of {} B; TCP congestion control: {}", event::event(0).len(), congestion.trim());
    println!("{:<52} | {:>10} | {:>10} | {:<9} | {:>6} | goal", "", "shipslog", "peer", "", "ratio");
    for (name, row) in ROWS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            let (began, before) = (Instant::now(), machine::waited());
            row(rounds);
            let lost = machine::waited().saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
            if lost > DISTURBED {
                println!("  disturbed: for {:.0}% of the time something else had the clients' core", lost * 100.0);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// Only to know.
    None,
}

/// Prints a line: figures by round, as they were measured.
fn line(what: &str, ours: &[f64], peer: &str, theirs: &[f64], goal: Goal) {
    let ratio = median(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect());
    let goal = match goal {
        Goal::AtLeast(least) => format!(">= {least:.2}: {}", verdict(ratio >= least)),
        Goal::AtMost(most) => format!("<= {most:.3}: {}", verdict(ratio <= most)),
        Goal::None => String::new(),
    };
    let [ours, theirs] = [ours, theirs].map(|values| figure(median(values.to_vec())));
    println!("{what:<52} | {ours:>10} | {theirs:>10} | {peer:<9} | {ratio:>6.3} | {goal}");
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "not met" }
}

/// Three or four digits that matter.
fn figure(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.3} M", v / 1e6),
        v if v >= 1e4 => format!("{:.1} k", v / 1e3),
        v if v >= 100.0 => format!("{v:.0}"),
        v => format!("{v:.2}"),
    }
}
