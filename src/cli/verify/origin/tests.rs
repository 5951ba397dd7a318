use super::*;
use crate::chain::{self, CHAIN_START};
use crate::cursor::LogId;
use crate::event::{Event, Record};
use crate::log::{FleetRecord, Follow, FollowerLog, Limits};
use crate::testing::until;
use crate::time::Timestamp;

/// Of the host's log.
const LOG: u32 = 7;
/// Records in a segment of the fleet's.
const SEGMENT: u64 = 100;

#[test]
fn what_names_a_log_or_a_value_is_read_exactly() {
    assert_eq!(log_of("7f3c9a1e"), Ok(0x7f3c_9a1e));
    for wrong in ["7F3C9A1E", "7f3c9a1", "7f3c9a1e0", "7f3c9a1e-1", "", "+f3c9a1e"] {
        assert!(log_of(wrong).is_err(), "{wrong}");
    }
    let value = "ab".repeat(32);
    assert_eq!(known_of(&format!("17:{value}")), Ok((17, [0xab; 32])));
    for wrong in ["17", "17:", "17:ab", ":ab", &format!("x:{value}"), &format!("17:{value}0")] {
        assert!(known_of(wrong).is_err(), "{wrong}");
    }
}

/// The host's line of a record.
fn line(seq: Sequence) -> String {
    let json = format!(r#"{{"Type":"container","Action":"start","Actor":{{"ID":"c{seq}","Attributes":{{}}}},"timeNano":{seq}}}"#);
    let time = Timestamp::from_nanos(i64::try_from(seq).unwrap());
    Record { seq, time, received: time, source: "local".into(), event: Event::from_line(json.as_bytes()).unwrap() }
        .to_line(LogId::with_prefix(LOG))
}

/// The log of a fleet that has these records of these hosts, in `dir`.
async fn filled(dir: &Path, records: impl IntoIterator<Item = (&str, Sequence)>) {
    let limits = Limits { tip_records: SEGMENT, ..Limits::default() };
    let (log, ..) = FollowerLog::open_with(dir, &Follow::whole(LogId::from_bytes([0xf1; 16])), limits).unwrap();
    let arrived = Timestamp::from_nanos(1_795_000_000_000_000_000);
    let record = |(host, seq): (&str, Sequence)| FleetRecord::of_host_line(line(seq).as_bytes(), host.into(), arrived, seq).unwrap();
    let last = *log.append_at(1, records.into_iter().map(record).collect()).await.unwrap().sequences.end();
    let sealed = (last - 1) / SEGMENT * SEGMENT;
    until("the sealer", async || *log.log().watch_sealed().unwrap().borrow() >= sealed).await;
    let is_tip = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().to_string_lossy().starts_with("tip-");
    let tips = || std::fs::read_dir(dir.join("log")).unwrap().filter_map(|entry| is_tip(entry).then_some(())).count();
    until("the end of what is sealed", async || tips() == 1).await;
    log.log().close().await.unwrap();
}

/// Whether the answer is yes, and what is said.
async fn told(dir: &Path) -> (bool, String) {
    let mut said = Vec::new();
    let is_well = read(dir, LOG, None, None).await.unwrap().tell(LOG, &mut said).unwrap();
    (is_well, String::from_utf8(said).unwrap())
}

fn chain_after(last: Sequence) -> String {
    hex::encode((1..=last).fold(CHAIN_START, |chain, seq| chain::next(&chain, line(seq).as_bytes())))
}

#[tokio::test]
async fn a_log_that_came_under_two_names_is_two() {
    let dir = tempfile::tempdir().unwrap();
    // The host is renamed after 40 records, and sends all of them again.
    filled(dir.path(), (1..=40).map(|seq| ("web-17", seq)).chain((1..=70).map(|seq| ("web-18", seq)))).await;
    let (is_well, said) = told(dir.path()).await;
    assert!(is_well && !said.contains("DAMAGE"), "{said}");
    for (host, last) in [("web-17", 40), ("web-18", 70)] {
        assert!(said.contains(&format!("log 00000007 of {host}: records 1 to {last}, {last} of them here")), "{said}");
        assert!(said.contains(&format!("chain {} after record {last};", chain_after(last))), "{said}");
    }
}

#[tokio::test]
async fn what_the_fleets_log_lost_itself_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    // Of the host are the records up to 150, so that its end is in what is lost.
    let records = (1..=150).map(|seq| ("web-17", seq)).chain((151..=250).map(|seq| ("db", seq)));
    filled(dir.path(), records).await;
    assert!(told(dir.path()).await.0);
    std::fs::remove_file(dir.path().join(format!("log/{:020}.jsonl.zst", 101))).unwrap();
    let (is_well, said) = told(dir.path()).await;
    assert!(!is_well && said.contains("DAMAGE: this fleet's log lacks its own records 101 to 200;"), "{said}");
    assert!(said.contains(&format!("chain {} after record 100;", chain_after(100))), "{said}");
}
