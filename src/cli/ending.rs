//! How a command ends: what is said on stderr, and the exit code.

use super::escape::escape;
use crate::config::ConfigError;
use crate::console::Stderr;
use std::process::ExitCode;

/// The command line asks for what cannot be done.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// Interrupted with the work half done.
#[derive(Debug, thiserror::Error)]
#[error("interrupted; nothing was kept")]
pub(super) struct Interrupted;

/// The answer is "no", and was already given on stdout.
#[derive(Debug, thiserror::Error)]
#[error("no")]
pub(super) struct AnsweredNo;

/// There is what `--fail-on` asks about, and it was already told on stdout.
#[derive(Debug, thiserror::Error)]
#[error("there is such an incident")]
pub(super) struct Found;

/// Says what went wrong, in one line where possible, and gives the exit code: 0 also for a reader that went
/// away (`| head`), 2 for wrong usage, 3 for an incident that was asked about, 130 for an
/// interrupted export, 1 for the rest.
pub fn conclude(result: anyhow::Result<()>, stderr: &Stderr) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let (code, quiet) = judge(&error);
    if !quiet {
        for (n, line) in told(&error).lines().enumerate() {
            stderr.say(&format!("{}{line}", if n == 0 { "shipslog: " } else { "" }));
        }
    }
    ExitCode::from(code)
}

/// Nothing of it reaches the terminal raw. A TOML error points at its place in the user's own file with
/// several lines; in any other, a line's end comes from a server or a file, and could feign another message.
fn told(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    if error.is::<ConfigError>() {
        return text.trim_end().lines().map(escape).collect::<Vec<_>>().join("\n");
    }
    escape(text.trim_end()).into_owned()
}

fn judge(error: &anyhow::Error) -> (u8, bool) {
    let broken_pipe = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
    if error.chain().any(|e| e.downcast_ref::<std::io::Error>().is_some_and(broken_pipe)) {
        (0, true)
    } else if error.is::<Usage>() || error.is::<ConfigError>() {
        (2, false)
    } else if error.is::<Found>() {
        (3, true)
    } else if error.is::<Interrupted>() {
        (130, false)
    } else {
        (1, error.is::<AnsweredNo>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context as _, anyhow};

    #[test]
    fn what_others_wrote_is_told_in_one_line_that_a_terminal_does_not_obey() {
        let refused =
            crate::client::ClientError::Refused { status: 400, detail: "no\nshipslog: all is well\u{1b}[2J\u{202e}\r".to_owned() };
        assert_eq!(told(&refused.into()), r"the server refused: no\nshipslog: all is well\u{1b}[2J\u{202e}\r (HTTP 400)");
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let pipe = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert_eq!(judge(&anyhow!("any")), (1, false));
        assert_eq!(judge(&Usage("x".into()).into()), (2, false));
        let unreadable = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert_eq!(judge(&ConfigError::Unreadable { path: "x".into(), why: unreadable }.into()), (2, false));
        assert_eq!(judge(&anyhow!(pipe())), (0, true));
        assert_eq!(judge(&Err::<(), _>(pipe()).context("writing").unwrap_err()), (0, true));
        assert_eq!(judge(&AnsweredNo.into()), (1, true));
        assert_eq!(judge(&Found.into()), (3, true));
        assert_eq!(judge(&Interrupted.into()), (130, false));
    }
}
