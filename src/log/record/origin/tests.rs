use super::*;
use crate::event::{Marks, Noise, Record};
use proptest::prelude::*;

fn fleet() -> LogId {
    LogId::with_prefix(0xf1ee_7000)
}

fn of(line: &str, source: &str) -> Result<FleetRecord, LogError> {
    of_host_line(line.as_bytes(), source.into(), Timestamp::from_nanos(7), 3)
}

/// The lines were not made by this program (two lines a record: the host's, then the fleet's). They never
/// change: what a follower makes of a host's line is part of the hash chain of every follower.
#[test]
fn lines_are_for_ever_what_they_have_been() {
    let packed = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fleet-lines.txt.zst")).unwrap();
    let text = String::from_utf8(zstd::decode_all(packed.as_slice()).unwrap()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2000);
    let mut chain = crate::log::record::chain::CHAIN_START;
    for pair in lines.chunks(2) {
        let (host, fleet_line) = (pair[0], pair[1]);
        let (cursor, told) = line(fleet_line.as_bytes()).unwrap();
        let record = of_host_line(host.as_bytes(), told.source().as_ref().into(), told.received(), 0).unwrap();
        assert_eq!(record.to_line(fleet(), cursor.seq), fleet_line);
        assert_eq!(String::from_utf8(host_line(fleet_line.as_bytes()).unwrap()).unwrap(), host);
        assert!(told.check(cursor.seq).is_ok() && told.origin() == Some(record.origin), "{fleet_line}");
        chain = crate::log::record::chain::next(&chain, fleet_line.as_bytes());
    }
    assert_eq!(hex::encode(chain), "cc9149c70fa2895f83e72f0bba96aa01f9875b8d281bb3fd2d27f5efedee3569");
}

proptest! {
    #[test]
    fn a_hosts_line_comes_back_byte_for_byte(
        ids in (any::<u32>(), any::<u64>(), any::<u64>()),
        times in (any::<i64>(), any::<i64>(), any::<i64>()),
        source in ".{0,8}",
        other in proptest::option::of(".{0,8}"),
        text in ".{0,30}",
        marks in (any::<bool>(), any::<u64>(), any::<bool>()),
    ) {
        let event = Event::from_line(serde_json::json!({ "x": text, "origin": {"id": "7f3c9a1e-1"} }).to_string().as_bytes()).unwrap();
        let marks = Marks { noise: marks.0.then_some(Noise::HealthCheck), cut: Some(marks.1 % 3).filter(|n| *n > 0), foreign: marks.2 };
        let (time, host_received, received) = (times.0, times.1, times.2);
        let host = Record {
            seq: ids.1,
            time: Timestamp::from_nanos(time),
            received: Timestamp::from_nanos(host_received),
            source: source.as_str().into(),
            event: event.with_marks(marks),
        };
        let line = host.to_line(LogId::with_prefix(ids.0));
        let named = other.clone().unwrap_or_else(|| source.clone());
        let record = of_host_line(line.as_bytes(), named.as_str().into(), Timestamp::from_nanos(received), 5).unwrap();
        prop_assert_eq!(record.origin.source.is_some(), named != source);
        let fleet_line = record.to_line(fleet(), ids.2);
        prop_assert!(Line::of(fleet_line.as_bytes(), ids.2).check(ids.2).is_ok());
        prop_assert_eq!(String::from_utf8(host_line(fleet_line.as_bytes()).unwrap()).unwrap(), line);
        let parts = Line::of(fleet_line.as_bytes(), ids.2);
        prop_assert_eq!((parts.time(), parts.received(), parts.source()), (host.time, record.received, named.into()));
        prop_assert_eq!((parts.marks(), &fleet_line[parts.json()]), (marks, host.event.as_json()));
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..120), cut in 0usize..200) {
        prop_assert!(host_line(&bytes).is_err() && of_host_line(&bytes, "a".into(), Timestamp::MIN, 0).is_err());
        let record = of(&crate::log::testing::contract::line(1842).trim_end().replace("local", "é\\\""), "b").unwrap();
        let line = record.to_line(fleet(), 5).into_bytes();
        let _ = (host_line(line.get(..cut).unwrap_or(&line)), of_host_line(line.get(..cut).unwrap_or(&line), "a".into(), Timestamp::MIN, 0));
    }
}

#[test]
fn what_could_not_be_had_back_is_refused() {
    let line = crate::log::testing::contract::line(1842);
    let line = line.trim_end();
    assert!(of(line, "web-17").is_ok());
    for (from, to) in [
        ("\"local\"", "\"\\u006cocal\""),
        ("\"seq\":1842", "\"seq\":1843"),
        ("-1842\"", "-01842\""),
        (",\"source\"", ", \"source\""),
        ("{\"Type\"", " {\"Type\""),
        ("}}}}", "}}} }"),
        ("\"event\"", "\"more\":1,\"event\""),
    ] {
        let other = line.replacen(from, to, 1);
        if other != line {
            assert!(matches!(of(&other, "web-17"), Err(LogError::Refused(_))), "{other}");
        }
    }
    // A fleet's line is no host's.
    let fleet_line = of(line, "web-17").unwrap().to_line(fleet(), 1);
    assert!(matches!(of(&fleet_line, "web-17"), Err(LogError::Refused(_))));
    assert!(matches!(host_line(line.as_bytes()), Err(LogError::Refused(_))));
}
