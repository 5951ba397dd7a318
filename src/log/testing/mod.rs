//! Tests of the log as a whole, and the suite that every backend must pass.
//!
//! What one file does is tested in that file.

pub(super) mod contract;
pub(super) mod damage_tests;
pub(super) mod directory_tests;
pub(super) mod embedded_tests;
pub(super) mod import_tests;
pub(super) mod model_tests;
pub(super) mod repack_tests;
pub(super) mod story_tests;
pub(super) mod verify_tests;
