//! Public keys: SubjectPublicKeyInfo read once, kept in one canonical form so that equal keys are equal bytes, and used to verify.
//! A key of a kind we don't use is kept as it is. It never decides whether a signature is good enough for trust.

use std::fmt;

use aws_lc_rs::signature::UnparsedPublicKey;

use super::kinds::{Curve, KeyKind, RsaSize};
use super::oid::oid_bytes;
use super::signature;
use super::tlv::{self, BIT_STRING, Element, INTEGER, Malformed, NULL, OBJECT_IDENTIFIER, SEQUENCE, tlv};

pub(super) const RSA: &[u8] = oid_bytes!("1.2.840.113549.1.1.1");
pub(super) const EC: &[u8] = oid_bytes!("1.2.840.10045.2.1");
pub(super) const ED25519: &[u8] = oid_bytes!("1.3.101.112");
const P256: &[u8] = oid_bytes!("1.2.840.10045.3.1.7");
const P384: &[u8] = oid_bytes!("1.3.132.0.34");
const P521: &[u8] = oid_bytes!("1.3.132.0.35");

/// Length of an Ed25519 key, public or private.
pub(super) const ED25519_BYTES: usize = 32;

/// A public key. Equal when it is the same key, however its algorithm was spelled.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    spki: Box<[u8]>,
    kind: Option<KeyKind>,
    /// How many bytes at the end of `spki` are the key itself (the contents of the BIT STRING).
    bits: usize,
}

impl PublicKey {
    /// Algorithm and size; `None` for keys that are too small, too large or of another algorithm.
    pub fn kind(&self) -> Option<KeyKind> {
        self.kind
    }

    /// SubjectPublicKeyInfo DER, as Go writes it for the kinds we use.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The key itself: RSAPublicKey DER, an uncompressed point, or 32 bytes.
    pub(super) fn bits(&self) -> &[u8] {
        self.spki.get(self.spki.len().saturating_sub(self.bits)..).unwrap_or_default()
    }

    /// The key identifier that goes into new CA certificates: RFC 7093 method 1, the first 20 bytes of the SHA-256 of the key, as Go makes it.
    pub(super) fn identifier(&self) -> Vec<u8> {
        const LENGTH: usize = 20;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.bits());
        digest.as_ref().iter().take(LENGTH).copied().collect()
    }

    /// Reads the SubjectPublicKeyInfo `element`.
    pub(super) fn from_spki(element: &Element<'_>) -> Result<PublicKey, Malformed> {
        let mut parts = element.inside()?;
        let algorithm = Algorithm::read(&parts.expect(SEQUENCE, "public key without algorithm")?)?;
        let bits = parts.expect(BIT_STRING, "public key without bits")?.bits()?;
        parts.finish("bytes after the public key")?;
        Ok(match kind(&algorithm, bits) {
            Some(kind) => PublicKey::new(kind, bits),
            None => PublicKey { spki: element.whole.into(), kind: None, bits: bits.len() },
        })
    }

    /// Writes the canonical form.
    pub(super) fn new(kind: KeyKind, bits: &[u8]) -> PublicKey {
        let spki = tlv(SEQUENCE, &[&algorithm_der(kind), &tlv::bit_string(bits)]);
        PublicKey { spki: spki.into(), kind: Some(kind), bits: bits.len() }
    }

    /// Whether this key made `signature` over `message`, with the algorithm that `algorithm` names.
    pub(super) fn verifies(&self, algorithm: &Algorithm<'_>, message: &[u8], signature: &[u8]) -> bool {
        let Some(method) = signature::verification(self.kind, self.is_rsa(), algorithm) else { return false };
        UnparsedPublicKey::new(method, self.bits()).verify(message, signature).is_ok()
    }

    fn is_rsa(&self) -> bool {
        let algorithm = tlv::only(&self.spki, SEQUENCE, "")
            .and_then(|spki| spki.inside()?.expect(SEQUENCE, ""))
            .and_then(|element| Algorithm::read(&element).map(|algorithm| algorithm.oid == RSA));
        algorithm.unwrap_or(false)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "PublicKey({kind})"),
            None => f.write_str("PublicKey(of another kind)"),
        }
    }
}

/// An AlgorithmIdentifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Algorithm<'a> {
    pub(super) oid: &'a [u8],
    /// DER of the parameters, empty if there are none.
    pub(super) parameters: &'a [u8],
}

impl<'a> Algorithm<'a> {
    pub(super) fn read(element: &Element<'a>) -> Result<Algorithm<'a>, Malformed> {
        let mut parts = element.inside()?;
        let oid = parts.expect(OBJECT_IDENTIFIER, "algorithm without identifier")?.value;
        let parameters = if parts.is_empty() { &[][..] } else { parts.next()?.whole };
        parts.finish("bytes after the algorithm")?;
        Ok(Algorithm { oid, parameters })
    }

    /// The parameters' contents if they are an OID: a named curve.
    pub(super) fn curve(&self) -> Option<Curve> {
        curve_of(tlv::only(self.parameters, OBJECT_IDENTIFIER, "").ok()?.value)
    }
}

/// The curve of an OID.
pub(super) fn curve_of(oid: &[u8]) -> Option<Curve> {
    match oid {
        P256 => Some(Curve::P256),
        P384 => Some(Curve::P384),
        P521 => Some(Curve::P521),
        _ => None,
    }
}

/// DER of the OID of a curve.
pub(super) fn curve_oid(curve: Curve) -> Vec<u8> {
    let oid = match curve {
        Curve::P256 => P256,
        Curve::P384 => P384,
        Curve::P521 => P521,
    };
    tlv(OBJECT_IDENTIFIER, &[oid])
}

/// AlgorithmIdentifier DER of a key.
pub(super) fn algorithm_der(kind: KeyKind) -> Vec<u8> {
    let (oid, parameters) = match kind {
        KeyKind::Rsa(_) => (RSA, tlv(NULL, &[])),
        KeyKind::Ecdsa(curve) => (EC, curve_oid(curve)),
        KeyKind::Ed25519 => (ED25519, Vec::new()),
    };
    tlv(SEQUENCE, &[&tlv(OBJECT_IDENTIFIER, &[oid]), &parameters])
}

fn kind(algorithm: &Algorithm<'_>, bits: &[u8]) -> Option<KeyKind> {
    const UNCOMPRESSED: u8 = 4;
    match algorithm.oid {
        RSA => rsa_size(bits).map(KeyKind::Rsa),
        EC => {
            let curve = algorithm.curve()?;
            let whole_point = bits.len() == 1 + 2 * curve.bytes() && bits.first() == Some(&UNCOMPRESSED);
            whole_point.then_some(KeyKind::Ecdsa(curve))
        }
        ED25519 => (bits.len() == ED25519_BYTES).then_some(KeyKind::Ed25519),
        _ => None,
    }
}

/// The size of the modulus in RSAPublicKey DER.
pub(super) fn rsa_size(public: &[u8]) -> Option<RsaSize> {
    let mut numbers = tlv::only(public, SEQUENCE, "").and_then(|key| key.inside()).ok()?;
    let modulus = numbers.expect(INTEGER, "").ok()?.value;
    numbers.expect(INTEGER, "").ok()?;
    numbers.finish("").ok()?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let top = modulus.first()?;
    let bits = u32::try_from(modulus.len()).ok()?.checked_mul(8)?.checked_sub(top.leading_zeros())?;
    RsaSize::new(bits)
}
