//! Configuration of `serve`. A flag counts before a variable of the environment, that before the file, and
//! that before the default; each value keeps the place it came from. Values are checked here and nothing is
//! done with them: no directory, address, certificate or token is opened, only the configuration file (and
//! the docker CLI's, which may name the Docker host).

mod follower;
mod forward;
mod hooks;
mod links;
mod redaction;
mod remarks;
mod setting;
mod settings;
mod table;
mod value;

pub use crate::ingest::endpoint::Env;
pub use forward::{ForwardKey, Forwarding};
pub use setting::{Origin, Setting};
pub use settings::hooks_of;
pub use table::{Layer, Settings};

use crate::hooks::{Hook, Mute};
use crate::redact::Rules;
use crate::retention::Retention;
pub use crate::server::Address;
use crate::server::{Link, TrustedProxies};
use std::path::PathBuf;

/// What `serve` runs with; every value checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "switches that have nothing to do with each other")]
pub struct ServeConfig {
    /// Where the log lives.
    pub data_dir: PathBuf,
    /// Address to listen on; port 0 takes a free one.
    pub listen: Address,
    /// Docker hosts as the user wrote them, `URL` or `name=URL`; never empty. Not used with `demo`.
    pub docker_hosts: Vec<String>,
    /// Synthetic events instead of Docker's.
    pub demo: bool,
    /// Names accepted in the `Host` header besides those of the bound address.
    pub allow_hosts: Vec<String>,
    /// The user takes the risk of an address that others can reach, without token and TLS.
    pub insecure: bool,
    /// Somebody else's log or export, instead of recording into `data_dir`.
    pub read_only: Option<PathBuf>,
    /// What of the log is kept.
    pub retention: Retention,
    /// Most connections held at one time.
    pub max_connections: usize,
    /// Most of them from one address; by default a quarter of all, and from this machine all.
    pub max_connections_per_address: Option<usize>,
    /// Certificate and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Tokens, of which a client needs one.
    pub token_file: Option<PathBuf>,
    /// Origins whose pages may read.
    pub cors_origins: Vec<String>,
    /// Proxies whose word for whom they ask counts.
    pub trusted_proxies: TrustedProxies,
    /// Whether new records are written straight to the sockets of streams.
    pub direct_writes: bool,
    /// What is taken out of events before they are stored.
    pub redaction: Rules,
    /// Whether what is marked as noise is counted and not stored.
    pub drop_noise: bool,
    /// Lines of a container's output that are recorded when it dies unasked; 0 for none.
    pub last_words: u32,
    /// Whom to tell of incidents.
    pub hooks: Vec<Hook>,
    /// When not to.
    pub mutes: Vec<Mute>,
    /// Other programs that the page leads to.
    pub links: Vec<Link>,
    /// Where the log is forwarded.
    pub forwarding: Option<Forwarding>,
}

/// The arguments of `serve` and `config show`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ServeArgs {
    /// Read settings from this TOML file, where they have the names of the flags [env: SHIPSLOG_CONFIG]
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    pub config: Option<PathBuf>,
    /// The settings themselves.
    #[command(flatten)]
    pub flags: Layer,
}

/// Why there is no configuration to run with. Every message names the place and the way out.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was asked for cannot be read.
    #[error("cannot read the configuration file {path}: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// Not TOML, an unknown key or a value of the wrong kind.
    #[error("{path}: {why}")]
    BadFile {
        /// The file.
        path: PathBuf,
        /// Line, key and what is accepted there.
        why: Box<toml::de::Error>,
    },
    /// A value that its setting does not take.
    #[error("{place}: {value:?} is not accepted; use {accepted}")]
    BadValue {
        /// Flag, variable, or file and key.
        place: String,
        /// The value.
        value: String,
        /// What is accepted.
        accepted: &'static str,
    },
    /// An address that others can reach, without consent.
    #[error(
        "{place}: {listen} can be reached from other machines, and anyone who reaches it can read every event; \
         listen on 127.0.0.1 or [::1], or give it --token-file together with --tls-cert and --tls-key, \
         or add --insecure if everyone on that network may read them"
    )]
    Exposed {
        /// Flag, variable, or file and key.
        place: String,
        /// The address.
        listen: Address,
    },
    /// A setting of recorders, given to a server of a fleet.
    #[error("{place}: {why}; set it on the hosts")]
    OfHosts {
        /// Flag, variable, or file and key.
        place: String,
        /// Why it cannot be set here.
        why: &'static str,
    },
}

impl ServeConfig {
    /// Resolves and checks everything.
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that cannot be used.
    pub fn load(args: &ServeArgs, env: Env<'_>) -> Result<Self, ConfigError> {
        Settings::resolve(args, env)?.check()
    }
}

#[cfg(test)]
mod tests;
