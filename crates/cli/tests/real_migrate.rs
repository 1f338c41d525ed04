//! `everleaf migrate check` on a real API server, and the controller's warning where nobody asks who may approve.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod admission;

use std::process::Output;

use admission::until;
use everleaf_testkit::makers;
use everleaf_testkit::servers::{Controller, ControllerOptions, Kube, KubeOptions, apply_manifests};
use serde_json::{Value, json};

/// Runs the check as a user with all rights.
async fn check(kube: &Kube, user: &str, more: &[&str]) -> Output {
    let kubeconfig = kube.kubeconfig_as(user).unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_everleaf"));
    command.args(["migrate", "check", "--kubeconfig"]).arg(kubeconfig).args(more).env("NO_COLOR", "1");
    command.output().await.unwrap()
}

async fn findings(kube: &Kube) -> (Option<i32>, Value) {
    let output = check(kube, "admin", &["-o", "json"]).await;
    let told = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        told.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr))),
    )
}

fn about(told: &Value, weight: &str) -> Vec<String> {
    let rows = told["findings"].as_array().unwrap().iter();
    rows.filter(|row| row["weight"] == weight).map(|row| row["about"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn what_would_change_is_told_and_an_api_without_a_guard_is_warned_about() {
    let options = KubeOptions { crds: true, rights: true, controller_manager: false };
    let kube = Kube::start_with(options).await.unwrap();
    let client = kube.client().unwrap();

    let (code, told) = findings(&kube).await;
    assert_eq!((code, about(&told, "changes")), (Some(0), vec!["Admission".to_owned()]), "{told}");
    let controller = Controller::start(&kube, &ControllerOptions::default()).await.unwrap();
    until("the controller warns", async || controller.log().unwrap().contains("can approve requests")).await;
    drop(controller);

    for policy in ["approval", "identity", "immutable"] {
        kube.apply_project_file(&format!("deploy/policy/{policy}.yaml"), "default").await.unwrap();
    }
    let (code, told) = findings(&kube).await;
    assert_eq!((code, &told["findings"]), (Some(0), &json!([])), "{told}");

    let acme = json!({ "acme": { "server": "https://a.example", "privateKeySecretRef": { "name": "k" } } });
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": "shop", "annotations": { "cert-manager.io/issuer": "ca" } },
        "spec": { "defaultBackend": { "service": { "name": "shop", "port": { "number": 80 } } } },
    });
    let objects = [
        makers::self_signed_issuer("letsencrypt").with("/spec", acme).cluster_wide().json(),
        makers::certificate("web").from_cluster_issuer("letsencrypt").json(),
        makers::certificate("odd").with("/spec/dnsNames", json!(["ü.example"])).json(),
        ingress,
    ];
    apply_manifests(&client, &objects, "default").await.unwrap();
    let (code, told) = findings(&kube).await;
    assert_eq!(code, Some(3), "{told}");
    assert_eq!(about(&told, "not-supported"), ["ClusterIssuer letsencrypt", "Ingress"], "{told}");
    assert_eq!(about(&told, "changes"), ["Certificate default/odd"], "{told}");
    assert_eq!(told["supported"], false);

    let text = check(&kube, "admin", &[]).await;
    let shown = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(shown.starts_with("In use and not supported\n  ClusterIssuer letsencrypt: ACME"), "{shown}");
    assert!(shown.ends_with("Not everything that is in use is supported.\n"), "{shown}");

    let output = check(&kube, "bob", &[]).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("cannot list"), "{error}");
}

/// A kustomization must name each file, and a real API server must take it.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_manifests_for_admission_are_taken_as_they_are_shipped() {
    let options = KubeOptions { crds: false, rights: true, controller_manager: false };
    let kube = Kube::start_with(options).await.unwrap();
    for (folder, kinds) in [
        (
            "policy",
            &["policy.admissionregistration.k8s.io", "policybinding.admissionregistration.k8s.io"][..],
        ),
        (
            "webhook",
            &[
                "deployment.apps",
                "service/",
                "role.rbac",
                "clusterrole.rbac",
                "serviceaccount/",
                "configuration",
            ],
        ),
    ] {
        let path = format!("{}/../../deploy/{folder}", env!("CARGO_MANIFEST_DIR"));
        let said = kube.kubectl(&["apply", "--server-side", "--dry-run=server", "-k", &path]).await.unwrap();
        for kind in kinds {
            assert!(said.contains(kind), "{kind}: {said}");
        }
        for file in std::fs::read_dir(&path).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let named = std::fs::read_to_string(format!("{path}/kustomization.yaml")).unwrap();
            assert!(name == "kustomization.yaml" || named.contains(&name), "{folder}/{name} is forgotten");
        }
    }
}
