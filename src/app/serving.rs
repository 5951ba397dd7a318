//! What the server is started with: whom it admits, how many connections it may hold, and the line that says
//! where it listens. Requests are judged in `server`.

use crate::config::ServeConfig;
use crate::server::{self, Access, Admission, Listener, Tls};
use anyhow::Context as _;
use std::sync::Arc;

/// Open files besides the connections: the log (one a segment), Docker, the runtime.
const SPARE_FILES: u64 = 1024;

/// Whom the server admits and how it serves them, from the configuration and the files that it names.
pub(super) fn admission(config: &ServeConfig) -> anyhow::Result<(Admission, server::Options)> {
    let tls = config.tls.as_ref().map(|(cert, key)| Tls::load(cert, key)).transpose().context("--tls-cert and --tls-key")?;
    let access = config.token_file.as_ref().map(|file| Access::load(file)).transpose().context("--token-file")?;
    let admission = Admission {
        allowed_hosts: config.allow_hosts.clone(),
        cors_origins: config.cors_origins.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        access: access.map(Arc::new),
        max_streams: config.max_connections as u64,
    };
    let options = server::Options {
        max_connections: config.max_connections,
        max_connections_per_address: config.max_connections_per_address,
        direct_writes: config.direct_writes,
        tls: tls.map(Arc::new),
    };
    Ok((admission, options))
}

/// Each connection is an open file, and the log needs some, too: the soft limit of many systems is 1,024.
/// Where the hard one is too low, connections are fewer, rather than that Docker or the log go without.
pub(super) fn affordable_connections(wanted: usize) -> usize {
    let needed = wanted as u64 + SPARE_FILES;
    match rlimit::increase_nofile_limit(needed) {
        Ok(limit) if limit < needed => {
            let affordable = limit - SPARE_FILES.min(limit / 2);
            tracing::warn!(
                limit.files = limit,
                limit.needed = needed,
                server.max_connections = affordable,
                "too few open files are allowed for --max-connections, so there will be fewer; raise the hard limit (systemd: LimitNOFILE=)"
            );
            usize::try_from(affordable).unwrap_or(wanted).max(1)
        }
        Ok(_) => wanted,
        Err(e) => {
            tracing::warn!(error = %e, "cannot raise the limit of open files");
            wanted
        }
    }
}

/// The first line on stdout (docs/api.md, "Command line"), for people and for scripts that let the system
/// choose the port.
pub(super) fn announce(listener: &Listener, options: &server::Options) -> std::io::Result<()> {
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    let line = match listener.address()? {
        server::Address::Tcp(address) => format!("listening on {scheme}://{address}"),
        path @ server::Address::Unix(_) => format!("listening on {path}"),
    };
    if !crate::console::print_line(line)? {
        tracing::warn!("nobody reads stdout, where the address is told");
    }
    Ok(())
}
