//! Keys of practice CAs: made from the seed, used with aws-lc; and signature checks for requests and certificates.
//! Key bytes are wiped when dropped and never shown. These keys guard nothing: anybody with the seed has them.
//! No RSA CAs: their signatures would only cost time.

use std::fmt;

use aws_lc_rs::agreement;
use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, UnparsedPublicKey,
    VerificationAlgorithm,
};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use zeroize::Zeroizing;

use super::der_out;
use crate::chance::Chance;
use crate::options::CaKeyKind;

/// A CA's private key.
pub(crate) struct CaKey {
    pair: Pair,
    pkcs8: Zeroizing<Vec<u8>>,
}

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl fmt::Debug for CaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaKey {{ {:?} }}", self.kind())
    }
}

/// A scalar above the group's order is refused; the chance of one is 2^-32 for each draw.
const MOST_DRAWS: usize = 8;

impl CaKey {
    /// A key of this kind, drawn from chance.
    pub(crate) fn draw(kind: CaKeyKind, chance: &mut Chance) -> Option<CaKey> {
        (0..MOST_DRAWS).find_map(|_| {
            let seed = Zeroizing::new(chance.bytes::<32>());
            match kind {
                CaKeyKind::P256 => {
                    let key = agreement::PrivateKey::from_private_key(&agreement::ECDH_P256, &*seed).ok()?;
                    let der: EcPrivateKeyRfc5915Der<'_> = key.as_der().ok()?;
                    CaKey::from_der(der.as_ref())
                }
                CaKeyKind::Ed25519 => {
                    let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).ok()?;
                    let pkcs8 = Zeroizing::new(pair.to_pkcs8v1().ok()?.as_ref().to_vec());
                    Some(CaKey { pair: Pair::Ed25519(pair), pkcs8 })
                }
            }
        })
    }

    /// A key from PKCS#8 or SEC 1 bytes.
    pub(crate) fn from_der(der: &[u8]) -> Option<CaKey> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Some(CaKey { pair: Pair::Ed25519(pair), pkcs8: Zeroizing::new(der.to_vec()) });
        }
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, der).ok()?;
        let pkcs8 = Zeroizing::new(pair.to_pkcs8v1().ok()?.as_ref().to_vec());
        Some(CaKey { pair: Pair::P256(pair), pkcs8 })
    }

    fn kind(&self) -> CaKeyKind {
        match self.pair {
            Pair::P256(_) => CaKeyKind::P256,
            Pair::Ed25519(_) => CaKeyKind::Ed25519,
        }
    }

    /// The private key as PKCS#8.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The SubjectPublicKeyInfo.
    pub(crate) fn public(&self) -> Vec<u8> {
        let (algorithm, key) = match &self.pair {
            Pair::P256(pair) => {
                let curve = der_out::oid(rfc5912::SECP_256_R_1);
                let algorithm = der_out::sequence(&[der_out::oid(rfc5912::ID_EC_PUBLIC_KEY), curve]);
                (algorithm, pair.public_key().as_ref().to_vec())
            }
            Pair::Ed25519(pair) => (
                der_out::sequence(&[der_out::oid(rfc8410::ID_ED_25519)]),
                pair.public_key().as_ref().to_vec(),
            ),
        };
        der_out::sequence(&[algorithm, der_out::bit_string(&key)])
    }

    /// The AlgorithmIdentifier of this key's signatures.
    pub(crate) fn signature_algorithm(&self) -> Vec<u8> {
        der_out::sequence(&[der_out::oid(match self.kind() {
            CaKeyKind::P256 => rfc5912::ECDSA_WITH_SHA_256,
            CaKeyKind::Ed25519 => rfc8410::ID_ED_25519,
        })])
    }

    /// Signs. ECDSA draws its own randomness inside aws-lc: the one thing here that no seed reaches.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &self.pair {
            Pair::P256(pair) => Some(pair.sign(&SystemRandom::new(), message).ok()?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// What a public key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublicKind {
    Rsa {
        bits: usize,
    },
    Ec {
        bits: usize,
    },
    Ed25519,
    /// A curve that Go doesn't know.
    UnknownCurve,
    Other,
}

/// Reads what a SubjectPublicKeyInfo holds.
pub(crate) fn kind_of(key: &spki::SubjectPublicKeyInfoOwned) -> PublicKind {
    let algorithm = key.algorithm.oid;
    if algorithm == rfc8410::ID_ED_25519 {
        return PublicKind::Ed25519;
    }
    if algorithm == rfc5912::RSA_ENCRYPTION {
        return PublicKind::Rsa { bits: rsa_bits(key.subject_public_key.raw_bytes()).unwrap_or(0) };
    }
    if algorithm != rfc5912::ID_EC_PUBLIC_KEY {
        return PublicKind::Other;
    }
    let curve = key.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    match curve {
        Some(rfc5912::SECP_224_R_1) => PublicKind::Ec { bits: 224 },
        Some(rfc5912::SECP_256_R_1) => PublicKind::Ec { bits: 256 },
        Some(rfc5912::SECP_384_R_1) => PublicKind::Ec { bits: 384 },
        Some(rfc5912::SECP_521_R_1) => PublicKind::Ec { bits: 521 },
        _ => PublicKind::UnknownCurve,
    }
}

