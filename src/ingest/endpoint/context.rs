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
mod tests;
