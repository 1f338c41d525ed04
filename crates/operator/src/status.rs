//! Status in and out: what a status says, for the core, and the status to write for what the core wants said.
//! Condition types that aren't ours are kept. A status that would say nothing new is not written.

use everleaf_api::condition::{AnyCondition, find, is_true};
use everleaf_api::{self as api, Base64Bytes, ConditionStatus};
use everleaf_core::conditions::{Condition, request_reason};
use everleaf_core::observed::StatusSeen;
use everleaf_core::plan::StatusWish;
use everleaf_core::request::{ReadyReason, RequestFacts};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::records::{CertificateRecord, IssuerRecord, Readiness, RequestRecord};

const READY: &str = "Ready";
const ISSUING: &str = "Issuing";
const APPROVED: &str = "Approved";

/// The approver's word for itself, in reasons and messages.
const APPROVER: &str = "cert-manager.io";
const APPROVED_BY: &str = "Certificate request has been approved by cert-manager.io";

/// What a Certificate's status says.
pub(crate) fn seen(status: &api::CertificateStatus) -> StatusSeen {
    let conditions = &status.conditions;
    let since =
        |condition: &api::ObservedCondition| condition.last_transition_time.as_ref().map(|time| time.0);
    StatusSeen {
        ready: find(conditions, READY).map(plain),
        issuing: find(conditions, ISSUING)
            .map(|condition| (plain(condition), since(condition).unwrap_or_default())),
        revision: status.revision.and_then(|revision| u32::try_from(revision).ok()),
        last_failure: status.last_failure_time.as_ref().map(|time| time.0),
        failed_attempts: status
            .failed_issuance_attempts
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(0),
        next_key_name: status.next_private_key_secret_name.clone().filter(|name| !name.is_empty()),
        renewal_time: status.renewal_time.as_ref().map(|time| time.0),
    }
}

fn plain(condition: &api::ObservedCondition) -> Condition {
    Condition {
        holds: condition.status == ConditionStatus::True,
        reason: condition.reason().to_owned(),
        message: condition.message().to_owned(),
    }
}

/// The status of the Ready condition.
pub(crate) fn readiness(conditions: &Option<Vec<api::ObservedCondition>>) -> Readiness {
    match find(conditions, READY).map(|condition| &condition.status) {
        Some(ConditionStatus::True) => Readiness::True,
        Some(ConditionStatus::False) => Readiness::False,
        _ => Readiness::Unknown,
    }
}

/// What decides what is done with a CertificateRequest.
pub(crate) fn request_facts(status: &api::CertificateRequestStatus, builtin: bool) -> RequestFacts {
    let conditions = &status.conditions;
    RequestFacts {
        builtin,
        approved: is_true(conditions, APPROVED),
        denied: is_true(conditions, "Denied"),
        invalid: is_true(conditions, "InvalidRequest"),
        ready: match find(conditions, READY).map(AnyCondition::reason) {
            Some(request_reason::FAILED) => ReadyReason::Failed,
            Some(request_reason::ISSUED) => ReadyReason::Issued,
            Some(request_reason::DENIED) => ReadyReason::Denied,
            _ => ReadyReason::Open,
        },
        has_certificate: status.certificate.as_ref().is_some_and(|certificate| !certificate.is_empty()),
    }
}

/// The message of `Ready=False/Pending`.
pub(crate) fn pending_message(status: &api::CertificateRequestStatus) -> Option<String> {
    let ready = find(&status.conditions, READY)?;
    (ready.reason() == request_reason::PENDING).then(|| ready.message().to_owned())
}

/// The status of a Certificate that says what is wished; `None` if it says so already.
pub(crate) fn certificate(
    record: &CertificateRecord,
    wish: &StatusWish,
    now: Timestamp,
) -> Option<api::CertificateStatus> {
    let mut status = record.raw_status.clone();
    let conditions = status.conditions.get_or_insert_default();
    let generation = Some(record.generation);
    put(conditions, READY, &wish.ready, generation, now);
    match &wish.issuing {
        Some(issuing) => put(conditions, ISSUING, issuing, generation, now),
        None => conditions.retain(|condition| condition.type_ != ISSUING),
    }
    let time = |at: Timestamp| Time(Timestamp::from_second(at.as_second()).unwrap_or(at));
    status.not_before = wish.leaf.map(|leaf| time(leaf.not_before));
    status.not_after = wish.leaf.map(|leaf| time(leaf.not_after));
    status.renewal_time = wish.leaf.and_then(|leaf| leaf.renewal).map(time);
    status.revision = wish.revision.map(i64::from);
    status.last_failure_time = wish.last_failure.map(time);
    status.failed_issuance_attempts = Some(wish.failed_attempts).filter(|count| *count > 0).map(i64::from);
    status.next_private_key_secret_name = wish.next_key_name.clone();
    (status != record.raw_status).then_some(status)
}

