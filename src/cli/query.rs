//! `query`: the past, oldest first, from a server, an export or a log's directory.

mod offline;

use super::args::{Number, Output, Remote, Since, Terms, Until, choose};
use super::history::Item;
use super::incidents::Offline;
use super::{history, interrupted, nothing, printer::Printer};
use crate::client::{Client, Selection};

#[derive(Debug, clap::Args)]
pub(super) struct QueryArgs {
    #[command(flatten)]
    since: Since,
    #[command(flatten)]
    until: Until,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    number: Number,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    offline: Offline,
    #[command(flatten)]
    remote: Remote,
}

pub(super) async fn run(args: QueryArgs) -> anyhow::Result<()> {
    let chosen = choose(&args.since, &args.until, &args.terms, &args.output.clock)?;
    let mut printer = Printer::new(&args.output, &chosen.selection.filter)?;
    chosen.remarks.iter().try_for_each(|remark| printer.note(remark))?;
    if let Some(place) = args.offline.place() {
        return offline::show(&place, &chosen.selection, args.number.get(), &mut printer).await;
    }
    let client = args.remote.client()?;
    show(&client, &chosen.selection, args.number.get(), &mut printer).await
}

/// Prints the selection, or its newest `count` records. Ends quietly when interrupted.
pub(super) async fn show(client: &Client, selection: &Selection, count: Option<usize>, printer: &mut Printer) -> anyhow::Result<()> {
    let print = async {
        name_hosts(client, printer).await;
        match count {
            None => history::all(client, selection, |item| put(item, printer)).await?,
            Some(count) => {
                let newest = history::newest(client, selection, count, printer.folds()).await?;
                put_newest(&newest, printer)?;
            }
        }
        if printer.records() == 0 && count != Some(0) {
            nothing::explain(client, selection, printer).await?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        result = print => result?,
        () = interrupted() => {}
    }
    Ok(printer.finish()?)
}

/// Where the log knows two hosts, each line names its own. A server that cannot say is asked for the records
/// all the same.
pub(super) async fn name_hosts(client: &Client, printer: &mut Printer) {
    if printer.is_human() && history::has_many_hosts(client).await.unwrap_or(false) {
        printer.name_hosts();
    }
}

fn put(item: Item<'_>, printer: &mut Printer) -> anyhow::Result<()> {
    match item {
        Item::Record(line) => printer.record(line)?,
        Item::Missed(line) => printer.missed(line)?,
        Item::LeftOut(count) => printer.left_out(count),
    }
    Ok(())
}

pub(super) fn put_newest(newest: &history::Newest, printer: &mut Printer) -> std::io::Result<()> {
    newest.missed.iter().try_for_each(|line| printer.missed(line.get()))?;
    printer.left_out(newest.left_out);
    printer.folded(newest.folded);
    newest.lines.iter().try_for_each(|line| printer.record(line.get()))
}
