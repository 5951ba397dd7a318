//! What becomes of a log whose writer panics.

use crate::cursor::Sequence;
use crate::log::WriterState;
use tokio::sync::watch;

/// Told before anybody finds the writer gone, should it panic.
pub(super) struct LastWords(pub(super) watch::Sender<Sequence>, pub(super) watch::Sender<WriterState>);

impl Drop for LastWords {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the writer of the log has panicked; the log takes no more records until restart, reads continue");
            self.1.send_replace(WriterState::Poisoned("its writer has panicked".to_owned()));
            // Without a sender readers would take the log for closed.
            std::mem::forget(self.0.clone());
        }
    }
}
