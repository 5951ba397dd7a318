//! Compression of an export while it streams.

use super::UnknownName;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::str::FromStr;

/// Compression of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// As it is.
    #[default]
    None,
    /// gzip, for everywhere.
    Gzip,
    /// Zstandard, smaller and faster.
    Zstd,
}

impl Compression {
    /// What it adds to a file's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }
}

impl FromStr for Compression {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "none" => Ok(Self::None),
            "gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(UnknownName { what: "compression", name: name.chars().take(32).collect(), accepted: "none, gzip or zstd" }),
        }
    }
}

/// Read from an export at a time.
const READ_BYTES: usize = 256 * 1024;

/// Bytes of lines in a frame of an export. Each client that takes a compressed export holds so many.
const FRAME_BYTES: usize = 256 * 1024;
/// zstd's own default.
const ZSTD_LEVEL: i32 = 3;

/// Takes bytes, gives compressed bytes.
pub(super) enum Compressor {
    None(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
    /// In frames of its own, so that frames of the log can stand between them.
    Zstd {
        lines: Vec<u8>,
        out: Vec<u8>,
    },
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Compressor")
    }
}

impl Compressor {
    pub(super) fn new(compression: Compression) -> Self {
        match compression {
            Compression::None => Self::None(Vec::new()),
            Compression::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::default())),
            Compression::Zstd => Self::Zstd { lines: Vec::new(), out: Vec::new() },
        }
    }

    /// Whether frames of zstd can be put in as they are.
    pub(super) fn takes_frames(&self) -> bool {
        matches!(self, Self::Zstd { .. })
    }

    /// Puts in whole frames of zstd.
    pub(super) fn put_frames(&mut self, frames: &[u8]) -> io::Result<()> {
        self.end_frame()?;
        if let Self::Zstd { out, .. } = self {
            out.extend_from_slice(frames);
        }
        Ok(())
    }

    fn end_frame(&mut self) -> io::Result<()> {
        if let Self::Zstd { lines, out } = self
            && !lines.is_empty()
        {
            let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
            compressor.include_checksum(true)?;
            out.append(&mut compressor.compress(lines)?);
            lines.clear();
        }
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::None(out) => out.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Zstd { lines, .. } => {
                lines.extend_from_slice(bytes);
                if lines.len() >= FRAME_BYTES { self.end_frame() } else { Ok(()) }
            }
        }
    }

    /// What is ready so far; may be empty. More follows: of frames of zstd the last byte is kept for what
    /// comes next, since there are decoders that end with a frame when what they are given does (Python's
    /// httpx).
    pub(super) fn take(&mut self) -> Bytes {
        let out = match self {
            Self::Zstd { out, .. } => {
                let kept = out.split_off(out.len().saturating_sub(1));
                return Bytes::from(std::mem::replace(out, kept));
            }
            Self::None(out) => out,
            Self::Gzip(encoder) => encoder.get_mut(),
        };
        Bytes::from(std::mem::take(out))
    }

    pub(super) fn finish(mut self) -> io::Result<Bytes> {
        self.end_frame()?;
        let out = match self {
            Self::None(out) | Self::Zstd { out, .. } => out,
            Self::Gzip(encoder) => encoder.finish()?,
        };
        Ok(Bytes::from(out))
    }
}

/// The lines of an export, however it is compressed; its first bytes tell.
///
/// # Errors
/// When the file cannot be read.
pub fn decompress(file: File) -> io::Result<Box<dyn BufRead + Send>> {
    let mut plain = BufReader::with_capacity(READ_BYTES, file);
    Ok(match plain.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(BufReader::with_capacity(READ_BYTES, MultiGzDecoder::new(plain))),
        // Ordinary and skippable frames (RFC 8878, 3.1).
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            Box::new(BufReader::with_capacity(READ_BYTES, zstd::stream::read::Decoder::with_buffer(plain)?))
        }
        _ => Box::new(plain),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn round_trips_in_pieces() {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let mut compressor = Compressor::new(compression);
            let (mut out, mut expected) = (Vec::new(), Vec::new());
            for i in 0..1000 {
                let line = format!("line {i} of an export\n");
                compressor.write(line.as_bytes()).unwrap();
                expected.extend_from_slice(line.as_bytes());
                if i % 100 == 0 {
                    out.extend_from_slice(&compressor.take());
                }
            }
            out.extend_from_slice(&compressor.finish().unwrap());
            let mut back = Vec::new();
            match compression {
                Compression::None => back = out,
                Compression::Gzip => drop(flate2::read::GzDecoder::new(&*out).read_to_end(&mut back).unwrap()),
                Compression::Zstd => back = zstd::decode_all(&*out).unwrap(),
            }
            assert!(back == expected, "{compression:?}");
        }
    }
}
