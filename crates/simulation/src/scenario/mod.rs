//! What one seed means: replicas, issuers, certificates, faults. Plain data, drawn once; a run carries it out and draws no more of it.
//! Leaving a fault out changes nothing else, so that a failing scenario can be made smaller.

mod drawn;
mod troubles;

use std::time::Duration;

use everleaf_practice::{Balance, Product};

use crate::fault::Planned;

pub use drawn::{CALM_AT_END, HORIZON, NAMESPACES};

/// A whole simulation, before it runs.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Where it was drawn from; names, jitter and fates of single calls come from it too.
    pub seed: u64,
    /// How long it runs.
    pub horizon: Duration,
    /// Replicas of the operator.
    pub replicas: usize,
    /// How the Lease is kept.
    pub lease: LeasePace,
    /// The issuers.
    pub issuers: Vec<IssuerPlan>,
    /// The certificates.
    pub certificates: Vec<CertificatePlan>,
    /// What goes wrong, in the order of its moments.
    pub faults: Vec<Planned>,
}

/// How the Lease is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeasePace {
    /// How long a record that isn't renewed counts.
    pub duration: Duration,
    /// How long the holder tries.
    pub deadline: Duration,
    /// How often everyone looks.
    pub retry: Duration,
}

impl LeasePace {
    /// The defaults of the peer: 60 s, 40 s, 15 s.
    pub const USUAL: LeasePace = LeasePace::of(60, 40, 15);
    /// Slow enough that two weeks of it are computed in a blink.
    pub const CALM: LeasePace = LeasePace::of(1_800, 1_200, 400);

    /// A pace in seconds.
    pub const fn of(duration: u64, deadline: u64, retry: u64) -> LeasePace {
        LeasePace {
            duration: Duration::from_secs(duration),
            deadline: Duration::from_secs(deadline),
            retry: Duration::from_secs(retry),
        }
    }

    /// How long it takes at most until another replica leads.
    pub fn takeover(self) -> Duration {
        self.duration + 3 * self.retry
    }
}

/// An issuer.
#[derive(Debug, Clone)]
pub struct IssuerPlan {
    /// Its name.
    pub name: String,
    /// Its namespace; `None` for a ClusterIssuer.
    pub namespace: Option<String>,
    /// What it is.
    pub kind: IssuerKind,
}

/// What an issuer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerKind {
    /// A Vault.
    Vault(VaultPlan),
    /// A CA in a Secret.
    Ca,
    /// Each certificate's own key.
    SelfSigned,
}

/// A Vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultPlan {
    /// Vault or OpenBao.
    pub product: Product,
    /// Three nodes behind this balancer; `None` for a single node.
    pub balance: Option<Balance>,
    /// How the issuer logs in.
    pub auth: AuthPlan,
}

/// How an issuer logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthPlan {
    /// A role_id and a secret_id in a Secret.
    AppRole,
    /// A token of a ServiceAccount.
    Kubernetes,
}

/// A certificate.
#[derive(Debug, Clone)]
pub struct CertificatePlan {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its issuer.
    pub issuer: usize,
    /// How long it is to live.
    pub life: Duration,
    /// How long before its end it is renewed; `None` for a third of its life.
    pub renew_before: Option<Duration>,
    /// A new key with each renewal.
    pub rotates_key: bool,
    /// Requests that are kept.
    pub history: u32,
    /// When it is made.
    pub at: Duration,
}

impl Scenario {
    /// The end of the last fault.
    pub fn healed_at(&self) -> Duration {
        self.faults.iter().map(|planned| planned.at + planned.lasts).max().unwrap_or_default()
    }

    /// The same without one of its faults.
    pub fn without(&self, index: usize) -> Scenario {
        let mut less = self.clone();
        if index < less.faults.len() {
            less.faults.remove(index);
        }
        less
    }

    /// How many kinds of faults there are.
    pub fn kinds(&self) -> usize {
        let kinds: std::collections::BTreeSet<_> =
            self.faults.iter().map(|planned| planned.fault.kind()).collect();
        kinds.len()
    }

    /// The Vault of an issuer, if it has one.
    pub fn vault(&self, issuer: usize) -> Option<VaultPlan> {
        match self.issuers.get(issuer)?.kind {
            IssuerKind::Vault(plan) => Some(plan),
            IssuerKind::Ca | IssuerKind::SelfSigned => None,
        }
    }
}
