//! What a story is told from: the objects of the API that belong to one subject, and the facts of its certificate.
//! Plain data. No private key is ever kept in it.

use everleaf_api::{Certificate, CertificateRequest, IssuerSpec, IssuerStatus, ObservedCondition};
use everleaf_core::x509;
use jiff::Timestamp;

use super::subject::Kind;

/// Everything that was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Objects {
    /// The Certificate.
    pub certificate: Option<Certificate>,
    /// Its requests, the newest last; or the request that is asked about.
    pub requests: Vec<CertificateRequest>,
    /// The target Secret.
    pub secret: Found<SecretSeen>,
    /// The issuer that is referred to, or asked about.
    pub issuer: Found<IssuerSeen>,
    /// There is an issuer of that name of the other kind.
    pub namesake: Option<Kind>,
    /// Other Certificates with the same `secretName`.
    pub sharers: Vec<String>,
    /// Certificates that refer to the issuer that is asked about.
    pub users: Vec<User>,
    /// Events about these objects, the newest last.
    pub events: Vec<EventSeen>,
}

/// An object that was looked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Found<T> {
    /// It is there.
    There(T),
    /// It isn't.
    Missing,
    /// It could not be read, and why.
    Unread(String),
    /// Nobody looked.
    #[default]
    NotAsked,
}

impl<T> Found<T> {
    /// The object, if it is there.
    pub(crate) fn there(&self) -> Option<&T> {
        match self {
            Found::There(object) => Some(object),
            Found::Missing | Found::Unread(_) | Found::NotAsked => None,
        }
    }
}

/// A target Secret without its key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SecretSeen {
    /// The leaf; why it can't be read; or nothing.
    pub leaf: Option<Result<LeafSeen, String>>,
    /// `tls.key` is there and not empty.
    pub has_key: bool,
}

/// Facts of a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeafSeen {
    /// Names, as text.
    pub names: Vec<String>,
    /// Who signed.
    pub issuer: String,
    /// Begin of its life.
    pub not_before: Timestamp,
    /// End of its life.
    pub not_after: Timestamp,
}

impl LeafSeen {
    /// The facts of a certificate.
    pub(crate) fn of(leaf: &x509::Certificate) -> LeafSeen {
        LeafSeen {
            names: names(leaf.sans(), leaf.subject()),
            issuer: leaf.issuer().to_string(),
            not_before: leaf.not_before(),
            not_after: leaf.not_after(),
        }
    }
}

/// The alternative names, or the subject where there are none.
pub(crate) fn names(sans: &x509::Names, subject: &x509::DistinguishedName) -> Vec<String> {
    let ips = sans.ips.iter().map(ToString::to_string);
    let all: Vec<String> =
        sans.dns.iter().cloned().chain(ips).chain(sans.uris.clone()).chain(sans.emails.clone()).collect();
    if all.is_empty() { vec![subject.to_string()] } else { all }
}

/// An Issuer or ClusterIssuer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IssuerSeen {
    /// Which of the two.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Where the Secrets lie that it refers to; `None` for a ClusterIssuer, whose namespace the controller is told by a flag.
    pub namespace: Option<String>,
    /// Its generation.
    pub generation: i64,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Its spec.
    pub spec: IssuerSpec,
    /// Its status.
    pub status: IssuerStatus,
}

impl IssuerSeen {
    /// Its Ready condition.
    pub(crate) fn ready(&self) -> Option<&ObservedCondition> {
        everleaf_api::condition::find(&self.status.conditions, "Ready")
    }
}

/// A Certificate that refers to an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// `namespace/name`
    pub name: String,
    /// It is ready.
    pub ready: bool,
    /// An issuance runs.
    pub issuing: bool,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventSeen {
    /// When it was last seen.
    pub at: Option<Timestamp>,
    /// `Normal` or `Warning`.
    pub kind: String,
    /// Its reason.
    pub reason: String,
    /// Its sentence.
    pub message: String,
    /// `Kind name` of its object.
    pub about: String,
}
