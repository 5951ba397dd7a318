//! The task that forwards: does what the machine says, and decides nothing itself.

use super::ancestor;
use super::burst::{self, Burst};
use super::cut::{self, Parcel, Wanted};
use super::machine::{Action, Event, Machine, Seen};
use super::status::{ForwardState, ForwardStatus};
use super::trouble::Trouble;
use super::{Identity, Since};
use crate::cursor::Sequence;
use crate::log::{EventLog, WriterState};
use crate::parcel::Reason;
use crate::shutdown::Shutdown;
use crate::stream::{FleetStream, Outgoing, StreamError, Subject, SubjectError};
use crate::time::Timestamp;
use async_trait::async_trait;
use rand::RngExt as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long the hub may take to answer. A client reports most failures sooner; a hub that hangs reports none.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How one comes to a hub.
#[async_trait]
pub trait Connect: Send + Sync + 'static {
    /// A new connection. The one before it has been dropped: a client that reconnects by itself might send
    /// again what was in flight.
    ///
    /// # Errors
    /// As the hub says.
    async fn connect(&self) -> Result<Box<dyn FleetStream>, StreamError>;
}

/// Forwards a log.
pub struct Forwarder {
    log: Arc<dyn EventLog>,
    hub: Box<dyn Connect>,
    identity: Identity,
    subject: Subject,
    status: ForwardStatus,
    machine: Machine,
    head: watch::Receiver<Sequence>,
    client: Option<Box<dyn FleetStream>>,
    parcel: Option<Parcel>,
    told_of_risk: bool,
    burst: Burst,
}

