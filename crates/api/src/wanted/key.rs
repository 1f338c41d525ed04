//! The private key and how the signing request is signed.

use everleaf_core::wanted::{KeyEncoding, KeyWish, Rotation};
use everleaf_core::x509::{Curve, KeyKind, RsaSize, SignatureKind};

use crate::certificate::{
    CertificateSpec, KeyAlgorithm, PrivateKey, PrivateKeyEncoding, RotationPolicy, SignatureAlgorithm,
};
use crate::field_error::FieldError;
use crate::validate::Faults;

const SIZE: &str = "spec.privateKey.size";

/// The key where a spec names none.
const DEFAULT_KEY: KeyKind = KeyKind::Rsa(RsaSize::DEFAULT);

pub(super) fn key(spec: &CertificateSpec, faults: &mut Faults) -> KeyWish {
    let nothing = PrivateKey::default();
    let key = spec.private_key.as_ref().unwrap_or(&nothing);
    KeyWish { kind: kind(key, faults), encoding: encoding(key, faults), rotation: rotation(key, faults) }
}

fn kind(key: &PrivateKey, faults: &mut Faults) -> KeyKind {
    // Sizes of zero and below count as unset, as in the original.
    let size = key.size.filter(|size| *size > 0);
    match &key.algorithm {
        None | Some(KeyAlgorithm::Rsa) => size.map_or(DEFAULT_KEY, |size| rsa(size, faults)),
        Some(KeyAlgorithm::Ecdsa) => ecdsa(size, faults),
        Some(KeyAlgorithm::Ed25519) => KeyKind::Ed25519,
        Some(KeyAlgorithm::Other(word)) => {
            faults.push(FieldError::not_supported("spec.privateKey.algorithm", word, KeyAlgorithm::WORDS));
            DEFAULT_KEY
        }
    }
}

fn rsa(size: i64, faults: &mut Faults) -> KeyKind {
    let known = u32::try_from(size).ok().and_then(RsaSize::new);
    if let Some(size) = known.filter(|size| size.can_be_made()) {
        return KeyKind::Rsa(size);
    }
    let possible = RsaSize::MADE.map(|size| size.bits().to_string()).join(", ");
    let detail = match known {
        Some(_) => format!("RSA keys of this size can't be made; possible are {possible}"),
        None => format!(
            "must be between {} and {} for RSA keys; possible are {possible}",
            RsaSize::SMALLEST,
            RsaSize::LARGEST
        ),
    };
    faults.push(FieldError::invalid_number(SIZE, size, detail));
    DEFAULT_KEY
}

fn ecdsa(size: Option<i64>, faults: &mut Faults) -> KeyKind {
    let curve = match size {
        None | Some(256) => Curve::P256,
        Some(384) => Curve::P384,
        Some(521) => Curve::P521,
        Some(other) => {
            faults.push(FieldError::not_supported(SIZE, &other.to_string(), &["256", "384", "521"]));
            Curve::P256
        }
    };
    KeyKind::Ecdsa(curve)
}

fn encoding(key: &PrivateKey, faults: &mut Faults) -> KeyEncoding {
    match &key.encoding {
        None | Some(PrivateKeyEncoding::Pkcs1) => KeyEncoding::Pkcs1,
        Some(PrivateKeyEncoding::Pkcs8) => KeyEncoding::Pkcs8,
        Some(PrivateKeyEncoding::Other(word)) => {
            let words = PrivateKeyEncoding::WORDS;
            faults.push(FieldError::not_supported("spec.privateKey.encoding", word, words));
            KeyEncoding::Pkcs1
        }
    }
}

fn rotation(key: &PrivateKey, faults: &mut Faults) -> Rotation {
    match &key.rotation_policy {
        None | Some(RotationPolicy::Always) => Rotation::Always,
        Some(RotationPolicy::Never) => Rotation::Never,
        Some(RotationPolicy::Other(word)) => {
            let words = RotationPolicy::WORDS;
            faults.push(FieldError::not_supported("spec.privateKey.rotationPolicy", word, words));
            Rotation::Always
        }
    }
}

/// The signature of the request must suit the kind of key.
pub(super) fn signature(spec: &CertificateSpec, faults: &mut Faults) -> Option<SignatureKind> {
    let algorithm = spec.signature_algorithm.as_ref()?;
    let key = spec.private_key.as_ref().and_then(|key| key.algorithm.clone()).unwrap_or(KeyAlgorithm::Rsa);
    if let KeyAlgorithm::Other(_) = key {
        // That fault is told already; which signatures would suit nobody knows.
        return None;
    }
    let suiting = suiting(&key);
    let found = suiting.iter().find(|(word, _)| word == algorithm);
    if found.is_none() {
        let words: Vec<&str> = suiting.iter().map(|(word, _)| word.as_str()).collect();
        let detail =
            format!("for key algorithm {key} the allowed signature algorithms are {}", words.join(", "));
        faults.push(FieldError::invalid("spec.signatureAlgorithm", algorithm.as_str(), detail));
    }
    found.map(|(_, kind)| *kind)
}

fn suiting(key: &KeyAlgorithm) -> &'static [(SignatureAlgorithm, SignatureKind)] {
    match key {
        KeyAlgorithm::Rsa => &[
            (SignatureAlgorithm::Sha256WithRsa, SignatureKind::Sha256WithRsa),
            (SignatureAlgorithm::Sha384WithRsa, SignatureKind::Sha384WithRsa),
            (SignatureAlgorithm::Sha512WithRsa, SignatureKind::Sha512WithRsa),
        ],
        KeyAlgorithm::Ecdsa => &[
            (SignatureAlgorithm::EcdsaWithSha256, SignatureKind::EcdsaWithSha256),
            (SignatureAlgorithm::EcdsaWithSha384, SignatureKind::EcdsaWithSha384),
            (SignatureAlgorithm::EcdsaWithSha512, SignatureKind::EcdsaWithSha512),
        ],
        KeyAlgorithm::Ed25519 => &[(SignatureAlgorithm::PureEd25519, SignatureKind::PureEd25519)],
        KeyAlgorithm::Other(_) => &[],
    }
}
