//! The webhook against a real API server: it makes its CA and has it trusted with the rights that are shipped, its reviews are heard,
//! and two replicas stay in agreement while their Secret is spoilt and deleted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod admission;

use std::path::Path;

use admission::people::{may_approve, may_write_requests, tries_to_create, tries_to_say};
use admission::{api, of, request, until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use everleaf_api::{CertificateSpec, wanted};
use everleaf_core::x509::{Csr, Curve, KeyKind};
use everleaf_testkit::makers;
use everleaf_testkit::servers::{Kube, KubeOptions, Server, apply_manifests};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

const SECRET: &str = "everleaf-webhook-ca";
const NAME: &str = "everleaf-webhook";

/// The user that the webhook speaks as: it has the rights of `deploy/webhook` and no others.
const USER: &str = "carol";

struct Ground {
    kube: Kube,
    replicas: Vec<Server>,
}

impl Ground {
    async fn start() -> Ground {
        let options = KubeOptions { crds: true, rights: true, controller_manager: false };
        let kube = Kube::start_with(options).await.unwrap();
        kube.apply_project_file("deploy/webhook/rbac.yaml", "everleaf").await.unwrap();
        bind_rights(&kube).await;
        let replicas = vec![replica(&kube, "one"), replica(&kube, "two")];
        let mut ground = Ground { kube, replicas };
        let ports = ground.ports().await;
        configure(&ground.kube, &ports).await;
        ground
    }

    /// Where the replicas serve, from what they say.
    async fn ports(&mut self) -> Vec<u16> {
        let mut ports = Vec::new();
        for replica in &mut self.replicas {
            let said = |replica: &Server| std::fs::read_to_string(replica.log()).unwrap_or_default();
            until("a replica serves", async || said(replica).contains("address=127.0.0.1:")).await;
            let said = said(replica);
            let port = said.split("address=127.0.0.1:").nth(1).unwrap();
            ports.push(port.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap());
        }
        ports
    }

    async fn ca(&self) -> Option<String> {
        let secrets: Api<Secret> = Api::namespaced(self.kube.client().unwrap(), "everleaf");
        let data = secrets.get_opt(SECRET).await.unwrap()?.data?;
        String::from_utf8(data.get("ca.crt")?.0.clone()).ok()
    }

    /// What both configurations trust, if they trust the same.
    async fn trusted(&self) -> Option<String> {
        let client = self.kube.client().unwrap();
        let validating: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
        let mutating: Api<MutatingWebhookConfiguration> = Api::all(client);
        let one = validating.get(NAME).await.unwrap().webhooks.unwrap()[0].client_config.ca_bundle.clone()?;
        let two = mutating.get(NAME).await.unwrap().webhooks.unwrap()[0].client_config.ca_bundle.clone()?;
        (one == two).then(|| String::from_utf8(one.0).unwrap())
    }

    async fn agree_on_another_ca_than(&self, before: &str) -> String {
        until("Secret and configurations hold a new CA", async || {
            let ca = self.ca().await;
            ca.as_deref().is_some_and(|ca| ca != before) && ca == self.trusted().await
        })
        .await;
        self.ca().await.unwrap()
    }

    /// What the webhook alone refuses, it refuses; nothing is said but its own words.
    async fn is_heard(&self) -> bool {
        let bad = makers::certificate("bad").with("/spec/dnsNames", json!(["ü.example"])).json();
        let said = tries_to_create(&self.kube.client().unwrap(), "default", &bad).await.unwrap_or_default();
        said.contains("denied the request: spec.dnsNames[0]: Invalid value")
    }
}

/// The shipped rights, for the user of the test.
async fn bind_rights(kube: &Kube) {
    let subjects = json!([{ "kind": "User", "name": USER, "apiGroup": "rbac.authorization.k8s.io" }]);
    let binding = |kind: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": format!("{kind}Binding"),
            "metadata": { "name": "webhook-of-the-test" }, "subjects": subjects,
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": NAME },
        })
    };
    let bindings = [binding("Role"), binding("ClusterRole")];
    apply_manifests(&kube.client().unwrap(), &bindings, "everleaf").await.unwrap();
}

