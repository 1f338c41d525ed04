//! What the webhook refuses: rules over whole specs of CertificateRequests and issuers (certificate-lifecycle 1.7).
//! The rules for Certificates are in [`crate::wanted()`], where a spec without faults becomes a `Wanted`.
//! Rules only look; none changes an object.

mod acme;
mod dns01;
mod issuer;
pub(crate) mod kubernetes;
mod request;
mod vault;

pub use issuer::{issuer_warnings, validate_issuer};
pub use request::{
    csr_faults, validate_csr, validate_request, validate_request_conditions, validate_request_update,
};

use everleaf_core::x509::Certificate;

use crate::base64_bytes::Base64Bytes;
use crate::field_error::FieldError;
use crate::names;
use crate::references::{IssuerReference, SecretKeySelector};

/// What the faults of a spec are collected in.
pub(crate) type Faults = Vec<FieldError>;

/// An issuer must be named; of our own group there are two kinds only.
pub(crate) fn issuer_reference(reference: &IssuerReference, faults: &mut Faults) {
    if reference.name.is_empty() {
        faults.push(FieldError::required("spec.issuerRef.name", "must be specified"));
    }
    let (kind, group) = (crate::text(&reference.kind), crate::text(&reference.group));
    if !matches!(group, "" | names::GROUP) || matches!(kind, "" | "Issuer" | "ClusterIssuer") {
        return;
    }
    // Whoever names the kind of an external issuer and forgets its group ends here.
    let hint = if group.is_empty() { " (did you forget to set spec.issuerRef.group?)" } else { "" };
    let detail = format!("must be one of Issuer or ClusterIssuer{hint}");
    faults.push(FieldError::invalid("spec.issuerRef.kind", kind, detail));
}

/// Name and key of a Secret's entry must be given.
fn whole_selector(selector: &SecretKeySelector, path: &str, faults: &mut Faults) {
    if selector.name.is_empty() {
        faults.push(FieldError::required(format!("{path}.name"), "secret name is required"));
    }
    if crate::text(&selector.key).is_empty() {
        faults.push(FieldError::required(format!("{path}.key"), "secret key is required"));
    }
}

/// A bundle, if there is one, must hold at least one certificate; what else is in it doesn't matter.
fn ca_bundle(bundle: &Base64Bytes, path: &str, faults: &mut Faults) {
    if !bundle.is_empty() && !holds_certificate(bundle) {
        let detail = "cert bundle didn't contain any valid certificates";
        faults.push(FieldError::invalid(path, "<snip>", detail));
    }
}

fn holds_certificate(bundle: &Base64Bytes) -> bool {
    const HEAD: &str = "-----BEGIN CERTIFICATE-----";
    let Some(bytes) = bundle.decode() else { return false };
    let text = String::from_utf8_lossy(&bytes);
    text.match_indices(HEAD).any(|(at, _)| {
        let block = text.get(at..).unwrap_or_default();
        let end = block.get(HEAD.len()..).and_then(|rest| rest.find(HEAD)).map(|end| end + HEAD.len());
        let block = end.and_then(|end| block.get(..end)).unwrap_or(block);
        Certificate::from_pem(block.as_bytes()).is_ok()
    })
}

/// Whether something is set and not empty.
fn set(text: &Option<String>) -> bool {
    !crate::text(text).is_empty()
}
