//! Records go to stdout, remarks about them to stderr.

use super::args::Output;
use super::escape::escape;
use super::render::{Format, Renderer};
use std::io::{self, BufWriter, IsTerminal as _, Write};

/// Writes records in the chosen format. Buffered: flush before waiting.
pub(super) struct Printer {
    out: BufWriter<Box<dyn Write>>,
    notes: Box<dyn Write>,
    renderer: Renderer,
}

impl Printer {
    pub(super) fn new(output: &Output) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let out: Box<dyn Write> = match output.format {
            Format::Human => Box::new(styled(output.color)),
            // anstream would take control sequences out; these formats must pass as they are.
            Format::Json | Format::Docker => Box::new(stdout),
        };
        Self::to(out, Box::new(anstream::stderr()), Renderer::new(output.format, output.utc, terminal))
    }

    pub(super) fn to(out: Box<dyn Write>, notes: Box<dyn Write>, renderer: Renderer) -> Self {
        Self { out: BufWriter::with_capacity(64 << 10, out), notes, renderer }
    }

    /// Writes one record from its line of JSON.
    pub(super) fn record(&mut self, line: &str) -> io::Result<()> {
        match self.renderer.render(line) {
            Some(text) => writeln!(self.out, "{text}"),
            None => Ok(()),
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// A remark, behind the records that it follows.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        self.flush()?;
        let dim = anstyle::Style::new().dimmed();
        let _ = writeln!(self.notes, "{dim}-- {}{dim:#}", escape(text));
        Ok(())
    }
}

/// stdout that takes styles out where they are not wanted.
pub(super) fn styled(color: clap::ColorChoice) -> impl Write {
    let stdout = io::stdout();
    let choice = match color {
        clap::ColorChoice::Auto => anstream::AutoStream::choice(&stdout),
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    };
    anstream::AutoStream::new(stdout, choice)
}
