//! Sets up the ways into Vault that lean on something else: Kubernetes ServiceAccounts (checked by a TokenReview
//! at a real API server) and TLS client certificates.
//! It never hands out more than the named policy.

use anyhow::{Context, Result};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::Kube;
use super::vault::VaultApi;

const REVIEWER_NAMESPACE: &str = "default";
const REVIEWER: &str = "vault-reviewer";

/// A role of the Kubernetes auth method.
#[derive(Debug, Clone)]
pub struct KubernetesLogin {
    /// Mount path of the auth method.
    pub mount: String,
    /// Name of the role.
    pub role: String,
    /// Namespace of the ServiceAccount that may log in.
    pub namespace: String,
    /// Name of that ServiceAccount.
    pub account: String,
    /// The audience that the token must name; none takes any.
    pub audience: Option<String>,
    /// The policy of the tokens.
    pub policy: String,
}

/// A role of the TLS certificate auth method.
#[derive(Debug, Clone)]
pub struct CertLogin {
    /// Mount path of the auth method.
    pub mount: String,
    /// Name of the role.
    pub role: String,
    /// The CA that client certificates must chain to, PEM.
    pub ca: String,
    /// The policy of the tokens.
    pub policy: String,
}

impl VaultApi {
    /// Points the auth method at `kube`, with a reviewer of its own, and makes the role.
    pub async fn kubernetes_auth(&self, kube: &Kube, login: &KubernetesLogin) -> Result<()> {
        self.enable_auth(&login.mount, "kubernetes").await?;
        let config = json!({
            "kubernetes_host": kube.url(), "kubernetes_ca_cert": kube.ca(),
            "token_reviewer_jwt": reviewer_token(kube).await?, "disable_local_ca_jwt": true,
        });
        self.write(&format!("auth/{}/config", login.mount), config).await?;
        let mut role = json!({
            "bound_service_account_names": [login.account], "bound_service_account_namespaces": [login.namespace],
            "token_policies": [login.policy], "token_ttl": "1h",
        });
        if let (Some(role), Some(audience)) = (role.as_object_mut(), &login.audience) {
            role.insert("audience".to_owned(), json!(audience));
        }
        self.write(&format!("auth/{}/role/{}", login.mount, login.role), role).await?;
        Ok(())
    }

    /// Makes the certificate role; the listener must speak TLS.
    pub async fn cert_auth(&self, login: &CertLogin) -> Result<()> {
        self.enable_auth(&login.mount, "cert").await?;
        let role = json!({ "certificate": login.ca, "token_policies": [login.policy], "token_ttl": "1h" });
        self.write(&format!("auth/{}/certs/{}", login.mount, login.role), role).await?;
        Ok(())
    }
}

/// A ServiceAccount that may review tokens, as Vault's documentation asks for (`system:auth-delegator`).
async fn reviewer_token(kube: &Kube) -> Result<String> {
    kube.service_account(REVIEWER_NAMESPACE, REVIEWER).await?;
    let bindings: Api<ClusterRoleBinding> = Api::all(kube.client()?);
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": REVIEWER},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"},
        "subjects": [{"kind": "ServiceAccount", "name": REVIEWER, "namespace": REVIEWER_NAMESPACE}],
    });
    let parameters = PatchParams::apply("everleaf-testkit").force();
    bindings.patch(REVIEWER, &parameters, &Patch::Apply(&binding)).await.context("bind the reviewer")?;
    kube.service_account_token(REVIEWER_NAMESPACE, REVIEWER, &[]).await
}
