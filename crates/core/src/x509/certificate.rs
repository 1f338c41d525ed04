//! Certificates: DER and the facts of it that are asked for, parsed once.
//! It never refuses a certificate for an extension it needn't understand (vault-issuer 5.F4).

use std::sync::Arc;

use const_oid::ObjectIdentifier as Oid;
use jiff::Timestamp;

use super::key::PublicKey;
use super::name::DistinguishedName;
use super::pem::PemError;
use super::sans::Names;
use super::usages::KeyUsage;

/// Why a certificate can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The PEM around it.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Not an X.509 certificate.
    #[error("malformed certificate: {0}")]
    Malformed(&'static str),
}

/// An extension, not interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its type.
    pub oid: Oid,
    /// Whether it is critical.
    pub critical: bool,
    /// The DER inside.
    pub value: Vec<u8>,
}

/// A certificate. Cheap to clone; equal when the DER is.
#[derive(Debug, Clone)]
pub struct Certificate {
    facts: Arc<Facts>,
}

#[derive(Debug)]
struct Facts {
    der: Box<[u8]>,
    serial: Box<[u8]>,
    subject: DistinguishedName,
    issuer: DistinguishedName,
    not_before: Timestamp,
    not_after: Timestamp,
    public_key: PublicKey,
    sans: Names,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.facts.der == other.facts.der
    }
}

impl Eq for Certificate {}

impl Certificate {
    /// Reads DER.
    pub fn from_der(_der: &[u8]) -> Result<Certificate, CertificateError> {
        Err(CertificateError::Malformed("not written yet"))
    }

    /// Reads the first certificate in PEM text.
    pub fn from_pem(_pem: &[u8]) -> Result<Certificate, CertificateError> {
        Err(CertificateError::Malformed("not written yet"))
    }

    /// Reads all certificates in PEM text of at most `limit` bytes.
    pub fn all_from_pem(_pem: &[u8], _limit: usize) -> Result<Vec<Certificate>, CertificateError> {
        Err(CertificateError::Malformed("not written yet"))
    }

    /// PEM.
    pub fn to_pem(&self) -> String {
        String::new()
    }

    /// DER.
    pub fn der(&self) -> &[u8] {
        &self.facts.der
    }

    /// The subject.
    pub fn subject(&self) -> &DistinguishedName {
        &self.facts.subject
    }

    /// The issuer.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.facts.issuer
    }

    /// The serial number, big endian.
    pub fn serial(&self) -> &[u8] {
        &self.facts.serial
    }

    /// When its life begins.
    pub fn not_before(&self) -> Timestamp {
        self.facts.not_before
    }

    /// When its life ends.
    pub fn not_after(&self) -> Timestamp {
        self.facts.not_after
    }

    /// The key.
    pub fn public_key(&self) -> &PublicKey {
        &self.facts.public_key
    }

    /// The subject alternative names.
    pub fn sans(&self) -> &Names {
        &self.facts.sans
    }

    /// Whether it is a CA.
    pub fn is_ca(&self) -> bool {
        false
    }

    /// Key usage.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        None
    }

    /// Extended key usages.
    pub fn ext_key_usages(&self) -> &[Oid] {
        &[]
    }

    /// The subject key identifier.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        None
    }

    /// The authority key identifier.
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        None
    }

    /// Whether it is signed by its own key.
    pub fn is_self_signed(&self) -> bool {
        false
    }

    /// Whether `parent` signed it.
    pub fn was_signed_by(&self, _parent: &Certificate) -> bool {
        false
    }
}
