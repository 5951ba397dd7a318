//! One server's way through the stream: what is folded and not yet appended, and the bases that are compared.
//! Only this file appends to a follower's log.

use super::base::{BASE_EVERY, Base, BaseError, compare, text_of};
use super::epoch::{Epoch, Fate};
use super::error::FollowError;
use super::find::{Broken, Start, newest_epoch};
use super::fold::step;
use super::fork::{Had, Judgement, judge};
use super::settings::{ANSWER_WITHIN, Settings};
use super::state::State;
use super::status::Status;
use super::tell::tell;
use crate::chain::{self, ChainValue};
use crate::cursor::{LogId, Sequence};
use crate::log::{FleetRecord, FollowerLog, Ids, LogError, Resume};
use crate::stream::{Delivery, Ends, FleetStream, Message, StreamError, Subject};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt as _;

/// Bytes of messages that are appended together; what one message holds comes on top.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Bases of one's own that are kept to be compared, the newest.
const OWN_BASES: usize = 8;
/// Silence of the hub after which it is asked whether it has anything.
const QUIET: Duration = Duration::from_secs(5);
/// Wait until a full disk is tried again.
const FULL_FOR: Duration = Duration::from_secs(1);

pub(super) struct Reading<'a> {
    log: &'a FollowerLog,
    settings: &'a Settings,
    ids: Ids,
    /// The newest epoch in the stream and its message, as far as they are known.
    epoch: Option<(u64, Epoch)>,
    /// After this message another id holds.
    until: Option<u64>,
    state: Arc<RwLock<State>>,
    status: &'a watch::Sender<Status>,
    /// What the log holds already: the records before this one, and the chain's value there.
    stored: (Sequence, ChainValue),
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
    had: Option<Had>,
    /// Up to this place, what is not folded is none of shipslog's messages.
    passed: u64,
}

impl<'a> Reading<'a> {
    /// From `start` on, with a log that goes on at `resume`.
    pub(super) fn new(
        log: &'a FollowerLog,
        settings: &'a Settings,
        start: &Start,
        resume: Resume,
        state: Arc<RwLock<State>>,
        status: &'a watch::Sender<Status>,
    ) -> Self {
        let own = BTreeMap::from([(start.state.place, text_of(&start.state.to_text(), start.fleet, &start.chain))]);
        Self {
            log,
            settings,
            ids: FollowerLog::ids_of(log),
            epoch: None,
            until: None,
            state,
            status,
            stored: (resume.next, resume.chain),
            pending: Vec::new(),
            pending_bytes: 0,
            next: start.state.next,
            chain: start.chain,
            own,
            newest_base: (0, 0),
            had: None,
            passed: 0,
        }
    }

    fn place(&self) -> u64 {
        self.state.read().place
    }

