//! Lean records of the objects that the watches show: parsed once, without managedFields, without private keys.
//! Plain data with views for the core. It never talks to the API.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use everleaf_api::condition::{AnyCondition, find};
use everleaf_api::names::annotation;
use everleaf_api::{self as api, Base64Bytes, ConditionStatus};
use everleaf_core::conditions::request_reason;
use everleaf_core::observed::{
    Ending, Identity, KeyFacts, RequestSeen, RequestState, SecretSeen, StatusSeen,
};
use everleaf_core::plan::LeafTimes;
use everleaf_core::request::{ReadyReason, RequestFacts};
use everleaf_core::wanted::{IssuerRef, Usage, Wanted};
use everleaf_core::x509::{Chain, Csr, PemLimits};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::context::CopiedAnnotations;
use crate::ids::{IssuerId, Key};
use crate::report::About;
use crate::{secrets, status};

/// Status of a Ready condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// True
    True,
    /// False
    False,
    /// Unknown, or no condition.
    Unknown,
}

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

/// A CertificateRequest.
pub struct RequestRecord {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID.
    pub uid: String,
    /// Its version.
    pub resource_version: String,
    /// When it was created.
    pub created: Timestamp,
    /// It is being deleted.
    pub deleting: bool,
    /// UID of the Certificate that controls it.
    pub owner_uid: Option<String>,
    /// Name of the Certificate that controls it.
    pub owner_name: Option<String>,
    /// Its revision, if readable.
    pub revision: Option<u32>,
    /// The name reserved for its key.
    pub key_secret: Option<String>,
    /// Its issuer.
    pub issuer: IssuerRef,
    /// The CSR as PEM.
    pub csr_pem: String,
    /// The life asked for.
    pub duration: Option<Duration>,
    /// A CA is asked for.
    pub is_ca: bool,
    /// The usages asked for.
    pub usages: Vec<Usage>,
    /// What decides what is done with it.
    pub facts: RequestFacts,
    /// The message of `Ready=False/Pending`.
    pub told: Option<String>,
    /// Its status as it stands, for writing.
    pub raw_status: api::CertificateRequestStatus,
}

impl RequestRecord {
    /// The record of an object.
    pub fn new(object: api::CertificateRequest) -> RequestRecord {
        let meta = object.metadata;
        let raw_status = object.status.unwrap_or_default();
        let spec = object.spec;
        let annotation = |key: &str| meta.annotations.as_ref().and_then(|all| all.get(key)).cloned();
        let owners = meta.owner_references.iter().flatten();
        let owner =
            owners.into_iter().find(|owner| owner.controller == Some(true) && owner.kind == "Certificate");
        let issuer = api::references::issuer_ref(&spec.issuer_ref);
        RequestRecord {
            facts: status::request_facts(&raw_status, issuer.is_builtin()),
            told: status::pending_message(&raw_status),
            owner_uid: owner.map(|owner| owner.uid.clone()),
            owner_name: owner.map(|owner| owner.name.clone()),
            revision: annotation(annotation::CERTIFICATE_REVISION).and_then(|text| text.parse().ok()),
            key_secret: annotation(annotation::PRIVATE_KEY_SECRET_NAME).filter(|name| !name.is_empty()),
            issuer,
            csr_pem: String::from_utf8_lossy(&spec.request.decode().unwrap_or_default()).into_owned(),
            duration: spec.duration.as_ref().and_then(api::GoDuration::as_std),
            is_ca: spec.is_ca.unwrap_or(false),
            usages: api::usage::usages(&spec.usages),
            raw_status,
            name: meta.name.unwrap_or_default(),
            namespace: meta.namespace.unwrap_or_default(),
            uid: meta.uid.unwrap_or_default(),
            resource_version: meta.resource_version.unwrap_or_default(),
            created: meta.creation_timestamp.map(|time| time.0).unwrap_or_default(),
            deleting: meta.deletion_timestamp.is_some(),
        }
    }

    /// Its key.
    pub fn key(&self) -> Key {
        Key::new(&self.namespace, &self.name)
    }

    /// Nothing final stands in its status.
    pub fn is_open(&self) -> bool {
        let facts = &self.facts;
        !self.deleting
            && facts.ready == ReadyReason::Open
            && !facts.denied
            && !facts.invalid
            && !facts.has_certificate
    }

    /// Its CSR, parsed.
    pub fn csr(&self) -> Result<Csr, String> {
        Csr::from_pem(self.csr_pem.as_bytes()).map_err(|error| error.to_string())
    }

