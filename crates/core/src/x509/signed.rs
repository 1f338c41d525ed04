//! What certificates and requests have in common: a body, an algorithm, a signature over the body's own bytes.
//! Signatures are checked over the bytes as they came, never over a new encoding of them.

use super::key::{KeyError, PrivateKey};
use super::kinds::SignatureKind;
use super::public_key::{Algorithm, PublicKey};
use super::signature;
use super::tlv::{self, BIT_STRING, Element, Malformed, SEQUENCE, tlv};

/// A signed body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed<'a> {
    pub(super) body: Element<'a>,
    /// DER of the algorithm, to be compared with the one inside a certificate.
    pub(super) algorithm_der: &'a [u8],
    algorithm: Algorithm<'a>,
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(super) fn read(der: &'a [u8]) -> Result<Signed<'a>, Malformed> {
        let mut parts = tlv::only(der, SEQUENCE, "not a DER sequence")?.inside()?;
        let body = parts.expect(SEQUENCE, "nothing signed in it")?;
        let algorithm = parts.expect(SEQUENCE, "signature algorithm missing")?;
        let signature = parts.expect(BIT_STRING, "signature missing")?.bits()?;
        parts.finish("bytes after the signature")?;
        Ok(Signed {
            body,
            algorithm_der: algorithm.whole,
            algorithm: Algorithm::read(&algorithm)?,
            signature,
        })
    }

    /// Whether `key` made the signature.
    pub(super) fn was_made_by(&self, key: &PublicKey) -> bool {
        key.verifies(&self.algorithm, self.body.whole, self.signature)
    }
}

/// Signs a body.
pub(super) fn sign(body: &[u8], key: &PrivateKey, kind: SignatureKind) -> Result<Vec<u8>, KeyError> {
    let bits = tlv::bit_string(&key.sign(kind, body)?);
    Ok(tlv(SEQUENCE, &[body, &signature::algorithm_der(kind), &bits]))
}
