//! One record of an incident, on its way to a row.

use super::acts::Act;
use super::model::Row;
use crate::time::Timestamp;

/// One record of an incident.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) time: Timestamp,
    pub(super) seq: u64,
    pub(super) id: String,
    pub(super) act: Act,
    pub(super) what: &'static str,
    /// Empty where it is about no container.
    pub(super) container: String,
    pub(super) subject: String,
    /// What happened, by which one turn of a loop is like another.
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) failure: bool,
    /// Nothing but the event is told.
    pub(super) plain: bool,
    pub(super) folded: u64,
}

impl From<Item> for Row {
    fn from(item: Item) -> Self {
        Self { time: item.time, record: Some(item.id), what: item.what, subject: item.subject, text: item.text, folded: item.folded }
    }
}
