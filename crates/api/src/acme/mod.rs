//! `spec.acme`: an ACME server and how to solve its challenges. Stored and validated, so that manifests move over;
//! nothing signs with it yet. Held as written.

mod dns01;
mod http01;
mod pod;

pub use dns01::{
    AcmeDns, Akamai, AzureDns, AzureDnsEnvironment, AzureManagedIdentity, AzureZoneType, CloudDns,
    Cloudflare, CnameStrategy, DigitalOcean, Dns01Solver, Rfc2136, Rfc2136Protocol, Route53, Route53Auth,
    Route53KubernetesAuth, WebhookSolver,
};
pub use http01::{GatewayHttpRouteSolver, Http01Solver, IngressSolver, ParentReference};
pub use pod::{
    ImagePullSecret, IngressTemplate, PodResources, PodSecurityContext, PodSpec, PodTemplate,
    TemplateMetadata,
};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base64_bytes::Base64Bytes;
use crate::duration::GoDuration;
use crate::references::SecretKeySelector;

/// An ACME server and how to solve its challenges.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AcmeIssuer {
    /// URL of the server's directory, such as `https://acme-v02.api.letsencrypt.org/directory`.
    pub server: String,
    /// E-mail address of the account. Servers use it to warn of problems. It can be changed later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The entry of a Secret with the private key of the account; its key is `tls.key` where none is given. The Secret is
    /// made if it is missing.
    pub private_key_secret_ref: SecretKeySelector,
    /// Never makes a key for the account: the Secret must be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_account_key_generation: Option<bool>,
    /// Ties the ACME account to an account that the operator of the server already knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_account_binding: Option<ExternalAccountBinding>,
    /// PEM certificates to trust for this server, base64 encoded. The roots of the controller's system where nothing is
    /// given. Can't be set together with `skipTLSVerify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<Base64Bytes>,
    /// Trusts any certificate of the server. Insecure, for trials only.
    #[serde(rename = "skipTLSVerify", skip_serializing_if = "Option::is_none")]
    pub skip_tls_verify: Option<bool>,
    /// Common name of the issuer of the topmost certificate. If the server offers several chains, the first that matches is
    /// taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub preferred_chain: Option<String>,
    /// Name of the certificate profile to ask for. The server's directory lists those it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Asks the server for the Certificate's duration. Many servers refuse such orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_duration_feature: Option<bool>,
    /// Whether the server is asked when to renew: `ARI` asks it (RFC 9773), `None` doesn't. `ARI` where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal_information_source: Option<RenewalInformationSource>,
    /// How to solve challenges. The solver whose selector fits a name best is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solvers: Option<Vec<ChallengeSolver>>,
}

open_enum! {
    /// Whether the server is asked when to renew.
    pub enum RenewalInformationSource {
        /// It is asked.
        Ari = "ARI",
        /// It isn't.
        None = "None",
    }
}

/// Ties the ACME account to an account that the operator of the server already knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExternalAccountBinding {
    /// Id of the key that the operator gave out.
    #[serde(rename = "keyID")]
    pub key_id: String,
    /// The entry of a Secret with that key, as base64 for URLs without padding.
    pub key_secret_ref: SecretKeySelector,
    /// Deprecated and without effect: HS256 is always used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_algorithm: Option<HmacKeyAlgorithm>,
}

open_enum! {
    /// Algorithm of an external account key.
    pub enum HmacKeyAlgorithm {
        /// HMAC with SHA-256.
        Hs256 = "HS256",
        /// HMAC with SHA-384.
        Hs384 = "HS384",
        /// HMAC with SHA-512.
        Hs512 = "HS512",
    }
}

/// One way to solve challenges: exactly one of `http01` and `dns01`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ChallengeSolver {
    /// The names this solver is for. Without a selector it is for all names that no other solver fits better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<DnsNameSelector>,
    /// Answers an HTTP request of the server. Can't be used for wildcard names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http01: Option<Box<Http01Solver>>,
    /// Publishes a TXT record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns01: Option<Box<Dns01Solver>>,
    /// Waits this long after a challenge was set up instead of checking whether it can be seen, for networks where the
    /// controller can't see what the server sees. With `0s` the server is asked at once. Units are h, m and s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_instead_of_self_check: Option<GoDuration>,
}

/// The names a solver is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DnsNameSelector {
    /// Labels that the Certificate must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_labels: Option<BTreeMap<String, String>>,
    /// Exact names. They go before zones; between equals, more labels that match win, then the earlier solver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_names: Option<Vec<String>>,
    /// Zones with all that lies below them. The longest zone that matches wins; between equals, more labels that match,
    /// then the earlier solver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_zones: Option<Vec<String>>,
}
