//! One layer of settings. Flags and file share the struct, so that they cannot drift apart.

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use std::fmt;
use std::path::PathBuf;

/// Settings as one place gives them; what it leaves out comes from the next place.
// The environment and the defaults stand in the help texts by hand, since precedence is resolved in `Settings`, where
// a test can replace the environment, and not by clap.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Layer {
    /// Directory of the log; made if absent [env: SHIPSLOG_DATA_DIR] [default: data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one [env: SHIPSLOG_LISTEN] [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Docker host to record, repeatable: unix://PATH, tcp://HOST:PORT, https://HOST:PORT?cert-path=DIR, ssh://USER@HOST:PORT/SOCKET or context://NAME [env: SHIPSLOG_DOCKER_HOST, separated by commas] [default: as the docker CLI: $DOCKER_HOST, else its current context, else unix:///var/run/docker.sock]
    #[arg(long, value_name = "URL|NAME=URL")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub docker_host: Option<Vec<String>>,
    /// Synthetic events instead of Docker's [env: SHIPSLOG_DEMO] [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub demo: Option<bool>,
    /// Name to accept in the Host header, repeatable [env: SHIPSLOG_ALLOW_HOST, separated by commas]
    #[arg(long, value_name = "NAME")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub allow_host: Option<Vec<String>>,
    /// Listen on an address that other machines can reach, without token and TLS [env: SHIPSLOG_INSECURE] [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub insecure: Option<bool>,
    /// Serve the log in this directory, or this export, and record nothing [env: SHIPSLOG_READ_ONLY]
    #[arg(long, value_name = "DIR|FILE")]
    pub read_only: Option<PathBuf>,
    /// Remove records that are older, in whole segments: 90d, 12h [env: SHIPSLOG_RETAIN_AGE] [default: forever]
    #[arg(long, value_name = "DURATION")]
    pub retain_age: Option<String>,
    /// Remove the oldest segments when the log is larger: 10GiB, 500MB [env: SHIPSLOG_RETAIN_BYTES] [default: unlimited]
    #[arg(long, value_name = "SIZE")]
    pub retain_bytes: Option<String>,
    /// Most connections at one time [env: SHIPSLOG_MAX_CONNECTIONS] [default: 10000]
    #[arg(long, value_name = "N")]
    pub max_connections: Option<u32>,
    /// Most of them from one address (IPv6: from one /64) [env: SHIPSLOG_MAX_CONNECTIONS_PER_ADDRESS] [default: a quarter of all, and all from this machine]
    #[arg(long, value_name = "N")]
    pub max_connections_per_address: Option<u32>,
    /// Certificate chain in PEM, for TLS and HTTP/2; read again when it changes [env: SHIPSLOG_TLS_CERT]
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Its key in PEM [env: SHIPSLOG_TLS_KEY]
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Let in only who has one of these tokens, one a line; read again when it changes [env: SHIPSLOG_TOKEN_FILE]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Origin whose pages may read, repeatable [env: SHIPSLOG_CORS_ORIGIN, separated by commas]
    #[arg(long, value_name = "URL")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub cors_origin: Option<Vec<String>>,
    /// Write new records straight to the sockets of plain HTTP/1.1 streams; false takes the way that TLS and HTTP/2 take [env: SHIPSLOG_DIRECT_WRITES] [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub direct_writes: Option<bool>,
    /// Take only these secrets out of events, repeatable: exec-command, secret-name, url-password, private-key, or none [env: SHIPSLOG_REDACT, separated by commas] [default: all of them]
    #[arg(long, value_name = "RULE")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub redact: Option<Vec<String>>,
    /// Take out these attributes as well, repeatable; * stands for anything [env: SHIPSLOG_REDACT_ATTRIBUTE, separated by commas]
    #[arg(long, value_name = "GLOB")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub redact_attribute: Option<Vec<String>>,
    /// Attributes that secret-name and url-password leave alone, repeatable; * stands for anything [env: SHIPSLOG_REDACT_EXCEPT, separated by commas]
    #[arg(long, value_name = "GLOB")]
    #[serde(default, deserialize_with = "one_or_many")]
    pub redact_except: Option<Vec<String>>,
    /// Count the probes of health checks and do not store them; fewer events are left to prove by that none is missing [env: SHIPSLOG_DROP_NOISE] [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
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