    /// It as the core sees it.
    pub fn seen(&self) -> RequestSeen {
        RequestSeen {
            name: self.name.clone(),
            csr: self.csr(),
            issuer: self.issuer.clone(),
            duration: self.duration,
            is_ca: self.is_ca,
            usages: self.usages.clone(),
            created: self.created,
            state: self.state(),
        }
    }

    fn state(&self) -> RequestState {
        if let Some(ending) = self.ending() {
            return RequestState::Ended(ending);
        }
        if self.facts.ready == ReadyReason::Issued {
            return RequestState::Issued { chain: self.chain() };
        }
        RequestState::Waiting { approved: self.facts.approved, told: self.told.clone() }
    }

    /// Denied beats invalid beats failed.
    fn ending(&self) -> Option<Ending> {
        let conditions = &self.raw_status.conditions;
        let holds = |kind: &str| find(conditions, kind).filter(|is| is.status == ConditionStatus::True);
        let failed = || find(conditions, "Ready").filter(|is| is.reason() == request_reason::FAILED);
        let condition = holds("Denied").or_else(|| holds("InvalidRequest")).or_else(failed)?;
        let stamped = condition.last_transition_time.as_ref().map(|time| time.0);
        Some(Ending {
            reason: condition.reason().to_owned(),
            message: condition.message().to_owned(),
            at: self.raw_status.failure_time.as_ref().map(|time| time.0).or(stamped).unwrap_or(self.created),
        })
    }

    fn chain(&self) -> Result<Chain, String> {
        let bytes = |bytes: &Option<Base64Bytes>| {
            bytes.as_ref().and_then(|it| it.decode().map(|it| it.into_owned())).unwrap_or_default()
        };
        let (certificate, ca) = (bytes(&self.raw_status.certificate), bytes(&self.raw_status.ca));
        Chain::from_pem(&certificate, &ca, &PemLimits::DEFAULT).map_err(|error| error.to_string())
    }

    /// It as the subject of an event.
    pub fn about(&self) -> About {
        About {
            kind: "CertificateRequest",
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
        }
    }
}

/// A Secret.
pub struct SecretRecord {
    /// Its version.
    pub resource_version: String,
    /// What is known of it.
    pub body: SecretBody,
}

/// What is known of a Secret.
pub enum SecretBody {
    /// That it is there.
    Unread,
    /// A Secret with our label.
    Target(Arc<SecretSeen>),
    /// The key of a running issuance: its facts, and who controls it.
    NextKey(Option<KeyFacts>, Option<Owner>),
}

/// A Certificate that controls something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its UID.
    pub uid: String,
    /// Its name.
    pub name: String,
}

impl SecretRecord {
    /// The record of a Secret that carries our label.
    pub fn in_full(secret: &Secret) -> SecretRecord {
        let seen = secrets::facts(secret);
        let is_next_key = seen.labels.get(secrets::NEXT_KEY_LABEL).is_some_and(|value| value == "true");
        let body = if is_next_key {
            SecretBody::NextKey(seen.key.read().cloned(), owner(&secret.metadata))
        } else {
            SecretBody::Target(Arc::new(seen))
        };
        SecretRecord { resource_version: secret.metadata.resource_version.clone().unwrap_or_default(), body }
    }

    /// The record of any other Secret.
    pub fn unread(meta: &ObjectMeta) -> SecretRecord {
        SecretRecord {
            resource_version: meta.resource_version.clone().unwrap_or_default(),
            body: SecretBody::Unread,
        }
    }

    /// The facts of a target Secret.
    pub fn facts(&self) -> Option<Arc<SecretSeen>> {
        match &self.body {
            SecretBody::Target(seen) => Some(seen.clone()),
            _ => None,
        }
    }

    /// The key in it, if it holds the key of a running issuance.
    pub fn next_key(&self) -> Option<KeyFacts> {
        match &self.body {
            SecretBody::NextKey(facts, _) => facts.clone(),
            _ => None,
        }
    }

    /// Whose next key it holds.
    pub fn next_key_owner(&self) -> Option<Owner> {
        match &self.body {
            SecretBody::NextKey(_, owner) => owner.clone(),
            _ => None,
        }
    }

    /// The Certificate it was issued for, by its annotation.
    pub fn issued_for(&self) -> Option<String> {
        self.facts()?.annotations.get(everleaf_core::annotations::CERTIFICATE_NAME).cloned()
    }
}

