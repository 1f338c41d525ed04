//! Nodes and what becomes of them: who leads, who forwards, who redirects, who is silent, for how long.
//! An event writes the future of every node as a short time line with the measured lengths (vault-measured 5).
//! No node computes anything by itself: this is a play, not a consensus.

pub(crate) mod balancer;
mod elections;
mod events;
mod freezes;
mod handle;
mod lengths;
mod mishaps;
mod network;
pub(crate) mod nodes;
mod stage;
pub(crate) mod standing;

pub use balancer::{Balance, Balancer};
pub use events::ClusterEvent;
pub(crate) use events::happen;
pub use handle::Cluster;
pub use network::ClusterNetwork;
pub(crate) use stage::Stage;
