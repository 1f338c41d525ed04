//! The story of a CertificateRequest, and what it tells the Certificate that waits for it.
//! Denial, refusal and approval are read from its conditions; nothing is guessed from its age but that nobody has approved it.

use everleaf_api::condition::{AnyCondition, find, is_true};
use everleaf_api::{CertificateRequest, CertificateRequestStatus, IssuerReference};
use everleaf_core::conditions::request_reason;
use jiff::Timestamp;

use super::cure::cure;
use super::facts;
use super::objects::Objects;
use super::of_issuer;
use super::scene::Scene;
use super::story::{Finding, Story, Verdict};
use super::subject::Kind;
use super::told::Told;

/// An approver that is there has approved by now.
const APPROVED_WITHIN: i64 = 10;
/// What the peer says of a request whose issuer isn't ready, or isn't there: the issuer tells more.
const ISSUERS_OWN: [&str; 2] = ["does not have a Ready status condition", " not found"];

pub(crate) fn story(request: &CertificateRequest, objects: &Objects, now: Timestamp) -> Option<Story> {
    let namespace = request.metadata.namespace.clone().unwrap_or_default();
    let certificate = facts::certificate_of(request);
    let finding = finding(request, objects, certificate, now);
    let (verdict, cause, cure) = match finding {
        Some(finding) => (finding.verdict, Some(finding.cause), finding.cure),
        None => (Verdict::InOrder, None, None),
    };
    let headline = match verdict {
        Verdict::InOrder => "is signed",
        Verdict::Working => "is not signed yet, it is being worked on",
        Verdict::NeedsPerson => "is not signed: a person is needed",
    };
    let next = cause.iter().filter_map(|told| told.next.clone()).collect();
    Some(Story {
        kind: Kind::CertificateRequest,
        namespace: Some(namespace),
        name: facts::name(&request.metadata).to_owned(),
        verdict,
        headline: headline.to_owned(),
        cause,
        cure,
        wanted: facts::request_wish(request, objects),
        there: facts::issuer(objects, &request.spec.issuer_ref, now).into_iter().collect(),
        tried: std::iter::once(facts::request_state(request, now))
            .chain(facts::events(objects, now))
            .collect(),
        next,
    })
}

/// What a request that isn't signed tells; `None` if it is.
pub(crate) fn finding(
    request: &CertificateRequest,
    objects: &Objects,
    certificate: Option<&str>,
    now: Timestamp,
) -> Option<Finding> {
    let status = request.status.clone().unwrap_or_default();
    let namespace = request.metadata.namespace.clone().unwrap_or_default();
    let scene = Scene { namespace: &namespace, certificate, issuer: objects.issuer.there() };
    if let Some(refused) = ended(&status, &scene) {
        return Some(refused);
    }
    let ready = find(&status.conditions, "Ready");
    match ready.map(AnyCondition::reason) {
        Some(request_reason::ISSUED) => None,
        _ => {
            let message = ready.map(AnyCondition::message).unwrap_or_default();
            Some(open(request, &status, message, &scene, objects, now))
        }
    }
}

/// Denied, called invalid, or failed.
fn ended(status: &CertificateRequestStatus, scene: &Scene<'_>) -> Option<Finding> {
    let again = format!("everleaf renew {}", scene.name_and_namespace());
    if is_true(&status.conditions, "Denied") {
        let denied = find(&status.conditions, "Denied")?;
        let says = format!("an approver has denied it ({}): {}", denied.reason(), denied.message());
        let cure = format!("mend what the approver objects to, then {again}");
        return Some(Finding::person(Told::plain(says), cure));
    }
    if is_true(&status.conditions, "InvalidRequest") {
        let invalid = find(&status.conditions, "InvalidRequest")?;
        let says = format!("called invalid ({}): {}", invalid.reason(), invalid.message());
        return Some(Finding::person(
            Told::plain(says),
            format!("kubectl edit {}", scene.certificate_words()),
        ));
    }
    let ready = find(&status.conditions, "Ready")?;
    (ready.reason() == request_reason::FAILED).then(|| failed(ready.message(), scene))
}

/// A request that failed: refused with proof by us, or failed by the peer at the first error.
pub(crate) fn failed(message: &str, scene: &Scene<'_>) -> Finding {
    let told = Told::read(message);
    let again = format!("everleaf renew {}", scene.name_and_namespace());
    let line = match cure(scene, &told.says) {
        Some(cure) if told.refused => cure.line,
        Some(cure) => format!("{}; then {again}", cure.line),
        None => format!("mend what the message names, then {again}"),
    };
    Finding::person(told, line)
}

/// Not answered yet.
fn open(
    request: &CertificateRequest,
    status: &CertificateRequestStatus,
    message: &str,
    scene: &Scene<'_>,
    objects: &Objects,
    now: Timestamp,
) -> Finding {
    let told = Told::read(message);
    let is_issuers_own = message.is_empty() || ISSUERS_OWN.iter().any(|words| message.contains(words));
    let issuer = of_issuer::in_the_way(&request.spec.issuer_ref, objects, scene.namespace, now);
    if let Some(finding) = issuer.filter(|_| told.class.is_none() && is_issuers_own) {
        return finding;
    }
    if message.is_empty() && !is_true(&status.conditions, "Approved") {
        return unapproved(request, scene, now);
    }
    if message.is_empty() {
        return Finding::working(Told::plain("the issuer has not answered yet"));
    }
    let found = cure(scene, &told.says);
    let person = told.needs_person().unwrap_or_else(|| found.as_ref().is_some_and(|cure| cure.person));
    let verdict = if person { Verdict::NeedsPerson } else { Verdict::Working };
    Finding { verdict, cause: told, cure: found.map(|cure| cure.line) }
}

fn unapproved(request: &CertificateRequest, scene: &Scene<'_>, now: Timestamp) -> Finding {
    let name = facts::name(&request.metadata);
    let age = facts::age(&request.metadata, now);
    let says = Told::plain(format!(
        "CertificateRequest {name} is not approved: nothing is signed before somebody approves it"
    ));
    if age < APPROVED_WITHIN {
        return Finding::working(says);
    }
    let right = signer(&request.spec.issuer_ref, scene.namespace);
    let cure = format!(
        "everleaf approve {name} -n {}   (or give an approver the right: verb approve on signers.cert-manager.io, resource name {right})",
        scene.namespace
    );
    Finding::person(says, cure)
}

/// The signer's name as RBAC rules write it (certificate-lifecycle 3.1).
fn signer(reference: &IssuerReference, namespace: &str) -> String {
    let named = everleaf_api::references::issuer_ref(reference);
    let plural = format!("{}s.{}", named.kind().to_lowercase(), named.group());
    let is_cluster_wide = named.kind().starts_with("Cluster");
    if is_cluster_wide {
        format!("{plural}/{}", named.name)
    } else {
        format!("{plural}/{namespace}.{}", named.name)
    }
}
