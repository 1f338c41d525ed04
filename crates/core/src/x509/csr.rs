//! Certificate signing requests (PKCS#10): built from a wish, or parsed once to facts.
//! A parsed request isn't a trusted one: [`Csr::verify`] is a question of its own. It never asks for what the wish doesn't name.

use std::fmt;
use std::sync::Arc;

use super::extensions::{
    self, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, Extension, KEY_USAGE, NAME_CONSTRAINTS, SUBJECT_ALT_NAME,
};
use super::key::{KeyError, PrivateKey};
use super::kinds::SignatureKind;
use super::name::DistinguishedName;
use super::oid::{Oid, oid_bytes};
use super::pem::{self, PemError, PemLimits};
use super::public_key::PublicKey;
use super::sans::{self, Names};
use super::signed::{self, Signed};
use super::tlv::{Elements, INTEGER, Malformed, OBJECT_IDENTIFIER, SEQUENCE, SET, context_constructed, tlv};
use super::usages::{self, KeyUsage, effective};
use crate::wanted::{Subject, Usage, Wanted};

const EXTENSION_REQUEST: &[u8] = oid_bytes!("1.2.840.113549.1.9.14");
const LABEL: &str = "CERTIFICATE REQUEST";
/// What old programs write.
const OLD_LABEL: &str = "NEW CERTIFICATE REQUEST";

/// Why a CSR can't be made, read or trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsrError {
    /// The PEM around it.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Not a PKCS#10 request.
    #[error("malformed certificate request: {0}")]
    Malformed(&'static str),
    /// Its signature isn't by its own key.
    #[error("the certificate request's signature doesn't verify")]
    BadSignature,
    /// A name that X.509 can't carry.
    #[error("{field}: {value:?} can't be encoded: only ASCII can (international names go in as punycode)")]
    NotAscii {
        /// Where it comes from.
        field: &'static str,
        /// The name.
        value: String,
    },
    /// A type of otherName that isn't an OID.
    #[error("otherNames: {0:?} isn't an object identifier")]
    NotAnOid(String),
    /// The key can't sign the request.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl From<Malformed> for CsrError {
    fn from(malformed: Malformed) -> Self {
        CsrError::Malformed(malformed.0)
    }
}

/// A certificate signing request. Cheap to clone; equal when the DER is.
#[derive(Clone)]
pub struct Csr {
    facts: Arc<Facts>,
}

struct Facts {
    der: Box<[u8]>,
    public_key: PublicKey,
    subject: DistinguishedName,
    sans: Names,
    extensions: Vec<Extension>,
    key_usage: Option<KeyUsage>,
    ext_key_usages: Option<Vec<Oid>>,
    ca_bit: Option<bool>,
}

impl Csr {
    /// Builds and signs the request for a wish (certificate-lifecycle 2.12). Extensions, in this order: names (critical if there is no subject),
    /// key usage, extended key usage, name constraints; the usages only if `usages_in_csr`. The error names a value that can't be encoded.
    pub fn build(wanted: &Wanted, key: &PrivateKey) -> Result<Csr, CsrError> {
        let subject = match &wanted.subject {
            Subject::Fields(fields) => DistinguishedName::from_fields(fields),
            Subject::Literal(name) => name.clone(),
        };
        let extensions = wanted_extensions(wanted, subject.is_empty())?;
        let requested = if extensions.is_empty() { Vec::new() } else { attribute(&extensions) };
        let body = tlv(
            SEQUENCE,
            &[
                &tlv(INTEGER, &[&[0]]),
                subject.der(),
                key.public().spki_der(),
                &tlv(context_constructed(0), &[&requested]),
            ],
        );
        let kind = wanted.signature.unwrap_or_else(|| SignatureKind::default_for(key.kind()));
        Csr::from_der(&signed::sign(&body, key, kind)?)
    }

    /// Reads PEM of at most the default limit.
    pub fn from_pem(pem: &[u8]) -> Result<Csr, CsrError> {
        Csr::from_pem_within(pem, PemLimits::DEFAULT.chain)
    }

    /// Reads PEM of at most `limit` bytes.
    pub fn from_pem_within(pem: &[u8], limit: usize) -> Result<Csr, CsrError> {
        let block =
            pem::first(pem, "a certificate request", limit, |label| label == LABEL || label == OLD_LABEL)?;
        Csr::from_der(&block.der)
    }

    /// Reads DER. Names and usages must be readable: what can't be read couldn't be approved either.
    pub fn from_der(der: &[u8]) -> Result<Csr, CsrError> {
        let signed = Signed::read(der)?;
        let mut parts = signed.body.inside()?;
        parts.expect(INTEGER, "version missing")?;
        let subject = DistinguishedName::from_der(parts.expect(SEQUENCE, "subject missing")?.whole)?;
        let public_key = PublicKey::from_spki(&parts.expect(SEQUENCE, "public key missing")?)?;
        let extensions = match parts.optional(context_constructed(0))? {
            Some(attributes) => requested_extensions(attributes.inside()?)?,
            None => Vec::new(),
        };
        parts.finish("bytes after the attributes")?;
        let value = |oid: &[u8]| extensions.iter().find(|ext| ext.is(oid)).map(|ext| ext.value.as_slice());
        let facts = Facts {
            sans: value(SUBJECT_ALT_NAME).map(Names::read).transpose()?.unwrap_or_default(),
            key_usage: value(KEY_USAGE).map(KeyUsage::read).transpose()?,
            ext_key_usages: value(EXTENDED_KEY_USAGE).map(usages::read_extended).transpose()?,
            ca_bit: value(BASIC_CONSTRAINTS).map(extensions::read_ca_bit).transpose()?,
            der: der.into(),
            public_key,
            subject,
            extensions,
        };
        value_is_sound(facts.extension(NAME_CONSTRAINTS))?;
        Ok(Csr { facts: Arc::new(facts) })
    }

