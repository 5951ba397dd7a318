//! `stats`: what the recorder holds and does.

use super::args::Remote;
use super::escape::{escape, escape_json};
use super::healthcheck::source;
use indicatif::{HumanBytes, HumanCount, HumanDuration};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct StatsArgs {
    #[command(flatten)]
    remote: Remote,
    /// Print the figures in this form
    #[arg(short, long, value_enum, value_name = "FORM", help_heading = "Output", default_value_t = StatsForm::Human)]
    output: StatsForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum StatsForm {
    /// A table
    Human,
    /// The server's answer as it is
    Json,
}

pub(super) async fn run(args: StatsArgs) -> anyhow::Result<()> {
    let json = args.remote.client()?.stats().await?;
    let mut out = std::io::stdout().lock();
    match args.output {
        StatsForm::Json if out.is_terminal() => writeln!(out, "{}", escape_json(&json))?,
        StatsForm::Json => writeln!(out, "{json}")?,
        StatsForm::Human => out.write_all(table(&serde_json::from_str(&json)?).as_bytes())?,
    }
    out.flush()?;
    Ok(())
}

/// Characters that are shown of one of the server's values.
const MAX_VALUE_CHARS: usize = 2000;
/// Hosts that are shown; a table of more helps nobody.
const MAX_SOURCES: usize = 1000;

/// Leaves out what the server does not tell, so that newer and older servers can be asked.
fn table(stats: &Value) -> String {
    let mut out = String::new();
    let mut row = |key: &str, value: String| {
        if !value.is_empty() {
            let shown: String = escape(&value).chars().take(MAX_VALUE_CHARS).collect();
            let _ = writeln!(out, "{key:<8}  {shown}");
        }
    };
    let number = |part: &str, key: &str| stats.get(part).and_then(|p| p.get(key)).and_then(Value::as_u64);
    let counts = |part: &str, keys: &[&str]| {
        let shown = keys.iter().filter_map(|key| number(part, key).map(|n| format!("{key} {}", HumanCount(n))));
        shown.collect::<Vec<_>>().join(", ")
    };
    row("version", stats.get("version").and_then(Value::as_str).unwrap_or("").to_owned());
    let uptime = stats.get("uptime_s").and_then(|v| Duration::try_from_secs_f64(v.as_f64()?).ok());
    row("up for", uptime.map(|up| HumanDuration(up).to_string()).unwrap_or_default());
    row("log", stats.get("log").and_then(|log| log.get("id")?.as_str()).unwrap_or("").to_owned());
    let size = number("log", "bytes").map(|bytes| HumanBytes(bytes).to_string());
    let range = number("log", "oldest").zip(number("log", "head")).map(|(oldest, head)| format!("sequences {oldest} to {head}"));
    let records = number("log", "records").map(|n| format!("{} records", HumanCount(n)));
    let held = [records, size, range];
    row("holds", held.into_iter().flatten().collect::<Vec<_>>().join(", "));
    row("ingest", counts("ingest", &["received", "stored", "duplicates", "lost", "malformed", "redacted"]));
    row("forward", forward(stats));
    row("fleet", fleet(stats));
    row("server", counts("server", &["connections", "streams"]));
    for host in stats.get("sources").and_then(Value::as_array).into_iter().flatten().take(MAX_SOURCES) {
        row("source", source(host));
    }
    out
}

/// How forwarding is, in words.
fn forward(stats: &Value) -> String {
    let Some(forward) = stats.get("forward").filter(|forward| forward.is_object()) else { return String::new() };
    let text = |key: &str| forward.get(key).and_then(Value::as_str).map(str::to_owned);
    let behind = forward.get("behind_records").and_then(Value::as_u64).filter(|behind| *behind > 0);
    let since = forward.get("behind_seconds").and_then(Value::as_u64).unwrap_or(0);
    let behind = behind.map(|behind| format!("{} records behind for {}", HumanCount(behind), HumanDuration(Duration::from_secs(since))));
    [text("state"), behind, text("error")].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// How a fleet is followed, in words.
fn fleet(stats: &Value) -> String {
    let Some(fleet) = stats.get("fleet").filter(|fleet| fleet.is_object()) else { return String::new() };
    let text = |key: &str| fleet.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| fleet.get(key).and_then(Value::as_u64);
    let folded = number("folded").map(|folded| match number("hub_last") {
        Some(last) => format!("message {} of {}", HumanCount(folded), HumanCount(last)),
        None => format!("message {}", HumanCount(folded)),
    });
    [text("state"), folded, text("error"), text("warning")].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::table;
    use serde_json::json;

    #[test]
    fn shows_what_there_is_and_survives_what_there_is_not() {
        let stats = json!({"version": "0.1.0", "uptime_s": 7200.5, "log": {"id": "7f3c", "oldest": 1, "head": 12345, "records": 12345, "bytes": 1_048_576},
            "sources": [{"name": "local", "state": "connected\u{1b}"}], "ingest": {"received": 10, "lost": 0}, "server": {"connections": 3, "streams": 2},
            "forward": {"state": "unavailable", "error": "no answer", "behind_records": 12, "behind_seconds": 60},
            "fleet": {"state": "live", "folded": 1200, "hub_last": 1201, "error": null, "warning": null}});
        assert_eq!(
            table(&stats),
            "version   0.1.0\nup for    2 hours\nlog       7f3c\nholds     12,345 records, 1.00 MiB, sequences 1 to 12345\n\
             ingest    received 10, lost 0\nforward   unavailable, 12 records behind for 60 seconds, no answer\nfleet     live, message 1,200 of 1,201\nserver    connections 3, streams 2\nsource    local connected\\u{1b}\n"
        );
        for odd in [json!({}), json!(null), json!({"log": [], "sources": 7, "uptime_s": -1.0, "ingest": {"lost": "x"}})] {
            assert_eq!(table(&odd), "");
        }
    }
}
