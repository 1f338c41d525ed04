//! Carries deeds out: what each of them changes in the world.
//! A deed as root goes past faults, quotas and sealing: it is the hand of the test, not a client.
//! A deed that can't be done does nothing; whoever wants to know reads the state afterwards.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::clock::later;
use crate::cluster::ClusterEvent;
use crate::cluster::nodes::Node;
use crate::cluster::standing::Standing;
use crate::cluster::{self};
use crate::faults::Deed;
use crate::http::answer::{Handled, Refusal, Reply};
use crate::http::ask::Verb;
use crate::http::flow;
use crate::pki::ca::{self, Wish};
use crate::state::config::mount_path;
use crate::world::{Seat, World};

impl World {
    /// Carries a deed out.
    pub(crate) fn perform(&mut self, deed: &Deed, now: Timestamp) {
        match deed {
            Deed::Inflict(rule) => {
                self.rules.inflict(rule.clone(), now);
            }
            Deed::Lift(label) => self.rules.lift_labelled(label),
            Deed::Seal => self.seal(now),
            Deed::Unseal => self.each_node(|node| node.sealed = false),
            Deed::Uninitialise => self.each_node(|node| node.initialized = false),
            Deed::Initialise => self.each_node(|node| node.initialized = true),
            Deed::Write { path, fields } => {
                let _ignored = self.as_root(now, path, Verb::Write, fields);
            }
            Deed::Delete(path) => {
                let _ignored = self.as_root(now, path, Verb::Delete, &Map::new());
            }
            Deed::Keep(piece) => self.stash.keep(piece, &self.truth.view()),
            Deed::PutBack(piece) => {
                let at = self.server_time(now);
                let stash = &mut self.stash;
                self.truth.change(at, |config| stash.put_back(piece, config));
            }
            Deed::Reviewer(reviewer) => self.outside.reviewer = reviewer.clone(),
            Deed::Jwks(jwks) => {
                self.outside.jwks = jwks.clone();
                self.ledger.jwks.clear();
            }
            Deed::Sts(sts) => self.outside.sts = sts.clone(),
            Deed::SkewClock(skew) => self.skew = *skew,
            Deed::BreakAudit => self.audit_broken = true,
            Deed::MendAudit => self.audit_broken = false,
            Deed::ForeignServerCertificate => self.foreign_certificate = true,
            Deed::OwnServerCertificate => self.foreign_certificate = false,
            Deed::Cluster(event) => self.happen(*event, now),
            Deed::After(wait, deed) => self.plan(later(now, *wait), (**deed).clone()),
            Deed::RotateCa { mount, life } => self.rotate_ca(mount, *life, now),
            Deed::LeafNotAfter { mount, behaviour } => {
                self.change_default_issuer(mount, now, |issuer| issuer.leaf_not_after = *behaviour);
            }
            Deed::LockNamespace { namespace, locked } => {
                let at = self.server_time(now);
                self.truth.change(at, |config| {
                    if let Some(namespace) = config.namespaces.get_mut(namespace) {
                        namespace.locked = *locked;
                    }
                });
            }
            Deed::RevokeTokens
            | Deed::ForgetTokens
            | Deed::Unlock
            | Deed::LockOut { .. }
            | Deed::ConsumeWrappingTokens
            | Deed::DisableEntities
            | Deed::EnableEntities => self.change_ledger(deed, now),
        }
    }

    fn change_ledger(&mut self, deed: &Deed, now: Timestamp) {
        let at = self.server_time(now);
        match deed {
            Deed::RevokeTokens => {
                self.ledger.revoke_where(at, |token| !token.is_root());
            }
            Deed::ForgetTokens => self.ledger.tokens.retain(|_, token| token.is_root()),
            Deed::Unlock => self.ledger.failures.clear(),
            Deed::LockOut { mount, role } => self.lock_out(mount, role, now),
            Deed::ConsumeWrappingTokens => self.ledger.wrapped.clear(),
            Deed::DisableEntities => {
                self.ledger.barred_entities.extend(self.ledger.entities.values().cloned());
            }
            _ => self.ledger.barred_entities.clear(),
        }
    }

    fn each_node(&mut self, change: impl Fn(&mut Node)) {
        self.nodes.list.iter_mut().for_each(change);
    }

    /// Seals the leader. In a cluster another node takes over, and the sealed one is a follower when it is unsealed.
    fn seal(&mut self, now: Timestamp) {
        let leader = self.nodes.leader.unwrap_or(0);
        if self.nodes.is_cluster() {
            self.happen(ClusterEvent::StepDown, now);
        }
        if let Some(node) = self.node_mut(leader) {
            node.sealed = true;
        }
    }

    /// Lets something happen to the nodes.
    pub(crate) fn happen(&mut self, event: ClusterEvent, now: Timestamp) {
        cluster::happen(
            &mut cluster::Stage {
                nodes: &mut self.nodes,
                truth: &self.truth,
                now,
                product: self.product,
                pace: self.pace,
            },
            event,
        );
    }

