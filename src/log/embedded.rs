//! The embedded log: a directory that one process owns.

use super::chain::CHAIN_START;
use super::codec::Header;
use super::identity::{self, Identity, RESERVE, Watermark};
use super::index::{Index, IndexEntry};
use super::shelf::Shelf;
use super::tip::Tip;
use super::writer::{QUEUE, Request, Writer};
use super::{Bounds, Chunk, EventLog, LogError, NewRecord, Scan, WriterState};
use crate::cursor::Sequence;
use crate::migrations;
use crate::time::Timestamp;
use async_trait::async_trait;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// The default [`EventLog`]: a sled tip in `<data>/log/`.
#[derive(Debug)]
pub struct EmbeddedLog {
    shelf: Arc<Shelf>,
    requests: mpsc::Sender<Request>,
    head: watch::Receiver<Sequence>,
    state: watch::Receiver<WriterState>,
}

/// What was found when the log was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The log was new, or had been stopped cleanly and is whole.
    pub clean: bool,
    /// Sequences that readers may have seen and that are gone. They will never be used again.
    pub lost: Option<RangeInclusive<Sequence>>,
    /// Where a tip that could not be opened was set aside.
    pub quarantined: Option<PathBuf>,
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> LogError {
    let path = path.to_owned();
    move |e| LogError::Io { doing, path, source: Arc::new(e) }
}

impl EmbeddedLog {
    /// Opens or creates the log in `data_dir`, and starts its writer.
    ///
    /// # Errors
    /// [`LogError::InUse`], [`LogError::NewerFormat`], or a file operation that failed. Damage does not keep a log from
    /// opening; [`Recovery`] tells of it.
    pub fn open(data_dir: &Path) -> Result<(Self, Recovery), LogError> {
        let dir = data_dir.join("log");
        create_private_dir(&dir)?;
        let lock = identity::lock(&dir)?;
        let found = Identity::read(&dir)?;
        let tip_dir = find_tip(&dir)?;
        let mut identity = match (found, &tip_dir) {
            (Some(identity), _) => identity,
            (None, None) => {
                // Before the tip, so that a kill in between leaves a log without records, not records without a log.
                let identity = Identity::create();
                identity.write(&dir)?;
                identity
            }
            (None, Some(tip)) => {
                let why = format!(
                    "{} exists but {} does not: restore it, or move the directory away to start a new log",
                    tip.display(),
                    dir.join("LOG").display()
                );
                return Err(LogError::Damaged(why));
            }
        };
        migrations::upgrade(&dir, identity.format)?;
        let log = identity.log_id()?;
        let (watermark, seen) = Watermark::open(&dir)?;

        let Opened { tip, mut headers, quarantined } = open_tip(data_dir, &dir, tip_dir, &identity)?;
        // What a trim had taken out of sight before it was cut short.
        let trimmed = headers.partition_point(|header| header.last() < identity.trimmed);
        let left_over: Vec<_> = headers.drain(..trimmed).map(|header| (header.first, header.parts)).collect();
        if !left_over.is_empty() {
            tip.remove(&left_over)?;
        }
        let mut index = Index::default();
        for header in &headers {
            index.push(IndexEntry::from(header));
        }
        let last = headers.last();
        let end = last.map_or(identity.trimmed.saturating_sub(1), Header::last);

        // What readers may have seen: exactly known after a clean stop and after a kill. A missing watermark after an
        // unclean stop means that nobody knows, so everything that was reserved counts.
        let may_have_seen = identity.clean_head.or(seen).unwrap_or(identity.reserved);
        let lost = (end < may_have_seen).then(|| end + 1..=identity.reserved.max(may_have_seen));
        let next = lost.as_ref().map_or(end, |lost| *lost.end()) + 1;
        let recovery = Recovery { clean: identity.clean_head.is_some() && lost.is_none() && quarantined.is_none(), lost, quarantined };

        identity.clean_head = None;
        identity.reserved = identity.reserved.max(next - 1 + RESERVE);
        identity.write(&dir)?;
        // Not `end`: were the program killed before its first append, what was lost now would be forgotten.
        watermark.write(next - 1)?;

        let (chain, last_received) = last.map_or((CHAIN_START, Timestamp::MIN), |h| (h.chain_after, h.received.1));
        let shelf = Arc::new(Shelf::new(log, tip, index, identity.trimmed, lock));
        let (head, head_receiver) = watch::channel(shelf.bounds().head);
        let (state, state_receiver) = watch::channel(WriterState::Ok);
        let (requests, inbox) = mpsc::channel(QUEUE);
        let writer = Writer { log, dir, shelf: Arc::clone(&shelf), identity, watermark, next, chain, last_received, head, state };
        spawn_writer(writer, inbox)?;
        Ok((Self { shelf, requests, head: head_receiver, state: state_receiver }, recovery))
    }

    async fn ask<T>(&self, request: Request, answer: oneshot::Receiver<Result<T, LogError>>) -> Result<T, LogError> {
        self.requests.send(request).await.map_err(|_| LogError::Closed)?;
        answer.await.map_err(|_| LogError::Closed)?
    }
}

