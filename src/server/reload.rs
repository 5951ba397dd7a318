//! Notices that files have changed: certificates are renewed and tokens changed while the server runs.

use crate::shutdown::Shutdown;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often the files are looked at. A change is taken when the files have stayed the same from one look to
/// the next, so that a pair that is being written is not taken half-way.
const EVERY: Duration = Duration::from_secs(1);

type Signature = Vec<Option<(SystemTime, u64, u64)>>;

/// Files that are watched.
#[derive(Debug)]
pub(super) struct Watched {
    paths: Vec<PathBuf>,
    taken: Signature,
    shutdown: Shutdown,
}

impl Watched {
    pub(super) fn new<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>, shutdown: Shutdown) -> Self {
        let paths: Vec<_> = paths.into_iter().map(|path| path.as_ref().to_owned()).collect();
        Self { taken: signature(&paths), paths, shutdown }
    }

    /// Waits for a change; `false` when the server is to stop.
    pub(super) async fn changed(&mut self) -> bool {
        let mut seen = self.taken.clone();
        loop {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = self.shutdown.stopping() => return false,
            }
            let now = signature(&self.paths);
            if now == seen && now != self.taken {
                self.taken = now;
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
