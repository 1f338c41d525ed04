//! Rows about nodes: sealed, restarted, elected, frozen, without quorum, without disk, behind.
//! What each means for every call was measured (vault-measured 5).
//! None of them may ever end a request.

use std::time::Duration;

use serde_json::json;

use super::{Needs, Row, Scene};
use crate::cluster::ClusterEvent;
use crate::faults::deed::Deed;
use crate::faults::rules::FaultRule;
use crate::faults::{Fault, Internal};
use crate::http::phase::Phase;
use crate::http::transport::TransportKind;

/// How long a restart takes until the port is open again.
const RESTART: Duration = Duration::from_secs(2);
/// The latency of row 36, as `-dev-latency=2000` gives.
const SLOW_STORAGE: Duration = Duration::from_millis(2000);
/// Until a step-down is over on both products.
const HANDOVER: Duration = Duration::from_secs(5);
/// The limit of row 37.
const REQUEST_LIMIT: Duration = Duration::from_secs(1);

fn cluster(number: u8, what: &'static str, begin: ClusterEvent, heal: Option<ClusterEvent>) -> Row {
    let heal = heal.map(Deed::Cluster).into_iter().collect();
    Row::new(number, what, vec![Deed::Cluster(begin)], heal).needing(Needs::Cluster)
}

fn label(number: u8) -> &'static str {
    match number {
        2 => "row 2",
        36 => "row 36",
        37 => "row 37",
        _ => "row",
    }
}

fn fault(number: u8, what: &'static str, rule: FaultRule) -> Row {
    let label = label(number);
    Row::new(number, what, vec![Deed::Inflict(rule.labelled(label))], vec![Deed::Lift(label)])
}

/// Row 1: the node is sealed; 503 for everything, whatever token or mount.
pub fn sealed() -> Row {
    Row::new(1, "sealed", vec![Deed::Seal], vec![Deed::Unseal])
}

/// Row 2: the process restarts and stays sealed: refused, then 503.
pub fn restarted_sealed() -> Row {
    let refused = FaultRule::new(Fault::Broken(TransportKind::Refused)).lasting(RESTART);
    let mut row = fault(2, "restarted and sealed", refused);
    row.begin.push(Deed::Seal);
    row.heal.push(Deed::Unseal);
    row
}

/// Row 3: fresh storage; health 501, everything else 503.
pub fn uninitialised() -> Row {
    Row::new(3, "uninitialised", vec![Deed::Uninitialise], vec![Deed::Initialise])
}

/// Row 4: the leader steps down; half a second of 500 and 307 on Vault, 3.5 s on OpenBao.
pub fn step_down() -> Row {
    cluster(4, "leader steps down", ClusterEvent::StepDown, None)
}

/// Row 5: the leader is killed; refused there, 307 to the dead node elsewhere until the election is over.
pub fn leader_killed() -> Row {
    cluster(5, "leader killed", ClusterEvent::KillLeader, Some(ClusterEvent::RestartAll))
}

/// How long a thawed leader may lie before somebody restarts it: as long as it was watched (vault-measured 5.4).
const LIES: Duration = Duration::from_secs(100);

/// Row 6: the leader is frozen; all nodes are silent for 27 to 31 s, and after the thaw there may be two active nodes,
/// of which somebody restarts the wrong one after a while.
pub fn leader_frozen() -> Row {
    let mut row = cluster(6, "leader frozen", ClusterEvent::FreezeLeader, Some(ClusterEvent::ThawAll));
    row.heal.push(Deed::After(LIES, Box::new(Deed::Cluster(ClusterEvent::RestartLiars))));
    row
}

/// Row 6, its hardest form: the leader has come to power by a step-down, so that it lies after the thaw for as long as it runs.
/// It takes 5 s to begin; healing thaws, and nobody restarts anything.
pub fn lying_leader() -> Row {
    let freeze = Deed::Cluster(ClusterEvent::FreezeLeader);
    let begin = vec![Deed::Cluster(ClusterEvent::StepDown), Deed::After(HANDOVER, Box::new(freeze))];
    Row::new(6, "leader frozen, then lying", begin, vec![Deed::Cluster(ClusterEvent::ThawAll)])
        .needing(Needs::Cluster)
}

/// Row 7: two of three are gone; a surviving standby redirects to its dead leader for ever.
pub fn quorum_lost() -> Row {
    cluster(7, "quorum lost", ClusterEvent::KillAllBut(1), Some(ClusterEvent::RestartAll))
}

/// Row 8: the ports between the nodes are cut; standbys redirect to the leader, and Vault's call themselves 474.
pub fn cluster_ports_cut() -> Row {
    cluster(8, "cluster ports cut", ClusterEvent::CutClusterPorts, Some(ClusterEvent::MendClusterPorts))
}

/// Row 34: the only audit device can't write: 500 `internal error` for everything with a token or a login.
pub fn audit_broken() -> Row {
    Row::new(34, "audit device broken", vec![Deed::BreakAudit], vec![Deed::MendAudit])
}

/// Row 35: the disk is full; stored signs fail, then the node steps down and nobody leads.
pub fn disk_full() -> Row {
    Row::new(
        35,
        "disk full",
        vec![Deed::Cluster(ClusterEvent::FillDisks)],
        vec![Deed::Cluster(ClusterEvent::EmptyDisks)],
    )
}

/// Row 36: every storage call takes two seconds.
pub fn slow_storage() -> Row {
    fault(36, "slow storage", FaultRule::new(Fault::Latency(SLOW_STORAGE)))
}

/// Row 37: the server cuts requests after a second: 500 `context deadline exceeded`.
pub fn request_limit() -> Row {
    fault(37, "requests cut after a second", FaultRule::new(Fault::TimeLimit(REQUEST_LIMIT)))
}

/// Row 42: a role and a policy change on the leader and are used at once through an OpenBao standby.
pub fn lagging_standby(scene: &Scene) -> Row {
    let grant = format!("path \"{}\" {{ capabilities = [\"update\"] }}", scene.sign_path());
    let begin = vec![
        Deed::Delete(format!("sys/policies/acl/{}", scene.policy)),
        Deed::write(format!("sys/policies/acl/{}", scene.policy), json!({ "policy": grant })),
    ];
    Row::new(42, "standby behind its leader", begin, Vec::new()).needing(Needs::OpenBaoCluster)
}

/// Row 47: a follower lost its storage and joins again: without a leader for a while, then behind.
pub fn follower_wiped() -> Row {
    cluster(47, "follower wiped", ClusterEvent::WipeFollower, None)
}

/// Row 48: an external plugin's process is killed: one 500, then it is back.
pub fn plugin_killed(scene: &Scene) -> Row {
    let rule =
        FaultRule::new(Fault::Internal(Internal::PluginShutDown)).on(Phase::Sign).at_path(scene.pki.clone());
    Row::new(48, "plugin killed", vec![Deed::Inflict(rule.times(1))], Vec::new())
}
