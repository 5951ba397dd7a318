//! Merging the layers, and checking what comes out.

use super::environment::{self, text};
use super::redaction::RedactionSettings;
use super::{Address, ConfigError, Layer, ServeArgs, ServeConfig};
use crate::file;
pub use crate::ingest::endpoint::Env;
use crate::ingest::endpoint::{Current, current_context};
use crate::retention::Retention;
use crate::server::{TrustedProxies, TrustedProxy, host_name};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DEFAULT_LISTEN: &str = "127.0.0.1:7070";
const DEFAULT_DOCKER_HOST: &str = "unix:///var/run/docker.sock";
const DEFAULT_MAX_CONNECTIONS: u32 = 10_000;
/// `--retain-age` that removes nothing.
const FOREVER: &str = "forever";
/// `--retain-bytes` that removes nothing.
const UNLIMITED: &str = "unlimited";
/// A smaller log would hold little more than its newest tip.
const MIN_RETAIN_BYTES: u64 = 64 * 1024 * 1024;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// This environment variable.
    Env(String),
    /// This configuration file.
    File(PathBuf),
    /// Nowhere: the built-in value.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value with its key and origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The key in the file, and the flag without its dashes.
    pub key: &'static str,
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// The place a user has to look at to change the value.
    fn place(&self) -> String {
        match &self.origin {
            Origin::Env(name) => name.clone(),
            Origin::File(path) => format!("{}: {}", path.display(), self.key),
            Origin::Flag | Origin::Default => format!("--{}", self.key),
        }
    }

    pub(super) fn refuse(&self, value: impl Into<String>, accepted: &'static str) -> ConfigError {
        ConfigError::BadValue { place: self.place(), value: value.into(), accepted }
    }
}

/// Every setting of `serve`, merged but not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `--data-dir`
    pub data_dir: Setting<PathBuf>,
    /// `--listen`
    pub listen: Setting<String>,
    /// `--docker-host`
    pub docker_host: Setting<Vec<String>>,
    /// `--demo`
    pub demo: Setting<bool>,
    /// `--allow-host`
    pub allow_host: Setting<Vec<String>>,
    /// `--insecure`
    pub insecure: Setting<bool>,
    /// `--read-only`; empty when not given
    pub read_only: Setting<PathBuf>,
    /// `--retain-age`
    pub retain_age: Setting<String>,
    /// `--retain-bytes`
    pub retain_bytes: Setting<String>,
    /// `--max-connections`
    pub max_connections: Setting<u32>,
    /// `--max-connections-per-address`; 0 when not given
    pub max_connections_per_address: Setting<u32>,
    /// `--tls-cert`; empty when not given
    pub tls_cert: Setting<PathBuf>,
    /// `--tls-key`; empty when not given
    pub tls_key: Setting<PathBuf>,
    /// `--token-file`; empty when not given
    pub token_file: Setting<PathBuf>,
    /// `--cors-origin`
    pub cors_origin: Setting<Vec<String>>,
    /// `--trusted-proxy`
    pub trusted_proxy: Setting<Vec<String>>,
    /// `--direct-writes`
    pub direct_writes: Setting<bool>,
    /// `--redact`, `--redact-attribute` and `--redact-except`
    pub redaction: RedactionSettings,
    /// `--drop-noise`
    pub drop_noise: Setting<bool>,
}

