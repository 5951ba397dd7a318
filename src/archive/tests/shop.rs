//! A store in memory that fails when it is told to, and logs of a fleet to archive.

use crate::archive::{Archive, MAX_OBJECT_BYTES};
use crate::cursor::{LogId, Sequence};
use crate::event::{Event, Record};
use crate::log::{EmbeddedLog, EventLog as _, FleetRecord, Follow, FollowerLog, Fork, Limits, Piece, Scan, SealedSegment, verify};
use crate::testing::until;
use crate::time::Timestamp;
use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path as Name;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;

/// Records in a segment.
pub(super) const SEGMENT: u64 = 100;

pub(super) fn fleet() -> LogId {
    LogId::from_bytes([0xf1; 16])
}

/// Keys that nobody else has.
pub(super) fn keys() -> [(String, String); 2] {
    [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")].map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// What the store does next, besides what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// It answers nothing that can be used.
    Dead,
    /// It stores what is put and says that it did not.
    LosesAnswers,
    /// As one that refuses for another reason than the one there is.
    Forbids,
    /// After so many gets, the next ones fail.
    FailsAfter(usize),
    /// The segment that begins so can be looked at, and not be read.
    HasMoved(Sequence),
    /// The same is refused as to somebody who may not.
    Refuses(Sequence),
    /// It lists the segment that begins so as larger than any.
    IsLarge(Sequence),
    /// Nothing that is asked of the segment that begins so is answered.
    Breaks(Sequence),
}

/// A store in memory.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) inner: InMemory,
    mood: Mutex<Mood>,
    /// Whole objects that were asked for.
    pub(super) got: Mutex<Vec<String>>,
}

impl std::fmt::Display for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("shop")
    }
}

fn is_of(name: &Name, first: Sequence) -> bool {
    name.as_ref().ends_with(&format!("{first:020}.jsonl.zst"))
}

fn refusal(name: &Name, why: &str) -> Error {
    Error::PermissionDenied { path: name.to_string(), source: why.into() }
}

fn failure() -> Error {
    Error::Generic { store: "shop", source: "it is away".into() }
}

impl Shop {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { inner: InMemory::new(), mood: Mutex::new(Mood::Well), got: Mutex::default() })
    }

    pub(super) fn archive(self: &Arc<Self>) -> Archive {
        Archive::over(Arc::clone(self) as Arc<dyn ObjectStore>)
    }

    pub(super) fn be(&self, mood: Mood) {
        *self.mood.lock() = mood;
    }

    /// The bytes of a segment.
    pub(super) async fn bytes(self: &Arc<Self>, first: Sequence) -> Option<Vec<u8>> {
        let found = self.inner.get(&self.archive().name(fleet(), first)).await.ok()?;
        Some(found.bytes().await.unwrap().to_vec())
    }

    /// Replaces what is there, as nobody may.
    pub(super) async fn replace(self: &Arc<Self>, first: Sequence, bytes: Vec<u8>) {
        self.inner.put(&self.archive().name(fleet(), first), bytes.into()).await.unwrap();
    }

    pub(super) async fn remove(self: &Arc<Self>, first: Sequence) {
        self.inner.delete(&self.archive().name(fleet(), first)).await.unwrap();
    }

    /// First records of all segments.
    pub(super) async fn firsts(self: &Arc<Self>) -> Vec<Sequence> {
        self.archive().list(fleet()).await.unwrap().into_iter().map(|(first, _)| first).collect()
    }

    pub(super) async fn found(self: &Arc<Self>, first: Sequence) -> Option<u64> {
        self.archive().look(fleet(), first).await.unwrap()
    }
}

