//! `CertificateRequest`: one signing request to one issuer, and its answer.
//! The spec never changes after creation. Who asked (`username`, `groups`, ...) is written by the webhook only.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base64_bytes::Base64Bytes;
use crate::condition::Condition;
use crate::duration::GoDuration;
use crate::references::IssuerReference;
use crate::usage::UsageName;

root_object! {
    /// A CertificateRequest asks an issuer once to sign. It is signed after it was approved, ends issued, failed or denied,
    /// and can't be used again.
    pub struct CertificateRequest { spec: CertificateRequestSpec, status: CertificateRequestStatus }
    scope: ::k8s_openapi::NamespaceResourceScope,
    namespaced: true,
    plural: "certificaterequests",
    short: ["cr", "crs"]
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateRequestSpec {
    /// The signing request (PKCS#10) as PEM. If it names usages or says whether it is for a CA, that must agree with
    /// `usages` and `isCA`.
    pub request: Base64Bytes,
    /// The issuer that shall sign. An Issuer must live in the same namespace; a ClusterIssuer can be used from all.
    pub issuer_ref: IssuerReference,
    /// How long the certificate shall be valid. An issuer may give another life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<GoDuration>,
    /// Asks for a certificate that can sign others. The usage `cert sign` comes with it.
    #[serde(rename = "isCA", skip_serializing_if = "Option::is_none")]
    pub is_ca: Option<bool>,
    /// What the key may be used for. `digital signature` and `key encipherment` where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usages: Option<Vec<UsageName>>,
    /// Name of the user who created the request. Written by the webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Unique id of the user who created the request. Written by the webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Groups of the user who created the request. Written by the webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// Further facts about the user who created the request. Written by the webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<Box<BTreeMap<String, Vec<String>>>>,
}

/// What was observed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateRequestStatus {
    /// The state in short: `Approved` or `Denied` say whether it may be signed, `Ready` whether it was, `InvalidRequest`
    /// that it can't be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Option<Vec<Condition>>,
    /// The signed certificate as PEM, followed by the certificates between it and its root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Base64Bytes>,
    /// The topmost certificate that the issuer gave, as PEM. Not every issuer gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<Base64Bytes>,
    /// When the request failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_time: Option<Time>,
}
