//! `tail`: the newest events, those to come, and those of an incident as they came.

use super::args::{Number, Output, Remote, Since, Speed, Terms, Until, choose};
use super::{history, interrupted, nothing, printer::Printer, query};
use crate::client::{Backoff, Client, ClientError, Pace, Selection, Start, StreamItem};
use crate::cursor::{Cursor, Sequence};

/// What `tail` shows when asked for nothing in particular.
const DEFAULT_COUNT: usize = 10;

#[derive(Debug, clap::Args)]
pub(super) struct TailArgs {
    #[command(flatten)]
    since: Since,
    #[command(flatten)]
    until: Until,
    #[command(flatten)]
    speed: Speed,
    /// Continue with new events as they come, also after the recorder was away
    #[arg(long, help_heading = "Which events")]
    follow: bool,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    number: Number,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

pub(super) async fn run(args: TailArgs) -> anyhow::Result<()> {
    let chosen = choose(&args.since, &args.until, &args.terms, &args.output.clock)?;
    let selection = chosen.selection;
    let count = args.number.get().or((!args.since.is_given()).then_some(DEFAULT_COUNT));
    let client = args.remote.client()?;
    let mut printer = Printer::new(&args.output, &selection.filter)?;
    chosen.remarks.iter().try_for_each(|remark| printer.note(remark))?;
    let speed = args.speed.get();
    if !args.follow && speed.is_none() {
        return query::show(&client, &selection, count, &mut printer).await;
    }
    tokio::select! {
        result = follow(&client, &selection, count, speed, &mut printer) => result?,
        () = interrupted() => {}
    }
    Ok(printer.finish()?)
}

/// Until the end that `selection` names, if it does.
async fn follow(
    client: &Client,
    selection: &Selection,
    count: Option<usize>,
    speed: Option<f64>,
    printer: &mut Printer,
) -> anyhow::Result<()> {
    let mut outage = Outage::default();
    query::name_hosts(client, printer).await;
    let start = match (count, selection.since) {
        (None, Some(since)) => Start::Since(since),
        (None, None) => Start::Oldest,
        (Some(count), _) => show_newest(client, selection, count, printer, &mut outage).await?,
    };
    let mut stream = client.follow(start, &selection.filter);
    if let Some(until) = selection.until {
        stream = stream.until(until);
    }
    if let Some(speed) = speed {
        stream = stream.at_speed(speed);
    }
    let mut live = false;
    loop {
        if !stream.has_ready() {
            printer.flush()?;
        }
        match stream.next().await? {
            StreamItem::Record { line, .. } => printer.record(&line)?,
            StreamItem::Hello { .. } => outage.end(printer)?,
            StreamItem::Reconnecting { error, .. } => outage.go_on(error, printer)?,
            StreamItem::Gap { from, to, reason } => printer.note(&format!("gap: {} gone ({reason})", sequences(from, to)))?,
            StreamItem::Lost { from, to } => {
                printer.note(&format!("lost: {} missing from the stream, and the server did not say why", sequences(from, to)))?;
            }
            StreamItem::Reset { reason, oldest } => {
                printer
                    .note(&format!("reset: this is not the log followed so far ({reason}); going on with its oldest record, {oldest}"))?;
            }
            StreamItem::Incomplete { record } => {
                printer.missed(&record)?;
                if live {
                    printer.place_missed()?;
                }
            }
            StreamItem::End { .. } => {
                hint(client, selection, count, printer).await?;
                return Ok(printer.finish()?);
            }
            StreamItem::CaughtUp { .. } => {
                if !live {
                    hint(client, selection, count, printer).await?;
                }
                printer.place_missed()?;
                live = true;
            }
            StreamItem::Checkpoint { .. } => {}
        }
    }
}

/// Where the past holds nothing that passes the filter, there may be a slip in it, and one would wait for
/// ever.
async fn hint(client: &Client, selection: &Selection, count: Option<usize>, printer: &mut Printer) -> anyhow::Result<()> {
    if printer.records() == 0 && count != Some(0) && !selection.filter.is_empty() {
        nothing::explain(client, selection, printer).await?;
    }
    Ok(())
}

/// Shows the newest records and says where to continue. First the edge, then the records: what arrives in
/// between is either among the records or after the edge, and `max` of both leaves nothing out and repeats
/// nothing.
async fn show_newest(
    client: &Client,
    selection: &Selection,
    count: usize,
    printer: &mut Printer,
    outage: &mut Outage,
) -> anyhow::Result<Start> {
    let mut backoff = Backoff::new(Pace::default());
    let folds = printer.folds();
    let read = async || -> Result<_, ClientError> {
        let edge = history::edge(client).await?;
        Ok((edge, history::newest(client, selection, count, folds).await?))
    };
    let (edge, newest) = loop {
        match read().await {
            Ok(found) => break found,
            Err(error) if error.is_transient() => {
                outage.go_on(error.to_string(), printer)?;
                tokio::time::sleep(backoff.next_wait(error.retry_after())).await;
            }
            Err(error) => return Err(error.into()),
        }
    };
    query::put_newest(&newest, printer)?;
    let newest = newest.lines.last().and_then(|line| history::id(line));
    Ok(later(edge, newest).map_or(Start::Oldest, Start::After))
}

/// The later of two cursors; one of another log than the edge's can only be newer, since the edge was asked
/// for first.
fn later(edge: Option<Cursor>, newest: Option<Cursor>) -> Option<Cursor> {
    match (edge, newest) {
        (Some(edge), Some(newest)) if edge.log == newest.log && edge.seq > newest.seq => Some(edge),
        (edge, newest) => newest.or(edge),
    }
}

/// `sequence 5 is` or `sequences 5 to 9 are`.
fn sequences(from: Sequence, to: Sequence) -> String {
    if from == to { format!("sequence {from} is") } else { format!("sequences {from} to {to} are") }
}

/// Says once that the server is away, and once that it is back, however many attempts lie between.
#[derive(Default)]
struct Outage {
    told: Option<String>,
}

impl Outage {
    fn go_on(&mut self, error: String, printer: &mut Printer) -> std::io::Result<()> {
        if self.told.as_ref() == Some(&error) {
            return Ok(());
        }
        printer.note(&format!("{error}; trying again"))?;
        self.told = Some(error);
        Ok(())
    }

    fn end(&mut self, printer: &mut Printer) -> std::io::Result<()> {
        if self.told.take().is_some() { printer.note("connected again") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
