//! One server's way through the stream: what is folded and not yet appended, and the bases that are compared.
//! Only this file appends to a follower's log.

mod bases;

use super::agreed::Own;
use super::base::{Base, text_of};
use super::epoch::{Epoch, Fate};
use super::error::FollowError;
use super::find::{Broken, Start, newest_epoch};
use super::fold::step;
use super::fork::{Had, Judgement, judge};
use super::settings::Settings;
use super::state::State;
use super::status::Status;
use super::tell::tell;
use crate::chain::{self, ChainValue};
use crate::cursor::{LogId, Sequence};
use crate::log::{FleetRecord, LogError, Resume};
use crate::stream::{Delivery, Ends, FleetStream, Message, StreamError, Subject};
use crate::time::Timestamp;
use parking_lot::RwLock;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt as _;

/// Bytes of messages that are appended together; what one message holds comes on top.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Silence of the hub after which it is asked whether it has anything.
const QUIET: Duration = Duration::from_secs(5);
/// Wait until a full disk is tried again.
const FULL_FOR: Duration = Duration::from_secs(1);

/// What the stream gives where the newest record is to come that a log held when it was opened.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refolded {
    /// A record of this message, which arrived then; received is what the record says.
    Newest { place: u64, arrived: Timestamp, received: Timestamp },
    /// Nothing yet: it ended with this message.
    Short { last: u64 },
}

pub(super) struct Reading<'a> {
    own_log: Own<'a>,
    settings: &'a Settings,
    /// The newest epoch in the stream and its message, as far as they are known.
    epoch: Option<(u64, Epoch)>,
    /// After this message, and this record, another id holds.
    until: Option<(u64, Sequence)>,
    state: Arc<RwLock<State>>,
    status: &'a watch::Sender<Status>,
    /// What the log holds already: the records before this one, and the chain's value there.
    stored: (Sequence, ChainValue),
    /// Of the record before `stored`, when it was folded again: its message, when that arrived, and when the
    /// record is said to have been received.
    refolded: Option<(u64, Timestamp, Timestamp)>,
    /// Folded and not appended: the first of them has the sequence `next`.
    pending: Vec<FleetRecord>,
    pending_bytes: usize,
    next: Sequence,
    /// The chain's value before `next`.
    chain: ChainValue,
    /// Texts of one's own bases by place.
    own: BTreeMap<u64, String>,
    /// The newest base in the stream: its message, and after which message it was.
    newest_base: (u64, u64),
    /// Messages of the bases that this server published.
    published: BTreeSet<u64>,
    /// Place of the one that the fold began with.
    began: u64,
    had: Option<Had>,
    /// Up to this place, what is not folded is none of shipslog's messages.
    passed: u64,
}

impl<'a> Reading<'a> {
    /// From `start` on, with a log that goes on at `resume`.
    pub(super) fn new(
        own_log: Own<'a>,
        settings: &'a Settings,
        start: &Start,
        resume: Resume,
        state: Arc<RwLock<State>>,
        status: &'a watch::Sender<Status>,
    ) -> Self {
        let own = BTreeMap::from([(start.state.place, text_of(&start.state.to_text(), start.fleet, &start.chain))]);
        Self {
            own_log,
            settings,
            epoch: None,
            until: None,
            state,
            status,
            stored: (resume.next, resume.chain),
            refolded: None,
            pending: Vec::new(),
            pending_bytes: 0,
            next: start.state.next,
            chain: start.chain,
            own,
            newest_base: (0, 0),
            published: BTreeSet::new(),
            began: start.state.place,
            had: None,
            passed: 0,
        }
    }

    fn place(&self) -> u64 {
        self.state.read().place
    }

    /// What the stream gave where the newest record is to come that the log held when it was opened.
    pub(super) fn refolded(&self) -> Refolded {
        match self.refolded {
            Some((place, arrived, received)) => Refolded::Newest { place, arrived, received },
            None => Refolded::Short { last: self.place().max(self.passed) },
        }
    }

    /// The next record of the fold, and the chain's value before it.
    pub(super) fn end(&self) -> (Sequence, ChainValue) {
        (self.next, self.chain)
    }

