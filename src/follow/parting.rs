//! How a fleet goes on when its hub has lost messages that it had acknowledged: the last record that stream
//! and log have in common, and the epoch that says from where on another id holds.

use super::agreed::{Own, agrees};
use super::epoch::{Earlier, Epoch, Fate};
use super::error::FollowError;
use super::find::{Broken, Start, before, is_whole_behind, newest_base, newest_epoch, root};
use super::fold::step;
use super::fork::Judgement;
use super::own::is_own_gap;
use super::settings::ANSWER_WITHIN;
use crate::chain;
use crate::cursor::{LogId, Sequence};
use crate::log::{EventLog as _, FollowerLog, Ids, Piece, Resume, Scan};
use crate::parcel::Head;
use crate::stream::{FleetStream, Message, StreamError, Subject};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;

/// Bases that are looked at.
const MAX_BASES: usize = 1 << 20;

/// What stream and log have in common.
#[derive(Debug)]
struct Common {
    /// The last record, and the last message.
    last: Sequence,
    at: u64,
    /// By the last record of each earlier id: the last message that was met whose records have it.
    crossed: BTreeMap<Sequence, u64>,
    began: u64,
}

/// What came of a look at what stream and log have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parting {
    /// The stream says how the fleet goes on.
    Told,
    /// It has every record that the log has.
    NothingLost,
    /// The hub has again what it seemed to lack.
    Found,
}

/// What is to be done so that the stream says how the fleet goes on.
#[derive(Debug)]
pub(super) enum Plan {
    /// Nothing.
    Done(Parting),
    /// This is to be published, if the newest epoch stands at `expected`.
    Publish { epoch: Epoch, expected: u64 },
}

/// How the stream is to say how the fleet goes on, unless it does already. Whoever comes later takes what the
/// first one published. `has_fallen`: the hub has lost messages that this server had not read; others may
/// have.
pub(super) async fn plan(hub: &dyn FleetStream, tenant: &str, own: Own<'_>, has_fallen: bool) -> Result<Plan, Broken> {
    let (ends, known) = (hub.ends().await?, newest_epoch(hub, tenant).await?);
    let (expected, epoch) = known.map_or((0, None), |(place, epoch)| (place, Some(epoch)));
    let fate = epoch.as_ref().map(|epoch| epoch.fate(own.ids));
    let head = own.log.log().bounds().head;
    match fate {
        // It only has to read on to there.
        Some(Fate::Apart { last, .. }) if head < last && has_fallen => return Ok(Plan::Done(Parting::Found)),
        // It would be opened anew for ever.
        Some(Fate::Apart { last, .. }) if head < last => return Err(FollowError::Short { last, head }.into()),
        Some(Fate::Apart { .. } | Fate::Foreign) => return Ok(Plan::Done(Parting::Told)),
        Some(Fate::Own | Fate::Lost) | None => {}
    }
    let next = match common(hub, tenant, own, epoch.as_ref()).await? {
        Some(common) if common.last == head && fate != Some(Fate::Lost) && !has_fallen => return Ok(Plan::Done(Parting::NothingLost)),
        Some(common) => {
            tracing::error!(
                "the fleet's hub has lost what it had acknowledged: its stream and this log have the records up to {} in common, of {head}",
                common.last
            );
            let earlier = earlier(own.ids, &common, epoch.as_ref());
            Epoch::after(earlier, common.began)
        }
        // Who says that others have nothing in common with it either?
        None if ends.first > 1 => return Err(FollowError::NoBeginning { first: ends.first }.into()),
        None => {
            tracing::error!("the fleet's hub holds nothing of what this log holds: the fleet begins anew");
            Epoch::begin(ends.first.saturating_sub(1))
        }
    };
    Ok(Plan::Publish { epoch: next, expected })
}

/// The ids up to the end of what is in common.
fn earlier(ids: &Ids, common: &Common, epoch: Option<&Epoch>) -> Vec<Earlier> {
    let told = |fleet: LogId| epoch.and_then(|epoch| epoch.earlier.iter().find(|earlier| earlier.fleet == fleet)).map(|earlier| earlier.at);
    let one = |(fleet, last): (LogId, Sequence)| {
        let at = if last >= common.last { common.at } else { told(fleet).or(common.crossed.get(&last).copied())? };
        Some(Earlier { fleet, at: at.min(common.at), last: last.min(common.last) })
    };
    ids.all().filter_map(one).collect()
}

