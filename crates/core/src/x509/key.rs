//! Private keys: read from PEM or DER of any usual form, written as Go writes them, and used to sign.
//! Keys are never made here (chance is an argument in core), never printed, and wiped when dropped. The signature is the one place where core
//! takes chance from outside: the library draws its own for ECDSA.

use std::fmt;

use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use zeroize::Zeroizing;

use super::kinds::{Curve, KeyKind, SignatureKind};
use super::pem::{self, PemError, PemLimits};
use super::public_key::{self, Algorithm, EC, ED25519, ED25519_BYTES, PublicKey, RSA};
use super::signature;
use super::tlv::{
    self, INTEGER, Malformed, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, context_constructed, tlv,
};
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
    #[error("a key of kind {key} can't sign with {signature:?}")]
    OtherSignature {
        /// The key.
        key: KeyKind,
        /// The signature asked for.
        signature: SignatureKind,
    },
    /// The library refused to sign.
    #[error("signing failed")]
    Sign,
    /// A size that can be read and used, but not made (see `RsaSize::can_be_made`). Trying again is no use.
    #[error("a key of kind {0} can't be made here; RSA keys are made with 2048, 3072, 4096 or 8192 bits")]
    CannotBeMade(KeyKind),
    /// The library failed to make a key.
    #[error("making a key of kind {0} failed")]
    NotMade(KeyKind),
}

impl From<Malformed> for KeyError {
    fn from(malformed: Malformed) -> Self {
        KeyError::Malformed(malformed.0)
    }
}

/// A private key. Wiped when dropped; share it by `Arc` rather than copying it.
pub struct PrivateKey {
    kind: KeyKind,
    public: PublicKey,
    /// RSAPrivateKey DER, the scalar, or the seed.
    secret: Zeroizing<Vec<u8>>,
    pkcs8: Zeroizing<Vec<u8>>,
    pair: Pair,
}

