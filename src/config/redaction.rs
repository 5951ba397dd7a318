//! The settings of redaction.

use super::ConfigError;
use super::setting::Setting;
use crate::redact::{MAX_GLOBS, Rule, Rules};

/// `--redact` that redacts nothing.
const NONE: &str = "none";
const ACCEPTED: &str = "exec-command, secret-name, url-password, private-key, secret-value, or none alone";
const ACCEPTED_GLOBS: &str = "names of attributes, at most 100, in which * stands for anything";

/// The default of `--redact`.
pub(super) fn all_rules() -> Vec<String> {
    Rule::ALL.iter().map(|rule| rule.name().to_owned()).collect()
}

/// `--redact`, `--redact-attribute` and `--redact-except`.
pub(super) fn check(
    redact: &Setting<Vec<String>>,
    attributes: &Setting<Vec<String>>,
    except: &Setting<Vec<String>>,
) -> Result<Rules, ConfigError> {
    let names: Vec<&str> = redact.value.iter().map(|name| name.trim()).collect();
    let rule = |name: &&str| name.parse::<Rule>().map_err(|_| redact.refuse(*name, ACCEPTED));
    let rules = match names.as_slice() {
        // Nothing is redacted only where that is said in words.
        [] => return Err(redact.refuse("", ACCEPTED)),
        [NONE] => Vec::new(),
        names => names.iter().map(rule).collect::<Result<_, _>>()?,
    };
    Ok(Rules { rules: rules.into_iter().collect(), attributes: globs(attributes)?, except: globs(except)? })
}

fn globs(setting: &Setting<Vec<String>>) -> Result<Vec<String>, ConfigError> {
    let globs: Vec<String> = setting.value.iter().map(|glob| glob.trim().to_owned()).collect();
    if globs.len() > MAX_GLOBS || globs.iter().any(String::is_empty) {
        return Err(setting.refuse(globs.join(","), ACCEPTED_GLOBS));
    }
    Ok(globs)
}
