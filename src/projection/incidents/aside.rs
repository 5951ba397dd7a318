//! What a state does beside remembering: telling each revision as it comes. It is no part of the state: it is
//! not stored, and a copy begins without it.

use super::ids::Ids;
use super::shown::Shown;

/// Of one Docker host.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// Revisions are to be told, with ids of these.
    pub(super) telling: Option<Ids>,
    /// Those that were not taken yet.
    pub(super) told: Vec<Shown>,
    /// Revisions there were.
    pub(super) revisions: u64,
    /// Steps of work: timers that fired, and things that were looked through for one record or timer.
    pub(super) work: u64,
}

impl Clone for Aside {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Aside {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Aside {}
