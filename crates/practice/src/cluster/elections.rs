//! Power changing hands: step-down, kill, restart, lost and regained quorum (vault-measured 5.1, 5.2, 5.5).
//! Who comes next is the first voter after the old leader: any order would do, this one can be foretold.
//! Freezing is in `freezes`.

use std::time::Duration;

use super::lengths::{LAST_READS, QUORUM_BACK, REJOIN, lengths};
use super::stage::Stage;
use super::standing::Standing;

impl Stage<'_> {
    pub(super) fn step_down(&mut self) {
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

    pub(super) fn kill(&mut self, node: usize) {
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
    pub(super) fn elect(&mut self, old: usize) {
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
    pub(super) fn orphan(&mut self, survivors: &[usize], dead: usize) {
        self.nodes.leader = None;
        self.silence_leader();
        for node in survivors {
            self.stand(*node, Standing::Redirecting { to: dead });
        }
    }

    pub(super) fn silence_leader(&mut self) {
        let now = self.now;
        for node in &mut self.nodes.list {
            node.leader_silent_since.get_or_insert(now);
        }
    }

    /// A leader that has lost its followers.
    pub(super) fn lose_quorum(&mut self) {
        let Some(leader) = self.nodes.leader.take() else { return };
        self.play(leader, vec![(Duration::ZERO, Standing::LosingQuorum), (LAST_READS, Standing::Leaderless)]);
    }

    pub(super) fn kill_all_but(&mut self, survivor: usize) {
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

    pub(super) fn restart(&mut self, node: usize) {
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
}
