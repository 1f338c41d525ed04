//! What happens to a cluster, and the time line that it writes for every node. All lengths were measured (vault-measured 5).
//! Where only one pace or product was measured, the other one gets the same length, and its constant says so.
//! An event on a single node does nothing but what a single node can do.

use std::time::Duration;

use jiff::Timestamp;

use super::nodes::{Frozen, Nodes};
use super::standing::{Silence, Standing};
use crate::clock::later;
use crate::options::{ElectionPace, Product};
use crate::state::turn::Truth;

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

/// The measured lengths.
struct Lengths {
    /// Until the new leader serves after a kill.
    takeover: Duration,
    /// Until the third node serves after a kill.
    others: Duration,
    /// Until a new leader is elected while the old one is frozen.
    election: Duration,
    /// Until the node that took over from a frozen leader serves.
    frozen_takeover: Duration,
    /// Until the third node serves after a freeze.
    frozen_others: Duration,
    /// Until the nodes serve after a step-down: the one that takes over, the old leader, the third.
    step_down: [Duration; 3],
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The forwarding connection's keep-alive limit: when the third node begins to redirect (vault-measured 5.3).
const KEEP_ALIVE: Duration = ms(27_000);
/// How long an old leader without a quorum still reads (vault-measured 5.5).
const LAST_READS: Duration = ms(1_000);
/// Until a restarted node serves after its unseal (vault-measured 5.2: 5.0 to 8.4 s).
const REJOIN: Duration = ms(7_800);
/// Until service is back when the quorum is (vault-measured 5.5: 1.6 to 2.8 s).
const QUORUM_BACK: Duration = ms(1_700);
/// Until the first leader since initialisation steps down after a thaw (vault-measured 5.4).
const FIRST_LEADER_YIELDS: Duration = ms(1_500);
/// Until the other node serves when the old leader thaws before the keep-alive limit (not measured).
const EARLY_THAW: Duration = ms(1_000);
/// Until a node with a full disk steps down, and until it is back (vault-measured 5.6: back after 4 to 6 s).
const DISK_STEP_DOWN: Duration = ms(500);
const DISK_BACK: Duration = ms(5_000);
/// How long a wiped follower stays sealed, and then behind (not measured).
const WIPED: Duration = ms(10_000);

fn lengths(product: Product, pace: ElectionPace) -> Lengths {
    let vault = product == Product::Vault;
    let quick = pace == ElectionPace::Quick;
    let [takeover, others] = match (vault, quick) {
        (true, true) => [ms(1_850), ms(1_850)],
        (true, false) => [ms(11_200), ms(11_200)],
        (false, true) => [ms(2_100), ms(4_900)],
        (false, false) => [ms(8_950), ms(11_600)],
    };
    let [frozen_takeover, frozen_others] = match (vault, quick) {
        (true, true) => [ms(27_900), ms(31_000)],
        (true, false) => [ms(27_500), ms(27_500)],
        (false, true) => [ms(27_200), ms(31_000)],
        (false, false) => [ms(27_100), ms(31_000)],
    };
    Lengths {
        takeover,
        others,
        election: if quick { ms(2_000) } else { ms(12_000) },
        frozen_takeover,
        frozen_others,
        // Measured with the quick pace only; a step-down hands the power over and waits for no time-out.
        step_down: if vault { [ms(500), ms(500), ms(500)] } else { [ms(540), ms(3_140), ms(3_500)] },
    }
}

/// The stage on which an event plays.
pub(crate) struct Stage<'a> {
    pub(crate) nodes: &'a mut Nodes,
    pub(crate) truth: &'a Truth,
    pub(crate) now: Timestamp,
    pub(crate) product: Product,
    pub(crate) pace: ElectionPace,
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
        ClusterEvent::CutClusterPorts => stage.cut_ports(),
        ClusterEvent::MendClusterPorts => stage.mend_ports(),
        ClusterEvent::FillDisks => stage.fill_disks(),
        ClusterEvent::EmptyDisks => stage.empty_disks(),
        ClusterEvent::WipeFollower => stage.wipe_follower(),
    }
}

