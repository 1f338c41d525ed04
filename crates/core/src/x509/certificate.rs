//! Certificates: DER and the facts of it that are asked for, parsed once.
//! It never refuses a certificate for an extension it needn't understand (vault-issuer 5.F4): such a certificate is passed on as it is.

use std::fmt;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::extensions::{
    self, AUTHORITY_KEY_ID, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, Extension, KEY_USAGE, SUBJECT_ALT_NAME,
    SUBJECT_KEY_ID,
};
use super::name::DistinguishedName;
use super::oid::Oid;
use super::pem::{self, PemError, PemLimits};
use super::public_key::PublicKey;
use super::sans::Names;
use super::signed::Signed;
use super::time;
use super::tlv::{Element, INTEGER, Malformed, SEQUENCE, context, context_constructed};
use super::usages::{self, KeyUsage};

const LABEL: &str = "CERTIFICATE";
/// What old programs write.
const OLD_LABEL: &str = "X509 CERTIFICATE";

/// The most certificates that are read from one text (certificate-lifecycle 2.12).
pub(super) const MOST_CERTIFICATES: usize = 1_000;

/// Why a certificate can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The PEM around it.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Not an X.509 certificate.
    #[error("malformed certificate: {0}")]
    Malformed(&'static str),
    /// More certificates than are looked at.
    #[error("more than {0} certificates")]
    TooMany(usize),
}

impl From<Malformed> for CertificateError {
    fn from(malformed: Malformed) -> Self {
        CertificateError::Malformed(malformed.0)
    }
}

/// A certificate. Cheap to clone; equal when the DER is.
#[derive(Clone)]
pub struct Certificate {
    facts: Arc<Facts>,
}

struct Facts {
    der: Box<[u8]>,
    version: u8,
    serial: Box<[u8]>,
    subject: DistinguishedName,
    issuer: DistinguishedName,
    not_before: Timestamp,
    not_after: Timestamp,
    public_key: PublicKey,
    extensions: ExtensionFacts,
    /// Whether it is a root, once somebody has asked.
    is_root: OnceLock<bool>,
}

#[derive(Default)]
struct ExtensionFacts {
    sans: Names,
    /// The CA bit; `None` without basic constraints.
    ca_bit: Option<bool>,
    key_usage: Option<KeyUsage>,
    ext_key_usages: Vec<Oid>,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
}

impl Certificate {
    /// Reads DER.
    pub fn from_der(der: &[u8]) -> Result<Certificate, CertificateError> {
        let signed = Signed::read(der)?;
        let mut parts = signed.body.inside()?;
        let version = match parts.optional(context_constructed(0))? {
            Some(wrapped) => version(&wrapped)?,
            None => 1,
        };
        let serial = parts.expect(INTEGER, "serial number missing")?.value.into();
        if parts.expect(SEQUENCE, "algorithm missing")?.whole != signed.algorithm_der {
            return Err(CertificateError::Malformed("two different signature algorithms"));
        }
        let issuer = DistinguishedName::from_der(parts.expect(SEQUENCE, "issuer missing")?.whole)?;
        let mut validity = parts.expect(SEQUENCE, "validity missing")?.inside()?;
        let (not_before, not_after) = (time::read(&validity.next()?)?, time::read(&validity.next()?)?);
        let subject = DistinguishedName::from_der(parts.expect(SEQUENCE, "subject missing")?.whole)?;
        let public_key = PublicKey::from_spki(&parts.expect(SEQUENCE, "public key missing")?)?;
        for unique_id in [context(1), context(2)] {
            parts.optional(unique_id)?;
        }
        let extensions = match parts.optional(context_constructed(3))? {
            Some(list) => extension_facts(&extensions::read_list(list.value)?),
            None => ExtensionFacts::default(),
        };
        parts.finish("bytes after the extensions")?;
        let der = der.into();
        let is_root = OnceLock::new();
        let facts = Facts {
            der,
            version,
            serial,
            subject,
            issuer,
            not_before,
            not_after,
            public_key,
            extensions,
            is_root,
        };
        Ok(Certificate { facts: Arc::new(facts) })
    }

    /// Reads the first certificate in PEM text of at most the default limit for chains; what stands behind it isn't looked at.
    pub fn from_pem(pem: &[u8]) -> Result<Certificate, CertificateError> {
        Certificate::from_pem_within(pem, PemLimits::DEFAULT.chain)
    }

    /// Reads the first certificate in PEM text of at most `limit` bytes.
    pub fn from_pem_within(pem: &[u8], limit: usize) -> Result<Certificate, CertificateError> {
        let block = pem::first(pem, "a certificate", limit, is_certificate)?;
        Certificate::from_der(&block.der)
    }

    /// Reads all certificates in PEM text of at most `limit` bytes, at least one and at most 1000; other blocks are passed over.
    pub fn all_from_pem(pem: &[u8], limit: usize) -> Result<Vec<Certificate>, CertificateError> {
        const WHAT: &str = "certificates";
        let (mut found, mut other) = (Vec::new(), None);
        for block in pem::blocks(pem, WHAT, limit)? {
            let block = block?;
            if !is_certificate(block.label) {
                other.get_or_insert(block.label);
                continue;
            }
            if found.len() >= MOST_CERTIFICATES {
                return Err(CertificateError::TooMany(MOST_CERTIFICATES));
            }
            found.push(Certificate::from_der(&block.der)?);
        }
        if found.is_empty() { Err(pem::none_found(WHAT, other).into()) } else { Ok(found) }
    }

