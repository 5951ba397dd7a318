//! Notices that files have changed: certificates are renewed and tokens changed while the server runs.

use crate::shutdown::Shutdown;
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often the files are looked at. A change is taken when the files have stayed the same from one look to
/// the next, so that a pair that is being written is not taken half-way.
const EVERY: Duration = Duration::from_secs(1);

type Signature = Vec<Option<(SystemTime, u64, u64)>>;

/// Files, and how they were when they were read last. A server that ends and begins again in one process goes
/// on with what was read before, and misses no change.
#[derive(Debug)]
pub(super) struct Files {
    paths: Vec<PathBuf>,
    taken: Mutex<Signature>,
}

impl Files {
    /// Files that are about to be read.
    pub(super) fn new<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        let paths: Vec<_> = paths.into_iter().map(|path| path.as_ref().to_owned()).collect();
        Self { taken: Mutex::new(signature(&paths)), paths }
    }

    /// Waits until they are to be read again; `false` when the server is to stop.
    pub(super) async fn changed(&self, shutdown: &Shutdown) -> bool {
        let mut seen = self.taken.lock().clone();
        loop {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = shutdown.stopping() => return false,
            }
            let now = signature(&self.paths);
            let mut taken = self.taken.lock();
            if now == seen && now != *taken {
                *taken = now;
                return true;
            }
            seen = now;
        }
    }
}

/// What tells a file from the one that was there before, also where certificate managers and Kubernetes put
/// links in its place.
fn signature(paths: &[PathBuf]) -> Signature {
    use std::os::unix::fs::MetadataExt;
    let of = |path: &PathBuf| path.metadata().ok().and_then(|meta| Some((meta.modified().ok()?, meta.len(), meta.ino())));
    paths.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shutdown::Stop;
    use std::fs;

    #[tokio::test(start_paused = true)]
    async fn what_changes_while_no_server_runs_is_noticed_by_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens");
        fs::write(&path, "one").unwrap();
        let (files, stop) = (Files::new([&path]), Stop::new());
        let watch = async |seconds| tokio::time::timeout(Duration::from_secs(seconds), files.changed(&stop.shutdown())).await;
        assert!(watch(10).await.is_err(), "nothing has changed");
        fs::write(&path, "another one").unwrap();
        assert_eq!(watch(10).await, Ok(true));
        assert!(watch(10).await.is_err(), "it is taken");
        stop.stop();
        assert_eq!(watch(10).await, Ok(false));
    }
}