#[async_trait]
impl ObjectStore for Shop {
    async fn put_opts(&self, name: &Name, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let mood = *self.mood.lock();
        match mood {
            Mood::Dead => Err(failure()),
            Mood::Breaks(first) if is_of(name, first) => Err(failure()),
            Mood::LosesAnswers => {
                let _ = self.inner.put_opts(name, payload, options).await;
                Err(failure())
            }
            Mood::Forbids => match self.inner.put_opts(name, payload, options).await {
                Err(e) => Err(refusal(name, &e.to_string())),
                stored => stored,
            },
            _ => self.inner.put_opts(name, payload, options).await,
        }
    }

    async fn get_opts(&self, name: &Name, options: GetOptions) -> Result<GetResult> {
        {
            let mut mood = self.mood.lock();
            match &mut *mood {
                Mood::Dead | Mood::FailsAfter(0) => return Err(failure()),
                Mood::FailsAfter(left) => *left -= 1,
                Mood::Breaks(first) if is_of(name, *first) => return Err(failure()),
                Mood::HasMoved(first) if !options.head && is_of(name, *first) => {
                    return Err(refusal(name, "<Code>InvalidObjectState</Code>"));
                }
                Mood::Refuses(first) if !options.head && is_of(name, *first) => return Err(refusal(name, "<Code>AccessDenied</Code>")),
                _ => {}
            }
        }
        if options.range.is_none() && !options.head {
            self.got.lock().push(name.to_string());
        }
        self.inner.get_opts(name, options).await
    }

    fn list(&self, prefix: Option<&Name>) -> BoxStream<'static, Result<ObjectMeta>> {
        if *self.mood.lock() == Mood::Dead {
            return Box::pin(futures_util::stream::once(async { Err(failure()) }));
        }
        let mood = *self.mood.lock();
        let resized = move |object: ObjectMeta| match mood {
            Mood::IsLarge(first) if is_of(&object.location, first) => ObjectMeta { size: MAX_OBJECT_BYTES + 1, ..object },
            _ => object,
        };
        Box::pin(self.inner.list(prefix).map_ok(resized))
    }

    async fn put_multipart_opts(&self, _: &Name, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        unreachable!("segments are put whole")
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Name>>) -> BoxStream<'static, Result<Name>> {
        unreachable!("nothing is ever removed")
    }

    async fn list_with_delimiter(&self, _: Option<&Name>) -> Result<ListResult> {
        unreachable!("nothing asks for it")
    }

    async fn copy_opts(&self, _: &Name, _: &Name, _: CopyOptions) -> Result<()> {
        unreachable!("nothing is ever copied")
    }
}

/// The fleet's record; `history` tells one stream from another.
pub(super) fn record(history: &str, seq: Sequence) -> FleetRecord {
    let json = format!(r#"{{"Type":"container","Action":"start","Actor":{{"ID":"{history}{seq}","Attributes":{{}}}},"timeNano":{seq}}}"#);
    let event = Event::from_line(json.as_bytes()).unwrap();
    let received = Timestamp::from_nanos(i64::try_from(seq).unwrap());
    let line = Record { seq, time: received, received, source: "local".into(), event }.to_line(LogId::with_prefix(7));
    let arrived = Timestamp::from_nanos(1_795_000_000_000_000_000 + i64::try_from(seq).unwrap() * 1_000_000_000);
    FleetRecord::of_host_line(line.as_bytes(), "web-17".into(), arrived, seq).unwrap()
}

/// A server's log.
pub(super) struct Server {
    pub(super) log: FollowerLog,
    dir: tempfile::TempDir,
}

pub(super) fn limits() -> Limits {
    Limits { tip_records: SEGMENT, ..Limits::default() }
}

impl Server {
    /// One that has followed up to `last`, from the beginning on.
    pub(super) async fn of(history: &str, last: Sequence) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = FollowerLog::open_with(dir.path(), &Follow::whole(fleet()), limits()).unwrap().0;
        let server = Self { log, dir };
        server.follow(history, 1, last).await;
        server
    }

    pub(super) async fn follow(&self, history: &str, first: Sequence, last: Sequence) {
        self.log.append_at(first, (first..=last).map(|seq| record(history, seq)).collect()).await.unwrap();
        let sealed = (last - 1) / SEGMENT * SEGMENT;
        until("the sealer", async || *self.log().watch_sealed().unwrap().borrow() >= sealed).await;
    }

    /// The same going on under another id after its newest record.
    pub(super) async fn fork(self, log: LogId) -> Self {
        let Self { log: old, dir } = self;
        let last = old.log().bounds().head;
        close(old, dir.path()).await;
        FollowerLog::fork(dir.path(), Fork { last, log }, limits()).await.unwrap();
        let follow = FollowerLog::found(dir.path()).unwrap().unwrap();
        Self { log: FollowerLog::open_with(dir.path(), &follow, limits()).unwrap().0, dir }
    }

    pub(super) fn log(&self) -> Arc<EmbeddedLog> {
        self.log.log()
    }

    pub(super) fn segments(&self) -> Vec<SealedSegment> {
        let log = self.log();
        let mut all: Vec<SealedSegment> = Vec::new();
        while let Some(next) = log.sealed_segment_after(all.last().map_or(0, SealedSegment::last)) {
            all.push(next);
        }
        all
    }

    /// Where a follower would begin after `last` that has nothing else.
    pub(super) async fn follow_after(&self, last: Sequence) -> Follow {
        let chain = self.log().chain_around(last).await.unwrap().unwrap().1;
        Follow { log: fleet(), first: last + 1, chain }
    }
}

