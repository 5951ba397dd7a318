//! The log as a whole. What one file does is tested beside it.

mod clone;
mod damage;
mod directory;
mod embedded;
mod follower;
mod fork;
mod import;
mod model;
mod repack;
mod story;
mod verify;
