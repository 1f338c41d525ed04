//! What an issuer is asked for and what it gives back, with where the answer came from, so that the caller can keep proof.
//! Plain data.

use std::fmt;
use std::time::Duration;

use everleaf_core::failure::{CommittedWrite, ConnectionId, Failure, Outcome, TokenNumber};
use everleaf_core::wanted::Usage;
use everleaf_core::x509::{Csr, PrivateKey};

/// One thing to get signed.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The CSR as it stands in the request.
    pub csr_pem: &'a str,
    /// The same, parsed.
    pub csr: &'a Csr,
    /// The life to ask for; `None` asks for the default of 90 days.
    pub duration: Option<Duration>,
    /// A CA is asked for.
    pub is_ca: bool,
    /// The usages of the request.
    pub usages: &'a [Usage],
    /// The request's own private key: what a SelfSigned issuer signs with.
    pub key: Option<&'a PrivateKey>,
    /// This call stands for all others of a broken issuer: it gets less time.
    pub is_probe: bool,
}

/// An answer, and where it came from.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The answer.
    pub outcome: Outcome,
    /// The connection that carried it; `None` if nothing was carried.
    pub connection: Option<ConnectionId>,
    /// The token that asked; zero where there are no tokens.
    pub token: TokenNumber,
    /// What was committed on that connection just before, because the same order was refused on it earlier.
    pub write_before: Option<CommittedWrite>,
    /// What the authority warns of, each once.
    pub warnings: Vec<String>,
}

impl Answered {
    /// An answer that came over no connection.
    pub(crate) fn locally(outcome: Outcome) -> Answered {
        Answered {
            outcome,
            connection: None,
            token: TokenNumber(0),
            write_before: None,
            warnings: Vec::new(),
        }
    }

    /// A failure before anything was sent.
    pub(crate) fn failed(failure: Failure) -> Answered {
        Answered::locally(Outcome::Failed(failure))
    }
}

/// Which issuer it is, and which state of its spec.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IssuerIdentity {
    /// `Issuer` or `ClusterIssuer`.
    pub kind: String,
    /// The namespace of an Issuer; `None` for a ClusterIssuer.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The generation of the spec.
    pub generation: i64,
}

/// That an issuer can be used, for its Ready condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The reason, as the peer writes it.
    pub reason: &'static str,
    /// The message.
    pub message: String,
}

/// A spec that can't be used, or an issuer that isn't ready: reason and message of the Ready condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SpecError {
    /// The reason, as the peer writes it.
    pub reason: &'static str,
    /// What is wrong, and where.
    pub message: String,
}

impl fmt::Display for IssuerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}
