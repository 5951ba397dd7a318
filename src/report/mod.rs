//! Reports: what a person reads, prints or sends of one incident or of a range. A report is a function of
//! incidents, of the records around them and of what the log tells of itself. No clock goes in, and only
//! [`gather()`] does I/O: it reads the log. [`Report::render`] makes the bytes.
//!
//! | file | what |
//! |---|---|
//! | `selection` | which incidents are wanted |
//! | `gather` | what a report needs, from a log |
//! | `acts` | one record in words |
//! | `draft`, `melt` | timelines, and loops in them as one row |
//! | `ends` | what became of a container that ended and was no failure |
//! | `beside` | last words, and who was told |
//! | `neighbours` | deploys of others at the same time |
//! | `lanes` | the states of containers over time |
//! | `model`, `words`, `people` | what a report holds, in sentences, and in the words and marks of the page |
//! | `markdown`, `html`, `picture`, `marks`, `scale`, `style`, `perfetto`, `sheet` | its forms |

mod acts;
mod beside;
mod draft;
mod ends;
mod format;
mod gather;
mod html;
mod item;
mod lanes;
mod markdown;
mod marks;
mod melt;
mod model;
mod neighbours;
mod people;
mod perfetto;
mod picture;
mod safe;
mod scale;
mod selection;
mod sheet;
mod style;
mod words;

pub use format::Format;
pub use gather::{Found, Of, gather};
pub use model::{
    Deploy, FEWEST_ROWS, FIRST_ITEMS, LAST_ITEMS, Lane, LastWords, MAX_ALL_ROWS, MAX_DEPLOYS, MAX_INCIDENTS, MAX_LANES, MAX_LAST_WORDS,
    MAX_LAST_WORDS_BYTES, MAX_MARKS, MAX_NOTIFIED, MAX_PRINTED_CHARS, MAX_RELATED, MAX_ROWS, MAX_SPANS, MAX_WORDS, Manifest, Mark, Missing,
    Notified, Related, Report, Row, Run, Span, Told,
};
pub use selection::Selection;
pub use words::{duration, how_it_ended, unsaid};
