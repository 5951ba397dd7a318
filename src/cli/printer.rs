//! Records go to stdout, remarks about them to stderr.

use super::args::Output;
use super::escape::escape;
use super::render::{Missed, OutputForm, Renderer, is_noise};
use crate::cursor::Sequence;
use crate::filter::Filter;
use crate::time::Tz;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufWriter, IsTerminal as _, Write};

/// Bytes of output gathered before they are written.
const BUFFER_BYTES: usize = 64 << 10;
/// Most stretches that may be missing that are remembered, so that each is told once. Of more, some may be
/// told twice.
const MAX_TOLD: usize = 10_000;

/// Writes records in the chosen format. Buffered: flush before waiting.
pub(super) struct Printer {
    out: BufWriter<Box<dyn Write>>,
    notes: Box<dyn Write>,
    renderer: Renderer,
    zone: Tz,
    /// Whether health checks are counted instead of shown.
    folds: bool,
    /// Events of health checks since the last line.
    folded: u64,
    /// Records given, folded ones included.
    records: u64,
    /// Stretches that were told, by the sequence of their record.
    told: HashSet<Sequence>,
    /// It was said that more of them are not told.
    more: bool,
    /// Rows about such stretches that have not come to their place.
    waiting: BTreeMap<Sequence, Missed>,
}

/// The sequence of a record.
#[derive(Deserialize)]
struct Numbered {
    seq: Sequence,
}

fn sequence(line: &str) -> Option<Sequence> {
    serde_json::from_str::<Numbered>(line).ok().map(|record| record.seq)
}

impl Printer {
    /// For a selection with this filter.
    pub(super) fn new(output: &Output, filter: &Filter) -> anyhow::Result<Self> {
        let zone = output.clock.zone()?;
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let out: Box<dyn Write> = match output.format {
            OutputForm::Human => Box::new(styled(output.color)),
            // anstream would take control sequences out; these formats must pass as they are.
            OutputForm::Json | OutputForm::Docker => Box::new(stdout),
        };
        let printer = Self::to(out, Box::new(anstream::stderr()), Renderer::new(output.format, zone, terminal), zone);
        Ok(Self { folds: output.folds(filter), ..printer })
    }

    /// For remarks, where records go elsewhere.
    pub(super) fn remarks_only() -> Self {
        Self::to(Box::new(io::sink()), Box::new(anstream::stderr()), Renderer::new(OutputForm::Json, Tz::UTC, false), Tz::UTC)
    }

    pub(super) fn to(out: Box<dyn Write>, notes: Box<dyn Write>, renderer: Renderer, zone: Tz) -> Self {
        Self {
            out: BufWriter::with_capacity(BUFFER_BYTES, out),
            notes,
            renderer,
            zone,
            folds: false,
            folded: 0,
            records: 0,
            told: HashSet::new(),
            more: false,
            waiting: BTreeMap::new(),
        }
    }

    /// Whether health checks are counted instead of shown.
    pub(super) fn folds(&self) -> bool {
        self.folds
    }

    /// Whether people read what is printed.
    pub(super) fn is_human(&self) -> bool {
        self.renderer.is_human()
    }

    /// From now on each line names its Docker host.
    pub(super) fn name_hosts(&mut self) {
        self.renderer.name_hosts();
    }

    /// How many records were given so far.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Writes one record from its line of JSON, or counts it.
    pub(super) fn record(&mut self, line: &str) -> io::Result<()> {
        self.records += 1;
        if self.folds && is_noise(line) {
            self.folded += 1;
            return Ok(());
        }
        if !self.waiting.is_empty()
            && let Some(seq) = sequence(line)
        {
            self.missed_before(seq)?;
        }
        self.end_fold()?;
        match self.renderer.render(line) {
            Some(text) => writeln!(self.out, "{text}"),
            None => Ok(()),
        }
    }

    /// Counts health checks that the server has left out.
    pub(super) fn folded(&mut self, events: u64) {
        self.records += events;
        self.folded += events;
    }

    /// Tells what the recorder may have missed, from the line of a record that is not among those asked for:
    /// at once in a remark, and for people in a row at its place.
    pub(super) fn missed(&mut self, line: &str) -> io::Result<()> {
        let Some(missed) = Missed::parse(line) else { return Ok(()) };
        let seq = sequence(line);
        if seq.is_some_and(|seq| self.told.len() < MAX_TOLD && !self.told.insert(seq)) {
            return Ok(());
        }
        self.flush()?;
        self.remark(&missed.say(self.zone));
        if self.renderer.is_human() {
            self.waiting.insert(seq.unwrap_or(0), missed);
        }
        Ok(())
    }

