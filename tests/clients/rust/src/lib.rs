//! What every program here does with a record: its id and data, one line each, on disk before the next one is
//! looked at.

use std::error::Error;
use std::fs::File;
use std::io::Write;

/// The two arguments of a program.
pub struct Received {
    /// The stream to follow.
    pub url: String,
    file: File,
}

impl Received {
    /// From the command line: the stream's URL and the file to append to.
    pub fn from_args() -> Result<Self, Box<dyn Error>> {
        let mut args = std::env::args().skip(1);
        let (Some(url), Some(file)) = (args.next(), args.next()) else { return Err("usage: URL FILE".into()) };
        Ok(Self { url, file: File::options().append(true).create(true).open(file)? })
    }

    /// Notes a record.
    pub fn note(&mut self, id: &str, data: &str) -> std::io::Result<()> {
        self.file.write_all(format!("{id}\t{data}\n").as_bytes())
    }
}
