//! Looks whether a hub does what a fleet is promised: each server, the stream, and, where a node's monitoring
//! page can be asked, what that node has on its own disk. A node that is stuck answers as a quiet fleet
//! does, so only a comparison tells.

use super::link::{Links, fits, is_recommended};
use super::monitor::{Monitor, Node};
use super::settings::NatsSettings;
use super::shape::{FEWEST_REPLICAS, Shape};
use crate::stream::api::StreamError;
use async_nats::jetstream::stream::Info;
use std::time::{Duration, Instant};

/// Within it a node must have what the leader had when it was asked first.
const CATCH_UP: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(250);

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How it is.
    pub verdict: Verdict,
    /// A sentence for the operator, with what to do where something is wrong.
    pub text: String,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// It will do, but something else would be better, or it was not looked at.
    Remark,
    /// A promise does not hold.
    Wrong,
}

#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, verdict: Verdict, text: impl Into<String>) {
        self.0.push(Finding { verdict, text: text.into() });
    }
}

/// Looks at the hub that `settings` name, and at the nodes whose monitoring pages are at `monitors`, as
/// `http://host:8222`. Changes nothing.
pub async fn examine(settings: &NatsSettings, shape: &Shape, monitors: &[String]) -> Vec<Finding> {
    let mut found = Findings::default();
    servers(settings, &mut found).await;
    let last = stream(settings, shape, &mut found).await;
    nodes(settings, monitors, last, &mut found).await;
    found.0
}

/// A client of what `settings` say, which takes any engine: what is wrong with it is told.
fn lenient(settings: &NatsSettings, urls: &[String]) -> Result<Links, StreamError> {
    Links::new(NatsSettings { unsafe_engine: true, urls: urls.to_vec(), ..settings.clone() })
}

async fn servers(settings: &NatsSettings, found: &mut Findings) {
    for (nth, url) in settings.urls.iter().enumerate() {
        let connected = match lenient(settings, std::slice::from_ref(url)) {
            Ok(links) => links.get().await,
            Err(error) => Err(error),
        };
        match connected {
            Ok(link) => {
                let (name, version) = (link.server_name(), link.version());
                match fits(&version) {
                    Ok(()) if is_recommended(&version) => found.add(Verdict::Fine, format!("server {name}: NATS {version}")),
                    Ok(()) => found.add(Verdict::Remark, format!("server {name}: NATS {version}; 2.15 or later is recommended")),
                    Err(error) => found.add(Verdict::Wrong, format!("server {name}: {error}")),
                }
            }
            // What is named may have a password in it.
            Err(error) => found.add(Verdict::Wrong, format!("server {} of {}: {error}", nth + 1, settings.urls.len())),
        }
    }
}

/// The newest place, as the leader told.
async fn stream(settings: &NatsSettings, shape: &Shape, found: &mut Findings) -> Option<u64> {
    let name = &settings.stream;
    let info = match lenient(settings, &settings.urls) {
        Ok(links) => links.info().await.and_then(|info| info.ok_or_else(|| links.missing())),
        Err(error) => Err(error),
    };
    let info = match info {
        Ok(info) => info,
        Err(error) => {
            found.add(Verdict::Wrong, error.to_string());
            return None;
        }
    };
    match shape.faults(&info.config) {
        Ok(faults) if faults.is_empty() => found.add(Verdict::Fine, format!("stream {name}: it is set up as a fleet needs")),
        Ok(faults) => faults.iter().for_each(|fault| found.add(Verdict::Wrong, format!("stream {name}: {fault}"))),
        Err(error) => found.add(Verdict::Wrong, format!("stream {name}: {error}")),
    }
    replicas(name, &info, found);
    Some(info.state.last_sequence)
}

