//! `healthcheck`: for container runtimes and units.

use super::args::Remote;
use super::ending::AnsweredNo;
use super::escape::escape;
use crate::client::ClientError;
use anyhow::Context as _;
use serde_json::Value;
use std::io::Write as _;
use std::time::Duration;

/// Docker gives a health check 30 s by default and kills it without a word.
const DEADLINE: Duration = Duration::from_secs(10);
/// Characters that are shown of a server's reasons. Docker keeps 4096 bytes of what a health check says.
const MAX_WHY_CHARS: usize = 4000;

#[derive(Debug, clap::Args)]
pub(super) struct HealthcheckArgs {
    /// Fail also if one of several Docker hosts is not connected
    #[arg(long, help_heading = "What counts as healthy")]
    strict: bool,
    /// Fail only if the process does not answer: for a supervisor that would restart it, which mends neither
    /// a Docker host nor a full disk
    #[arg(long, conflicts_with = "strict", help_heading = "What counts as healthy")]
    live: bool,
    #[command(flatten)]
    remote: Remote,
}

pub(super) async fn run(args: HealthcheckArgs) -> anyhow::Result<()> {
    let client = args.remote.client()?;
    let answer = tokio::time::timeout(DEADLINE, client.readiness()).await;
    let answer = answer.with_context(|| format!("no answer within {} s", DEADLINE.as_secs()))?;
    if let (true, Err(ClientError::Refused { .. } | ClientError::Unavailable { .. })) = (args.live, &answer) {
        // Whatever it says, there is somebody who says it.
        writeln!(std::io::stdout().lock(), "answers")?;
        return Ok(());
    }
    let readiness = answer?;
    let healthy = args.live || (readiness.ready && (!args.strict || all_connected(&readiness.body)));
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", why(if args.live { readiness.ready } else { healthy }, &readiness.body))?;
    if healthy { Ok(()) } else { Err(AnsweredNo.into()) }
}

/// Whether the recorder is connected to every Docker host that it is to record.
fn all_connected(body: &Value) -> bool {
    let mut sources = body.get("sources").and_then(Value::as_array).into_iter().flatten();
    sources.all(|source| text(source, "state") == Some("connected"))
}

/// The reasons in one line.
pub(super) fn why(ready: bool, body: &Value) -> String {
    let mut parts: Vec<String> = body.get("sources").and_then(Value::as_array).into_iter().flatten().map(source).collect();
    let writer = body.get("writer").unwrap_or(&Value::Null);
    if let Some(error) = text(writer, "error") {
        parts.push(format!("writer {}: {error}", text(writer, "state").unwrap_or("failed")));
    }
    let fleet = body.get("fleet").unwrap_or(&Value::Null);
    parts.extend(["error", "warning"].iter().filter_map(|key| text(fleet, key).map(str::to_owned)));
    let verdict = if ready { "ready" } else { "not ready" };
    let why = if parts.is_empty() { verdict.to_owned() } else { format!("{verdict}: {}", parts.join("; ")) };
    escape(&why).chars().take(MAX_WHY_CHARS).collect()
}

/// A Docker host in words: `local connected`, `prod disconnected: connection refused (is Docker running?)`.
pub(super) fn source(source: &Value) -> String {
    let mut words = format!("{} {}", text(source, "name").unwrap_or("?"), text(source, "state").unwrap_or("unknown"));
    if let Some(error) = text(source, "error") {
        words = format!("{words}: {error}");
    }
    if let Some(hint) = text(source, "hint") {
        words = format!("{words} ({hint})");
    }
    words
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::testing::{Reply, Server, answer};
    use clap::Parser as _;
    use serde_json::json;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: HealthcheckArgs,
    }

    #[tokio::test]
    async fn who_asks_chooses_what_counts() {
        let source = |state: &str| json!({"name": state, "state": state});
        for (sources, status, [plain, strict, live]) in [
            (vec![source("connected")], "200 OK", [true, true, true]),
            (vec![source("connected"), source("error")], "200 OK", [true, false, true]),
            (vec![source("error"), source("connecting")], "503 Service Unavailable", [false, false, true]),
            // Of somebody else's log.
            (vec![], "200 OK", [true, true, true]),
        ] {
            let body = json!({"ready": status.starts_with("200"), "sources": sources, "writer": {"state": "ok"}}).to_string();
            let reply = answer(status, "application/json", &body);
            let server = Server::start(move |_, _| Reply::Bytes(reply.clone())).await;
            for (option, healthy) in [(None, plain), (Some("--strict"), strict), (Some("--live"), live)] {
                let url = server.url();
                let line = ["healthcheck", "--url", &url].into_iter().chain(option);
                let answer = run(Line::try_parse_from(line).unwrap().args).await;
                assert_eq!(answer.is_ok(), healthy, "{option:?} {body}");
            }
        }
        let refuses =
            Server::start(|_, _| Reply::Bytes(answer("401 Unauthorized", "application/problem+json", r#"{"detail":"no token"}"#))).await;
        for (option, healthy) in [("--strict", false), ("--live", true)] {
            let url = refuses.url();
            let line = Line::try_parse_from(["healthcheck", "--url", &url, option]).unwrap();
            assert_eq!(run(line.args).await.is_ok(), healthy, "{option}");
        }
        let nobody = Line::try_parse_from(["healthcheck", "--url", "http://127.0.0.1:1", "--live"]).unwrap();
        assert!(run(nobody.args).await.is_err(), "no process answers");
    }

    #[test]
    fn says_why_in_one_line() {
        let body = json!({"ready": false, "writer": {"state": "poisoned", "error": "fsync: EIO"}, "sources": [
            {"name": "local", "state": "disconnected", "error": "permission\ndenied", "hint": "join the docker group"}, {"name": "b", "state": "connected", "error": null}]});
        assert_eq!(
            why(false, &body),
            r"not ready: local disconnected: permission\ndenied (join the docker group); b connected; writer poisoned: fsync: EIO"
        );
        assert_eq!(why(true, &json!({})), "ready");
        assert_eq!(why(true, &json!({"sources": [{"name": "local", "state": "connected"}]})), "ready: local connected");
    }
}
