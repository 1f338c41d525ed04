//! Lean records of the objects that the watches show: parsed once, without managedFields, without private keys.
//! Plain data with views for the core. They never talk to the API.

mod certificate;
mod issuer;
mod request;
mod secret;

pub(crate) use certificate::CertificateRecord;
pub(crate) use issuer::{IssuerRecord, IssuerType};
pub(crate) use request::RequestRecord;
pub(crate) use secret::{SecretBody, SecretRecord};

/// Status of a Ready condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// True
    True,
    /// False
    False,
    /// Unknown, or no condition.
    Unknown,
}
