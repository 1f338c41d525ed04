//! The record of a CertificateRequest, whoever made it: what is asked, and where it stands. It decides nothing.

use std::time::Duration;

use everleaf_api::condition::{AnyCondition, find};
use everleaf_api::names::annotation;
use everleaf_api::{self as api, Base64Bytes, ConditionStatus};
use everleaf_core::conditions::request_reason;
use everleaf_core::observed::{Ending, RequestSeen, RequestState};
use everleaf_core::request::{ReadyReason, RequestFacts};
use everleaf_core::wanted::{IssuerRef, Usage};
use everleaf_core::x509::{Chain, Csr, PemLimits};
use jiff::Timestamp;

use crate::ids::Key;
use crate::report::About;
use crate::status;

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
    /// What is wrong with its spec, the CSR apart.
    pub faults: Option<String>,
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
            faults: told(&api::validate::validate_request(&spec)),
            facts: status::request_facts(&raw_status, issuer.group() == IssuerRef::GROUP),
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

    /// Its CSR, if spec and CSR are as the rules want them: the peer's webhook lets nothing else in, but there may be none. Else what is
    /// wrong, by field.
    pub fn sound_csr(&self) -> Result<Csr, String> {
        if let Some(faults) = &self.faults {
            return Err(faults.clone());
        }
        let csr = self.csr().map_err(|why| format!("spec.request: {why}"))?;
        match told(&api::validate::csr_faults(self.is_ca, &self.usages, &csr)) {
            None => Ok(csr),
            Some(faults) => Err(faults),
        }
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
            let ready = find(&self.raw_status.conditions, "Ready");
            let at = ready.and_then(|ready| ready.last_transition_time.as_ref()).map(|time| time.0);
            return RequestState::Issued { chain: self.chain(), at: at.unwrap_or(self.created) };
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

fn told(faults: &[api::FieldError]) -> Option<String> {
    let told = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    (!told.is_empty()).then_some(told)
}