    /// Reads on, until the hub fails.
    pub(super) async fn read(&mut self, hub: &dyn FleetStream) -> Result<Infallible, Broken> {
        let epoch = newest_epoch(hub, &self.settings.tenant).await?;
        self.heed(hub, epoch).await?;
        let ends = self.check_hub(hub).await?;
        self.newest_base = match hub.newest(&Subject::base(&self.settings.tenant)?).await? {
            Some(message) => (message.place, Base::of_message(&message)?.state.place),
            None => (0, 0),
        };
        self.check_refold(&ends)?;
        let mut delivery = hub.read_from(self.place().saturating_add(1)).await?;
        self.status.send_modify(|status| status.refused = None);
        loop {
            if self.status.borrow().fallen {
                return Err(FollowError::Forked { place: self.place(), judgement: Judgement::LostTail }.into());
            }
            match timeout(QUIET, delivery.next()).await {
                Ok(message) => self.take_all(hub, message, &mut delivery).await?,
                Err(_) => {
                    let ends = self.check_hub(hub).await?;
                    self.pass_over(hub, ends.last).await?;
                    self.flush_all().await?;
                }
            }
            let ends = Ends { last: self.status.borrow().hub_last.unwrap_or(ends.last), ..ends };
            self.check_refold(&ends)?;
        }
    }

    /// Takes a message and whatever else has come already, and appends all of it.
    async fn take_all(
        &mut self,
        hub: &dyn FleetStream,
        first: Option<Result<Message, StreamError>>,
        delivery: &mut Delivery,
    ) -> Result<(), Broken> {
        let mut next = first;
        loop {
            let Some(message) = next else { return Err(Broken::Later(StreamError::Unavailable("its delivery ended".to_owned()))) };
            self.take(hub, &message?).await?;
            if self.pending.len() >= self.settings.batch_records || self.pending_bytes >= BATCH_BYTES {
                break;
            }
            match timeout(Duration::ZERO, delivery.next()).await {
                Ok(message) => next = message,
                Err(_) => break,
            }
        }
        self.flush_all().await?;
        Ok(())
    }

    /// Whether the hub is still the one whose messages were folded.
    pub(super) async fn is_held(&mut self, hub: &dyn FleetStream) -> Result<(), Broken> {
        self.check_hub(hub).await.map(drop)
    }

    async fn check_hub(&mut self, hub: &dyn FleetStream) -> Result<Ends, Broken> {
        let ends = hub.ends().await?;
        let place = self.place();
        let had = self.had.get_or_insert(Had { created: ends.created, place, newest: None });
        had.place = place;
        // What was before the beginning of the fleet is none of its messages.
        let at = if (ends.first..=ends.last).contains(&place) && place > self.state.read().began {
            match hub.at(place).await {
                Ok(Some(at)) => Some(at),
                // Believed only where it lasts (`loss.rs`): it may just have been trimmed.
                Ok(None) | Err(StreamError::Unfit(_)) => return Err(FollowError::Forked { place, judgement: Judgement::LostTail }.into()),
                Err(e) => return Err(e.into()),
            }
        } else {
            None
        };
        match judge(had, &ends, at.as_ref()) {
            Judgement::Same => Ok(ends),
            judgement => Err(FollowError::Forked { place, judgement }.into()),
        }
    }

    /// Goes by what an epoch says: where this server's id has ended, its log is opened anew.
    async fn heed(&mut self, hub: &dyn FleetStream, newest: Option<(u64, Epoch)>) -> Result<(), Broken> {
        // Answers may be late.
        let known = self.epoch.as_ref().map_or(0, |(message, _)| *message);
        let Some((message, epoch)) = newest.filter(|(message, _)| *message > known) else { return Ok(()) };
        let place = self.place();
        match epoch.fate(self.own_log.ids) {
            Fate::Own => {}
            Fate::Lost => return Err(FollowError::Forked { place, judgement: Judgement::LostTail }.into()),
            Fate::Apart { last, at } if place < at && self.stored.0 <= last + 1 => self.until = Some((at, last)),
            Fate::Apart { last, .. } => return Err(self.end_with(last).await?.into()),
            // That the hub lost what this server follows, this epoch cannot tell.
            Fate::Foreign if epoch.earlier.is_empty() && self.has_own(hub).await? => {
                return Err(FollowError::Begun { message, place }.into());
            }
            Fate::Foreign => return Err(self.end_with(0).await?.into()),
        }
        self.epoch = Some((message, epoch));
        Ok(())
    }

    /// Ends with what was read so far: the log is opened anew to go on otherwise after a record, if it has
    /// that.
    async fn end_with(&mut self, last: Sequence) -> Result<FollowError, FollowError> {
        self.flush_all().await?;
        let head = self.stored.0 - 1;
        Ok(if head < last { FollowError::Short { last, head } } else { FollowError::Anew })
    }

    /// Whether the hub certainly has the newest message that was folded.
    async fn has_own(&mut self, hub: &dyn FleetStream) -> Result<bool, Broken> {
        let place = self.place();
        if self.had.as_ref().is_none_or(|had| had.newest.is_none()) {
            return Ok(false);
        }
        match self.check_hub(hub).await {
            Ok(ends) => Ok((ends.first..=ends.last).contains(&place)),
            Err(Broken::Stop(FollowError::Forked { .. })) => Ok(false),
            Err(broken) => Err(broken),
        }
    }

