//! Which events of a host were heard lately, and with that, which events of a replay are new. Their times
//! cannot tell, since the daemon's clock may have been set back meanwhile. What is stored is not decided here
//! (`recorder/continuity.rs`).

use crate::event::Event;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

/// Events that are kept in mind: a ring four times over, since some may come in an old stream beside it.
const MAX_HEARD: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Heard {
    hasher: RandomState,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Heard {
    /// Whether an event was not heard lately; from now on it was.
    pub(super) fn is_new(&mut self, event: &Event) -> bool {
        let fields = event.fields();
        let key = self.hasher.hash_one((fields.time, fields.kind.as_ref(), fields.action.as_ref(), fields.actor_id.as_ref()));
        if !self.known.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > MAX_HEARD
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_kept_in_mind_and_no_more() {
        let mut heard = Heard::default();
        let event = |n: usize| Event::from_line(format!(r#"{{"Type":"container","Action":"die","timeNano":{n}}}"#).as_bytes()).unwrap();
        for n in 0..3 * MAX_HEARD {
            assert!(heard.is_new(&event(n)) && !heard.is_new(&event(n.saturating_sub(256))));
            assert!(heard.known.len() <= MAX_HEARD && heard.order.len() == heard.known.len());
        }
        assert!(heard.is_new(&event(1)));
    }
}
