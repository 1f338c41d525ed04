//! Lines of a story that only repeat what objects say: the wish, the Secret, the issuer, the requests, the events.
//! No line judges.

use everleaf_api::condition::{AnyCondition, find, is_true};
use everleaf_api::issuer::{Authority, VaultAuth};
use everleaf_api::{Certificate, CertificateRequest, CertificateStatus, IssuerReference, items, text};
use everleaf_core::conditions::clock;
use everleaf_core::x509::Csr;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::objects::{Found, IssuerSeen, Objects, names};
pub(super) use crate::screen::moment;
use crate::screen::span;

/// How to see whether a controller runs.
pub(super) const WHO_RUNS: &str = "kubectl get leases -A --field-selector metadata.name=cert-manager-controller   (does a controller run, and for this namespace?)";
/// Events shown at most.
const EVENTS: usize = 5;
/// Names shown at most.
const NAMES: usize = 6;

pub(super) fn name(metadata: &ObjectMeta) -> &str {
    metadata.name.as_deref().unwrap_or_default()
}

/// Seconds since an object was made.
pub(super) fn age(metadata: &ObjectMeta, now: Timestamp) -> i64 {
    metadata.creation_timestamp.as_ref().map_or(0, |made| now.as_second() - made.0.as_second())
}

/// The Certificate that a request belongs to.
pub(super) fn certificate_of(request: &CertificateRequest) -> Option<&str> {
    let annotations = request.metadata.annotations.as_ref()?;
    annotations.get(everleaf_api::names::annotation::CERTIFICATE_NAME).map(String::as_str)
}

/// The number of the issuance that a request belongs to.
pub(super) fn revision(request: &CertificateRequest) -> Option<i64> {
    let annotations = request.metadata.annotations.as_ref()?;
    annotations.get(everleaf_api::names::annotation::CERTIFICATE_REVISION)?.parse().ok()
}

/// What a Certificate asks for.
pub(super) fn wish(certificate: &Certificate, objects: &Objects) -> Vec<String> {
    let spec = &certificate.spec;
    let lists = [&spec.dns_names, &spec.ip_addresses, &spec.uris, &spec.email_addresses];
    let mut all: Vec<String> = lists.iter().flat_map(|list| items(list)).cloned().collect();
    if all.is_empty() {
        all.extend([text(&spec.common_name), text(&spec.literal_subject)].map(str::to_owned));
        all.retain(|name| !name.is_empty());
    }
    let life = spec.duration.as_ref().map_or_else(|| "2160h".to_owned(), ToString::to_string);
    let key = spec.private_key.clone().unwrap_or_default();
    let algorithm = key.algorithm.map_or_else(|| "RSA".to_owned(), |algorithm| algorithm.as_str().to_owned());
    let size = key.size.map_or_else(String::new, |size| format!(" {size}"));
    vec![
        format!("Secret {} with {algorithm}{size} key, for {life}, for {}", spec.secret_name, listed(&all)),
        from(&spec.issuer_ref, objects),
    ]
}

/// What a request asks for.
pub(super) fn request_wish(request: &CertificateRequest, objects: &Objects) -> Vec<String> {
    let pem = request.spec.request.decode().unwrap_or_default();
    let asked = match Csr::from_pem(&pem) {
        Ok(csr) => listed(&names(csr.sans(), csr.subject())),
        Err(error) => format!("a CSR that can't be read: {error}"),
    };
    let of =
        certificate_of(request).map_or_else(String::new, |name| format!(", asked by Certificate {name}"));
    let by = request.spec.username.as_deref().map_or_else(String::new, |user| format!(", made by {user}"));
    vec![format!("a certificate for {asked}{of}{by}"), from(&request.spec.issuer_ref, objects)]
}

