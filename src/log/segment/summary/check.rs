//! Whether summaries tell of everything that is there: what they leave out, filtered reads would miss in
//! silence.

use super::positions;
use super::{MAX_ACTIONS, OTHER_ACTIONS, Row, Summaries, SummaryBuilder};
use crate::log::Block;
use crate::log::record::line::Line;
use std::collections::HashMap;

/// Texts of a subject.
type Named<'a> = (&'a str, &'a str, &'a str, &'a str);

/// What a frame's summary tells of a subject.
struct Told<'a> {
    actions: Vec<&'a str>,
    /// There may be any other action as well.
    any: bool,
    positions: &'a [u8],
}

impl Told<'_> {
    fn covers(&self, found: &Told<'_>) -> bool {
        let actions = self.any || found.actions.iter().all(|action| self.actions.contains(action));
        actions && (found.positions.is_empty() || positions::cover(self.positions, found.positions))
    }
}

impl<'a> Summaries<'a> {
    /// Whether what it tells of a frame covers everything in `block`, which is what the frame holds.
    pub(in crate::log) fn covers(&self, frame: usize, block: &Block) -> bool {
        let mut builder = SummaryBuilder::default();
        for seq in block.sequences() {
            let line = block.line(seq, false);
            builder.add_line(&line, Line::of(&line, seq));
        }
        builder.end_frame();
        let told: HashMap<_, _> = self.told(frame).collect();
        builder.summaries().told(0).all(|(subject, found)| told.get(&subject).is_some_and(|told| told.covers(&found)))
    }

    fn told(&self, frame: usize) -> impl Iterator<Item = (Named<'a>, Told<'a>)> {
        let word = |table: &[&'a str], at: u32| table.get(at as usize).copied().unwrap_or_default();
        self.frame(frame).map(move |(Row { source, kind, id, name }, bits, positions)| {
            let actions = self.actions.iter().enumerate().take(MAX_ACTIONS).filter(|(at, _)| bits & (1 << at) != 0);
            let told = Told { actions: actions.map(|(_, action)| *action).collect(), any: bits & OTHER_ACTIONS != 0, positions };
            ((word(&self.sources, *source), word(&self.kinds, *kind), *id, *name), told)
        })
    }
}
