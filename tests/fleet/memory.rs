//! The contract, on the hub in memory.

use crate::contract;
use shipslog::stream::FleetStream;
use shipslog::stream::memory::MemoryStream;
use std::sync::Arc;

#[tokio::test]
async fn memory_keeps_the_contract() {
    let hub = MemoryStream::new();
    let clients: [Arc<dyn FleetStream>; 2] = [Arc::new(hub.clone()), Arc::new(hub)];
    contract::run(&clients).await;
}

#[tokio::test]
async fn memory_forgets_as_agreed() {
    let hub = MemoryStream::new();
    contract::trimmed(&hub, async |place| hub.trim_before(place)).await;
}