/// The writer blocks on the disk, so it has a thread of its own; the small runtime in it is for waiting with a timeout.
fn spawn_writer(writer: Writer, inbox: mpsc::Receiver<Request>) -> Result<(), LogError> {
    let path = writer.dir.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(io("cannot start a runtime for", &path))?;
    std::thread::Builder::new()
        .name("log-writer".to_owned())
        .spawn(move || runtime.block_on(writer.run(inbox)))
        .map(|_| ())
        .map_err(io("cannot start the writer of", &path))
}

/// Creates a directory that only its owner can enter, durably.
fn create_private_dir(dir: &Path) -> Result<(), LogError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io("cannot create", dir))?;
    identity::sync_dir(dir)?;
    dir.parent().filter(|p| !p.as_os_str().is_empty()).map_or(Ok(()), identity::sync_dir)
}

/// The directory of the tip, if there is one. Sealed segments will lie beside it.
fn find_tip(dir: &Path) -> Result<Option<PathBuf>, LogError> {
    let mut newest = None;
    for entry in fs::read_dir(dir).map_err(io("cannot list", dir))? {
        let path = entry.map_err(io("cannot list", dir))?.path();
        let is_tip = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("tip-"));
        if is_tip && newest.as_ref().is_none_or(|n| *n < path) {
            newest = Some(path);
        }
    }
    Ok(newest)
}

/// A tip that can be read.
struct Opened {
    tip: Tip,
    headers: Vec<Header>,
    quarantined: Option<PathBuf>,
}

impl Opened {
    fn at(path: &Path, quarantined: Option<PathBuf>) -> Result<Self, LogError> {
        let tip = Tip::open(path)?;
        let headers = tip.headers()?;
        Ok(Self { tip, headers, quarantined })
    }
}

/// Opens the tip; one that is damaged so that it cannot be opened or listed is set aside, and a new one begins behind everything that was
/// reserved. An error of another kind (a full disk, too many open files) leaves everything as it is.
fn open_tip(data_dir: &Path, dir: &Path, found: Option<PathBuf>, identity: &Identity) -> Result<Opened, LogError> {
    let tip_at = |first: Sequence| dir.join(format!("tip-{first:020}"));
    let Some(path) = found else {
        let path = tip_at(1);
        create_private_dir(&path)?;
        return Opened::at(&path, None);
    };
    match Opened::at(&path, None) {
        Err(LogError::Damaged(why)) => {
            let quarantine = data_dir.join("quarantine");
            create_private_dir(&quarantine)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let aside = quarantine.join(format!("{name}-{}", Timestamp::now().nanos()));
            // The new one first: if there is no room for it, nothing has been moved.
            let fresh = tip_at(identity.reserved + 1);
            create_private_dir(&fresh)?;
            let opened = Opened::at(&fresh, Some(aside.clone()))?;
            fs::rename(&path, &aside).map_err(io("cannot set aside", &path))?;
            identity::sync_dir(&quarantine)?;
            identity::sync_dir(dir)?;
            tracing::error!(store.quarantine = %aside.display(), error = why, "the log's tip does not open; it was set aside and recording goes on behind it");
            Ok(opened)
        }
        opened => opened,
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    async fn append(&self, records: Vec<NewRecord>) -> Result<RangeInclusive<Sequence>, LogError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Append(records, reply), answer).await
    }

    async fn read_after(&self, after: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        if let Some(chunk) = self.shelf.ring_after(after, scan) {
            return Ok(chunk);
        }
        let scan = scan.clone();
        self.on_disk(move |shelf| shelf.read_after(after, &scan)).await
    }

    async fn read_before(&self, before: Sequence, scan: &Scan) -> Result<Chunk, LogError> {
        let scan = scan.clone();
        self.on_disk(move |shelf| shelf.read_before(before, &scan)).await
    }

    async fn seek_time(&self, time: Timestamp) -> Result<Sequence, LogError> {
        self.on_disk(move |shelf| shelf.seek_time(time)).await
    }

    fn bounds(&self) -> Bounds {
        self.shelf.bounds()
    }

    fn watch_head(&self) -> watch::Receiver<Sequence> {
        self.head.clone()
    }

    fn watch_writer(&self) -> watch::Receiver<WriterState> {
        self.state.clone()
    }

    fn disk_bytes(&self) -> u64 {
        self.shelf.tip.disk_bytes()
    }

    async fn trim(&self, before: Sequence) -> Result<Sequence, LogError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Trim(before, reply), answer).await
    }

    async fn close(&self) -> Result<(), LogError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Close(reply), answer).await
    }
}

impl EmbeddedLog {
    /// Runs a read that may touch the disk on the blocking pool.
    async fn on_disk<T: Send + 'static>(&self, read: impl FnOnce(&Shelf) -> Result<T, LogError> + Send + 'static) -> Result<T, LogError> {
        let shelf = Arc::clone(&self.shelf);
        tokio::task::spawn_blocking(move || read(&shelf)).await.map_err(|e| LogError::Damaged(format!("a read panicked: {e}")))?
    }
}
