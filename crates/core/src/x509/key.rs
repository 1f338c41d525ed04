//! Private and public keys: read from PEM or DER, written as Go writes them, and used to sign.
//! Keys are never made here (chance is an argument in core), never printed, and wiped when dropped.

use std::fmt;

use zeroize::Zeroizing;

use super::kinds::{KeyKind, SignatureKind};
use super::pem::PemError;
use crate::wanted::KeyEncoding;

/// Why a key can't be read or used. No variant holds anything of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The PEM around it.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Not DER of a private key, or the numbers in it don't make a key.
    #[error("not a usable private key: {0}")]
    Malformed(&'static str),
    /// An algorithm, curve or size that isn't used.
    #[error("unsupported private key: {0}")]
    Unsupported(&'static str),
    /// It is encrypted.
    #[error("the private key is encrypted")]
    Encrypted,
    /// This key can't make that signature.
    #[error("a {key} key can't sign with {signature:?}")]
    OtherSignature {
        /// The key.
        key: KeyKind,
        /// The signature asked for.
        signature: SignatureKind,
    },
    /// The library refused to sign.
    #[error("signing failed")]
    Sign,
    /// The library couldn't make a key.
    #[error("a key of kind {0} can't be made here")]
    CannotBeMade(KeyKind),
}

/// A private key.
pub struct PrivateKey {
    public: PublicKey,
    kind: KeyKind,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// Reads PKCS#8 DER.
    pub fn from_pkcs8_der(_der: &[u8]) -> Result<PrivateKey, KeyError> {
        Err(KeyError::Malformed("not written yet"))
    }

    /// Reads PEM: `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`.
    pub fn from_pem(_pem: &[u8]) -> Result<PrivateKey, KeyError> {
        Err(KeyError::Malformed("not written yet"))
    }

    /// Algorithm and size.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// PEM in an encoding.
    pub fn to_pem(&self, _encoding: KeyEncoding) -> Zeroizing<String> {
        Zeroizing::new(String::new())
    }

    /// DER in an encoding, for `key.der`.
    pub fn to_der(&self, _encoding: KeyEncoding) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Vec::new())
    }

    /// PKCS#8 DER.
    pub fn pkcs8_der(&self) -> &[u8] {
        &self.pkcs8
    }

    /// Signs a message.
    pub fn sign(&self, _kind: SignatureKind, _message: &[u8]) -> Result<Vec<u8>, KeyError> {
        Err(KeyError::Sign)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.kind)
    }
}

/// A public key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    spki: Box<[u8]>,
    kind: Option<KeyKind>,
}

impl PublicKey {
    /// Algorithm and size, if they are ones we use.
    pub fn kind(&self) -> Option<KeyKind> {
        self.kind
    }

    /// SubjectPublicKeyInfo DER.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "PublicKey({kind})"),
            None => f.write_str("PublicKey(other)"),
        }
    }
}
