//! What tests, demo and simulation do to a practice Vault by hand, and what they read from it.
//! These calls go past faults, quotas and sealing, and are not counted.
//! Secrets leave only in the answers of calls that make them.

use std::time::Duration;

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::clock::later;
use crate::faults::{Deed, FaultId, FaultRule, Row, Schedule};
use crate::http::ask::Verb;
use crate::outside::{Jwks, Reviewer, Sts};
use crate::pki::reading::Read;
use crate::practice::Practice;
use crate::state::audit::Audit;
use crate::state::digest;
use crate::state::ledger::Signed;
use crate::world::World;

/// A call by hand that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}: {says}")]
pub struct AdminError {
    /// The path.
    pub path: String,
    /// Status and text of the refusal.
    pub says: String,
}

impl Practice {
    /// Writes as root: `pki/roles/web`, `sys/policies/acl/sign`, `auth/approle/role/r`... Gives the answer's data.
    pub fn write(&self, path: &str, fields: Value) -> Result<Value, AdminError> {
        let fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        self.by_hand(path, Verb::Write, &fields)
    }

    /// Reads as root.
    pub fn read(&self, path: &str) -> Result<Value, AdminError> {
        self.by_hand(path, Verb::Read, &Map::new())
    }

    /// Deletes as root.
    pub fn delete(&self, path: &str) -> Result<Value, AdminError> {
        self.by_hand(path, Verb::Delete, &Map::new())
    }

    fn by_hand(&self, path: &str, verb: Verb, fields: &Map<String, Value>) -> Result<Value, AdminError> {
        let now = self.now();
        let answer = self.world().root_data(now, path, verb, fields);
        self.stir();
        answer.map_err(|says| AdminError { path: path.to_owned(), says })
    }

    /// Carries a deed out.
    pub fn perform(&self, deed: &Deed) {
        let now = self.now();
        self.world().perform(deed, now);
        self.stir();
    }

    /// Seals the node; in a cluster, the leader.
    pub fn seal(&self) {
        self.perform(&Deed::Seal);
    }

    /// Unseals all nodes.
    pub fn unseal(&self) {
        self.perform(&Deed::Unseal);
    }

    /// Writes a role of a PKI mount.
    pub fn write_role(&self, mount: &str, role: &str, fields: Value) -> Result<Value, AdminError> {
        self.write(&format!("{mount}/roles/{role}"), fields)
    }

    /// Deletes a role of a PKI mount.
    pub fn delete_role(&self, mount: &str, role: &str) -> Result<Value, AdminError> {
        self.delete(&format!("{mount}/roles/{role}"))
    }

    /// Writes a policy, as HCL or JSON.
    pub fn write_policy(&self, name: &str, text: &str) -> Result<Value, AdminError> {
        self.write(&format!("sys/policies/acl/{name}"), json!({ "policy": text }))
    }

    /// Deletes a policy: tokens that name it lose its rights at once.
    pub fn delete_policy(&self, name: &str) -> Result<Value, AdminError> {
        self.delete(&format!("sys/policies/acl/{name}"))
    }

    /// Revokes all tokens but root.
    pub fn revoke_tokens(&self) {
        self.perform(&Deed::RevokeTokens);
    }

    /// Replaces the default CA of a mount by a fresh root that lives this long.
    pub fn rotate_ca(&self, mount: &str, life: Duration) {
        self.perform(&Deed::RotateCa { mount: mount.to_owned(), life });
    }

    /// Puts an intermediate CA under the default CA of a mount and makes it the default, so that chains get longer.
    pub fn add_intermediate(&self, mount: &str, common_name: &str, life: Duration) -> Result<(), AdminError> {
        let now = self.now();
        let refused = |says: &str| AdminError { path: mount.to_owned(), says: says.to_owned() };
        self.world()
            .add_intermediate(mount, common_name, life, now)
            .ok_or_else(|| refused("no CA to sign with"))
    }

    /// Changes who reviews ServiceAccount tokens.
    pub fn set_reviewer(&self, reviewer: Reviewer) {
        self.perform(&Deed::Reviewer(reviewer));
    }

    /// Changes what the JWKS address does. Keys that a mount has fetched stay known to it.
    pub fn set_jwks(&self, jwks: Jwks) {
        self.world().outside.jwks = jwks;
        self.stir();
    }

