//! `query` of an export or of a log's directory, without a server: the same records, remarks and order.

use crate::cli::incidents::{Place, source};
use crate::cli::interrupted;
use crate::cli::printer::Printer;
use crate::cli::render::is_noise;
use crate::client::Selection;
use crate::filter::Filter;
use crate::log::EventLog;
use crate::reader::{Reader, Step, Want, block_of};
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;

/// Prints the selection, or its newest `count` records. Ends quietly when interrupted.
pub(super) async fn show(place: &Place, selection: &Selection, count: Option<usize>, printer: &mut Printer) -> anyhow::Result<()> {
    let print = async {
        let source = source(place).await?;
        if printer.is_human() && has_many_hosts(&source.log).await? {
            printer.name_hosts();
        }
        read(&source.log, selection, count, printer).await?;
        if printer.records() == 0 && count != Some(0) {
            printer.note("nothing found")?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        result = print => result?,
        () = interrupted() => {}
    }
    Ok(printer.finish()?)
}

async fn read(log: &Arc<dyn EventLog>, selection: &Selection, count: Option<usize>, printer: &mut Printer) -> anyhow::Result<()> {
    let bounds = log.bounds();
    let time = selection.since.unwrap_or(Timestamp::MIN)..=selection.until.unwrap_or(Timestamp::MAX);
    let want = Want { filter: Arc::new(selection.filter.clone().telling_losses()), time, until: bounds.head };
    let mut reader = Reader::new(Arc::clone(log), bounds.oldest.saturating_sub(1), want);
    let mut newest = count.map(|count| Newest { count, lines: VecDeque::new(), folds: printer.folds() });
    while let Some(step) = reader.next().await? {
        // The directory's own gaps are among its records, and what was trimmed is before the oldest one.
        let Step::Records(found) = step else { continue };
        for seq in found.sequences() {
            let line = found.block.line(seq, false);
            let line = std::str::from_utf8(&line)?;
            match &mut newest {
                _ if found.losses.binary_search(&seq).is_ok() => printer.missed(line)?,
                Some(newest) => newest.take(line),
                None => printer.record(line)?,
            }
        }
    }
    for (folded, line) in newest.into_iter().flat_map(|newest| newest.lines) {
        printer.folded(folded);
        line.iter().try_for_each(|line| printer.record(line))?;
    }
    Ok(())
}

/// The newest of what was read so far.
struct Newest {
    count: usize,
    /// Each with the health checks since the one before; at the end may stand health checks alone.
    lines: VecDeque<(u64, Option<String>)>,
    folds: bool,
}

impl Newest {
    fn take(&mut self, line: &str) {
        if self.count == 0 {
            return;
        }
        let open = self.lines.back().is_some_and(|(_, line)| line.is_none());
        if self.folds && is_noise(line) {
            match self.lines.back_mut().filter(|_| open) {
                Some((folded, _)) => *folded += 1,
                None => self.lines.push_back((1, None)),
            }
            return;
        }
        match self.lines.back_mut().filter(|_| open) {
            Some((_, place)) => *place = Some(line.to_owned()),
            None => self.lines.push_back((0, Some(line.to_owned()))),
        }
        if self.lines.len() > self.count {
            self.lines.pop_front();
            // Health checks before the first that is shown are none of the newest.
            if let Some((folded, _)) = self.lines.front_mut() {
                *folded = 0;
            }
        }
    }
}

/// Whether the log holds records of two hosts or more.
async fn has_many_hosts(log: &Arc<dyn EventLog>) -> anyhow::Result<bool> {
    let bounds = log.bounds();
    let Some(newest) = block_of(&**log, bounds.head).await? else { return Ok(false) };
    let others = Filter::default().without("source", &newest.source(bounds.head));
    let want = Want { filter: Arc::new(others), until: bounds.head, ..Want::default() };
    let mut reader = Reader::new(Arc::clone(log), bounds.oldest.saturating_sub(1), want);
    while let Some(step) = reader.next().await? {
        if matches!(step, Step::Records(_)) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Health checks do not count, and those before the first line that is shown are not told.
    #[test]
    fn the_newest_lines_are_kept_with_the_health_checks_between_them() {
        let probe = r#"{"event":{"Type":"container","Action":"exec_start: /bin/check","Actor":{"ID":"a"}},"noise":"healthcheck"}"#;
        let of = |count, folds, lines: &[&str]| {
            let mut newest = Newest { count, lines: VecDeque::new(), folds };
            for line in lines {
                newest.take(line);
            }
            newest.lines.into_iter().collect::<Vec<_>>()
        };
        let line = |folded, line: &str| (folded, Some(line.to_owned()));
        assert!(is_noise(probe));
        assert_eq!(of(2, true, &[probe, "1", probe, "2", "3", probe, probe]), [line(0, "2"), line(0, "3"), (2, None)]);
        assert_eq!(of(2, true, &["1", probe, "2"]), [line(0, "1"), line(1, "2")]);
        assert_eq!(of(2, false, &["1", probe, "2"]), [line(0, probe), line(0, "2")]);
        assert_eq!(of(0, true, &["1", probe]), []);
    }
}
