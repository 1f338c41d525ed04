//! The nodes of a cluster (or the one node of a single Vault), each with its time line of standings.
//! A time line holds what will happen if nothing else does; an event cuts it off and writes a new one.
//! Addresses are only names here: nobody listens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::standing::Standing;
use crate::clock::span;
use crate::options::Scheme;
use crate::state::config::Config;

/// One node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Scheme, host and port.
    pub(crate) address: String,
    pub(crate) initialized: bool,
    pub(crate) sealed: bool,
    /// Since when it is active, or was.
    pub(crate) active_since: Timestamp,
    /// Whether it came to power by a change of leaders: only such a leader stays on after a freeze (vault-measured 1.5).
    pub(crate) was_elected: bool,
    /// Since when its leader is silent, if it is.
    pub(crate) leader_silent_since: Option<Timestamp>,
    /// What it was when it was frozen, if it is.
    pub(crate) frozen: Option<Frozen>,
    line: Vec<(Timestamp, Standing)>,
}

/// A node at the moment when its process was stopped.
#[derive(Debug, Clone)]
pub(crate) struct Frozen {
    pub(crate) since: Timestamp,
    pub(crate) config: Arc<Config>,
    pub(crate) led: bool,
}

/// All nodes.
#[derive(Debug, Clone)]
pub(crate) struct Nodes {
    pub(crate) list: Vec<Node>,
    /// Who leads, or will when the time line has run.
    pub(crate) leader: Option<usize>,
}

/// The distance between the API ports of two nodes (vault-server 8.5).
const PORT_STEP: u16 = 10;
/// How often a standby hears its leader (vault-server 5.3).
const HEARTBEAT: Duration = Duration::from_secs(5);

impl Nodes {
    /// So many nodes, the first of which leads.
    pub(crate) fn new(count: usize, first: SocketAddr, scheme: Scheme, now: Timestamp) -> Nodes {
        let list = (0..count).map(|index| {
            let port = first.port().saturating_add(PORT_STEP.saturating_mul(index as u16));
            let address = format!("{}://{}", scheme.as_str(), SocketAddr::new(first.ip(), port));
            let standing = if index == 0 { Standing::Active } else { Standing::Standby { leader: 0 } };
            Node {
                address,
                initialized: true,
                sealed: false,
                active_since: now,
                was_elected: false,
                leader_silent_since: None,
                frozen: None,
                line: vec![(now, standing)],
            }
        });
        Nodes { list: list.collect(), leader: Some(0) }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.list.len() > 1
    }

    pub(crate) fn node(&self, index: usize) -> Option<&Node> {
        self.list.get(index)
    }

    pub(crate) fn address(&self, index: usize) -> String {
        self.node(index).map(|node| node.address.clone()).unwrap_or_default()
    }

    /// The nodes that could vote at this moment.
    pub(crate) fn voters(&self, now: Timestamp) -> Vec<usize> {
        let votes =
            |node: &Node| !node.sealed && !matches!(node.standing(now), Standing::Dead | Standing::Frozen);
        self.list.iter().enumerate().filter(|(_, node)| votes(node)).map(|(index, _)| index).collect()
    }

    pub(crate) fn quorum(&self) -> usize {
        self.list.len() / 2 + 1
    }
}

impl Node {
    /// How it stands at a moment.
    pub(crate) fn standing(&self, now: Timestamp) -> &Standing {
        let past = self.line.iter().rev().find(|(from, _)| *from <= now);
        past.or(self.line.first()).map_or(&Standing::Leaderless, |(_, standing)| standing)
    }

    /// When it will stand otherwise, if that is written already.
    pub(crate) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.line.iter().map(|(from, _)| *from).find(|from| *from > now)
    }

    /// Writes a new time line from now on.
    pub(crate) fn play(&mut self, now: Timestamp, line: impl IntoIterator<Item = (Timestamp, Standing)>) {
        let current = self.standing(now).clone();
        self.line = vec![(now, current)];
        self.line.extend(line);
    }

    /// Lets it stand like this from now on.
    pub(crate) fn stand(&mut self, now: Timestamp, standing: Standing) {
        self.line = vec![(now, standing)];
    }

    /// How long ago it heard its leader.
    pub(crate) fn heartbeat(&self, now: Timestamp) -> Duration {
        match self.leader_silent_since {
            Some(since) => span(since, now),
            None => {
                let millis = span(self.active_since, now).as_millis() % HEARTBEAT.as_millis();
                Duration::from_millis(millis as u64)
            }
        }
    }
}