    /// Changes who answers GetCallerIdentity.
    pub fn set_sts(&self, sts: Sts) {
        self.perform(&Deed::Sts(sts));
    }

    /// Begins a fault.
    pub fn inflict(&self, rule: FaultRule) -> FaultId {
        let now = self.now();
        let id = self.world().rules.inflict(rule, now);
        self.stir();
        id
    }

    /// Ends a fault.
    pub fn lift(&self, id: FaultId) {
        self.world().rules.lift(id);
        self.stir();
    }

    /// Ends all faults of calls. What deeds have changed stays changed.
    pub fn lift_all(&self) {
        self.world().rules.lift_all();
        self.stir();
    }

    /// Begins a trouble of the fault table.
    pub fn begin(&self, row: &Row) {
        row.begin.iter().for_each(|deed| self.perform(deed));
    }

    /// Heals a trouble of the fault table.
    pub fn heal(&self, row: &Row) {
        row.heal.iter().for_each(|deed| self.perform(deed));
    }

    /// Follows a schedule from now on.
    pub fn follow(&self, schedule: &Schedule) {
        let now = self.now();
        let mut world = self.world();
        for event in schedule.events() {
            world.plan(later(now, event.at), event.deed.clone());
        }
        drop(world);
        self.stir();
    }

    /// The counters, as they are now.
    pub fn audit(&self) -> Audit {
        self.world().audit.clone()
    }

    /// Sets the counters back to nothing.
    pub fn forget_audit(&self) {
        self.world().audit.forget();
    }

    /// All certificates signed so far, oldest first (at most the latest 100,000).
    pub fn signed(&self) -> Vec<Signed> {
        self.world().ledger.signed.iter().cloned().collect()
    }

    /// How many tokens live now, root aside.
    pub fn living_tokens(&self) -> usize {
        let now = self.now();
        let world = self.world();
        let lives = |token: &&crate::state::token::Token| {
            token.revoked.is_none()
                && token.expires.is_some_and(|expires| expires > now)
                && token.uses != Some(0)
        };
        world.ledger.tokens.values().filter(lives).count()
    }

    /// Raft log entries so far: the honest counter of committed writes.
    pub fn raft_index(&self) -> u64 {
        self.world().ledger.raft_index
    }

    /// The PEM of the chain of a mount's default CA, the CA first.
    pub fn ca_chain(&self, mount: &str) -> String {
        let chain = self.read(&format!("{mount}/ca_chain"));
        chain.ok().and_then(|chain| chain.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// The end of the life of a mount's default CA.
    pub fn ca_not_after(&self, mount: &str) -> Option<jiff::Timestamp> {
        Read::all_from_pem(&self.ca_chain(mount)).first().map(|ca| ca.not_after)
    }

    /// Scheme, host and port by which redirects and `sys/leader` name this node.
    pub fn address(&self) -> String {
        self.world().nodes.address(self.index)
    }

    /// Names this node differently, for example after its listener has got its port.
    pub fn set_address(&self, address: &str) {
        if let Some(node) = self.world().node_mut(self.index) {
            address.trim_end_matches('/').clone_into(&mut node.address);
        }
    }

    /// The node that leads, or will when an election under way is over.
    pub(crate) fn leader(&self) -> Option<usize> {
        self.world().nodes.leader
    }

    /// Whether this node's health says 200, without asking it.
    pub fn calls_itself_active(&self) -> bool {
        let now = self.now();
        self.world().calls_itself_active(self.index, now)
    }

    /// Whether this node's port is closed now.
    pub fn refuses_connections(&self) -> bool {
        let now = self.now();
        self.world().refuses(self.index, now)
    }

    /// Whether the server shows a certificate of a foreign CA now.
    pub(crate) fn shows_foreign_certificate(&self) -> bool {
        self.world().foreign_certificate
    }

    /// When something changes at this node without anybody's call.
    pub(crate) fn next_change(&self) -> Option<jiff::Timestamp> {
        let now = self.now();
        self.world().next_change(self.index, now)
    }
}

impl World {
    /// Whether this is a root token's value.
    pub(crate) fn is_root(&self, token: &str) -> bool {
        self.ledger.tokens.get(&digest(token)).is_some_and(|token| token.is_root())
    }
}
