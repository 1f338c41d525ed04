//! What one pass over a Certificate found: the Secret parsed once, the requests, the key in hand, what status says now.
//! Plain data. It never reads anything itself (the operator's `gather.rs` fills it) and never judges (`reissue.rs` and `decide.rs` do).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::conditions::Condition;
use crate::wanted::{IssuerRef, OutputFormat, Usage};
use crate::x509::{Certificate, Chain, Csr, KeyKind, PublicKey};

/// Everything one pass over a Certificate has read.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The Certificate itself.
    pub me: Identity,
    /// The target Secret.
    pub secret: Option<Arc<SecretSeen>>,
    /// Who else wants the same Secret.
    pub claim: Claim,
    /// The owned request whose revision is `status.revision`.
    pub current: Option<RequestSeen>,
    /// The owned requests of the next revision; more than one only if somebody interfered.
    pub next: Vec<RequestSeen>,
    /// Owned requests without a readable revision.
    pub strays: Vec<String>,
    /// Owned requests with a revision, oldest first, as `(revision, name)`.
    pub history: Vec<(u32, String)>,
    /// The key for the next issuance.
    pub key: NextKey,
    /// Secrets with next keys that this Certificate owns.
    pub stored_keys: Vec<String>,
    /// A name under which a next key may be stored: nothing stands there, or our own does.
    pub free_key_name: String,
    /// What the status says now.
    pub status: StatusSeen,
    /// True if a request of ours will be approved and signed by this process without waiting for anybody.
    pub answered_here: bool,
}

/// Which Certificate it is.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// Name of the Certificate.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// When it was created.
    pub created: Timestamp,
    /// `cert-manager.io/issue-temporary-certificate: "true"`
    pub wants_temporary: bool,
}

/// Whether the target Secret is ours to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// No other Certificate names it, or we come first.
    Ours,
    /// Another Certificate names it and comes first.
    HeldBy(String),
}

/// What an entry of a Secret holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry<T> {
    /// Absent or empty.
    Missing,
    /// There, but not readable: why.
    Unreadable(String),
    /// There and parsed.
    Read(T),
}

impl<T> Entry<T> {
    /// The parsed value.
    pub fn read(&self) -> Option<&T> {
        match self {
            Entry::Read(value) => Some(value),
            _ => None,
        }
    }
}

/// Facts of a target Secret. It holds no private key: only the public half of what `tls.key` contains.
#[derive(Debug, Clone, PartialEq)]
pub struct SecretSeen {
    /// The version these facts come from.
    pub resource_version: String,
    /// `type`
    pub kind: String,
    /// The public half of `tls.key`.
    pub key: Entry<KeyFacts>,
    /// The leaf in `tls.crt`.
    pub certificate: Entry<Certificate>,
    /// Keys of `data` whose values aren't empty.
    pub data_keys: BTreeSet<String>,
    /// The extra formats that are there and don't hold what they should.
    pub unsound_formats: BTreeSet<OutputFormat>,
    /// `ca.crt` holds a certificate.
    pub has_ca: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations (without kubectl's last-applied).
    pub annotations: BTreeMap<String, String>,
    /// UIDs of Certificates that own it as their controller.
    pub owners: Vec<String>,
    /// What our own field manager owns; `None` if it owns nothing, an error if managedFields can't be read.
    pub managed: Result<Option<ManagedSet>, String>,
}

/// Facts of a private key.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyFacts {
    /// Its public half.
    pub public: PublicKey,
    /// Algorithm and size.
    pub kind: KeyKind,
}

/// The part of an object that our own field manager owns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManagedSet {
    /// Labels.
    pub labels: BTreeSet<String>,
    /// Annotations.
    pub annotations: BTreeSet<String>,
    /// Keys of `data`.
    pub data: BTreeSet<String>,
    /// UIDs of owner references.
    pub owners: BTreeSet<String>,
}

/// An owned CertificateRequest.
#[derive(Debug, Clone)]
pub struct RequestSeen {
    /// Its name.
    pub name: String,
    /// Its CSR, or why it can't be read.
    pub csr: Result<Csr, String>,
    /// `spec.issuerRef`
    pub issuer: IssuerRef,
    /// `spec.duration`
    pub duration: Option<Duration>,
    /// `spec.isCA`
    pub is_ca: bool,
    /// `spec.usages`
    pub usages: Vec<Usage>,
    /// When it was created.
    pub created: Timestamp,
    /// Where it stands.
    pub state: RequestState,
}

/// Where a CertificateRequest stands, by its conditions.
#[derive(Debug, Clone)]
pub enum RequestState {
    /// Not answered yet.
    Waiting {
        /// Approved already.
        approved: bool,
        /// The message of `Ready=False/Pending`, if one is published.
        told: Option<String>,
    },
    /// Answered for good without a certificate.
    Ended(Ending),
    /// Signed.
    Issued {
        /// `status.certificate` and `status.ca`, or why they can't be read.
        chain: Result<Chain, String>,
        /// When it was answered.
        at: Timestamp,
    },
}

/// How a request ended without a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The condition's reason: `Failed`, or that of the `Denied` or `InvalidRequest` condition.
    pub reason: String,
    /// The condition's message.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// The key for the next issuance.
#[derive(Debug, Clone, PartialEq)]
pub enum NextKey {
    /// There is none.
    None,
    /// In memory only.
    Held {
        /// Its facts.
        facts: KeyFacts,
        /// The name reserved for it.
        secret_name: String,
    },
    /// In a Secret of ours.
    Stored {
        /// Its facts.
        facts: KeyFacts,
        /// The Secret.
        secret_name: String,
    },
    /// In a Secret of ours, but unreadable.
    Spoilt {
        /// The Secret.
        secret_name: String,
    },
}

impl NextKey {
    /// The facts of the key, if there is one.
    pub fn facts(&self) -> Option<&KeyFacts> {
        match self {
            NextKey::Held { facts, .. } | NextKey::Stored { facts, .. } => Some(facts),
            NextKey::None | NextKey::Spoilt { .. } => None,
        }
    }
}

/// What the Certificate's status says now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatusSeen {
    /// `Ready`
    pub ready: Option<Condition>,
    /// `Issuing`, and since when it has its status.
    pub issuing: Option<(Condition, Timestamp)>,
    /// `revision`
    pub revision: Option<u32>,
    /// `lastFailureTime`
    pub last_failure: Option<Timestamp>,
    /// `failedIssuanceAttempts`
    pub failed_attempts: u32,
    /// `nextPrivateKeySecretName`
    pub next_key_name: Option<String>,
    /// `renewalTime`
    pub renewal_time: Option<Timestamp>,
}

impl StatusSeen {
    /// `Issuing=True` stands in the status, by us or by hand.
    pub fn is_issuing(&self) -> bool {
        self.issuing.as_ref().is_some_and(|(condition, _)| condition.holds)
    }
}
