//! Admission on a real API server: what the definitions refuse by themselves, and what they must never refuse.
//! Every rule is asked with values on both sides of it; a stored object that breaks one keeps getting its status.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod admission;

use admission::rows::SOME_CSR;
use admission::{Row, api, good, issuers, of, refused_fields, request, rows, until};
use everleaf_testkit::makers;
use everleaf_testkit::servers::{Kube, KubeOptions, apply_manifests, await_established, shared_kube};
use kube::Client;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

fn every_bad_row() -> Vec<Row> {
    let mut all = rows::certificates();
    all.extend(rows::requests());
    all.extend(issuers::issuers());
    all
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_definitions_refuse_what_breaks_a_rule_and_name_the_field() {
    let kube = shared_kube().await.unwrap();
    let (client, namespace) = (kube.client().unwrap(), kube.namespace().await.unwrap());
    let mut wrong = Vec::new();
    for Row { object, field } in every_bad_row() {
        let fields = refused_fields(&client, &object, &namespace).await;
        if fields != [field] {
            wrong.push(format!("{field}: {fields:?} for {}", object["spec"]));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_definitions_take_what_cert_manager_takes() {
    let kube = shared_kube().await.unwrap();
    let (client, namespace) = (kube.client().unwrap(), kube.namespace().await.unwrap());
    let mut wrong = Vec::new();
    for object in good::all() {
        let fields = refused_fields(&client, &object, &namespace).await;
        if !fields.is_empty() {
            wrong.push(format!("{fields:?} for {}", object["spec"]));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// A merge patch of an object or of its status; the refusal in words.
async fn patched(client: &Client, kind: &str, namespace: &str, change: Value) -> Result<(), String> {
    let name = change["metadata"]["name"].as_str().unwrap().to_owned();
    let api = api(client, kind, namespace);
    let patch = Patch::Merge(&change);
    let patched = match change.get("status") {
        Some(_) => api.patch_status(&name, &PatchParams::default(), &patch).await,
        None => api.patch(&name, &PatchParams::default(), &patch).await,
    };
    patched.map(|_| ()).map_err(|error| error.to_string())
}

fn conditions(name: &str, types: &[(&str, &str)]) -> Value {
    let one = |(kind, status): &(&str, &str)| json!({ "type": kind, "status": status, "reason": "R", "message": "m", "lastTransitionTime": "2026-01-02T03:04:05Z" });
    let conditions: Vec<Value> = types.iter().map(one).collect();
    json!({ "metadata": { "name": name }, "status": { "conditions": conditions } })
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn spec_and_decision_of_a_request_stay_as_they_are() {
    let kube = shared_kube().await.unwrap();
    let (client, namespace) = (kube.client().unwrap(), kube.namespace().await.unwrap());
    for name in ["approved", "denied", "open", "bare"] {
        let (api, object) = of(&client, &request(name, SOME_CSR).json(), &namespace);
        api.create(&PostParams::default(), &object).await.unwrap();
    }
    let (approved, denied) = (("Approved", "True"), ("Denied", "True"));
    let (ready, other) = (("Ready", "False"), ("Foo", "Unknown"));
    let (stays, both, only_true) = ("may not be modified", "cannot coexist", "may only be set to True");
    let spec = |name: &str, spec: Value| json!({ "metadata": { "name": name }, "spec": spec });
    let table: [(Value, Option<&str>); 17] = [
        (spec("open", json!({ "isCA": true })), Some("cannot change spec")),
        (spec("open", json!({ "groups": ["x"] })), Some("cannot change spec")),
        (spec("open", Value::Null), Some("cannot change spec")),
        (json!({ "metadata": { "name": "open", "labels": { "a": "b" } } }), None),
        (conditions("approved", &[approved]), None),
        (conditions("denied", &[denied, ready]), None),
        (conditions("approved", &[approved, ready, other]), None),
        (conditions("approved", &[ready]), Some(stays)),
        (conditions("approved", &[("Approved", "False")]), Some(stays)),
        (conditions("approved", &[approved, denied]), Some(both)),
        (conditions("denied", &[denied, approved]), Some(both)),
        (json!({ "metadata": { "name": "denied" }, "status": { "conditions": null } }), Some(stays)),
        (json!({ "metadata": { "name": "denied" }, "status": null }), Some(stays)),
        (conditions("open", &[approved, denied]), Some(both)),
        (conditions("open", &[("Denied", "False")]), Some(only_true)),
        (conditions("open", &[("Approved", "Unknown"), ready]), Some(only_true)),
        (conditions("bare", &[ready]), None),
    ];
    for (change, refusal) in table {
        let told = patched(&client, "CertificateRequest", &namespace, change.clone()).await;
        match (refusal, told) {
            (None, told) => assert_eq!(told, Ok(()), "{change}"),
            (Some(words), told) => {
                let told = told.expect_err(&change.to_string());
                assert!(told.contains(words), "{change}: {told}");
            }
        }
    }
}

/// The definitions as cert-manager's are: without rules, and without the limits that came with them.
fn without_rules(value: &mut Value) {
    match value {
        Value::Object(object) => {
            // A schema, not a set of properties of such a name.
            if object.contains_key("type") || object.contains_key("properties") {
                for word in ["x-kubernetes-validations", "maxItems", "maxLength", "maxProperties"] {
                    object.remove(word);
                }
            }
            object.values_mut().for_each(without_rules);
        }
        Value::Array(list) => list.iter_mut().for_each(without_rules),
        _ => {}
    }
}

/// What a server without rules stores. (Words that aren't in an enum it refuses, too.)
async fn store_invalid_objects(client: &Client) -> Vec<(String, String)> {
    let mut stored = Vec::new();
    for (index, Row { mut object, .. }) in every_bad_row().into_iter().enumerate() {
        let name = format!("bad-{index}");
        object["metadata"]["name"] = json!(name);
        let (api, typed) = of(client, &object, "default");
        if api.create(&PostParams::default(), &typed).await.is_ok() {
            stored.push((object["kind"].as_str().unwrap().to_owned(), name));
        }
    }
    stored
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn stored_objects_that_break_rules_still_get_status_and_labels() {
    let kube = Kube::start_with(KubeOptions::default()).await.unwrap();
    let client = kube.client().unwrap();
    let mut definitions: Vec<Value> =
        everleaf_api::crds::all().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect();
    definitions.iter_mut().for_each(without_rules);
    apply_manifests(&client, &definitions, "default").await.unwrap();
    await_established(&client).await.unwrap();
    let stored = store_invalid_objects(&client).await;
    assert!(stored.len() > 110, "{} of the invalid objects are stored", stored.len());
    let torn = conditions("torn", &[("Approved", "True"), ("Denied", "True")]);
    let (requests, object) = of(&client, &request("torn", SOME_CSR).json(), "default");
    requests.create(&PostParams::default(), &object).await.unwrap();
    patched(&client, "CertificateRequest", "default", torn).await.unwrap();

    kube.apply_crds().await.unwrap();
    let bad = makers::certificate("x").with("/spec/secretName", json!("Not_A_Name")).json();
    let bad_issuer = makers::self_signed_issuer("x").with("/spec", json!({})).json();
    let bad_request = request("x", "").json();
    for object in [bad, bad_issuer.clone(), bad_request] {
        until("the rules are in force", async || {
            !refused_fields(&client, &object, "default").await.is_empty()
        })
        .await;
    }
    for (kind, name) in &stored {
        let ready = conditions(name, &[("Ready", "False")]);
        assert_eq!(patched(&client, kind, "default", ready).await, Ok(()), "status of {kind} {name}");
        let label =
            json!({ "metadata": { "name": name, "labels": { "a": "b" }, "finalizers": ["a.example/b"] } });
        assert_eq!(patched(&client, kind, "default", label).await, Ok(()), "label of {kind} {name}");
    }
    let torn = conditions("torn", &[("Approved", "True"), ("Denied", "True"), ("Ready", "False")]);
    assert_eq!(patched(&client, "CertificateRequest", "default", torn).await, Ok(()));
}
