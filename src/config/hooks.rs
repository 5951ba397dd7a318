//! `[[hook]]` and `[[mute]]`: whom to tell of incidents, and when not to. Only the configuration file may
//! hold them: whoever can set a flag or a variable must not be able to have the log's contents sent
//! elsewhere.

use super::ConfigError;
use crate::hooks::{Daily, Form, Hook, Mute, is_safe};
use crate::projection::incidents::Severity;
use crate::time::{TimeParser, Timestamp, Tz, zone};
use std::path::PathBuf;

/// So many may be told.
const MAX_HOOKS: usize = 16;
/// So many times may be named.
const MAX_MUTES: usize = 256;
/// Bytes of a name.
const MAX_NAME_BYTES: usize = 64;

/// One `[[hook]]`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HookTable {
    name: String,
    url: String,
    #[serde(default = "json")]
    format: Form,
    #[serde(default = "minor")]
    severity: Severity,
    #[serde(default)]
    subjects: Vec<String>,
    header_file: Option<PathBuf>,
    /// Plain HTTP to another machine is allowed.
    #[serde(default)]
    insecure: bool,
}

/// One `[[mute]]`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MuteTable {
    #[serde(default)]
    subjects: Vec<String>,
    from: Option<String>,
    until: Option<String>,
    daily: Option<String>,
    tz: Option<String>,
}

fn json() -> Form {
    Form::Json
}

fn minor() -> Severity {
    Severity::Minor
}

fn refuse(place: String, value: &str, accepted: &'static str) -> ConfigError {
    ConfigError::BadValue { place, value: value.to_owned(), accepted }
}

/// The hooks, checked.
pub(super) fn check(tables: &[HookTable]) -> Result<Vec<Hook>, ConfigError> {
    if tables.len() > MAX_HOOKS {
        return Err(refuse("[[hook]]".to_owned(), &tables.len().to_string(), "16 of them or fewer"));
    }
    let mut hooks: Vec<Hook> = Vec::new();
    for table in tables {
        let place = |key: &str| format!("[[hook]] {:?}, {key}", table.name);
        if table.name.is_empty() || table.name.len() > MAX_NAME_BYTES || hooks.iter().any(|hook| hook.name == table.name) {
            return Err(refuse(place("name"), &table.name, "a name of up to 64 bytes that no other hook has"));
        }
        let is_safe = is_safe(&table.url).ok_or_else(|| refuse(place("url"), &table.url, "a URL such as https://hooks.example/x"))?;
        if !is_safe && !table.insecure {
            return Err(refuse(place("url"), &table.url, "https://, or insecure = true for plain HTTP to another machine"));
        }
        if table.severity == Severity::Notice {
            return Err(refuse(place("severity"), "notice", "minor, major or critical; notices are never sent"));
        }
        hooks.push(Hook {
            name: table.name.clone(),
            url: table.url.clone(),
            form: table.format,
            severity: table.severity,
            subjects: table.subjects.clone(),
            header_file: table.header_file.clone(),
        });
    }
    Ok(hooks)
}

/// The times, checked.
pub(super) fn check_mutes(tables: &[MuteTable]) -> Result<Vec<Mute>, ConfigError> {
    if tables.len() > MAX_MUTES {
        return Err(refuse("[[mute]]".to_owned(), &tables.len().to_string(), "256 of them or fewer"));
    }
    tables.iter().enumerate().map(|(number, table)| mute(table, number + 1)).collect()
}

fn mute(table: &MuteTable, number: usize) -> Result<Mute, ConfigError> {
    let place = |key: &str| format!("[[mute]] number {number}, {key}");
    let zone = table
        .tz
        .as_deref()
        .map_or(Ok(Tz::UTC), zone)
        .map_err(|_| refuse(place("tz"), table.tz.as_deref().unwrap_or_default(), "a zone such as Europe/Berlin or UTC"))?;
    let time = |key: &str, text: &Option<String>| {
        let parse = |text: &String| {
            let read = TimeParser { now: Timestamp::now(), zone }.parse(text);
            read.map(|read| read.time).map_err(|_| refuse(place(key), text, "a time such as 2026-12-24 18:00"))
        };
        text.as_ref().map(parse).transpose()
    };
    let daily = |text: &String| {
        let parts = text.split_once('-').and_then(|(from, until)| Some((second(from)?, second(until)?)));
        let (from, until) = parts.ok_or_else(|| refuse(place("daily"), text, "hours and minutes such as 02:00-04:30"))?;
        Ok(Daily { from, until, zone })
    };
    Ok(Mute {
        subjects: table.subjects.clone(),
        from: time("from", &table.from)?,
        until: time("until", &table.until)?,
        daily: table.daily.as_ref().map(daily).transpose()?,
    })
}

/// Of `02:30`, after midnight.
fn second(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 3600 + minute * 60)
}

#[cfg(test)]
mod tests;
