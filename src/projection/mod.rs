//! Views of the log that are derived from its records: functions of what is recorded, bounded in memory. They
//! write no record and ask no Docker host, and whatever is stored of them (`derived/`) can be made again from
//! the log.

mod by_source;
mod derived;
pub mod incidents;
mod losses;

pub use by_source::BySource;
pub use derived::{
    Asked as AskedIncidents, CLASSES, Change, Facet, Facets, Follower, Histogram, KEYS, Known, Lane, Lifelines, Listed, MAX_BINS, Place,
    Portion, Progress, STRETCH, Span, Told, VERSION as DERIVED_VERSION,
};
pub use losses::{Asked, FIRST_CONTACT, Loss, Losses, MAX_KNOWN, MAX_MET, Met};