/// The last message up to which the stream gives the records that the log holds; `None` where there is
/// nothing to begin with.
async fn common(hub: &dyn FleetStream, tenant: &str, own: Own<'_>, epoch: Option<&Epoch>) -> Result<Option<Common>, Broken> {
    let ends = hub.ends().await?;
    let Some(start) = agreed(hub, tenant, own, epoch).await? else { return Ok(None) };
    let (mut state, mut chain, log) = (start.state, start.chain, own.log.log());
    let bounds = log.bounds();
    let mut common = Common { last: state.next - 1, at: state.place, crossed: BTreeMap::new(), began: state.began };
    if state.place >= ends.last {
        return Ok(Some(common));
    }
    let mut delivery = hub.read_from(state.place + 1).await?;
    while state.place < ends.last {
        let message = match timeout(ANSWER_WITHIN, delivery.next()).await {
            Ok(message) => message.ok_or_else(|| StreamError::Unavailable("its delivery ended".to_owned()))??,
            Err(_) if is_empty_behind(hub, state.place, ends.last).await? => break,
            Err(_) => return Err(StreamError::Unavailable("a message did not come".to_owned()).into()),
        };
        let first = state.next;
        let folded = step(&mut state, &message).map_err(|e| StreamError::Unavailable(e.to_string()))?;
        for (seq, record) in (first..).zip(&folded.records) {
            chain = chain::next(&chain, record.to_line(own.ids.at(seq), seq).as_bytes());
        }
        let last = state.next - 1;
        if last < first {
            continue;
        }
        if last > bounds.head {
            break;
        }
        match log.chain_around(last).await? {
            Some((_, after)) if after != chain => break,
            // What retention has removed, nobody can compare any more; what is damaged, the next one tells.
            None if last >= bounds.oldest => continue,
            _ => (common.last, common.at) = (last, message.place),
        }
        for (_, end) in own.ids.ancestors.iter().filter(|(_, end)| last <= *end) {
            common.crossed.insert(*end, message.place);
        }
    }
    Ok(Some(common))
}

/// Whether there is none of shipslog's messages after `place`, up to `last`.
async fn is_empty_behind(hub: &dyn FleetStream, place: u64, last: u64) -> Result<bool, StreamError> {
    for place in place + 1..=last {
        match hub.at(place).await {
            Ok(None) | Err(StreamError::Unfit(_)) => {}
            Ok(Some(_)) => return Ok(false),
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

/// The newest base in the stream that this log agrees with, or the beginning of the fleet.
async fn agreed(hub: &dyn FleetStream, tenant: &str, own: Own<'_>, epoch: Option<&Epoch>) -> Result<Option<Start>, Broken> {
    let ends = hub.ends().await?;
    let mut next = newest_base(hub, tenant).await?;
    for _ in 0..MAX_BASES {
        let Some(base) = next.take_if(|base| is_whole_behind(base, &ends)) else { break };
        if agrees(own, &base).await? {
            return Ok(Some(Start::of(base)));
        }
        next = before(hub, &base).await?;
    }
    Ok(root(tenant, own.ids, epoch, &ends))
}

/// Whether the hub still has the message of the log's newest record. Only that tells a hub that lost
/// something from a log that is damaged, when a server starts.
pub(super) async fn judge_log(hub: &dyn FleetStream, log: &FollowerLog, resume: &Resume) -> Result<Judgement, Broken> {
    // None is known where records were carried over into a new directory.
    let Some(place) = resume.place.filter(|place| *place > 0) else { return Ok(Judgement::Same) };
    let ends = hub.ends().await?;
    if ends.last < place {
        return Ok(Judgement::LostTail);
    }
    if ends.first > place {
        return Ok(if ends.first > place + 1 { Judgement::Trimmed } else { Judgement::Same });
    }
    let chunk = log.log().read_before(resume.next, &Scan { max_bytes: 1, ..Scan::default() }).await?;
    let Some(Piece::Block(block)) = chunk.pieces.first() else { return Ok(Judgement::Same) };
    let seq = resume.next - 1;
    let (Some(origin), Some(record)) = (block.origin(seq), block.record(seq)) else { return Ok(Judgement::Same) };
    let known = Known { seq: origin.id.seq, source: &record.source, received: record.received, is_gap: is_own_gap(&record.event) };
    let message = match hub.at(place).await {
        Ok(Some(message)) => message,
        Ok(None) | Err(StreamError::Unfit(_)) => return Ok(Judgement::LostTail),
        Err(e) => return Err(e.into()),
    };
    Ok(if known.may_end(&message) { Judgement::Same } else { Judgement::LostTail })
}

/// What a log knows of the message of its newest record.
struct Known<'a> {
    /// The record in the host's log.
    seq: Sequence,
    source: &'a str,
    received: Timestamp,
    /// It is the fold's own, and no host's.
    is_gap: bool,
}

impl Known<'_> {
    /// Whether a message can be the one that ended with it. One that was sent again comes later.
    fn may_end(&self, message: &Message) -> bool {
        let Subject::Host { host, .. } = &message.subject else { return false };
        let of_host = self.source.strip_prefix(host.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let ends_there = || message.head.parse::<Head>().is_ok_and(|head| head.last() == self.seq);
        of_host && message.arrived <= self.received && (self.is_gap || ends_there())
    }
}
