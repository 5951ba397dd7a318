//! The archive over a store in memory.
