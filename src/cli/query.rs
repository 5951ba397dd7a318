//! `query`: the past, oldest first.

use super::args::{Number, Output, Remote, Since, Terms, Until, selection};
use super::{history, interrupted, printer::Printer};
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
    remote: Remote,
}

pub(super) async fn run(args: QueryArgs) -> anyhow::Result<()> {
    let selection = selection(&args.since, &args.until, &args.terms)?;
    let client = args.remote.client()?;
    show(&client, &selection, args.number.get(), &mut Printer::new(&args.output)).await
}

/// Prints the selection, or its newest `count` records. Ends quietly when interrupted.
pub(super) async fn show(client: &Client, selection: &Selection, count: Option<usize>, printer: &mut Printer) -> anyhow::Result<()> {
    let print = async {
        match count {
            None => history::all(client, selection, |line| Ok(printer.record(line)?)).await,
            Some(count) => {
                let lines = history::newest(client, selection, count).await?;
                Ok(lines.iter().try_for_each(|line| printer.record(line.get()))?)
            }
        }
    };
    tokio::select! {
        result = print => result?,
        () = interrupted() => {}
    }
    Ok(printer.flush()?)
}
