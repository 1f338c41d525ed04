//! What there is to say about a cluster: a pure function over what was read of it.
//! Names are given as examples and counted, so that a thousand objects are still one line.

use std::collections::BTreeMap;

use everleaf_api::validate::validate_issuer;
use everleaf_api::{CertificateSpec, IssuerSpec, wanted};
use serde::Deserialize as _;
use serde_json::Value;

use super::flags_of_peer;
use super::snapshot::Snapshot;
use crate::guard::{Guard, OPEN, guard, text};

/// How many objects a line names.
const NAMED: usize = 3;
/// Annotations by which cert-manager makes Certificates for Ingresses and Gateways.
const SHIM: [&str; 3] =
    ["cert-manager.io/issuer", "cert-manager.io/cluster-issuer", "kubernetes.io/tls-acme"];
const INJECTED: &str = "cert-manager.io/inject-";
const GROUP: &str = "cert-manager.io";

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It is in use and doesn't work here.
    NotSupported,
    /// It works otherwise.
    Changes,
    /// Good to know.
    Note,
}

impl Weight {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Weight::NotSupported => "not-supported",
            Weight::Changes => "changes",
            Weight::Note => "note",
        }
    }

    pub(crate) fn heading(self) -> &'static str {
        match self {
            Weight::NotSupported => "In use and not supported",
            Weight::Changes => "Would change",
            Weight::Note => "Good to know",
        }
    }
}

/// One thing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) weight: Weight,
    /// What it is about.
    pub(crate) about: String,
    pub(crate) says: String,
}

/// Everything there is to say.
pub(crate) fn of(snapshot: &Snapshot) -> Vec<Finding> {
    let mut all = Vec::new();
    issuers(snapshot, &mut all);
    external(snapshot, &mut all);
    specs(snapshot, &mut all);
    annotations(snapshot, &mut all);
    all.extend(flags_of_peer::findings(&snapshot.deployments));
    match guard(&snapshot.bindings, &snapshot.validating) {
        Guard::Policy => {}
        Guard::Webhook(name) => say(
            &mut all,
            Weight::Note,
            "Admission",
            format!(
                "the webhook {name} asks who may approve; if it goes with cert-manager, install deploy/policy or deploy/webhook"
            ),
        ),
        Guard::Nobody => say(&mut all, Weight::Changes, "Admission", OPEN.to_owned()),
    }
    for (kind, why) in &snapshot.unread {
        say(&mut all, Weight::Note, kind, format!("could not be read, so nothing is said about it: {why}"));
    }
    all
}

fn say(all: &mut Vec<Finding>, weight: Weight, about: &str, says: String) {
    all.push(Finding { weight, about: about.to_owned(), says });
}

/// Types of issuers that aren't built.
fn issuers(snapshot: &Snapshot, all: &mut Vec<Finding>) {
    for (field, shown) in [("acme", "ACME"), ("venafi", "Venafi")] {
        let of_type: Vec<&Value> = snapshot
            .issuers
            .iter()
            .chain(&snapshot.cluster_issuers)
            .filter(|issuer| issuer.pointer(&format!("/spec/{field}")).is_some())
            .collect();
        for issuer in of_type {
            let users: Vec<&Value> =
                snapshot.certificates.iter().filter(|certificate| refers_to(certificate, issuer)).collect();
            let about = format!("{} {}", text(issuer, "/kind"), named(issuer));
            if users.is_empty() {
                let says = format!("{shown} issuers are not supported yet; no Certificate uses this one");
                say(all, Weight::Note, &about, says);
            } else {
                let says = format!(
                    "{shown} issuers are not supported yet; {} would not be renewed",
                    counted("Certificate", &users)
                );
                say(all, Weight::NotSupported, &about, says);
            }
        }
    }
}

fn refers_to(certificate: &Value, issuer: &Value) -> bool {
    let or = |pointer: &str, default: &str| {
        let found = text(certificate, pointer);
        if found.is_empty() { default.to_owned() } else { found }
    };
    let kind = text(issuer, "/kind");
    let same_place = kind == "ClusterIssuer"
        || text(certificate, "/metadata/namespace") == text(issuer, "/metadata/namespace");
    or("/spec/issuerRef/group", GROUP) == GROUP
        && or("/spec/issuerRef/kind", "Issuer") == kind
        && text(certificate, "/spec/issuerRef/name") == text(issuer, "/metadata/name")
        && same_place
}

