//! Kinds of keys and signatures: what a spec can ask for, and what a key or certificate can hold.
//! Plain data; a kind that can't be used can't be written down. It never looks at bytes.

use std::fmt;

/// Algorithm and size of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA of a size.
    Rsa(RsaSize),
    /// ECDSA on a curve.
    Ecdsa(Curve),
    /// Ed25519
    Ed25519,
}

impl KeyKind {
    /// The name in `spec.privateKey.algorithm`.
    pub fn algorithm(self) -> &'static str {
        match self {
            KeyKind::Rsa(_) => "RSA",
            KeyKind::Ecdsa(_) => "ECDSA",
            KeyKind::Ed25519 => "Ed25519",
        }
    }

    /// The size in bits, as `spec.privateKey.size` counts them.
    pub fn bits(self) -> u32 {
        match self {
            KeyKind::Rsa(size) => size.bits(),
            KeyKind::Ecdsa(curve) => curve.bits(),
            KeyKind::Ed25519 => 256,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyKind::Ed25519 => f.write_str("Ed25519"),
            KeyKind::Rsa(_) | KeyKind::Ecdsa(_) => write!(f, "{}-{}", self.algorithm(), self.bits()),
        }
    }
}

/// Size of an RSA key in bits, 2048 to 8192.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RsaSize(u32);

impl RsaSize {
    /// The smallest size that is used.
    pub const SMALLEST: u32 = 2048;
    /// The largest size that is used.
    pub const LARGEST: u32 = 8192;
    /// The size where a spec names none.
    pub const DEFAULT: RsaSize = RsaSize(2048);
    /// The sizes that can be made; the library makes no others (rust-ecosystem 1.2).
    pub const MADE: [RsaSize; 4] = [RsaSize(2048), RsaSize(3072), RsaSize(4096), RsaSize(8192)];

    /// A size in bits; `None` outside 2048..=8192.
    pub fn new(bits: u32) -> Option<RsaSize> {
        (Self::SMALLEST..=Self::LARGEST).contains(&bits).then_some(RsaSize(bits))
    }

    /// The size in bits.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether keys of this size can be made here (others can only be read and used).
    pub fn can_be_made(self) -> bool {
        Self::MADE.contains(&self)
    }
}

/// A NIST curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// Size of the field in bits, as `spec.privateKey.size` names curves.
    pub fn bits(self) -> u32 {
        match self {
            Curve::P256 => 256,
            Curve::P384 => 384,
            Curve::P521 => 521,
        }
    }

    /// The curve of a size.
    pub fn of_bits(bits: u32) -> Option<Curve> {
        [Curve::P256, Curve::P384, Curve::P521].into_iter().find(|curve| curve.bits() == bits)
    }

    /// Length of a scalar or coordinate in bytes.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }
}

/// How something is signed: the values of `spec.signatureAlgorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SignatureKind {
    Sha256WithRsa,
    Sha384WithRsa,
    Sha512WithRsa,
    EcdsaWithSha256,
    EcdsaWithSha384,
    EcdsaWithSha512,
    PureEd25519,
}

impl SignatureKind {
    /// The kind that goes with a key where nobody asks for another (certificate-lifecycle 2.12).
    pub fn default_for(key: KeyKind) -> SignatureKind {
        const LARGE: u32 = 4096;
        const MIDDLE: u32 = 3072;
        match key {
            KeyKind::Rsa(size) if size.bits() >= LARGE => SignatureKind::Sha512WithRsa,
            KeyKind::Rsa(size) if size.bits() >= MIDDLE => SignatureKind::Sha384WithRsa,
            KeyKind::Rsa(_) => SignatureKind::Sha256WithRsa,
            KeyKind::Ecdsa(Curve::P256) => SignatureKind::EcdsaWithSha256,
            KeyKind::Ecdsa(Curve::P384) => SignatureKind::EcdsaWithSha384,
            KeyKind::Ecdsa(Curve::P521) => SignatureKind::EcdsaWithSha512,
            KeyKind::Ed25519 => SignatureKind::PureEd25519,
        }
    }

    /// Whether a key of this kind can make such a signature.
    pub fn fits(self, key: KeyKind) -> bool {
        use SignatureKind::{
            EcdsaWithSha256, EcdsaWithSha384, EcdsaWithSha512, PureEd25519, Sha256WithRsa, Sha384WithRsa,
            Sha512WithRsa,
        };
        match self {
            Sha256WithRsa | Sha384WithRsa | Sha512WithRsa => matches!(key, KeyKind::Rsa(_)),
            EcdsaWithSha256 | EcdsaWithSha384 | EcdsaWithSha512 => matches!(key, KeyKind::Ecdsa(_)),
            PureEd25519 => matches!(key, KeyKind::Ed25519),
        }
    }
}
