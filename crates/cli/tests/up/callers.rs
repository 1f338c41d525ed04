//! Callers with a client certificate: let in by the CA that the instance was told of, and by no other.

use base64::Engine as _;
use everleaf_testkit::servers::Http;
use http::Method;
use serde_json::{Value, json};

use crate::host::Host;

/// A CA, a certificate of it for a person, and one that nobody is told of.
const MANIFESTS: &str = "\
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: self}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: people
  annotations: {everleaf.dev/files: '[{certificate: FILES/people.crt}]'}
spec:
  {secretName: people, commonName: people, isCA: true, privateKey: {algorithm: ECDSA}, issuerRef: {name: self}}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: people}
spec: {ca: {secretName: people}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: alice
  annotations: {everleaf.dev/files: '[{directory: FILES/alice}]'}
spec:
  secretName: alice
  commonName: alice
  subject: {organizations: [team-a]}
  usages: [client auth]
  privateKey: {algorithm: ECDSA}
  issuerRef: {name: people}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: mallory
  annotations: {everleaf.dev/files: '[{directory: FILES/mallory}]'}
spec:
  {secretName: mallory, commonName: alice, usages: [client auth], privateKey: {algorithm: ECDSA}, issuerRef: {name: self}}
";

fn client(host: &Host, ca: &str, folder: &str) -> Http {
    let read = |name: &str| std::fs::read_to_string(host.path(&format!("files/{folder}/{name}"))).unwrap();
    Http::trusting_as(ca, &read("tls.crt"), &read("tls.key")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_as_good_as_the_token_when_the_named_ca_signed_it() {
    let mut host = Host::new();
    host.manifest("people.yaml", MANIFESTS);
    host.start().await;
    for name in ["people", "alice", "mallory"] {
        host.await_files(name).await;
    }
    host.stop().await;
    host.flag(format!("--client-ca-file={}", host.path("files/people.crt").display()));
    host.start().await;

    let config = host.kubeconfig();
    let cluster = config.clusters[0].cluster.as_ref().unwrap();
    let ca = cluster.certificate_authority_data.as_ref().unwrap();
    let ca = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(ca).unwrap()).unwrap();
    let review =
        format!("{}/apis/authentication.k8s.io/v1/selfsubjectreviews", cluster.server.as_ref().unwrap());
    let ask = |http: Http| {
        let review = review.clone();
        async move {
            let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
            http.send(Method::POST, &review, &[], Some(&body)).await
        }
    };

    let answer = ask(client(&host, &ca, "alice")).await.unwrap();
    let user: Value = serde_json::from_str(&answer.text()).unwrap();
    let user = &user["status"]["userInfo"];
    assert_eq!(user["username"], "alice", "{}", answer.text());
    assert_eq!(user["groups"], json!(["team-a", "system:authenticated"]));
    assert!(ask(client(&host, &ca, "mallory")).await.is_err(), "another CA's certificate gets no connection");
    assert_eq!(ask(Http::trusting(&ca).unwrap()).await.unwrap().status, 403, "nobody in particular");
    host.client().await.list_core_api_versions().await.unwrap();
    host.stop().await;
}
