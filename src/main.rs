//! The `shipslog` program: parses the command line, sets up logging, builds the runtime and ends with an exit
//! code. No command does any of its work here: that is in `cli`.

use clap::Parser as _;
use shipslog::cli::{self, Cli};
use shipslog::console::Stderr;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Thousands of connections, each with a few small buffers of its own, take a quarter less memory than with
/// the C library's allocator (docs/benchmarks.md). It has threads of its own (a feature of the crate), which
/// give back to the system what was freed after a rush: by itself a thread that rests gives nothing back.
/// C code (zstd) is left to the C library's: with jemalloc in its place, libfaketime hangs at the start.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long work that cannot be interrupted, such as a read of a disk that stands still, may hold up the end.
const LAST_WORK: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    // Wrong usage ends here: clap explains it on stderr and exits with 2.
    let cli = Cli::parse();
    // Without a thread there is nobody to say why.
    let Ok(stderr) = Stderr::start(std::io::stderr()) else { return ExitCode::FAILURE };
    log_to(stderr.clone());
    let result = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let result = runtime.block_on(cli::run(cli));
            runtime.shutdown_timeout(LAST_WORK);
            result
        }
        Err(error) => Err(error.into()),
    };
    let code = cli::conclude(result, &stderr);
    stderr.finish();
    code
}

/// stdout belongs to what the user asked for. `SHIPSLOG_LOG` takes tracing's filter syntax, such as `debug`.
fn log_to(stderr: Stderr) {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    let mut filter = EnvFilter::try_from_env("SHIPSLOG_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // Below this bollard writes down what Docker answers, labels and all: secrets that are redacted
    // everywhere else. What the hub's client says of connections, the forwarder says in its own words.
    for quiet in ["bollard=info", "async_nats=warn"] {
        if let Ok(quiet) = quiet.parse() {
            filter = filter.add_directive(quiet);
        }
    }
    let panics = stderr.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        panics.say(&format!("shipslog: thread {} panicked: {panic}", thread.name().unwrap_or("without a name")));
        // The last thing that may be said.
        if thread.name() == Some("main") {
            panics.finish();
        }
    }));
    tracing_subscriber::fmt()
        .compact()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(std::io::stderr().is_terminal() && !no_color)
        .init();
}
