//! How a stream must be set up.

use crate::stream::api::StreamError;
use crate::stream::subject::Subject;
use async_nats::jetstream::stream::{Compression, Config, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType};
use std::time::Duration;

/// Nodes that must hold every message, so that one may fail.
pub(super) const FEWEST_REPLICAS: usize = 3;

/// What the operator decides of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Whose fleet it holds.
    pub tenant: String,
    /// Nodes that hold every message.
    pub replicas: usize,
    /// For how long messages are kept.
    pub max_age: Duration,
    /// Bytes that are kept on each node; the oldest messages go first.
    pub max_bytes: Option<u64>,
}

/// Whether the stream had to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It was not there.
    New,
    /// It was there, and is as it was.
    WasThere,
}

impl Shape {
    pub(super) fn config(&self, name: &str) -> Result<Config, StreamError> {
        Ok(Config {
            name: name.to_owned(),
            subjects: vec![self.subjects()?],
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::Old,
            num_replicas: self.replicas,
            max_age: self.max_age,
            max_bytes: self.max_bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
            max_messages: -1,
            max_messages_per_subject: -1,
            allow_direct: true,
            deny_delete: true,
            deny_purge: true,
            compression: Some(Compression::None),
            ..Config::default()
        })
    }

    fn subjects(&self) -> Result<String, StreamError> {
        Subject::all_of(&self.tenant).map_err(|error| StreamError::Unfit(error.to_string()))
    }

    /// What a stream lacks, one text each.
    pub(super) fn faults(&self, config: &Config) -> Result<Vec<String>, StreamError> {
        let subjects = self.subjects()?;
        let compressed = !matches!(config.compression, None | Some(Compression::None));
        let checks = [
            (config.num_replicas < FEWEST_REPLICAS, "fewer than three nodes hold each message"),
            (compressed, "it is compressed, and a node may not be able to read a message after a power cut"),
            (config.storage != StorageType::File, "it is in memory, not in files"),
            (config.persist_mode == Some(PersistenceMode::Async), "a message is acknowledged before it is on disk"),
            (!config.deny_delete, "single messages may be deleted (deny_delete is not set)"),
            (!config.deny_purge, "it may be purged (deny_purge is not set)"),
            (config.allow_rollup, "a message may delete others (allow_rollup_hdrs is set)"),
            (!config.allow_direct, "hosts cannot read their own newest message (allow_direct is not set)"),
            (config.retention != RetentionPolicy::Limits, "messages go once they have been read (retention is not limits)"),
            (config.discard != DiscardPolicy::Old, "it takes nothing more when it is full (discard is not old)"),
            (config.max_messages_per_subject > 0, "the messages of a host are limited in number (max_msgs_per_subject)"),
            (config.no_ack, "messages are not acknowledged (no_ack is set)"),
            (config.sealed, "it is sealed"),
            (config.mirror.is_some() || config.sources.is_some(), "its messages come from other streams"),
            (config.subject_transform.is_some(), "it changes subjects"),
        ];
        let mut faults: Vec<String> = checks.iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, text)| (*text).to_owned()).collect();
        if config.subjects != [subjects.as_str()] {
            faults.push(format!("it holds the subjects {:?}, not {subjects} alone", config.subjects));
        }
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Config);

    #[test]
    fn what_a_stream_lacks_is_named_and_what_is_made_lacks_nothing() {
        let shape = Shape { tenant: "acme".to_owned(), replicas: 3, max_age: Duration::from_secs(14 * 86_400), max_bytes: None };
        let fit = shape.config("SHIPSLOG").unwrap();
        assert_eq!(shape.faults(&fit).unwrap(), [""; 0]);
        let changes: [(&str, Change); 8] = [
            ("three nodes", |config| config.num_replicas = 1),
            ("compressed", |config| config.compression = Some(Compression::S2)),
            ("in memory", |config| config.storage = StorageType::Memory),
            ("before it is on disk", |config| config.persist_mode = Some(PersistenceMode::Async)),
            ("deny_delete", |config| config.deny_delete = false),
            ("deny_purge", |config| config.deny_purge = false),
            ("discard", |config| config.discard = DiscardPolicy::New),
            ("subjects", |config| config.subjects = vec!["other.>".to_owned()]),
        ];
        for (word, change) in changes {
            let mut config = fit.clone();
            change(&mut config);
            let faults = shape.faults(&config).unwrap();
            assert!(faults.len() == 1 && faults[0].contains(word), "{word}: {faults:?}");
        }
    }
}
