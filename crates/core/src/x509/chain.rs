//! A certificate with what stands between it and its root.
//! It never judges trust or time.

use super::certificate::{Certificate, CertificateError};
use super::pem::PemLimits;

/// Why certificates don't make a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// There is none.
    #[error("there is no certificate")]
    Empty,
    /// Too many.
    #[error("{found} certificates, more than the limit of {limit}")]
    TooMany {
        /// How many.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// They don't all belong to one line.
    #[error("the certificate chain is malformed or broken")]
    Broken,
    /// A certificate that can't be read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A leaf and the certificates above it.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Leaf first, never empty, without a self-signed root (a lone self-signed certificate stays).
    pub certificates: Vec<Certificate>,
    /// The topmost certificate known.
    pub ca: Option<Certificate>,
    leaf: Certificate,
}

impl Chain {
    /// The leaf.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// PEM of the certificates, leaf first.
    pub fn to_pem(&self) -> String {
        String::new()
    }

    /// PEM of the CA.
    pub fn ca_pem(&self) -> Option<String> {
        None
    }

    /// Takes certificates as they are: leaf first, and a CA.
    pub fn from_parts(certificates: Vec<Certificate>, ca: Option<Certificate>) -> Result<Chain, ChainError> {
        let leaf = certificates.first().cloned().ok_or(ChainError::Empty)?;
        Ok(Chain { certificates, ca, leaf })
    }

    /// Reads what a request's status holds; `to_pem` and `ca_pem` give the texts back as they were.
    pub fn from_pem(_certificates: &[u8], _ca: &[u8], _limits: &PemLimits) -> Result<Chain, ChainError> {
        Err(ChainError::Empty)
    }

    /// Puts a bag of certificates into a line.
    pub fn order(_bag: Vec<Certificate>) -> Result<Chain, ChainError> {
        Err(ChainError::Empty)
    }

    /// Finds the best way up from a leaf.
    pub fn for_leaf(_leaf: Certificate, _rest: Vec<Certificate>) -> Result<Chain, ChainError> {
        Err(ChainError::Empty)
    }
}
