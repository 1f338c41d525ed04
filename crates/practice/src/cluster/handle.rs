//! A cluster as its users hold it: nodes to connect to, events to let happen.
//! Every node is a `Practice` of its own over the same state.
//! It listens nowhere: sockets are the server's business.

use super::balancer::{Balance, Balancer};
use super::events::ClusterEvent;
use super::network::ClusterNetwork;
use crate::faults::Deed;
use crate::options::Options;
use crate::practice::Practice;

/// Three nodes (or another odd number) that share one state.
#[derive(Debug, Clone)]
pub struct Cluster {
    first: Practice,
    size: usize,
}

/// How many nodes a cluster usually has.
const USUAL_SIZE: usize = 3;

impl Cluster {
    /// Three nodes; node 0 leads.
    pub fn new(options: Options) -> Cluster {
        Cluster::of(USUAL_SIZE, options)
    }

    /// So many nodes, at least one; node 0 leads.
    pub fn of(size: usize, options: Options) -> Cluster {
        let size = size.max(1);
        Cluster { first: Practice::with_nodes(size, options), size }
    }

    /// One node. A number that is too high gives a node that doesn't exist: it refuses connections.
    pub fn node(&self, index: usize) -> Practice {
        self.first.at_node(index)
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = Practice> + '_ {
        (0..self.size).map(|index| self.node(index))
    }

    /// The node that leads, or will when an election under way is over.
    pub fn leader(&self) -> Option<usize> {
        self.first.leader()
    }

    /// The node with this address, such as a redirect names.
    pub fn at_address(&self, address: &str) -> Option<Practice> {
        let address = address.trim_end_matches('/');
        self.nodes().find(|node| node.address() == address)
    }

    /// Lets something happen.
    pub fn happen(&self, event: ClusterEvent) {
        self.first.perform(&Deed::Cluster(event));
    }

    /// A balancer in front of all nodes.
    pub fn balancer(&self, balance: Balance) -> Balancer {
        Balancer::new(self.clone(), balance)
    }

    /// The network in front of the nodes: requests go to the node whose address their URI names.
    pub fn network(&self) -> ClusterNetwork {
        ClusterNetwork::new(self.clone())
    }

    /// How many nodes there are, the dead included.
    pub fn size(&self) -> usize {
        self.size
    }
}
