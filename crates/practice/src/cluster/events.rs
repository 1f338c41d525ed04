//! What can happen to a cluster, and which part of the play carries it out.
//! An event writes a time line for every node, with the measured lengths; then it is over.
//! An event on a single node does nothing but what a single node can do.

use super::stage::Stage;

/// Something that happens to a cluster. Nodes are numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterEvent {
    /// The leader is told to step down.
    StepDown,
    /// A node's process is killed.
    Kill(usize),
    /// The leader's process is killed.
    KillLeader,
    /// All but this node are killed.
    KillAllBut(usize),
    /// A killed node is started again and unsealed.
    Restart(usize),
    /// All killed nodes are started again and unsealed.
    RestartAll,
    /// A node's process is stopped, as a suspended machine is.
    Freeze(usize),
    /// The leader's process is stopped.
    FreezeLeader,
    /// All stopped nodes go on.
    ThawAll,
    /// Every thawed node that wrongly calls itself active is restarted: nothing else cures it (vault-measured 5.4).
    RestartLiars,
    /// The ports between the nodes are cut; the API ports are not.
    CutClusterPorts,
    /// The ports between the nodes work again.
    MendClusterPorts,
    /// The leader's disk is full: it fails to write, then steps down and nobody can take over.
    FillDisks,
    /// There is space again.
    EmptyDisks,
    /// A follower loses its storage and joins again: sealed, then behind.
    WipeFollower,
}

/// Lets an event happen.
pub(crate) fn happen(stage: &mut Stage<'_>, event: ClusterEvent) {
    match event {
        ClusterEvent::StepDown => stage.step_down(),
        ClusterEvent::Kill(node) => stage.kill(node),
        ClusterEvent::KillLeader => stage.with_leader(Stage::kill),
        ClusterEvent::KillAllBut(survivor) => stage.kill_all_but(survivor),
        ClusterEvent::Restart(node) => stage.restart(node),
        ClusterEvent::RestartAll => {
            for node in 0..stage.nodes.list.len() {
                stage.restart(node);
            }
        }
        ClusterEvent::Freeze(node) => stage.freeze(node),
        ClusterEvent::FreezeLeader => stage.with_leader(Stage::freeze),
        ClusterEvent::ThawAll => stage.thaw_all(),
        ClusterEvent::RestartLiars => stage.restart_liars(),
        ClusterEvent::CutClusterPorts => stage.cut_ports(),
        ClusterEvent::MendClusterPorts => stage.mend_ports(),
        ClusterEvent::FillDisks => stage.fill_disks(),
        ClusterEvent::EmptyDisks => stage.empty_disks(),
        ClusterEvent::WipeFollower => stage.wipe_follower(),
    }
}
