//! Reviews as API servers ask for them: what is refused and why, what is let through, and what a mutation writes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use base64::Engine as _;
use everleaf_api::{CertificateSpec, wanted};
use everleaf_core::x509::{Csr, Curve, KeyKind};
use everleaf_webhook::mutate::mutate;
use everleaf_webhook::question::Question;
use everleaf_webhook::review::{Verdict, review};
use serde_json::{Value, json};

fn question(operation: &str, kind: &str, old: &Value, new: &Value) -> Question {
    let group = if kind == "Secret" { "" } else { "cert-manager.io" };
    serde_json::from_value(json!({
        "uid": "u1", "kind": { "group": group, "version": "v1", "kind": kind }, "operation": operation,
        "resource": { "group": group, "version": "v1", "resource": "any" }, "name": "a", "dryRun": false,
        "userInfo": { "username": "alice", "uid": "7", "groups": ["b", "a"], "extra": { "k": ["v"] } },
        "oldObject": old, "object": new,
    }))
    .unwrap()
}

fn object(kind: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": { "name": "a", "namespace": "ns" }, "spec": spec })
}

fn merged(mut object: Value, change: &Value) -> Value {
    json_merge(&mut object, change);
    object
}

fn json_merge(object: &mut Value, change: &Value) {
    match change {
        Value::Object(change) if object.is_object() => {
            for (key, value) in change {
                json_merge(&mut object[key], value);
            }
        }
        _ => *object = change.clone(),
    }
}

/// A CSR for `web.example` as a request holds it.
async fn csr(spec: Value) -> String {
    let key = everleaf_issuers::keys::make(KeyKind::Ecdsa(Curve::P256)).await.unwrap();
    let whole = merged(
        json!({ "secretName": "a", "issuerRef": { "name": "i" }, "dnsNames": ["web.example"] }),
        &spec,
    );
    let spec: CertificateSpec = serde_json::from_value(whole).unwrap();
    let pem = Csr::build(&wanted(&spec).unwrap(), &key).unwrap().to_pem();
    base64::engine::general_purpose::STANDARD.encode(pem)
}

fn identity() -> Value {
    json!({ "username": "alice", "uid": "7", "groups": ["a", "b"], "extra": { "k": ["v"] } })
}

async fn request() -> Value {
    let spec = json!({ "request": csr(json!({})).await, "issuerRef": { "name": "i" } });
    object("CertificateRequest", &merged(spec, &identity()))
}

