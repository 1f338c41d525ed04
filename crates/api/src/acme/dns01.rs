//! DNS01: a TXT record is published through the API of a DNS provider.
//! Held as written; the `config` of a webhook solver is any JSON and kept whole.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::references::{SecretKeySelector, ServiceAccountReference};

/// Exactly one provider.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Dns01Solver {
    /// Whether CNAME records on the way to the challenge's name are followed: `None` or `Follow`; `None` where nothing is
    /// given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cname_strategy: Option<CnameStrategy>,
    /// Name servers to ask for this solver, as host and port or as the URL of a DNS-over-HTTPS server. Those of the
    /// controller's flags where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nameservers: Option<Vec<String>>,
    /// Akamai's zone API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub akamai: Option<Akamai>,
    /// Google Cloud DNS.
    #[serde(rename = "cloudDNS", skip_serializing_if = "Option::is_none")]
    pub cloud_dns: Option<CloudDns>,
    /// Cloudflare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudflare: Option<Cloudflare>,
    /// Amazon Route 53.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route53: Option<Route53>,
    /// Azure DNS.
    #[serde(rename = "azureDNS", skip_serializing_if = "Option::is_none")]
    pub azure_dns: Option<AzureDns>,
    /// DigitalOcean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digitalocean: Option<DigitalOcean>,
    /// A server of the acme-dns project.
    #[serde(rename = "acmeDNS", skip_serializing_if = "Option::is_none")]
    pub acme_dns: Option<AcmeDns>,
    /// Any server that takes dynamic updates (RFC 2136).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rfc2136: Option<Rfc2136>,
    /// A solver of someone else, reached through the Kubernetes API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookSolver>,
}

open_enum! {
    /// Whether CNAME records are followed.
    pub enum CnameStrategy {
        /// They aren't.
        None = "None",
        /// They are.
        Follow = "Follow",
    }
}

/// Akamai's zone API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Akamai {
    /// Host of the API that the credentials are for.
    pub service_consumer_domain: String,
    /// The entry of a Secret with the client token.
    pub client_token_secret_ref: SecretKeySelector,
    /// The entry of a Secret with the client secret.
    pub client_secret_secret_ref: SecretKeySelector,
    /// The entry of a Secret with the access token.
    pub access_token_secret_ref: SecretKeySelector,
}

/// Google Cloud DNS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CloudDns {
    /// The entry of a Secret with the key of a service account. The credentials around the controller where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_secret_ref: Option<SecretKeySelector>,
    /// The project that the zone belongs to.
    pub project: String,
    /// Name of the managed zone. It is looked for where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosted_zone_name: Option<String>,
}

/// Cloudflare: exactly one of `apiKeySecretRef` and `apiTokenSecretRef`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Cloudflare {
    /// E-mail address of the account. Needed with an API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The entry of a Secret with an API key. A token can be given fewer rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_secret_ref: Option<SecretKeySelector>,
    /// The entry of a Secret with an API token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_token_secret_ref: Option<SecretKeySelector>,
}

/// DigitalOcean.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DigitalOcean {
    /// The entry of a Secret with an API token.
    pub token_secret_ref: SecretKeySelector,
}

/// Amazon Route 53. Without keys or `auth` the credentials around the controller are used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Route53 {
    /// How to get credentials other than by keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Route53Auth>,
    /// The access key id. Can't be set together with `accessKeyIDSecretRef`.
    #[serde(rename = "accessKeyID", skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// The entry of a Secret with the access key id. Can't be set together with `accessKeyID`.
    #[serde(rename = "accessKeyIDSecretRef", skip_serializing_if = "Option::is_none")]
    pub access_key_id_secret_ref: Option<SecretKeySelector>,
    /// The entry of a Secret with the secret access key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_access_key_secret_ref: Option<SecretKeySelector>,
    /// ARN of a role to take on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Id of the hosted zone. It is looked for where nothing is given.
    #[serde(rename = "hostedZoneID", skip_serializing_if = "Option::is_none")]
    pub hosted_zone_id: Option<String>,
    /// The AWS region that requests are signed for. That of the controller's environment where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// How to get credentials for Route 53.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Route53Auth {
    /// By the token of a Kubernetes ServiceAccount, exchanged for AWS credentials.
    pub kubernetes: Route53KubernetesAuth,
}

