//! The stores, each as a function that makes records durable before it returns.

use crate::block::Blocks;
use fjall::{KeyspaceCreateOptions, PersistMode};
use redb::{Durability, TableDefinition};
use shipslog::log::{EmbeddedLog, EventLog, NewRecord};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// One durable commit.
pub(crate) type Commit = Box<dyn FnMut(Vec<NewRecord>)>;

/// A store's name and how to open it in an empty directory.
pub(crate) type Store = (&'static str, fn(&Path) -> Commit);

/// The one against which the others are set.
pub(crate) const OURS: &str = "shipslog";

/// In the order in which they take turns.
pub(crate) const STORES: [Store; 9] = [
    ("raw file, fdatasync", raw),
    (OURS, shipslog),
    ("shipslog, next queued", shipslog_queued),
    ("SQLite, WAL, FULL", |dir| sqlite(dir, false)),
    ("redb, Immediate", |dir| redb(dir, false)),
    ("fjall, SyncAll", |dir| fjall(dir, false)),
    ("SQLite with chain", |dir| sqlite(dir, true)),
    ("redb with chain", |dir| redb(dir, true)),
    ("fjall with chain", |dir| fjall(dir, true)),
];

/// The messages as they are: what the disk can do.
fn raw(dir: &Path) -> Commit {
    let mut file = File::create(dir.join("raw")).unwrap();
    Box::new(move |records| {
        let mut buffer = Vec::new();
        for record in &records {
            buffer.extend_from_slice(record.event.as_json().as_bytes());
            buffer.push(b'\n');
        }
        file.write_all(&buffer).unwrap();
        file.sync_data().unwrap();
    })
}

fn shipslog(dir: &Path) -> Commit {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (log, _) = EmbeddedLog::open(dir).unwrap();
    Box::new(move |records| {
        runtime.block_on(log.append(records)).unwrap();
    })
}

/// As whoever has more to bring than one append: the next one waits while one is being committed.
fn shipslog_queued(dir: &Path) -> Commit {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (log, _) = EmbeddedLog::open(dir).unwrap();
    let log = std::sync::Arc::new(log);
    let mut under_way = std::collections::VecDeque::new();
    Box::new(move |records| {
        let log = std::sync::Arc::clone(&log);
        under_way.push_back(runtime.spawn(async move { log.append(records).await.unwrap() }));
        if under_way.len() > 2 {
            runtime.block_on(under_way.pop_front().unwrap()).unwrap();
        }
    })
}

fn sqlite(dir: &Path, chained: bool) -> Commit {
    let db = rusqlite::Connection::open(dir.join("sqlite")).unwrap();
    db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE blocks (first INTEGER PRIMARY KEY, block BLOB)")
        .unwrap();
    let mut blocks = Blocks::new(chained);
    Box::new(move |records| {
        let (first, block) = blocks.next(&records);
        let mut insert = db.prepare_cached("INSERT INTO blocks VALUES (?1, ?2)").unwrap();
        insert.execute((first.cast_signed(), block)).unwrap();
    })
}

fn redb(dir: &Path, chained: bool) -> Commit {
    const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
    let db = redb::Database::create(dir.join("redb")).unwrap();
    let mut blocks = Blocks::new(chained);
    Box::new(move |records| {
        let (first, block) = blocks.next(&records);
        let mut transaction = db.begin_write().unwrap();
        transaction.set_durability(Durability::Immediate).unwrap();
        transaction.open_table(BLOCKS).unwrap().insert(first, block.as_slice()).unwrap();
        transaction.commit().unwrap();
    })
}

fn fjall(dir: &Path, chained: bool) -> Commit {
    let db = fjall::Database::builder(dir.join("fjall")).open().unwrap();
    let keyspace = db.keyspace("blocks", KeyspaceCreateOptions::default).unwrap();
    let mut blocks = Blocks::new(chained);
    Box::new(move |records| {
        let (first, block) = blocks.next(&records);
        keyspace.insert(first.to_be_bytes(), block).unwrap();
        db.persist(PersistMode::SyncAll).unwrap();
    })
}
