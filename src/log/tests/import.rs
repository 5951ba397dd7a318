//! What comes in from an export, and what a kill leaves of that.

use crate::event::{Event, Marks, Noise, Record};
use crate::log::testing::contract::{self, log_id, read_all};
use crate::log::{EmbeddedLog, LogError, Scan, import};
use crate::time::Timestamp;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, sync_channel};
use tempfile::TempDir;

/// Lines that come when they are sent.
struct Slow(Receiver<String>, Vec<u8>);

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.1.is_empty() {
            self.1 = self.0.recv().unwrap_or_default().into_bytes();
        }
        let count = buffer.len().min(self.1.len());
        buffer[..count].copy_from_slice(&self.1[..count]);
        self.1.drain(..count);
        Ok(count)
    }
}

fn import_text(text: &str, dir: &std::path::Path) -> Result<crate::log::Imported, LogError> {
    import(&mut BufReader::new(text.as_bytes()), dir, &mut |_| {})
}

#[tokio::test]
async fn one_import_into_a_directory_at_a_time() {
    let dir = TempDir::new().unwrap();
    let (lines, slow) = sync_channel(1);
    let path = dir.path().to_owned();
    let (began, begins) = sync_channel(1);
    let first = std::thread::spawn(move || {
        let mut reader: Box<dyn BufRead + Send> = Box::new(BufReader::with_capacity(64, Slow(slow, Vec::new())));
        import(&mut *reader, &path, &mut |records| {
            let _ = began.try_send(records);
        })
    });
    let all: String = (1..=1000).map(contract::line).collect();
    lines.send(all).unwrap();
    begins.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
    let error = import_text(&contract::line(1), dir.path()).unwrap_err().to_string();
    assert!(error.contains("another import") && error.contains("under way"), "{error}");
    let error = EmbeddedLog::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("another import"), "{error}");
    // What that start made is no log.
    lines.send(contract::line(1001)).unwrap();
    drop(lines);
    let error = first.join().unwrap();
    assert!(matches!(&error, Ok(imported) if imported.records == 1001), "{error:?}");
    let (log, recovery) = EmbeddedLog::open(dir.path()).unwrap();
    assert!(recovery.lost.is_empty() && read_all(&log, 0, &Scan::default()).await.len() == 1001, "{recovery:?}");
}

#[tokio::test]
async fn what_a_killed_import_left_goes_at_the_next_start() {
    for again in [false, true] {
        let dir = TempDir::new().unwrap();
        let left = dir.path().join("log.importing");
        fs::create_dir(&left).unwrap();
        for name in ["lock", "00000000000000000001.jsonl.zst", "watermark"] {
            fs::write(left.join(name), "left").unwrap();
        }
        if again {
            assert_eq!(import_text(&contract::line(7), dir.path()).unwrap().bounds, (7, 7));
            assert!(!dir.path().join("log/00000000000000000001.jsonl.zst").exists());
        } else {
            drop(EmbeddedLog::open(dir.path()).unwrap());
        }
        assert!(!left.exists() && dir.path().join("log").exists());
    }
}

fn line(seq: u64, received: i64, own: bool, marks: Marks) -> String {
    let json =
        format!(r#"{{"Type":"{}","Action":"start","Actor":{{"ID":"x","Attributes":{{}}}}}}"#, if own { "recorder" } else { "container" });
    let event = Event::from_line(json.as_bytes()).unwrap().with_marks(marks);
    let (time, received) = (Timestamp::from_nanos(5), Timestamp::from_nanos(received));
    Record { seq, time, received, source: "local".into(), event }.to_line(log_id()) + "\n"
}

#[test]
fn the_time_of_receipt_may_fall_at_a_start_and_nowhere_else() {
    let (none, foreign) = (Marks::default(), Marks { foreign: true, ..Marks::default() });
    let whole = line(1, 9, true, none) + &line(2, 10, false, none) + &line(3, 5, true, none) + &line(4, 6, false, none);
    let dir = TempDir::new().unwrap();
    assert_eq!(import_text(&whole, dir.path()).unwrap().records, 4);
    let report = crate::log::verify(dir.path(), &mut |_, _| {}).unwrap();
    assert!(report.damage.is_empty() && report.records == 4, "{report:?}");
    for falling in [line(2, 8, false, none), line(2, 8, true, foreign)] {
        let error = import_text(&(line(1, 9, true, none) + &falling), TempDir::new().unwrap().path()).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("received before"), "{error}");
    }
}

#[test]
fn marks_come_in_whoever_wrote_the_line_anew() {
    let marks = Marks { noise: Some(Noise::HealthCheck), cut: Some(70_000_000), foreign: true };
    let ours = line(1, 9, true, marks);
    let value: serde_json::Value = serde_json::from_str(&ours).unwrap();
    for text in [ours.clone(), value.to_string(), serde_json::to_string_pretty(&value).unwrap().replace('\n', " ")] {
        let dir = TempDir::new().unwrap();
        import_text(&text, dir.path()).unwrap();
        let segment = crate::log::segment::Segment::open(&dir.path().join("log/00000000000000000001.jsonl.zst")).unwrap();
        let record = segment.block(&segment.frames()[0]).unwrap().record(1).unwrap();
        assert_eq!(record.event.marks(), marks, "{text}");
    }
}

#[test]
fn a_line_that_is_too_long_is_refused_before_all_of_it_is_read() {
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(b'x');
            self.0 += buffer.len() as u64;
            Ok(buffer.len())
        }
    }
    let dir = TempDir::new().unwrap();
    let mut endless = BufReader::new(Endless(0));
    let error = import(&mut endless, dir.path(), &mut |_| {}).unwrap_err().to_string();
    assert_eq!(error, "line 1 cannot be imported: it is longer than 16 MiB");
    assert!(endless.get_ref().0 <= 17 << 20, "{} bytes were read", endless.get_ref().0);
}
