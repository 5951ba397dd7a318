//! From tips to segments, and from small segments to larger ones: a thread that works while records come. It
//! never decides what is durable or visible, and changes no record.

pub(super) mod compactor;
pub(super) mod pace;
pub(super) mod sealer;
