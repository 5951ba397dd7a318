//! Answers of any size, which are never in memory.

use super::{FakeDaemon, State, write_chunk};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Large {
    head: String,
    /// Comes so many times, with its number as 64 hexadecimal digits in place of each `#`.
    unit: String,
    count: u64,
    tail: String,
}

impl FakeDaemon {
    /// What `path` is answered with from now on: `head`, `count` times `unit`, with a number as 64
    /// hexadecimal digits in place of each `#`, and `tail`. A path that ends with `*` stands for all that
    /// begin so.
    pub(crate) fn set_large(&self, path: &str, head: &str, unit: &str, count: u64, tail: &str) {
        let large = Large { head: head.to_owned(), unit: unit.to_owned(), count, tail: tail.to_owned() };
        self.state.lock().huge.insert(path.to_owned(), large);
    }
}

impl State {
    pub(super) fn large(&self, path: &str) -> Option<Large> {
        let is_meant = |key: &str| key.strip_suffix('*').map_or(key == path, |begin| path.starts_with(begin));
        self.huge.get(path).or_else(|| self.huge.iter().find(|(key, _)| is_meant(key)).map(|(_, large)| large)).cloned()
    }
}

impl Large {
    pub(super) async fn write(&self, stream: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
        let mut piece = self.head.clone();
        for n in 0..self.count {
            if self.unit.contains('#') {
                piece.push_str(&self.unit.replace('#', &format!("{n:064x}")));
            } else {
                piece.push_str(&self.unit);
            }
            if piece.len() > 64 << 10 {
                write_chunk(stream, piece.as_bytes()).await?;
                piece.clear();
            }
        }
        piece.push_str(&self.tail);
        write_chunk(stream, piece.as_bytes()).await?;
        stream.write_all(b"0\r\n\r\n").await
    }
}
