//! One thing that somebody or something does to a practice Vault: seal it, delete a policy, break the audit device.
//! Troubles and schedules are lists of deeds, so that all of them can be printed, compared and repeated.
//! Carrying a deed out never waits; what it begins may go on.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::rules::FaultRule;
use super::stash::Piece;
use crate::cluster::ClusterEvent;
use crate::outside::{Jwks, Reviewer, Sts};
use crate::pki::ca::LeafNotAfter;

/// One deed.
#[derive(Debug, Clone)]
pub enum Deed {
    /// A fault begins.
    Inflict(FaultRule),
    /// All faults with this label end.
    Lift(&'static str),
    /// The node is sealed; in a cluster, the leader, so that another one takes over.
    Seal,
    /// Every sealed node is unsealed.
    Unseal,
    /// The storage is fresh: health says 501.
    Uninitialise,
    /// The storage is back as it was.
    Initialise,
    /// A call is made as root, past all faults; a refusal is ignored.
    Write {
        /// The path behind `/v1/`.
        path: String,
        /// The body's fields.
        fields: Map<String, Value>,
    },
    /// Something is deleted as root, past all faults.
    Delete(String),
    /// A piece of the configuration is kept aside.
    Keep(Piece),
    /// The kept piece is put back.
    PutBack(Piece),
    /// All tokens but root are revoked.
    RevokeTokens,
    /// All tokens but root are gone, as after a restore from an old snapshot.
    ForgetTokens,
    /// Failed logins are forgotten: locked aliases are free again.
    Unlock,
    /// An alias of an auth mount is locked, as five wrong secret-ids do.
    LockOut {
        /// The auth mount's path without `auth/`.
        mount: String,
        /// The role whose role_id is locked.
        role: String,
    },
    /// All wrapping tokens are used up by somebody else.
    ConsumeWrappingTokens,
    /// Every entity known so far is disabled.
    DisableEntities,
    /// The disabled entities are enabled again.
    EnableEntities,
    /// TokenReview behaves like this.
    Reviewer(Reviewer),
    /// The JWKS address behaves like this, and what was cached is forgotten.
    Jwks(Jwks),
    /// STS behaves like this.
    Sts(Sts),
    /// The server's clock is off by this much.
    SkewClock(SignedDuration),
    /// The only audit device can't write: 500 for everything with a token or a login (vault-measured 2).
    BreakAudit,
    /// It can again.
    MendAudit,
    /// The default CA of a mount is replaced by a fresh root.
    RotateCa {
        /// The mount's path.
        mount: String,
        /// How long the new CA lives.
        life: Duration,
    },
    /// What happens to leaves that would outlive the default CA.
    LeafNotAfter {
        /// The mount's path.
        mount: String,
        /// The behaviour.
        behaviour: LeafNotAfter,
    },
    /// An OpenBao namespace is locked or free.
    LockNamespace {
        /// Its path.
        namespace: String,
        /// Whether it is locked.
        locked: bool,
    },
    /// The server shows a certificate from a CA that nobody trusts.
    ForeignServerCertificate,
    /// The server shows its own certificate again.
    OwnServerCertificate,
    /// Something happens to the cluster.
    Cluster(ClusterEvent),
    /// Another deed, after this long.
    After(Duration, Box<Deed>),
}

impl Deed {
    /// A write as root; a value that isn't an object has no fields.
    pub fn write(path: impl Into<String>, fields: Value) -> Deed {
        let fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Deed::Write { path: path.into(), fields }
    }
}
