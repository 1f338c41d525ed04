//! Faults of Vaults: the rows of the fault table, and the thawed leader that refuses what has been mended meanwhile.

use std::sync::Arc;
use std::time::Duration;

use everleaf_practice::{ClusterEvent, Deed, Row, Schedule, by_row, faults::rows};

use crate::ledger;
use crate::stage::Stage;
use crate::vaults::Place;

/// When the leader is frozen, after the role began to refuse.
const FREEZE: Duration = Duration::from_secs(45);
/// When the role is mended, on the new leader (which serves after 28 to 31 s).
const MEND: Duration = Duration::from_secs(120);
/// When the old leader thaws.
const THAW: Duration = Duration::from_secs(130);

/// A fault of a Vault that has begun.
pub(super) enum Playing {
    Row { issuer: usize, row: Row },
    FalseRefusals { issuer: usize, frozen: usize },
}

pub(super) fn begin_row(stage: &Stage, issuer: usize, number: u8) -> Option<Playing> {
    let place = stage.vaults.of(issuer)?;
    let row = by_row(number, &place.scene)?;
    place.node.begin(&row);
    Some(Playing::Row { issuer, row })
}

pub(super) fn begin_false_refusals(stage: &Arc<Stage>, issuer: usize) -> Option<Playing> {
    let place = stage.vaults.of(issuer)?;
    let frozen = place.cluster()?.leader()?;
    let row = rows::names_disallowed(&place.scene);
    place.node.begin(&row);
    let mut schedule = Schedule::new().at(FREEZE, Deed::Cluster(ClusterEvent::Freeze(frozen)));
    for deed in row.heal {
        schedule = schedule.at(MEND, deed);
    }
    place.node.follow(&schedule.at(THAW, Deed::Cluster(ClusterEvent::ThawAll)));
    // From the mending on no refusal is true any more.
    let stage = stage.clone();
    tokio::spawn(async move {
        tokio::time::sleep(MEND).await;
        ledger::lock(&stage.ledger).scopes.end_refusing(issuer, stage.wall.elapsed());
    });
    Some(Playing::FalseRefusals { issuer, frozen })
}

pub(super) fn end(stage: &Stage, playing: &Playing) {
    match playing {
        Playing::Row { issuer, row } => with(stage, *issuer, |place| place.node.heal(row)),
        // Only a restart cures a thawed leader (vault-measured 5.4).
        Playing::FalseRefusals { issuer, frozen } => with(stage, *issuer, |place| {
            if let Some(cluster) = place.cluster() {
                cluster.happen(ClusterEvent::Kill(*frozen));
                cluster.happen(ClusterEvent::Restart(*frozen));
            }
        }),
    }
}

fn with(stage: &Stage, issuer: usize, act: impl FnOnce(&Place)) {
    if let Some(place) = stage.vaults.of(issuer) {
        act(place);
    }
}
