//! Contexts of the docker CLI, as it stores them: `contexts/meta/<SHA-256 of the name>/meta.json` beside its
//! `config.json`, and certificates in `contexts/tls/<the same>/docker`. Only read.

use super::env::{Env, config_dir, variable};
use super::parse::{self, TcpMeans, TlsDefaults};
use super::{Endpoint, EndpointError, TlsFiles};
use crate::file;
use crate::text::printable;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::{Path, PathBuf};

/// The context that is stored nowhere.
pub(super) const DEFAULT: &str = "default";
/// The endpoint that is Docker's, and the directory of its certificates.
const DOCKER: &str = "docker";
/// More contexts are not listed.
const MAX_LISTED: usize = 50;
/// Characters of a name in a list.
const MAX_NAME_CHARS: usize = 80;

/// The context that the docker CLI would use, where it is not the default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// Its name.
    pub name: String,
    /// The configuration that says so; `None` for `DOCKER_CONTEXT`.
    pub file: Option<PathBuf>,
}

/// What the docker CLI takes when neither `--host` nor `DOCKER_HOST` says otherwise: `DOCKER_CONTEXT`, then
/// `currentContext` of its `config.json`. A configuration that cannot be read is told and passed over, as by
/// the CLI.
pub fn current_context(env: Env<'_>) -> Option<Current> {
    let current = match variable(env, "DOCKER_CONTEXT") {
        Some(name) => Current { name: name.to_string_lossy().trim().to_owned(), file: None },
        None => {
            let path = config_dir(env)?.join("config.json");
            match read(&path) {
                Ok(config) => Current { name: text(config.get("currentContext")).to_owned(), file: Some(path) },
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
    let meta = match read(&path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(EndpointError::UnknownContext { name: name.to_owned(), known: known(&metas), dir });
        }
        Err(error) => return Err(bad(format!("cannot read {}: {error}", path.display()))),
    };
    let Some(docker) = meta.get("Endpoints").and_then(|endpoints| endpoints.get(DOCKER)).filter(|docker| docker.is_object()) else {
        return Err(bad("it has no Docker endpoint; choose another one".to_owned()));
    };
    let host = match docker.get("Host") {
        None | Some(Value::Null) => "",
        Some(Value::String(host)) => host.as_str(),
        Some(_) => return Err(bad(format!("{} has a Host that is no text", path.display()))),
    };
    if host.is_empty() {
        return Ok(Endpoint::default_socket());
    }
    let skip_tls_verify = docker.get("SkipTLSVerify") == Some(&Value::Bool(true));
    let certificates = dir.join("contexts/tls").join(id).join(DOCKER);
    let stored = std::fs::read_dir(&certificates).is_ok_and(|mut files| files.next().is_some());
    let tcp = match (skip_tls_verify, stored) {
        (true, _) => TcpMeans::Unchecked,
        (false, true) => TcpMeans::Tls,
        (false, false) => TcpMeans::Plain,
    };
    if skip_tls_verify && host.starts_with("https://") {
        return Err(bad("it skips the check of the server's certificate (SkipTLSVerify), which shipslog does not".to_owned()));
    }
    let files = TlsFiles { dir: Some(certificates), named: stored };
    parse::endpoint(host, &TlsDefaults { tcp, files }).map_err(|error| bad(error.to_string()))
}

/// Names of the contexts there are, for people.
fn known(metas: &Path) -> String {
    let directories = std::fs::read_dir(metas).into_iter().flatten().flatten().take(MAX_LISTED);
    let mut names: Vec<String> = directories
        .filter_map(|entry| read(&entry.path().join("meta.json")).ok())
        .map(|meta| printable(text(meta.get("Name")), MAX_NAME_CHARS))
        .collect();
    names.retain(|name| !name.is_empty());
    names.push(DEFAULT.to_owned());
    names.sort();
    names.join(", ")
}

/// A member that is a text; anything else counts as an empty one, as `null` does for Docker.
fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

/// An object in a file. Editors on Windows put a byte order mark in front.
fn read(path: &Path) -> io::Result<Value> {
    let bytes = file::read(path)?;
    let json = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let value: Value = serde_json::from_slice(json)?;
    if value.is_object() { Ok(value) } else { Err(io::Error::new(io::ErrorKind::InvalidData, "it is no JSON object")) }
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

    /// The docker CLI has more characters in its names than sources have.
    #[test]
    fn a_name_that_no_source_may_have_becomes_one() {
        let dir = store(&meta("tcp://h", false), false);
        let meta = std::fs::read(dir.path().join("contexts/meta").join(hex::encode(Sha256::digest("prod"))).join("meta.json")).unwrap();
        let long = "x".repeat(100);
        for (name, source) in [("colima+x86", "colima_x86"), ("a.b_c-d+e+", "a.b_c-d_e_"), ("käse", "k_se"), (&*long, &long[..64])] {
            let stored = dir.path().join("contexts/meta").join(hex::encode(Sha256::digest(name)));
            std::fs::create_dir_all(&stored).unwrap();
            std::fs::write(stored.join("meta.json"), &meta).unwrap();
            assert_eq!(resolve(&format!("context://{name}"), dir.path()).unwrap(), format!("{source}=tcp://h:2375"));
            assert_eq!(resolve(&format!("mine=context://{name}"), dir.path()).unwrap(), "mine=tcp://h:2375");
        }
        assert!(resolve("a+b=tcp://h", dir.path()).unwrap_err().contains("letters"), "a name that somebody gives is taken or refused");
    }

    #[test]
    fn members_may_be_null_or_unknown_and_a_mark_stand_in_front() {
        let resolved = |meta: &str| resolve("context://prod", store(meta, false).path()).unwrap();
        for meta in [
            r#"{"Name":null,"Metadata":null,"Endpoints":{"docker":{"Host":"tcp://h","SkipTLSVerify":null,"X":[]},"kubernetes":7}}"#,
            "\u{feff}{\"Endpoints\":{\"docker\":{\"Host\":\"tcp://h\"}}}",
            r#"{"Name":7,"Endpoints":{"docker":{"Host":"tcp://h","SkipTLSVerify":"no"}}}"#,
        ] {
            assert_eq!(resolved(meta), "prod=tcp://h:2375", "{meta}");
        }
        assert_eq!(resolved(r#"{"Endpoints":{"docker":{"Host":null}}}"#), "prod=unix:///var/run/docker.sock");
        assert_eq!(resolved(r#"{"Endpoints":{"docker":{}}}"#), "prod=unix:///var/run/docker.sock");
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
        assert!(refused("context://prod", r#"{"Endpoints":null}"#).contains("no Docker endpoint"));
        assert!(refused("context://prod", r#"{"Endpoints":{"docker":null}}"#).contains("no Docker endpoint"));
        assert!(refused("context://prod", "{}").contains("no Docker endpoint"));
        assert!(refused("context://prod", "[]").contains("no JSON object"));
        assert!(refused("context://prod", r#"{"Endpoints":{"docker":{"Host":7}}}"#).contains("no text"));
        assert!(refused("context://prod", &format!("{{}}{}", " ".repeat(1 << 20))).contains("longer than"));
        assert!(refused("context://", "{}").contains("letters"));
        assert!(refused("context://a/../b", "{}").contains("context"));
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
        std::fs::write(&config, "\u{feff}{\"currentContext\":\"colima+x86\",\"auths\":null,\"new\":[1]}").unwrap();
        assert_eq!(current(None), Some(("colima+x86".to_owned(), true)));
        for other in
            [r#"{"currentContext":null}"#, r#"{"currentContext":7}"#, "[]", r#"{"currentContext":"default"}"#, r#"{"auths":{}}"#, "{"]
        {
            std::fs::write(&config, other).unwrap();
            assert_eq!(current(None), None, "{other}");
        }
    }
}
