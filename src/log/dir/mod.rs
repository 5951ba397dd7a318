//! The directory of a log as files: which log it is, what lies in it, and how each file is opened, replaced
//! and set aside. Nothing here reads or writes a record.

pub(super) mod derived;
pub(super) mod durable;
pub(super) mod files;
pub(super) mod forking;
pub(super) mod free_space;
pub(super) mod lineage;
pub(super) mod listing;
pub(super) mod lock;
pub(super) mod manifest;
pub(super) mod names;
pub(super) mod quarantine;
pub(super) mod scratch;
pub(super) mod watermark;
