//! A server whose hub has lost something: the promises of the product's follower in few lines. Which records
//! stay is what the product's fold gives, and an epoch in the stream tells it to the others.

use crate::hub::Hub;
use crate::lines::TENANT;
use crate::server::{Server, newest};
use rand::RngExt as _;
use rand::rngs::StdRng;
use shipslog::cursor::LogId;
use shipslog::follow::{Earlier, Epoch, FOLD};
use shipslog::stream::Subject;

impl Server {
    /// Whether the hub has not what this server goes on with, its newest message or what tells its id; or not
    /// what it was seen to have, which others may have read.
    pub(crate) fn lacks(&self, hub: &Hub) -> bool {
        let (_, before) = self.ids.split_last().unwrap();
        let is_id_lost = match hub.newest_epoch() {
            Some(epoch) => before.iter().any(|id| id.fleet == epoch.fleet),
            None => !before.is_empty(),
        };
        is_id_lost || self.witness.iter().chain(self.messages.last().map(|(message, _)| message)).any(|message| !hub.has(message))
    }

    /// Ids that it has given to records which the hub has lost, while nobody was told so: when the hub loses
    /// something else meanwhile, whoever tells of that does not know of these.
    pub(crate) fn untold(&self, hub: &Hub) -> Vec<(LogId, usize)> {
        let kept = self.common(hub);
        if kept == self.messages.len() {
            return Vec::new();
        }
        let first = kept.checked_sub(1).map_or(0, |at| self.messages[at].1);
        (first..self.durable).map(|at| (self.id_at(at), at)).collect()
    }

    /// How many of its messages the hub has.
    fn common(&self, hub: &Hub) -> usize {
        self.messages.iter().take_while(|(message, _)| hub.has(message)).count()
    }

    /// Tells how the fleet goes on, unless another server has, and does so.
    pub(super) fn part(&mut self, hub: &mut Hub, random: &mut StdRng, now: u64) -> Result<(), String> {
        let told = hub.newest_epoch().filter(|epoch| !self.ids.iter().any(|id| id.fleet == epoch.fleet));
        let epoch = match told {
            Some(epoch) => epoch,
            None => {
                let epoch = Epoch { fleet: LogId::from_bytes(random.random()), earlier: self.earlier(hub), began: 0, fold: FOLD };
                if !hub.tell(epoch.to_message(Subject::epoch(TENANT).unwrap()), now) {
                    return Ok(());
                }
                epoch
            }
        };
        self.go_on(hub, &epoch)
    }

    /// Its ids up to what it has in common with the hub.
    fn earlier(&self, hub: &Hub) -> Vec<Earlier> {
        let common = self.common(hub);
        let last = common.checked_sub(1).map_or(0, |at| self.messages[at].1 as u64);
        let mut earlier: Vec<Earlier> = Vec::new();
        for id in &self.ids {
            let id = Earlier { fleet: id.fleet, at: id.at.min(common as u64), last: id.last.min(last) };
            if earlier.last().is_none_or(|before| before.last < id.last) {
                earlier.push(id);
            }
        }
        earlier
    }

    /// Goes on as an epoch tells, after what both have.
    pub(super) fn go_on(&mut self, hub: &Hub, epoch: &Epoch) -> Result<(), String> {
        let of = |own: &Earlier| epoch.earlier.iter().find(|earlier| earlier.fleet == own.fleet).map(|earlier| earlier.at);
        let shared = self.ids.iter().rev().find_map(of).unwrap_or(0);
        self.go_back(self.common(hub).min(usize::try_from(shared).unwrap()))?;
        self.ids = epoch.earlier.iter().copied().chain([newest(epoch.fleet)]).collect();
        self.witness = None;
        Ok(())
    }
}
