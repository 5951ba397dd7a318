//! The hub of a fleet: one ordered, replicated stream of messages, to which hosts publish and which servers
//! follow. This part moves messages and knows where they stand. It never looks at what is in them.
//!
//! `forward` and `follow` know the trait [`FleetStream`] only; `app` and `cli/fleet` choose the engine behind
//! it and set it up.

mod api;
pub mod memory;
pub mod nats;
mod subject;

pub use api::{Delivery, Ends, FleetStream, Message, Outgoing, StreamError};
pub use subject::{Subject, SubjectError};
