//! How a command ends: what is said on stderr, and the exit code.

use super::escape::escape;
use crate::config::ConfigError;
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

/// Says what went wrong, in one line where possible, and gives the exit code: 0 also for a reader that went away
/// (`| head`), 2 for wrong usage, 130 for an interrupted export, 1 for the rest.
pub fn report(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let (code, quiet) = judge(&error);
    if !quiet {
        // Each line by itself: a TOML error points at its place with several, and none may reach the terminal raw.
        let text = format!("{error:#}");
        let text: Vec<_> = text.trim_end().lines().map(escape).collect();
        eprintln!("shipslog: {}", text.join("\n"));
    }
    ExitCode::from(code)
}

fn judge(error: &anyhow::Error) -> (u8, bool) {
    let broken_pipe = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
    if error.chain().any(|e| e.downcast_ref::<std::io::Error>().is_some_and(broken_pipe)) {
        (0, true)
    } else if error.is::<Usage>() || error.is::<ConfigError>() {
        (2, false)
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
    fn exit_codes_are_the_documented_ones() {
        let pipe = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert_eq!(judge(&anyhow!("any")), (1, false));
        assert_eq!(judge(&Usage("x".into()).into()), (2, false));
        let unreadable = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert_eq!(judge(&ConfigError::Unreadable { path: "x".into(), why: unreadable }.into()), (2, false));
        assert_eq!(judge(&anyhow!(pipe())), (0, true));
        assert_eq!(judge(&Err::<(), _>(pipe()).context("writing").unwrap_err()), (0, true));
        assert_eq!(judge(&AnsweredNo.into()), (1, true));
        assert_eq!(judge(&Interrupted.into()), (130, false));
    }
}