/// Closes a log, and waits until it can be opened again.
pub(super) async fn close(log: FollowerLog, dir: &Path) {
    log.log().close().await.unwrap();
    drop(log);
    let lock = dir.join("log/lock");
    tokio::task::spawn_blocking(move || std::fs::File::open(lock).unwrap().lock().unwrap()).await.unwrap();
}

/// What a log holds, as lines and gaps.
pub(super) async fn read(log: &EmbeddedLog) -> (Vec<String>, Vec<(Sequence, Sequence)>) {
    let (mut lines, mut gaps, mut after) = (Vec::new(), Vec::new(), 0);
    loop {
        let chunk = log.read_after(after, &Scan::default()).await.unwrap();
        for piece in &chunk.pieces {
            match piece {
                Piece::Block(block) => {
                    let new = block.sequences().filter(|seq| *seq > after);
                    lines.extend(new.map(|seq| String::from_utf8(block.line(seq, false).to_vec()).unwrap()));
                }
                Piece::Gap(range, _) => gaps.push((*range.start(), *range.end())),
            }
        }
        if chunk.through == after {
            return (lines, gaps);
        }
        after = chunk.through;
    }
}

/// What the log in `dir`, which is whole, holds once it goes up to `until`; its gaps, and with which record
/// it went on.
pub(super) async fn held(dir: &Path, until: Sequence) -> (Vec<String>, Vec<(Sequence, Sequence)>, Sequence) {
    let follow = FollowerLog::found(dir).unwrap().unwrap();
    let (log, resume, recovery) = FollowerLog::open_with(dir, &follow, limits()).unwrap();
    assert!(recovery.clean && recovery.lost.is_empty() && recovery.quarantined.is_empty(), "{recovery:?}");
    if resume.next <= until {
        log.append_at(resume.next, (resume.next..=until).map(|seq| record("a", seq)).collect()).await.unwrap();
    }
    let (lines, gaps) = read(&log.log()).await;
    close(log, dir).await;
    let report = verify(dir, &mut |_, _| {}).unwrap();
    assert!(report.damage.is_empty(), "{report:?}");
    (lines, gaps, resume.next)
}

/// Lines of the stream.
pub(super) fn lines(history: &str, range: std::ops::RangeInclusive<Sequence>) -> Vec<String> {
    range.map(|seq| record(history, seq).to_line(fleet(), seq)).collect()
}

/// Files below a directory that are not whole.
pub(super) fn unfinished(dir: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".unfinished")).count()
}