/// A change to a CertificateRequest's status.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestChange {
    /// Add `Approved=True`.
    pub approve: bool,
    /// The Ready condition.
    pub ready: Option<Condition>,
    /// Certificate and CA, as PEM.
    pub certificate: Option<(String, Option<String>)>,
    /// It ended without a certificate: the time is kept.
    pub ended: bool,
    /// The CSR that the certificate answers: a request with another one doesn't get it.
    pub answers: Option<String>,
}

impl RequestChange {
    /// Approval and nothing else.
    pub(crate) fn approval() -> RequestChange {
        RequestChange { approve: true, ..RequestChange::default() }
    }
}

/// The status of a CertificateRequest after a change; `None` if it says so already.
pub(crate) fn request(
    record: &RequestRecord,
    change: &RequestChange,
    now: Timestamp,
) -> Option<api::CertificateRequestStatus> {
    let mut status = record.raw_status.clone();
    let conditions = status.conditions.get_or_insert_default();
    let is_approved = conditions.iter().any(|condition| condition.type_ == APPROVED);
    if change.approve && !is_approved {
        put(conditions, APPROVED, &Condition::yes(APPROVER, APPROVED_BY), None, now);
    }
    if let Some(ready) = &change.ready {
        put(conditions, READY, ready, None, now);
    }
    if let Some((certificate, ca)) = &change.certificate {
        status.certificate = Some(Base64Bytes::from(certificate.clone().into_bytes()));
        status.ca = ca.clone().map(|ca| Base64Bytes::from(ca.into_bytes()));
    }
    if change.ended && status.failure_time.is_none() {
        status.failure_time = Timestamp::from_second(now.as_second()).ok().map(Time);
    }
    (status != record.raw_status).then_some(status)
}

/// The status of an issuer with this Ready condition; `None` if it says so already.
pub(crate) fn issuer(record: &IssuerRecord, ready: &Condition, now: Timestamp) -> Option<api::IssuerStatus> {
    let mut status = record.raw_status.clone();
    put(status.conditions.get_or_insert_default(), READY, ready, Some(record.generation), now);
    (status != record.raw_status).then_some(status)
}

/// A condition that can be written: its two kinds differ in the generation only.
trait Writable: AnyCondition {
    fn since(&self) -> Option<&Time>;
    fn make(kind: &str, wish: &Condition, since: Option<Time>, generation: Option<i64>) -> Self;
}

impl Writable for api::ObservedCondition {
    fn since(&self) -> Option<&Time> {
        self.last_transition_time.as_ref()
    }

    fn make(kind: &str, wish: &Condition, since: Option<Time>, generation: Option<i64>) -> Self {
        api::ObservedCondition {
            type_: kind.to_owned(),
            status: status_word(wish.holds),
            reason: Some(wish.reason.clone()),
            message: Some(wish.message.clone()),
            last_transition_time: since,
            observed_generation: generation,
        }
    }
}

impl Writable for api::Condition {
    fn since(&self) -> Option<&Time> {
        self.last_transition_time.as_ref()
    }

    fn make(kind: &str, wish: &Condition, since: Option<Time>, _: Option<i64>) -> Self {
        api::Condition {
            type_: kind.to_owned(),
            status: status_word(wish.holds),
            reason: Some(wish.reason.clone()),
            message: Some(wish.message.clone()),
            last_transition_time: since,
        }
    }
}

fn status_word(holds: bool) -> ConditionStatus {
    if holds { ConditionStatus::True } else { ConditionStatus::False }
}

/// Sets a condition: the transition time moves only when the status does.
fn put<C: Writable>(
    conditions: &mut Vec<C>,
    kind: &str,
    wish: &Condition,
    generation: Option<i64>,
    now: Timestamp,
) {
    let old = conditions.iter().find(|condition| condition.type_() == kind);
    let kept =
        old.filter(|old| *old.status() == status_word(wish.holds)).and_then(|old| old.since().cloned());
    let since = kept.or_else(|| Timestamp::from_second(now.as_second()).ok().map(Time));
    let new = C::make(kind, wish, since, generation);
    match conditions.iter_mut().find(|condition| condition.type_() == kind) {
        Some(old) => *old = new,
        None => conditions.push(new),
    }
}
