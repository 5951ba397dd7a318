//! Contexts of the docker CLI, as it stores them: `contexts/meta/<SHA-256 of the name>/meta.json` beside its `config.json`, and
//! certificates in `contexts/tls/<the same>/docker`. Only read.

use super::parse::{self, TcpMeans, TlsDefaults};
use super::resolve::{Env, config_dir, variable};
use super::{Endpoint, EndpointError, TlsFiles};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The context that is stored nowhere.
pub(super) const DEFAULT: &str = "default";
/// The endpoint that is Docker's, and the directory of its certificates.
const DOCKER: &str = "docker";
/// More of a file is not read.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// More contexts are not listed.
const MAX_LISTED: usize = 50;

/// The context that the docker CLI would use, where it is not the default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// Its name.
    pub name: String,
    /// The configuration that says so; `None` for `DOCKER_CONTEXT`.
    pub file: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default, rename = "currentContext")]
    current_context: String,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default, rename = "Name")]
    name: String,
    #[serde(default, rename = "Endpoints")]
    endpoints: BTreeMap<String, MetaEndpoint>,
}

#[derive(Deserialize)]
struct MetaEndpoint {
    #[serde(default, rename = "Host")]
    host: String,
    #[serde(default, rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

/// What the docker CLI takes when neither `--host` nor `DOCKER_HOST` says otherwise: `DOCKER_CONTEXT`, then `currentContext` of its
/// `config.json`. A configuration that cannot be read is told and passed over, as by the CLI.
pub fn current_context(env: Env<'_>) -> Option<Current> {
    let current = match variable(env, "DOCKER_CONTEXT") {
        Some(name) => Current { name: name.to_string_lossy().trim().to_owned(), file: None },
        None => {
            let path = config_dir(env)?.join("config.json");
            match read::<Config>(&path) {
                Ok(config) => Current { name: config.current_context, file: Some(path) },
                Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
                Err(error) => {
                    tracing::warn!(file = %path.display(), %error, "the docker CLI's configuration cannot be read; its current context is not used");
                    return None;
                }
            }
        }
    };
    Some(current).filter(|current| !current.name.is_empty() && current.name != DEFAULT)
}

/// Where a stored context leads. Of the environment, only the place of the store counts, as for the CLI.
pub(super) fn endpoint(name: &str, env: Env<'_>) -> Result<Endpoint, EndpointError> {
    let bad = |why: String| EndpointError::BadContext { name: name.to_owned(), why };
    let dir = config_dir(env).ok_or_else(|| bad("neither DOCKER_CONFIG nor HOME is set, so contexts cannot be found".to_owned()))?;
    let (metas, id) = (dir.join("contexts/meta"), hex::encode(Sha256::digest(name)));
    let path = metas.join(&id).join("meta.json");
    let meta: Meta = match read(&path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(EndpointError::UnknownContext { name: name.to_owned(), known: known(&metas), dir });
        }
        Err(error) => return Err(bad(format!("cannot read {}: {error}", path.display()))),
    };
    let Some(MetaEndpoint { host, skip_tls_verify }) = meta.endpoints.get(DOCKER) else {
        return Err(bad("it has no Docker endpoint; choose another one".to_owned()));
    };
    if host.is_empty() {
        return Ok(Endpoint::default_socket());
    }
    let certificates = dir.join("contexts/tls").join(id).join(DOCKER);
    let stored = std::fs::read_dir(&certificates).is_ok_and(|mut files| files.next().is_some());
    let tcp = match (skip_tls_verify, stored) {
        (true, _) => TcpMeans::Unchecked,
        (false, true) => TcpMeans::Tls,
        (false, false) => TcpMeans::Plain,
    };
    if *skip_tls_verify && host.starts_with("https://") {
        return Err(bad("it skips the check of the server's certificate (SkipTLSVerify), which shipslog does not".to_owned()));
    }
    let files = TlsFiles { dir: Some(certificates), named: stored };
    parse::endpoint(host, &TlsDefaults { tcp, files }).map_err(|error| bad(error.to_string()))
}

