//! Makers of the objects that stories are told from: what our controller and the peer leave in the API in some state.
//! Our own sentences are made by the core's functions, so that a change of theirs is seen here.

use everleaf_core::conditions::{self, NextTry};
use everleaf_core::failure::{Blame, Call, Class, Failure, Finality, Says};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::screen::Paint;
use crate::why::objects::{Found, IssuerSeen, LeafSeen, Objects, SecretSeen};
use crate::why::print;
use crate::why::story::{Story, story};
use crate::why::subject::{Kind, Subject};

/// The moment at which all stories are told.
pub(super) fn now() -> Timestamp {
    at("2026-11-25T12:00:00Z")
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn of<T: DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).unwrap()
}

pub(super) fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({ "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-11-25T11:30:00Z" })
}

/// Certificate default/web for www.example.com from Issuer vault, an hour old, with this status.
pub(super) fn certificate(status: Value) -> Value {
    json!({
        "metadata": { "name": "web", "namespace": "default", "uid": "u1", "generation": 1, "creationTimestamp": "2026-11-25T11:00:00Z" },
        "spec": {
            "secretName": "web-tls", "dnsNames": ["www.example.com"], "duration": "24h",
            "privateKey": { "algorithm": "ECDSA" }, "issuerRef": { "name": "vault" },
        },
        "status": status,
    })
}

/// CertificateRequest default/web-1 with these conditions.
pub(super) fn request(conditions: &[Value]) -> Value {
    json!({
        "metadata": {
            "name": "web-1", "namespace": "default", "creationTimestamp": "2026-11-25T11:30:00Z",
            "annotations": { "cert-manager.io/certificate-name": "web", "cert-manager.io/certificate-revision": "1" },
        },
        "spec": { "request": "", "issuerRef": { "name": "vault" } },
        "status": { "conditions": conditions },
    })
}

pub(super) fn approved() -> Value {
    condition(
        "Approved",
        "True",
        "cert-manager.io",
        "Certificate request has been approved by cert-manager.io",
    )
}

/// How the issuer logs in.
pub(super) enum Login {
    AppRole,
    Token,
    ServiceAccount,
}

/// Issuer default/vault at a Vault, with this Ready condition.
pub(super) fn issuer(login: &Login, ready: Option<Value>) -> IssuerSeen {
    let auth = match login {
        Login::AppRole => {
            json!({ "appRole": { "path": "approle", "roleId": "r", "secretRef": { "name": "vault-approle", "key": "secretId" } } })
        }
        Login::Token => json!({ "tokenSecretRef": { "name": "vault-token", "key": "token" } }),
        Login::ServiceAccount => {
            json!({ "kubernetes": { "role": "web", "mountPath": "/v1/auth/kubernetes", "serviceAccountRef": { "name": "signer" } } })
        }
    };
    IssuerSeen {
        kind: Kind::Issuer,
        name: "vault".to_owned(),
        namespace: Some("default".to_owned()),
        generation: 1,
        created: Some(at("2026-11-25T10:00:00Z")),
        spec: of(
            json!({ "vault": { "server": "https://vault.example:8200", "path": "pki/sign/web", "auth": auth } }),
        ),
        status: of(json!({ "conditions": ready.into_iter().collect::<Vec<_>>() })),
    }
}

pub(super) fn well() -> Option<Value> {
    Some(condition("Ready", "True", "VaultVerified", "Vault verified"))
}

pub(super) fn failure(class: Class, call: Call, says: &str, blame: Blame) -> Failure {
    Failure {
        class,
        call,
        code: "Any",
        says: Says::new(says),
        retry_after: None,
        blame,
        finality: Finality::WhenProved,
    }
}

/// What we publish of an issuer that fails like this.
pub(super) fn issuer_says(failure: &Failure) -> Value {
    let message = format!(
        "{} ({} failed: {}). {}",
        failure.class,
        failure.call.as_str(),
        failure.says,
        conditions::who_acts(failure)
    );
    condition("Ready", "False", "VaultError", &message)
}

/// A first issuance that our controller can't finish, and what it wrote: the issuer is sick unless the request is to blame.
pub(super) fn waits(login: &Login, failure: &Failure) -> Objects {
    let told = conditions::waiting(failure, NextTry::By(at("2026-11-25T12:00:30Z")));
    let check = "Issuing certificate as Secret does not exist";
    let story = conditions::with_story(check, Some(&told));
    let status = json!({ "conditions": [
        condition("Ready", "False", "DoesNotExist", &story),
        condition("Issuing", "True", "DoesNotExist", &story),
    ] });
    let ready = if failure.class == Class::Request { well() } else { Some(issuer_says(failure)) };
    Objects {
        requests: vec![of(request(&[approved(), condition("Ready", "False", "Pending", &told)]))],
        issuer: Found::There(issuer(login, ready)),
        ..without_request(status)
    }
}

/// The Certificate with this status, no Secret, and a sound issuer.
pub(super) fn without_request(status: Value) -> Objects {
    Objects {
        certificate: Some(of(certificate(status))),
        secret: Found::Missing,
        issuer: Found::There(issuer(&Login::AppRole, well())),
        ..Objects::default()
    }
}

/// What the peer leaves after the `attempts`-th failure in a row, half an hour ago.
pub(super) fn peer_failed(says: &str, attempts: i64) -> Objects {
    let message = format!("Vault failed to sign certificate: {says}");
    let status = json!({
        "conditions": [
            condition("Ready", "False", "DoesNotExist", "Issuing certificate as Secret does not exist"),
            condition("Issuing", "False", "Failed", &conditions::failed(&message)),
        ],
        "lastFailureTime": "2026-11-25T11:30:00Z", "failedIssuanceAttempts": attempts,
    });
    let mut of_peer = certificate(status.clone());
    of_peer["metadata"]["managedFields"] = json!([{
        "manager": "cert-manager-certificates-issuing", "operation": "Update", "subresource": "status",
        "apiVersion": "cert-manager.io/v1", "fieldsType": "FieldsV1", "fieldsV1": {}, "time": "2026-11-25T11:30:00Z",
    }]);
    Objects {
        certificate: Some(of(of_peer)),
        requests: vec![of(request(&[approved(), condition("Ready", "False", "Failed", &message)]))],
        ..without_request(status)
    }
}

/// The Secret with a certificate from 2026-11-25T00:00:00Z to `end`.
pub(super) fn secret(end: &str) -> Found<SecretSeen> {
    let leaf = LeafSeen {
        names: vec!["www.example.com".to_owned()],
        issuer: "CN=pki root".to_owned(),
        not_before: at("2026-11-25T00:00:00Z"),
        not_after: at(end),
    };
    Found::There(SecretSeen { leaf: Some(Ok(leaf)), has_key: true })
}

/// The story of default/web.
pub(super) fn told(objects: &Objects) -> Story {
    story_of(Kind::Certificate, "web", objects)
}

pub(super) fn story_of(kind: Kind, name: &str, objects: &Objects) -> Story {
    story(&Subject { kind, name: name.to_owned() }, objects, now()).unwrap()
}

pub(super) fn text(story: &Story) -> String {
    print::text(story, Paint::Plain, None)
}
