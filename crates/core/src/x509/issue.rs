//! Signing: a leaf by a CA's key, or a certificate by its own.
//! Time and serial number are arguments. It never signs what the CSR contradicts.

use jiff::Timestamp;

use super::certificate::Certificate;
use super::csr::Csr;
use super::key::{KeyError, PrivateKey};
use crate::wanted::Usage;

/// A serial number: positive, 20 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serial([u8; 20]);

impl Serial {
    /// Makes a serial number of random bytes.
    pub fn from_random(mut bytes: [u8; 20]) -> Serial {
        let [first, ..] = &mut bytes;
        *first = (*first & 0x7f) | 0x40;
        Serial(bytes)
    }
}

/// What to sign.
#[derive(Debug, Clone, Copy)]
pub struct LeafPlan<'a> {
    /// The request: subject, names, key and name constraints come from it.
    pub csr: &'a Csr,
    /// The serial number.
    pub serial: Serial,
    /// When its life begins.
    pub not_before: Timestamp,
    /// When its life ends.
    pub not_after: Timestamp,
    /// The usages of the request object.
    pub usages: &'a [Usage],
    /// Whether it shall be a CA.
    pub is_ca: bool,
    /// URLs of revocation lists.
    pub crl_distribution_points: &'a [String],
    /// URLs of OCSP responders.
    pub ocsp_servers: &'a [String],
    /// URLs of the issuer's certificate.
    pub issuing_certificate_urls: &'a [String],
}

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The CA's key doesn't belong to its certificate, or the key isn't that of the request.
    #[error("the private key doesn't belong to {0}")]
    OtherKey(&'static str),
    /// The CSR says something else than the request object.
    #[error("the certificate request's {0} differ from what the request object asks for")]
    Contradiction(&'static str),
    /// The CSR's own signature is bad, or its parts can't be used.
    #[error(transparent)]
    Csr(#[from] super::csr::CsrError),
    /// A time that a certificate can't hold.
    #[error("a certificate can't hold the time {0}")]
    Time(Timestamp),
    /// A URL that a certificate can't hold.
    #[error("URL {0:?} isn't ASCII")]
    NotAscii(String),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What was made can't be read back.
    #[error(transparent)]
    Certificate(#[from] super::certificate::CertificateError),
}

/// Signs a leaf with a CA's key.
pub fn sign_leaf(
    _plan: &LeafPlan<'_>,
    _ca: &Certificate,
    _ca_key: &PrivateKey,
) -> Result<Certificate, SignError> {
    Err(SignError::OtherKey("not written yet"))
}

/// Signs a certificate with its own key.
pub fn sign_self(_plan: &LeafPlan<'_>, _key: &PrivateKey) -> Result<Certificate, SignError> {
    Err(SignError::OtherKey("not written yet"))
}
