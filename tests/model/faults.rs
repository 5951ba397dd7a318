//! What goes wrong, until the hosts have made their records. Each fault is over by itself after a while.

use crate::setup::{MS, SECOND};
use crate::world::{Job, World};
use rand::RngExt as _;

impl World<'_> {
    pub(crate) fn fault(&mut self) {
        if self.now >= self.setup.time {
            return;
        }
        self.told.faults += 1;
        if self.setup.loses && self.random.random_ratio(1, 6) {
            self.lose_tail();
            return self.soon(2 * self.setup.fault_every, Job::Fault);
        }
        let (host, node) = (self.random.random_range(0..self.hosts.len()), self.random.random_range(0..self.hub.nodes.len()));
        match self.random.random_range(0..8) {
            0 => self.kill_node(node),
            1 => {
                self.kill_node(node);
                self.kill_node((node + 1) % self.setup.nodes);
            }
            2 => {
                self.lose(node);
                self.hub.nodes[node].cut = true;
                self.soon(15 * SECOND, Job::RejoinNode(node));
            }
            3 => {
                self.hosts[host].crash();
                self.soon(10 * SECOND, Job::StartHost(host));
            }
            4 => {
                self.hosts[host].cut = true;
                self.soon(30 * SECOND, Job::RejoinHost(host));
            }
            5 => {
                let server = self.random.random_range(0..self.servers.len());
                self.servers[server].crash();
                self.soon(10 * SECOND, Job::StartServer(server));
            }
            6 => {
                self.hub.nodes[node].slow = self.random.random_range(0..3 * SECOND);
                self.soon(15 * SECOND, Job::Quicken(node));
            }
            _ => self.hub.nodes[node].skew = self.random.random_range(-10_000_000_000..10_000_000_000),
        }
        self.soon(2 * self.setup.fault_every, Job::Fault);
    }

    /// Hosts and servers find out by themselves. For its stores to be put back all nodes were down, and what
    /// was on its way to them went with their connections.
    fn lose_tail(&mut self) {
        let stored = self.hub.stored.len();
        let kept = stored - self.random.random_range(0..=stored.min(60));
        for server in &self.servers {
            self.untold.extend(server.untold(&self.hub));
        }
        self.hub.lose_tail(kept);
        self.jobs.retain(|_, job| !matches!(job, Job::Reach(..)));
        self.hosts.iter_mut().for_each(|host| host.acknowledged.retain(|(place, _)| *place <= kept as u64));
        self.told.losses += 1;
        self.soon(4 * SECOND, Job::Elect);
    }

    fn kill_node(&mut self, node: usize) {
        self.lose(node);
        self.hub.nodes[node].up = false;
        self.soon(20 * SECOND, Job::StartNode(node));
    }

    fn lose(&mut self, node: usize) {
        if self.hub.leader == Some(node) {
            self.hub.lose_leader(&mut self.random);
            let wait = self.random.random_range(300 * MS..4 * SECOND);
            self.later(wait, Job::Elect);
        }
    }
}
