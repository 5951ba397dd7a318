//! From what the user wrote, and the environment, to hosts.

use super::env::{Env, config_dir, variable};
use super::parse::{self, TcpMeans, TlsDefaults};
use super::{DEFAULT_NAME, DockerHost, Endpoint, EndpointError, TlsFiles, context};
use std::path::PathBuf;

const MAX_NAME_CHARS: usize = 64;
/// In front of the name of a docker context.
const CONTEXT: &str = "context://";

/// As the docker CLI has it for hosts that are no contexts.
fn tls_defaults(env: Env<'_>) -> TlsDefaults {
    let named = variable(env, "DOCKER_CERT_PATH").map(PathBuf::from);
    let tcp = if variable(env, "DOCKER_TLS_VERIFY").is_some() {
        TcpMeans::Tls
    } else if variable(env, "DOCKER_TLS").is_some() {
        TcpMeans::Unchecked
    } else {
        TcpMeans::Plain
    };
    TlsDefaults { tcp, files: TlsFiles { named: named.is_some(), dir: named.or_else(|| config_dir(env)) } }
}

/// Reads a URL that may name a docker context.
fn endpoint(url: &str, env: Env<'_>) -> Result<Endpoint, EndpointError> {
    match url.strip_prefix(CONTEXT) {
        // Not stored anywhere: what the environment says.
        Some(context::DEFAULT) => match variable(env, "DOCKER_HOST") {
            Some(host) => parse::endpoint(host.to_string_lossy().trim(), &tls_defaults(env)),
            None => Ok(Endpoint::default_socket()),
        },
        Some(name) => context::endpoint(name, env),
        None => parse::endpoint(url, &tls_defaults(env)),
    }
}

impl DockerHost {
    /// Reads `URL` or `NAME=URL`, in an empty environment.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        Self::read(text, &|_| None)
    }

    /// Reads `URL` or `NAME=URL`. A context without a name is named as the context is; what the docker CLI
    /// takes in such a name and a source does not (`+`) becomes `_`, and no more than 64 characters are kept.
    ///
    /// # Errors
    /// [`EndpointError`], for what is no URL of a Docker host, a context that cannot be used, or a name that
    /// is not 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub fn read(text: &str, env: Env<'_>) -> Result<Self, EndpointError> {
        let text = text.trim();
        // A `=` after the scheme belongs to the URL.
        let (name, url) = match text.split_once('=') {
            Some((name, url)) if !name.contains("://") => (name, url),
            _ => (DEFAULT_NAME, text),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let of_context: Option<String> = text.strip_prefix(CONTEXT).map(|context| {
            let fits = context.chars().map(|c| if plain(c) { c } else { '_' });
            fits.take(MAX_NAME_CHARS).collect()
        });
        let name = of_context.as_deref().unwrap_or(name);
        if name.is_empty() || name.len() > MAX_NAME_CHARS || !name.chars().all(plain) {
            let why = "a name has 1 to 64 letters, digits, dots, dashes and underscores";
            return Err(EndpointError::Invalid { url: text.to_owned(), why });
        }
        let endpoint = endpoint(url, env)?;
        if let Some(context) = text.strip_prefix(CONTEXT).filter(|context| *context != name) {
            tracing::info!(
                docker.context = context,
                docker.host = name,
                "the context is recorded under another name, with _ for what no source's name has"
            );
        }
        Ok(Self { name: name.into(), endpoint })
    }

    /// The hosts to follow.
    ///
    /// # Errors
    /// [`EndpointError`]: as [`read`](Self::read), or a name used twice.
    pub fn resolve(texts: &[String], env: Env<'_>) -> Result<Vec<Self>, EndpointError> {
        let hosts: Vec<Self> = texts.iter().map(|text| Self::read(text, env)).collect::<Result<_, _>>()?;
        for (i, host) in hosts.iter().enumerate() {
            if hosts.iter().take(i).any(|other| other.name == host.name) {
                return Err(EndpointError::SameName(host.name.to_string()));
            }
        }
        Ok(hosts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn resolve(texts: &[&str], env: &[(&str, &str)]) -> Result<Vec<String>, EndpointError> {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        let env = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        let hosts = DockerHost::resolve(&texts, &env)?;
        Ok(hosts.into_iter().map(|host| format!("{}={}", host.name, host.endpoint)).collect())
    }

    #[test]
    fn names_are_given_or_local_and_never_twice() {
        assert_eq!(resolve(&["web-1=tcp://a:1", "unix:///a=b"], &[]).unwrap(), ["web-1=tcp://a:1", "local=unix:///a=b"]);
        assert_eq!(resolve(&["a=tcp://h:1?cert-path=/x=y"], &[]).unwrap(), ["a=https://h:1"]);
        assert_eq!(resolve(&["tcp://a", "tcp://b"], &[]), Err(EndpointError::SameName("local".to_owned())));
        let error = DockerHost::parse("a b=unix:///x").unwrap_err().to_string();
        assert!(error.contains("letters"), "{error}");
    }

    #[test]
    fn tls_is_what_docker_makes_of_the_environment() {
        let files = |env: &[(&str, &str)]| {
            let env = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
            match DockerHost::read("tcp://a", &env).unwrap().endpoint {
                Endpoint::Tls { files: TlsFiles { dir, named }, port: 2376, .. } => Some((dir.unwrap().display().to_string(), named)),
                _ => None,
            }
        };
        let (home, verify) = (("HOME", "/home/me"), ("DOCKER_TLS_VERIFY", "1"));
        assert_eq!(files(&[home, ("DOCKER_TLS_VERIFY", ""), ("DOCKER_TLS", "")]), None);
        assert_eq!(files(&[home, verify]), Some(("/home/me/.docker".to_owned(), false)));
        assert_eq!(files(&[home, verify, ("DOCKER_CONFIG", "/d")]), Some(("/d".to_owned(), false)));
        assert_eq!(files(&[home, verify, ("DOCKER_CONFIG", "/d"), ("DOCKER_CERT_PATH", "/c")]), Some(("/c".to_owned(), true)));
        assert!(resolve(&["tcp://a"], &[("DOCKER_TLS", "1")]).unwrap_err().to_string().contains("DOCKER_TLS_VERIFY=1"));
    }

    #[test]
    fn the_default_context_is_the_environment() {
        assert_eq!(resolve(&["context://default"], &[]).unwrap(), ["default=unix:///var/run/docker.sock"]);
        let env = [("DOCKER_HOST", "tcp://h"), ("DOCKER_TLS_VERIFY", "1"), ("HOME", "/h")];
        assert_eq!(resolve(&["x=context://default"], &env).unwrap(), ["x=https://h:2376"]);
    }
}
