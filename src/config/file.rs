//! One layer of settings. Flags and file share the struct, so that they cannot drift apart.

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use std::fmt;
use std::path::PathBuf;

/// Settings as one place gives them; what it leaves out comes from the next place.
// The environment and the defaults stand in the help texts by hand, since precedence is resolved in
// `Settings`, where a test can replace the environment, and not by clap.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Layer {
    /// Keep the log in this directory, which is made if it is absent [env: SHIPSLOG_DATA_DIR] [default: data]
    #[arg(long, help_heading = "Storage", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Listen on this address; port 0 takes a free one, and unix:PATH is a socket [env: SHIPSLOG_LISTEN]
    /// [default: 127.0.0.1:7070]
    #[arg(long, help_heading = "Server", value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Record this Docker host; repeatable [env: SHIPSLOG_DOCKER_HOST, separated by commas] [default: the one
    /// that the docker CLI would use]
    ///
    /// A URL is unix://PATH, tcp://HOST:PORT, https://HOST:PORT?cert-path=DIR, ssh://USER@HOST:PORT/SOCKET or
    /// context://NAME. Records carry the NAME in front of it as their source. Without this flag:
    /// $DOCKER_HOST, else the docker CLI's current context, else unix:///var/run/docker.sock.
    #[arg(long, help_heading = "What to record", value_name = "URL|NAME=URL")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub docker_host: Option<Vec<String>>,
    /// Make up events, instead of recording a Docker host [env: SHIPSLOG_DEMO] [default: false]
    #[arg(long, help_heading = "What to record", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub demo: Option<bool>,
    /// Answer requests for this host name as well, besides localhost and IP addresses; repeatable [env:
    /// SHIPSLOG_ALLOW_HOST, separated by commas]
    #[arg(long, help_heading = "Server", value_name = "NAME")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub allow_host: Option<Vec<String>>,
    /// Believe this reverse proxy's Forwarded or X-Forwarded-For about who asks: an address, a network such
    /// as 172.16.0.0/12, or unix for the unix socket; repeatable [env: SHIPSLOG_TRUSTED_PROXY, separated by
    /// commas]
    #[arg(long, help_heading = "Server", value_name = "ADDRESS")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub trusted_proxy: Option<Vec<String>>,
    /// Allow an address that other machines can reach without a token and TLS [env: SHIPSLOG_INSECURE]
    /// [default: false]
    #[arg(long, help_heading = "Access", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub insecure: Option<bool>,
    /// Serve the log in this directory, or this export, and record nothing [env: SHIPSLOG_READ_ONLY]
    #[arg(long, help_heading = "What to record", value_name = "DIR|FILE")]
    pub read_only: Option<PathBuf>,
    /// Remove records that are older than this, in whole segments: 90d, 12h [env: SHIPSLOG_RETAIN_AGE]
    /// [default: forever]
    #[arg(long, help_heading = "Storage", value_name = "DURATION")]
    pub retain_age: Option<String>,
    /// Remove the oldest segments while the log is larger than this: 10GiB, 500MB [env:
    /// SHIPSLOG_RETAIN_BYTES] [default: unlimited]
    #[arg(long, help_heading = "Storage", value_name = "SIZE")]
    pub retain_bytes: Option<String>,
    /// Hold at most this many connections at one time [env: SHIPSLOG_MAX_CONNECTIONS] [default: 10000]
    #[arg(long, help_heading = "Server", value_name = "N")]
    pub max_connections: Option<u32>,
    /// Hold at most this many connections from one address (from one /64 of IPv6) [env:
    /// SHIPSLOG_MAX_CONNECTIONS_PER_ADDRESS] [default: a quarter of all, and any number from this machine]
    #[arg(long, help_heading = "Server", value_name = "N")]
    pub max_connections_per_address: Option<u32>,
    /// Serve TLS and HTTP/2 with the certificate chain in this PEM file, which is read again when it changes
    /// [env: SHIPSLOG_TLS_CERT]
    #[arg(long, help_heading = "Access", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Read the certificate's key from this PEM file [env: SHIPSLOG_TLS_KEY]
    #[arg(long, help_heading = "Access", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Let in only clients that have one of the tokens in this file, one a line; it is read again when it
    /// changes [env: SHIPSLOG_TOKEN_FILE]
    #[arg(long, help_heading = "Access", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Allow pages of this origin to read; repeatable [env: SHIPSLOG_CORS_ORIGIN, separated by commas]
    #[arg(long, help_heading = "Access", value_name = "URL")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub cors_origin: Option<Vec<String>>,
    /// Write new records straight to the sockets of plain HTTP/1.1 streams; with false, in the way that TLS
    /// and HTTP/2 need [env: SHIPSLOG_DIRECT_WRITES] [default: true]
    #[arg(long, help_heading = "Server", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub direct_writes: Option<bool>,
    /// Take only these kinds of secrets out of events: exec-command, secret-name, url-password, private-key,
    /// secret-value, or none; repeatable [env: SHIPSLOG_REDACT, separated by commas] [default: all of them]
    #[arg(long, help_heading = "Secrets", value_name = "RULE")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub redact: Option<Vec<String>>,
    /// Take the attributes with this name out as well; a * stands for anything; repeatable [env:
    /// SHIPSLOG_REDACT_ATTRIBUTE, separated by commas]
    #[arg(long, help_heading = "Secrets", value_name = "GLOB")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub redact_attribute: Option<Vec<String>>,
    /// Leave the attributes with this name to themselves when looking for secret-name and url-password; a *
    /// stands for anything; repeatable [env: SHIPSLOG_REDACT_EXCEPT, separated by commas]
    #[arg(long, help_heading = "Secrets", value_name = "GLOB")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub redact_except: Option<Vec<String>>,
    /// Count the events of health checks instead of storing them; fewer events are then left to prove that
    /// none is missing [env: SHIPSLOG_DROP_NOISE] [default: false]
    #[arg(long, help_heading = "What to record", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub drop_noise: Option<bool>,
}

/// `key = "a"` means the same as `key = ["a"]`.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    struct OneOrMany;
    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or a list of strings")
        }
        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![text.to_owned()])
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut out = Vec::new();
            while let Some(text) = list.next_element()? {
                out.push(text);
            }
            Ok(out)
        }
    }
    deserializer.deserialize_any(OneOrMany).map(Some)
}