/// The token of a Kubernetes ServiceAccount, exchanged for AWS credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Route53KubernetesAuth {
    /// The ServiceAccount.
    pub service_account_ref: ServiceAccountReference,
}

/// Azure DNS: by a service principal (`clientID`, `clientSecretSecretRef` and `tenantID` together), or by an identity that
/// Azure manages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AzureDns {
    /// Client id of the service principal.
    #[serde(rename = "clientID", skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The entry of a Secret with the password of the service principal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_secret_ref: Option<SecretKeySelector>,
    /// Id of the subscription.
    #[serde(rename = "subscriptionID")]
    pub subscription_id: String,
    /// Tenant of the service principal.
    #[serde(rename = "tenantID", skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The resource group that the zone lies in.
    pub resource_group_name: String,
    /// Name of the zone. It is looked for where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosted_zone_name: Option<String>,
    /// The Azure cloud; the public one where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<AzureDnsEnvironment>,
    /// Kind of zone; a public one where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_type: Option<AzureZoneType>,
    /// An identity that Azure manages. Can't be set together with a service principal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_identity: Option<AzureManagedIdentity>,
}

open_enum! {
    /// An Azure cloud.
    pub enum AzureDnsEnvironment {
        /// The public cloud.
        PublicCloud = "AzurePublicCloud",
        /// China.
        ChinaCloud = "AzureChinaCloud",
        /// Germany.
        GermanCloud = "AzureGermanCloud",
        /// The government of the USA.
        UsGovernmentCloud = "AzureUSGovernmentCloud",
    }
}

open_enum! {
    /// Kind of Azure zone.
    pub enum AzureZoneType {
        /// Public.
        Public = "AzurePublicZone",
        /// Private.
        Private = "AzurePrivateZone",
    }
}

/// An identity that Azure manages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AzureManagedIdentity {
    /// Client id of the identity. Can't be set together with `resourceID`.
    #[serde(rename = "clientID", skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Resource id of the identity. Can't be set together with `clientID`.
    #[serde(rename = "resourceID", skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// Tenant of the identity. Needs `clientID`.
    #[serde(rename = "tenantID", skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
}

/// A server of the acme-dns project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AcmeDns {
    /// URL of the server.
    pub host: String,
    /// The entry of a Secret with the accounts, as the server's registration gave them, by domain.
    pub account_secret_ref: SecretKeySelector,
}

/// Dynamic updates (RFC 2136).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rfc2136 {
    /// The server that takes updates: a host name or an address, IPv6 in square brackets, and a port if it isn't 53.
    pub nameserver: String,
    /// How updates are sent: `TCP` or `UDP`; `UDP` where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Rfc2136Protocol>,
    /// Name of the TSIG key. Needs `tsigSecretSecretRef`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tsig_key_name: Option<String>,
    /// Algorithm of the TSIG key: `HMACMD5`, `HMACSHA1`, `HMACSHA256` or `HMACSHA512`; `HMACMD5` where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tsig_algorithm: Option<String>,
    /// The entry of a Secret with the TSIG key. Needs `tsigKeyName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tsig_secret_secret_ref: Option<SecretKeySelector>,
}

open_enum! {
    /// How dynamic updates are sent.
    pub enum Rfc2136Protocol {
        /// Over TCP.
        Tcp = "TCP",
        /// Over UDP.
        Udp = "UDP",
    }
}

/// A solver of someone else, reached through the Kubernetes API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WebhookSolver {
    /// API group of the solver.
    pub group_name: String,
    /// Name of the solver in that group.
    pub solver_name: String,
    /// What the solver wants to know; any JSON. Secrets belong into a Secret that this refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_json")]
    pub config: Option<serde_json::Value>,
}

fn any_json(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}