/// The library's form of the key. It wipes its own memory.
enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(Curve, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

const PKCS1_LABEL: &str = "RSA PRIVATE KEY";
const SEC1_LABEL: &str = "EC PRIVATE KEY";
const PKCS8_LABEL: &str = "PRIVATE KEY";
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";

impl PrivateKey {
    /// Reads PEM of at most the default limit: the first `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY` in it.
    pub fn from_pem(pem: &[u8]) -> Result<PrivateKey, KeyError> {
        PrivateKey::from_pem_within(pem, PemLimits::DEFAULT.key)
    }

    /// Reads PEM of at most `limit` bytes.
    pub fn from_pem_within(pem: &[u8], limit: usize) -> Result<PrivateKey, KeyError> {
        let labels = [PKCS1_LABEL, SEC1_LABEL, PKCS8_LABEL, ENCRYPTED_LABEL];
        let block = pem::first(pem, "a private key", limit, |label| labels.contains(&label))?;
        if block.encrypted || block.label == ENCRYPTED_LABEL {
            return Err(KeyError::Encrypted);
        }
        match block.label {
            PKCS1_LABEL => PrivateKey::from_pkcs1(&block.der),
            SEC1_LABEL => PrivateKey::from_sec1(&block.der, None),
            _ => PrivateKey::from_pkcs8_der(&block.der),
        }
    }

    /// Reads PKCS#8 DER (PrivateKeyInfo, also with a public key behind it).
    pub fn from_pkcs8_der(der: &[u8]) -> Result<PrivateKey, KeyError> {
        let mut parts = tlv::only(der, SEQUENCE, "not PKCS#8")?.inside()?;
        parts.expect(INTEGER, "PKCS#8 without version")?;
        let algorithm = Algorithm::read(&parts.expect(SEQUENCE, "PKCS#8 without algorithm")?)?;
        let key = parts.expect(OCTET_STRING, "PKCS#8 without key")?.value;
        match algorithm.oid {
            RSA => PrivateKey::from_pkcs1(key),
            EC => {
                let curve = algorithm
                    .curve()
                    .ok_or(KeyError::Unsupported("a curve other than P-256, P-384 and P-521"))?;
                PrivateKey::from_sec1(key, Some(curve))
            }
            ED25519 => PrivateKey::from_seed(tlv::only(key, OCTET_STRING, "Ed25519 without seed")?.value),
            _ => Err(KeyError::Unsupported("an algorithm other than RSA, ECDSA and Ed25519")),
        }
    }

    /// Algorithm and size.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// PEM. `Pkcs1` gives `RSA PRIVATE KEY` or `EC PRIVATE KEY`, but PKCS#8 for Ed25519, which has no other form.
    pub fn to_pem(&self, encoding: KeyEncoding) -> Zeroizing<String> {
        let label = match (encoding, self.kind) {
            (KeyEncoding::Pkcs1, KeyKind::Rsa(_)) => PKCS1_LABEL,
            (KeyEncoding::Pkcs1, KeyKind::Ecdsa(_)) => SEC1_LABEL,
            (KeyEncoding::Pkcs1, KeyKind::Ed25519) | (KeyEncoding::Pkcs8, _) => PKCS8_LABEL,
        };
        pem::encode(label, &self.to_der(encoding))
    }

    /// The DER inside of [`PrivateKey::to_pem`], for `key.der`.
    pub fn to_der(&self, encoding: KeyEncoding) -> Zeroizing<Vec<u8>> {
        match (encoding, self.kind) {
            (KeyEncoding::Pkcs1, KeyKind::Rsa(_)) => self.secret.clone(),
            (KeyEncoding::Pkcs1, KeyKind::Ecdsa(curve)) => {
                sec1(&self.secret, self.public.bits(), Some(curve))
            }
            (KeyEncoding::Pkcs1, KeyKind::Ed25519) | (KeyEncoding::Pkcs8, _) => self.pkcs8.clone(),
        }
    }

    /// PKCS#8 DER.
    pub fn pkcs8_der(&self) -> &[u8] {
        &self.pkcs8
    }

    /// Signs a message; the signature has the form that certificates carry.
    pub fn sign(&self, kind: SignatureKind, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        if !kind.fits(self.kind) {
            return Err(KeyError::OtherSignature { key: self.kind, signature: kind });
        }
        let digest = || signature::digest(kind, message);
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign_digest(signature::rsa_padding(kind), &digest(), &mut out)
                    .map_err(|_| KeyError::Sign)?;
                Ok(out)
            }
            Pair::Ecdsa(curve, pair) => {
                let digest = signature::fit_digest(&digest(), *curve).map_err(|_| KeyError::Sign)?;
                Ok(pair.sign_digest(&digest).map_err(|_| KeyError::Sign)?.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.try_sign(message).map_err(|_| KeyError::Sign)?.as_ref().to_vec()),
        }
    }

    /// RSAPrivateKey (RFC 8017 A.1.2).
    fn from_pkcs1(der: &[u8]) -> Result<PrivateKey, KeyError> {
        tlv::only(der, SEQUENCE, "not an RSA private key")?;
        let pair = RsaKeyPair::from_der(der)
            .map_err(|_| KeyError::Malformed("not an RSA key of 2048 to 8192 bits"))?;
        let public = pair.public_key().as_ref();
        let size =
            public_key::rsa_size(public).ok_or(KeyError::Unsupported("an RSA size outside 2048 to 8192"))?;
        let kind = KeyKind::Rsa(size);
        let public = PublicKey::new(kind, public);
        Ok(PrivateKey {
            kind,
            public,
            secret: Zeroizing::new(der.to_vec()),
            pkcs8: pkcs8(kind, der),
            pair: Pair::Rsa(pair),
        })
    }

    /// ECPrivateKey (RFC 5915). The curve stands around it in PKCS#8, inside otherwise. A public key in it is ignored, as Go ignores it, and
    /// computed anew.
    fn from_sec1(der: &[u8], curve: Option<Curve>) -> Result<PrivateKey, KeyError> {
        let mut parts = tlv::only(der, SEQUENCE, "not an EC private key")?.inside()?;
        parts.expect(INTEGER, "EC key without version")?;
        let scalar = parts.expect(OCTET_STRING, "EC key without scalar")?.value;
        let inside = match parts.optional(context_constructed(0))? {
            Some(named) => public_key::curve_of(
                tlv::only(named.value, OBJECT_IDENTIFIER, "EC key without a named curve")?.value,
            ),
            None => None,
        };
        let curve =
            curve.or(inside).ok_or(KeyError::Unsupported("a curve other than P-256, P-384 and P-521"))?;
        let secret = fixed_length(scalar, curve.bytes()).ok_or(KeyError::Malformed("EC scalar too long"))?;
        let plain = sec1(&secret, &[], Some(curve));
        let pair = EcdsaKeyPair::from_private_key_der(signature::ecdsa_signing(curve), &plain)
            .map_err(|_| KeyError::Malformed("EC scalar out of range"))?;
        let kind = KeyKind::Ecdsa(curve);
        let public = PublicKey::new(kind, pair.public_key().as_ref());
        let pkcs8 = pkcs8(kind, &sec1(&secret, public.bits(), None));
        Ok(PrivateKey { kind, public, secret, pkcs8, pair: Pair::Ecdsa(curve, pair) })
    }

    fn from_seed(seed: &[u8]) -> Result<PrivateKey, KeyError> {
        if seed.len() != ED25519_BYTES {
            return Err(KeyError::Malformed("Ed25519 seed of another length than 32"));
        }
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Malformed("Ed25519 seed"))?;
        let kind = KeyKind::Ed25519;
        let public = PublicKey::new(kind, pair.public_key().as_ref());
        let secret = Zeroizing::new(seed.to_vec());
        let inner = Zeroizing::new(tlv(OCTET_STRING, &[seed]));
        Ok(PrivateKey { kind, public, secret, pkcs8: pkcs8(kind, &inner), pair: Pair::Ed25519(pair) })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.kind)
    }
}

