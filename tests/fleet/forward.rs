//! The program itself as a host of a fleet: it forwards while it is killed and started again.

use crate::cluster::Cluster;
use crate::program::{Ship, init, program};
use crate::support::{PATIENCE, TENANT, next, patiently};
use shipslog::chain::CHAIN_START;
use shipslog::parcel::{Head, open};
use shipslog::stream::{FleetStream, Subject};
use std::time::Instant;

/// Records of the demo that the hub has before the program is killed, and after it was started again.
const FIRST: u64 = 50;
const MORE: u64 = 30;
const NAME: &str = "web-17";

/// Takes messages until there are so many lines, each from where the one before ended.
async fn gather(hub: &dyn FleetStream, lines: &mut Vec<String>, place: &mut u64, chain: &mut [u8; 32], wanted: u64) {
    let mut delivery = patiently("a delivery", async || hub.read_from(*place + 1).await).await;
    while (lines.len() as u64) < wanted {
        let message = next(&mut delivery).await.unwrap();
        let head: Head = message.head.parse().unwrap();
        assert_eq!(head.first, lines.len() as u64 + 1, "nothing is missing, and nothing comes twice");
        let told = open(&head, &message.payload, chain).unwrap();
        lines.extend(String::from_utf8(told.lines).unwrap().lines().map(str::to_owned));
        (*place, *chain) = (message.place, told.chain);
        assert!(matches!(&message.subject, Subject::Host { tenant, host, .. } if tenant == TENANT && host == NAME));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorder_forwards_each_record_once_through_its_own_kill() {
    let Some(cluster) = Cluster::start(3, "").await else { return };
    let settings = cluster.settings("server", None);
    let servers = settings.urls.clone();
    for made in ["made the stream SHIPSLOG on NATS 2.", "the stream SHIPSLOG is there, on NATS 2."] {
        let said = init(&servers);
        assert!(said.starts_with(made) && said.ends_with("does what a fleet needs\n"), "{said}");
    }
    let hub = cluster.client(&settings).await;
    let dir = tempfile::tempdir().unwrap();
    let (mut lines, mut place, mut chain) = (Vec::new(), 0, CHAIN_START);
    let mut host = Ship::host(NAME, dir.path(), &servers);
    gather(&hub, &mut lines, &mut place, &mut chain, FIRST).await;
    host.kill();
    let mut host = Ship::host(NAME, dir.path(), &servers);
    let wanted = lines.len() as u64 + MORE;
    gather(&hub, &mut lines, &mut place, &mut chain, wanted).await;
    let began = Instant::now();
    while !forwards(&host.url) {
        assert!(began.elapsed() < PATIENCE, "stats never said that it forwards");
    }
    let exported = program(&["export", "--url", &host.url]).output().unwrap();
    let own = String::from_utf8(exported.stdout).unwrap();
    let own: Vec<&str> = own.lines().take(lines.len()).collect();
    assert!(own == lines, "the hub has the host's own lines");
    host.kill();
}

/// Whether the recorder says of itself that the hub has what it has.
fn forwards(url: &str) -> bool {
    let output = program(&["stats", "--url", url]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().any(|line| line.starts_with("forward") && line.contains("live"))
}
