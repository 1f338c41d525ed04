//! Signature algorithms: their identifiers, how the library makes them and how it verifies them.
//! It never decides which one is used (`kinds.rs`), nor whether one is good enough for trust.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{self, RsaSignatureEncoding, VerificationAlgorithm};

use super::kinds::{Curve, KeyKind, SignatureKind};
use super::oid::oid_bytes;
use super::public_key::{Algorithm, ED25519};
use super::tlv::{self, NULL, OBJECT_IDENTIFIER, SEQUENCE, tlv};

const RSA_SHA1: &[u8] = oid_bytes!("1.2.840.113549.1.1.5");
const RSA_SHA256: &[u8] = oid_bytes!("1.2.840.113549.1.1.11");
const RSA_SHA384: &[u8] = oid_bytes!("1.2.840.113549.1.1.12");
const RSA_SHA512: &[u8] = oid_bytes!("1.2.840.113549.1.1.13");
const PSS: &[u8] = oid_bytes!("1.2.840.113549.1.1.10");
const ECDSA_SHA256: &[u8] = oid_bytes!("1.2.840.10045.4.3.2");
const ECDSA_SHA384: &[u8] = oid_bytes!("1.2.840.10045.4.3.3");
const ECDSA_SHA512: &[u8] = oid_bytes!("1.2.840.10045.4.3.4");
const SHA256: &[u8] = oid_bytes!("2.16.840.1.101.3.4.2.1");
const SHA384: &[u8] = oid_bytes!("2.16.840.1.101.3.4.2.2");
const SHA512: &[u8] = oid_bytes!("2.16.840.1.101.3.4.2.3");

/// AlgorithmIdentifier DER of a signature.
pub(super) fn algorithm_der(kind: SignatureKind) -> Vec<u8> {
    let (oid, parameters) = match kind {
        SignatureKind::Sha256WithRsa => (RSA_SHA256, tlv(NULL, &[])),
        SignatureKind::Sha384WithRsa => (RSA_SHA384, tlv(NULL, &[])),
        SignatureKind::Sha512WithRsa => (RSA_SHA512, tlv(NULL, &[])),
        SignatureKind::EcdsaWithSha256 => (ECDSA_SHA256, Vec::new()),
        SignatureKind::EcdsaWithSha384 => (ECDSA_SHA384, Vec::new()),
        SignatureKind::EcdsaWithSha512 => (ECDSA_SHA512, Vec::new()),
        SignatureKind::PureEd25519 => (ED25519, Vec::new()),
    };
    tlv(SEQUENCE, &[&tlv(OBJECT_IDENTIFIER, &[oid]), &parameters])
}

/// How the library signs with a curve.
pub(super) fn ecdsa_signing(curve: Curve) -> &'static signature::EcdsaSigningAlgorithm {
    match curve {
        Curve::P256 => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
        Curve::P384 => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
        Curve::P521 => &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
    }
}

/// The digest that goes into a signature.
pub(super) fn digest(kind: SignatureKind, message: &[u8]) -> Digest {
    let hash = match kind {
        SignatureKind::Sha256WithRsa | SignatureKind::EcdsaWithSha256 => &digest::SHA256,
        SignatureKind::Sha384WithRsa | SignatureKind::EcdsaWithSha384 => &digest::SHA384,
        // Ed25519 hashes by itself; nobody asks for its digest.
        SignatureKind::Sha512WithRsa | SignatureKind::EcdsaWithSha512 | SignatureKind::PureEd25519 => {
            &digest::SHA512
        }
    };
    digest::digest(hash, message)
}

/// How the library pads for RSA.
pub(super) fn rsa_padding(kind: SignatureKind) -> &'static RsaSignatureEncoding {
    match kind {
        SignatureKind::Sha384WithRsa => &signature::RSA_PKCS1_SHA384,
        SignatureKind::Sha512WithRsa => &signature::RSA_PKCS1_SHA512,
        _ => &signature::RSA_PKCS1_SHA256,
    }
}

/// The library signs each curve with one hash only. ECDSA itself takes the leftmost bits of a digest that is longer than the curve, and a
/// shorter one as the number it is (FIPS 186-5 6.4.1), so cutting or padding a digest to the length of the curve's own hash changes nothing.
pub(super) fn fit_digest(digest: &Digest, curve: Curve) -> Result<Digest, Unspecified> {
    let native = match curve {
        Curve::P256 => &digest::SHA256,
        Curve::P384 => &digest::SHA384,
        Curve::P521 => &digest::SHA512,
    };
    let length = native.output_len();
    let padding = length.saturating_sub(digest.as_ref().len());
    let fitted: Vec<u8> =
        std::iter::repeat_n(0, padding).chain(digest.as_ref().iter().copied()).take(length).collect();
    Digest::import_less_safe(&fitted, native)
}

/// How a signature with this algorithm is verified with a key of this kind, or with an RSA key of a size we don't use.
///
/// SHA-1, and RSA keys from 1024 bits, are verified too: this links chains and shows that a CSR was made with its key, it grants no trust.
pub(super) fn verification(
    kind: Option<KeyKind>,
    is_rsa: bool,
    algorithm: &Algorithm<'_>,
) -> Option<&'static dyn VerificationAlgorithm> {
    match (kind, algorithm.oid) {
        (Some(KeyKind::Ed25519), ED25519) => Some(&signature::ED25519),
        (Some(KeyKind::Ecdsa(curve)), oid) => ecdsa(curve, oid),
        (Some(KeyKind::Rsa(_)), PSS) => rsa_pss(algorithm),
        (_, oid) if is_rsa => rsa(oid),
        _ => None,
    }
}

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
