//! What tests of every part share: waits, each of which ends.

use std::time::{Duration, Instant};

/// Nothing in a unit test takes this long unless it is broken; sealing on a busy machine takes longest.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What comes of `future`, which is called `what` where it does not come in time. Not in virtual time, which
/// would pass at once.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// Asks until `condition` holds, and fails where it does not in time. `what` says what is waited for.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