fn rsa_bits(der: &[u8]) -> Option<usize> {
    let parts = super::reading::parts(der)?;
    let modulus = super::reading::content(parts.first()?)?;
    let first = modulus.iter().position(|byte| *byte != 0)?;
    let leading = modulus.get(first)?.leading_zeros() as usize;
    Some((modulus.len() - first) * 8 - leading)
}

/// Whether a signature of this algorithm over the message was made with the key.
pub(crate) fn verifies(
    key: &spki::SubjectPublicKeyInfoOwned,
    algorithm: ObjectIdentifier,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let Some(algorithm) = verification(kind_of(key), algorithm) else { return false };
    let key = UnparsedPublicKey::new(algorithm, key.subject_public_key.raw_bytes());
    key.verify(message, signature).is_ok()
}

fn verification(kind: PublicKind, oid: ObjectIdentifier) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (kind, oid) {
        (PublicKind::Rsa { .. }, rfc5912::SHA_256_WITH_RSA_ENCRYPTION) => {
            &signature::RSA_PKCS1_2048_8192_SHA256
        }
        (PublicKind::Rsa { .. }, rfc5912::SHA_384_WITH_RSA_ENCRYPTION) => {
            &signature::RSA_PKCS1_2048_8192_SHA384
        }
        (PublicKind::Rsa { .. }, rfc5912::SHA_512_WITH_RSA_ENCRYPTION) => {
            &signature::RSA_PKCS1_2048_8192_SHA512
        }
        (PublicKind::Ec { bits: 256 }, rfc5912::ECDSA_WITH_SHA_256) => &signature::ECDSA_P256_SHA256_ASN1,
        (PublicKind::Ec { bits: 256 }, rfc5912::ECDSA_WITH_SHA_384) => &signature::ECDSA_P256_SHA384_ASN1,
        (PublicKind::Ec { bits: 256 }, rfc5912::ECDSA_WITH_SHA_512) => &signature::ECDSA_P256_SHA512_ASN1,
        (PublicKind::Ec { bits: 384 }, rfc5912::ECDSA_WITH_SHA_256) => &signature::ECDSA_P384_SHA256_ASN1,
        (PublicKind::Ec { bits: 384 }, rfc5912::ECDSA_WITH_SHA_384) => &signature::ECDSA_P384_SHA384_ASN1,
        (PublicKind::Ec { bits: 384 }, rfc5912::ECDSA_WITH_SHA_512) => &signature::ECDSA_P384_SHA512_ASN1,
        (PublicKind::Ec { bits: 521 }, rfc5912::ECDSA_WITH_SHA_256) => &signature::ECDSA_P521_SHA256_ASN1,
        (PublicKind::Ec { bits: 521 }, rfc5912::ECDSA_WITH_SHA_384) => &signature::ECDSA_P521_SHA384_ASN1,
        (PublicKind::Ec { bits: 521 }, rfc5912::ECDSA_WITH_SHA_512) => &signature::ECDSA_P521_SHA512_ASN1,
        (PublicKind::Ed25519, rfc8410::ID_ED_25519) => &signature::ED25519,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use der::Decode;

    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_key_and_its_signatures_hold() {
        for kind in [CaKeyKind::P256, CaKeyKind::Ed25519] {
            let one = CaKey::draw(kind, &mut Chance::new(1)).unwrap();
            let two = CaKey::draw(kind, &mut Chance::new(1)).unwrap();
            assert_eq!(one.public(), two.public());
            assert_ne!(one.public(), CaKey::draw(kind, &mut Chance::new(2)).unwrap().public());
            let public = spki::SubjectPublicKeyInfoOwned::from_der(&one.public()).unwrap();
            let oid = match kind {
                CaKeyKind::P256 => rfc5912::ECDSA_WITH_SHA_256,
                CaKeyKind::Ed25519 => rfc8410::ID_ED_25519,
            };
            assert!(verifies(&public, oid, b"text", &one.sign(b"text").unwrap()));
            assert!(!verifies(&public, oid, b"other", &one.sign(b"text").unwrap()));
            assert_eq!(CaKey::from_der(one.pkcs8()).unwrap().public(), one.public());
        }
    }

    #[test]
    fn the_key_is_not_shown() {
        let key = CaKey::draw(CaKeyKind::P256, &mut Chance::new(1)).unwrap();
        assert_eq!(format!("{key:?}"), "CaKey { P256 }");
    }
}
