//! Live delivery as a whole. What one file does is tested beside it.

mod fanout;
mod paced;