fn refusal(question: &Question) -> String {
    match review(question) {
        Verdict::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

fn certificate() -> Value {
    object(
        "Certificate",
        &json!({ "secretName": "a", "issuerRef": { "name": "i" }, "dnsNames": ["a.example"] }),
    )
}

#[test]
fn bad_specs_are_refused_with_every_field_and_good_ones_are_not() {
    let issuer = |spec: Value| object("Issuer", &spec);
    let certificate = |change: Value| merged(certificate(), &json!({ "spec": change }));
    let table = [
        ("Certificate", certificate(json!({})), ""),
        ("Certificate", certificate(json!({ "secretName": "" })), "spec.secretName: Required value"),
        ("Certificate", certificate(json!({ "dnsNames": ["ü"] })), "spec.dnsNames[0]: Invalid value"),
        (
            "Certificate",
            certificate(json!({ "issuerRef": { "kind": "Foo" }, "duration": "1s" })),
            "[spec.issuerRef.kind: Invalid value: \"Foo\": must be one of Issuer or ClusterIssuer (did you forget to set \
             spec.issuerRef.group?), spec.duration: Invalid value: \"1s\": certificate duration must be at least 1h]",
        ),
        ("Certificate", certificate(json!({ "dnsNames": "a" })), "the object can't be read"),
        ("Issuer", issuer(json!({ "selfSigned": {} })), ""),
        ("Issuer", issuer(json!({})), "spec: Required value: at least one issuer must be configured"),
        (
            "ClusterIssuer",
            issuer(json!({ "ca": { "secretName": "" } })),
            "spec.ca.secretName: Required value",
        ),
        ("Issuer", json!({}), "spec: Required value"),
        ("Secret", json!({ "data": 7 }), ""),
        ("Order", json!({ "spec": 7 }), ""),
    ];
    for (kind, object, words) in table {
        for operation in ["CREATE", "UPDATE"] {
            let verdict = review(&question(operation, kind, &json!({ "spec": { "other": 1 } }), &object));
            match verdict {
                Verdict::Allowed(_) => assert_eq!(words, "", "{object}"),
                Verdict::Refused(why) => assert!(!words.is_empty() && why.contains(words), "{object}: {why}"),
                Verdict::AllowedToApprovers(_) => panic!("{object}"),
            }
        }
        assert_eq!(review(&question("DELETE", kind, &object, &Value::Null)), Verdict::Allowed(vec![]));
    }
}

#[test]
fn a_stored_object_that_breaks_a_rule_gets_its_status_but_no_new_fault() {
    let bad = merged(certificate(), &json!({ "spec": { "secretName": "" } }));
    let told = merged(
        bad.clone(),
        &json!({ "status": { "conditions": [] }, "metadata": { "labels": { "a": "b" } } }),
    );
    assert_eq!(review(&question("UPDATE", "Certificate", &bad, &told)), Verdict::Allowed(vec![]));
    let worse = merged(bad.clone(), &json!({ "spec": { "commonName": "a" } }));
    assert!(refusal(&question("UPDATE", "Certificate", &bad, &worse)).contains("spec.secretName"));
}

#[test]
fn an_old_field_of_an_issuer_is_warned_about() {
    let binding =
        json!({ "keyID": "k", "keySecretRef": { "name": "a", "key": "k" }, "keyAlgorithm": "HS256" });
    let acme =
        json!({ "server": "s", "privateKeySecretRef": { "name": "a" }, "externalAccountBinding": binding });
    let issuer = object("Issuer", &json!({ "acme": acme }));
    match review(&question("CREATE", "Issuer", &Value::Null, &issuer)) {
        Verdict::Allowed(warnings) => assert!(warnings[0].contains("keyAlgorithm"), "{warnings:?}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_new_request_must_fit_its_csr_and_its_author() {
    let good = request().await;
    let ask = |object: &Value| question("CREATE", "CertificateRequest", &Value::Null, object);
    assert_eq!(review(&ask(&good)), Verdict::Allowed(vec![]));
    let server = csr(json!({ "usages": ["server auth"] })).await;
    let ca = csr(json!({ "isCA": true })).await;
    let table = [
        (json!({ "request": "" }), "spec.request: Required value"),
        (
            json!({ "request": "bm90aGluZw==" }),
            "spec.request: Invalid value: \"nothing\": failed to decode csr",
        ),
        (json!({ "request": server, "usages": ["client auth"] }), "extended key usages"),
        (json!({ "request": ca }), "key usages differ"),
        (json!({ "issuerRef": { "name": "" } }), "spec.issuerRef.name: Required value"),
        (json!({ "username": "bob" }), "spec.username: Forbidden"),
        (json!({ "uid": null }), "spec.uid: Forbidden"),
        (json!({ "groups": ["a", "b", "system:masters"] }), "spec.groups: Forbidden"),
        (json!({ "extra": { "k": ["w"] } }), "spec.extra: Forbidden"),
    ];
    for (change, words) in table {
        let why = refusal(&ask(&merged(good.clone(), &json!({ "spec": change }))));
        assert!(why.contains(words), "{change}: {why}");
    }
}

fn with_conditions(request: &Value, types: &[(&str, &str)]) -> Value {
    let one = |(kind, status): &(&str, &str)| json!({ "type": kind, "status": status, "reason": "R", "message": "m" });
    merged(request.clone(), &json!({ "status": { "conditions": types.iter().map(one).collect::<Vec<_>>() } }))
}

#[tokio::test]
async fn a_decision_needs_the_right_and_is_made_once() {
    let open = request().await;
    let (yes, no, ready) = (("Approved", "True"), ("Denied", "True"), ("Ready", "False"));
    let of = |old: &[(&str, &str)], new: &[(&str, &str)]| {
        let (old, new) = (with_conditions(&open, old), with_conditions(&open, new));
        review(&question("UPDATE", "CertificateRequest", &old, &new))
    };
    for new in [&[yes][..], &[no], &[yes, ready]] {
        match of(&[], new) {
            Verdict::AllowedToApprovers(signer) => {
                assert_eq!((signer.issuer.name.as_str(), signer.namespace.as_str()), ("i", "ns"));
            }
            other => panic!("{new:?}: {other:?}"),
        }
    }
    let allowed = [(&[][..], &[ready][..]), (&[yes], &[yes, ready]), (&[yes, no], &[yes, no, ready])];
    for (old, new) in allowed {
        assert_eq!(of(old, new), Verdict::Allowed(vec![]), "{old:?} {new:?}");
    }
    let refused = [
        (&[][..], &[yes, no][..], "cannot coexist"),
        (&[], &[("Approved", "False")], "may only be set to True"),
        (&[yes], &[ready], "may not be modified once set"),
        (&[yes], &[("Approved", "False")], "may not be modified once set"),
        (&[no], &[no, yes], "cannot coexist"),
        (&[], &[yes, yes], "multiple \"Approved\" conditions"),
    ];
    for (old, new, words) in refused {
        match of(old, new) {
            Verdict::Refused(why) => assert!(why.contains(words), "{old:?} {new:?}: {why}"),
            other => panic!("{old:?} {new:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_was_asked_for_stays_and_the_rest_may_change() {
    let annotations = json!({ "cert-manager.io/certificate-name": "web", "note": "n" });
    let old = merged(request().await, &json!({ "metadata": { "annotations": annotations } }));
    let annotated = |change: Value| merged(old.clone(), &json!({ "metadata": { "annotations": change } }));
    let ask = |new: &Value| question("UPDATE", "CertificateRequest", &old, new);
    let refused = [
        (merged(old.clone(), &json!({ "spec": { "isCA": true } })), "cannot change spec after creation"),
        (merged(old.clone(), &json!({ "spec": { "username": "bob" } })), "cannot change spec after creation"),
        (
            annotated(json!({ "cert-manager.io/certificate-name": "x" })),
            "cert-manager.io/certificate-name: Forbidden",
        ),
        (annotated(json!({ "acme.cert-manager.io/x": "y" })), "acme.cert-manager.io/x: Forbidden"),
    ];
    for (new, words) in refused {
        let why = refusal(&ask(&new));
        assert!(why.contains(words), "{why}");
    }
    for new in [
        annotated(json!({ "note": "m" })),
        annotated(json!({ "venafi.cert-manager.io/pickup-id": "1" })),
        old.clone(),
    ] {
        assert_eq!(review(&ask(&new)), Verdict::Allowed(vec![]), "{new}");
    }
}

/// The patch of a mutating review.
fn patch(question: &Question) -> Value {
    let answer = serde_json::to_value(mutate(question)).unwrap();
    assert_eq!((&answer["uid"], &answer["allowed"]), (&json!("u1"), &json!(true)));
    let Some(patch) = answer["patch"].as_str() else { return Value::Null };
    assert_eq!(answer["patchType"], "JSONPatch");
    serde_json::from_slice(&base64::engine::general_purpose::STANDARD.decode(patch).unwrap()).unwrap()
}

#[test]
fn a_new_request_is_told_who_asks_whatever_it_says() {
    let ask = |object: &Value| question("CREATE", "CertificateRequest", &Value::Null, object);
    let add = |path: &str, value: Value| json!({ "op": "add", "path": path, "value": value });
    let all = json!([
        add("/spec/username", json!("alice")),
        add("/spec/uid", json!("7")),
        add("/spec/groups", json!(["b", "a"])),
        add("/spec/extra", json!({ "k": ["v"] })),
    ]);
    assert_eq!(patch(&ask(&object("CertificateRequest", &json!({ "username": "bob", "groups": [] })))), all);
    let right = object("CertificateRequest", &merged(identity(), &json!({ "groups": ["b", "a"] })));
    assert_eq!(patch(&ask(&right)), Value::Null, "nothing to write");
    assert_eq!(patch(&ask(&json!({})))[0], add("/spec", json!({})));
    assert_eq!(patch(&question("UPDATE", "CertificateRequest", &right, &right)), Value::Null);
    assert_eq!(patch(&question("CREATE", "Certificate", &Value::Null, &certificate())), Value::Null);
    let mut nobody = ask(&object("CertificateRequest", &json!({ "uid": "9" })));
    nobody.user_info = serde_json::from_value(json!({ "username": "alice" })).unwrap();
    let expected = json!([add("/spec/username", json!("alice")), { "op": "remove", "path": "/spec/uid" }]);
    assert_eq!(patch(&nobody), expected);
}