    /// Reads on, until the hub fails.
    pub(super) async fn read(&mut self, hub: &dyn FleetStream) -> Result<Infallible, Broken> {
        let epoch = newest_epoch(hub, &self.settings.tenant).await?;
        self.heed(epoch).await?;
        let ends = self.check_hub(hub).await?;
        self.newest_base = match hub.newest(&Subject::base(&self.settings.tenant)?).await? {
            Some(message) => (message.place, Base::of_message(&message)?.state.place),
            None => (0, 0),
        };
        self.check_refold(&ends)?;
        let mut delivery = hub.read_from(self.place().saturating_add(1)).await?;
        self.status.send_modify(|status| status.refused = None);
        loop {
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
    async fn check_hub(&mut self, hub: &dyn FleetStream) -> Result<Ends, Broken> {
        let ends = hub.ends().await?;
        let place = self.place();
        let had = self.had.get_or_insert(Had { created: ends.created, place, newest: None });
        had.place = place;
        let at = if (ends.first..=ends.last).contains(&place) {
            let at = hub.at(place).await?;
            Some(at.ok_or_else(|| StreamError::Unavailable(format!("it does not show its message {place}")))?)
        } else {
            None
        };
        match judge(had, &ends, at.as_ref()) {
            Judgement::Same => Ok(ends),
            judgement => Err(FollowError::Forked { place, judgement }.into()),
        }
    }

    /// Goes by what an epoch says: where this server's id has ended, its log is opened anew.
    async fn heed(&mut self, newest: Option<(u64, Epoch)>) -> Result<(), Broken> {
        // Answers may be late.
        let known = self.epoch.as_ref().map_or(0, |(message, _)| *message);
        let Some((message, epoch)) = newest.filter(|(message, _)| *message > known) else { return Ok(()) };
        let place = self.place();
        match epoch.fate(&self.ids) {
            Fate::Own => {}
            Fate::Lost => return Err(FollowError::Forked { place, judgement: Judgement::LostTail }.into()),
            Fate::Apart { last, at } if place < at && self.stored.0 <= last + 1 => self.until = Some(at),
            Fate::Apart { .. } | Fate::Foreign => {
                self.flush_all().await?;
                return Err(FollowError::Anew.into());
            }
        }
        self.epoch = Some((message, epoch));
        Ok(())
    }

    /// The id that the records of a message have.
    fn id_at(&self, place: u64) -> LogId {
        self.epoch.as_ref().map_or(self.ids.log, |(_, epoch)| epoch.id_at(place))
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
        if self.until.is_some_and(|until| message.place > until) {
            self.flush_all().await?;
            return Err(FollowError::Anew.into());
        }
        match message.subject {
            Subject::Base { ref tenant } if *tenant == self.settings.tenant => self.compare(message)?,
            Subject::Epoch { ref tenant } if *tenant == self.settings.tenant => {
                let epoch = Epoch::of_message(message)?;
                self.heed(Some((message.place, epoch))).await?;
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
        self.keep(folded.records)?;
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
    fn keep(&mut self, records: Vec<FleetRecord>) -> Result<(), Broken> {
        for record in records {
            let seq = self.next + self.pending.len() as u64;
            if seq >= self.stored.0 {
                self.pending.push(record);
                continue;
            }
            self.chain = chain::next(&self.chain, record.to_line(self.ids.at(seq), seq).as_bytes());
            self.next += 1;
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
            match self.log.append_at(self.next, self.pending.clone()).await {
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

    /// Compares another server's base with one's own of the same place.
    fn compare(&mut self, message: &Message) -> Result<(), BaseError> {
        let base = Base::of_message(message)?;
        let place = base.state.place;
        self.newest_base = (message.place, place);
        // Of a server that had not heard yet under which id the fleet goes on.
        if base.fleet != self.id_at(place) {
            return Ok(());
        }
        match self.own.get(&place) {
            Some(own) => compare(place, own, &base.to_text()),
            // All that were due since the oldest one kept are kept.
            None if self.own.first_key_value().is_some_and(|(oldest, _)| *oldest < place) => {
                Err(BaseError::Differs { place, what: "no base was due there".to_owned() })
            }
            None => Ok(()),
        }
    }

    /// Keeps one's own base, and publishes it where it is the newest and the first of its place.
    async fn own_base(&mut self, hub: &dyn FleetStream) -> Result<(), Broken> {
        let (previous, newest_place) = self.newest_base;
        let place = self.place();
        let base = Base { state: self.state.read().clone(), fleet: self.id_at(place), chain: self.chain, previous };
        self.own.insert(place, base.to_text());
        while self.own.len() > OWN_BASES {
            self.own.pop_first();
        }
        let last = self.status.borrow().hub_last.unwrap_or(u64::MAX);
        if last.saturating_sub(place) >= BASE_EVERY || place <= newest_place {
            return Ok(());
        }
        let message = match base.to_message(Subject::base(&self.settings.tenant)?, hub.max_bytes()) {
            Ok(message) => message,
            Err(e) => {
                tracing::warn!("no base is published after message {place}: {e}");
                return Ok(());
            }
        };
        // Another server's is as good: what was not stored here is not missed.
        match timeout(ANSWER_WITHIN, hub.publish(message, previous)).await {
            Ok(Ok(stored)) => self.newest_base = (stored, place),
            Ok(Err(StreamError::Conflict)) => {}
            Ok(Err(e)) => tracing::debug!("a base was not published: {e}"),
            Err(_) => tracing::debug!("a base was not published in time"),
        }
        Ok(())
    }
}
