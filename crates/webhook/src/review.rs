//! The rules over a write: a pure function from the question to a verdict (certificate-lifecycle 1.7, 4.3).
//! The rules over specs are those of the controller, by the same functions. An update that leaves the spec alone is not judged by
//! them, so that a stored object that breaks a rule keeps getting its status.

use everleaf_api::condition::find;
use everleaf_api::field_error::all_in_one;
use everleaf_api::names::{GROUP, condition_type};
use everleaf_api::validate::{
    issuer_warnings, validate_csr, validate_issuer, validate_request, validate_request_conditions,
    validate_request_update,
};
use everleaf_api::{
    Certificate, CertificateRequest, CertificateRequestSpec, FieldError, IssuerReference, IssuerSpec, wanted,
};
use everleaf_core::x509::Csr;
use k8s_openapi::api::authentication::v1::UserInfo;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::question::{Operation, Question};

/// What is to be answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Yes, with what the user should know.
    Allowed(Vec<String>),
    /// No, for this reason.
    Refused(String),
    /// Yes, if the user may approve for this issuer.
    AllowedToApprovers(Signer),
}

/// Whom approval is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Signer {
    /// The issuer.
    pub issuer: IssuerReference,
    /// The namespace of the request.
    pub namespace: String,
}

/// Judges a write. Kinds that have no rules here may be written.
pub fn review(question: &Question) -> Verdict {
    let writes = matches!(question.operation, Operation::Create | Operation::Update);
    if question.kind.group != GROUP || !writes {
        return Verdict::Allowed(Vec::new());
    }
    let judged = match question.kind.kind.as_str() {
        "Certificate" if spec_is_new(question) => certificate(&question.object),
        "Issuer" | "ClusterIssuer" if spec_is_new(question) => issuer(&question.object),
        "CertificateRequest" if question.operation == Operation::Create => new_request(question),
        "CertificateRequest" => changed_request(question),
        _ => Ok(Verdict::Allowed(Vec::new())),
    };
    judged.unwrap_or_else(Verdict::Refused)
}

fn spec_is_new(question: &Question) -> bool {
    question.operation == Operation::Create || question.object.get("spec") != question.old_object.get("spec")
}

/// Refuses with all faults at once.
fn without(faults: &[FieldError]) -> Result<(), String> {
    if faults.is_empty() { Ok(()) } else { Err(all_in_one(faults)) }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    T::deserialize(value).map_err(|error| format!("the object can't be read: {error}"))
}

fn certificate(object: &Value) -> Result<Verdict, String> {
    let certificate: Certificate = read(object)?;
    match wanted(&certificate.spec) {
        Ok(_) => Ok(Verdict::Allowed(Vec::new())),
        Err(faults) => Err(all_in_one(&faults)),
    }
}

fn issuer(object: &Value) -> Result<Verdict, String> {
    let spec: IssuerSpec = object.get("spec").map_or_else(|| Ok(IssuerSpec::default()), read)?;
    without(&validate_issuer(&spec))?;
    Ok(Verdict::Allowed(issuer_warnings(&spec)))
}

fn new_request(question: &Question) -> Result<Verdict, String> {
    let request: CertificateRequest = read(&question.object)?;
    let mut faults = validate_request(&request.spec);
    if !request.spec.request.is_empty() {
        faults.extend(csr(&request.spec));
    }
    faults.extend(identity(&request.spec, &question.user_info));
    faults.extend(validate_request_conditions(&conditions(&request)));
    without(&faults)?;
    Ok(Verdict::Allowed(Vec::new()))
}

fn csr(spec: &CertificateRequestSpec) -> Vec<FieldError> {
    let bytes = spec.request.decode().unwrap_or_default();
    match Csr::from_pem(&bytes) {
        Ok(csr) => validate_csr(spec, &csr),
        Err(error) => {
            let shown = String::from_utf8_lossy(&bytes);
            vec![FieldError::invalid("spec.request", &shown, format!("failed to decode csr: {error}"))]
        }
    }
}

/// The fields that say who asked must be those of who asks.
fn identity(spec: &CertificateRequestSpec, user: &UserInfo) -> Vec<FieldError> {
    const DETAIL: &str = "must be that of the user who creates the request";
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let sorted = |list: &Option<Vec<String>>| {
        let mut list = list.clone().unwrap_or_default();
        list.sort();
        list
    };
    let extra = spec.extra.as_deref().cloned().unwrap_or_default();
    let same = [
        ("spec.username", text(&spec.username) == text(&user.username)),
        ("spec.uid", text(&spec.uid) == text(&user.uid)),
        ("spec.groups", sorted(&spec.groups) == sorted(&user.groups)),
        ("spec.extra", extra == user.extra.clone().unwrap_or_default()),
    ];
    same.iter().filter(|(_, same)| !same).map(|(path, _)| FieldError::forbidden(*path, DETAIL)).collect()
}

fn changed_request(question: &Question) -> Result<Verdict, String> {
    let old: CertificateRequest = read(&question.old_object)?;
    let new: CertificateRequest = read(&question.object)?;
    // Both conditions stored at once are for others to mend; telling about them must go on.
    let stored = validate_request_conditions(&conditions(&old));
    let faults: Vec<FieldError> =
        validate_request_update(&old, &new).into_iter().filter(|fault| !stored.contains(fault)).collect();
    without(&faults)?;
    let decided = |request: &CertificateRequest, type_: &str| find(&conditions(request), type_).is_some();
    let decides = [condition_type::APPROVED, condition_type::DENIED]
        .iter()
        .any(|type_| decided(&new, type_) && !decided(&old, type_));
    if !decides {
        return Ok(Verdict::Allowed(Vec::new()));
    }
    let namespace = new.metadata.namespace.clone().unwrap_or_default();
    Ok(Verdict::AllowedToApprovers(Signer { issuer: new.spec.issuer_ref, namespace }))
}

fn conditions(request: &CertificateRequest) -> Option<Vec<everleaf_api::Condition>> {
    request.status.as_ref().and_then(|status| status.conditions.clone())
}
