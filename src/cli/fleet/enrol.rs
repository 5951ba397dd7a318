//! `fleet enrol`: a key for one who takes part.

use crate::cli::ending::Usage;
use crate::stream::nats::{Enrolment, Part};
use std::io::{self, Write as _};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct EnrolArgs {
    /// Name of the host or the server, in small letters, digits and -
    name: String,
    /// The key is for a server of the fleet, which reads all, and not for a host
    #[arg(long)]
    server: bool,
    /// Whose fleet it is, in small letters, digits and -
    #[arg(long, value_name = "NAME", default_value = "default")]
    tenant: String,
    /// Name of the stream
    #[arg(long, value_name = "NAME", default_value = "SHIPSLOG")]
    stream: String,
}

/// Prints it, and keeps nothing.
pub(super) fn run(args: &EnrolArgs) -> anyhow::Result<()> {
    let (part, whose) = if args.server { (Part::Server, "server") } else { (Part::Host, "host") };
    let made = Enrolment::new(part, &args.tenant, &args.name, &args.stream).map_err(|error| Usage(error.to_string()))?;
    let flag = if args.server { "--nkey" } else { "--forward-nkey" };
    let mut out = io::stdout().lock();
    writeln!(out, "# Key of the {whose} {}. Only shipslog there may read it (mode 0600); {flag} names its file.", args.name)?;
    writeln!(out, "# It is shown once, and kept nowhere.\n{}\n", made.seed)?;
    writeln!(out, "# An entry of `authorization {{ users: [ … ] }}` on each node of NATS. It takes effect with a reload.\n{}", made.user)?;
    Ok(())
}
