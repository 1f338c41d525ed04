//! `spec.vault`: where a Vault or OpenBao is, and how to log in (vault-issuer 1.1 and 1.2).
//! Held as written. Several ways to log in are admitted, because old manifests have them, and refused when the issuer is made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base64_bytes::Base64Bytes;
use crate::references::{SecretKeySelector, ServiceAccountReference, chosen};

/// The PKI engine of a HashiCorp Vault or an OpenBao.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VaultIssuer {
    /// How to log in: exactly one of token, AppRole, client certificate, Kubernetes or AWS.
    pub auth: VaultAuth,
    /// URL of the server, such as `https://vault.example.com:8200`.
    pub server: String,
    /// Path of the signing endpoint: mount, `sign`, role, such as `pki/sign/web`.
    pub path: String,
    /// The namespace (Vault Enterprise, OpenBao) that the mounts live in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name that the server's certificate is checked for and that is sent as SNI; the host of `server` where nothing is
    /// given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// PEM certificates to trust for this server, base64 encoded. The roots of the controller's system where nothing is
    /// given. Can't be set together with `caBundleSecretRef`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<Base64Bytes>,
    /// The entry of a Secret with PEM certificates to trust for this server; its key is `ca.crt` where none is given. Can't
    /// be set together with `caBundle`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_bundle_secret_ref: Option<SecretKeySelector>,
    /// The entry of a Secret with the certificate to show to the server; its key is `tls.crt` where none is given. Needs
    /// `clientKeySecretRef`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert_secret_ref: Option<SecretKeySelector>,
    /// The entry of a Secret with the private key to that certificate; its key is `tls.key` where none is given. Needs
    /// `clientCertSecretRef`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key_secret_ref: Option<SecretKeySelector>,
}

/// How to log in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VaultAuth {
    /// With a token that lies in a Secret; its key is `token` where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<SecretKeySelector>,
    /// As an AppRole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_role: Option<VaultAppRole>,
    /// With a TLS client certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<VaultClientCertificateAuth>,
    /// With the token of a Kubernetes ServiceAccount. Mounts of the JWT kind take it, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<VaultKubernetesAuth>,
    /// As an IAM identity of AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws: Option<VaultAwsAuth>,
}

/// Logs in as an AppRole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VaultAppRole {
    /// Mount of the AppRole method without `auth/`, such as `approle`.
    pub path: String,
    /// The role id.
    pub role_id: String,
    /// The entry of a Secret with the secret id. Its key must be given.
    pub secret_ref: SecretKeySelector,
}

/// Logs in with a TLS client certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VaultClientCertificateAuth {
    /// Mount of the method as a full path; `/v1/auth/cert` where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_path: Option<String>,
    /// Name of the Secret with certificate and key, as `tls.crt` and `tls.key`. Where nothing is given, the client
    /// certificate of the connection is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
    /// Name of the certificate role to log in to; any that matches where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Logs in with the token of a Kubernetes ServiceAccount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VaultKubernetesAuth {
    /// Mount of the method as a full path; `/v1/auth/kubernetes` where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_path: Option<String>,
    /// The role to log in to.
    pub role: String,
    /// The entry of a Secret with the token; its key is `token` where none is given. Give this or `serviceAccountRef`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeySelector>,
    /// The ServiceAccount to ask for a short-lived token. Give this or `secretRef`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountReference>,
}

impl VaultKubernetesAuth {
    /// The Secret with the token, unless its name is empty.
    pub fn chosen_secret(&self) -> Option<&SecretKeySelector> {
        chosen(&self.secret_ref)
    }
}

/// Logs in as an IAM identity of AWS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VaultAwsAuth {
    /// Mount of the method as a full path; `/v1/auth/aws` where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_path: Option<String>,
    /// The role to log in to.
    #[schemars(length(min = 1))]
    pub role: String,
    /// The AWS region whose token service confirms the identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The ServiceAccount whose token is exchanged for AWS credentials. Needs `iamRoleArn`. Where nothing is given, the
    /// credentials around the controller are used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountReference>,
    /// The IAM role to take on with the ServiceAccount's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iam_role_arn: Option<String>,
    /// Value of the header `X-Vault-AWS-IAM-Server-ID`, if the server asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault_header_value: Option<String>,
}