fn listed(all: &[String]) -> String {
    let shown = all.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn from(reference: &IssuerReference, objects: &Objects) -> String {
    match objects.issuer.there() {
        Some(issuer) => format!("from {}", issuer_spec(issuer)),
        None => format!("from {} {}", kind_of(reference), reference.name),
    }
}

fn kind_of(reference: &IssuerReference) -> &str {
    reference.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("Issuer")
}

/// What stands behind an issuer.
pub(crate) fn issuer_spec(issuer: &IssuerSeen) -> String {
    let what = match issuer.spec.authority() {
        Some(Authority::Vault(vault)) => {
            format!("Vault {} path {}, login by {}", vault.server, vault.path, login(&vault.auth))
        }
        Some(Authority::Ca(ca)) => format!("the CA in Secret {}", ca.secret_name),
        Some(Authority::SelfSigned(_)) => "each key signs for itself".to_owned(),
        Some(Authority::Acme(_)) => "ACME".to_owned(),
        Some(Authority::Venafi(_)) => "Venafi".to_owned(),
        None => "no type, or more than one".to_owned(),
    };
    format!("{} {}: {what}", issuer.kind.as_str(), issuer.name)
}

fn login(auth: &VaultAuth) -> String {
    if auth.token_secret_ref.is_some() {
        "token".to_owned()
    } else if auth.app_role.is_some() {
        "AppRole".to_owned()
    } else if let Some(kubernetes) = &auth.kubernetes {
        format!("Kubernetes role {}", kubernetes.role)
    } else if let Some(aws) = &auth.aws {
        format!("AWS role {}", aws.role)
    } else if auth.client_certificate.is_some() {
        "client certificate".to_owned()
    } else {
        "nothing".to_owned()
    }
}

/// What stands where the certificate should be, and the conditions about it.
pub(super) fn there(
    status: &CertificateStatus,
    certificate: &Certificate,
    objects: &Objects,
    now: Timestamp,
) -> Vec<String> {
    let mut lines = vec![format!("Secret {}: {}", certificate.spec.secret_name, secret(objects, now))];
    lines.extend(issuer(objects, &certificate.spec.issuer_ref, now));
    lines.extend(items(&status.conditions).iter().map(|condition| {
        let since = condition.last_transition_time.as_ref().map(|time| time.0);
        told(condition, since, now)
    }));
    lines
}

fn secret(objects: &Objects, now: Timestamp) -> String {
    let seen = match &objects.secret {
        Found::There(seen) => seen,
        Found::Missing => return "not there".to_owned(),
        Found::Unread(why) => return format!("you can't read it: {why}"),
        Found::NotAsked => return "not looked at".to_owned(),
    };
    let key = if seen.has_key { "" } else { ", but no key" };
    match &seen.leaf {
        Some(Ok(leaf)) => format!(
            "certificate for {} by {}, from {} to {}{key}",
            listed(&leaf.names),
            leaf.issuer,
            clock(leaf.not_before),
            moment(leaf.not_after, now)
        ),
        Some(Err(why)) => format!("tls.crt can't be read: {why}{key}"),
        None => format!("there, without a certificate{key}"),
    }
}

/// The issuer in one line.
pub(super) fn issuer(objects: &Objects, reference: &IssuerReference, now: Timestamp) -> Option<String> {
    match &objects.issuer {
        Found::There(issuer) => Some(issuer_state(issuer, now)),
        Found::Missing => Some(format!("{} {}: not there", kind_of(reference), reference.name)),
        Found::Unread(why) => Some(format!("{} {}: {why}", kind_of(reference), reference.name)),
        Found::NotAsked => None,
    }
}

/// The Ready condition of an issuer.
pub(super) fn issuer_state(issuer: &IssuerSeen, now: Timestamp) -> String {
    let state = match issuer.ready() {
        Some(ready) => told(ready, ready.last_transition_time.as_ref().map(|time| time.0), now),
        None => "no Ready condition".to_owned(),
    };
    format!("{} {}: {state}", issuer.kind.as_str(), issuer.name)
}

fn told(condition: &impl AnyCondition, since: Option<Timestamp>, now: Timestamp) -> String {
    let (kind, status) = (condition.type_(), condition.status().as_str());
    let since =
        since.map_or_else(String::new, |at| format!(" for {}", span(now.as_second() - at.as_second())));
    format!("{kind}={status}/{}{since}: {}", condition.reason(), condition.message())
}

/// A request and where it stands.
pub(super) fn request_state(request: &CertificateRequest, now: Timestamp) -> String {
    let conditions = request.status.as_ref().and_then(|status| status.conditions.clone());
    let approval = match (is_true(&conditions, "Approved"), is_true(&conditions, "Denied")) {
        (_, true) => "denied",
        (true, false) => "approved",
        (false, false) => "not approved",
    };
    let ready = find(&conditions, "Ready").map_or_else(
        || "no answer yet".to_owned(),
        |ready| format!("Ready={}/{}: {}", ready.status().as_str(), ready.reason(), ready.message()),
    );
    let age = span(age(&request.metadata, now));
    format!("CertificateRequest {}, made {age} ago, {approval}, {ready}", name(&request.metadata))
}

/// How often it failed.
pub(super) fn failures(status: &CertificateStatus, now: Timestamp) -> Option<String> {
    let last = status.last_failure_time.as_ref()?.0;
    let attempts = status.failed_issuance_attempts.unwrap_or(1);
    Some(format!("{attempts} issuances in a row have failed, the last at {}", moment(last, now)))
}

/// The newest events, the newest first.
pub(super) fn events(objects: &Objects, now: Timestamp) -> Vec<String> {
    let newest = objects.events.iter().rev().take(EVENTS);
    newest
        .map(|event| {
            let ago =
                event.at.map_or_else(|| "some time".to_owned(), |at| span(now.as_second() - at.as_second()));
            format!("{ago} ago, {} {} on {}: {}", event.kind, event.reason, event.about, event.message)
        })
        .collect()
}
