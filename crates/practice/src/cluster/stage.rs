//! The stage on which an event plays: the nodes, the time, and the few moves that all events are made of.
//! A move changes standings and time lines; which moves an event makes is said by the event.
//! Nothing here knows a length.

use std::time::Duration;

use jiff::Timestamp;

use super::nodes::Nodes;
use super::standing::Standing;
use crate::clock::later;
use crate::options::{ElectionPace, Product};
use crate::state::turn::Truth;

/// The stage on which an event plays.
pub(crate) struct Stage<'a> {
    pub(crate) nodes: &'a mut Nodes,
    pub(crate) truth: &'a Truth,
    pub(crate) now: Timestamp,
    pub(crate) product: Product,
    pub(crate) pace: ElectionPace,
}

impl Stage<'_> {
    pub(super) fn at(&self, after: Duration) -> Timestamp {
        later(self.now, after)
    }

    pub(super) fn with_leader(&mut self, act: impl FnOnce(&mut Self, usize)) {
        if let Some(leader) = self.nodes.leader {
            act(self, leader);
        }
    }

    pub(super) fn stand(&mut self, node: usize, standing: Standing) {
        let now = self.now;
        if let Some(node) = self.nodes.list.get_mut(node) {
            node.stand(now, standing);
        }
    }

    pub(super) fn play(&mut self, node: usize, line: Vec<(Duration, Standing)>) {
        let now = self.now;
        if let Some(node) = self.nodes.list.get_mut(node) {
            node.play(now, line.into_iter().map(|(after, standing)| (later(now, after), standing)));
        }
    }

    /// The next leader: the first voter after the old one.
    pub(super) fn successor(&self, old: usize) -> Option<usize> {
        let voters = self.nodes.voters(self.now);
        let count = self.nodes.list.len();
        (1..count).map(|step| (old + step) % count).find(|node| voters.contains(node))
    }

    pub(super) fn crown(&mut self, node: usize, after: Duration) {
        self.nodes.leader = Some(node);
        let since = self.at(after);
        if let Some(node) = self.nodes.list.get_mut(node) {
            node.active_since = since;
            node.was_elected = true;
            node.leader_silent_since = None;
        }
    }

    pub(super) fn others(&self, besides: &[usize]) -> Vec<usize> {
        self.nodes.voters(self.now).into_iter().filter(|node| !besides.contains(node)).collect()
    }
}