fn replicas(name: &str, info: &Info, found: &mut Findings) {
    let Some(cluster) = &info.cluster else {
        found.add(Verdict::Wrong, format!("stream {name}: its server is in no cluster, so nothing holds it when that one fails"));
        return;
    };
    match &cluster.leader {
        Some(leader) => found.add(Verdict::Fine, format!("stream {name}: {leader} leads it")),
        None => found.add(Verdict::Wrong, format!("stream {name}: no node leads it now, so nothing is stored")),
    }
    let mut sound = usize::from(cluster.leader.is_some());
    for peer in &cluster.replicas {
        let lag = peer.lag.unwrap_or(0);
        if peer.offline {
            found.add(Verdict::Wrong, format!("node {}: it is offline", peer.name));
        } else if !peer.current {
            found.add(
                Verdict::Wrong,
                format!(
                    "node {}: it lacks {lag} steps of the leader's. Does it stay so, take it out of the cluster and in again",
                    peer.name
                ),
            );
        } else {
            sound += 1;
        }
    }
    if sound >= FEWEST_REPLICAS {
        found.add(Verdict::Fine, format!("stream {name}: {sound} nodes hold all of it, as the leader knows"));
    } else {
        found.add(Verdict::Wrong, format!("stream {name}: {sound} of the three nodes that it needs hold all of it"));
    }
}

/// Looks at each node by itself.
async fn nodes(settings: &NatsSettings, monitors: &[String], last: Option<u64>, found: &mut Findings) {
    if monitors.is_empty() {
        found.add(
            Verdict::Remark,
            "no --monitor was named: whether each node syncs before it acknowledges, and has what the leader has, was not looked at",
        );
        return;
    }
    let monitor = match Monitor::new() {
        Ok(monitor) => monitor,
        Err(why) => return found.add(Verdict::Wrong, why),
    };
    for address in monitors {
        match caught_up(&monitor, address, &settings.stream, last).await {
            Ok(node) => node_is(&node, &settings.stream, last, found),
            Err(why) => found.add(Verdict::Wrong, format!("node at {address}: {why}")),
        }
    }
}

/// A node, as soon as it has what the leader had, or as it is after a while.
async fn caught_up(monitor: &Monitor, address: &str, stream: &str, last: Option<u64>) -> Result<Node, String> {
    let began = Instant::now();
    loop {
        let node = monitor.node(address, stream).await?;
        let behind = last.is_some_and(|last| node.last.is_none_or(|has| has < last));
        if !behind || began.elapsed() > CATCH_UP {
            return Ok(node);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn node_is(node: &Node, stream: &str, last: Option<u64>, found: &mut Findings) {
    let name = &node.name;
    if node.sync_always {
        found.add(Verdict::Fine, format!("node {name}: it syncs before it acknowledges"));
    } else {
        found.add(
            Verdict::Wrong,
            format!("node {name}: it acknowledges before it syncs: set `sync_interval: always` in its `jetstream` block"),
        );
    }
    match (node.last, last) {
        (None, _) => found.add(Verdict::Remark, format!("node {name}: it holds nothing of the stream {stream}")),
        (Some(has), Some(last)) if has < last => found.add(
            Verdict::Wrong,
            format!(
                "node {name}: it is stuck at message {has}, where the leader has {last}: take it out of the cluster, empty its store, and let it join again"
            ),
        ),
        (Some(has), _) => found.add(Verdict::Fine, format!("node {name}: it has everything up to message {has}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(sync_always: bool, last: Option<u64>) -> Node {
        Node { name: "n1".to_owned(), sync_always, last }
    }

    fn verdicts(node: &Node, last: Option<u64>) -> Vec<Verdict> {
        let mut found = Findings::default();
        node_is(node, "SHIPSLOG", last, &mut found);
        found.0.iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn a_node_that_is_stuck_or_syncs_late_is_wrong() {
        assert_eq!(verdicts(&node(true, Some(9)), Some(9)), [Verdict::Fine, Verdict::Fine]);
        assert_eq!(verdicts(&node(true, Some(12)), Some(9)), [Verdict::Fine, Verdict::Fine], "more has come since");
        assert_eq!(verdicts(&node(false, Some(9)), Some(9)), [Verdict::Wrong, Verdict::Fine]);
        assert_eq!(verdicts(&node(true, Some(8)), Some(9)), [Verdict::Fine, Verdict::Wrong]);
        assert_eq!(verdicts(&node(true, None), Some(9)), [Verdict::Fine, Verdict::Remark]);
    }
}
