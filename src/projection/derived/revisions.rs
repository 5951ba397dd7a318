//! Revisions of incidents in order, from any place on: those of the newest records from memory, earlier ones
//! by folding again the stretch that they lie in.
//!
//! Records alone make revisions, also those that time makes: where an incident changes since nothing came,
//! the recorder appends a `tick`. So a revision's place is the record that it came with and its number among
//! those that came with that one, the same whenever it is asked for.

use super::folded::Folded;
use super::known::{Known, Lost};
use super::list::is_of;
use super::recent::{Change, PORTION_BYTES, Place, Replay, numbered};
use super::{STRETCH, stretch_of};
use crate::cursor::Sequence;
use crate::event::RecordView;
use crate::log::{EventLog, GapReason, LogError};
use crate::projection::incidents::{self, Ids, State};
use crate::reader::{Reader, Selection, Step, Want};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes after which it ends in the middle of those of one record.
const MAX_PORTION_BYTES: usize = 1024 * 1024;
/// Folds of earlier records that are kept for whoever goes on from there.
pub(super) const MAX_REPLAYS: usize = 4;

/// Some revisions that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// What is told, each with its place.
    pub changes: Vec<(Place, Change)>,
    /// Nothing else lies up to here.
    pub reached: Place,
    /// How often what goes on was found to be otherwise than it had been told, since records are gone.
    pub retold: u64,
}

/// Somebody who follows revisions, until it is dropped.
#[derive(Debug)]
pub struct Follower(Arc<AtomicUsize>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Known {
    /// Has the newest revisions kept.
    pub fn followed(&self) -> Follower {
        self.followers.fetch_add(1, Relaxed);
        self.waiting.wake();
        Follower(Arc::clone(&self.followers))
    }

    /// Whether somebody follows.
    pub(super) fn is_followed(&self) -> bool {
        self.followers.load(Relaxed) > 0
    }

    /// Waits until records up to this one are read, as a question does.
    pub async fn read_up_to(&self, head: Sequence) {
        let _ = self.ready(head).await;
    }

    /// Where the newest record that was read ends.
    pub fn newest(&self) -> Place {
        Place::after(self.through())
    }

    /// Waits until something may follow a place, or until what is told has been made anew since.
    pub async fn more_than(&self, place: Place, retold: Option<u64>) {
        let mut standing = self.standing.subscribe();
        let more = standing
            .wait_for(|now| now.ready && (now.through >= place.next() || retold.is_some_and(|retold| now.retold != retold)))
            .await
            .is_ok();
        if !more {
            std::future::pending::<()>().await;
        }
    }

    /// What follows a place, of the [Docker hosts](EventLog::hosts) that the log is read for. Places stay the
    /// same, whatever is left out.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn revisions(self: &Arc<Self>, log: &Arc<dyn EventLog>, after: Place) -> Result<Portion, LogError> {
        let mut portion = self.all_revisions(log, after).await?;
        portion.changes.retain(|(_, change)| match change {
            Change::Revision(json, _) => is_of(json, log.hosts()),
            Change::Gap(..) => true,
        });
        Ok(portion)
    }

    async fn all_revisions(self: &Arc<Self>, log: &Arc<dyn EventLog>, after: Place) -> Result<Portion, LogError> {
        loop {
            let generation = self.ready(0).await?;
            let bounds = log.bounds();
            let recent = self.folded.read().as_ref().and_then(|folded| folded.recent.after(after, folded.through));
            let retold = self.standing.borrow().retold;
            if let Some((changes, reached)) = recent {
                return Ok(Portion { changes, reached, retold });
            }
            if after.next() < bounds.oldest {
                let gap = after.next()..=bounds.oldest - 1;
                let reached = Place::after(*gap.end());
                return Ok(Portion { changes: vec![(reached, Change::Gap(gap, GapReason::Retention))], reached, retold });
            }
            if after >= self.newest() {
                return Ok(Portion { changes: Vec::new(), reached: after, retold });
            }
            if self.is_of(bounds.oldest)
                && let Some((changes, reached)) = self.replayed(log, after, generation).await?
            {
                return Ok(Portion { changes, reached, retold });
            }
            // Records have gone since; what is told is being made anew.
            let mut standing = self.standing.subscribe();
            standing.wait_for(|now| now.generation != generation || now.error.is_some()).await.map_err(|_| LogError::Closed)?;
        }
    }

    /// Whether what is known begins with this record.
    fn is_of(&self, oldest: Sequence) -> bool {
        self.folded.read().as_ref().is_some_and(|folded| folded.oldest == oldest)
    }

    /// Folds again the stretch in which a place lies, from it on. `None`: records went meanwhile.
    async fn replayed(
        self: &Arc<Self>,
        log: &Arc<dyn EventLog>,
        after: Place,
        generation: u64,
    ) -> Result<Option<(Vec<(Place, Change)>, Place)>, LogError> {
        let _turn = self.replaying.acquire().await;
        let kept = {
            let mut replays = self.replays.lock();
            replays.retain(|replay| replay.generation == generation);
            let goes_on = |replay: &Replay| Place::after(replay.through) == after && stretch_of(after.next()) == stretch_of(after.seq);
            let place = replays.iter().position(goes_on);
            place.and_then(|place| replays.remove(place))
        };
        let (mut replay, end) = match kept {
            Some(replay) => {
                let end = ((stretch_of(after.next()) + 1) * STRETCH).min(self.through());
                (replay, end)
            }
            None => {
                let (state, ids, through, end) = self.answer(0, move |known| known.before_stretch(after.next())).await?;
                (Replay { generation, state, ids, through }, end)
            }
        };
        let mut telling = Telling { after, changes: Vec::new(), bytes: 0 };
        // What is kept for whoever goes on is of all hosts.
        let mut reader = Reader::whole(Arc::clone(log), replay.through, Want { until: end, ..Want::default() });
        while let Some(step) = reader.next().await? {
            let reached = match step {
                Step::Records(selection) => telling.read(&mut replay, &selection),
                Step::Gap(_, GapReason::Retention) if !self.is_of(log.bounds().oldest) => return Ok(None),
                Step::Gap(range, why) => telling.miss(&mut replay, &range, why),
                Step::Nothing => None,
            };
            if let Some(reached) = reached {
                if reached == Place::after(replay.through) {
                    let mut replays = self.replays.lock();
                    replays.push_back(replay);
                    if replays.len() > MAX_REPLAYS {
                        replays.pop_front();
                    }
                }
                return Ok(Some((telling.changes, reached)));
            }
        }
        Ok(Some((telling.changes, Place::after(end).max(after))))
    }

    /// The state before the stretch in which a record lies, the record that it ends with, and the last one of
    /// the stretch.
    fn before_stretch(&self, seq: Sequence) -> Result<(State, Ids, Sequence, Sequence), Lost> {
        let (over, oldest, end) = {
            let folded = self.folded.read();
            let folded = folded.as_ref().ok_or(Lost)?;
            let over = folded.stretches.partition_point(|stretch| stretch.head.last < seq);
            let end = folded.stretches.get(over).map_or(folded.through, |stretch| stretch.head.last);
            (over.checked_sub(1).and_then(|over| folded.stretches.get(over)).cloned(), folded.oldest, end)
        };
        Ok(match over {
            Some(last) => {
                let (state, ids) = self.stored(&last)?.state().ok_or(Lost)?;
                (state, ids, last.head.last, end)
            }
            None => (State::before(oldest), Ids::default(), oldest.saturating_sub(1), end),
        })
    }

    /// Sees to it that what follows is kept for those who follow.
    pub(super) fn follow_revisions(&self, folded: &mut Folded) {
        folded.follow(self.is_followed());
    }
}