impl Settings {
    /// Merges flags, environment, file and defaults.
    ///
    /// # Errors
    /// [`ConfigError`] for a file or a variable that cannot be read as settings.
    pub fn resolve(args: &ServeArgs, env: Env<'_>) -> Result<Self, ConfigError> {
        let path = args.config.clone().or_else(|| env("SHIPSLOG_CONFIG").filter(|v| !v.is_empty()).map(PathBuf::from));
        let file = path.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let (flags, env_layer) = (args.flags.clone(), environment::layer(env)?);
        let places = Places { file: path };
        let docker_host = places.pick("docker-host", flags.docker_host, env_layer.docker_host, file.docker_host);
        Ok(Self {
            data_dir: places.or("data-dir", flags.data_dir, env_layer.data_dir, file.data_dir, "data".into()),
            listen: places.or("listen", flags.listen, env_layer.listen, file.listen, DEFAULT_LISTEN.to_owned()),
            docker_host: match docker_host {
                Some(setting) => setting,
                None => dockers_own(env)?,
            },
            demo: places.or("demo", flags.demo, env_layer.demo, file.demo, false),
            allow_host: places.or("allow-host", flags.allow_host, env_layer.allow_host, file.allow_host, Vec::new()),
            insecure: places.or("insecure", flags.insecure, env_layer.insecure, file.insecure, false),
            read_only: places.or("read-only", flags.read_only, env_layer.read_only, file.read_only, PathBuf::new()),
            retain_age: places.or("retain-age", flags.retain_age, env_layer.retain_age, file.retain_age, FOREVER.to_owned()),
            retain_bytes: places.or("retain-bytes", flags.retain_bytes, env_layer.retain_bytes, file.retain_bytes, UNLIMITED.to_owned()),
            max_connections: places.or(
                "max-connections",
                flags.max_connections,
                env_layer.max_connections,
                file.max_connections,
                DEFAULT_MAX_CONNECTIONS,
            ),
            max_connections_per_address: places.or(
                "max-connections-per-address",
                flags.max_connections_per_address,
                env_layer.max_connections_per_address,
                file.max_connections_per_address,
                0,
            ),
            tls_cert: places.or("tls-cert", flags.tls_cert, env_layer.tls_cert, file.tls_cert, PathBuf::new()),
            tls_key: places.or("tls-key", flags.tls_key, env_layer.tls_key, file.tls_key, PathBuf::new()),
            token_file: places.or("token-file", flags.token_file, env_layer.token_file, file.token_file, PathBuf::new()),
            cors_origin: places.or("cors-origin", flags.cors_origin, env_layer.cors_origin, file.cors_origin, Vec::new()),
            trusted_proxy: places.or("trusted-proxy", flags.trusted_proxy, env_layer.trusted_proxy, file.trusted_proxy, Vec::new()),
            direct_writes: places.or("direct-writes", flags.direct_writes, env_layer.direct_writes, file.direct_writes, true),
            redaction: RedactionSettings {
                redact: places.or("redact", flags.redact, env_layer.redact, file.redact, RedactionSettings::all_rules()),
                attribute: places.or(
                    "redact-attribute",
                    flags.redact_attribute,
                    env_layer.redact_attribute,
                    file.redact_attribute,
                    Vec::new(),
                ),
                except: places.or("redact-except", flags.redact_except, env_layer.redact_except, file.redact_except, Vec::new()),
            },
            drop_noise: places.or("drop-noise", flags.drop_noise, env_layer.drop_noise, file.drop_noise, false),
        })
    }

