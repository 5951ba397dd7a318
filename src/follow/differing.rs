//! Another server's base that is not the same as one's own: which of the two is wrong.

use super::agreed::{Own, agrees};
use super::base::{Base, BaseError, text_of};
use super::find::{Broken, Start, is_whole_behind};
use super::fold::step;
use super::settings::ANSWER_WITHIN;
use crate::chain;
use crate::cursor::LogId;
use crate::log::Ids;
use crate::stream::{FleetStream, StreamError};
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::timeout;
use tokio_stream::StreamExt as _;

/// Bases that are looked at.
const MAX_BASES: usize = 1 << 20;

/// What a server knows of the bases up to one that differs.
pub(super) struct Known<'a> {
    pub(super) log: Own<'a>,
    /// Texts of its own ones by place; `None` of the differing one where none was due.
    pub(super) texts: &'a BTreeMap<u64, String>,
    /// Messages of those that it published itself.
    pub(super) published: &'a BTreeSet<u64>,
    /// Place of the one with which its fold began.
    pub(super) began: u64,
    /// Where the fleet began, if the stream still has all since then.
    pub(super) root: Option<Start>,
}

impl Known<'_> {
    /// Folds the stream again up to the place of a base that differs, from an earlier one that both may have
    /// made, and says that the other server is wrong if that gives what this one has.
    ///
    /// One that this server published, or began with, only proves it consistent with itself: the newest other
    /// one that fits its log is taken, or else the oldest that does.
    ///
    /// # Errors
    /// With `differs` where this server is wrong, or nobody can say which is.
    pub(super) async fn judge(&self, hub: &dyn FleetStream, theirs: &Base, differs: BaseError) -> Result<(), Broken> {
        let place = theirs.state.place;
        let own = self.texts.get(&place);
        let Some(start) = self.start(hub, theirs).await?.filter(|start| start.state.place < place) else { return Err(differs.into()) };
        let given = refold(hub, self.log.ids, start, place, theirs.fleet).await?;
        if given.as_ref() == own { Ok(()) } else { Err(differs.into()) }
    }

    async fn start(&self, hub: &dyn FleetStream, theirs: &Base) -> Result<Option<Start>, Broken> {
        let ends = hub.ends().await?;
        let (mut at, mut oldest) = (theirs.previous, None);
        for _ in 0..MAX_BASES {
            let Some(message) = (if at > 0 { hub.at(at).await? } else { None }) else { break };
            let base = Base::of_message(&message)?;
            if !is_whole_behind(&base, &ends) {
                break;
            }
            let (published, previous, from) = (self.published.contains(&at), base.previous, base.state.place);
            let fits = match self.texts.get(&from) {
                Some(text) => *text == base.to_text(),
                None => agrees(self.log, &base).await?,
            };
            if fits && from < theirs.state.place {
                if !published && from != self.began {
                    return Ok(Some(Start::of(base)));
                }
                oldest = Some(Start::of(base));
            }
            at = previous;
        }
        Ok(self.root.clone().or(oldest))
    }
}

/// The text of the base at a place, as the stream gives it; `None` where none is due there.
async fn refold(hub: &dyn FleetStream, ids: &Ids, start: Start, place: u64, fleet: LogId) -> Result<Option<String>, Broken> {
    let (mut state, mut chain, mut is_due) = (start.state, start.chain, false);
    let mut delivery = hub.read_from(state.place + 1).await?;
    while state.place < place {
        let message = timeout(ANSWER_WITHIN, delivery.next()).await.ok().flatten();
        let message = message.ok_or_else(|| StreamError::Unavailable("a message did not come".to_owned()))??;
        let first = state.next;
        let folded = step(&mut state, &message).map_err(|e| StreamError::Unavailable(e.to_string()))?;
        for (seq, record) in (first..).zip(&folded.records) {
            chain = chain::next(&chain, record.to_line(ids.at(seq), seq).as_bytes());
        }
        is_due = folded.base_due;
    }
    Ok((is_due && state.place == place).then(|| text_of(&state.to_text(), fleet, &chain)))
}
