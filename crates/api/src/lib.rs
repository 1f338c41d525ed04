//! The Kubernetes API of Everleaf: the types of `cert-manager.io/v1`, their CRDs, and what is wrong with a spec.
//! Types hold what is stored, exactly: unset stays unset, words and durations stay as written, unknown words survive.
//! Nothing here talks to a cluster, and no default is ever written into a spec.

#[macro_use]
mod open_enum;
#[macro_use]
pub mod resource;

pub mod acme;
pub mod base64_bytes;
pub mod certificate;
pub mod certificate_request;
pub mod condition;
pub mod crds;
pub mod duration;
pub mod field_error;
pub mod issuer;
pub mod names;
pub mod references;
pub mod usage;
pub mod validate;
pub mod wanted;

pub use base64_bytes::Base64Bytes;
pub use certificate::{Certificate, CertificateSpec, CertificateStatus};
pub use certificate_request::{CertificateRequest, CertificateRequestSpec, CertificateRequestStatus};
pub use condition::{Condition, ConditionStatus, ObservedCondition};
pub use duration::GoDuration;
pub use field_error::{FieldError, FieldFault};
pub use issuer::{ClusterIssuer, Issuer, IssuerSpec, IssuerStatus};
pub use references::{IssuerReference, LocalReference, SecretKeySelector, ServiceAccountReference};
pub use wanted::wanted;

/// The entries of an optional list; an unset list has none.
pub fn items<T>(list: &Option<Vec<T>>) -> &[T] {
    list.as_deref().unwrap_or_default()
}

/// An optional text; an unset one is empty. The API treats both alike, but stores them as they were written.
pub fn text(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}