fn owner(meta: &ObjectMeta) -> Option<Owner> {
    let owners = meta.owner_references.as_deref().unwrap_or_default();
    let owner = owners.iter().find(|owner| owner.controller == Some(true) && owner.kind == "Certificate")?;
    Some(Owner { uid: owner.uid.clone(), name: owner.name.clone() })
}

/// The type of an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerType {
    /// `spec.vault`
    Vault,
    /// `spec.ca`
    Ca,
    /// `spec.selfSigned`
    SelfSigned,
    /// `spec.acme`
    Acme,
    /// `spec.venafi`
    Venafi,
    /// None of them.
    None,
}

impl IssuerType {
    fn of(spec: &api::IssuerSpec) -> IssuerType {
        if spec.vault.is_some() {
            IssuerType::Vault
        } else if spec.ca.is_some() {
            IssuerType::Ca
        } else if spec.self_signed.is_some() {
            IssuerType::SelfSigned
        } else if spec.acme.is_some() {
            IssuerType::Acme
        } else if spec.venafi.is_some() {
            IssuerType::Venafi
        } else {
            IssuerType::None
        }
    }

    /// The Ready reason of an issuer of this type that can't be used as it is written.
    pub fn trouble_reason(self) -> &'static str {
        match self {
            IssuerType::Vault => "VaultError",
            IssuerType::Ca => "ErrInvalidKeyPair",
            IssuerType::SelfSigned => "NotReady",
            IssuerType::Acme | IssuerType::Venafi => "NotSupported",
            IssuerType::None => "IssuerTypeMissing",
        }
    }

    /// The Ready reason for a failure, by the peer's words.
    pub fn reason_of(self, code: &str) -> &'static str {
        match (self, code) {
            (IssuerType::Ca, "NotACa" | "OtherKey") => "ErrInvalidKeyPair",
            (IssuerType::Ca, _) => "ErrGetKeyPair",
            (other, _) => other.trouble_reason(),
        }
    }
}

/// An Issuer or ClusterIssuer.
pub struct IssuerRecord {
    /// Which.
    pub id: IssuerId,
    /// Its UID.
    pub uid: String,
    /// Its version.
    pub resource_version: String,
    /// Its generation.
    pub generation: i64,
    /// Its type.
    pub kind: IssuerType,
    /// Its spec.
    pub spec: api::IssuerSpec,
    /// Why its spec can't be used.
    pub invalid: Option<String>,
    /// Its Ready condition.
    pub ready: Readiness,
    /// Its status as it stands, for writing.
    pub raw_status: api::IssuerStatus,
}

impl IssuerRecord {
    /// The record of an Issuer.
    pub fn of_issuer(id: IssuerId, object: api::Issuer) -> IssuerRecord {
        Self::new(id, object.metadata, object.spec, object.status)
    }

    /// The record of a ClusterIssuer.
    pub fn of_cluster_issuer(id: IssuerId, object: api::ClusterIssuer) -> IssuerRecord {
        Self::new(id, object.metadata, object.spec, object.status)
    }

    fn new(
        id: IssuerId,
        meta: ObjectMeta,
        spec: api::IssuerSpec,
        status: Option<api::IssuerStatus>,
    ) -> IssuerRecord {
        let raw_status = status.unwrap_or_default();
        let kind = IssuerType::of(&spec);
        IssuerRecord {
            invalid: invalid(kind, &spec),
            ready: status::readiness(&raw_status.conditions),
            raw_status,
            kind,
            spec,
            id,
            uid: meta.uid.unwrap_or_default(),
            resource_version: meta.resource_version.unwrap_or_default(),
            generation: meta.generation.unwrap_or_default(),
        }
    }

    /// It as the subject of an event.
    pub fn about(&self) -> About {
        About {
            kind: self.id.kind(),
            namespace: self.id.namespace().unwrap_or_default().to_owned(),
            name: self.id.name().to_owned(),
            uid: self.uid.clone(),
        }
    }
}

fn invalid(kind: IssuerType, spec: &api::IssuerSpec) -> Option<String> {
    match kind {
        IssuerType::Acme => {
            return Some("ACME issuers are not supported yet; the spec is kept as it is".to_owned());
        }
        IssuerType::Venafi => {
            return Some("Venafi issuers are not supported; the spec is kept as it is".to_owned());
        }
        _ => {}
    }
    let errors = api::validate::validate_issuer(spec);
    if errors.is_empty() {
        return None;
    }
    Some(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}
