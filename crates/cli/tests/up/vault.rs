//! Ways into a Vault from a host: AppRole, TLS certificate and JWT, each with its secret from a file. The Vault is a practice Vault on loopback.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use everleaf_core::x509::{Curve, KeyKind, PrivateKey, SignatureKind};
use everleaf_practice::{CaKeyKind, RequestNames, RunOptions, Running, Scene, Scheme, Workshop, start};
use serde_json::json;

use crate::files::pair;
use crate::host::{Host, until};

async fn vault() -> Running {
    let listen = "127.0.0.1:0".parse().unwrap();
    start(RunOptions { listen, scheme: Scheme::Https, ..RunOptions::default() }).await.unwrap()
}

/// Manifests for a Vault issuer with these lines under `auth`, and one Certificate from it.
fn manifests(host: &Host, vault: &Running, secret: &str, auth: &str) {
    let scene = Scene::default();
    host.write("vault-ca.pem", vault.ca_pem.as_deref().unwrap());
    host.manifest("secret.yaml", secret);
    let issuer = format!(
        "
apiVersion: v1
kind: Secret
metadata:
  name: vault-ca
  annotations: {{everleaf.dev/from-file: ca.crt={ca}}}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {{name: vault}}
spec:
  vault:
    server: {url}
    path: {pki}/sign/{role}
    caBundleSecretRef: {{name: vault-ca}}
    auth:
{auth}
",
        ca = host.path("vault-ca.pem").display(),
        url = vault.url,
        pki = scene.pki,
        role = scene.role,
    );
    host.manifest("issuer.yaml", &issuer);
    host.manifest(
        "web.yaml",
        "
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: web
  annotations:
    everleaf.dev/files: '[{directory: FILES/web}]'
spec:
  secretName: web
  dnsNames: [www.example.com]
  privateKey: {algorithm: ECDSA}
  issuerRef: {name: vault}
",
    );
}

/// Manifests for a login by AppRole, its secret id in the file `secret-id`. Relative paths begin at the manifest.
fn app_role(host: &Host, vault: &Running) {
    let auth = format!(
        "      appRole: {{path: {}, roleId: {}, secretRef: {{name: approle, key: secret-id}}}}",
        Scene::default().auth,
        vault.furnished.as_ref().unwrap().role_id
    );
    let secret = "
apiVersion: v1
kind: Secret
metadata:
  name: approle
  annotations:
    everleaf.dev/from-file: secret-id=../secret-id
";
    manifests(host, vault, secret, &auth);
}

