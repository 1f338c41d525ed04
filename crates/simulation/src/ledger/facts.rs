//! What the ledger reads out of objects, parsed once at each commit. Plain data, read by our own eyes and not by the operator's:
//! where the operator would misread an object, the ledger must not.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use everleaf_core::x509::{Certificate as Leaf, PrivateKey};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::trace;

/// A Certificate.
#[derive(Debug, Clone, Default)]
pub(crate) struct CertificateFacts {
    /// `namespace/name` of its Secret.
    pub(crate) secret: String,
    /// Name of its issuer.
    pub(crate) issuer: String,
    pub(crate) names: Vec<String>,
    pub(crate) renew_before: Option<Duration>,
    pub(crate) history: usize,
    pub(crate) ready: Option<bool>,
    pub(crate) ready_reason: String,
    pub(crate) issuing: bool,
    pub(crate) failed_attempts: u64,
    pub(crate) renewal_time: Option<Timestamp>,
    pub(crate) next_key: bool,
    pub(crate) spec: String,
}

/// A CertificateRequest.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestFacts {
    /// `namespace/name` of the Certificate that controls it.
    pub(crate) owner: String,
    pub(crate) issuer: String,
    pub(crate) ready_reason: String,
    pub(crate) message: String,
    pub(crate) created: Option<Timestamp>,
    /// Hash of the leaf that it was given.
    pub(crate) leaf: Option<String>,
}

/// A Secret.
#[derive(Debug, Clone)]
pub(crate) struct SecretFacts {
    /// It holds the next key of a running issuance.
    pub(crate) is_next_key: bool,
    /// `namespace/name` of the Certificate it was issued for.
    pub(crate) issued_for: String,
    /// What lies in it, or why that can't be used.
    pub(crate) pair: Result<Pair, String>,
}

/// A certificate with its own key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) leaf: String,
    pub(crate) begins: Timestamp,
    pub(crate) ends: Timestamp,
    pub(crate) names: Vec<String>,
}

impl Pair {
    /// When it is to be renewed.
    pub(crate) fn renewal(&self, before: Option<Duration>) -> Timestamp {
        let life = self.ends.duration_since(self.begins);
        let explicit = before.and_then(|before| SignedDuration::try_from(before).ok());
        let before = explicit.filter(|before| *before < life).unwrap_or(life / 3);
        self.ends.checked_sub(before).unwrap_or(self.begins)
    }
}

pub(crate) fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn sibling(object: &Value, name: &str) -> String {
    format!("{}/{name}", text(object, "/metadata/namespace"))
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let all = object.pointer("/status/conditions")?.as_array()?;
    all.iter().find(|condition| condition.get("type").and_then(Value::as_str) == Some(kind))
}

fn holds(condition: &Value) -> Option<bool> {
    match condition.get("status").and_then(Value::as_str) {
        Some("True") => Some(true),
        Some("False") => Some(false),
        _ => None,
    }
}

/// Durations are written in seconds by this crate.
fn seconds(written: &str) -> Option<Duration> {
    written.strip_suffix('s')?.parse().ok().map(Duration::from_secs)
}

pub(crate) fn certificate(object: &Value) -> CertificateFacts {
    let names = object.pointer("/spec/dnsNames").and_then(Value::as_array).cloned().unwrap_or_default();
    let ready = condition(object, "Ready");
    let number = |pointer| object.pointer(pointer).and_then(Value::as_u64);
    CertificateFacts {
        secret: sibling(object, &text(object, "/spec/secretName")),
        issuer: text(object, "/spec/issuerRef/name"),
        names: names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        renew_before: seconds(&text(object, "/spec/renewBefore")),
        history: number("/spec/revisionHistoryLimit")
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(1),
        ready: ready.and_then(holds),
        ready_reason: ready.map(|ready| text(ready, "/reason")).unwrap_or_default(),
        issuing: condition(object, "Issuing").and_then(holds) == Some(true),
        failed_attempts: number("/status/failedIssuanceAttempts").unwrap_or(0),
        renewal_time: text(object, "/status/renewalTime").parse().ok(),
        next_key: !text(object, "/status/nextPrivateKeySecretName").is_empty(),
        spec: object.get("spec").unwrap_or(&Value::Null).to_string(),
    }
}

pub(crate) fn request(object: &Value) -> RequestFacts {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let owner =
        owners.and_then(|owners| owners.first()).map(|owner| text(owner, "/name")).unwrap_or_default();
    let ready = condition(object, "Ready");
    let certificate = decoded(object, "/status/certificate");
    RequestFacts {
        owner: sibling(object, &owner),
        issuer: text(object, "/spec/issuerRef/name"),
        ready_reason: ready.map(|ready| text(ready, "/reason")).unwrap_or_default(),
        message: ready.map(|ready| text(ready, "/message")).unwrap_or_default(),
        created: text(object, "/metadata/creationTimestamp").parse().ok(),
        leaf: certificate.and_then(|pem| Leaf::from_pem(&pem).ok()).map(|leaf| trace::short(leaf.der())),
    }
}

pub(crate) fn secret(object: &Value) -> SecretFacts {
    let label = object.pointer("/metadata/labels/cert-manager.io~1next-private-key");
    SecretFacts {
        is_next_key: label.and_then(Value::as_str) == Some("true"),
        issued_for: sibling(object, &text(object, "/metadata/annotations/cert-manager.io~1certificate-name")),
        pair: pair(object),
    }
}

fn pair(object: &Value) -> Result<Pair, String> {
    let certificate = decoded(object, "/data/tls.crt").ok_or("no certificate")?;
    let key = decoded(object, "/data/tls.key").ok_or("no key")?;
    let leaf = Leaf::from_pem(&certificate).map_err(|error| format!("certificate: {error}"))?;
    let key = PrivateKey::from_pem(&key).map_err(|error| format!("key: {error}"))?;
    if key.public() != leaf.public_key() {
        return Err("key and certificate don't fit".to_owned());
    }
    Ok(Pair {
        leaf: trace::short(leaf.der()),
        begins: leaf.not_before(),
        ends: leaf.not_after(),
        names: leaf.sans().dns.clone(),
    })
}

fn decoded(object: &Value, pointer: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(object.pointer(pointer)?.as_str()?).ok()?;
    (!bytes.is_empty()).then_some(bytes)
}
