//! Where segments are kept: S3, what speaks as it does, or a directory.

use super::http::Bounded;
use super::limits::{ANSWER_WITHIN, MAX_ERROR_CHARS, MAX_LISTED, MAX_OBJECT_BYTES, WHOLE_WITHIN};
use crate::cursor::{LogId, MAX_SEQUENCE, Sequence};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    RetryConfig,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How often a request is tried, besides, before it counts as failed.
const RETRIES: usize = 2;
/// What of the environment is enough to show who this is. Without any of it the crate would ask the machine
/// that it runs on for the keys of that, which nobody has said it may.
const KEYS: [&[&str]; 4] = [
    &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    &["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"],
    &["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"],
    &["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
];
/// Whose value says that nobody has to be shown who this is. As little as with keys, the machine is asked.
const UNSIGNED: &str = "AWS_SKIP_SIGNATURE";
/// Values of it that say so.
const TRUE: [&str; 5] = ["1", "true", "on", "yes", "y"];
/// What S3 says of an object that it has moved to a storage class from which it has to be fetched first.
const MOVED: &str = "InvalidObjectState";
/// How the name of a segment ends.
const SUFFIX: &str = ".jsonl.zst";
/// Digits of a sequence in it.
const DIGITS: usize = 20;

/// Why the archive did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Its address, or what it needs besides, cannot be.
    #[error("{0}")]
    Address(String),
    /// It refuses this server: a key, a right, or the bucket is missing.
    #[error("it refuses this server: {0}")]
    Refused(String),
    /// It keeps this where it cannot be read at once: rules of the bucket have moved it.
    #[error("it keeps this where it cannot be read at once: {0}")]
    Moved(String),
    /// It does not answer, or fails. It may later.
    #[error("it does not answer as it should: {0}")]
    Unavailable(String),
    /// What it holds is more than is read.
    #[error("{0}")]
    TooMuch(String),
}

/// What became of a segment that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    Stored,
    /// Something was there under its name; it is as it was.
    WasThere,
}

/// An archive: segments by the id of their log and their first record. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Archive {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Archive {
    /// The one at `url`, s3://BUCKET/PREFIX or file:///DIRECTORY. What S3 needs besides comes from
    /// `environment`, as usual: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and so on; `endpoint` is
    /// where something speaks that is not Amazon's. Asks nothing of it yet.
    ///
    /// # Errors
    /// [`ArchiveError::Address`], also where the environment has no keys: the machine is not asked for its
    /// own.
    pub fn at(url: &str, endpoint: Option<&str>, environment: &[(String, String)]) -> Result<Self, ArchiveError> {
        let address = |e: &dyn std::fmt::Display| ArchiveError::Address(shortened(e));
        if let Some(dir) = url.strip_prefix("file://") {
            if !dir.starts_with('/') {
                return Err(ArchiveError::Address("a directory is named as file:///DIRECTORY".to_owned()));
            }
            // It is not made: an archive that is not mounted would be one on this disk.
            let store = LocalFileSystem::new_with_prefix(dir).map_err(|e| address(&e))?.with_fsync(true);
            return Ok(Self { store: Arc::new(store), prefix: Path::default() });
        }
        let Some((bucket, prefix)) = url.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, ""))) else {
            return Err(ArchiveError::Address("it is s3://BUCKET/PREFIX or file:///DIRECTORY".to_owned()));
        };
        if bucket.is_empty() {
            return Err(ArchiveError::Address("it names no bucket".to_owned()));
        }
        let prefix = Path::parse(prefix.trim_end_matches('/')).map_err(|e| address(&e))?;
        let client = ClientOptions::new().with_connect_timeout(CONNECT_WITHIN).with_timeout(WHOLE_WITHIN);
        let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: ANSWER_WITHIN };
        let of_environment = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let has = |names: &[&str]| names.iter().all(|name| of_environment(name).is_some_and(|value| !value.is_empty()));
        let is_unsigned = of_environment(UNSIGNED).is_some_and(|value| TRUE.contains(&value.to_ascii_lowercase().as_str()));
        if !is_unsigned && !KEYS.iter().any(|names| has(names)) {
            return Err(ArchiveError::Address("the environment has no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned()));
        }
        let mut builder = AmazonS3Builder::new();
        for (name, value) in environment.iter().filter(|(name, _)| name.starts_with("AWS_")) {
            if let Ok(key) = name.to_ascii_lowercase().parse() {
                builder = builder.with_config(key, value);
            }
        }
        builder = builder.with_client_options(client).with_bucket_name(bucket).with_retry(retry).with_http_connector(Bounded);
        let named = endpoint.or_else(|| of_environment("AWS_ENDPOINT_URL_S3")).or_else(|| of_environment("AWS_ENDPOINT_URL"));
        if let Some(endpoint) = named {
            // Whoever names it so wants it so. This key comes before what the environment says.
            builder = builder.with_allow_http(endpoint.starts_with("http://")).with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
        }
        Ok(Self { store: Arc::new(builder.build().map_err(|e| address(&e))?), prefix })
    }

    /// One over another store.
    #[cfg(test)]
    pub(super) fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, prefix: Path::from("some/where") }
    }

    /// The name of a segment.
    pub(super) fn name(&self, log: LogId, first: Sequence) -> Path {
        self.prefix.clone().join(log.to_string()).join(format!("{first:0DIGITS$}{SUFFIX}"))
    }

    /// The size of what there is under the name of a segment. That is told also of what cannot be read.
    pub(super) async fn look(&self, log: LogId, first: Sequence) -> Result<Option<u64>, ArchiveError> {
        match within(ANSWER_WITHIN, self.store.head(&self.name(log, first))).await {
            Err(Failed::NotFound(_)) => Ok(None),
            found => Ok(Some(found?.size)),
        }
    }

    /// The last `bytes` of a segment; `None` where it is gone.
    pub(super) async fn tail(&self, log: LogId, first: Sequence, bytes: u64) -> Result<Option<Bytes>, ArchiveError> {
        let name = self.name(log, first);
        let range = Some(GetRange::Suffix(bytes.max(1)));
        let tail = async { self.store.get_opts(&name, GetOptions { range, ..GetOptions::default() }).await?.bytes().await };
        match within(ANSWER_WITHIN, tail).await {
            Err(Failed::NotFound(_)) => Ok(None),
            found => Ok(Some(found?)),
        }
    }

    /// Puts a segment, unless something has its name.
    pub(super) async fn put(&self, log: LogId, first: Sequence, pieces: Vec<Bytes>) -> Result<Put, ArchiveError> {
        let name = self.name(log, first);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match within(WHOLE_WITHIN, self.store.put_opts(&name, PutPayload::from_iter(pieces), options)).await {
            Ok(_) => Ok(Put::Stored),
            Err(Failed::WasThere) => Ok(Put::WasThere),
            Err(e) => Err(e.into()),
        }
    }

    /// The segments of a log, with their sizes, rising. What has another name is none.
    pub(super) async fn list(&self, log: LogId) -> Result<Vec<(Sequence, u64)>, ArchiveError> {
        let mut objects = self.store.list(Some(&self.prefix.clone().join(log.to_string())));
        let (mut listed, mut segments) = (0, Vec::new());
        while let Some(object) = within(ANSWER_WITHIN, async { objects.next().await.transpose() }).await? {
            listed += 1;
            if listed > MAX_LISTED {
                return Err(ArchiveError::TooMuch(format!("it holds more than {MAX_LISTED} objects of the fleet {log}")));
            }
            if let Some(first) = sequence(&object.location).filter(|first| self.name(log, *first) == object.location) {
                segments.push((first, object.size));
            }
        }
        segments.sort_unstable();
        Ok(segments)
    }

    /// The content of a segment that is listed with `bytes`; `None` where it is gone.
    pub(super) async fn get(&self, log: LogId, first: Sequence, bytes: u64) -> Result<Option<Content>, ArchiveError> {
        if bytes > MAX_OBJECT_BYTES {
            return Err(ArchiveError::TooMuch(format!("it has {bytes} bytes, more than any segment ({MAX_OBJECT_BYTES})")));
        }
        match within(ANSWER_WITHIN, self.store.get(&self.name(log, first))).await {
            Err(Failed::NotFound(_)) => Ok(None),
            found => Ok(Some(Content { stream: found?.into_stream(), left: bytes })),
        }
    }
}