impl Stage<'_> {
    fn at(&self, after: Duration) -> Timestamp {
        later(self.now, after)
    }

    fn with_leader(&mut self, act: impl FnOnce(&mut Self, usize)) {
        if let Some(leader) = self.nodes.leader {
            act(self, leader);
        }
    }

    fn stand(&mut self, node: usize, standing: Standing) {
        let now = self.now;
        if let Some(node) = self.nodes.list.get_mut(node) {
            node.stand(now, standing);
        }
    }

    fn play(&mut self, node: usize, line: Vec<(Duration, Standing)>) {
        let now = self.now;
        if let Some(node) = self.nodes.list.get_mut(node) {
            node.play(now, line.into_iter().map(|(after, standing)| (later(now, after), standing)));
        }
    }

    /// The next leader: the first voter after the old one.
    fn successor(&self, old: usize) -> Option<usize> {
        let voters = self.nodes.voters(self.now);
        let count = self.nodes.list.len();
        (1..count).map(|step| (old + step) % count).find(|node| voters.contains(node))
    }

    fn crown(&mut self, node: usize, after: Duration) {
        self.nodes.leader = Some(node);
        let since = self.at(after);
        if let Some(node) = self.nodes.list.get_mut(node) {
            node.active_since = since;
            node.was_elected = true;
            node.leader_silent_since = None;
        }
    }

    fn others(&self, besides: &[usize]) -> Vec<usize> {
        self.nodes.voters(self.now).into_iter().filter(|node| !besides.contains(node)).collect()
    }

    pub(crate) fn step_down(&mut self) {
        let Some(old) = self.nodes.leader else { return };
        let Some(new) = self.successor(old) else { return };
        let [taken, back, others] = lengths(self.product, self.pace).step_down;
        let zero = Duration::ZERO;
        self.play(
            old,
            vec![
                (zero, Standing::Leaderless),
                (taken, Standing::Redirecting { to: new }),
                (back, Standing::Standby { leader: new }),
            ],
        );
        self.play(new, vec![(zero, Standing::Redirecting { to: old }), (taken, Standing::Active)]);
        for third in self.others(&[old, new]) {
            self.play(
                third,
                vec![
                    (zero, Standing::Redirecting { to: old }),
                    (taken, Standing::Redirecting { to: new }),
                    (others, Standing::Standby { leader: new }),
                ],
            );
        }
        self.crown(new, taken);
    }

    fn kill(&mut self, node: usize) {
        let led = self.nodes.leader == Some(node);
        self.stand(node, Standing::Dead);
        if !self.nodes.is_cluster() {
            return;
        }
        let voters = self.nodes.voters(self.now);
        let survivors_lead = voters.len() >= self.nodes.quorum();
        match (led, survivors_lead) {
            (true, true) => self.elect(node),
            (true, false) => self.orphan(&voters, node),
            (false, false) => self.lose_quorum(),
            (false, true) => {}
        }
    }

    /// The survivors of a dead leader choose one of themselves.
    fn elect(&mut self, old: usize) {
        let Some(new) = self.successor(old) else { return };
        let lengths = lengths(self.product, self.pace);
        self.silence_leader();
        self.play(
            new,
            vec![(Duration::ZERO, Standing::Redirecting { to: old }), (lengths.takeover, Standing::Active)],
        );
        for third in self.others(&[old, new]) {
            self.play(
                third,
                vec![
                    (Duration::ZERO, Standing::Redirecting { to: old }),
                    (lengths.takeover, Standing::Redirecting { to: new }),
                    (lengths.others, Standing::Standby { leader: new }),
                ],
            );
        }
        self.crown(new, lengths.takeover);
    }

    /// Survivors without a quorum point to their dead leader for ever (vault-measured 1.3).
    fn orphan(&mut self, survivors: &[usize], dead: usize) {
        self.nodes.leader = None;
        self.silence_leader();
        for node in survivors {
            self.stand(*node, Standing::Redirecting { to: dead });
        }
    }

    fn silence_leader(&mut self) {
        let now = self.now;
        for node in &mut self.nodes.list {
            node.leader_silent_since.get_or_insert(now);
        }
    }

    /// A leader that has lost its followers.
    fn lose_quorum(&mut self) {
        let Some(leader) = self.nodes.leader.take() else { return };
        self.play(leader, vec![(Duration::ZERO, Standing::LosingQuorum), (LAST_READS, Standing::Leaderless)]);
    }

    fn kill_all_but(&mut self, survivor: usize) {
        let led = self.nodes.leader == Some(survivor);
        let old = self.nodes.leader;
        for node in (0..self.nodes.list.len()).filter(|node| *node != survivor) {
            self.stand(node, Standing::Dead);
        }
        match old {
            _ if led => self.lose_quorum(),
            Some(dead) => self.orphan(&[survivor], dead),
            None => {}
        }
    }

    fn restart(&mut self, node: usize) {
        let dead = self.nodes.node(node).is_some_and(|n| matches!(n.standing(self.now), Standing::Dead));
        if !dead {
            return;
        }
        if !self.nodes.is_cluster() {
            self.stand(node, Standing::Active);
            return;
        }
        self.stand(node, Standing::Leaderless);
        if let Some(known) = self.nodes.list.get_mut(node) {
            known.sealed = false;
            known.was_elected = false;
        }
        if let Some(leader) = self.nodes.leader {
            self.play(node, vec![(REJOIN, Standing::Standby { leader })]);
            return;
        }
        let voters = self.nodes.voters(self.now);
        if voters.len() < self.nodes.quorum() {
            return;
        }
        let Some(leader) = voters.into_iter().find(|voter| *voter != node) else { return };
        self.play(leader, vec![(QUORUM_BACK, Standing::Active)]);
        for other in self.others(&[leader]) {
            self.play(other, vec![(REJOIN, Standing::Standby { leader })]);
        }
        self.crown(leader, QUORUM_BACK);
        for node in &mut self.nodes.list {
            node.leader_silent_since = None;
        }
    }

    fn freeze(&mut self, node: usize) {
        let now = self.now;
        let led = self.nodes.leader == Some(node);
        let config = self.truth.view();
        self.stand(node, Standing::Frozen);
        if let Some(known) = self.nodes.list.get_mut(node) {
            known.frozen = Some(Frozen { since: now, config, led });
        }
        if !led || !self.nodes.is_cluster() {
            return;
        }
        self.silence_leader();
        let voters = self.nodes.voters(now);
        let Some(new) = self.successor(node).filter(|_| voters.len() >= self.nodes.quorum()) else {
            for survivor in voters {
                self.stand(survivor, Standing::Stalled { to: node, silence: Silence::OnlyForwarded });
            }
            return;
        };
        let lengths = lengths(self.product, self.pace);
        let waiting = Standing::Stalled { to: node, silence: Silence::OnlyForwarded };
        self.play(
            new,
            vec![
                (Duration::ZERO, waiting.clone()),
                (lengths.election, Standing::Stalled { to: node, silence: Silence::All }),
                (lengths.frozen_takeover, Standing::Active),
            ],
        );
        for third in self.others(&[node, new]) {
            self.play(
                third,
                vec![
                    (Duration::ZERO, waiting.clone()),
                    (lengths.election, Standing::Stalled { to: node, silence: Silence::Forwarded }),
                    (KEEP_ALIVE, Standing::Redirecting { to: new }),
                    (lengths.frozen_others, Standing::Standby { leader: new }),
                ],
            );
        }
        self.crown(new, lengths.frozen_takeover);
    }

    fn thaw_all(&mut self) {
        for node in 0..self.nodes.list.len() {
            let frozen = self.nodes.list.get_mut(node).and_then(|node| node.frozen.take());
            if let Some(frozen) = frozen {
                self.thaw(node, frozen);
            }
        }
        for node in &mut self.nodes.list {
            node.leader_silent_since = None;
        }
    }

    fn thaw(&mut self, node: usize, frozen: Frozen) {
        let leader = self.nodes.leader.unwrap_or(node);
        let elected_by = later(frozen.since, lengths(self.product, self.pace).election);
        if !frozen.led {
            self.stand(node, Standing::Standby { leader });
        } else if leader == node || self.now < elected_by {
            // Nobody took over: all is as it was.
            self.nodes.leader = Some(node);
            self.stand(node, Standing::Active);
            for other in self.others(&[node]) {
                self.stand(other, Standing::Standby { leader: node });
            }
        } else {
            self.stay_on(node, leader, frozen);
        }
    }

    /// A thawed leader that another one has replaced (vault-measured 5.4).
    fn stay_on(&mut self, node: usize, leader: usize, frozen: Frozen) {
        let now = self.now;
        let stays = self.nodes.node(node).is_some_and(|node| node.was_elected);
        self.stand(node, Standing::SecondActive { since: frozen.since, config: frozen.config });
        if !stays {
            self.play(node, vec![(FIRST_LEADER_YIELDS, Standing::Standby { leader })]);
        }
        let serves = self.nodes.node(leader).is_some_and(|l| matches!(l.standing(now), Standing::Active));
        if !serves {
            self.play(leader, vec![(EARLY_THAW, Standing::Active)]);
            for third in self.others(&[node, leader]) {
                self.play(third, vec![(EARLY_THAW, Standing::Standby { leader })]);
            }
        }
    }

    fn cut_ports(&mut self) {
        let Some(leader) = self.nodes.leader else { return };
        self.silence_leader();
        for node in self.others(&[leader]) {
            self.stand(node, Standing::Redirecting { to: leader });
        }
    }

    fn mend_ports(&mut self) {
        let Some(leader) = self.nodes.leader else { return };
        for node in self.others(&[leader]) {
            self.stand(node, Standing::Standby { leader });
        }
        for node in &mut self.nodes.list {
            node.leader_silent_since = None;
        }
    }

    fn fill_disks(&mut self) {
        let Some(leader) = self.nodes.leader else { return };
        self.play(leader, vec![(Duration::ZERO, Standing::DiskFull), (DISK_STEP_DOWN, Standing::Leaderless)]);
        for node in self.others(&[leader]) {
            self.play(node, vec![(DISK_STEP_DOWN, Standing::Leaderless)]);
        }
    }

    fn empty_disks(&mut self) {
        let Some(leader) = self.nodes.leader else { return };
        self.play(leader, vec![(DISK_BACK, Standing::Active)]);
        for node in self.others(&[leader]) {
            self.play(node, vec![(DISK_BACK, Standing::Standby { leader })]);
        }
    }

    fn wipe_follower(&mut self) {
        let Some(leader) = self.nodes.leader else { return };
        let Some(follower) = self.others(&[leader]).into_iter().next_back() else { return };
        self.play(
            follower,
            vec![(Duration::ZERO, Standing::Leaderless), (WIPED, Standing::Standby { leader })],
        );
    }
}