/// What is found of revisions after a place.
struct Telling {
    after: Place,
    changes: Vec<(Place, Change)>,
    bytes: usize,
}

impl Telling {
    /// Where it ends, if it does.
    fn read(&mut self, replay: &mut Replay, selection: &Selection) -> Option<Place> {
        if let Some(first) = selection.first().and_then(|seq| selection.block.cursor(seq).parse().ok()) {
            replay.ids.note(first);
        }
        let mut telling = false;
        for record in selection.sequences().filter_map(|seq| selection.block.view(seq)) {
            if record.seq >= self.after.next() && !telling {
                replay.state.tell(Some(&replay.ids));
                telling = true;
            }
            let ended = self.read_one(replay, &record);
            if ended.is_some() {
                return ended;
            }
        }
        None
    }

    fn read_one(&mut self, replay: &mut Replay, record: &RecordView<'_>) -> Option<Place> {
        incidents::step_view(&mut replay.state, record);
        replay.through = record.seq;
        self.take(replay)
    }

    fn miss(&mut self, replay: &mut Replay, range: &RangeInclusive<Sequence>, why: GapReason) -> Option<Place> {
        if *range.end() >= self.after.next() {
            replay.state.tell(Some(&replay.ids));
        }
        incidents::miss(&mut replay.state, range, why);
        replay.through = *range.end();
        let ended = self.take(replay);
        let place = Place::after(*range.end());
        if ended.is_none_or(|ended| ended == place) && place > self.after {
            self.changes.push((place, Change::Gap(range.clone(), why)));
        }
        ended
    }

    fn take(&mut self, replay: &mut Replay) -> Option<Place> {
        let told = replay.state.take_told();
        self.add(replay.through, numbered(replay.through, &told))
    }

    /// Adds what came with a record; where it ends, if it does.
    fn add(&mut self, seq: Sequence, told: impl Iterator<Item = (Place, Change)>) -> Option<Place> {
        for (place, change) in told {
            if place <= self.after {
                continue;
            }
            self.bytes += change.bytes();
            self.changes.push((place, change));
            if self.bytes > MAX_PORTION_BYTES {
                return Some(place);
            }
        }
        (self.bytes > PORTION_BYTES).then_some(Place::after(seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::incidents::Severity;

    #[test]
    fn a_portion_ends_within_a_record_that_tells_too_much() {
        let all: Vec<(Place, Change)> = (1..=10)
            .map(|nth| (Place::within(7, nth), Change::Revision("x".repeat(MAX_PORTION_BYTES / 4).into(), Severity::Minor)))
            .collect();
        let (mut told, mut at) = (Vec::new(), Place::after(6));
        for ends_after in [Some(5), Some(10), None] {
            let mut telling = Telling { after: at, changes: Vec::new(), bytes: 0 };
            let ended = telling.add(7, all.clone().into_iter());
            assert_eq!(ended, ends_after.map(|nth| Place::within(7, nth)));
            assert!(telling.bytes <= MAX_PORTION_BYTES / 4 * 5);
            told.extend(telling.changes);
            at = ended.unwrap_or(at);
        }
        assert!(told == all, "each is told once: {}", told.len());
    }
}
