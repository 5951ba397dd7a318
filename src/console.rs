//! Lines of the program's own log on stderr, and the one line of a server on stdout. Nothing waits for their
//! reader: it may stop, and a full pipe must not stop the recorder. What does not fit is dropped and counted;
//! only the first line and the end wait, a second at most. What commands print for their users does not pass
//! through here (`cli`).

use crate::text::{is_hostile, printable};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tracing_subscriber::fmt::MakeWriter;

/// Bytes of lines that may wait for a reader that has stopped; what does not fit is dropped and counted.
const MAX_WAITING_BYTES: usize = 1024 * 1024;
/// Longest line, in bytes; the rest is cut off.
const MAX_LINE_BYTES: usize = 16 * 1024;
/// More than any one character takes when it is spelled out.
const SPELLED_CHARS: usize = 16;
/// How long the end of the program, and the first line on stdout, wait for a reader.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lines on their way to stderr, written by a thread of their own.
#[derive(Debug, Clone, Default)]
pub struct Stderr(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Lines>,
    /// There is something to write.
    more: Condvar,
    /// Everything has been written.
    done: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    waiting: VecDeque<String>,
    bytes: usize,
    /// A line is being written.
    writing: bool,
    dropped: u64,
}

impl Stderr {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let stderr = Self::default();
        let shared = Arc::clone(&stderr.0);
        std::thread::Builder::new().name("stderr".to_owned()).spawn(move || shared.write_to(out))?;
        Ok(stderr)
    }

    /// Says one line. It is made harmless for a terminal, and shortened if it is very long.
    pub fn say(&self, line: &str) {
        let line = harmless(line.trim_end_matches('\n'));
        let mut lines = self.0.lines.lock();
        if lines.bytes + line.len() > MAX_WAITING_BYTES {
            lines.dropped += 1;
            return;
        }
        lines.bytes += line.len();
        lines.waiting.push_back(line);
        self.0.more.notify_one();
    }

    /// Waits until everything has been written, though not for long.
    pub fn finish(&self) {
        let until = Instant::now() + PATIENCE;
        let mut lines = self.0.lines.lock();
        while lines.writing || !lines.waiting.is_empty() {
            if self.0.done.wait_until(&mut lines, until).timed_out() {
                return;
            }
        }
    }
}

impl Shared {
    fn write_to(&self, mut out: impl Write) {
        let mut lines = self.lines.lock();
        loop {
            // What was dropped is told where it is missing: after the lines that had been taken before.
            let line = match lines.waiting.pop_front() {
                Some(line) => line,
                None if lines.dropped > 0 => {
                    format!("shipslog: {} lines of this log were dropped, since nobody read it", std::mem::take(&mut lines.dropped))
                }
                None => {
                    self.done.notify_all();
                    self.more.wait(&mut lines);
                    continue;
                }
            };
            lines.bytes = lines.bytes.saturating_sub(line.len());
            lines.writing = true;
            drop(lines);
            // Nobody is left to be told of an error.
            let _ = out.write_all((line + "\n").as_bytes()).and_then(|()| out.flush());
            lines = self.lines.lock();
            lines.writing = false;
        }
    }
}

/// One line as a terminal may see it: only the colours that the log itself makes are let through.
fn harmless(line: &str) -> String {
    let mut out = String::with_capacity(line.len().min(MAX_LINE_BYTES));
    let mut rest = line.get(..boundary(line)).unwrap_or_default();
    while let Some(at) = rest.find(is_hostile) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let colour = colour_bytes(after);
        let taken = if colour > 0 { colour } else { after.chars().next().map_or(after.len(), char::len_utf8) };
        let (this, next) = after.split_at(taken);
        out.push_str(&if colour > 0 { this.to_owned() } else { printable(this, SPELLED_CHARS) });
        rest = next;
    }
    out.push_str(rest);
    if line.len().max(out.len()) > MAX_LINE_BYTES {
        out.truncate(boundary(&out));
        out.push('…');
    }
    out
}

