//! Public keys: SubjectPublicKeyInfo read once, kept in one canonical form so that equal keys are equal bytes, and used to verify.
//! A key of a kind we don't use is kept as it is. It never decides whether a signature is good enough for trust.

use std::fmt;

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

use super::kinds::{Curve, KeyKind, RsaSize};
use super::oid::oid_bytes;
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

    /// Whether this key made `signature` over `message`, with the algorithm that the AlgorithmIdentifier `algorithm` names.
    ///
    /// SHA-1, and RSA keys from 1024 bits, are verified too: this links chains and shows that a CSR was made with its key, it grants no trust.
    pub(super) fn verifies(&self, algorithm: &Algorithm<'_>, message: &[u8], signature: &[u8]) -> bool {
        let Some(method) = self.method(algorithm) else { return false };
        UnparsedPublicKey::new(method, self.bits()).verify(message, signature).is_ok()
    }

    fn method(&self, algorithm: &Algorithm<'_>) -> Option<&'static dyn VerificationAlgorithm> {
        match (self.kind, algorithm.oid) {
            (Some(KeyKind::Ed25519), ED25519) => Some(&signature::ED25519),
            (Some(KeyKind::Ecdsa(curve)), oid) => ecdsa(curve, oid),
            (Some(KeyKind::Rsa(_)), PSS) => rsa_pss(algorithm),
            (Some(KeyKind::Rsa(_)), oid) => rsa(oid),
            (None, oid) if self.is_rsa() => rsa(oid),
            _ => None,
        }
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

const RSA_SHA1: &[u8] = oid_bytes!("1.2.840.113549.1.1.5");
pub(super) const RSA_SHA256: &[u8] = oid_bytes!("1.2.840.113549.1.1.11");
pub(super) const RSA_SHA384: &[u8] = oid_bytes!("1.2.840.113549.1.1.12");
pub(super) const RSA_SHA512: &[u8] = oid_bytes!("1.2.840.113549.1.1.13");
const PSS: &[u8] = oid_bytes!("1.2.840.113549.1.1.10");
pub(super) const ECDSA_SHA256: &[u8] = oid_bytes!("1.2.840.10045.4.3.2");
pub(super) const ECDSA_SHA384: &[u8] = oid_bytes!("1.2.840.10045.4.3.3");
pub(super) const ECDSA_SHA512: &[u8] = oid_bytes!("1.2.840.10045.4.3.4");
const SHA256: &[u8] = oid_bytes!("2.16.840.1.101.3.4.2.1");
const SHA384: &[u8] = oid_bytes!("2.16.840.1.101.3.4.2.2");
const SHA512: &[u8] = oid_bytes!("2.16.840.1.101.3.4.2.3");

fn rsa(oid: &[u8]) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match oid {
        RSA_SHA1 => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        RSA_SHA256 => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        RSA_SHA384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        RSA_SHA512 => &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        _ => return None,
    })
}

/// RSASSA-PSS-params (RFC 4055 3.1): only the hash `[0]` is looked at; without it the hash would be SHA-1, which nobody uses here.
fn rsa_pss(algorithm: &Algorithm<'_>) -> Option<&'static dyn VerificationAlgorithm> {
    let mut fields = tlv::only(algorithm.parameters, SEQUENCE, "").and_then(|e| e.inside()).ok()?;
    let hash = fields.optional(tlv::context_constructed(0)).ok()??;
    let hash = tlv::only(hash.value, SEQUENCE, "").and_then(|e| Algorithm::read(&e)).ok()?;
    Some(match hash.oid {
        SHA256 => &signature::RSA_PSS_2048_8192_SHA256,
        SHA384 => &signature::RSA_PSS_2048_8192_SHA384,
        SHA512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn ecdsa(curve: Curve, oid: &[u8]) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (curve, oid) {
        (Curve::P256, ECDSA_SHA256) => &signature::ECDSA_P256_SHA256_ASN1,
        (Curve::P256, ECDSA_SHA384) => &signature::ECDSA_P256_SHA384_ASN1,
        (Curve::P256, ECDSA_SHA512) => &signature::ECDSA_P256_SHA512_ASN1,
        (Curve::P384, ECDSA_SHA256) => &signature::ECDSA_P384_SHA256_ASN1,
        (Curve::P384, ECDSA_SHA384) => &signature::ECDSA_P384_SHA384_ASN1,
        (Curve::P384, ECDSA_SHA512) => &signature::ECDSA_P384_SHA512_ASN1,
        (Curve::P521, ECDSA_SHA256) => &signature::ECDSA_P521_SHA256_ASN1,
        (Curve::P521, ECDSA_SHA384) => &signature::ECDSA_P521_SHA384_ASN1,
        (Curve::P521, ECDSA_SHA512) => &signature::ECDSA_P521_SHA512_ASN1,
        _ => return None,
    })
}
