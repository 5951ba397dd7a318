//! Stories told against the real program, as a user or a client would live them.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod backup;
mod bad_input;
mod behind;
mod bounds;
mod certificates;
mod cli;
mod crash;
mod crowd;
mod cursor_faults;
mod deadline;
mod derived;
mod docker;
mod dockerd;
mod doors;
mod engine_api;
mod fake_daemon;
mod framing;
mod full_disk;
mod gaps;
mod history;
mod hooks;
mod hostile_directory;
mod hosts;
mod http2;
mod incidents;
mod least_rights;
mod lines;
mod losses;
#[path = "../shared/mount.rs"]
mod mount;
mod narrow;
mod noise;
mod openapi;
mod packaging;
mod process;
mod proxies;
mod reconnects;
mod redaction;
mod replay;
mod reports;
mod resume;
mod retention;
mod revisions;
#[path = "../../benches/support/serve.rs"]
mod serve;
#[path = "../shared/skipped.rs"]
mod skipped;
mod stalled_disk;
mod storm;
mod streams;
mod support;
mod transfers;
mod turns;
mod ways;
mod wire;
