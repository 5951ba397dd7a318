//! The command line: one file per command.

mod args;
mod config_show;
mod escape;
mod export;
mod healthcheck;
mod history;
mod import;
mod printer;
mod query;
mod render;
mod report;
mod stats;
mod tail;
mod verify;

pub use report::report;

use crate::config::{ServeArgs, ServeConfig};

/// The black box for Docker hosts: records every Docker event, in order, and serves it to anyone who asks.
#[derive(Debug, clap::Parser)]
#[command(name = "shipslog", version, args_conflicts_with_subcommands = true, after_help = "Without a command, shipslog serves.")]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Record Docker's events and serve them
    Serve(ServeArgs),
    /// Show the newest 10 events (-n), or those since a time, and with --follow those to come; with --speed as they came
    Tail(tail::TailArgs),
    /// Show events of the past, oldest first
    Query(query::QueryArgs),
    /// Save events as a backup or for other tools
    Export(export::ExportArgs),
    /// Show what the recorder holds and does
    Stats(stats::StatsArgs),
    /// Make a log from an export: ids are kept, so that an export is a backup
    Import(import::ImportArgs),
    /// Check every checksum, the hash chain and the order of a log that is not in use; exit with 1 on damage
    Verify(verify::VerifyArgs),
    /// Exit with 0 if the recorder is ready, else with 1
    Healthcheck(args::Remote),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, clap::Subcommand)]
enum ConfigCommand {
    /// Print every setting of `serve` with the place that it comes from
    Show(ServeArgs),
}

/// Runs the command.
///
/// # Errors
/// Whatever keeps the command from doing its work; [`report()`] says it and finds the exit code.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => crate::app::serve(ServeConfig::load(&args, &|name| std::env::var_os(name))?).await,
        Command::Tail(args) => tail::run(args).await,
        Command::Query(args) => query::run(args).await,
        Command::Export(args) => export::run(args).await,
        Command::Stats(args) => stats::run(args).await,
        Command::Import(args) => import::run(args).await,
        Command::Verify(args) => verify::run(args).await,
        Command::Healthcheck(remote) => healthcheck::run(remote).await,
        Command::Config(ConfigCommand::Show(args)) => config_show::run(&args),
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn interrupted() {
    let term = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        result = tokio::signal::ctrl_c() => if result.is_err() { std::future::pending::<()>().await },
        _ = term => {}
    }
}

#[cfg(test)]
mod tests;