/// PrivateKeyInfo, version 0, as Go writes it.
fn pkcs8(kind: KeyKind, key: &[u8]) -> Zeroizing<Vec<u8>> {
    let key = Zeroizing::new(tlv(OCTET_STRING, &[key]));
    Zeroizing::new(tlv(SEQUENCE, &[&tlv(INTEGER, &[&[0]]), &public_key::algorithm_der(kind), &key]))
}

/// ECPrivateKey, with the curve (Go leaves it out inside of PKCS#8) and with the public key unless it is empty.
fn sec1(scalar: &[u8], point: &[u8], curve: Option<Curve>) -> Zeroizing<Vec<u8>> {
    let version = tlv(INTEGER, &[&[1]]);
    let key = Zeroizing::new(tlv(OCTET_STRING, &[scalar]));
    let curve =
        curve.map(|curve| tlv(context_constructed(0), &[&public_key::curve_oid(curve)])).unwrap_or_default();
    let point =
        if point.is_empty() { Vec::new() } else { tlv(context_constructed(1), &[&tlv::bit_string(point)]) };
    Zeroizing::new(tlv(SEQUENCE, &[&version, &key, &curve, &point]))
}

/// A big-endian number in exactly `length` bytes; other programs write scalars without leading zeros, or with too many.
fn fixed_length(number: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let mut fixed = Zeroizing::new(vec![0; length]);
    let excess = number.len().saturating_sub(length);
    let (leading, rest) = number.split_at_checked(excess)?;
    if leading.iter().any(|byte| *byte != 0) {
        return None;
    }
    fixed.get_mut(length - rest.len()..)?.copy_from_slice(rest);
    Some(fixed)
}
