//! The archive over a store in memory, which fails as it is told to.

mod address;
mod bounds;
mod fetching;
mod sending;
mod shop;
