//! The shipped policies on a real API server: who may approve, who asked, and what of a request stays.
//! They become effective some time after they are applied; the tests wait for that and then ask for everything once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod admission;

use admission::people::{
    Said, conditions, may_approve, may_write_requests, tries_to_change, tries_to_create, tries_to_say,
};
use admission::rows::SOME_CSR;
use admission::{api, of, request, until};
use everleaf_testkit::servers::{CONTROLLER_USER, Kube, KubeOptions};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// An API with the policies, which are in force.
async fn policed() -> &'static Kube {
    static SHARED: OnceCell<Kube> = OnceCell::const_new();
    SHARED.get_or_init(start).await
}

async fn start() -> Kube {
    let options = KubeOptions { crds: true, rights: true, controller_manager: false };
    let kube = Kube::start_with(options).await.unwrap();
    for policy in ["approval", "identity", "immutable"] {
        kube.apply_project_file(&format!("deploy/policy/{policy}.yaml"), "default").await.unwrap();
    }
    may_write_requests(&kube, "default", "bob").await;
    make(&kube, "default", &request("probe", SOME_CSR).json()).await;
    let bob = kube.client_as("bob").unwrap();
    let forged = request("forged", SOME_CSR).with("/spec/username", json!("alice")).json();
    let annotation = json!({ "metadata": { "annotations": { "cert-manager.io/a": "b" } } });
    let refuses = |said: Said, words: &str| said.is_some_and(|said| said.contains(words));
    until("the policies are in force", async || {
        refuses(tries_to_say(&bob, "default", "probe", &["Approved"]).await, "may not approve")
            && refuses(tries_to_create(&bob, "default", &forged).await, "spec.username")
            && refuses(tries_to_change(&bob, "default", "probe", annotation.clone()).await, "annotation")
    })
    .await;
    kube
}

async fn make(kube: &Kube, namespace: &str, object: &Value) {
    let (api, object) = of(&kube.client().unwrap(), object, namespace);
    api.create(&PostParams::default(), &object).await.unwrap();
}

