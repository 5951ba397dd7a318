//! `healthcheck`: for container runtimes and units.

use super::args::Remote;
use super::escape::escape;
use super::report::AnsweredNo;
use anyhow::Context as _;
use serde_json::Value;
use std::io::Write as _;
use std::time::Duration;

/// Docker gives a health check 30 s by default and kills it without a word.
const DEADLINE: Duration = Duration::from_secs(10);
/// Characters that are shown of a server's reasons. Docker keeps 4096 bytes of what a health check says.
const MAX_WHY_CHARS: usize = 4000;

pub(super) async fn run(remote: Remote) -> anyhow::Result<()> {
    let client = remote.client()?;
    let answer = tokio::time::timeout(DEADLINE, client.readiness()).await;
    let readiness = answer.with_context(|| format!("no answer within {} s", DEADLINE.as_secs()))??;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", why(readiness.ready, &readiness.body))?;
    if readiness.ready { Ok(()) } else { Err(AnsweredNo.into()) }
}

/// The reasons in one line.
pub(super) fn why(ready: bool, body: &Value) -> String {
    let mut parts: Vec<String> = body.get("sources").and_then(Value::as_array).into_iter().flatten().map(source).collect();
    let writer = body.get("writer").unwrap_or(&Value::Null);
    if let Some(error) = text(writer, "error") {
        parts.push(format!("writer {}: {error}", text(writer, "state").unwrap_or("failed")));
    }
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
    use super::why;
    use serde_json::json;

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
