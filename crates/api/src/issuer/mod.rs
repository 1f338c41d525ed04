//! `Issuer` and `ClusterIssuer`: who signs, and how to reach them. Both have the same spec and status.
//! Exactly one kind of authority is set; which of them is worked out here, what is wrong with it in [`crate::validate`].
//! Big parts are boxed.

mod vault;
mod venafi;

pub use vault::{
    VaultAppRole, VaultAuth, VaultAwsAuth, VaultClientCertificateAuth, VaultIssuer, VaultKubernetesAuth,
};
pub use venafi::{VenafiCloud, VenafiIssuer, VenafiNgts, VenafiTpp};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::acme::AcmeIssuer;
use crate::condition::ObservedCondition;

root_object! {
    /// An Issuer is a certificate authority that Certificates of its own namespace can refer to.
    pub struct Issuer { spec: IssuerSpec, status: IssuerStatus }
    scope: ::k8s_openapi::NamespaceResourceScope,
    namespaced: true,
    plural: "issuers",
    short: ["iss"]
}

root_object! {
    /// A ClusterIssuer is a certificate authority that Certificates of all namespaces can refer to. The Secrets it refers
    /// to live in the cluster resource namespace.
    pub struct ClusterIssuer { spec: IssuerSpec, status: IssuerStatus }
    scope: ::k8s_openapi::ClusterResourceScope,
    namespaced: false,
    plural: "clusterissuers",
    short: ["ciss"]
}

/// What is asked for: exactly one kind of authority.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct IssuerSpec {
    /// An ACME server (RFC 8555), such as Let's Encrypt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acme: Option<Box<AcmeIssuer>>,
    /// A CA whose certificate and private key lie in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<Box<CaIssuer>>,
    /// The PKI engine of a HashiCorp Vault or an OpenBao.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<Box<VaultIssuer>>,
    /// Certificates are signed with their own private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_signed: Option<Box<SelfSignedIssuer>>,
    /// A Venafi platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub venafi: Option<Box<VenafiIssuer>>,
}

/// The authority that an issuer stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Authority<'a> {
    /// An ACME server.
    Acme(&'a AcmeIssuer),
    /// A CA in a Secret.
    Ca(&'a CaIssuer),
    /// A Vault.
    Vault(&'a VaultIssuer),
    /// The key itself.
    SelfSigned(&'a SelfSignedIssuer),
    /// A Venafi platform.
    Venafi(&'a VenafiIssuer),
}

impl IssuerSpec {
    /// The authority that is set; `None` if there is none or more than one.
    pub fn authority(&self) -> Option<Authority<'_>> {
        match (&self.acme, &self.ca, &self.vault, &self.self_signed, &self.venafi) {
            (Some(acme), None, None, None, None) => Some(Authority::Acme(acme)),
            (None, Some(ca), None, None, None) => Some(Authority::Ca(ca)),
            (None, None, Some(vault), None, None) => Some(Authority::Vault(vault)),
            (None, None, None, Some(self_signed), None) => Some(Authority::SelfSigned(self_signed)),
            (None, None, None, None, Some(venafi)) => Some(Authority::Venafi(venafi)),
            _ => None,
        }
    }
}

/// A CA whose certificate and private key lie in a Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CaIssuer {
    /// Name of the Secret that holds the CA: its certificate as `tls.crt`, its private key as `tls.key`.
    pub secret_name: String,
    /// URLs where clients find the list of revoked certificates. Written into each certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crl_distribution_points: Option<Vec<String>>,
    /// URLs where clients can ask whether a certificate was revoked (OCSP). Written into each certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ocsp_servers: Option<Vec<String>>,
    /// URLs where clients find the certificate of this CA. Written into each certificate.
    #[serde(rename = "issuingCertificateURLs", skip_serializing_if = "Option::is_none")]
    pub issuing_certificate_urls: Option<Vec<String>>,
}

/// Certificates are signed with their own private key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SelfSignedIssuer {
    /// URLs where clients find the list of revoked certificates. Written into each certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crl_distribution_points: Option<Vec<String>>,
}

/// What was observed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct IssuerStatus {
    /// The state in short: `Ready` says whether the authority can sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Option<Vec<ObservedCondition>>,
    /// The account at the ACME server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acme: Option<Box<AcmeIssuerStatus>>,
}

/// The account at the ACME server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AcmeIssuerStatus {
    /// URL of the account; it also names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The e-mail address that the account was last registered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_registered_email: Option<String>,
    /// Hash of the private key that the account was last registered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_private_key_hash: Option<String>,
}
