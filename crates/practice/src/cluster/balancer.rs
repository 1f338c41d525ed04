//! A load balancer in front of a cluster, because clients seldom talk to a node they have chosen.
//! Two kinds matter: one that keeps a connection on its node, and one that chooses for every request (vault-measured 7).
//! It believes health codes, like real ones, and so it also believes a thawed ex-leader.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::handle::Cluster;
use crate::practice::Practice;

/// Which nodes a balancer sends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Balance {
    /// Every node in turn, dead or alive.
    RoundRobin,
    /// Every node in turn whose health says 200.
    Healthy,
    /// Every node in turn that isn't the leader.
    Standbys,
}

/// A load balancer.
#[derive(Debug, Clone)]
pub struct Balancer {
    cluster: Cluster,
    balance: Balance,
    turn: Arc<AtomicUsize>,
}

impl Balancer {
    pub(crate) fn new(cluster: Cluster, balance: Balance) -> Balancer {
        Balancer { cluster, balance, turn: Arc::default() }
    }

    /// A new connection to the next node in turn: it stays on that node. Nothing when no node fits.
    pub fn connect(&self) -> Option<Practice> {
        let fitting: Vec<Practice> = match self.balance {
            Balance::RoundRobin => self.cluster.nodes().collect(),
            Balance::Healthy => self.cluster.nodes().filter(Practice::calls_itself_active).collect(),
            Balance::Standbys => {
                let leader = self.cluster.leader();
                (0..self.cluster.size())
                    .filter(|index| Some(*index) != leader)
                    .map(|index| self.cluster.node(index))
                    .collect()
            }
        };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let index = turn.checked_rem(fitting.len())?;
        fitting.get(index).map(Practice::connect)
    }
}