    /// PEM.
    pub fn to_pem(&self) -> String {
        pem::encode(LABEL, &self.facts.der).to_string()
    }

    /// DER.
    pub fn der(&self) -> &[u8] {
        &self.facts.der
    }

    /// Checks that the request was signed with its own key, over the bytes as they came.
    pub fn verify(&self) -> Result<(), CsrError> {
        let made = Signed::read(&self.facts.der)?.was_made_by(&self.facts.public_key);
        if made { Ok(()) } else { Err(CsrError::BadSignature) }
    }

    /// The key.
    pub fn public_key(&self) -> &PublicKey {
        &self.facts.public_key
    }

    /// The subject.
    pub fn subject(&self) -> &DistinguishedName {
        &self.facts.subject
    }

    /// The subject alternative names.
    pub fn sans(&self) -> &Names {
        &self.facts.sans
    }

    /// Key usage, if the request names one.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.facts.key_usage
    }

    /// Extended key usages in the order written, if the request names some.
    pub fn ext_key_usages(&self) -> Option<&[Oid]> {
        self.facts.ext_key_usages.as_deref()
    }

    /// The CA bit, if the request has basic constraints.
    pub fn ca_bit(&self) -> Option<bool> {
        self.facts.ca_bit
    }

    /// The requested extensions, in the order written.
    pub fn extensions(&self) -> &[Extension] {
        &self.facts.extensions
    }

    /// What the request says otherwise than the object around it does: a field's name. What it doesn't say can't contradict. If it names key
    /// usages or extended ones, both must agree, the extended ones in order (certificate-lifecycle 1.7); ones nobody knows don't count.
    pub fn contradiction(&self, usages: &[Usage], is_ca: bool) -> Option<&'static str> {
        if self.ca_bit().is_some_and(|bit| bit != is_ca) {
            return Some("CA bit");
        }
        if self.key_usage().is_none() && self.ext_key_usages().is_none() {
            return None;
        }
        let (bits, extended) = effective(usages, is_ca);
        if self.key_usage().unwrap_or_default() != bits {
            return Some("key usages");
        }
        let known = self.ext_key_usages().unwrap_or_default().iter().filter(|oid| usages::is_known(oid));
        (!known.eq(&extended)).then_some("extended key usages")
    }

    /// The extension with this OID, as its DER contents octets.
    pub(super) fn extension(&self, oid: &[u8]) -> Option<&Extension> {
        self.facts.extension(oid)
    }
}

impl Facts {
    fn extension(&self, oid: &[u8]) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.is(oid))
    }
}

impl PartialEq for Csr {
    fn eq(&self, other: &Self) -> bool {
        self.facts.der == other.facts.der
    }
}

impl Eq for Csr {}

impl fmt::Debug for Csr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Csr({}, {:?}, {:?})", self.facts.subject, self.facts.sans.dns, self.facts.public_key)
    }
}

fn wanted_extensions(wanted: &Wanted, no_subject: bool) -> Result<Vec<Extension>, CsrError> {
    let mut extensions = Vec::new();
    if let Some(names) = sans::der(&wanted.sans)? {
        extensions.push(Extension::new(SUBJECT_ALT_NAME, no_subject, names));
    }
    if wanted.usages_in_csr {
        let (bits, extended) = effective(&wanted.usages, wanted.is_ca);
        extensions.extend(usage_extensions(bits, &extended));
    }
    if let Some(constraints) = &wanted.name_constraints {
        extensions.extend(extensions::name_constraints(constraints)?);
    }
    Ok(extensions)
}

/// Key usage (critical) and extended key usage, each only if it says something.
pub(super) fn usage_extensions(bits: KeyUsage, extended: &[Oid]) -> impl Iterator<Item = Extension> {
    let bits = (!bits.is_empty()).then(|| Extension::new(KEY_USAGE, true, bits.der()));
    let extended = (!extended.is_empty())
        .then(|| Extension::new(EXTENDED_KEY_USAGE, false, usages::extended_der(extended)));
    bits.into_iter().chain(extended)
}

fn attribute(extensions: &[Extension]) -> Vec<u8> {
    let kind = tlv(OBJECT_IDENTIFIER, &[EXTENSION_REQUEST]);
    tlv(SEQUENCE, &[&kind, &tlv(SET, &[&extensions::list_der(extensions)])])
}

/// The extensions of the extensionRequest attribute (RFC 2985 5.4.2). Each may be asked for once.
fn requested_extensions(mut attributes: Elements<'_>) -> Result<Vec<Extension>, Malformed> {
    let mut found = Vec::new();
    while !attributes.is_empty() {
        let mut parts = attributes.expect(SEQUENCE, "malformed attribute")?.inside()?;
        let kind = parts.expect(OBJECT_IDENTIFIER, "attribute without type")?.value;
        let mut values = parts.expect(SET, "attribute without values")?.inside()?;
        if kind == EXTENSION_REQUEST {
            let list = values.expect(SEQUENCE, "malformed extension request")?;
            found.extend(extensions::read_list(list.whole)?);
        }
    }
    let mut kinds: Vec<&Oid> = found.iter().map(|extension| &extension.oid).collect();
    kinds.sort();
    let all = kinds.len();
    kinds.dedup();
    if kinds.len() == all { Ok(found) } else { Err(Malformed("an extension is requested twice")) }
}

fn value_is_sound(constraints: Option<&Extension>) -> Result<(), Malformed> {
    constraints.map_or(Ok(()), |extension| extensions::are_name_constraints(&extension.value))
}
