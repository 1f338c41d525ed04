//! Keys, wishes and little hierarchies of CAs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair,
};
use everleaf_core::wanted::{
    IssuerRef, KeyEncoding, KeyWish, Keystores, RenewBefore, Renewal, RenewalPolicy, Rotation, Sans,
    SecretTemplate, Subject, SubjectFields, Usage, Wanted,
};
use everleaf_core::x509::{
    Certificate, Csr, Curve, KeyKind, LeafPlan, PrivateKey, RsaSize, Serial, SignatureKind, sign_leaf,
    sign_self,
};
use jiff::Timestamp;

pub(crate) const P256: KeyKind = KeyKind::Ecdsa(Curve::P256);
pub(crate) const P384: KeyKind = KeyKind::Ecdsa(Curve::P384);
pub(crate) const P521: KeyKind = KeyKind::Ecdsa(Curve::P521);

/// Every kind that tests can afford to make.
pub(crate) fn kinds() -> Vec<KeyKind> {
    vec![rsa(2048), rsa(3072), P256, P384, P521, KeyKind::Ed25519]
}

pub(crate) fn rsa(bits: u32) -> KeyKind {
    KeyKind::Rsa(RsaSize::new(bits).unwrap())
}

pub(crate) fn now() -> Timestamp {
    "2026-11-24T21:30:00Z".parse().unwrap()
}

/// A new key.
pub(crate) fn new_key(kind: KeyKind) -> PrivateKey {
    let ec = |algorithm| EcdsaKeyPair::generate(algorithm).unwrap().to_pkcs8v1().unwrap().as_ref().to_vec();
    let rsa = |size| {
        let der: Pkcs8V1Der<'_> = RsaKeyPair::generate(size).unwrap().as_der().unwrap();
        der.as_ref().to_vec()
    };
    let der = match kind {
        KeyKind::Ecdsa(Curve::P256) => ec(&ECDSA_P256_SHA256_ASN1_SIGNING),
        KeyKind::Ecdsa(Curve::P384) => ec(&ECDSA_P384_SHA384_ASN1_SIGNING),
        KeyKind::Ecdsa(Curve::P521) => ec(&ECDSA_P521_SHA512_ASN1_SIGNING),
        KeyKind::Ed25519 => Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref().to_vec(),
        KeyKind::Rsa(size) => rsa(match size.bits() {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            bits => panic!("no maker for RSA-{bits}"),
        }),
    };
    PrivateKey::from_pkcs8_der(&der).unwrap()
}

/// A key of this kind, made once and shared by all tests.
pub(crate) fn key(kind: KeyKind) -> Arc<PrivateKey> {
    static MADE: LazyLock<Mutex<Vec<Arc<PrivateKey>>>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap();
    if let Some(key) = made.iter().find(|key| key.kind() == kind) {
        return Arc::clone(key);
    }
    let key = Arc::new(new_key(kind));
    made.push(Arc::clone(&key));
    key
}

/// A wish for nothing in particular.
pub(crate) fn wanted() -> Wanted {
    Wanted {
        secret_name: "web-tls".to_owned(),
        issuer: IssuerRef {
            name: "ca".to_owned(),
            written_kind: String::new(),
            written_group: String::new(),
        },
        subject: Subject::Fields(SubjectFields::default()),
        sans: Sans::default(),
        duration: None,
        renewal: Renewal { before: RenewBefore::Default, policy: RenewalPolicy::AtTime },
        key: KeyWish { kind: P256, encoding: KeyEncoding::Pkcs1, rotation: Rotation::Always },
        usages: Vec::new(),
        usages_in_csr: true,
        is_ca: false,
        name_constraints: None,
        signature: None,
        secret_template: SecretTemplate::default(),
        output_formats: Vec::new(),
        keystores: Keystores::default(),
        revision_history_limit: 1,
    }
}

pub(crate) fn named(common_name: &str) -> Wanted {
    let fields = SubjectFields { common_name: Some(common_name.to_owned()), ..SubjectFields::default() };
    Wanted { subject: Subject::Fields(fields), ..wanted() }
}

pub(crate) fn signed_with(mut wanted: Wanted, signature: SignatureKind) -> Wanted {
    wanted.signature = Some(signature);
    wanted
}

/// The plan that goes with a wish.
pub(crate) fn plan<'a>(csr: &'a Csr, usages: &'a [Usage], is_ca: bool) -> LeafPlan<'a> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; Serial::LENGTH];
    bytes[Serial::LENGTH - 8..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    LeafPlan {
        csr,
        serial: Serial::from_random(bytes),
        not_before: now(),
        not_after: now() + Duration::from_secs(90 * 24 * 3600),
        usages,
        is_ca,
        crl_distribution_points: &[],
        ocsp_servers: &[],
        issuing_certificate_urls: &[],
    }
}

/// A name with a key, which certificates can be issued to and by.
pub(crate) struct Entity {
    pub(crate) name: String,
    pub(crate) key: PrivateKey,
}

impl Entity {
    pub(crate) fn new(name: &str) -> Entity {
        Entity { name: name.to_owned(), key: new_key(P256) }
    }

    fn csr(&self, is_ca: bool) -> Csr {
        Csr::build(&Wanted { is_ca, ..named(&self.name) }, &self.key).unwrap()
    }

    /// A self-signed CA certificate.
    pub(crate) fn root(&self) -> Certificate {
        sign_self(&plan(&self.csr(true), &[], true), &self.key).unwrap()
    }

    /// A self-signed certificate that is no CA.
    pub(crate) fn self_signed_leaf(&self) -> Certificate {
        sign_self(&plan(&self.csr(false), &[], false), &self.key).unwrap()
    }

    /// A CA certificate by another CA.
    pub(crate) fn ca_by(&self, issuer: &Entity, certificate: &Certificate) -> Certificate {
        sign_leaf(&plan(&self.csr(true), &[], true), certificate, &issuer.key).unwrap()
    }

    /// A leaf by a CA.
    pub(crate) fn leaf_by(&self, issuer: &Entity, certificate: &Certificate) -> Certificate {
        sign_leaf(&plan(&self.csr(false), &[], false), certificate, &issuer.key).unwrap()
    }
}
