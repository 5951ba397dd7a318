//! The thread that records. Nothing of the server runs on it.

use tokio::runtime::Handle;

/// Sources and recorder have a thread of their own: whatever the server is busy with, Docker's socket is read
/// at once.
pub(super) struct RecordingThread(Option<tokio::runtime::Runtime>);

impl RecordingThread {
    pub(super) fn start() -> std::io::Result<Self> {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("recording").enable_all().build().map(Some).map(Self)
    }

    pub(super) fn handle(&self) -> Handle {
        // It is there until this is dropped.
        self.0.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

impl Drop for RecordingThread {
    fn drop(&mut self) {
        // Waiting for it is not allowed among tasks; the recorder has ended or been given up by then.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
