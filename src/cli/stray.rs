//! An argument where a command takes none: what was meant by it.

use super::ending::Usage;
use crate::time::{TimeParser, Timestamp};
use std::path::Path;

/// What a user wrote who did not know the option.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Stray {
    #[arg(value_name = "ARGUMENT", hide = true, allow_hyphen_values = false)]
    stray: Option<String>,
}

impl Stray {
    /// Refuses it, with the option that is meant.
    pub(super) fn refuse(&self, command: &str) -> Result<(), Usage> {
        let Some(text) = &self.stray else { return Ok(()) };
        Err(Usage(format!("unexpected argument {text:?}; {}", hint(command, text))))
    }
}

/// The command that was probably meant by `text`.
pub(super) fn hint(command: &str, text: &str) -> String {
    if let Some(option) = place(text) {
        return format!("to read it: shipslog {command} {option} {text}");
    }
    if TimeParser::utc(Timestamp::now()).parse(text).is_ok() {
        return format!("for that time: shipslog {command} --at {}", quoted(text));
    }
    match command {
        "state" => "a time follows --at, a recording --file".to_owned(),
        _ => "a recording follows --file, a time --at, a subject --subject; `shipslog report` takes an ID".to_owned(),
    }
}

/// The option that reads the directory or file of this name.
pub(super) fn place(text: &str) -> Option<&'static str> {
    let path = Path::new(text);
    if path.is_dir() { Some("--data-dir") } else { path.is_file().then_some("--file") }
}

fn quoted(text: &str) -> String {
    if text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_that_is_meant_is_said() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let dir = tempfile::TempDir::new().unwrap();
        let path = |path: &Path| path.display().to_string();
        for (text, says) in [
            (path(file.path()), format!("shipslog incidents --file {}", file.path().display())),
            (path(dir.path()), format!("shipslog incidents --data-dir {}", dir.path().display())),
            ("18:30".to_owned(), "shipslog incidents --at 18:30".to_owned()),
            ("yesterday 18:30".to_owned(), "shipslog incidents --at \"yesterday 18:30\"".to_owned()),
            ("shop/api".to_owned(), "a subject --subject".to_owned()),
        ] {
            let said = hint("incidents", &text);
            assert!(said.contains(&says), "{text}: {said}");
        }
    }
}
