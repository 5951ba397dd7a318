//! The table of settings: each row is a flag of `serve`, a key of the file and a variable of the environment,
//! with its help and its default. Whether a value is accepted is decided in `settings.rs`.

use super::hooks::{HookTable, MuteTable};
use super::links::LinkTable;
use super::redaction::all_rules;
use super::setting::{Origin, Setting, variable};
use super::value::{Value, from_file};
use super::{ConfigError, Env};
use std::path::{Path, PathBuf};

/// `--retain-age` that removes nothing.
pub(super) const FOREVER: &str = "forever";
/// `--retain-bytes` that removes nothing.
pub(super) const UNLIMITED: &str = "unlimited";

/// Rows are `/// help`, `#[arg(…)]`, `"key" field: Type = default;`. The field gives the flag its name.
macro_rules! settings {
    ($($(#[$attribute:meta])* $key:literal $field:ident: $type:ty = $default:expr;)*) => {
        /// Settings as one place gives them; what it leaves out comes from the next place.
        // The environment and the defaults stand in the help texts by hand, since precedence is resolved in
        // `Settings`, where a test can replace the environment, and not by clap.
        #[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args, serde::Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Layer {
            $($(#[$attribute])* #[arg(long)] #[serde(default, deserialize_with = "from_file")] pub $field: Option<$type>,)*
            /// `[[hook]]` of the file.
            #[arg(skip)]
            #[serde(default)]
            pub hook: Vec<HookTable>,
            /// `[[mute]]` of the file.
            #[arg(skip)]
            #[serde(default)]
            pub mute: Vec<MuteTable>,
            /// `[[link]]` of the file.
            #[arg(skip)]
            #[serde(default)]
            pub link: Vec<LinkTable>,
        }

        impl Layer {
            /// What the environment says.
            fn of_environment(env: Env<'_>) -> Result<Self, ConfigError> {
                Ok(Self { $($field: <$type>::from_variable(env, &variable($key))?,)* hook: Vec::new(), mute: Vec::new(), link: Vec::new() })
            }
        }

        /// Every setting of `serve`, merged but not yet checked.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Settings {
            $(#[doc = concat!("`--", $key, "`")] pub $field: Setting<$type>,)*
            /// `[[hook]]` of the file, which no flag and no variable can give.
            pub hook: Vec<HookTable>,
            /// `[[mute]]` of the file.
            pub mute: Vec<MuteTable>,
            /// `[[link]]` of the file.
            pub link: Vec<LinkTable>,
        }

        impl Settings {
            /// The flags where they say something, else the environment, else the file, else the default.
            pub(super) fn merge(flags: Layer, env: Env<'_>, file: Layer, path: Option<&Path>) -> Result<Self, ConfigError> {
                let environment = Layer::of_environment(env)?;
                Ok(Self { $($field: first($key, flags.$field, environment.$field, file.$field, path).unwrap_or_else(|| {
                    Setting { key: $key, value: $default, origin: Origin::Default }
                }),)* hook: file.hook, mute: file.mute, link: file.link })
            }

            /// Each setting as key, value in TOML, and origin.
            pub fn rows(&self) -> Vec<(&'static str, String, Origin)> {
                vec![$((self.$field.key, self.$field.value.toml().to_string(), self.$field.origin.clone()),)*]
            }
        }
    };
}

/// The value of the first place that has one.
fn first<T>(key: &'static str, flag: Option<T>, variable_value: Option<T>, file: Option<T>, path: Option<&Path>) -> Option<Setting<T>> {
    let from = |value, origin| Setting { key, value, origin };
    let of_file = || Origin::File(path.map(Path::to_owned).unwrap_or_default());
    let flag = flag.map(|value| from(value, Origin::Flag));
    let named = || variable_value.map(|value| from(value, Origin::Env(variable(key))));
    flag.or_else(named).or_else(|| file.map(|value| from(value, of_file())))
}

settings! {
    /// Keep the log in this directory, which is made if it is absent [env: SHIPSLOG_DATA_DIR] [default: data]
    #[arg(help_heading = "Storage", value_name = "DIR")]
    "data-dir" data_dir: PathBuf = "data".into();
    /// Listen on this address; port 0 takes a free one, and unix:PATH is a socket [env: SHIPSLOG_LISTEN]
    /// [default: 127.0.0.1:7070]
    #[arg(help_heading = "Server", value_name = "ADDRESS:PORT")]
    "listen" listen: String = "127.0.0.1:7070".to_owned();
    /// Record this Docker host; repeatable [env: SHIPSLOG_DOCKER_HOST, separated by commas] [default: the one
    /// that the docker CLI would use]
    ///
    /// A URL is unix://PATH, tcp://HOST:PORT, https://HOST:PORT?cert-path=DIR, ssh://USER@HOST:PORT/SOCKET or
    /// context://NAME. Records carry the NAME in front of it as their source. Without this flag:
    /// $DOCKER_HOST, else the docker CLI's current context, else unix:///var/run/docker.sock.
    #[arg(help_heading = "What to record", value_name = "URL|NAME=URL")]
    "docker-host" docker_host: Vec<String> = Vec::new();
    /// Make up events, instead of recording a Docker host [env: SHIPSLOG_DEMO] [default: false]
    #[arg(help_heading = "What to record", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    "demo" demo: bool = false;
    /// Answer requests for this host name as well, besides localhost and IP addresses; repeatable [env:
    /// SHIPSLOG_ALLOW_HOST, separated by commas]
    #[arg(help_heading = "Server", value_name = "NAME")]
    "allow-host" allow_host: Vec<String> = Vec::new();
    /// Believe this reverse proxy's Forwarded or X-Forwarded-For about who asks: an address, a network such
    /// as 172.16.0.0/12, or unix for the unix socket; repeatable [env: SHIPSLOG_TRUSTED_PROXY, separated by
    /// commas]
    #[arg(help_heading = "Server", value_name = "ADDRESS")]
    "trusted-proxy" trusted_proxy: Vec<String> = Vec::new();
    /// Allow an address that other machines can reach without a token and TLS [env: SHIPSLOG_INSECURE]
    /// [default: false]
    #[arg(help_heading = "Access", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    "insecure" insecure: bool = false;
    /// Serve the log in this directory, or this export, and record nothing [env: SHIPSLOG_READ_ONLY]
    #[arg(help_heading = "What to record", value_name = "DIR|FILE")]
    "read-only" read_only: PathBuf = PathBuf::new();
    /// Remove records that are older than this, in whole segments: 90d, 12h [env: SHIPSLOG_RETAIN_AGE]
    /// [default: forever]
    #[arg(help_heading = "Storage", value_name = "DURATION")]
    "retain-age" retain_age: String = FOREVER.to_owned();
    /// Remove the oldest segments while the log is larger than this: 10GiB, 500MB [env:
    /// SHIPSLOG_RETAIN_BYTES] [default: unlimited]
    #[arg(help_heading = "Storage", value_name = "SIZE")]
    "retain-bytes" retain_bytes: String = UNLIMITED.to_owned();
    /// Hold at most this many connections at one time [env: SHIPSLOG_MAX_CONNECTIONS] [default: 10000]
    #[arg(help_heading = "Server", value_name = "N")]
    "max-connections" max_connections: u32 = 10_000;
    /// Hold at most this many connections from one address (from one /64 of IPv6) [env:
    /// SHIPSLOG_MAX_CONNECTIONS_PER_ADDRESS] [default: a quarter of all, and any number from this machine]
    #[arg(help_heading = "Server", value_name = "N")]
    "max-connections-per-address" max_connections_per_address: u32 = 0;
    /// Serve TLS and HTTP/2 with the certificate chain in this PEM file, which is read again when it changes
    /// [env: SHIPSLOG_TLS_CERT]
    #[arg(help_heading = "Access", value_name = "FILE")]
    "tls-cert" tls_cert: PathBuf = PathBuf::new();
    /// Read the certificate's key from this PEM file [env: SHIPSLOG_TLS_KEY]
    #[arg(help_heading = "Access", value_name = "FILE")]
    "tls-key" tls_key: PathBuf = PathBuf::new();
    /// Let in only clients that have one of the tokens in this file, one a line, each for all Docker hosts or
    /// for some (TOKEN hosts=web-*,db-1); it is read again when it changes [env: SHIPSLOG_TOKEN_FILE]
    #[arg(help_heading = "Access", value_name = "FILE")]
    "token-file" token_file: PathBuf = PathBuf::new();
    /// Allow pages of this origin to read; repeatable [env: SHIPSLOG_CORS_ORIGIN, separated by commas]
    #[arg(help_heading = "Access", value_name = "URL")]
    "cors-origin" cors_origin: Vec<String> = Vec::new();
    /// Write new records straight to the sockets of plain HTTP/1.1 streams; with false, in the way that TLS
    /// and HTTP/2 need [env: SHIPSLOG_DIRECT_WRITES] [default: true]
    #[arg(help_heading = "Server", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    "direct-writes" direct_writes: bool = true;
    /// Take only these kinds of secrets out of events: exec-command, secret-name, url-password, private-key,
    /// secret-value, or none; repeatable [env: SHIPSLOG_REDACT, separated by commas] [default: all of them]
    #[arg(help_heading = "Secrets", value_name = "RULE")]
    "redact" redact: Vec<String> = all_rules();
    /// Take the attributes with this name out as well; a * stands for anything; repeatable [env:
    /// SHIPSLOG_REDACT_ATTRIBUTE, separated by commas]
    #[arg(help_heading = "Secrets", value_name = "GLOB")]
    "redact-attribute" redact_attribute: Vec<String> = Vec::new();
    /// Leave the attributes with this name to themselves when looking for secret-name and url-password; a *
    /// stands for anything; repeatable [env: SHIPSLOG_REDACT_EXCEPT, separated by commas]
    #[arg(help_heading = "Secrets", value_name = "GLOB")]
    "redact-except" redact_except: Vec<String> = Vec::new();
    /// Count the events of health checks instead of storing them; fewer events are then left to prove that
    /// none is missing [env: SHIPSLOG_DROP_NOISE] [default: false]
    #[arg(help_heading = "What to record", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    "drop-noise" drop_noise: bool = false;
    /// Also record what a container printed before it died unasked: its last lines, 50 without a number, up
    /// to 16 KiB. It may hold secrets of forms that nobody knows [env: SHIPSLOG_LAST_WORDS] [default: 0,
    /// none]
    #[arg(help_heading = "What to record", value_name = "LINES", num_args = 0..=1, require_equals = true, default_missing_value = "50")]
    "last-words" last_words: u32 = 0;
    /// Forward the log to this server of a fleet's hub; repeatable [env: SHIPSLOG_FORWARD, separated by
    /// commas]
    ///
    /// Recording never waits for it. What could not be forwarded follows when the hub is back, as long as the
    /// log keeps it.
    #[arg(help_heading = "Fleet", value_name = "URL")]
    "forward" forward: Vec<String> = Vec::new();
    /// Forward as this host, as it was enrolled [env: SHIPSLOG_FORWARD_NAME]
    #[arg(help_heading = "Fleet", value_name = "NAME")]
    "forward-name" forward_name: String = String::new();
    /// Show the hub this NKey: a file with its seed [env: SHIPSLOG_FORWARD_NKEY]
    #[arg(help_heading = "Fleet", value_name = "FILE")]
    "forward-nkey" forward_nkey: PathBuf = PathBuf::new();
    /// Show the hub these credentials: a file with a JWT and its key [env: SHIPSLOG_FORWARD_CREDS]
    #[arg(help_heading = "Fleet", value_name = "FILE")]
    "forward-creds" forward_creds: PathBuf = PathBuf::new();
    /// Believe the certificates in this PEM file about the hub [env: SHIPSLOG_FORWARD_TLS_CA]
    #[arg(help_heading = "Fleet", value_name = "FILE")]
    "forward-tls-ca" forward_tls_ca: PathBuf = PathBuf::new();
    /// Show the hub the certificate in this PEM file [env: SHIPSLOG_FORWARD_TLS_CERT]
    #[arg(help_heading = "Fleet", value_name = "FILE")]
    "forward-tls-cert" forward_tls_cert: PathBuf = PathBuf::new();
    /// The key of that certificate, a PEM file [env: SHIPSLOG_FORWARD_TLS_KEY]
    #[arg(help_heading = "Fleet", value_name = "FILE")]
    "forward-tls-key" forward_tls_key: PathBuf = PathBuf::new();
    /// Forward into this stream of the hub [env: SHIPSLOG_FORWARD_STREAM] [default: SHIPSLOG]
    #[arg(help_heading = "Fleet", value_name = "NAME")]
    "forward-stream" forward_stream: String = "SHIPSLOG".to_owned();
    /// Forward into the fleet of this tenant [env: SHIPSLOG_FORWARD_TENANT] [default: default]
    #[arg(help_heading = "Fleet", value_name = "NAME")]
    "forward-tenant" forward_tenant: String = "default".to_owned();
    /// Begin with the oldest record, or with what comes from now on, where the hub has nothing of this log
    /// yet: oldest or now [env: SHIPSLOG_FORWARD_SINCE] [default: oldest]
    #[arg(help_heading = "Fleet", value_name = "oldest|now")]
    "forward-since" forward_since: String = "oldest".to_owned();
}
