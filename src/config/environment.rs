//! The layer of settings that is the environment.

use super::{ConfigError, Layer};
use crate::ingest::endpoint::Env;
use std::path::PathBuf;

/// What the environment says.
pub(super) fn layer(env: Env<'_>) -> Result<Layer, ConfigError> {
    Ok(Layer {
        data_dir: env("SHIPSLOG_DATA_DIR").filter(|v| !v.is_empty()).map(PathBuf::from),
        listen: text(env, "SHIPSLOG_LISTEN")?,
        docker_host: list(env, "SHIPSLOG_DOCKER_HOST")?,
        demo: switch(env, "SHIPSLOG_DEMO")?,
        allow_host: list(env, "SHIPSLOG_ALLOW_HOST")?,
        insecure: switch(env, "SHIPSLOG_INSECURE")?,
        read_only: env("SHIPSLOG_READ_ONLY").filter(|v| !v.is_empty()).map(PathBuf::from),
        retain_age: text(env, "SHIPSLOG_RETAIN_AGE")?,
        retain_bytes: text(env, "SHIPSLOG_RETAIN_BYTES")?,
        max_connections: text(env, "SHIPSLOG_MAX_CONNECTIONS")?
            .map(|value| value.parse().map_err(|_| refuse("SHIPSLOG_MAX_CONNECTIONS", value, "a number from 1 up")))
            .transpose()?,
        max_connections_per_address: text(env, "SHIPSLOG_MAX_CONNECTIONS_PER_ADDRESS")?
            .map(|value| value.parse().map_err(|_| refuse("SHIPSLOG_MAX_CONNECTIONS_PER_ADDRESS", value, "a number from 1 up")))
            .transpose()?,
        tls_cert: env("SHIPSLOG_TLS_CERT").filter(|v| !v.is_empty()).map(PathBuf::from),
        tls_key: env("SHIPSLOG_TLS_KEY").filter(|v| !v.is_empty()).map(PathBuf::from),
        token_file: env("SHIPSLOG_TOKEN_FILE").filter(|v| !v.is_empty()).map(PathBuf::from),
        cors_origin: list(env, "SHIPSLOG_CORS_ORIGIN")?,
        trusted_proxy: list(env, "SHIPSLOG_TRUSTED_PROXY")?,
        direct_writes: switch(env, "SHIPSLOG_DIRECT_WRITES")?,
        redact: list(env, "SHIPSLOG_REDACT")?,
        redact_attribute: list(env, "SHIPSLOG_REDACT_ATTRIBUTE")?,
        redact_except: list(env, "SHIPSLOG_REDACT_EXCEPT")?,
        drop_noise: switch(env, "SHIPSLOG_DROP_NOISE")?,
    })
}

fn refuse(place: &str, value: String, accepted: &'static str) -> ConfigError {
    ConfigError::BadValue { place: place.to_owned(), value, accepted }
}

/// A variable's text. An empty one counts as absent, since compose files and units cannot unset.
pub(super) fn text(env: Env<'_>, name: &str) -> Result<Option<String>, ConfigError> {
    let Some(value) = env(name) else { return Ok(None) };
    let value = value.into_string().map_err(|odd| refuse(name, odd.to_string_lossy().into_owned(), "text in UTF-8"))?;
    Ok(Some(value.trim().to_owned()).filter(|v| !v.is_empty()))
}

fn list(env: Env<'_>, name: &str) -> Result<Option<Vec<String>>, ConfigError> {
    Ok(text(env, name)?.map(|value| value.split(',').map(|part| part.trim().to_owned()).filter(|p| !p.is_empty()).collect()))
}

fn switch(env: Env<'_>, name: &str) -> Result<Option<bool>, ConfigError> {
    let Some(value) = text(env, name)? else { return Ok(None) };
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(Some(true)),
        "false" | "0" | "no" | "off" => Ok(Some(false)),
        _ => Err(refuse(name, value, "true or false")),
    }
}