/// A segment on its way here.
pub(super) struct Content {
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    left: u64,
}

impl Content {
    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ArchiveError> {
        let Some(bytes) = within(ANSWER_WITHIN, async { self.stream.next().await.transpose() }).await? else {
            return if self.left == 0 { Ok(None) } else { Err(ArchiveError::Unavailable("what it sends ends too soon".to_owned())) };
        };
        let too_much = || ArchiveError::TooMuch("it sends more than it has listed".to_owned());
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(too_much)?;
        Ok(Some(bytes))
    }
}

/// The sequence in a name.
fn sequence(name: &Path) -> Option<Sequence> {
    let digits = name.filename()?.strip_suffix(SUFFIX)?;
    let first = digits.parse().ok().filter(|_| digits.len() == DIGITS)?;
    (1..=MAX_SEQUENCE).contains(&first).then_some(first)
}

/// Why a request failed, as far as that makes a difference.
enum Failed {
    NotFound(String),
    WasThere,
    Other(ArchiveError),
}

impl From<Failed> for ArchiveError {
    fn from(failed: Failed) -> Self {
        match failed {
            // Of an object that was asked for by name, the caller has seen to it.
            Failed::NotFound(what) => Self::Refused(what),
            Failed::WasThere => Self::Unavailable("something else was stored meanwhile".to_owned()),
            Failed::Other(e) => e,
        }
    }
}

async fn within<T>(limit: Duration, request: impl Future<Output = object_store::Result<T>>) -> Result<T, Failed> {
    let Ok(answer) = timeout(limit, request).await else {
        return Err(Failed::Other(ArchiveError::Unavailable(format!("no answer within {} s", limit.as_secs()))));
    };
    let is_moved = |e: &Error| e.to_string().contains(MOVED);
    answer.map_err(|e| match e {
        e if is_moved(&e) => Failed::Other(ArchiveError::Moved(shortened(&e))),
        Error::NotFound { .. } => Failed::NotFound(shortened(&e)),
        Error::AlreadyExists { .. } | Error::Precondition { .. } => Failed::WasThere,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Failed::Other(ArchiveError::Refused(shortened(&e))),
        e => Failed::Other(ArchiveError::Unavailable(shortened(&e))),
    })
}

/// An error as it is told: an archive may answer with anything.
fn shortened(e: &dyn std::fmt::Display) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    e.to_string().chars().map(clean).take(MAX_ERROR_CHARS).collect()
}
