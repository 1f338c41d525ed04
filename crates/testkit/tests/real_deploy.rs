//! The manifests in `deploy/` against a real API server: it takes them, and they grant what the controller needs and
//! no more. What the controller really asks for is seen where it runs with exactly these rights.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use everleaf_testkit::servers::{CONTROLLER_USER, Kube, await_established};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

const OWN: &str = "everleaf";
const OTHER: &str = "somewhere-else";

/// One question: verb, group, resource with subresource, name, namespace, and the answer in the two installs.
struct Row(&'static str, &'static str, &'static str, &'static str, &'static str, bool, bool);

const ROWS: [Row; 22] = [
    Row("watch", "cert-manager.io", "certificates", "", OWN, true, true),
    Row("watch", "cert-manager.io", "certificates", "", OTHER, true, false),
    Row("watch", "cert-manager.io", "certificates", "", "", true, false),
    Row("watch", "cert-manager.io", "clusterissuers", "", "", true, false),
    Row("create", "cert-manager.io", "certificaterequests", "", OWN, true, true),
    Row("delete", "cert-manager.io", "certificaterequests", "", OWN, true, true),
    Row("update", "cert-manager.io", "certificaterequests/status", "", OWN, true, true),
    Row("update", "cert-manager.io", "certificates/status", "", OTHER, true, false),
    Row("update", "cert-manager.io", "certificates", "", OWN, false, false),
    Row("update", "cert-manager.io", "issuers", "", OWN, false, false),
    Row("approve", "cert-manager.io", "signers", "issuers.cert-manager.io/*", "", true, true),
    Row("approve", "cert-manager.io", "signers", "clusterissuers.cert-manager.io/*", "", true, false),
    Row("patch", "", "secrets", "", OWN, true, true),
    Row("get", "", "secrets", "", OTHER, true, false),
    Row("list", "", "secrets", "", "", true, false),
    Row("update", "", "secrets", "", OWN, false, false),
    Row("create", "", "events", "", OWN, true, true),
    Row("create", "", "serviceaccounts/token", "", OWN, false, false),
    Row("get", "", "pods", "", OWN, false, false),
    Row("update", "coordination.k8s.io", "leases", "cert-manager-controller", "kube-system", true, false),
    Row("update", "coordination.k8s.io", "leases", "kube-scheduler", "kube-system", false, false),
    Row("update", "coordination.k8s.io", "leases", "cert-manager-controller", OWN, false, true),
];

async fn is_allowed(kube: &Kube, row: &Row) -> bool {
    let Row(verb, group, resource, name, namespace, ..) = row;
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review: SubjectAccessReview = serde_json::from_value(json!({
        "metadata": {},
        "spec": {"user": CONTROLLER_USER, "resourceAttributes": {
            "verb": verb, "group": group, "resource": resource, "subresource": subresource, "name": name,
            "namespace": namespace,
        }},
    }))
    .unwrap();
    let reviews: Api<SubjectAccessReview> = Api::all(kube.client().unwrap());
    reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed
}

/// A kustomization must name each file: one that is forgotten is found here.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn an_install_for_the_cluster_brings_every_definition() {
    let kube = Kube::start().await.unwrap();
    kube.kubectl(&["apply", "--server-side", "-k", &deploy("")]).await.unwrap();
    await_established(&kube.client().unwrap()).await.unwrap();
    let served = kube.kubectl(&["get", "crds", "-o", "jsonpath={.items[*].metadata.name}"]).await.unwrap();
    let files = std::fs::read_dir(deploy("crds")).unwrap().count();
    assert_eq!(served.split_whitespace().count(), files, "{served}");
    let dry_run = ["apply", "--dry-run=server", "-f", &deploy("../examples/vault-cluster")];
    kube.kubectl(&dry_run).await.unwrap();
}

fn deploy(path: &str) -> String {
    format!("{}/../../deploy/{path}", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn an_install_for_the_cluster_grants_what_is_needed_and_no_more() {
    let kube = Kube::start().await.unwrap();
    kube.kubectl(&["apply", "--server-side", "-k", &deploy("")]).await.unwrap();
    for row in &ROWS {
        assert_eq!(is_allowed(&kube, row).await, row.5, "{} {} {} in {:?}", row.0, row.2, row.3, row.4);
    }
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn an_install_for_one_namespace_has_no_rights_on_secrets_elsewhere() {
    let kube = Kube::start().await.unwrap();
    kube.kubectl(&["apply", "--server-side", "-k", &deploy("namespaced")]).await.unwrap();
    for row in &ROWS {
        assert_eq!(is_allowed(&kube, row).await, row.6, "{} {} {} in {:?}", row.0, row.2, row.3, row.4);
    }
    let arguments = ["get", "deployment", "everleaf", "-n", OWN, "-o", "jsonpath={..args}"];
    let flags = kube.kubectl(&arguments).await.unwrap();
    assert!(flags.contains("--namespace=$(POD_NAMESPACE)"), "{flags}");
}
