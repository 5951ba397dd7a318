//! Whether everything is everywhere, and whether the promises were kept.

use crate::host::Host;
use crate::lines::{host_of, subject};
use crate::server::{Seen, Server};
use crate::world::{Told, World};
use shipslog::forward::machine::Machine;

impl World<'_> {
    pub(crate) fn is_done(&mut self) -> bool {
        let stored = self.hub.stored.len() as u64;
        let is_done = !self.hub.waits()
            && self.hosts.iter().all(Host::is_done)
            && self.servers.iter().all(|server| server.up && server.place() == stored && !server.lacks(&self.hub));
        if is_done {
            self.servers.iter_mut().for_each(Server::flush);
        }
        is_done
    }

    pub(crate) fn unfinished(&self) -> String {
        let hosts: Vec<usize> = (0..self.hosts.len()).filter(|host| !self.hosts[*host].is_done()).take(5).collect();
        let states: Vec<_> = hosts.iter().filter_map(|host| self.hosts[*host].machine.as_ref().map(Machine::state)).collect();
        let places: Vec<u64> = self.servers.iter().map(Server::place).collect();
        format!("hosts {hosts:?} {states:?}; the hub has {} messages, the servers {places:?}", self.hub.stored.len())
    }

    /// After the hub has lost something: all servers have the same under the same ids, every host's records
    /// once, and under an id that has ended what any server ever had there, unless the hub lost messages
    /// again before anybody had told of the first loss.
    fn settle(&mut self) -> Result<(), String> {
        let [first, others @ ..] = &self.servers[..] else { return Ok(()) };
        if let Some(other) = others.iter().position(|other| other.ids != first.ids || other.records != first.records) {
            return Err(format!("server {} has {:?}, and the first one {:?}", other + 1, others[other].ids, first.ids));
        }
        for (at, seen) in first.records.iter().enumerate() {
            follows(&mut self.next, seen, at)?;
            let id = first.id_at(at);
            let known = self.given.get(&(id, at));
            let ended = first.ids.last().is_some_and(|newest| newest.fleet != id);
            if ended && !self.untold.contains(&(id, at)) && known.is_some_and(|known| known[..] != [*seen]) {
                return Err(format!("record {} of {id} was {known:?}, and is {seen:?}", at + 1));
            }
        }
        (self.told.ids, self.log) = (first.ids.len() as u64, first.records.clone());
        Ok(())
    }

    pub(crate) fn end(mut self) -> Result<Told, String> {
        if self.setup.loses {
            self.settle()?;
        }
        for (index, host) in self.hosts.iter().enumerate() {
            for (place, head) in &host.acknowledged {
                let stored = usize::try_from(place - 1).ok().and_then(|at| self.hub.stored.get(at));
                if stored.is_none_or(|stored| stored.head != *head || stored.subject != subject(index)) {
                    return Err(format!("message {place} of host {index} was acknowledged and is not there"));
                }
            }
            if self.next[index] != host.head() + 1 {
                return Err(format!("host {index} has {} records, and the fleet {}", host.head(), self.next[index] - 1));
            }
        }
        self.told.records = self.log.len() as u64;
        self.told.messages = self.hub.stored.len() as u64;
        self.told.digest =
            self.log.iter().fold(self.setup.seed, |digest, seen| digest.rotate_left(5) ^ seen.seq ^ u64::from(seen.log) << 32);
        Ok(self.told)
    }
}

/// Of each host everything is there once and in order.
pub(crate) fn follows(next: &mut [u64], seen: &Seen, at: usize) -> Result<(), String> {
    let next = &mut next[host_of(&format!("{:x}", seen.log))];
    if seen.seq != *next {
        return Err(format!("record {} of the fleet is {} of its host, where {next} is to come", at + 1, seen.seq));
    }
    *next += 1;
    Ok(())
}
