//! The archive over a store in memory, which fails as it is told to.

mod address;
mod bounds;
mod fetching;
mod forked;
mod sending;
mod shop;