    /// A call as root, past everything.
    pub(crate) fn as_root(
        &mut self,
        now: Timestamp,
        path: &str,
        verb: Verb,
        fields: &Map<String, Value>,
    ) -> Handled {
        // An index that no node has: the turn is that of a sound leader.
        let mut turn = self.turn(usize::MAX, now, Seat::Own, None);
        flow::as_root(&mut turn, path, verb, fields)
    }

    /// The same, for the data of the answer.
    pub(crate) fn root_data(
        &mut self,
        now: Timestamp,
        path: &str,
        verb: Verb,
        fields: &Map<String, Value>,
    ) -> Result<Value, String> {
        match self.as_root(now, path, verb, fields) {
            Ok(Reply::Data(success)) => Ok(match success.auth {
                Some(auth) => serde_json::json!({
                    "client_token": auth.client_token.as_str(),
                    "accessor": auth.accessor,
                    "lease_duration": auth.lease_duration.as_secs(),
                }),
                None => success.data,
            }),
            Ok(Reply::NoContent) => Ok(Value::Null),
            Ok(Reply::Raw(raw)) => Ok(Value::from(String::from_utf8_lossy(&raw.body).into_owned())),
            Err(Refusal::Told { status, text }) => Err(format!("{status} {}", text.unwrap_or_default())),
            Err(other) => Err(format!("{other:?}")),
        }
    }

    fn rotate_ca(&mut self, mount: &str, life: std::time::Duration, now: Timestamp) {
        let at = self.server_time(now);
        let path = mount_path(mount);
        let common_name = format!("practice root {}", self.chance.word(6));
        let wish = Wish { common_name: &common_name, life, key: self.ca_key, now: at };
        let Some(issuer) = ca::root(&wish, &mut self.chance) else { return };
        self.truth.change(at, |config| {
            let pki = config.namespaces.get_mut("").and_then(|root| root.pki_mut(&path));
            if let Some(pki) = pki {
                pki.default_issuer = Some(issuer.id.clone());
                pki.issuers.insert(issuer.id.clone(), issuer);
            }
        });
    }

    /// An intermediate under the default CA of a mount; nothing when there is no CA with a key.
    pub(crate) fn add_intermediate(
        &mut self,
        mount: &str,
        common_name: &str,
        life: std::time::Duration,
        now: Timestamp,
    ) -> Option<()> {
        let at = self.server_time(now);
        let path = mount_path(mount);
        let view = self.truth.view();
        let pki = view.namespace("")?.pki(&path)?;
        let above = pki.issuers.get(pki.default_issuer.as_ref()?)?;
        let wish = Wish { common_name, life, key: self.ca_key, now: at };
        let issuer = ca::intermediate(&wish, above, &mut self.chance)?;
        self.truth.change(at, |config| {
            if let Some(pki) = config.namespaces.get_mut("").and_then(|root| root.pki_mut(&path)) {
                pki.default_issuer = Some(issuer.id.clone());
                pki.issuers.insert(issuer.id.clone(), issuer);
            }
        });
        Some(())
    }

    /// `sys/seal` and `sys/step-down` as a node does them (vault-measured 5.6).
    pub(crate) fn perform_at_node(&mut self, path: &str, index: usize, now: Timestamp) {
        let leads = self.nodes.leader == Some(index);
        match path {
            "sys/step-down" if leads => self.happen(ClusterEvent::StepDown, now),
            "sys/seal" if leads || !self.nodes.is_cluster() => self.seal(now),
            "sys/seal" => {
                if let Some(node) = self.node_mut(index) {
                    node.sealed = true;
                }
            }
            _ => {}
        }
    }

    fn change_default_issuer(&mut self, mount: &str, now: Timestamp, change: impl FnOnce(&mut ca::Issuer)) {
        let at = self.server_time(now);
        let path = mount_path(mount);
        self.truth.change(at, |config| {
            let pki = config.namespaces.get_mut("").and_then(|root| root.pki_mut(&path));
            let issuer = pki.and_then(|pki| {
                let id = pki.default_issuer.clone()?;
                pki.issuers.get_mut(&id)
            });
            if let Some(issuer) = issuer {
                change(issuer);
            }
        });
    }

    fn lock_out(&mut self, mount: &str, role: &str, now: Timestamp) {
        let at = self.server_time(now);
        let path = mount_path(mount);
        let view = self.truth.view();
        let auth = view.namespace("").and_then(|root| root.auths.get(&path));
        let Some((accessor, alias)) =
            auth.and_then(|auth| Some((auth.accessor.clone(), auth.method.role_id(role)?)))
        else {
            return;
        };
        for _ in 0..crate::state::ledger::LOCKOUT_THRESHOLD {
            self.ledger.count_failure(&accessor, &alias, at);
        }
    }

    /// Whether a node answers `sys/health` with 200.
    pub(crate) fn calls_itself_active(&self, index: usize, now: Timestamp) -> bool {
        self.nodes.node(index).is_some_and(|node| {
            let standing = node.standing(now);
            node.initialized && !node.sealed && standing.calls_itself_active()
        })
    }

    /// Whether a node's port is closed.
    pub(crate) fn refuses(&self, index: usize, now: Timestamp) -> bool {
        let dead = self.nodes.node(index).is_none_or(|node| matches!(node.standing(now), Standing::Dead));
        dead || self.rules.refuses_all(index, now)
    }
}
