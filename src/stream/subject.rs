//! Names under which messages are stored: `slog.v1.<tenant>.<host>.<log>` for what a host forwards, and
//! `slog.v1.<tenant>._base` and `._epoch` for what servers tell each other.

use std::fmt;

/// Characters that the name of a host or a tenant may have.
const MAX_NAME_CHARS: usize = 63;
/// Hex digits of a log's id in a subject.
const LOG_DIGITS: usize = 8;
const BEFORE: &str = "slog.v1.";

/// Under which a message is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// Lines of one host's log.
    Host {
        /// Whose fleet it is.
        tenant: String,
        /// The name with which the host was enrolled.
        host: String,
        /// The first eight hex digits of the log's id.
        log: String,
    },
    /// States of the fold, with which servers compare theirs.
    Base {
        /// Whose fleet it is.
        tenant: String,
    },
    /// Where a fleet goes on under a new id.
    Epoch {
        /// Whose fleet it is.
        tenant: String,
    },
}

/// Why a text is no subject, or a name cannot stand in one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// A name with other characters, or too long.
    #[error("'{0}' cannot name a host or a tenant: 1 to {MAX_NAME_CHARS} of a-z, 0-9 and -, not - at an end")]
    Name(String),
    /// A log's id that is none.
    #[error("'{0}' is not the beginning of a log's id: {LOG_DIGITS} hex digits")]
    Log(String),
    /// A subject of something else.
    #[error("'{0}' is not a subject of shipslog")]
    Foreign(String),
}

fn name(text: &str) -> Result<String, SubjectError> {
    let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let fits = (1..=MAX_NAME_CHARS).contains(&text.len()) && text.bytes().all(is_plain);
    if fits && !text.starts_with('-') && !text.ends_with('-') { Ok(text.to_owned()) } else { Err(SubjectError::Name(text.to_owned())) }
}

/// Every log of one host, as NATS matches subjects.
///
/// # Errors
/// When a name cannot stand in a subject.
pub(super) fn host_subjects(tenant: &str, host: &str) -> Result<String, SubjectError> {
    Ok(format!("{BEFORE}{}.{}.*", name(tenant)?, name(host)?))
}

impl Subject {
    /// Of a host's log.
    ///
    /// # Errors
    /// When a name cannot stand in a subject, or `log` is not eight hex digits.
    pub fn host(tenant: &str, host: &str, log: &str) -> Result<Self, SubjectError> {
        let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if log.len() != LOG_DIGITS || !log.bytes().all(is_digit) {
            return Err(SubjectError::Log(log.to_owned()));
        }
        Ok(Self::Host { tenant: name(tenant)?, host: name(host)?, log: log.to_owned() })
    }

    /// Of a fleet's bases.
    ///
    /// # Errors
    /// When the name cannot stand in a subject.
    pub fn base(tenant: &str) -> Result<Self, SubjectError> {
        Ok(Self::Base { tenant: name(tenant)? })
    }

    /// Of a fleet's epochs.
    ///
    /// # Errors
    /// When the name cannot stand in a subject.
    pub fn epoch(tenant: &str) -> Result<Self, SubjectError> {
        Ok(Self::Epoch { tenant: name(tenant)? })
    }

    /// Every subject of a tenant, as NATS matches them.
    ///
    /// # Errors
    /// When the name cannot stand in a subject.
    pub fn all_of(tenant: &str) -> Result<String, SubjectError> {
        Ok(format!("{BEFORE}{}.>", name(tenant)?))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { tenant, host, log } => write!(f, "{BEFORE}{tenant}.{host}.{log}"),
            Self::Base { tenant } => write!(f, "{BEFORE}{tenant}._base"),
            Self::Epoch { tenant } => write!(f, "{BEFORE}{tenant}._epoch"),
        }
    }
}

impl std::str::FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let foreign = || SubjectError::Foreign(text.to_owned());
        let parts: Vec<&str> = text.strip_prefix(BEFORE).ok_or_else(foreign)?.split('.').collect();
        match *parts.as_slice() {
            [tenant, "_base"] => Self::base(tenant),
            [tenant, "_epoch"] => Self::epoch(tenant),
            [tenant, host, log] => Self::host(tenant, host, log),
            _ => Err(foreign()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_read_as_it_is_written() {
        for subject in [Subject::host("acme", "web-17", "7f3c9a1e"), Subject::base("acme"), Subject::epoch("0")] {
            let subject = subject.unwrap();
            assert_eq!(subject.to_string().parse(), Ok(subject));
        }
        assert_eq!(Subject::host("acme", "web-17", "7f3c9a1e").unwrap().to_string(), "slog.v1.acme.web-17.7f3c9a1e");
    }

    #[test]
    fn names_that_would_mean_more_than_one_subject_are_refused() {
        for host in ["", "*", ">", "a.b", "Web", "_base", "-a", "a-", "a b", "é", &"a".repeat(64)] {
            assert!(matches!(Subject::host("acme", host, "7f3c9a1e"), Err(SubjectError::Name(_))), "{host}");
        }
        for log in ["", "7f3c9a1", "7F3C9A1E", "7f3c9a1g", "7f3c9a1e0"] {
            assert!(matches!(Subject::host("acme", "web", log), Err(SubjectError::Log(_))), "{log}");
        }
        for text in ["", "other.v1.a.b.7f3c9a1e", "slog.v1.a", "slog.v1.a.b.7f3c9a1e.more", "slog.v2.a._base"] {
            assert!(text.parse::<Subject>().is_err(), "{text}");
        }
    }
}
