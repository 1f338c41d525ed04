//! The record of a Certificate: its wish parsed once, its status, and what its requests take over. It decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use everleaf_api::names::annotation;
use everleaf_api::{self as api, Base64Bytes};
use everleaf_core::observed::{Identity, StatusSeen};
use everleaf_core::plan::LeafTimes;
use everleaf_core::wanted::{Password, Wanted};
use everleaf_core::x509::Csr;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::Readiness;
use crate::context::CopiedAnnotations;
use crate::ids::{IssuerId, Key};
use crate::report::About;
use crate::status;

/// A Certificate.
pub struct CertificateRecord {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID.
    pub uid: String,
    /// Its version.
    pub resource_version: String,
    /// Its generation.
    pub generation: i64,
    /// When it was created.
    pub created: Timestamp,
    /// It is being deleted.
    pub deleting: bool,
    /// The wish, or why it can't be parsed.
    pub wanted: Result<Arc<Wanted>, String>,
    /// What its status says, for the core.
    pub status: StatusSeen,
    /// Its Ready condition.
    pub ready: Readiness,
    /// Its status as it stands, for writing.
    pub raw_status: api::CertificateStatus,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    request_parts: RequestParts,
}

/// The parts of a Certificate's spec that its requests take over as they are written.
struct RequestParts {
    issuer_ref: api::IssuerReference,
    duration: Option<api::GoDuration>,
    usages: Option<Vec<api::usage::UsageName>>,
    is_ca: Option<bool>,
}

/// Dates of a certificate in use, in seconds since 1970; 0 if unset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dates {
    /// notBefore
    pub not_before: f64,
    /// notAfter
    pub not_after: f64,
    /// renewalTime
    pub renewal: f64,
}

impl CertificateRecord {
    /// The record of an object.
    pub fn new(object: api::Certificate) -> CertificateRecord {
        let meta = object.metadata;
        let raw_status = object.status.unwrap_or_default();
        let spec = object.spec;
        let wanted = api::wanted(&spec)
            .map(Arc::new)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
        CertificateRecord {
            status: status::seen(&raw_status),
            ready: status::readiness(&raw_status.conditions),
            raw_status,
            wanted,
            request_parts: RequestParts {
                issuer_ref: spec.issuer_ref,
                duration: spec.duration,
                usages: spec.usages,
                is_ca: spec.is_ca,
            },
            name: meta.name.unwrap_or_default(),
            namespace: meta.namespace.unwrap_or_default(),
            uid: meta.uid.unwrap_or_default(),
            resource_version: meta.resource_version.unwrap_or_default(),
            generation: meta.generation.unwrap_or_default(),
            created: meta.creation_timestamp.map(|time| time.0).unwrap_or_default(),
            deleting: meta.deletion_timestamp.is_some(),
            labels: meta.labels.unwrap_or_default(),
            annotations: meta.annotations.unwrap_or_default(),
        }
    }

    /// Its key.
    pub fn key(&self) -> Key {
        Key::new(&self.namespace, &self.name)
    }

    /// The Secret it names, if its spec can be parsed.
    pub fn secret_key(&self) -> Option<Key> {
        let wanted = self.wanted.as_ref().ok()?;
        Some(Key::new(&self.namespace, &wanted.secret_name))
    }

    /// The Secrets with passwords of its keystores.
    pub fn password_secrets(&self) -> Vec<Key> {
        let Ok(wanted) = &self.wanted else { return Vec::new() };
        let (jks, pkcs12) = (&wanted.keystores.jks, &wanted.keystores.pkcs12);
        let passwords =
            jks.iter().map(|jks| &jks.password).chain(pkcs12.iter().map(|pkcs12| &pkcs12.password));
        let names = passwords.filter_map(|password| match password {
            Password::Secret { name, .. } => Some(name),
            Password::Literal(_) => None,
        });
        names.map(|name| Key::new(&self.namespace, name)).collect()
    }

    /// Its issuer, if that is a built-in one.
    pub fn issuer_id(&self) -> Option<IssuerId> {
        IssuerId::of(&self.wanted.as_ref().ok()?.issuer, &self.namespace)
    }

