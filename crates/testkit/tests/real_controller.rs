//! The built controller with exactly the rights of `deploy/`, against a real API server and a real Vault: it gets by
//! with them, and an issuance costs what it may cost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use everleaf_testkit::makers::{self, Maker};
use everleaf_testkit::servers::{
    ApiRequest, CONTROLLER_USER, Controller, ControllerOptions, Kube, KubeOptions, PkiOptions, Vault,
    apply_manifests,
};
use k8s_openapi::api::core::v1::{Event, Secret};
use kube::Api;
use kube::api::ListParams;
use kube::runtime::wait::await_condition;
use serde_json::json;

async fn apply(kube: &Kube, namespace: &str, objects: Vec<Maker>) {
    let objects: Vec<_> = objects.into_iter().map(Maker::json).collect();
    apply_manifests(&kube.client().unwrap(), &objects, namespace).await.unwrap();
}

async fn issued(kube: &Kube, controller: &Controller, namespace: &str, name: &str) -> Secret {
    let secrets: Api<Secret> = Api::namespaced(kube.client().unwrap(), namespace);
    let is_there = |secret: Option<&Secret>| {
        secret.and_then(|secret| secret.data.as_ref()).is_some_and(|data| data.contains_key("tls.crt"))
    };
    let secret_name = format!("{name}-tls");
    let waiting = await_condition(secrets, &secret_name, is_there);
    match tokio::time::timeout(Duration::from_secs(60), waiting).await {
        Ok(secret) => secret.unwrap().unwrap(),
        Err(_) => panic!("no certificate {name}\n{}", controller.log().unwrap()),
    }
}

/// Events are written beside the work, and the status after the Secret: waits until both are there.
async fn told(kube: &Kube, namespace: &str, name: &str) {
    let events: Api<Event> = Api::namespaced(kube.client().unwrap(), namespace);
    let about =
        ListParams::default().fields(&format!("involvedObject.name={name},involvedObject.kind=Certificate"));
    for _ in 0..600 {
        if !events.list(&about).await.unwrap().items.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing is told of {name}");
}

fn own_requests(kube: &Kube, mark: everleaf_testkit::servers::Mark) -> Vec<ApiRequest> {
    let seen = kube.audit().since(mark).unwrap();
    seen.into_iter().filter(|r| r.user == CONTROLLER_USER && r.resource != "leases").collect()
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn an_install_for_the_cluster_issues_with_its_rights_and_five_writes() {
    let options = KubeOptions { crds: true, rights: true, controller_manager: false };
    let (kube, vault) = tokio::try_join!(Kube::start_with(options), Vault::start_dev()).unwrap();
    let pki = vault.pki("pki", &PkiOptions::default()).await.unwrap();
    let controller = Controller::start(&kube, &ControllerOptions::default()).await.unwrap();
    let start = kube.audit().here().unwrap();
    let namespace = kube.namespace().await.unwrap();
    let ca = makers::certificate("ca").from_issuer("self-signed").with("/spec/isCA", json!(true));
    apply(
        &kube,
        &namespace,
        vec![
            makers::self_signed_issuer("self-signed"),
            ca.with("/spec/commonName", json!("Test CA")),
            makers::ca_issuer("ca", "ca-tls"),
            makers::approle_secret("vault", &pki.approle.secret_id),
            makers::vault_issuer("vault", vault.url(), &pki.sign_path, &pki.approle.role_id),
            makers::approle_secret("cluster", &pki.approle.secret_id).in_namespace("kube-system"),
            makers::vault_issuer("cluster", vault.url(), &pki.sign_path, &pki.approle.role_id).cluster_wide(),
        ],
    )
    .await;
    issued(&kube, &controller, &namespace, "ca").await;
    told(&kube, &namespace, "ca").await;
    apply(&kube, &namespace, vec![makers::certificate("warm").from_issuer("vault")]).await;
    issued(&kube, &controller, &namespace, "warm").await;
    told(&kube, &namespace, "warm").await;

    let mark = kube.audit().here().unwrap();
    apply(&kube, &namespace, vec![makers::certificate("web").from_issuer("vault")]).await;
    issued(&kube, &controller, &namespace, "web").await;
    told(&kube, &namespace, "web").await;
    let expected: Vec<(String, usize)> = [
        "create certificaterequests",
        "create events",
        "patch secrets",
        "update certificaterequests/status",
        "update certificates/status",
    ]
    .map(|what| (what.to_owned(), 1))
    .to_vec();
    let writes = own_requests(&kube, mark);
    let tally = ApiRequest::tally(writes.iter().filter(|request| request.writes()));
    assert_eq!(tally.into_iter().collect::<Vec<_>>(), expected);

    let more = [("by-ca", "ca", false), ("by-cluster", "cluster", true)];
    for (name, issuer, cluster_wide) in more {
        let certificate = makers::certificate(name);
        let certificate = if cluster_wide {
            certificate.from_cluster_issuer(issuer)
        } else {
            certificate.from_issuer(issuer)
        };
        apply(&kube, &namespace, vec![certificate]).await;
        issued(&kube, &controller, &namespace, name).await;
        told(&kube, &namespace, name).await;
    }
    let refused: Vec<_> =
        own_requests(&kube, start).into_iter().filter(|r| matches!(r.status, 401 | 403)).collect();
    assert_eq!(refused, [], "a right is missing");
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn an_install_for_one_namespace_never_looks_beyond_it() {
    let kube = Kube::start_with(KubeOptions { crds: true, ..KubeOptions::default() }).await.unwrap();
    kube.grant_namespaced_rights().await.unwrap();
    let start = kube.audit().here().unwrap();
    let own = "everleaf";
    let flags = ["--namespace", "--cluster-resource-namespace", "--leader-election-namespace"];
    let flags = flags.map(|flag| format!("{flag}={own}")).to_vec();
    let options = ControllerOptions { flags, ..ControllerOptions::default() };
    let mut controller = Controller::start(&kube, &options).await.unwrap();
    let certificate = makers::certificate("web").from_issuer("self-signed");
    apply(&kube, own, vec![makers::self_signed_issuer("self-signed"), certificate]).await;
    issued(&kube, &controller, own, "web").await;
    told(&kube, own, "web").await;
    controller.stop().await.unwrap();

    let seen = kube.audit().since(start).unwrap();
    let requests: Vec<_> = seen.into_iter().filter(|request| request.user == CONTROLLER_USER).collect();
    let beyond: Vec<_> =
        requests.iter().filter(|r| r.namespace != own && r.resource != "selfsubjectaccessreviews").collect();
    assert_eq!(beyond, Vec::<&ApiRequest>::new());
    let refused: Vec<_> = requests.iter().filter(|r| matches!(r.status, 401 | 403)).collect();
    assert_eq!(refused, Vec::<&ApiRequest>::new(), "a right is missing");
}