/// `None` in the table: let through. Else: words of the refusal.
fn is_as_expected(said: &Said, words: Option<&str>) -> bool {
    match (said, words) {
        (None, None) => true,
        (Some(said), Some(words)) => said.contains(words),
        _ => false,
    }
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn who_has_no_approve_on_the_signer_neither_approves_nor_denies() {
    let kube = policed().await;
    let namespace = kube.namespace().await.unwrap();
    let ours = format!("issuers.cert-manager.io/{namespace}.ours");
    may_approve(kube, &namespace, "alice", &[&ours, "foos.foos.example/*"]).await;
    may_approve(
        kube,
        &namespace,
        "carol",
        &["clusterissuers.cert-manager.io/*", "clusterbars.bars.example/one"],
    )
    .await;
    for user in ["alice", "bob", "carol"] {
        may_write_requests(kube, &namespace, user).await;
    }
    let issuers = [
        ("ours", json!({ "name": "ours" })),
        ("long", json!({ "name": "ours", "kind": "Issuer", "group": "cert-manager.io" })),
        ("others", json!({ "name": "others" })),
        ("cluster", json!({ "name": "ours", "kind": "ClusterIssuer" })),
        ("foo", json!({ "name": "any", "kind": "Foo", "group": "foos.example" })),
        ("bar", json!({ "name": "one", "kind": "ClusterBar", "group": "bars.example" })),
    ];
    for (name, issuer) in &issuers {
        make(kube, &namespace, &request(name, SOME_CSR).with("/spec/issuerRef", issuer.clone()).json()).await;
    }
    let table = [
        ("alice", vec!["ours", "long", "foo"]),
        ("bob", vec![]),
        ("carol", vec!["cluster", "bar"]),
        (CONTROLLER_USER, vec!["ours", "long", "others", "cluster"]),
    ];
    for (user, may) in table {
        let client = kube.client_as(user).unwrap();
        for (name, _) in &issuers {
            for decision in ["Approved", "Denied"] {
                let expected =
                    (!may.contains(name)).then_some("may not approve or deny requests for the signer");
                let said = match user {
                    // It may update the status, and has no use for patches.
                    CONTROLLER_USER => updates(kube, &namespace, name, decision).await,
                    _ => tries_to_say(&client, &namespace, name, &[decision]).await,
                };
                assert!(is_as_expected(&said, expected), "{user} {decision} {name}: {said:?}");
            }
        }
    }
    let bob = kube.client_as("bob").unwrap();
    assert_eq!(tries_to_say(&bob, &namespace, "ours", &["Ready", "Other"]).await, None, "nothing is decided");
    let admin = api(&kube.client().unwrap(), "CertificateRequest", &namespace);
    let approved = Patch::Merge(conditions(&["Approved"]));
    admin.patch_status("ours", &PatchParams::default(), &approved).await.unwrap();
    assert_eq!(tries_to_say(&bob, &namespace, "ours", &["Ready", "Approved"]).await, None, "it is decided");
}

async fn updates(kube: &Kube, namespace: &str, name: &str, decision: &str) -> Said {
    let requests = api(&kube.client_as(CONTROLLER_USER).unwrap(), "CertificateRequest", namespace);
    let mut request = requests.get(name).await.unwrap();
    request.data["status"] = conditions(&[decision])["status"].clone();
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    requests.replace_status(name, &dry, &request).await.err().map(|error| error.to_string())
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_request_names_its_author_or_nobody() {
    let kube = policed().await;
    let namespace = kube.namespace().await.unwrap();
    may_write_requests(kube, &namespace, "alice").await;
    let alice = kube.client_as("alice").unwrap();
    let question = serde_json::from_value(json!({})).unwrap();
    let asked: Api<SelfSubjectReview> = Api::all(alice.clone());
    let said = asked.create(&PostParams::default(), &question).await.unwrap();
    let groups = said.status.unwrap().user_info.unwrap().groups.unwrap();
    let reversed: Vec<&String> = groups.iter().rev().collect();
    let table = [
        (json!({}), None),
        (json!({ "username": "alice" }), None),
        (json!({ "username": "alice", "uid": "alice", "groups": reversed }), None),
        (json!({ "username": "", "groups": [] }), None),
        (json!({ "username": "bob" }), Some("spec.username")),
        (json!({ "username": "alice", "uid": "bob" }), Some("spec.uid")),
        (json!({ "groups": ["system:masters"] }), Some("spec.groups")),
        (json!({ "groups": ["system:authenticated", "system:masters"] }), Some("spec.groups")),
        (json!({ "extra": { "a": ["b"] } }), Some("spec.extra")),
    ];
    for (identity, expected) in table {
        let mut object = request("mine", SOME_CSR).json();
        object["spec"].as_object_mut().unwrap().extend(identity.as_object().unwrap().clone());
        let said = tries_to_create(&alice, &namespace, &object).await;
        assert!(is_as_expected(&said, expected), "{identity}: {said:?}");
    }
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn spec_and_our_annotations_of_a_request_stay_and_the_rest_may_change() {
    let kube = policed().await;
    let namespace = kube.namespace().await.unwrap();
    may_write_requests(kube, &namespace, "alice").await;
    let alice = kube.client_as("alice").unwrap();
    let annotations =
        json!({ "cert-manager.io/certificate-name": "web", "acme.cert-manager.io/x": "y", "note": "n" });
    make(kube, &namespace, &request("web-1", SOME_CSR).with("/metadata/annotations", annotations).json())
        .await;
    make(kube, &namespace, &request("bare", SOME_CSR).json()).await;
    let annotated = |key: &str, value: Value| json!({ "metadata": { "annotations": { key: value } } });
    let table = [
        ("web-1", annotated("cert-manager.io/certificate-name", json!("other")), Some("certificate-name")),
        ("web-1", annotated("cert-manager.io/certificate-name", Value::Null), Some("certificate-name")),
        ("web-1", annotated("acme.cert-manager.io/x", json!("z")), Some("acme.cert-manager.io/x")),
        ("web-1", json!({ "metadata": { "annotations": null } }), Some("metadata.annotations")),
        ("bare", annotated("cert-manager.io/certificate-revision", json!("1")), Some("certificate-revision")),
        ("bare", json!({ "spec": { "isCA": true } }), Some("cannot change spec")),
        ("bare", json!({ "spec": { "username": "alice" } }), Some("cannot change spec")),
        ("web-1", annotated("venafi.cert-manager.io/pickup-id", json!("1")), None),
        ("web-1", annotated("note", Value::Null), None),
        ("bare", annotated("note", json!("n")), None),
        ("bare", json!({ "metadata": { "labels": { "a": "b" }, "finalizers": ["a.example/b"] } }), None),
    ];
    for (name, change, expected) in table {
        let said = tries_to_change(&alice, &namespace, name, change.clone()).await;
        assert!(is_as_expected(&said, expected), "{name} {change}: {said:?}");
    }
}
