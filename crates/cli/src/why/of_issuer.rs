//! The story of an Issuer or ClusterIssuer, and what an issuer means for those that wait for it.
//! Its Ready condition is all that is known: nobody is called.

use everleaf_api::ConditionStatus;
use everleaf_api::condition::AnyCondition;
use jiff::Timestamp;

use super::cure::cure;
use super::facts;
use super::objects::{Found, IssuerSeen, Objects};
use super::scene::Scene;
use super::story::{Finding, Story, Verdict};
use super::subject::Kind;
use super::told::Told;

/// An issuer that nobody has looked at for so long has no controller.
const UNSEEN_FOR: i64 = 60;
/// Users named one by one.
const NAMED: usize = 5;

pub(crate) fn story(issuer: &IssuerSeen, objects: &Objects, now: Timestamp) -> Option<Story> {
    let finding = trouble(issuer, issuer.namespace.as_deref().unwrap_or_default(), now);
    let (verdict, cause, cure) = match finding {
        Some(finding) => (finding.verdict, Some(finding.cause), finding.cure),
        None => (Verdict::InOrder, None, None),
    };
    let headline = match verdict {
        Verdict::InOrder => "is ready",
        Verdict::Working => "is not ready, and is expected to recover",
        Verdict::NeedsPerson => "is not ready: a person is needed",
    };
    let mut next = Vec::new();
    if verdict != Verdict::InOrder {
        next.push("It is probed again and again; what waits for it follows as soon as it works.".to_owned());
    }
    Some(Story {
        kind: issuer.kind,
        namespace: issuer.namespace.clone(),
        name: issuer.name.clone(),
        verdict,
        headline: headline.to_owned(),
        cause,
        cure,
        wanted: vec![facts::issuer_spec(issuer)],
        there: vec![facts::issuer_state(issuer, now), users(objects)],
        tried: facts::events(objects, now),
        next,
    })
}

/// What is wrong with an issuer, as its condition tells it.
pub(crate) fn trouble(issuer: &IssuerSeen, namespace: &str, now: Timestamp) -> Option<Finding> {
    let scene = Scene { namespace, certificate: None, issuer: Some(issuer) };
    let Some(ready) = issuer.ready() else {
        return Some(unseen(issuer, now));
    };
    if ready.status == ConditionStatus::True {
        return None;
    }
    let told = Told::read(ready.message());
    let found = cure(&scene, &told.says);
    let person = told.needs_person().unwrap_or_else(|| found.as_ref().is_none_or(|cure| cure.person));
    let line = found.map_or_else(|| format!("kubectl edit {}", scene.issuer_words()), |cure| cure.line);
    let verdict = if person { Verdict::NeedsPerson } else { Verdict::Working };
    Some(Finding { verdict, cause: told, cure: Some(line) })
}

fn unseen(issuer: &IssuerSeen, now: Timestamp) -> Finding {
    let says = Told::plain("no controller has looked at this issuer yet");
    let age = issuer.created.map_or(0, |at| now.as_second() - at.as_second());
    if age < UNSEEN_FOR { Finding::working(says) } else { Finding::person(says, facts::WHO_RUNS) }
}

/// What a missing or sick issuer means for whoever refers to it. `None`: it is ready, or nobody knows.
pub(crate) fn in_the_way(
    reference: &everleaf_api::IssuerReference,
    objects: &Objects,
    namespace: &str,
    now: Timestamp,
) -> Option<Finding> {
    match &objects.issuer {
        Found::There(issuer) => trouble(issuer, namespace, now),
        Found::Missing => Some(missing(reference, objects.namesake, namespace)),
        Found::Unread(_) | Found::NotAsked => None,
    }
}

fn missing(reference: &everleaf_api::IssuerReference, namesake: Option<Kind>, namespace: &str) -> Finding {
    let kind = reference.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("Issuer");
    let place = if kind == "Issuer" { format!(" in namespace {namespace}") } else { String::new() };
    let says = Told::plain(format!("{kind} {} is not there{place}", reference.name));
    let cure = match namesake {
        Some(other) => format!("issuerRef.kind: {}   (there is one of that name)", other.as_str()),
        None if kind == "Issuer" => {
            format!(
                "kubectl get issuers -n {namespace}; kubectl get clusterissuers   (make it, or mend issuerRef)"
            )
        }
        None => "kubectl get clusterissuers   (make it, or mend issuerRef)".to_owned(),
    };
    Finding::person(says, cure)
}

fn users(objects: &Objects) -> String {
    let waiting: Vec<&str> = objects
        .users
        .iter()
        .filter(|user| !user.ready || user.issuing)
        .map(|user| user.name.as_str())
        .collect();
    let named = waiting.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let more = match waiting.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match (objects.users.len(), waiting.len()) {
        (0, _) => "No Certificate refers to it.".to_owned(),
        (all, 0) => format!("{all} Certificates refer to it, none waits."),
        (all, waits) => format!("{all} Certificates refer to it, {waits} wait: {named}{more}"),
    }
}