    /// Checks the values.
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that cannot be used, or for an address that needs `--insecure`.
    pub fn check(&self) -> Result<ServeConfig, ConfigError> {
        const ADDRESS: &str = "ADDRESS:PORT, such as 127.0.0.1:7070, [::1]:7070 or 0.0.0.0:0, or unix:PATH";
        let listen: Address = self.listen.value.parse().map_err(|()| self.listen.refuse(self.listen.value.trim(), ADDRESS))?;
        if self.data_dir.value.as_os_str().is_empty() {
            return Err(self.data_dir.refuse("", "the path of a directory"));
        }
        if self.docker_host.value.is_empty() || self.docker_host.value.iter().any(|host| host.trim().is_empty()) {
            return Err(self
                .docker_host
                .refuse("", "URL or NAME=URL, such as unix:///var/run/docker.sock, prod=ssh://me@10.0.0.7 or context://NAME"));
        }
        let host =
            |name: &String| host_name(name).ok_or_else(|| self.allow_host.refuse(name, "a host name as in a URL, without scheme or path"));
        let allow_hosts = self.allow_host.value.iter().map(host).collect::<Result<_, _>>()?;
        let max_connections = usize::try_from(self.max_connections.value).unwrap_or(0);
        if max_connections == 0 {
            return Err(self.max_connections.refuse("0", "a number from 1 up"));
        }
        let of_each = usize::try_from(self.max_connections_per_address.value).unwrap_or(usize::MAX);
        let max_connections_per_address = Some(of_each).filter(|number| *number > 0);
        let tls = self.tls()?;
        let token_file = given(&self.token_file);
        let exposed = match &listen {
            // An IPv4 address in IPv6 clothes (::ffff:127.0.0.1) is judged as what it is.
            Address::Tcp(address) => !address.ip().to_canonical().is_loopback(),
            Address::Unix(_) => false,
        };
        if exposed && !self.insecure.value && (tls.is_none() || token_file.is_none()) {
            return Err(ConfigError::Exposed { place: self.listen.place(), listen });
        }
        Ok(ServeConfig {
            data_dir: self.data_dir.value.clone(),
            listen,
            docker_hosts: self.docker_host.value.iter().map(|host| host.trim().to_owned()).collect(),
            demo: self.demo.value,
            allow_hosts,
            insecure: self.insecure.value,
            read_only: given(&self.read_only),
            retention: Retention { age: self.retain_age()?, bytes: self.retain_bytes()? },
            max_connections,
            max_connections_per_address,
            tls,
            token_file,
            cors_origins: self.cors_origins()?,
            trusted_proxies: self.trusted_proxies()?,
            direct_writes: self.direct_writes.value,
            redaction: self.redaction.check()?,
            drop_noise: self.drop_noise.value,
        })
    }