/// Names of the contexts there are, for people.
fn known(metas: &Path) -> String {
    let directories = std::fs::read_dir(metas).into_iter().flatten().flatten().take(MAX_LISTED);
    let mut names: Vec<String> =
        directories.filter_map(|entry| read::<Meta>(&entry.path().join("meta.json")).ok()).map(|meta| meta.name).collect();
    names.push(DEFAULT.to_owned());
    names.sort();
    names.join(", ")
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    serde_json::from_str(&text).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::endpoint::DockerHost;
    use std::ffi::OsString;

    /// A store with one context, `prod`.
    fn store(meta: &str, certificate: bool) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let id = hex::encode(Sha256::digest("prod"));
        let metas = dir.path().join("contexts/meta").join(&id);
        std::fs::create_dir_all(&metas).unwrap();
        std::fs::write(metas.join("meta.json"), meta).unwrap();
        if certificate {
            let certificates = dir.path().join("contexts/tls").join(&id).join("docker");
            std::fs::create_dir_all(&certificates).unwrap();
            std::fs::write(certificates.join("ca.pem"), "").unwrap();
        }
        dir
    }

    fn resolve(text: &str, dir: &Path) -> Result<String, String> {
        let env = |name: &str| (name == "DOCKER_CONFIG").then(|| OsString::from(dir));
        let host = DockerHost::read(text, &env).map_err(|error| error.to_string())?;
        Ok(format!("{}={}", host.name, host.endpoint))
    }

    fn meta(host: &str, skip: bool) -> String {
        format!(r#"{{"Name":"prod","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":{skip}}}}}}}"#)
    }

    #[test]
    fn a_context_leads_where_it_says() {
        let resolved = |host: &str, certificate| resolve("context://prod", store(&meta(host, false), certificate).path()).unwrap();
        assert_eq!(resolved("unix:///run/d.sock", false), "prod=unix:///run/d.sock");
        assert_eq!(resolved("tcp://h:2376", false), "prod=tcp://h:2376");
        assert_eq!(resolved("tcp://h:2376", true), "prod=https://h:2376");
        assert_eq!(resolved("ssh://me@h", false), "prod=ssh://me@h");
        assert_eq!(resolved("", false), "prod=unix:///var/run/docker.sock");
        assert_eq!(resolve("p1=context://prod", store(&meta("tcp://h", false), false).path()).unwrap(), "p1=tcp://h:2375");
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let refused = |text: &str, meta: &str| resolve(text, store(meta, false).path()).unwrap_err();
        let unknown = refused("context://prd", &meta("tcp://h", false));
        assert!(unknown.contains("\"prd\"") && unknown.contains("known are: default, prod"), "{unknown}");
        assert!(refused("context://prod", &meta("tcp://h", true)).contains("DOCKER_TLS_VERIFY"));
        assert!(refused("context://prod", &meta("https://h", true)).contains("SkipTLSVerify"));
        assert!(refused("context://prod", &meta("npipe:////x", false)).contains("named pipe"));
        assert!(refused("context://prod", r#"{"Name":"prod","Endpoints":{}}"#).contains("no Docker endpoint"));
        assert!(refused("context://prod", "{").contains("meta.json"));
        assert!(refused("context://a+b", "{}").contains("letters"));
        assert!(refused("context://", "{}").contains("letters"));
        assert!(DockerHost::parse("context://prod").unwrap_err().to_string().contains("HOME"));
    }

    #[test]
    fn the_current_context_is_the_docker_clis() {
        let dir = tempfile::tempdir().unwrap();
        let current = |context: Option<&str>| {
            let env = |name: &str| match name {
                "DOCKER_CONFIG" => Some(OsString::from(dir.path())),
                "DOCKER_CONTEXT" => context.map(OsString::from),
                _ => None,
            };
            current_context(&env).map(|current| (current.name, current.file.is_some()))
        };
        assert_eq!(current(None), None);
        let config = dir.path().join("config.json");
        std::fs::write(&config, r#"{"auths":{},"currentContext":"prod"}"#).unwrap();
        assert_eq!(current(None), Some(("prod".to_owned(), true)));
        assert_eq!(current(Some("test")), Some(("test".to_owned(), false)));
        assert_eq!(current(Some("default")), None);
        for other in [r#"{"currentContext":"default"}"#, r#"{"auths":{}}"#, "{"] {
            std::fs::write(&config, other).unwrap();
            assert_eq!(current(None), None, "{other}");
        }
    }
}
