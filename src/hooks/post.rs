//! One POST, and again until it is taken. No redirect is followed, and of the answer only the status counts.

use super::Hook;
use super::message::Message;
use crate::file;
use crate::text::root_cause;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// For an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts, the first time and at most; it doubles in between.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// After that long it is given up.
const GIVE_UP: Duration = Duration::from_secs(24 * 3600);
/// Headers of a file, at most: with more of them nothing is sent.
const MAX_HEADERS: usize = 64;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// Answered with this status.
    Taken(u16),
    /// For a day nobody took it.
    GivenUp,
}

/// Sends to one hook.
#[derive(Debug)]
pub(super) struct Poster {
    client: Option<reqwest::Client>,
}

impl Poster {
    pub(super) fn new() -> Self {
        // The first to ask decides for the whole process; another's choice serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { client: None }
    }

    /// Sends until it is taken.
    pub(super) async fn deliver(&mut self, hook: &Hook, message: &Message) -> Sent {
        let (began, mut wait, mut told) = (Instant::now(), FIRST_WAIT, String::new());
        loop {
            let why = match self.post(hook, message).await {
                Ok(status) => {
                    tracing::info!(hook = hook.name, webhook.id = message.id, status, "told");
                    return Sent::Taken(status);
                }
                Err(why) => why,
            };
            if told != why {
                tracing::warn!(hook = hook.name, webhook.id = message.id, error = why, "not told; it is tried again");
                told = why;
            }
            if began.elapsed() + wait > GIVE_UP {
                tracing::error!(hook = hook.name, webhook.id = message.id, error = told, "not told in a day; it is given up");
                return Sent::GivenUp;
            }
            sleep(wait).await;
            wait = (2 * wait).min(LONGEST_WAIT);
        }
    }

    async fn post(&mut self, hook: &Hook, message: &Message) -> Result<u16, String> {
        let headers = hook.header_file.as_deref().map(headers).transpose()?.unwrap_or_default();
        let mut request = self.client(hook)?.post(&hook.url).body(message.body.clone());
        request = request.header("content-type", message.content_type).header("webhook-id", &message.id);
        for (name, value) in &message.headers {
            request = request.header(*name, value);
        }
        // The user's own win.
        let answer = request.headers(headers).send().await.map_err(failed)?;
        let status = answer.status();
        // The body is not read: nothing in it matters, and it may be of any size.
        if status.is_success() { Ok(status.as_u16()) } else { Err(format!("it was answered with HTTP {status}")) }
    }

    fn client(&mut self, hook: &Hook) -> Result<&reqwest::Client, String> {
        if self.client.is_none() {
            let mut builder = reqwest::Client::builder()
                .timeout(PATIENCE)
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("shipslog/", env!("CARGO_PKG_VERSION")));
            if !hook.url.starts_with("https:") {
                // None is needed, and a small image has none. Nor could a proxy of the environment reach this
                // machine.
                builder = builder.tls_certs_only([]).no_proxy();
            }
            self.client = Some(builder.build().map_err(failed)?);
        }
        self.client.as_ref().ok_or_else(String::new)
    }
}

/// Whether nobody on the way reads what is sent to a URL: it is HTTPS, or does not leave this machine.
/// `None`: it is no URL of HTTP.
pub fn is_safe(url: &str) -> Option<bool> {
    let url = reqwest::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
    let ip = host.parse::<std::net::IpAddr>();
    Some(url.scheme() == "https" || host == "localhost" || ip.is_ok_and(|ip| ip.to_canonical().is_loopback()))
}

/// Read each time, since tokens change.
fn headers(path: &Path) -> Result<HeaderMap, String> {
    let wrong = |why: &str| format!("the header file {}: {why}", path.display());
    let text = file::read(path).and_then(file::text).map_err(|error| wrong(&error.to_string()))?;
    let mut headers = HeaderMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if headers.len() >= MAX_HEADERS {
            return Err(wrong(&format!("it has more than {MAX_HEADERS} headers")));
        }
        // The line itself may be a secret.
        let (name, value) = line.split_once(':').ok_or_else(|| wrong("a line is not NAME: VALUE"))?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong("a name is none of a header"))?;
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| wrong("a value cannot be sent"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Why nothing was sent. Without the URL, whose path is a secret with many receivers.
fn failed(error: reqwest::Error) -> String {
    if error.is_timeout() { format!("no answer in {} s", PATIENCE.as_secs()) } else { root_cause(&error.without_url()) }
}

#[cfg(test)]
mod tests;