    /// The id that the records of a message have.
    fn id_at(&self, place: u64) -> LogId {
        self.epoch.as_ref().map_or(self.own_log.ids.log, |(_, epoch)| epoch.id_at(place))
    }

    /// What the log holds must come out of the stream again.
    fn check_refold(&self, ends: &Ends) -> Result<(), Broken> {
        let place = self.place();
        if self.next < self.stored.0 && place.max(self.passed) >= ends.last {
            return Err(FollowError::Unlike { place }.into());
        }
        Ok(())
    }

    async fn take(&mut self, hub: &dyn FleetStream, message: &Message) -> Result<(), Broken> {
        let expected = self.place().saturating_add(1);
        if message.place < expected {
            return Ok(());
        }
        if message.place > expected {
            if hub.ends().await?.first > expected {
                return Err(FollowError::Forked { place: expected - 1, judgement: Judgement::Trimmed }.into());
            }
            self.pass_over(hub, message.place - 1).await?;
        }
        if let Some((_, last)) = self.until.filter(|(until, _)| message.place > *until) {
            return Err(self.end_with(last).await?.into());
        }
        match message.subject {
            Subject::Base { ref tenant } if *tenant == self.settings.tenant => self.compare(hub, message).await?,
            Subject::Epoch { ref tenant } if *tenant == self.settings.tenant => {
                let epoch = Epoch::of_message(message)?;
                self.heed(hub, Some((message.place, epoch))).await?;
            }
            _ => {}
        }
        // The lock is held for one message.
        let folded = step(&mut self.state.write(), message);
        let folded = folded.map_err(|e| Broken::Later(StreamError::Unavailable(e.to_string())))?;
        folded.notes.iter().for_each(|note| tell(message.place, note));
        if let Some(had) = &mut self.had {
            *had = Had::of(had.created, message);
        }
        self.pending_bytes += message.payload.len();
        self.keep(folded.records, message.arrived)?;
        if folded.base_due {
            self.flush_all().await?;
            self.own_base(hub).await?;
        }
        Ok(())
    }

    /// Makes sure that nothing up to `last` is left out: what a delivery does not bring must be none of
    /// shipslog's messages. Those have places as well, and whoever may publish at all can make some.
    async fn pass_over(&mut self, hub: &dyn FleetStream, last: u64) -> Result<(), Broken> {
        for place in self.place().max(self.passed) + 1..=last {
            match hub.at(place).await {
                Ok(None) | Err(StreamError::Unfit(_)) => self.passed = place,
                Ok(Some(_)) => return Err(Broken::Later(StreamError::Unavailable(format!("it left out message {place}")))),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// Keeps what the log does not hold yet. What it holds must be the same.
    fn keep(&mut self, records: Vec<FleetRecord>, arrived: Timestamp) -> Result<(), Broken> {
        for record in records {
            let seq = self.next + self.pending.len() as u64;
            if seq >= self.stored.0 {
                self.pending.push(record);
                continue;
            }
            self.chain = chain::next(&self.chain, record.to_line(self.own_log.ids.at(seq), seq).as_bytes());
            self.next += 1;
            if self.next == self.stored.0 {
                self.refolded = Some((record.place, arrived, record.received));
            }
            self.check_stored(record.place)?;
        }
        self.check_stored(self.place())
    }

    fn check_stored(&self, place: u64) -> Result<(), Broken> {
        let (next, chain) = self.stored;
        if self.next == next && self.pending.is_empty() && self.chain != chain {
            return Err(FollowError::Unlike { place }.into());
        }
        Ok(())
    }

    /// Appends all that is pending. A full disk is waited for.
    pub(super) async fn flush_all(&mut self) -> Result<(), FollowError> {
        while !self.pending.is_empty() {
            match self.own_log.log.append_at(self.next, self.pending.clone()).await {
                Ok(followed) => {
                    self.pending.clear();
                    (self.next, self.chain) = (followed.sequences.end() + 1, followed.chain);
                    self.stored = (self.next, self.chain);
                }
                Err(LogError::Full { why, stored }) => {
                    tracing::warn!("the disk is full, the fleet's stream waits: {why}");
                    self.pending.drain(..stored.min(self.pending.len()));
                    self.next += stored as u64;
                    self.stored.0 = self.next;
                    sleep(FULL_FOR).await;
                }
                Err(e) => return Err(e.into()),
            }
        }
        self.pending_bytes = 0;
        let place = self.place().max(self.passed);
        self.status.send_modify(|status| status.fold_to(place));
        Ok(())
    }
}
