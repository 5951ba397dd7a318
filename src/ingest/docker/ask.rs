//! One question to a daemon, and its answer, which is read as it comes and no further than its bound.

use super::error::IngestError;
use super::lists::{Entry, NoList, Shape, Splitter};
use super::transport::Transport;
use super::wire::message;
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a whole answer may take. The caller has a shorter limit for what is urgent.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// How much of an answer is read, and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes of the whole answer.
    pub(super) bytes: u64,
    /// Bytes of one entry.
    pub(super) entry_bytes: usize,
}

/// How far an answer was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// To its end.
    Whole,
    /// To the limit, beyond which there is more.
    Cut,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("GET {path} was answered with HTTP {status}: {message}")]
    Status { path: &'static str, status: u16, message: String },
    #[error("the answer to GET {path} is longer than {max} bytes")]
    TooLarge { path: &'static str, max: u64 },
    #[error("the answer to GET {path} cannot be read: {why}")]
    Unreadable { path: &'static str, why: String },
    #[error("GET {path}: {source}")]
    Failed { path: &'static str, source: IngestError },
}

impl AskError {
    /// There is no such thing.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: 404, .. })
    }

    /// The daemon's answer was longer than may be read.
    pub(super) fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge { .. })
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// What messages call it.
    pub(super) path: &'static str,
    pub(super) url: &'a str,
}

impl Question<'static> {
    /// One that messages call what it is.
    pub(super) fn plain(path: &'static str) -> Self {
        Self { path, url: path }
    }
}

/// Gives each entry of the answer to `sink`.
pub(super) async fn ask(
    transport: &Arc<Transport>,
    question: Question<'_>,
    shape: Shape,
    limits: Limits,
    sink: &mut (dyn FnMut(Entry<'_>) + Send),
) -> Result<Extent, AskError> {
    let mut splitter = Splitter::new(shape, limits.entry_bytes);
    let extent = read(transport, question, limits.bytes, &mut |bytes| splitter.push(bytes, sink)).await?;
    if extent == Extent::Whole {
        let unreadable = |no_list: NoList| AskError::Unreadable { path: question.path, why: no_list.to_string() };
        splitter.finish(sink).map_err(unreadable)?;
    }
    Ok(extent)
}

/// Gives the bytes of the answer to `sink` as they come, and no more than so many of them.
pub(super) async fn read(
    transport: &Arc<Transport>,
    Question { path, url }: Question<'_>,
    max_bytes: u64,
    sink: &mut (dyn FnMut(&[u8]) + Send),
) -> Result<Extent, AskError> {
    let late = |_| AskError::Failed { path, source: IngestError::Timeout { what: "a question", after: ANSWER_MAX } };
    let asked = async {
        let answer = transport.get(url).await.map_err(|source| AskError::Failed { path, source })?;
        if answer.status() != StatusCode::OK {
            let status = answer.status().as_u16();
            return Err(AskError::Status { path, status, message: message(answer).await });
        }
        let (mut body, mut left) = (answer.into_body(), max_bytes);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| AskError::Failed { path, source: IngestError::Broken(error) })?;
            let Ok(bytes) = frame.into_data() else { continue };
            if bytes.len() as u64 > left {
                // The rest is not read: the connection is closed with the body.
                return Ok(Extent::Cut);
            }
            left -= bytes.len() as u64;
            sink(&bytes);
            // An answer whose bytes are all there already would not let anything else run, such as a stop.
            tokio::task::consume_budget().await;
        }
        Ok(Extent::Whole)
    };
    timeout(ANSWER_MAX, asked).await.map_err(late)?
}

/// Asks for one object, and gives its text.
pub(super) async fn ask_for_one(transport: &Arc<Transport>, question: Question<'_>, limits: Limits) -> Result<String, AskError> {
    let (mut text, too_large) = (None, AskError::TooLarge { path: question.path, max: limits.bytes });
    let mut sink = |entry: Entry<'_>| {
        if let Entry::Whole(bytes) = entry {
            text = Some(String::from_utf8_lossy(bytes).into_owned());
        }
    };
    match ask(transport, question, Shape::One, limits, &mut sink).await? {
        Extent::Whole => text.ok_or(too_large),
        Extent::Cut => Err(too_large),
    }
}
