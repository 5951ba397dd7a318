//! One segment from the archive into a file.

use super::store::{Archive, ArchiveError};
use crate::cursor::LogId;
use crate::log::{Incoming, LogError};

/// Bytes that are written together.
const PIECE_BYTES: usize = 1024 * 1024;

/// Why nothing has become of a segment yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum Later {
    #[error("{0}")]
    Archive(#[from] ArchiveError),
    #[error("{0}")]
    Log(#[from] LogError),
}

/// Takes a segment that is listed with `bytes`; `None` when it is gone.
pub(super) async fn take(archive: &Archive, log: LogId, bytes: u64, mut incoming: Incoming) -> Result<Option<Incoming>, Later> {
    let Some(mut content) = archive.get(log, incoming.first(), bytes).await? else { return Ok(None) };
    let mut piece = Vec::new();
    loop {
        let next = content.next().await?;
        let ended = next.is_none();
        piece.extend_from_slice(&next.unwrap_or_default());
        if piece.len() >= PIECE_BYTES || (ended && !piece.is_empty()) {
            let full = std::mem::take(&mut piece);
            let write = move || incoming.write(&full).map(|()| incoming);
            incoming = tokio::task::spawn_blocking(write).await.map_err(|e| LogError::Internal(e.to_string()))??;
        }
        if ended {
            return Ok(Some(incoming));
        }
    }
}
