//! How long everything takes in a cluster, as measured on real ones (vault-measured 5).
//! Where only one pace or product was measured, the other one gets the same length, and the comment says so.
//! Numbers only.

use std::time::Duration;

use crate::options::{ElectionPace, Product};

/// The measured lengths.
pub(super) struct Lengths {
    /// Until the new leader serves after a kill.
    pub(super) takeover: Duration,
    /// Until the third node serves after a kill.
    pub(super) others: Duration,
    /// Until a new leader is elected while the old one is frozen.
    pub(super) election: Duration,
    /// Until the node that took over from a frozen leader serves.
    pub(super) frozen_takeover: Duration,
    /// Until the third node serves after a freeze.
    pub(super) frozen_others: Duration,
    /// Until the nodes serve after a step-down: the one that takes over, the old leader, the third.
    pub(super) step_down: [Duration; 3],
}

pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The forwarding connection's keep-alive limit: when the third node begins to redirect (vault-measured 5.3).
pub(super) const KEEP_ALIVE: Duration = ms(27_000);
/// How long an old leader without a quorum still reads (vault-measured 5.5).
pub(super) const LAST_READS: Duration = ms(1_000);
/// Until a restarted node serves after its unseal (vault-measured 5.2: 5.0 to 8.4 s).
pub(super) const REJOIN: Duration = ms(7_800);
/// Until service is back when the quorum is (vault-measured 5.5: 1.6 to 2.8 s).
pub(super) const QUORUM_BACK: Duration = ms(1_700);
/// Until the first leader since initialisation steps down after a thaw (vault-measured 5.4).
pub(super) const FIRST_LEADER_YIELDS: Duration = ms(1_500);
/// Until the other node serves when the old leader thaws before the keep-alive limit (not measured).
pub(super) const EARLY_THAW: Duration = ms(1_000);
/// Until a node with a full disk steps down, and until it is back (vault-measured 5.6: back after 4 to 6 s).
pub(super) const DISK_STEP_DOWN: Duration = ms(500);
pub(super) const DISK_BACK: Duration = ms(5_000);
/// How long a wiped follower stays sealed, and then behind (not measured).
pub(super) const WIPED: Duration = ms(10_000);

pub(super) fn lengths(product: Product, pace: ElectionPace) -> Lengths {
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
