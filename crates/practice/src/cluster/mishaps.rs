//! Smaller mishaps: cut cluster ports, full disks, a wiped follower (vault-server 7, rows 8, 35, 47; vault-measured 5.6).
//! None of them changes who leads.
//! Each has its opposite.

use std::time::Duration;

use super::lengths::{DISK_BACK, DISK_STEP_DOWN, WIPED};
use super::stage::Stage;
use super::standing::Standing;

impl Stage<'_> {
    pub(super) fn cut_ports(&mut self) {
        let Some(leader) = self.nodes.leader else { return };
        self.silence_leader();
        for node in self.others(&[leader]) {
            self.stand(node, Standing::Redirecting { to: leader });
        }
    }

    pub(super) fn mend_ports(&mut self) {
        let Some(leader) = self.nodes.leader else { return };
        for node in self.others(&[leader]) {
            self.stand(node, Standing::Standby { leader });
        }
        for node in &mut self.nodes.list {
            node.leader_silent_since = None;
        }
    }

    pub(super) fn fill_disks(&mut self) {
        let Some(leader) = self.nodes.leader else { return };
        self.play(leader, vec![(Duration::ZERO, Standing::DiskFull), (DISK_STEP_DOWN, Standing::Leaderless)]);
        for node in self.others(&[leader]) {
            self.play(node, vec![(DISK_STEP_DOWN, Standing::Leaderless)]);
        }
    }

    pub(super) fn empty_disks(&mut self) {
        let Some(leader) = self.nodes.leader else { return };
        self.play(leader, vec![(DISK_BACK, Standing::Active)]);
        for node in self.others(&[leader]) {
            self.play(node, vec![(DISK_BACK, Standing::Standby { leader })]);
        }
    }

    pub(super) fn wipe_follower(&mut self) {
        let Some(leader) = self.nodes.leader else { return };
        let Some(follower) = self.others(&[leader]).into_iter().next_back() else { return };
        self.play(
            follower,
            vec![(Duration::ZERO, Standing::Leaderless), (WIPED, Standing::Standby { leader })],
        );
    }
}
