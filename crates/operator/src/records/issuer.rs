//! The record of an Issuer or ClusterIssuer: its spec, whether that can be used, and its status. It calls nobody.

use everleaf_api as api;
use everleaf_api::condition::find;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Readiness;
use crate::ids::IssuerId;
use crate::report::About;
use crate::status;

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

    /// Whether its Ready condition tells of this spec, and not of an earlier one.
    pub fn is_told(&self) -> bool {
        let ready = find(&self.raw_status.conditions, "Ready");
        ready.is_some_and(|ready| ready.observed_generation == Some(self.generation))
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
    let errors = api::validate::validate_issuer(spec);
    match kind {
        _ if !errors.is_empty() => {
            Some(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
        IssuerType::Acme => Some("ACME issuers are not supported yet; the spec is kept as it is".to_owned()),
        IssuerType::Venafi => Some("Venafi issuers are not supported; the spec is kept as it is".to_owned()),
        _ => None,
    }
}
