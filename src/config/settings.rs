//! Merging the layers, and checking what comes out. A value that cannot be used is refused with the place
//! that it came from, and never replaced by another.

use super::setting::{Origin, Setting, given};
use super::table::{FOREVER, Layer, Settings, UNLIMITED};
use super::value::text;
use super::{Address, ConfigError, Env, ServeArgs, ServeConfig, forward, hooks, links, redaction};
use crate::file;
use crate::ingest::endpoint::{Current, current_context};
use crate::retention::Retention;
use crate::server::{TrustedProxies, TrustedProxy, host_name};
use std::path::{Path, PathBuf};
use std::time::Duration;

const DEFAULT_DOCKER_HOST: &str = "unix:///var/run/docker.sock";
/// A smaller log would hold little more than its newest tip.
const MIN_RETAIN_BYTES: u64 = 64 * 1024 * 1024;
/// Lines of a container's output that may be asked for; of so many, few would fit in a record.
const MAX_LAST_WORDS: u32 = 1000;

impl Settings {
    /// Merges flags, environment, file and defaults.
    ///
    /// # Errors
    /// [`ConfigError`] for a file or a variable that cannot be read as settings.
    pub fn resolve(args: &ServeArgs, env: Env<'_>) -> Result<Self, ConfigError> {
        let mut settings = Self::merged(args, env)?;
        if settings.docker_host.origin == Origin::Default {
            settings.docker_host = dockers_own(env)?;
        }
        Ok(settings)
    }

    /// The same, without the choice of a Docker host where none is named.
    pub(super) fn merged(args: &ServeArgs, env: Env<'_>) -> Result<Self, ConfigError> {
        let path = args.config.clone().or_else(|| env("SHIPSLOG_CONFIG").filter(|v| !v.is_empty()).map(PathBuf::from));
        let file = path.as_deref().map(read_file).transpose()?.unwrap_or_default();
        Self::merge(args.flags.clone(), env, file, path.as_deref())
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
            redaction: redaction::check(&self.redact, &self.redact_attribute, &self.redact_except)?,
            drop_noise: self.drop_noise.value,
            last_words: self.last_words()?,
            hooks: hooks::check(&self.hook)?,
            mutes: hooks::check_mutes(&self.mute)?,
            links: links::check(&self.link)?,
            forwarding: forward::check(self)?,
        })
    }

    fn last_words(&self) -> Result<u32, ConfigError> {
        let lines = self.last_words.value;
        let accepted = || self.last_words.refuse(lines.to_string(), "a number of lines up to 1000, or 0 for none");
        if lines > MAX_LAST_WORDS { Err(accepted()) } else { Ok(lines) }
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

/// The hooks of a file, and when they are told nothing.
///
/// # Errors
/// [`ConfigError`] for what cannot be used.
pub fn hooks_of(path: &Path) -> Result<(Vec<crate::hooks::Hook>, Vec<crate::hooks::Mute>), ConfigError> {
    let layer = read_file(path)?;
    Ok((hooks::check(&layer.hook)?, hooks::check_mutes(&layer.mute)?))
}

fn read_file(path: &Path) -> Result<Layer, ConfigError> {
    let text = file::read(path).and_then(file::text).map_err(|why| ConfigError::Unreadable { path: path.to_owned(), why })?;
    toml::from_str(&text).map_err(|why| ConfigError::BadFile { path: path.to_owned(), why: Box::new(why) })
}
