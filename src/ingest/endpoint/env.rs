//! What the environment says of Docker hosts.

use std::ffi::OsString;
use std::path::PathBuf;

/// Looks up an environment variable; a parameter, so that tests need not touch the process's own.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// A variable that is set; an empty one counts as none, as in Docker.
pub(super) fn variable(env: Env<'_>, name: &str) -> Option<OsString> {
    env(name).filter(|value| !value.is_empty())
}

/// Where the docker CLI keeps its configuration.
pub(super) fn config_dir(env: Env<'_>) -> Option<PathBuf> {
    let home = || variable(env, "HOME").map(|home| PathBuf::from(home).join(".docker"));
    variable(env, "DOCKER_CONFIG").map(PathBuf::from).or_else(home)
}
