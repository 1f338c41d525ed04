//! What a certificate authority answered: an [`Outcome`], and for the bad ones a [`Failure`] with its evidence.
//! Retry is the default. Only a [`Refusal`] may end a request, and a `Refusal` can't be made without proof.
//! This file never decides how long to wait (`retry.rs`) and never reads an answer (`vault/classify.rs`).

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::x509::Chain;

/// A certificate authority's answer to one attempt to get a certificate signed.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Signed. Nothing has been checked yet: only [`crate::checked::Checked`] may be stored.
    Issued(Chain),
    /// Taken, but not decided: ask again after this long.
    Pending {
        /// How long the authority wants us to wait before the next question.
        poll_after: Duration,
    },
    /// Not signed, and why.
    Failed(Failure),
}

/// Who must move before this can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Heals by itself: sealed, standby, election, rate limit, 5xx, transport, a 403 without proof.
    Transient,
    /// Someone must mend rights or credentials.
    Access,
    /// The mount, the role or the CA itself is missing, expired or misconfigured.
    Issuer,
    /// This request can't be signed as it stands.
    Request,
}

impl Class {
    /// The word for conditions, metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Transient => "Transient",
            Class::Access => "Access",
            Class::Issuer => "Issuer",
            Class::Request => "Request",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// Reading a Secret the issuer refers to.
    ReadSecret,
    /// Asking Kubernetes for a ServiceAccount token.
    TokenRequest,
    /// Logging in.
    Login,
    /// Renewing our token.
    RenewToken,
    /// Looking at our own token.
    LookUp,
    /// Asking what our token may do.
    Capabilities,
    /// The health call.
    Health,
    /// Signing.
    Sign,
}

impl Call {
    /// The word for conditions, metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Call::ReadSecret => "read of a Secret",
            Call::TokenRequest => "ServiceAccount token request",
            Call::Login => "login",
            Call::RenewToken => "token renewal",
            Call::LookUp => "token look-up",
            Call::Capabilities => "capabilities look-up",
            Call::Health => "health check",
            Call::Sign => "sign",
        }
    }
}

/// The object a person would have to look at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The certificate authority's server, as it is configured (never with credentials in it).
    Server(String),
    /// The issuer object itself: its spec or what it points to (mount, role, CA).
    Issuer,
    /// A Secret in the issuer's resource namespace.
    Secret(String),
    /// A ServiceAccount in the issuer's resource namespace.
    ServiceAccount(String),
    /// The request: its names, key or life.
    Request,
}

/// Why one attempt gave no certificate: the evidence, not a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Who must move.
    pub class: Class,
    /// The call that failed.
    pub call: Call,
    /// A short stable word for metrics and tests, in CamelCase: `Sealed`, `PolicyLacksPath`, `NameNotAllowed`.
    pub code: &'static str,
    /// The other side's own words, normalised (no ids, ports, dates), at most [`Says::LIMIT`] bytes.
    pub says: Says,
    /// How long the other side asked us to stay away.
    pub retry_after: Option<Duration>,
    /// The object to look at.
    pub blame: Blame,
    /// What would have to be true of this answer for it to end a request.
    pub finality: Finality,
}

/// Whether an answer like this one can ever end a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finality {
    /// Never: it is retried for as long as the certificate is wanted.
    Never,
    /// A refusal once it was seen twice, apart, with a committed write between (see [`Refusal::proved`]).
    WhenProved,
    /// A refusal at once, because it depends on nothing but what we hold in our hands (a CSR that doesn't decode).
    AtOnce,
}

/// Somebody else's words, made fit for a condition: control characters and volatile parts are gone, the length is bound.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Says(String);

impl Says {
    /// The most bytes that are kept.
    pub const LIMIT: usize = 512;

    /// Takes over foreign words: one line, without request ids, ports, addresses of connections and dates, at most [`Says::LIMIT`] bytes.
    pub fn new(words: &str) -> Says {
        Says(crate::words::normalise(words, Self::LIMIT))
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if the other side said nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Says {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Says {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// One sighting of a refusal: what was said, when, and over which connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// What the authority said.
    pub failure: Failure,
    /// When it said so.
    pub at: Timestamp,
    /// The connection that carried the answer; two answers with the same number came from the same connection.
    pub connection: ConnectionId,
    /// Which token (or other credential) asked: it grows with each login.
    pub token: TokenNumber,
}

/// A write that the authority has committed (a service-token login, a token renewal), seen on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommittedWrite {
    /// When it was answered.
    pub at: Timestamp,
    /// The connection that carried it.
    pub connection: ConnectionId,
}

/// Tells connections of one client apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u64);

/// Counts the tokens a client has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenNumber(pub u64);

/// A refusal that was proved: the only thing that may end a request. It can't be built from a status code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    failure: Failure,
}

/// How far apart two sightings must be (vault-measured 7: longer than any replication lag of a sound cluster).
pub const PROOF_APART: jiff::SignedDuration = jiff::SignedDuration::from_secs(30);

impl Refusal {
    /// The proof: the same refusal twice, at least [`PROOF_APART`] apart, on one connection, with a write committed on that
    /// connection between the two, the second time with a token no older than the first.
    ///
    /// The write is what separates a sound node from a thawed ex-leader, which answers health and look-up with 200 and
    /// refuses falsely for as long as it lives, but can't commit (vault-measured 5.4 and 7).
    pub fn proved(first: &Sighting, write: CommittedWrite, second: &Sighting) -> Option<Refusal> {
        let same = first.failure.class == Class::Request
            && first.failure.finality == Finality::WhenProved
            && first.failure == second.failure;
        let apart = second.at.duration_since(first.at) >= PROOF_APART;
        let one_connection = first.connection == second.connection && write.connection == second.connection;
        let between = first.at <= write.at && write.at <= second.at;
        let newest_token = second.token >= first.token;
        (same && apart && one_connection && between && newest_token)
            .then(|| Refusal { failure: second.failure.clone() })
    }

    /// What we can see ourselves needs no second look: only a failure whose finality is [`Finality::AtOnce`] is taken.
    pub fn evident(failure: Failure) -> Option<Refusal> {
        (failure.finality == Finality::AtOnce).then_some(Refusal { failure })
    }

    /// The failure that was proved.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }
}
