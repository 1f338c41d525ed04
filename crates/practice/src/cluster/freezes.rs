//! A stopped process, and what is left when it goes on: the hardest fault of all (vault-measured 5.3, 5.4).
//! A leader that had come to power by a change stays on as a second active node until somebody restarts it.
//! Nothing else in a cluster lies.

use std::time::Duration;

use super::lengths::{EARLY_THAW, FIRST_LEADER_YIELDS, KEEP_ALIVE, lengths};
use super::nodes::Frozen;
use super::stage::Stage;
use super::standing::{Silence, Standing};
use crate::clock::later;

impl Stage<'_> {
    pub(super) fn freeze(&mut self, node: usize) {
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

    pub(super) fn thaw_all(&mut self) {
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

    pub(super) fn thaw(&mut self, node: usize, frozen: Frozen) {
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
    pub(super) fn stay_on(&mut self, node: usize, leader: usize, frozen: Frozen) {
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

    pub(super) fn restart_liars(&mut self) {
        let now = self.now;
        for node in 0..self.nodes.list.len() {
            let lies = self
                .nodes
                .node(node)
                .is_some_and(|n| matches!(n.standing(now), Standing::SecondActive { .. }));
            if lies {
                self.stand(node, Standing::Dead);
                self.restart(node);
            }
        }
    }
}
