//! The contract, on three nodes of NATS JetStream, and how a stream is made and checked there.

use crate::cluster::{Cluster, shape};
use crate::contract;
use crate::support::{host, message, patiently};
use shipslog::stream::nats::{Made, NatsStream, Shape};
use shipslog::stream::{FleetStream, StreamError};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_keeps_the_contract() {
    let Some(cluster) = Cluster::start(3, "").await else { return };
    drop(cluster.made(&cluster.settings("init", None), &shape()).await);
    let mut clients: Vec<Arc<dyn FleetStream>> = Vec::new();
    for node in 1..=3 {
        clients.push(Arc::new(cluster.client(&cluster.settings(&format!("client-{node}"), Some(node))).await));
    }
    contract::run(&clients).await;
}

/// The oldest messages go when there are more bytes than the stream may keep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_forgets_as_agreed() {
    let Some(cluster) = Cluster::start(3, "").await else { return };
    let hub = cluster.made(&cluster.settings("init", None), &Shape { max_bytes: Some(1 << 16), ..shape() }).await;
    contract::trimmed(&hub, async |place| {
        let (filler, mut expected) = (host("filler"), 0);
        while hub.ends().await.unwrap().first < place {
            expected = hub.publish(message(&filler, "x".repeat(1 << 13)), expected).await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_made_once_and_checked_ever_after() {
    let Some(cluster) = Cluster::start(1, "").await else { return };
    let mut settings = cluster.settings("init", None);
    let lone = Shape { replicas: 1, ..shape() };
    let hub = cluster.client(&settings).await;
    assert!(hub.version().await.unwrap().starts_with("2."));
    // Nobody may take one node for a fleet's hub by mistake.
    let unfit = |result: Result<Made, StreamError>| match result {
        Err(StreamError::Unfit(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(matches!(hub.check(&lone).await, Err(StreamError::Unfit(why)) if why.contains("fleet init")));
    let first = patiently("the stream", async || match hub.create_or_check(&lone).await {
        Err(StreamError::Unfit(why)) => Ok(why),
        other => other.map(|made| panic!("{made:?}")),
    });
    assert!(first.await.contains("fewer than three nodes"));
    settings.unsafe_engine = true;
    let hub = NatsStream::connect(settings.clone()).await.unwrap();
    assert_eq!(hub.create_or_check(&lone).await.unwrap(), Made::WasThere);
    assert_eq!(hub.faults(&lone).await.unwrap().len(), 1);
    // A stream of another fleet is not taken for this one's.
    settings.unsafe_engine = false;
    let hub = NatsStream::connect(settings).await.unwrap();
    let other = Shape { tenant: "other".to_owned(), ..lone };
    assert!(unfit(hub.create_or_check(&other).await).contains("slog.v1.other.>"));
}
