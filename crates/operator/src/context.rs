//! What every part of the operator shares: the client, the records, the lanes, the clock, the way things are done here.
//! There are no globals: several operators can live in one process.

use std::sync::Arc;

use everleaf_core::retry::Cadence;
use everleaf_issuers::Common;
use everleaf_issuers::keys::KeySource;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::approver::Approvals;
use crate::clock::Clock;
use crate::controllers::Controllers;
use crate::held::HeldKeys;
use crate::ids::{IssuerId, Key};
use crate::lanes::Lanes;
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::records::IssuerType;
use crate::report::Reporter;
use crate::retries::Retries;
use crate::world::{Wake, World};

/// Everything shared.
pub struct Context {
    /// The API, with writes fenced by the lease.
    pub client: kube::Client,
    /// The wall clock.
    pub clock: Clock,
    /// The records of the watches.
    pub world: World,
    /// Issuers and what waits for them.
    pub lanes: Lanes,
    /// Our right to approve.
    pub approvals: Approvals,
    /// Private keys of running issuances.
    pub held: HeldKeys,
    /// What all issuers share.
    pub common: Common,
    /// Where keys come from.
    pub keys: KeySource,
    /// Events.
    pub reporter: Reporter,
    /// Counters.
    pub metrics: Metrics,
    /// How things are done here.
    pub behaviour: Behaviour,
    /// Passes over Certificates that could not be finished.
    pub retries: Retries<Key>,
    /// Looks at issuers that went badly in a row.
    pub looks: Retries<IssuerId>,
    /// Certificates due.
    pub certificates: Queue<Key>,
    /// CertificateRequests due.
    pub requests: Queue<Key>,
    /// Issuers due.
    pub issuers: Queue<IssuerId>,
    /// Tasks to wait for on the way out.
    pub tasks: TaskTracker,
    /// Set when the process is to stop.
    pub stop: CancellationToken,
}

/// How this installation wants things done.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// Which controllers run.
    pub controllers: Controllers,
    /// When a Certificate tries again after a proved refusal.
    pub cadence: Cadence,
    /// Secrets go with their Certificate.
    pub owner_references: bool,
    /// Which annotations of a Certificate its requests take over.
    pub copied_annotations: CopiedAnnotations,
    /// Where the Secrets of ClusterIssuers live.
    pub cluster_resource_namespace: String,
    /// Only this namespace; empty for all.
    pub namespace: String,
    /// Workers for Certificates, and again for CertificateRequests.
    pub workers: usize,
}

/// Prefixes of annotations to copy: `*` for all, `-prefix` takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedAnnotations(Vec<String>);

impl CopiedAnnotations {
    /// From the list of a flag.
    pub fn new(prefixes: Vec<String>) -> CopiedAnnotations {
        CopiedAnnotations(prefixes)
    }

    /// Whether an annotation is taken over.
    pub fn takes(&self, annotation: &str) -> bool {
        let mut takes = false;
        for prefix in &self.0 {
            match prefix.strip_prefix('-') {
                Some(refused) if annotation.starts_with(refused) => return false,
                Some(_) => {}
                None => takes = takes || prefix == "*" || annotation.starts_with(prefix.as_str()),
            }
        }
        takes
    }
}

impl Default for CopiedAnnotations {
    fn default() -> Self {
        let prefixes = ["*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"];
        CopiedAnnotations(prefixes.map(str::to_owned).to_vec())
    }
}

impl Context {
    /// True if requests to this issuer are signed by this process.
    pub fn signs_for(&self, id: &IssuerId) -> bool {
        let kind = self.world.look().issuer(id).map(|record| record.kind);
        match kind {
            Some(kind) => self.behaviour.controllers.signs(kind),
            None => false,
        }
    }

    /// The type of an issuer, if it exists.
    pub fn issuer_type(&self, id: &IssuerId) -> Option<IssuerType> {
        self.world.look().issuer(id).map(|record| record.kind)
    }

    /// Puts what a change woke into the queues.
    pub fn wake(self: &Arc<Self>, wakes: Vec<Wake>) {
        for wake in wakes {
            match wake {
                Wake::Certificate(key) => self.certificates.push(key),
                Wake::Request(key) => self.requests.push(key),
                Wake::Issuer(id) => self.issuers.push(id),
                Wake::IssuersWithSecret(secret) => crate::controllers::issuers::secret_changed(self, &secret),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minus_takes_annotations_away_from_a_star() {
        let default = CopiedAnnotations::default();
        assert!(default.takes("example.com/a"));
        assert!(!default.takes("kubectl.kubernetes.io/last-applied-configuration"));
        let some = CopiedAnnotations::new(vec!["example.com/".into(), "-example.com/private".into()]);
        assert!(some.takes("example.com/a"));
        assert!(!some.takes("example.com/private-thing"));
        assert!(!some.takes("other.com/a"));
        assert!(!CopiedAnnotations::new(vec![]).takes("a"));
    }
}
