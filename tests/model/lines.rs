//! The lines of a host's log, each a function of the host and the sequence.

use shipslog::cursor::LogId;
use shipslog::event::{Event, Record};
use shipslog::stream::Subject;
use shipslog::time::Timestamp;

pub(crate) const TENANT: &str = "acme";
/// When every schedule begins, in nanoseconds since the Unix epoch.
pub(crate) const BEGIN: i64 = 1_800_000_000_000_000_000;

pub(crate) fn subject(host: usize) -> Subject {
    Subject::host(TENANT, &format!("h{host}"), &format!("{:08x}", prefix(host))).unwrap()
}

fn prefix(host: usize) -> u32 {
    u32::try_from(host + 1).unwrap()
}

/// The host that a log belongs to.
pub(crate) fn host_of(log: &str) -> usize {
    usize::from_str_radix(log, 16).unwrap() - 1
}

/// With its line end.
pub(crate) fn line(host: usize, seq: u64) -> String {
    let nanos = BEGIN + i64::try_from(seq).unwrap() * 250_000_000;
    let json = format!(r#"{{"Type":"container","Action":"die","Actor":{{"ID":"{host}-{seq}","Attributes":{{}}}},"timeNano":{nanos}}}"#);
    let event = Event::from_line(json.as_bytes()).unwrap();
    let (time, received) = (Timestamp::from_nanos(nanos), Timestamp::from_nanos(nanos + 840_000));
    format!("{}\n", Record { seq, time, received, source: "local".into(), event }.to_line(LogId::with_prefix(prefix(host))))
}
