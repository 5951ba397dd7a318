//! The hash chain, by the name under which the log knows it.

pub(in crate::log) use crate::chain::{CHAIN_START, ChainValue, next};
