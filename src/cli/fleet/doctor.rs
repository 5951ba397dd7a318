//! `fleet doctor`: whether a hub does what a fleet is promised.

use super::HubArgs;
use crate::cli::ending::{AnsweredNo, Usage};
use crate::cli::escape::escape;
use crate::stream::Subject;
use crate::stream::nats::{Finding, Shape, Verdict, examine};
use std::io::{self, Write as _};
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DoctorArgs {
    #[command(flatten)]
    hub: HubArgs,
    /// Look at this node's monitoring page too, as http://HOST:8222; once for each node
    #[arg(long, value_name = "URL", help_heading = "Hub")]
    monitor: Vec<String>,
}

pub(super) async fn run(args: DoctorArgs) -> anyhow::Result<()> {
    Subject::base(&args.hub.tenant).map_err(|e| Usage(format!("--tenant: {e}")))?;
    let shape = Shape { tenant: args.hub.tenant.clone(), replicas: 3, max_age: Duration::ZERO, max_bytes: None };
    let (settings, monitors) = (args.hub.settings("fleet-doctor", true), args.monitor);
    let found = examine(&settings, &shape, &monitors).await;
    let mut out = io::stdout().lock();
    for Finding { verdict, text } in &found {
        let mark = match verdict {
            Verdict::Fine => "ok   ",
            Verdict::Remark => "note ",
            Verdict::Wrong => "WRONG",
        };
        // Names of servers are their own.
        writeln!(out, "{mark} {}", escape(text))?;
    }
    let wrong = found.iter().filter(|finding| finding.verdict == Verdict::Wrong).count();
    if wrong == 0 {
        writeln!(out, "the hub does what a fleet is promised")?;
        return Ok(());
    }
    writeln!(out, "{wrong} of {} findings are wrong", found.len())?;
    Err(AnsweredNo.into())
}