async fn is_served(host: &Host, vault: &Running) {
    host.await_files("web").await;
    let web = pair(&host.path("files/web"));
    assert_eq!(web.leaf.sans().dns, ["www.example.com"]);
    assert_eq!(vault.practice.signed().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_role_logs_in_with_a_secret_id_from_a_file_and_takes_over_a_new_one() {
    let (mut host, vault) = (Host::new(), vault().await);
    let credentials = vault.furnished.clone().unwrap();
    app_role(&host, &vault);
    host.start().await;
    // Neither the file nor, later, the right value is there; both are told, and neither ends anything.
    until("the missing file is told", || host.log().contains("secret-id: No such file or directory")).await;
    host.write("secret-id", "wrong");
    let told = host.await_condition("web", "Issuing", "True", "").await;
    assert!(!told.is_empty());
    until("the wrong secret id is refused", || {
        vault.practice.audit().records().any(|record| record.path.ends_with("/login"))
    })
    .await;
    host.write("secret-id", &credentials.secret_id);
    is_served(&host, &vault).await;
    assert!(!host.log().contains(credentials.secret_id.as_str()), "a secret id is never logged");
    host.stop().await;
}

/// What is set for Vault's own program on this host is nothing to an issuer, which says all by itself.
#[tokio::test(flavor = "multi_thread")]
async fn vaults_own_variables_in_the_environment_change_nothing() {
    let (mut host, vault) = (Host::new(), vault().await);
    let credentials = vault.furnished.clone().unwrap();
    for (name, value) in [
        ("VAULT_ADDR", "https://127.0.0.1:9"),
        ("VAULT_AGENT_ADDR", "https://127.0.0.1:9"),
        ("VAULT_CACERT", "/no/such/file"),
        ("VAULT_CLIENT_TIMEOUT", "0"),
        ("VAULT_HTTP_PROXY", "http://127.0.0.1:9"),
        ("VAULT_NAMESPACE", "elsewhere"),
        ("VAULT_PROXY_ADDR", "http://127.0.0.1:9"),
        ("VAULT_RATE_LIMIT", "0.001"),
        ("VAULT_TLS_SERVER_NAME", "elsewhere.example"),
        ("VAULT_TOKEN", "wrong"),
    ] {
        host.set(name, value);
    }
    host.write("secret-id", &credentials.secret_id);
    app_role(&host, &vault);
    host.start().await;
    is_served(&host, &vault).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_certificate_from_files_logs_in() {
    let (mut host, vault) = (Host::new(), vault().await);
    let life = Duration::from_secs(3600);
    let mut workshop = Workshop::new(7, "hosts", CaKeyKind::P256, vault.practice.now(), life).unwrap();
    let names = RequestNames::host("host-1.example.com");
    let client = workshop.leaf(&names, vault.practice.now(), life).unwrap();
    host.write("client.crt", &client.certificate_pem);
    host.write("client.key", &client.key_pem);
    let practice = &vault.practice;
    practice.write("sys/auth/cert", json!({ "type": "cert" })).unwrap();
    let role =
        json!({ "certificate": workshop.ca().certificate_pem, "token_policies": [Scene::default().policy] });
    practice.write("auth/cert/certs/hosts", role).unwrap();
    let secret = "
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata:
  name: client
  annotations:
    everleaf.dev/from-file: |
      tls.crt=../client.crt
      tls.key=../client.key
";
    manifests(&host, &vault, secret, "      clientCertificate: {secretName: client, name: hosts}");
    host.start().await;
    is_served(&host, &vault).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jwt_from_a_file_logs_in() {
    let (mut host, vault) = (Host::new(), vault().await);
    let key = everleaf_issuers::keys::make(KeyKind::Ed25519).await.unwrap();
    let practice = &vault.practice;
    practice.write("sys/auth/jwt", json!({ "type": "jwt" })).unwrap();
    practice.write("auth/jwt/config", json!({ "jwt_validation_pubkeys": [public_pem(&key)] })).unwrap();
    let role = json!({
        "role_type": "jwt", "bound_audiences": ["vault"], "user_claim": "sub", "token_policies": [Scene::default().policy],
    });
    practice.write("auth/jwt/role/hosts", role).unwrap();
    host.write("token.jwt", &jwt(&key, practice.now().as_second()));
    let secret = "
apiVersion: v1
kind: Secret
metadata:
  name: host-jwt
  annotations:
    everleaf.dev/from-file: token=../token.jwt
";
    let auth = "      kubernetes: {mountPath: /v1/auth/jwt, role: hosts, secretRef: {name: host-jwt}}";
    manifests(&host, &vault, secret, auth);
    host.start().await;
    is_served(&host, &vault).await;
    host.stop().await;
}

fn jwt(key: &PrivateKey, now: i64) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({ "alg": "EdDSA", "typ": "JWT" }));
    let claims = part(json!({ "sub": "host-1", "aud": "vault", "iat": now, "nbf": now, "exp": now + 3600 }));
    let signature =
        key.sign(SignatureKind::default_for(KeyKind::Ed25519), format!("{head}.{claims}").as_bytes());
    format!("{head}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature.unwrap()))
}

fn public_pem(key: &PrivateKey) -> String {
    let body = base64::engine::general_purpose::STANDARD.encode(key.public().spki_der());
    assert_ne!(key.kind(), KeyKind::Ecdsa(Curve::P256));
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_from_the_environment_logs_in_and_reaches_no_command() {
    let (mut host, vault) = (Host::new(), vault().await);
    let token = vault.furnished.clone().unwrap().token;
    let secret = "
apiVersion: v1
kind: Secret
metadata:
  name: vault-token
  annotations:
    everleaf.dev/from-env: token=TOKEN_FOR_VAULT
";
    manifests(&host, &vault, secret, "      tokenSecretRef: {name: vault-token, key: token}");
    let text = std::fs::read_to_string(host.path("manifests/web.yaml")).unwrap();
    host.write("manifests/web.yaml", &text.replace("/web}]", "/web, command: [reload]}]"));
    host.stand_in("reload", "env > \"$0.env\"");
    host.set("TOKEN_FOR_VAULT", token.as_str());
    host.start().await;
    is_served(&host, &vault).await;
    host.stop().await;
    let seen = std::fs::read_to_string(host.path("bin/reload.env")).unwrap();
    assert!(seen.contains("EVERLEAF_CERTIFICATE=web") && !seen.contains("TOKEN"), "{seen}");
    assert!(!host.log().contains(token.as_str()), "a token is never logged");
}