/// How forwarding has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// As it was told to.
    Stopped,
    /// The hub has another history of this log: it has to go on under an id of its own.
    ToFork,
}

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarder").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Forwarder {
    /// A forwarder of `log`.
    ///
    /// # Errors
    /// When the host's or the tenant's name cannot stand in a subject.
    pub fn new(
        log: Arc<dyn EventLog>,
        hub: Box<dyn Connect>,
        identity: &Identity,
        since: Since,
        status: ForwardStatus,
    ) -> Result<Self, SubjectError> {
        let bounds = log.bounds();
        let start = match since {
            Since::Oldest => 0,
            Since::Now => bounds.head,
            Since::After(last) => last.min(bounds.head),
        };
        let (subject, head) = (identity.subject(bounds.log)?, log.watch_head());
        let machine = Machine::new(start);
        let identity = identity.clone();
        let (client, parcel, burst) = (None, None, Burst::new(bounds.head));
        Ok(Self { log, hub, identity, subject, status, machine, head, client, parcel, told_of_risk: false, burst })
    }

    /// Whether it ends where another recorder publishes for this log, so that the log goes on under an id of
    /// its own. Otherwise it waits until that is over.
    #[must_use]
    pub fn forking(self, may_fork: bool) -> Self {
        Self { machine: self.machine.forking(may_fork), ..self }
    }

    /// Forwards until `shutdown` says so. What is in flight then is found at the hub by the next start.
    pub async fn run(mut self, shutdown: Shutdown) -> Ended {
        tokio::select! {
            () = shutdown.stopping() => Ended::Stopped,
            () = self.forward() => Ended::ToFork,
        }
    }

    /// Forwards until the log has to fork.
    async fn forward(&mut self) {
        let mut action = self.machine.connect();
        while action != Action::Fork {
            let event = self.perform(action).await;
            let head = *self.head.borrow_and_update();
            let before = self.machine.acknowledged();
            action = self.machine.next(event, head);
            self.tell(before, head, action == Action::Fork);
        }
        self.until_it_can_be_closed().await;
    }

    /// While a log takes nothing it is not closed: what waits for room in memory would be lost, and its file
    /// `LOG` could not be written. One whose disk has failed is opened by the next start of the program.
    async fn until_it_can_be_closed(&self) {
        let mut writer = self.log.watch_writer();
        if *writer.borrow() != WriterState::Ok {
            tracing::warn!("the log gets an id of its own once it takes records again");
        }
        if writer.wait_for(|state| *state == WriterState::Ok).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn perform(&mut self, action: Action) -> Event {
        match action {
            Action::Connect => {
                self.client = None;
                self.parcel = None;
                match answer(&self.status, &mut self.head, self.hub.connect()).await {
                    Ok(client) => {
                        let max_bytes = client.max_bytes();
                        self.client = Some(client);
                        Event::Connected(max_bytes)
                    }
                    Err(trouble) => Event::Failed(trouble),
                }
            }
            Action::ReadPlace => self.read_place().await,
            Action::Cut { after, chain, skipped, because, max_bytes, target_bytes } => {
                self.sit_out_burst().await;
                let until = *self.head.borrow();
                match cut::cut(&*self.log, Wanted { after, until, chain, skipped, because, max_bytes, target_bytes }).await {
                    Ok(parcel) => {
                        let piece = parcel.as_ref().map(|parcel| parcel.piece);
                        self.status.set_waiting(parcel.as_ref().map(|parcel| parcel.time));
                        self.parcel = parcel;
                        Event::Cut(piece)
                    }
                    Err(e) => Event::Failed(Trouble::Log(e.to_string())),
                }
            }
            Action::Publish { expected } => self.publish(expected).await,
            // Nothing is left to do.
            Action::Fork => std::future::pending().await,
            Action::Wait { least, jitter } => {
                let part = if jitter.is_zero() { 0.0 } else { rand::rng().random::<f64>() };
                let over = sleep(least + jitter.mul_f64(part));
                noting(&self.status, &mut self.head, over).await;
                Event::Elapsed
            }
            Action::AwaitHead => {
                self.burst.is_over();
                self.status.set_waiting(None);
                // A log whose writer is gone gets no more records.
                if self.head.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                self.status.waits_since(Timestamp::now());
                Event::Moved
            }
        }
    }

    /// The burst itself says for how long at most.
    async fn sit_out_burst(&mut self) {
        while self.burst.is_waited_for(*self.head.borrow()) {
            let again = sleep(burst::LOOK);
            noting(&self.status, &mut self.head, again).await;
        }
    }

    async fn read_place(&mut self) -> Event {
        let Some(client) = &self.client else { return gone() };
        let newest = match answer(&self.status, &mut self.head, client.newest(&self.subject)).await {
            Ok(Some(newest)) => newest,
            Ok(None) => return self.look_for_ancestors().await,
            Err(trouble) => return Event::Failed(trouble),
        };
        let head: Option<crate::parcel::Head> = newest.head.parse().ok();
        let ends = *self.head.borrow();
        let chain = match &head {
            Some(head) => self.log.chain_around(head.last()).await,
            None => Ok(None),
        };
        match chain {
            Ok(chain) => Event::Place(Seen { place: newest.place, head, ends, chain: chain.map(|(_, after)| after) }),
            Err(e) => Event::Failed(Trouble::Log(e.to_string())),
        }
    }

    /// What the hub has of the logs whose copy this one is.
    async fn look_for_ancestors(&mut self) -> Event {
        let Some(client) = &self.client else { return gone() };
        let ancestors = self.log.ancestors();
        if ancestors.is_empty() {
            return Event::Nowhere(None);
        }
        let looking = ancestor::on_hub(&*self.log, &**client, &self.identity, &ancestors);
        match noting(&self.status, &mut self.head, timeout(ANSWER_TIMEOUT, looking)).await {
            Ok(Ok(last)) => Event::Nowhere(last),
            Ok(Err(trouble)) => Event::Failed(trouble),
            Err(_) => Event::Failed(unanswered()),
        }
    }

    async fn publish(&mut self, expected: u64) -> Event {
        let (Some(client), Some(parcel)) = (&self.client, &self.parcel) else { return gone() };
        let (head, payload) = (parcel.head.to_string(), parcel.payload.clone());
        let bytes = head.len() + payload.len();
        let message = Outgoing { subject: self.subject.clone(), head, payload };
        match answer(&self.status, &mut self.head, client.publish(message, expected)).await {
            Ok(place) => {
                let gaps = || parcel.head.gaps.iter().filter(|gap| gap.reason != Reason::Ancestor);
                let missing = gaps().map(|gap| gap.to - gap.from + 1).sum();
                for gap in gaps() {
                    tracing::warn!(
                        forward.from = gap.from,
                        forward.to = gap.to,
                        reason = gap.reason.name(),
                        "records of this log will not reach the fleet; a gap tells of them there"
                    );
                }
                self.status.count(u64::from(parcel.head.count), bytes, missing);
                self.parcel = None;
                Event::Acknowledged(place)
            }
            Err(trouble) => Event::Failed(trouble),
        }
    }

    /// Tells everybody how it is now. `before`: what the hub had a step ago.
    fn tell(&mut self, before: Option<Sequence>, head: Sequence, forks: bool) {
        let (state, error) = self.machine.state();
        let acknowledged = self.machine.acknowledged();
        if let (Some(before), Some(now)) = (before, acknowledged)
            && now < before
        {
            tracing::warn!(
                forward.from = now + 1,
                forward.to = self.machine.reached(),
                "the hub does not have records any more that it had acknowledged; they are forwarded again"
            );
        }
        if acknowledged.unwrap_or(0) < head {
            self.status.waits_since(Timestamp::now());
        }
        let why = error.unwrap_or_default();
        if self.status.set(state, error, acknowledged) {
            match state {
                ForwardState::Connecting => {}
                ForwardState::Live => tracing::info!(forward.acknowledged = acknowledged, "the fleet's hub has what is recorded here"),
                ForwardState::CatchingUp => tracing::info!(
                    forward.acknowledged = acknowledged,
                    forward.behind = head.saturating_sub(acknowledged.unwrap_or(0)),
                    "forwarding to the fleet's hub catches up"
                ),
                ForwardState::Unavailable => {
                    tracing::warn!(
                        error = why,
                        "forwarding waits for the fleet's hub; recording continues, and what is recorded follows later"
                    );
                }
                ForwardState::Refused => {
                    tracing::error!(
                        error = why,
                        "the fleet's hub cannot be used; check --forward and what this host's key may do. Recording continues"
                    );
                }
                ForwardState::Conflict if forks => tracing::error!(
                    error = why,
                    "this log is one of two copies, and the hub has the other one: it goes on under an id of its own, with all that the hub lacks"
                ),
                ForwardState::Conflict => tracing::error!(
                    error = why,
                    "nothing is forwarded: the hub has something else under the id of this log. Recording continues"
                ),
            }
        }
        let next = self.log.next_trim().map(|step| step.before).filter(|_| state != ForwardState::Live);
        let at_risk = next.is_some_and(|next| acknowledged.is_some_and(|last| last + 1 < next));
        if at_risk && !self.told_of_risk && state != ForwardState::CatchingUp {
            tracing::warn!("the next records that retention removes have not been forwarded: should it come to that, the fleet gets a gap");
        }
        self.told_of_risk = at_risk;
    }
}

/// What cannot be: the machine connects first.
fn gone() -> Event {
    Event::Failed(Trouble::Unanswered("there is no connection".to_owned()))
}

/// Waits, and notes when records begin to wait.
async fn noting<T>(status: &ForwardStatus, head: &mut watch::Receiver<Sequence>, waiting: impl Future<Output = T>) -> T {
    tokio::pin!(waiting);
    loop {
        tokio::select! {
            done = &mut waiting => return done,
            moved = head.changed() => match moved {
                Ok(()) => status.waits_since(Timestamp::now()),
                Err(_) => return waiting.await,
            }
        }
    }
}

/// The answer of the hub, in time.
async fn answer<T>(
    status: &ForwardStatus,
    head: &mut watch::Receiver<Sequence>,
    asking: impl Future<Output = Result<T, StreamError>>,
) -> Result<T, Trouble> {
    match noting(status, head, timeout(ANSWER_TIMEOUT, asking)).await {
        Ok(answer) => answer.map_err(|error| Trouble::of(&error)),
        Err(_) => Err(unanswered()),
    }
}

fn unanswered() -> Trouble {
    Trouble::Unanswered(format!("the hub has not answered for {} s", ANSWER_TIMEOUT.as_secs()))
}