/// Issuers of other groups sign by controllers of their own.
fn external(snapshot: &Snapshot, all: &mut Vec<Finding>) {
    let mut users: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for object in snapshot.certificates.iter().chain(&snapshot.requests) {
        let group = text(object, "/spec/issuerRef/group");
        if !group.is_empty() && group != GROUP {
            let kind = format!("{}.{group}", text(object, "/spec/issuerRef/kind"));
            users.entry(kind).or_default().push(object);
        }
    }
    for (kind, objects) in users {
        let says = format!(
            "{} go on: its own controller signs, Everleaf approves where it has the right and stores the Secret",
            counted("object", &objects)
        );
        say(all, Weight::Note, &kind, says);
    }
}

/// Stored specs that would be told as invalid.
fn specs(snapshot: &Snapshot, all: &mut Vec<Finding>) {
    let spec = |object: &Value| object.get("spec").cloned().unwrap_or_default();
    for certificate in &snapshot.certificates {
        let fault = match CertificateSpec::deserialize(spec(certificate)) {
            Ok(read) => wanted(&read).err().map(|faults| everleaf_api::field_error::all_in_one(&faults)),
            Err(error) => Some(error.to_string()),
        };
        if let Some(fault) = fault {
            let about = format!("Certificate {}", named(certificate));
            say(all, Weight::Changes, &about, format!("would be Ready=False/InvalidSpec: {fault}"));
        }
    }
    for issuer in snapshot.issuers.iter().chain(&snapshot.cluster_issuers) {
        let fault = match IssuerSpec::deserialize(spec(issuer)) {
            Ok(read) => Some(validate_issuer(&read)).filter(|faults| !faults.is_empty()),
            Err(_) => None,
        };
        if let Some(faults) = fault {
            let about = format!("{} {}", text(issuer, "/kind"), named(issuer));
            let fault = everleaf_api::field_error::all_in_one(&faults);
            say(all, Weight::Changes, &about, format!("would not be Ready: {fault}"));
        }
    }
}

/// What the shims and cainjector do.
fn annotations(snapshot: &Snapshot, all: &mut Vec<Finding>) {
    let annotated = |objects: &[Value], is: &dyn Fn(&str) -> bool| -> BTreeMap<String, Vec<Value>> {
        let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for object in objects {
            let keys = object.pointer("/metadata/annotations").and_then(Value::as_object);
            if keys.is_some_and(|keys| keys.keys().any(|key| is(key))) {
                found.entry(text(object, "/kind")).or_default().push(object.clone());
            }
        }
        found
    };
    for (kind, objects) in annotated(&snapshot.shimmed, &|key| SHIM.contains(&key)) {
        let objects: Vec<&Value> = objects.iter().collect();
        let says = format!(
            "{} have their Certificates made by cert-manager: those that exist are renewed here, but new ones and changes are not followed",
            counted(&kind, &objects)
        );
        say(all, Weight::NotSupported, &kind, says);
    }
    for (kind, objects) in annotated(&snapshot.injectable, &|key| key.starts_with(INJECTED)) {
        let objects: Vec<&Value> = objects.iter().collect();
        let says = format!(
            "{} get their CA from cainjector: keep its Deployment running, Everleaf has none",
            counted(&kind, &objects)
        );
        say(all, Weight::NotSupported, &kind, says);
    }
}

fn named(object: &Value) -> String {
    let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
    if namespace.is_empty() { name } else { format!("{namespace}/{name}") }
}

/// `3 Certificates (a/b, a/c, ...)`.
fn counted(kind: &str, objects: &[&Value]) -> String {
    let names: Vec<String> = objects.iter().take(NAMED).map(|object| named(object)).collect();
    let more = if objects.len() > NAMED { ", ..." } else { "" };
    let plural = match (objects.len(), kind.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        _ => "s",
    };
    format!("{} {kind}{plural} ({}{more})", objects.len(), names.join(", "))
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
