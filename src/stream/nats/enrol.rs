//! A key for one who takes part, and the least rights with which it can.
//!
//! The rights were found by trying: in `tests/fleet/rights.rs` a real node gives these and no others, and all
//! that there is to do is done with them.

use crate::stream::api::StreamError;
use crate::stream::subject::{Subject, SubjectError, host_subjects};
use nkeys::KeyPair;
use std::fmt::Write as _;

/// Who takes part in a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A host, which forwards its log.
    Host,
    /// A server, which reads all and tells the others what it found.
    Server,
}

/// A new key with its rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The secret half, for the file that `--nkey` or `--forward-nkey` names.
    pub seed: String,
    /// The public half, which servers of NATS know.
    pub public: String,
    /// An entry of `users` in the configuration of each node.
    pub user: String,
}

impl Enrolment {
    /// Makes a key for `name`, and the rights that it needs at `stream`.
    ///
    /// # Errors
    /// [`StreamError::Unfit`] for a name that cannot stand in a subject.
    pub fn new(part: Part, tenant: &str, name: &str, stream: &str) -> Result<Self, StreamError> {
        let rights = Rights::of(part, tenant, name, stream).map_err(|error| StreamError::Unfit(error.to_string()))?;
        let key = KeyPair::new_user();
        let seed = key.seed().map_err(|error| StreamError::Unfit(format!("no key can be made: {error}")))?;
        let public = key.public_key();
        let user = rights.user(&public);
        Ok(Self { seed, public, user })
    }
}

struct Rights {
    publish: Vec<String>,
    subscribe: Vec<String>,
}

impl Rights {
    fn of(part: Part, tenant: &str, name: &str, stream: &str) -> Result<Self, SubjectError> {
        let own = host_subjects(tenant, name)?;
        let (base, epoch) = (Subject::base(tenant)?, Subject::epoch(tenant)?);
        let publish = match part {
            // Its newest message says where to go on; where that is gone, the newest base does.
            Part::Host => {
                vec![own.clone(), format!("$JS.API.DIRECT.GET.{stream}.{own}"), format!("$JS.API.DIRECT.GET.{stream}.{base}")]
            }
            Part::Server => vec![
                base.to_string(),
                epoch.to_string(),
                format!("$JS.API.STREAM.INFO.{stream}"),
                format!("$JS.API.STREAM.MSG.GET.{stream}"),
                format!("$JS.API.DIRECT.GET.{stream}.>"),
                format!("$JS.API.CONSUMER.CREATE.{stream}.*"),
                format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.*"),
                format!("$JS.API.CONSUMER.DELETE.{stream}.*"),
            ],
        };
        // Whoever may hear `_INBOX.>` hears what others are answered.
        Ok(Self { publish, subscribe: vec![format!("_INBOX_{name}.>")] })
    }

    fn user(&self, public: &str) -> String {
        let mut user = format!("{{\n  nkey: {public}\n  permissions: {{\n");
        for (what, subjects) in [("publish", &self.publish), ("subscribe", &self.subscribe)] {
            let quoted: Vec<String> = subjects.iter().map(|subject| format!("\"{subject}\"")).collect();
            let _ = writeln!(user, "    {what}: [\n      {}\n    ]", quoted.join("\n      "));
        }
        user.push_str("  }\n}");
        user
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_may_do_what_it_does_and_no_more() {
        let host = Enrolment::new(Part::Host, "acme", "web-17", "SHIPSLOG").unwrap();
        assert!(host.seed.starts_with("SU") && host.public.starts_with('U') && !host.user.contains(&host.seed));
        assert!(host.user.contains("\"slog.v1.acme.web-17.*\"") && host.user.contains("\"_INBOX_web-17.>\""), "{}", host.user);
        for not in ["STREAM", "CONSUMER", "_epoch", "\"slog.v1.acme._base\"", "\"_INBOX.>\""] {
            assert!(!host.user.contains(not), "a host may {not}: {}", host.user);
        }
        let server = Enrolment::new(Part::Server, "acme", "fleet-1", "SHIPSLOG").unwrap();
        for not in ["slog.v1.acme.>", "DELETE.SHIPSLOG\"", "PURGE", "STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE"] {
            assert!(!server.user.contains(not), "a server may {not}: {}", server.user);
        }
        assert_ne!(host.seed, Enrolment::new(Part::Host, "acme", "web-17", "SHIPSLOG").unwrap().seed);
    }

    #[test]
    fn a_name_that_would_give_more_rights_is_refused() {
        for name in ["*", ">", "a.b", "", "Web", "a\"b", "-a"] {
            let error = Enrolment::new(Part::Host, "acme", name, "SHIPSLOG").unwrap_err();
            assert!(matches!(&error, StreamError::Unfit(why) if why.contains("cannot name a host")), "{name}: {error}");
            assert!(Enrolment::new(Part::Host, name, "web-17", "SHIPSLOG").is_err(), "{name}");
        }
    }
}
