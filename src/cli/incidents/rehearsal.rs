//! `incidents --hooks --dry-run`: what hooks would have sent, without sending it.

use super::asked::{Asked, Place};
use super::human::{INDENT, wrapped};
use super::offline::{Source, source};
use crate::cli::ending::Usage;
use crate::cli::escape::Safe;
use crate::config::hooks_of;
use crate::hooks::{Rehearsal, Unsent};
use crate::log::EventLog;
use crate::projection::incidents::{self, Ids, Shown, State};
use crate::reader::{Reader, Step, Want};
use crate::time::{Timestamp, Tz};
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Hooks")]
pub(super) struct HooksArgs {
    /// With --dry-run, say what hooks would have sent about incidents that begin in the range, and when; it
    /// needs --data-dir or --file, and --config
    #[arg(long, requires = "dry_run", requires = "config")]
    hooks: bool,
    /// Send nothing
    #[arg(long, requires = "hooks")]
    dry_run: bool,
    /// The configuration file with the hooks and mutes
    #[arg(long, value_name = "FILE", requires = "hooks")]
    config: Option<PathBuf>,
}

impl HooksArgs {
    pub(super) fn are_asked(&self) -> bool {
        self.hooks && self.dry_run
    }
}

/// Prints a message a line, in order of time.
pub(super) async fn run(args: &HooksArgs, place: Option<&Place>, asked: &Asked, json: bool, zone: Tz) -> anyhow::Result<()> {
    let (Some(place), Some(config)) = (place, &args.config) else {
        return Err(Usage("--hooks --dry-run reads the log itself: add --data-dir DIR or --file FILE".to_owned()).into());
    };
    let range = asked.selection()?.range;
    let (hooks, mutes) = hooks_of(config)?;
    if hooks.is_empty() {
        return Err(Usage(format!("{} has no [[hook]]", config.display())).into());
    }
    let opened = source(place).await?;
    let rehearsal = Rehearsal::new(hooks, mutes, *range.start());
    let unsent = rehearse(&opened, rehearsal, asked.judged(place)).await?;
    print(unsent.iter().filter(|message| range.contains(&message.time)), json, zone)?;
    Ok(())
}

async fn rehearse(opened: &Source, rehearsal: Rehearsal, judged: Option<Timestamp>) -> anyhow::Result<Vec<Unsent>> {
    let log: &Arc<dyn EventLog> = &opened.log;
    let end = judged.map_or(opened.end, |at| at.min(opened.end));
    let bounds = log.bounds();
    let mut rehearsing = Rehearsing { state: State::before(bounds.oldest), ids: Ids::default(), rehearsal, unsent: Vec::new() };
    let mut reader = Reader::new(Arc::clone(log), bounds.oldest.saturating_sub(1), Want { until: bounds.head, ..Want::default() });
    while let Some(step) = reader.next().await? {
        match step {
            Step::Records(selection) => {
                if let Some(first) = selection.first().and_then(|seq| selection.block.cursor(seq).parse().ok()) {
                    rehearsing.ids.note(first);
                    rehearsing.state.tell(Some(&rehearsing.ids));
                }
                for record in selection.sequences().filter_map(|seq| selection.block.view(seq)) {
                    if record.received > end {
                        continue;
                    }
                    // Before a start of the recorder nothing tells how long the one before it listened.
                    if !(record.is_own() && record.event.action.as_deref() == Some("start")) {
                        rehearsing.pass(record.received);
                    }
                    incidents::step_view(&mut rehearsing.state, &record);
                    rehearsing.take(record.received);
                }
            }
            Step::Gap(range, why) => incidents::miss(&mut rehearsing.state, &range, why),
            Step::Nothing => {}
        }
    }
    rehearsing.pass(end);
    let Rehearsing { mut rehearsal, mut unsent, .. } = rehearsing;
    rehearsal.until(end, &mut |message| unsent.push(message));
    Ok(unsent)
}

struct Rehearsing {
    state: State,
    ids: Ids,
    rehearsal: Rehearsal,
    unsent: Vec<Unsent>,
}

impl Rehearsing {
    /// Time passes, each timer at its own.
    fn pass(&mut self, until: Timestamp) {
        while let Some(due) = self.state.next_due().map(Timestamp::from_nanos).filter(|due| *due <= until) {
            incidents::advance(&mut self.state, due);
            self.take(due);
        }
    }

    fn take(&mut self, now: Timestamp) {
        let revisions: Vec<Shown> = self.state.take_told();
        if !revisions.is_empty() {
            self.rehearsal.changed(now, &revisions, &mut |message| self.unsent.push(message));
        }
    }
}

fn print<'a>(unsent: impl Iterator<Item = &'a Unsent>, json: bool, zone: Tz) -> io::Result<()> {
    let out = io::stdout().lock();
    let mut out: Box<dyn Write> = if out.is_terminal() { Box::new(Safe::new(out, false)) } else { Box::new(out) };
    let mut count = 0_u64;
    for message in unsent {
        count += 1;
        if json {
            serde_json::to_writer(&mut out, message)?;
            writeln!(out)?;
        } else {
            let Unsent { time, hook, occasion, id, text, .. } = message;
            let time = time.to_datetime().with_timezone(&zone).format("%Y-%m-%d %H:%M:%S%:z");
            writeln!(out, "{time}  {hook}  {occasion}  {id}")?;
            for line in wrapped(text) {
                writeln!(out, "{:INDENT$}{line}", "")?;
            }
        }
    }
    if count == 0 && !json {
        writeln!(out, "Nothing would have been sent.")?;
    }
    out.flush()
}
