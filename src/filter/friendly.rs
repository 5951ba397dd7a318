//! Keys that Docker does not have: exit codes, projects and services of Compose, and free text.

use super::Subject;

/// The label that tells a container's project.
pub(super) const COMPOSE_PROJECT: &str = "com.docker.compose.project";
/// The label that tells a container's service.
pub(super) const COMPOSE_SERVICE: &str = "com.docker.compose.service";

/// Actions that tell an exit code: of a container, of a command in it, of what was seen by inspection.
const ENDS: [&str; 4] = ["die", "died", "exec_die", "observed"];
/// Attributes that hold it. The second one is Podman's.
const EXIT_CODES: [&str; 2] = ["exitCode", "containerExitCode"];
/// What the names of these attributes end with, and the quote after them.
pub(super) const EXIT_CODE_LITERAL: &str = "xitCode\"";
/// What a value of `exit` begins with that stands for every other code.
pub(super) const OTHER_THAN: &str = "!=";
/// The value of `exit` that stands for every code.
pub(super) const ANY_CODE: &str = "*";

/// Whether a record with this action may tell an exit code.
pub(super) fn tells_exit_code(may_equal: impl Fn(&str) -> bool) -> bool {
    ENDS.into_iter().any(may_equal)
}

/// The exit code that a record tells.
pub(super) fn exit_code<'a>(subject: &'a Subject<'_>) -> Option<&'a str> {
    let action = subject.action();
    tells_exit_code(|end| end == action).then(|| EXIT_CODES.into_iter().find_map(|name| subject.event.attribute(name)))?
}

/// Whether the value of `exit` means this code.
pub(super) fn is_exit_code(value: &str, code: &str) -> bool {
    match value.strip_prefix(OTHER_THAN) {
        Some(other) => code != other,
        None => value == ANY_CODE || value == code,
    }
}

/// The one spelling of a value of `exit`; `None` for what is none.
pub(super) fn exit_value(value: &str) -> Option<String> {
    let value = value.trim();
    if value == ANY_CODE {
        return Some(value.to_owned());
    }
    let (mark, number) = value.strip_prefix(OTHER_THAN).or_else(|| value.strip_prefix('!')).map_or(("", value), |rest| (OTHER_THAN, rest));
    let code: i64 = number.trim().parse().ok()?;
    Some(format!("{mark}{code}"))
}

/// Whether `text` is in what is shown of a record: action, name, image, id, values of attributes.
pub(super) fn shows(text: &str, subject: &Subject<'_>) -> bool {
    let values = subject.event.attributes.iter().map(|(_, value)| value.as_ref());
    [subject.action(), subject.actor_id()].into_iter().chain(values).any(|shown| contains_caseless(shown, text))
}

/// Whether `text` holds `part`, whatever the case of either.
pub fn contains_caseless(text: &str, part: &str) -> bool {
    if part.is_ascii() {
        // Letters of ASCII stand for each other only, so that a search in bytes finds the same.
        let (text, part) = (text.as_bytes(), part.as_bytes());
        return part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    }
    lower(text).contains(&lower(part))
}

/// Letter by letter, so that no letter depends on those around it.
fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}