    /// PEM.
    pub fn to_pem(&self) -> String {
        pem::encode(LABEL, &self.facts.der).to_string()
    }

    /// DER.
    pub fn der(&self) -> &[u8] {
        &self.facts.der
    }

    /// The subject.
    pub fn subject(&self) -> &DistinguishedName {
        &self.facts.subject
    }

    /// The issuer.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.facts.issuer
    }

    /// The serial number, big endian, with the sign byte if DER has one.
    pub fn serial(&self) -> &[u8] {
        &self.facts.serial
    }

    /// When its life begins.
    pub fn not_before(&self) -> Timestamp {
        self.facts.not_before
    }

    /// When its life ends.
    pub fn not_after(&self) -> Timestamp {
        self.facts.not_after
    }

    /// The key.
    pub fn public_key(&self) -> &PublicKey {
        &self.facts.public_key
    }

    /// The subject alternative names; empty if the extension can't be read.
    pub fn sans(&self) -> &Names {
        &self.facts.extensions.sans
    }

    /// Whether its basic constraints call it a CA.
    pub fn is_ca(&self) -> bool {
        self.facts.extensions.ca_bit == Some(true)
    }

    /// Key usage, if it names one.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.facts.extensions.key_usage
    }

    /// Extended key usages in the order written.
    pub fn ext_key_usages(&self) -> &[Oid] {
        &self.facts.extensions.ext_key_usages
    }

    /// The subject key identifier.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.facts.extensions.subject_key_id.as_deref()
    }

    /// The authority key identifier.
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.facts.extensions.authority_key_id.as_deref()
    }

    /// All extensions, also those we don't interpret, read anew.
    pub fn extensions(&self) -> Vec<Extension> {
        raw_extensions(&self.facts.der).unwrap_or_default()
    }

    /// Whether it is a root: signed by its own key and allowed to sign. A self-signed certificate that isn't a CA is none.
    pub fn is_self_signed(&self) -> bool {
        *self.facts.is_root.get_or_init(|| self.was_signed_by(self))
    }

    /// Whether `parent` signed it: the names fit, the parent may sign certificates (as Go sees it: a CA bit, or a version that had none; no key
    /// usage that forbids it), and the signature verifies.
    pub fn was_signed_by(&self, parent: &Certificate) -> bool {
        parent.may_sign() && self.bears_signature_of(parent)
    }

    /// Whether its own key signed it, be it a CA or not.
    pub(super) fn signed_itself(&self) -> bool {
        self.bears_signature_of(self)
    }

    fn bears_signature_of(&self, parent: &Certificate) -> bool {
        self.facts.issuer == parent.facts.subject
            && Signed::read(&self.facts.der).is_ok_and(|signed| signed.was_made_by(&parent.facts.public_key))
    }

    fn may_sign(&self) -> bool {
        let has_ca_bit = match self.facts.extensions.ca_bit {
            Some(bit) => bit,
            None => self.facts.version < 3,
        };
        has_ca_bit && self.key_usage().is_none_or(|usage| usage.contains(KeyUsage::CERT_SIGN))
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.facts, &other.facts) || self.facts.der == other.facts.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = &self.facts;
        write!(
            f,
            "Certificate({} by {}, {:?}, {} to {})",
            facts.subject, facts.issuer, facts.extensions.sans.dns, facts.not_before, facts.not_after
        )
    }
}

fn is_certificate(label: &str) -> bool {
    label == LABEL || label == OLD_LABEL
}

fn version(wrapped: &Element<'_>) -> Result<u8, Malformed> {
    match wrapped.inside()?.expect(INTEGER, "malformed version")?.value {
        [zero_based] => zero_based.checked_add(1).ok_or(Malformed("malformed version")),
        _ => Err(Malformed("malformed version")),
    }
}

/// Each fact by itself: an extension that can't be read is as if it weren't there. Of two with the same type the first counts.
fn extension_facts(extensions: &[Extension]) -> ExtensionFacts {
    let value = |oid: &[u8]| extensions.iter().find(|ext| ext.is(oid)).map(|ext| ext.value.as_slice());
    ExtensionFacts {
        sans: value(SUBJECT_ALT_NAME).and_then(|der| Names::read(der).ok()).unwrap_or_default(),
        // Basic constraints that can't be read don't make a CA.
        ca_bit: value(BASIC_CONSTRAINTS).map(|der| extensions::read_ca_bit(der).unwrap_or(false)),
        key_usage: value(KEY_USAGE).and_then(|der| KeyUsage::read(der).ok()),
        ext_key_usages: value(EXTENDED_KEY_USAGE)
            .and_then(|der| usages::read_extended(der).ok())
            .unwrap_or_default(),
        subject_key_id: value(SUBJECT_KEY_ID).and_then(extensions::read_subject_key_id),
        authority_key_id: value(AUTHORITY_KEY_ID).and_then(extensions::read_authority_key_id),
    }
}

fn raw_extensions(der: &[u8]) -> Result<Vec<Extension>, Malformed> {
    let mut parts = Signed::read(der)?.body.inside()?;
    while !parts.is_empty() {
        let part = parts.next()?;
        if part.tag == context_constructed(3) {
            return extensions::read_list(part.value);
        }
    }
    Ok(Vec::new())
}