/// Where a line is cut, if it is long.
fn boundary(line: &str) -> usize {
    (0..=line.len().min(MAX_LINE_BYTES)).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0)
}

/// Bytes of the colour that `text` begins with: `ESC [ digits and semicolons m`.
fn colour_bytes(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("\u{1b}[") else { return 0 };
    let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    if rest.as_bytes().get(digits) == Some(&b'm') { digits + 3 } else { 0 }
}

/// One event of the log, written in as many pieces as it takes.
#[derive(Debug)]
pub struct Event {
    stderr: Stderr,
    text: Vec<u8>,
}

impl Write for Event {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        self.stderr.say(&String::from_utf8_lossy(&self.text));
    }
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Event;

    fn make_writer(&'a self) -> Event {
        Event { stderr: self.clone(), text: Vec::new() }
    }
}

/// Writes a line to stdout; `false` when nobody has taken it in time. It may still be taken later.
///
/// # Errors
/// When it cannot be written.
pub fn print_line(line: String) -> io::Result<bool> {
    print_to(io::stdout, line)
}

fn print_to<W: Write>(out: impl FnOnce() -> W + Send + 'static, line: String) -> io::Result<bool> {
    let (done, written) = mpsc::sync_channel(1);
    std::thread::Builder::new().name("stdout".to_owned()).spawn(move || {
        let mut out = out();
        let _ = done.send(out.write_all((line + "\n").as_bytes()).and_then(|()| out.flush()));
    })?;
    written.recv_timeout(PATIENCE).map_or(Ok(false), |written| written.map(|()| true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn nobody_waits_for_a_full_pipe_and_what_is_dropped_is_told() {
        let (mut reader, writer) = io::pipe().unwrap();
        let stderr = Stderr::start(writer).unwrap();
        let line = "x".repeat(10_000);
        let count = 2 * MAX_WAITING_BYTES / line.len();
        for n in 0..count {
            stderr.say(&format!("{n} {line}"));
        }
        let dropped = stderr.0.lines.lock().dropped;
        assert!(dropped > 0);
        let reading = std::thread::spawn(move || {
            let (mut said, mut piece) = (Vec::new(), [0; 4096]);
            while !said.ends_with(b"nobody read it\n") {
                let read = reader.read(&mut piece).unwrap();
                assert!(read > 0);
                said.extend_from_slice(&piece[..read]);
            }
            String::from_utf8(said).unwrap()
        });
        let said = reading.join().unwrap();
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len() as u64, count as u64 - dropped + 1);
        assert_eq!(*lines.last().unwrap(), format!("shipslog: {dropped} lines of this log were dropped, since nobody read it"));
        stderr.finish();
    }

    #[test]
    fn the_first_line_does_not_wait_for_ever() {
        let (_reader, mut writer) = io::pipe().unwrap();
        writer.write_all(&vec![0; 65_536]).unwrap();
        assert!(!print_to(move || writer, "listening".to_owned()).unwrap());
        assert!(print_to(Vec::new, "listening".to_owned()).unwrap());
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        assert_eq!(print_to(move || writer, "listening".to_owned()).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_line_is_short_plain_and_one() {
        assert_eq!(
            harmless("\u{1b}[31mERROR\u{1b}[0m a=\u{1b}[2J\u{9b}m\u{202e}\r\nb"),
            "\u{1b}[31mERROR\u{1b}[0m a=\\u{1b}[2J\\u{9b}m\\u{202e}\\r\\nb"
        );
        assert_eq!(harmless("wäb ☂"), "wäb ☂");
        for long in ["ä".repeat(MAX_LINE_BYTES), "\n".repeat(MAX_LINE_BYTES)] {
            let line = harmless(&long);
            assert!(line.ends_with('…') && line.len() <= MAX_LINE_BYTES + 3, "{}", line.len());
        }
    }
}
