//! Signing: a leaf with a CA's key, or a certificate with its own (certificate-lifecycle 3.3, 3.4).
//! Time and serial number are arguments. It never signs a request that isn't signed by its own key, or that contradicts the object around it.

use std::fmt;

use jiff::Timestamp;

use super::certificate::{Certificate, CertificateError};
use super::csr::{self, Csr, CsrError};
use super::extensions::{self, Extension, NAME_CONSTRAINTS, SUBJECT_ALT_NAME};
use super::key::{KeyError, PrivateKey};
use super::kinds::SignatureKind;
use super::name::DistinguishedName;
use super::signature;
use super::signed;
use super::time;
use super::tlv::{INTEGER, SEQUENCE, context_constructed, tlv};
use super::usages::effective;
use crate::wanted::Usage;

/// A serial number: positive, 20 bytes, the most that RFC 5280 allows.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Serial([u8; Serial::LENGTH]);

impl Serial {
    /// Bytes of chance that it takes; all but two bits of them are kept.
    pub const LENGTH: usize = 20;

    /// Makes a serial number of random bytes. The first bit is cleared so that the number is positive, the second one set so that it has full length.
    pub fn from_random(mut bytes: [u8; Serial::LENGTH]) -> Serial {
        let [first, ..] = &mut bytes;
        *first = *first & 0x7f | 0x40;
        Serial(bytes)
    }

    /// The bytes, big endian.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serial(")?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// What to sign.
#[derive(Debug, Clone, Copy)]
pub struct LeafPlan<'a> {
    /// The request: subject, names, key and name constraints come from it, byte for byte.
    pub csr: &'a Csr,
    /// The serial number.
    pub serial: Serial,
    /// When its life begins.
    pub not_before: Timestamp,
    /// When its life ends.
    pub not_after: Timestamp,
    /// The usages of the request object (empty: the default pair).
    pub usages: &'a [Usage],
    /// Whether it shall be a CA.
    pub is_ca: bool,
    /// URLs of revocation lists.
    pub crl_distribution_points: &'a [String],
    /// URLs of OCSP responders.
    pub ocsp_servers: &'a [String],
    /// URLs of the issuer's certificate.
    pub issuing_certificate_urls: &'a [String],
}

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The key doesn't belong to the CA's certificate, or to the request that should sign itself.
    #[error("the private key doesn't belong to {0}")]
    OtherKey(&'static str),
    /// The CSR says something else than the request object.
    #[error("encoded CSR error: the {0} differ from what the request asks for")]
    Contradiction(&'static str),
    /// The CSR isn't signed by its own key, or a URL of the issuer can't be encoded.
    #[error(transparent)]
    Csr(#[from] CsrError),
    /// A time that a certificate can't hold.
    #[error("a certificate can't hold the time {0}")]
    Time(Timestamp),
    /// The key can't sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What was made can't be read back.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Signs a leaf with a CA's key. How it is signed follows the CA's key. Its end is not bound by the CA's own end, as with the peer.
pub fn sign_leaf(
    plan: &LeafPlan<'_>,
    ca: &Certificate,
    ca_key: &PrivateKey,
) -> Result<Certificate, SignError> {
    if ca.public_key() != ca_key.public() {
        return Err(SignError::OtherKey("the CA's certificate"));
    }
    sign(plan, ca.subject(), ca.subject_key_id(), ca_key)
}

/// Signs a certificate with its own key.
pub fn sign_self(plan: &LeafPlan<'_>, key: &PrivateKey) -> Result<Certificate, SignError> {
    if plan.csr.public_key() != key.public() {
        return Err(SignError::OtherKey("the certificate request"));
    }
    sign(plan, plan.csr.subject(), None, key)
}

fn sign(
    plan: &LeafPlan<'_>,
    issuer: &DistinguishedName,
    authority: Option<&[u8]>,
    key: &PrivateKey,
) -> Result<Certificate, SignError> {
    plan.csr.verify()?;
    if let Some(what) = plan.csr.contradiction(plan.usages, plan.is_ca) {
        return Err(SignError::Contradiction(what));
    }
    const VERSION_3: u8 = 2;
    let kind = SignatureKind::default_for(key.kind());
    let time = |time: Timestamp| time::der(time).ok_or(SignError::Time(time));
    let extensions = extensions::list_der(&leaf_extensions(plan, authority)?);
    let body = tlv(
        SEQUENCE,
        &[
            &tlv(context_constructed(0), &[&tlv(INTEGER, &[&[VERSION_3]])]),
            &tlv(INTEGER, &[plan.serial.bytes()]),
            &signature::algorithm_der(kind),
            issuer.der(),
            &tlv(SEQUENCE, &[&time(plan.not_before)?, &time(plan.not_after)?]),
            plan.csr.subject().der(),
            plan.csr.public_key().spki_der(),
            &tlv(context_constructed(3), &[&extensions]),
        ],
    );
    Ok(Certificate::from_der(&signed::sign(&body, key, kind)?)?)
}

/// In Go's order. Only a CA gets a subject key identifier; only a certificate of another CA gets an authority key identifier, and only if that CA
/// has one. The names are copied and critical if there is no subject; other extensions of the request are not taken over.
fn leaf_extensions(plan: &LeafPlan<'_>, authority: Option<&[u8]>) -> Result<Vec<Extension>, SignError> {
    let (bits, extended) = effective(plan.usages, plan.is_ca);
    let mut list: Vec<Extension> = csr::usage_extensions(bits, &extended).collect();
    list.push(extensions::basic_constraints(plan.is_ca));
    list.extend(plan.is_ca.then(|| extensions::subject_key_id(&plan.csr.public_key().identifier())));
    list.extend(authority.map(extensions::authority_key_id));
    list.extend(extensions::authority_access(plan.ocsp_servers, plan.issuing_certificate_urls)?);
    list.extend(plan.csr.extension(NAME_CONSTRAINTS).cloned());
    list.extend(extensions::crl_distribution_points(plan.crl_distribution_points)?);
    if let Some(names) = plan.csr.extension(SUBJECT_ALT_NAME) {
        list.push(Extension { critical: plan.csr.subject().is_empty(), ..names.clone() });
    }
    Ok(list)
}
