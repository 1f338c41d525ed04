//! What became of a Certificate.
//! Written by the controller only; `acme` is rare and boxed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::ObservedCondition;

/// What was observed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateStatus {
    /// The state in short. `Ready` says whether the Secret holds a certificate that is valid and matches the spec;
    /// `Issuing` says whether a new one is being made, and what it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Option<Vec<ObservedCondition>>,
    /// When an issuance last failed for good. Gone after a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure_time: Option<Time>,
    /// Start of the life of the certificate in the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// End of the life of the certificate in the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Time>,
    /// When the certificate in the Secret will be renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal_time: Option<Time>,
    /// Number of the last issuance that succeeded. Its CertificateRequest carries the same number in the annotation
    /// `cert-manager.io/certificate-revision`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = null))]
    pub revision: Option<i64>,
    /// Name of the Secret that holds the private key of the running issuance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_private_key_secret_name: Option<String>,
    /// How many issuances in a row have failed for good. Gone after a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = null))]
    pub failed_issuance_attempts: Option<i64>,
    /// What an ACME server said about this certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acme: Option<Box<AcmeStatus>>,
}

/// What an ACME server said about a certificate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AcmeStatus {
    /// When the server advises to renew (RFC 9773).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ari: Option<RenewalInformation>,
}

/// When an ACME server advises to renew.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RenewalInformation {
    /// The span of time in which to renew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_window: Option<SuggestedWindow>,
    /// Where the server explains its advice.
    #[serde(rename = "explanationURL", skip_serializing_if = "Option::is_none")]
    pub explanation_url: Option<String>,
    /// When the server was last asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_checked: Option<Time>,
    /// When the server will be asked next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_check: Option<Time>,
    /// Why the last question got no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// The span of time in which to renew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuggestedWindow {
    /// Its first moment.
    pub start: Time,
    /// Its last moment.
    pub end: Time,
}
