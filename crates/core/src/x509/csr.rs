//! Certificate signing requests (PKCS#10): built from a wish, or parsed once to facts.
//! It never trusts a request: `verify` is a question of its own.

use super::certificate::Extension;
use super::key::{KeyError, PrivateKey, PublicKey};
use super::name::DistinguishedName;
use super::pem::PemError;
use super::sans::Names;
use super::usages::KeyUsage;
use crate::wanted::Wanted;
use const_oid::ObjectIdentifier as Oid;

/// Why a CSR can't be made, read or trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsrError {
    /// The PEM around it.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Not a PKCS#10 request.
    #[error("malformed certificate request: {0}")]
    Malformed(&'static str),
    /// Its signature isn't by its own key.
    #[error("the certificate request's signature doesn't verify")]
    BadSignature,
    /// A name that the extension can't carry.
    #[error(
        "{field} {value:?} can't be put into a certificate request: only ASCII can (write international names as punycode)"
    )]
    NotAscii {
        /// Where it comes from.
        field: &'static str,
        /// The name.
        value: String,
    },
    /// A type of otherName that isn't an OID.
    #[error("otherName type {0:?} isn't an object identifier")]
    NotAnOid(String),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A certificate signing request.
#[derive(Debug, Clone)]
pub struct Csr {
    der: std::sync::Arc<[u8]>,
    public_key: PublicKey,
    subject: DistinguishedName,
    sans: Names,
}

impl Csr {
    /// Builds and signs a request.
    pub fn build(_wanted: &Wanted, _key: &PrivateKey) -> Result<Csr, CsrError> {
        Err(CsrError::Malformed("not written yet"))
    }

    /// Reads PEM.
    pub fn from_pem(_pem: &[u8]) -> Result<Csr, CsrError> {
        Err(CsrError::Malformed("not written yet"))
    }

    /// Reads DER.
    pub fn from_der(_der: &[u8]) -> Result<Csr, CsrError> {
        Err(CsrError::Malformed("not written yet"))
    }

    /// PEM.
    pub fn to_pem(&self) -> String {
        String::new()
    }

    /// DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Checks the signature.
    pub fn verify(&self) -> Result<(), CsrError> {
        Err(CsrError::BadSignature)
    }

    /// The key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The subject.
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// The subject alternative names.
    pub fn sans(&self) -> &Names {
        &self.sans
    }

    /// Key usage, if the request names one.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        None
    }

    /// Extended key usages, if the request names some.
    pub fn ext_key_usages(&self) -> Option<&[Oid]> {
        None
    }

    /// The CA bit, if the request has basic constraints.
    pub fn ca_bit(&self) -> Option<bool> {
        None
    }

    /// An extension as requested.
    pub fn extension(&self, _oid: Oid) -> Option<&Extension> {
        None
    }
}
