//! The hub of a fleet: one ordered, replicated stream of messages, to which hosts publish and which servers
//! follow. This part moves messages and knows where they stand. It never looks at what is in them.
//!
//! The rest of the program knows the trait [`FleetStream`] only.

mod api;
pub mod memory;
pub mod nats;
mod subject;

pub use api::{Delivery, Ends, FleetStream, Message, Outgoing, StreamError};
pub use subject::{Subject, SubjectError};