    /// Says once that so many older stretches are not told one by one.
    pub(super) fn left_out(&mut self, count: u64) {
        if count > 0 && !std::mem::replace(&mut self.more, true) {
            self.remark(&format!("there are {count} older ones (-f type=recorder -f event=gap shows them all)"));
        }
    }

    /// Shows what may be missing, though no later record has come.
    pub(super) fn place_missed(&mut self) -> io::Result<()> {
        self.missed_before(Sequence::MAX)
    }

    fn missed_before(&mut self, seq: Sequence) -> io::Result<()> {
        let later = self.waiting.split_off(&seq);
        for (_, missed) in std::mem::replace(&mut self.waiting, later) {
            self.end_fold()?;
            if let Some(row) = self.renderer.missed(&missed) {
                writeln!(self.out, "{row}")?;
            }
        }
        Ok(())
    }

    /// Says how many events of health checks came since the last line.
    fn end_fold(&mut self) -> io::Result<()> {
        let events = std::mem::take(&mut self.folded);
        if events == 0 {
            return Ok(());
        }
        let dim = anstyle::Style::new().dimmed();
        let events = if events == 1 { "1 event".to_owned() } else { format!("{events} events") };
        writeln!(self.out, "{dim}   … {events} of health checks (--all shows them){dim:#}")
    }

    /// Writes out what was gathered.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Nothing follows.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.missed_before(Sequence::MAX)?;
        self.end_fold()?;
        self.flush()
    }

    /// A remark, after the records that it follows.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        self.end_fold()?;
        self.flush()?;
        self.remark(&escape(text));
        Ok(())
    }

    fn remark(&mut self, safe: &str) {
        let dim = anstyle::Style::new().dimmed();
        let _ = writeln!(self.notes, "{dim}-- {safe}{dim:#}");
    }
}

/// A remark about what was asked for.
pub(super) fn remark(text: &str) {
    eprintln!("-- {}", escape(text));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::Sink;

    fn line(seq: u64, noise: bool, event: &str) -> String {
        let mark = if noise { r#""noise":"healthcheck","# } else { "" };
        format!(
            r#"{{"id":"0000000a-{seq}","seq":{seq},"time":"2026-11-22T10:00:0{seq}Z","received":"2026-11-22T10:00:0{seq}Z","source":"local",{mark}"event":{event}}}"#
        )
    }

    const START: &str = r#"{"Type":"container","Action":"start","Actor":{"ID":"c","Attributes":{"name":"api"}}}"#;
    const GAP: &str = r#"{"Type":"recorder","Action":"gap","Actor":{"ID":"local","Attributes":{"reason":"ring-overflow","until":"2026-11-22T10:00:03Z"}}}"#;

    fn printed(format: OutputForm, folds: bool, act: impl FnOnce(&mut Printer)) -> (String, String) {
        let (out, notes) = (Sink::default(), Sink::default());
        let mut printer = Printer::to(Box::new(out.clone()), Box::new(notes.clone()), Renderer::new(format, Tz::UTC, false), Tz::UTC);
        printer.folds = folds;
        act(&mut printer);
        printer.finish().unwrap();
        (out.text(), notes.text())
    }

    #[test]
    fn health_checks_are_counted_between_the_lines() {
        let act = |printer: &mut Printer| {
            for (seq, noise) in [(1, true), (2, false), (3, true), (4, true), (5, true), (6, false), (7, true)] {
                printer.record(&line(seq, noise, START)).unwrap();
            }
        };
        let (out, _) = printed(OutputForm::Human, true, act);
        assert_eq!(
            out,
            "   … 1 event of health checks (--all shows them)\n\
             2026-11-22 10:00:02.000 container start        api\n   … 3 events of health checks (--all shows them)\n\
             10:00:06.000 container start        api\n   … 1 event of health checks (--all shows them)\n"
        );
        assert_eq!(printed(OutputForm::Human, false, act).0.lines().count(), 7);
    }

    #[test]
    fn what_a_filter_hides_is_told_once_and_shown_in_its_place() {
        let act = |printer: &mut Printer| {
            printer.missed(&line(3, false, GAP)).unwrap();
            printer.record(&line(2, false, START)).unwrap();
            printer.missed(&line(3, false, GAP)).unwrap();
            printer.record(&line(4, false, START)).unwrap();
        };
        let words = "the recorder may have missed events of local until 2026-11-22 10:00:03+00:00 (ring-overflow)";
        let (out, notes) = printed(OutputForm::Human, true, act);
        assert_eq!(notes, format!("-- {words}\n"));
        assert_eq!(
            out,
            format!(
                "2026-11-22 10:00:02.000 container start        api\n10:00:03.000 ! {words}\n10:00:04.000 container start        api\n"
            )
        );
        let (out, notes) = printed(OutputForm::Json, false, act);
        assert_eq!((out.lines().count(), notes), (2, format!("-- {words}\n")), "a remark only");
    }
}
