use super::*;
use crate::log::{EmbeddedLog, NewRecord};
use crate::shutdown::Stop;

const SECOND: i64 = 1_000_000_000;

/// A crash of a container of its own, each half a minute after the one before it, so that none has to do with
/// another.
fn crash(number: i64, code: &str) -> NewRecord {
    let nanos = (1_700_000_000 + 30 * number) * SECOND;
    let line = format!(
        r#"{{"Type":"container","Action":"die","Actor":{{"ID":"{number:064}","Attributes":{{"name":"c{number}","image":"db:1","exitCode":"{code}"}}}},"timeNano":{nanos}}}"#
    );
    let event = Event::from_line(line.as_bytes()).unwrap();
    NewRecord { source: "local".into(), received: Timestamp::from_nanos(nanos), event }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_are_looked_at_and_those_that_were_told() {
    let dir = tempfile::tempdir().unwrap();
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(dir.path()).unwrap().0);
    let count = i64::try_from(MAX_SEEN).unwrap() + 50;
    log.append((0..count).map(|number| crash(number, "1")).collect()).await.unwrap();
    let (known, stop) = (Arc::new(Known::new(Arc::clone(&log), None)), Stop::new());
    tokio::spawn(Arc::clone(&known).follow(stop.shutdown()));
    let (sender, _receiver) = crate::ingest::queue(16, 1 << 20);
    let hook = Hook {
        name: "ops".into(),
        url: "http://127.0.0.1:1".into(),
        form: Form::Json,
        severity: Severity::Minor,
        subjects: Vec::new(),
        header_file: None,
    };
    let (out, as_of) = (sender.for_source("local".into()).observations(), Timestamp::from_nanos((1_700_000_000 + 30 * count) * SECOND));
    let mut teller = Teller {
        hook,
        mutes: Vec::new(),
        known: Arc::clone(&known),
        log: Arc::clone(&log),
        out,
        as_of: Arc::new(Fixed(as_of)),
        memory: Memory::default(),
        poster: Poster::new(),
    };
    let seen = teller.seen(as_of).await.unwrap();
    assert_eq!((seen.len(), &*seen[0].subject, &*seen[MAX_SEEN - 1].subject), (MAX_SEEN, "c50", &*format!("c{}", count - 1)));
    // One that is further back and that was told of goes on, and its end is to be told.
    let whole = Asked { limit: 1, ..asked_all(as_of) };
    let first = Seen::of(&known.list(&log, whole, as_of).await.unwrap().incidents[0]).unwrap();
    assert_eq!(first.subject, "c0");
    teller.memory.tell(&first, Occasion::Opened);
    let seen = teller.seen(as_of).await.unwrap();
    assert_eq!((seen.len(), &*seen[MAX_SEEN].subject), (MAX_SEEN + 1, "c0"));
}

fn asked_all(as_of: Timestamp) -> Asked {
    Asked {
        range: Timestamp::MIN..=as_of,
        state: None,
        severity: Severity::Minor,
        kind: None,
        subject: None,
        newest_first: false,
        limit: MAX_SEEN,
        after: None,
    }
}

struct Fixed(Timestamp);

#[async_trait::async_trait]
impl AsOf for Fixed {
    async fn as_of(&self) -> Result<Timestamp, LogError> {
        Ok(self.0)
    }
}
