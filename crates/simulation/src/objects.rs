//! The objects of a scenario as JSON, and their paths in the API. Durations are written in whole seconds, which the ledger reads back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::scenario::{AuthPlan, CertificatePlan, IssuerKind, IssuerPlan, NAMESPACES, VaultPlan};
use crate::vaults;

/// Where the Secrets of ClusterIssuers and the Lease live.
pub const HOME: &str = "everleaf";
/// The name of the Lease, that of the peer.
pub const LEASE: &str = "cert-manager-controller";
/// The key of the secret_id in its Secret.
const SECRET_ID: &str = "secretId";

/// All namespaces.
pub fn namespaces() -> impl Iterator<Item = &'static str> {
    NAMESPACES.into_iter().chain([HOME])
}

/// A namespace.
pub fn namespace(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })
}

/// A Certificate.
pub fn certificate(plan: &CertificatePlan, issuer: &IssuerPlan) -> Value {
    let rotation = if plan.rotates_key { "Always" } else { "Never" };
    let mut spec = json!({
        "secretName": secret_name(plan),
        "dnsNames": [format!("{}.example", plan.name)],
        "duration": seconds(plan.life),
        "privateKey": { "algorithm": "Ed25519", "rotationPolicy": rotation },
        "issuerRef": issuer_reference(issuer),
        "revisionHistoryLimit": plan.history,
    });
    if let (Some(before), Some(spec)) = (plan.renew_before, spec.as_object_mut()) {
        spec.insert("renewBefore".to_owned(), seconds(before).into());
    }
    json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": { "name": plan.name, "namespace": plan.namespace }, "spec": spec,
    })
}

/// How certificates name an issuer.
pub fn issuer_reference(issuer: &IssuerPlan) -> Value {
    json!({ "name": issuer.name, "kind": kind(issuer), "group": "cert-manager.io" })
}

fn kind(issuer: &IssuerPlan) -> &'static str {
    if issuer.namespace.is_some() { "Issuer" } else { "ClusterIssuer" }
}

fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs())
}

/// The Secret of a Certificate.
pub fn secret_name(plan: &CertificatePlan) -> String {
    format!("{}-tls", plan.name)
}

/// An issuer.
pub fn issuer(index: usize, plan: &IssuerPlan, role_id: &str) -> Value {
    let spec = match plan.kind {
        IssuerKind::Ca => json!({ "ca": { "secretName": credentials_name(plan) } }),
        IssuerKind::SelfSigned => json!({ "selfSigned": {} }),
        IssuerKind::Vault(vault) => json!({ "vault": vault_spec(index, plan, vault, role_id) }),
    };
    json!({
        "apiVersion": "cert-manager.io/v1", "kind": kind(plan),
        "metadata": { "name": plan.name, "namespace": plan.namespace }, "spec": spec,
    })
}

fn vault_spec(index: usize, plan: &IssuerPlan, vault: VaultPlan, role_id: &str) -> Value {
    let auth = match vault.auth {
        AuthPlan::AppRole => json!({ "appRole": {
            "path": "approle", "roleId": role_id, "secretRef": { "name": credentials_name(plan), "key": SECRET_ID },
        } }),
        AuthPlan::Kubernetes => json!({ "kubernetes": {
            "role": "everleaf", "mountPath": "/v1/auth/kubernetes", "serviceAccountRef": { "name": "issuer" },
        } }),
    };
    json!({ "server": format!("http://{}", vaults::authority(index)), "path": sign_path("web"), "auth": auth })
}

/// The path at which a role signs.
pub fn sign_path(role: &str) -> String {
    format!("pki/sign/{role}")
}

/// The Secret an issuer reads.
pub fn credentials_name(issuer: &IssuerPlan) -> String {
    format!("{}-credentials", issuer.name)
}

/// The namespace that an issuer's Secret is in.
pub fn credentials_namespace(issuer: &IssuerPlan) -> &str {
    issuer.namespace.as_deref().unwrap_or(HOME)
}

/// The Secret with a secret_id.
pub fn approle_secret(issuer: &IssuerPlan, secret_id: &str) -> Value {
    secret(issuer, json!({ SECRET_ID: secret_id }))
}

/// The Secret with a CA.
pub fn ca_secret(issuer: &IssuerPlan, certificate: &str, key: &str) -> Value {
    secret(issuer, json!({ "tls.crt": certificate, "tls.key": key }))
}

#[allow(clippy::needless_pass_by_value)]
fn secret(issuer: &IssuerPlan, data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "stringData": data,
        "metadata": { "name": credentials_name(issuer), "namespace": credentials_namespace(issuer) },
    })
}

const GROUP: &str = "/apis/cert-manager.io/v1";

/// The path of a collection of Certificates.
pub fn certificates_path(namespace: &str) -> String {
    format!("{GROUP}/namespaces/{namespace}/certificates")
}

/// The path of a Certificate.
pub fn certificate_path(plan: &CertificatePlan) -> String {
    format!("{}/{}", certificates_path(&plan.namespace), plan.name)
}

/// The path of a collection of CertificateRequests.
pub fn requests_path(namespace: &str) -> String {
    format!("{GROUP}/namespaces/{namespace}/certificaterequests")
}

/// The path of a collection of issuers of this kind.
pub fn issuers_path(issuer: &IssuerPlan) -> String {
    match &issuer.namespace {
        Some(namespace) => format!("{GROUP}/namespaces/{namespace}/issuers"),
        None => format!("{GROUP}/clusterissuers"),
    }
}

/// The path of an issuer.
pub fn issuer_path(issuer: &IssuerPlan) -> String {
    format!("{}/{}", issuers_path(issuer), issuer.name)
}

/// The path of a collection of Secrets.
pub fn secrets_path(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets")
}

/// The path of the Secret of a Certificate.
pub fn secret_path(plan: &CertificatePlan) -> String {
    format!("{}/{}", secrets_path(&plan.namespace), secret_name(plan))
}

/// The path of the Secret of an issuer.
pub fn credentials_path(issuer: &IssuerPlan) -> String {
    format!("{}/{}", secrets_path(credentials_namespace(issuer)), credentials_name(issuer))
}

/// The path of the Lease.
pub fn lease_path() -> String {
    format!("/apis/coordination.k8s.io/v1/namespaces/{HOME}/leases/{LEASE}")
}
