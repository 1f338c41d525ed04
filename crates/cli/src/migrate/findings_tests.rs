//! What is said about which cluster: one row for each thing that can be found, and that nothing is said where nothing is.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use serde_json::json;

use super::Weight::{Changes, NotSupported, Note};
use super::*;

fn object(kind: &str, name: &str, more: Value) -> Value {
    let mut object = json!({ "kind": kind, "metadata": { "name": name, "namespace": "ns" }, "spec": {} });
    merge(&mut object, more);
    object
}

fn merge(object: &mut Value, more: Value) {
    match more {
        Value::Object(more) if object.is_object() => {
            more.into_iter().for_each(|(key, value)| merge(&mut object[key.as_str()], value));
        }
        more => *object = more,
    }
}

fn certificate(name: &str, issuer: Value) -> Value {
    let spec = json!({ "secretName": name, "dnsNames": ["a.example"], "issuerRef": issuer });
    object("Certificate", name, json!({ "spec": spec }))
}

fn acme(kind: &str) -> Value {
    let spec = json!({ "acme": { "server": "s", "privateKeySecretRef": { "name": "k" } } });
    object(kind, "letsencrypt", json!({ "spec": spec }))
}

fn guarded() -> Snapshot {
    let binding = json!({ "spec": { "policyName": "everleaf-certificaterequest-approval", "validationActions": ["Deny"] } });
    Snapshot { bindings: vec![binding], ..Snapshot::default() }
}

fn controller(argument: &str) -> Value {
    let container =
        json!({ "image": "quay.io/jetstack/cert-manager-controller:v1.21.1", "args": ["--v=2", argument] });
    object(
        "Deployment",
        "cert-manager",
        json!({ "spec": { "template": { "spec": { "containers": [container] } } } }),
    )
}

#[test]
fn a_cluster_with_nothing_special_needs_no_word() {
    let issuer = object("Issuer", "ca", json!({ "spec": { "ca": { "secretName": "ca" } } }));
    let snapshot = Snapshot {
        certificates: vec![certificate("web", json!({ "name": "ca" }))],
        issuers: vec![issuer],
        deployments: vec![controller("--leader-elect=true"), object("Deployment", "web", json!({}))],
        shimmed: vec![object("Ingress", "plain", json!({ "metadata": { "annotations": { "a": "b" } } }))],
        ..guarded()
    };
    assert_eq!(of(&snapshot), vec![]);
}

/// A cluster, and the one thing that is said about it: weight, subject, words.
type Row = (Snapshot, Weight, &'static str, &'static str);

fn issuer_rows() -> Vec<Row> {
    let cluster = json!({ "name": "letsencrypt", "kind": "ClusterIssuer" });
    let foreign = json!({ "name": "a", "kind": "Foo", "group": "foos.example" });
    let mut odd = certificate("odd", json!({ "name": "ca" }));
    odd["spec"]["privateKey"] = json!({ "size": 2049 });
    let used = vec![certificate("web", cluster)];
    let with_cluster_issuer =
        Snapshot { cluster_issuers: vec![acme("ClusterIssuer")], certificates: used, ..guarded() };
    let with_foreign = Snapshot { certificates: vec![certificate("web", foreign)], ..guarded() };
    let with_none = Snapshot { issuers: vec![object("Issuer", "none", json!({}))], ..guarded() };
    vec![
        (
            with_cluster_issuer,
            NotSupported,
            "ClusterIssuer ns/letsencrypt",
            "1 Certificate (ns/web) would not be renewed",
        ),
        (
            Snapshot { issuers: vec![acme("Issuer")], ..guarded() },
            Note,
            "Issuer ns/letsencrypt",
            "no Certificate uses",
        ),
        (with_foreign, Note, "Foo.foos.example", "its own controller signs"),
        (
            Snapshot { certificates: vec![odd], ..guarded() },
            Changes,
            "Certificate ns/odd",
            "spec.privateKey.size",
        ),
        (with_none, Changes, "Issuer ns/none", "at least one issuer"),
    ]
}

fn part_rows() -> Vec<Row> {
    let annotated = |kind: &str, key: &str| {
        vec![object(kind, "a", json!({ "metadata": { "annotations": { key: "x" } } }))]
    };
    let run_with = |argument: &str| Snapshot { deployments: vec![controller(argument)], ..guarded() };
    let shimmed = Snapshot { shimmed: annotated("Ingress", "cert-manager.io/cluster-issuer"), ..guarded() };
    let injected =
        Snapshot { injectable: annotated("APIService", "cert-manager.io/inject-ca-from"), ..guarded() };
    let signers = run_with("--feature-gates=A=true,ExperimentalCertificateSigningRequestControllers=true");
    const DEPLOYMENT: &str = "Deployment ns/cert-manager";
    vec![
        (shimmed, NotSupported, "Ingress", "1 Ingress (ns/a) have their Certificates made"),
        (injected, NotSupported, "APIService", "cainjector"),
        (signers, NotSupported, DEPLOYMENT, "CertificateSigningRequests"),
        (run_with("--feature-gates=NameConstraints=false"), Changes, DEPLOYMENT, "always on"),
        (run_with("--enable-gateway-api"), NotSupported, DEPLOYMENT, "Gateways"),
    ]
}

fn guard_rows() -> Vec<Row> {
    let rule = json!({ "apiGroups": ["cert-manager.io"], "operations": ["UPDATE"], "resources": ["*/*"] });
    let webhook =
        json!({ "metadata": { "name": "cert-manager-webhook" }, "webhooks": [{ "rules": [rule] }] });
    let with_webhook = Snapshot { validating: vec![webhook], ..Snapshot::default() };
    vec![
        (Snapshot::default(), Changes, "Admission", "anybody who may write"),
        (with_webhook, Note, "Admission", "cert-manager-webhook"),
        (Snapshot { unread: vec![("Ingress", "no right".into())], ..guarded() }, Note, "Ingress", "no right"),
    ]
}

#[test]
fn each_thing_is_found_and_weighed() {
    for (snapshot, weight, about, words) in issuer_rows().into_iter().chain(part_rows()).chain(guard_rows()) {
        let found = of(&snapshot);
        assert_eq!(found.len(), 1, "{about}: {found:?}");
        for finding in found {
            assert_eq!((finding.weight, finding.about.as_str()), (weight, about), "{finding:?}");
            assert!(finding.says.contains(words), "{finding:?}");
        }
    }
}

#[test]
fn many_objects_are_one_line() {
    let many: Vec<Value> = (0..1000)
        .map(|index| certificate(&format!("web-{index}"), json!({ "name": "letsencrypt" })))
        .collect();
    let found = of(&Snapshot { issuers: vec![acme("Issuer")], certificates: many, ..guarded() });
    assert_eq!(found.len(), 1);
    assert!(
        found
            .iter()
            .all(|finding| finding.says.contains("1000 Certificates (ns/web-0, ns/web-1, ns/web-2, ...)")),
        "{found:?}"
    );
}
