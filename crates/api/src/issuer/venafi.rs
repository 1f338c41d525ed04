//! `spec.venafi`: a Venafi platform. Stored and validated, so that manifests move over; nothing signs with it yet.
//! Held as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base64_bytes::Base64Bytes;
use crate::references::{LocalReference, SecretKeySelector};

/// A Venafi platform.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.tpp) ? 1 : 0) + (has(self.cloud) ? 1 : 0) + (has(self.ngts) ? 1 : 0) == 1",
    "message": "exactly one of tpp, cloud and ngts must be set",
}]))]
pub struct VenafiIssuer {
    /// The policy zone that requests are made in.
    pub zone: String,
    /// A Trust Protection Platform. Give exactly one of `tpp`, `cloud` and `ngts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpp: Option<VenafiTpp>,
    /// Venafi's cloud. Give exactly one of `tpp`, `cloud` and `ngts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud: Option<VenafiCloud>,
    /// Next-Generation Trust Security. Give exactly one of `tpp`, `cloud` and `ngts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ngts: Option<VenafiNgts>,
}

/// A Trust Protection Platform.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VenafiTpp {
    /// URL of its API, such as `https://tpp.example.com/vedsdk`.
    pub url: String,
    /// The Secret with `username` and `password`, or with `access-token`.
    pub credentials_ref: LocalReference,
    /// PEM certificates to trust for this server, base64 encoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<Base64Bytes>,
    /// The entry of a Secret with PEM certificates to trust for this server; its key is `ca.crt` where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_bundle_secret_ref: Option<SecretKeySelector>,
}

/// Venafi's cloud.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VenafiCloud {
    /// URL of its API; that of the public service where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The entry of a Secret with the API token.
    pub api_token_secret_ref: SecretKeySelector,
}

/// Next-Generation Trust Security.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VenafiNgts {
    /// URL of its API; that of the public service where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// URL where access tokens are made; that of the public service where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// Id of the tenant service group.
    #[serde(rename = "tsgID")]
    pub tsg_id: String,
    /// The Secret with the credentials of the service account.
    pub credentials_ref: LocalReference,
}
