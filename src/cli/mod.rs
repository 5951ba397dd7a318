//! The command line: one file per command. A command asks a server (`client`) or reads a log or an export
//! itself, and writes a log only where it serves or imports. stdout is for the answer, all remarks go to
//! stderr. What an answer says is decided in the parts below, which the server uses too.

mod args;
mod clock;
mod config_show;
mod documents;
mod ending;
mod escape;
mod export;
mod fleet;
mod healthcheck;
mod history;
mod import;
mod incidents;
mod nothing;
mod partial;
mod printer;
mod query;
mod render;
mod report;
mod state;
mod stats;
mod stray;
mod tail;
#[cfg(test)]
mod testing;
mod verify;

pub use ending::conclude;

use crate::config::{ServeArgs, ServeConfig};

/// The black box for Docker hosts: records every Docker event, in order, and serves it to anyone who asks.
#[derive(Debug, clap::Parser)]
#[command(
    name = "shipslog",
    version,
    args_conflicts_with_subcommands = true,
    max_term_width = 120,
    after_help = "Without a command, shipslog serves. `shipslog help COMMAND` explains one command.\n\n\
                  Examples:\n  \
                  shipslog incidents --file incident.jsonl.zst    what broke in a recording\n  \
                  shipslog tail --follow                          new events of a recorder as they come"
)]
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
    /// Show the newest 10 events, or those since a time, and with --follow new ones as they come
    Tail(tail::TailArgs),
    /// Show events of the past, oldest first
    Query(query::QueryArgs),
    /// Say what broke, since when, after what and how it ended; exit with 3 for --fail-on
    #[command(after_help = "Examples:\n  \
        shipslog incidents --since 12h                       of a recorder at SHIPSLOG_URL\n  \
        shipslog incidents --file incident.jsonl.zst         of a recording\n  \
        shipslog incidents --subject shop/api --since yesterday")]
    Incidents(incidents::IncidentsArgs),
    /// Write a report of one incident, or of a range
    #[command(after_help = "Examples:\n  \
        shipslog report 7f3c9a1e-1842c                       one incident, as `shipslog incidents` names it\n  \
        shipslog report --file incident.jsonl.zst            all of a recording\n  \
        shipslog report --since 12h -O night.html            those of a range, as a page")]
    Report(report::ReportArgs),
    /// Show which containers there were at a time, and how they were
    #[command(after_help = "Examples:\n  \
        shipslog state --at 02:10                            of a recorder at SHIPSLOG_URL\n  \
        shipslog state --file incident.jsonl.zst --at \"2026-11-29 02:10\"")]
    State(state::StateArgs),
    /// Save events to a file, as a backup or for other tools
    Export(export::ExportArgs),
    /// Show what the recorder holds and does
    Stats(stats::StatsArgs),
    /// Make a log from an export; the records keep their ids
    Import(import::ImportArgs),
    /// Check every checksum, the hash chain and the order of a log; exit with 1 if something is damaged
    Verify(verify::VerifyArgs),
    /// Exit with 0 if the recorder is connected to a Docker host and can store events, else with 1
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Set up the hub of a fleet, to which recorders forward
    #[command(subcommand)]
    Fleet(fleet::FleetCommand),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print completions for a shell
    Completions(documents::CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(documents::ManArgs),
}

#[derive(Debug, clap::Subcommand)]
enum ConfigCommand {
    /// Print every setting that `serve` would use, and where its value comes from
    Show(ServeArgs),
}

/// Runs the command.
///
/// # Errors
/// Whatever keeps the command from doing its work; [`conclude`] says it and finds the exit code.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => crate::app::serve(ServeConfig::load(&args, &|name| std::env::var_os(name))?).await,
        Command::Tail(args) => tail::run(args).await,
        Command::Query(args) => query::run(args).await,
        Command::Incidents(args) => incidents::run(args).await,
        Command::Report(args) => report::run(args).await,
        Command::State(args) => state::run(args).await,
        Command::Export(args) => export::run(args).await,
        Command::Stats(args) => stats::run(args).await,
        Command::Import(args) => import::run(args).await,
        Command::Verify(args) => verify::run(args).await,
        Command::Healthcheck(args) => healthcheck::run(args).await,
        Command::Fleet(command) => Box::pin(fleet::run(command)).await,
        Command::Config(ConfigCommand::Show(args)) => config_show::run(&args),
        Command::Completions(args) => Ok(documents::completions(&args)?),
        Command::Man(args) => Ok(documents::man(&args)?),
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
