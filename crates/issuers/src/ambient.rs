//! What lies around the controller and may be used by issuers that are allowed to: AWS credentials in the environment. A namespaced Issuer
//! may not by default, since its server is its author's choice (vault-issuer 5.G2). It holds no secret; it reads when it is asked.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// Reads an environment variable.
pub type Read = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Who may use what lies around the controller, and how it is read.
#[derive(Clone)]
pub struct Ambient {
    /// Issuers may (`--issuer-ambient-credentials`).
    pub issuers: bool,
    /// ClusterIssuers may (`--cluster-issuer-ambient-credentials`).
    pub cluster_issuers: bool,
    /// Reads an environment variable.
    pub read: Arc<Read>,
    /// The wall clock, which signatures for AWS carry.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Default for Ambient {
    fn default() -> Ambient {
        Ambient {
            issuers: false,
            cluster_issuers: true,
            read: Arc::new(|name| std::env::var(name).ok()),
            clock: Arc::new(Timestamp::now),
        }
    }
}

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ambient {{ issuers: {}, cluster_issuers: {} }}", self.issuers, self.cluster_issuers)
    }
}

impl Ambient {
    pub(crate) fn is_allowed(&self, is_cluster_issuer: bool) -> bool {
        if is_cluster_issuer { self.cluster_issuers } else { self.issuers }
    }

    /// A variable that is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        (self.read)(name).filter(|value| !value.is_empty())
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
