//! Rules for CertificateRequests: what one may ask for, and that nothing about it changes later.
//! The rules over the CSR take a parsed one; whoever decodes it reports when it can't be decoded.

use everleaf_core::wanted::Usage;
use everleaf_core::x509::{Csr, Oid, effective};

use super::{Faults, issuer_reference};
use crate::certificate_request::{CertificateRequest, CertificateRequestSpec};
use crate::condition::{AnyCondition, Condition, ConditionStatus, find};
use crate::field_error::FieldError;
use crate::names::{ACME_GROUP, GROUP, condition_type};
use crate::usage;

const CONDITIONS: &str = "status.conditions";
const REQUEST: &str = "spec.request";

/// The faults of a new CertificateRequest, save those of its CSR ([`validate_csr`]).
pub fn validate_request(spec: &CertificateRequestSpec) -> Vec<FieldError> {
    let mut faults = Vec::new();
    issuer_reference(&spec.issuer_ref, &mut faults);
    if spec.request.is_empty() {
        faults.push(FieldError::required(REQUEST, "must be specified"));
    }
    if let Some(duration) = &spec.duration
        && let Err(error) = duration.parse()
    {
        faults.push(FieldError::invalid("spec.duration", duration.as_str(), error.to_string()));
    }
    for (index, name) in crate::items(&spec.usages).iter().enumerate() {
        if usage::usage(name).is_none() {
            faults.push(FieldError::invalid(
                format!("spec.usages[{index}]"),
                name.as_str(),
                "unknown keyusage",
            ));
        }
    }
    faults
}

/// The faults of the CSR in a CertificateRequest: a signature that doesn't verify, a CA bit or usages that differ from
/// those of the spec. A CSR without basic constraints or usages asks for nothing, and agrees with everything.
pub fn validate_csr(spec: &CertificateRequestSpec, csr: &Csr) -> Vec<FieldError> {
    csr_faults(spec.is_ca.unwrap_or(false), &usage::usages(&spec.usages), csr)
}

/// The same for a spec of which only these parts are at hand.
pub fn csr_faults(is_ca: bool, usages: &[Usage], csr: &Csr) -> Vec<FieldError> {
    let mut faults = Vec::new();
    if let Err(error) = csr.verify() {
        faults.push(FieldError::invalid(REQUEST, "<csr>", error.to_string()));
    }
    if let Some(asked) = csr.ca_bit()
        && asked != is_ca
    {
        let detail = format!("the CSR asks for CA={asked}, spec.isCA is {is_ca}; they must agree");
        faults.push(FieldError::invalid(REQUEST, "<csr>", detail));
    }
    let (bits, ext) = effective(usages, is_ca);
    if csr.key_usage().is_none() && csr.ext_key_usages().is_none() {
        return faults;
    }
    if csr.key_usage().unwrap_or_default() != bits {
        faults.push(FieldError::invalid(REQUEST, "<csr>", "the CSR's key usages differ from spec.usages"));
    }
    let asked: &[Oid] = csr.ext_key_usages().unwrap_or_default();
    if asked != ext {
        let detail = "the CSR's extended key usages, or their order, differ from spec.usages";
        faults.push(FieldError::invalid(REQUEST, "<csr>", detail));
    }
    faults
}

/// The faults of a CertificateRequest's conditions: at most one `Approved` and one `Denied`, each `True`, never both.
pub fn validate_request_conditions(conditions: &Option<Vec<Condition>>) -> Vec<FieldError> {
    let mut faults = Vec::new();
    let of_type = |type_: &str| -> Vec<&Condition> {
        crate::items(conditions).iter().filter(|condition| condition.type_() == type_).collect()
    };
    let approved = of_type(condition_type::APPROVED);
    let denied = of_type(condition_type::DENIED);
    for (type_, found) in [(condition_type::APPROVED, &approved), (condition_type::DENIED, &denied)] {
        match found.as_slice() {
            [] => {}
            [only] if only.status == ConditionStatus::True => {}
            [only] => faults.push(FieldError::invalid(
                format!("{CONDITIONS}.{type_}"),
                only.status.as_str(),
                format!("\"{type_}\" condition may only be set to True"),
            )),
            _ => faults
                .push(FieldError::forbidden(CONDITIONS, format!("multiple \"{type_}\" conditions present"))),
        }
    }
    if !approved.is_empty() && !denied.is_empty() {
        faults.push(FieldError::forbidden(CONDITIONS, "'Denied' and 'Approved' conditions cannot coexist"));
    }
    faults
}

/// The faults of a change: the spec and our annotations stay, and so does a decision once it is made.
pub fn validate_request_update(old: &CertificateRequest, new: &CertificateRequest) -> Vec<FieldError> {
    let mut faults = Vec::new();
    if old.spec != new.spec {
        faults.push(FieldError::forbidden("spec", "cannot change spec after creation"));
    }
    annotations_stay(old, new, &mut faults);
    let conditions =
        |request: &CertificateRequest| request.status.as_ref().and_then(|s| s.conditions.clone());
    let (before, after) = (conditions(old), conditions(new));
    for type_ in [condition_type::APPROVED, condition_type::DENIED] {
        let was = find(&before, type_);
        if was.is_some() && was != find(&after, type_) {
            let detail = format!("'{type_}' condition may not be modified once set");
            faults.push(FieldError::forbidden(CONDITIONS, detail));
        }
    }
    faults.extend(validate_request_conditions(&after));
    faults
}

/// Annotations of ours are part of what was asked for. Venafi's pickup id is not under these prefixes on purpose: it is
/// added later.
fn annotations_stay(old: &CertificateRequest, new: &CertificateRequest, faults: &mut Faults) {
    let none = std::collections::BTreeMap::new();
    let before = old.metadata.annotations.as_ref().unwrap_or(&none);
    let after = new.metadata.annotations.as_ref().unwrap_or(&none);
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let ours = key.starts_with(GROUP) || key.starts_with(ACME_GROUP);
        if ours && before.get(key) != after.get(key) {
            let path = format!("metadata.annotations.{key}");
            faults.push(FieldError::forbidden(path, "cannot change cert-manager annotation after creation"));
        }
    }
}