    /// Who it is, for the core.
    pub fn identity(&self) -> Identity {
        let temporary = self.annotations.get("cert-manager.io/issue-temporary-certificate");
        Identity {
            name: self.name.clone(),
            uid: self.uid.clone(),
            created: self.created,
            wants_temporary: temporary.is_some_and(|value| value == "true"),
        }
    }

    /// The request of its next revision.
    pub fn next_request_key(&self) -> Key {
        let revision = self.status.revision.unwrap_or(0).saturating_add(1);
        Key::new(&self.namespace, request_name(&self.name, revision))
    }

    /// Times of the certificate in use, as status tells them.
    pub fn leaf_times(&self) -> Option<LeafTimes> {
        let status = &self.raw_status;
        Some(LeafTimes {
            not_before: status.not_before.as_ref()?.0,
            not_after: status.not_after.as_ref()?.0,
            renewal: status.renewal_time.as_ref().map(|time| time.0),
        })
    }

    /// The same for metrics.
    pub fn dates(&self) -> Dates {
        let seconds = |time: Option<Timestamp>| time.map_or(0.0, |time| time.as_second() as f64);
        let times = self.leaf_times();
        Dates {
            not_before: seconds(times.map(|times| times.not_before)),
            not_after: seconds(times.map(|times| times.not_after)),
            renewal: seconds(times.and_then(|times| times.renewal)),
        }
    }

    /// Name, kind and group of its issuer as written.
    pub fn issuer_labels(&self) -> [&str; 3] {
        let issuer = &self.request_parts.issuer_ref;
        [
            &issuer.name,
            issuer.kind.as_deref().unwrap_or_default(),
            issuer.group.as_deref().unwrap_or_default(),
        ]
    }

    /// It as the subject of an event.
    pub fn about(&self) -> About {
        About {
            kind: "Certificate",
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
        }
    }

    /// It as the owner of its requests, keys and (if wanted) Secret.
    pub fn owner_reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: "cert-manager.io/v1".to_owned(),
            kind: "Certificate".to_owned(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }

    /// A request for this CSR, as clients of the peer expect it.
    pub fn new_request(
        &self,
        csr: &Csr,
        revision: u32,
        key_secret: &str,
        copied: &CopiedAnnotations,
    ) -> api::CertificateRequest {
        let mut annotations: BTreeMap<String, String> = self
            .annotations
            .iter()
            .filter(|(key, _)| copied.takes(key))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        let own = [
            (annotation::CERTIFICATE_REVISION, revision.to_string()),
            (annotation::PRIVATE_KEY_SECRET_NAME, key_secret.to_owned()),
            (annotation::CERTIFICATE_NAME, self.name.clone()),
        ];
        annotations.extend(own.map(|(key, value)| (key.to_owned(), value)));
        let parts = &self.request_parts;
        api::CertificateRequest {
            metadata: ObjectMeta {
                name: Some(request_name(&self.name, revision)),
                namespace: Some(self.namespace.clone()),
                labels: (!self.labels.is_empty()).then(|| self.labels.clone()),
                annotations: Some(annotations),
                owner_references: Some(vec![self.owner_reference()]),
                ..ObjectMeta::default()
            },
            spec: api::CertificateRequestSpec {
                request: Base64Bytes::from(csr.to_pem().into_bytes()),
                issuer_ref: parts.issuer_ref.clone(),
                duration: parts.duration.clone(),
                usages: parts.usages.clone(),
                is_ca: parts.is_ca,
                ..api::CertificateRequestSpec::default()
            },
            status: None,
        }
    }
}

/// `<certificate>-<revision>`; long names are cut and made unique by a digest, as the peer does.
pub(crate) fn request_name(certificate: &str, revision: u32) -> String {
    const LONGEST: usize = 233;
    const KEPT: usize = 168;
    if certificate.len() <= LONGEST {
        return format!("{certificate}-{revision}");
    }
    let kept: String = certificate.chars().take(KEPT).collect();
    format!("{kept}-{}-{revision}", everleaf_core::x509::sha256_hex(certificate.as_bytes()))
}