fn replica(kube: &Kube, name: &str) -> Server {
    let kubeconfig = format!("--kubeconfig={}", kube.kubeconfig_as(USER).unwrap().display());
    let arguments =
        ["webhook", "--listen-address=127.0.0.1:0", "--dynamic-serving-dns-names=localhost", &kubeconfig];
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let program = Path::new(env!("CARGO_BIN_EXE_everleaf"));
    Server::start(&format!("webhook-{name}"), program, &arguments, &[], kube.folder()).unwrap()
}

/// The shipped configurations; the Service in them becomes the place where the replicas really are, one replica each.
async fn configure(kube: &Kube, ports: &[u16]) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/webhook/configuration.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    for (object, port) in objects.iter_mut().zip(ports) {
        let config = &mut object["webhooks"][0]["clientConfig"];
        let path = config["service"]["path"].as_str().unwrap();
        *config = json!({ "url": format!("https://localhost:{port}{path}") });
    }
    apply_manifests(&kube.client().unwrap(), &objects, "default").await.unwrap();
}

async fn csr() -> String {
    let key = everleaf_issuers::keys::make(KeyKind::Ecdsa(Curve::P256)).await.unwrap();
    let spec = json!({ "secretName": "a", "issuerRef": { "name": "i" }, "dnsNames": ["web.example"] });
    let spec: CertificateSpec = serde_json::from_value(spec).unwrap();
    STANDARD.encode(Csr::build(&wanted(&spec).unwrap(), &key).unwrap().to_pem())
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn reviews_are_heard_and_replicas_agree_whatever_happens_to_their_secret() {
    let ground = Ground::start().await;
    let first = ground.agree_on_another_ca_than("").await;
    until("the webhook is heard", async || ground.is_heard().await).await;
    requests_are_reviewed(&ground).await;

    let secrets: Api<Secret> = Api::namespaced(ground.kube.client().unwrap(), "everleaf");
    let spoilt = Patch::Merge(json!({ "data": { "tls.crt": STANDARD.encode("no PEM") } }));
    secrets.patch(SECRET, &PatchParams::default(), &spoilt).await.unwrap();
    let second = ground.agree_on_another_ca_than(&first).await;
    assert!(second.contains(first.trim()), "what connections are still shown stays trusted");
    assert!(ground.is_heard().await);

    secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    ground.agree_on_another_ca_than(&second).await;
    assert!(ground.is_heard().await);
}

async fn requests_are_reviewed(ground: &Ground) {
    let kube = &ground.kube;
    let namespace = kube.namespace().await.unwrap();
    for user in ["alice", "bob"] {
        may_write_requests(kube, &namespace, user).await;
    }
    may_approve(kube, &namespace, "alice", &[&format!("issuers.cert-manager.io/{namespace}.issuer")]).await;
    let (alice, bob) = (kube.client_as("alice").unwrap(), kube.client_as("bob").unwrap());
    let csr = csr().await;

    let forged = request("ours", &csr).with("/spec/username", json!("system:admin")).json();
    let (requests, object) = of(&alice, &forged, &namespace);
    requests.create(&PostParams::default(), &object).await.unwrap();
    let stored = api(&kube.client().unwrap(), "CertificateRequest", &namespace).get("ours").await.unwrap();
    assert_eq!(stored.data["spec"]["username"], "alice");
    assert!(stored.data["spec"]["groups"].as_array().unwrap().contains(&json!("system:authenticated")));
    let foreign = json!({ "name": "any", "kind": "Foo", "group": "foos.example" });
    let (requests, object) =
        of(&alice, &request("foreign", &csr).with("/spec/issuerRef", foreign).json(), &namespace);
    requests.create(&PostParams::default(), &object).await.unwrap();

    let refused = tries_to_create(&alice, &namespace, &request("bad", "bm90aGluZw==").json()).await.unwrap();
    assert!(refused.contains("failed to decode csr"), "{refused}");
    let refused = tries_to_say(&bob, &namespace, "ours", &["Approved"]).await.unwrap();
    assert!(refused.contains("does not have permissions to set approved/denied"), "{refused}");
    let refused = tries_to_say(&alice, &namespace, "foreign", &["Denied"]).await.unwrap();
    assert!(refused.contains("referenced signer resource does not exist"), "{refused}");
    assert_eq!(tries_to_say(&alice, &namespace, "ours", &["Approved"]).await, None);
    assert_eq!(tries_to_say(&bob, &namespace, "ours", &["Ready"]).await, None);
}