    /// Certificate and key.
    fn tls(&self) -> Result<Option<(PathBuf, PathBuf)>, ConfigError> {
        match (given(&self.tls_cert), given(&self.tls_key)) {
            (Some(cert), Some(key)) => Ok(Some((cert, key))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(self.tls_key.refuse("", "the file with the key of --tls-cert; the two go together")),
            (None, Some(_)) => Err(self.tls_cert.refuse("", "the file with the certificate of --tls-key; the two go together")),
        }
    }

    /// As browsers send them (RFC 6454, 6.2): scheme and host, without a path.
    fn cors_origins(&self) -> Result<Vec<String>, ConfigError> {
        let origin = |text: &String| {
            let text = text.trim().trim_end_matches('/');
            let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or("");
            if host.is_empty() || host.contains(['/', '*', ' ', '?', '#', '@']) {
                return Err(self.cors_origin.refuse(text, "an origin, such as https://status.example or http://localhost:8080"));
            }
            Ok(text.to_ascii_lowercase())
        };
        self.cors_origin.value.iter().map(origin).collect()
    }

    fn trusted_proxies(&self) -> Result<TrustedProxies, ConfigError> {
        const ACCEPTED: &str = "an address, such as 10.0.0.7, a network, such as 172.16.0.0/12, or unix for the unix socket";
        let proxy = |text: &String| text.parse::<TrustedProxy>().map_err(|()| self.trusted_proxy.refuse(text, ACCEPTED));
        self.trusted_proxy.value.iter().map(proxy).collect()
    }

    fn retain_age(&self) -> Result<Option<Duration>, ConfigError> {
        let text = self.retain_age.value.trim();
        match humantime::parse_duration(text) {
            _ if text == FOREVER => Ok(None),
            Ok(age) if age >= Duration::from_secs(60) => Ok(Some(age)),
            _ => Err(self.retain_age.refuse(text, "a duration of a minute or more, such as 90d or 12h, or forever")),
        }
    }

    fn retain_bytes(&self) -> Result<Option<u64>, ConfigError> {
        let text = self.retain_bytes.value.trim();
        match text.parse::<bytesize::ByteSize>() {
            _ if text == UNLIMITED => Ok(None),
            Ok(size) if size.as_u64() >= MIN_RETAIN_BYTES => Ok(Some(size.as_u64())),
            _ => Err(self.retain_bytes.refuse(text, "a size of 64MiB or more, such as 10GiB or 500MB, or unlimited")),
        }
    }

    /// Each setting as key, value in TOML, and origin.
    pub fn rows(&self) -> Vec<(&'static str, String, Origin)> {
        fn row<T: Clone + Into<toml::Value>>(setting: &Setting<T>) -> (&'static str, String, Origin) {
            (setting.key, setting.value.clone().into().to_string(), setting.origin.clone())
        }
        let path = |setting: &Setting<PathBuf>| {
            (setting.key, toml::Value::from(setting.value.to_string_lossy().into_owned()).to_string(), setting.origin.clone())
        };
        vec![
            path(&self.data_dir),
            row(&self.listen),
            row(&self.docker_host),
            row(&self.demo),
            row(&self.allow_host),
            row(&self.insecure),
            path(&self.read_only),
            row(&self.retain_age),
            row(&self.retain_bytes),
            row(&self.max_connections),
            row(&self.max_connections_per_address),
            path(&self.tls_cert),
            path(&self.tls_key),
            path(&self.token_file),
            row(&self.cors_origin),
            row(&self.trusted_proxy),
            row(&self.direct_writes),
            row(&self.redaction.redact),
            row(&self.redaction.attribute),
            row(&self.redaction.except),
            row(&self.drop_noise),
        ]
    }
}

/// A path that was given.
fn given(path: &Setting<PathBuf>) -> Option<PathBuf> {
    Some(path.value.clone()).filter(|path| !path.as_os_str().is_empty())
}

struct Places {
    file: Option<PathBuf>,
}

impl Places {
    fn pick<T>(&self, key: &'static str, flag: Option<T>, env: Option<T>, file: Option<T>) -> Option<Setting<T>> {
        let from = |value, origin| Setting { key, value, origin };
        flag.map(|value| from(value, Origin::Flag))
            .or_else(|| env.map(|value| from(value, Origin::Env(variable(key)))))
            .or_else(|| file.map(|value| from(value, Origin::File(self.file.clone().unwrap_or_default()))))
    }

    fn or<T>(&self, key: &'static str, flag: Option<T>, env: Option<T>, file: Option<T>, default: T) -> Setting<T> {
        self.pick(key, flag, env, file).unwrap_or(Setting { key, value: default, origin: Origin::Default })
    }
}

/// As the docker CLI chooses: `DOCKER_HOST`, the current context, the usual socket.
fn dockers_own(env: Env<'_>) -> Result<Setting<Vec<String>>, ConfigError> {
    let chosen = |value, origin| Setting { key: "docker-host", value: vec![value], origin };
    if let Some(host) = text(env, "DOCKER_HOST")? {
        return Ok(chosen(host, Origin::Env("DOCKER_HOST".to_owned())));
    }
    Ok(match current_context(env) {
        Some(Current { name, file }) => {
            chosen(format!("context://{name}"), file.map_or_else(|| Origin::Env("DOCKER_CONTEXT".to_owned()), Origin::File))
        }
        None => chosen(DEFAULT_DOCKER_HOST.to_owned(), Origin::Default),
    })
}

fn variable(key: &str) -> String {
    format!("SHIPSLOG_{}", key.replace('-', "_").to_uppercase())
}

fn read_file(path: &Path) -> Result<Layer, ConfigError> {
    let text = file::read(path).and_then(file::text).map_err(|why| ConfigError::Unreadable { path: path.to_owned(), why })?;
    toml::from_str(&text).map_err(|why| ConfigError::BadFile { path: path.to_owned(), why: Box::new(why) })
}
