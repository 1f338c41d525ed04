//! `Certificate`: the wish for a key and a certificate in a Secret, and what became of it.
//! The spec is held as it was written; what it means is worked out by [`crate::wanted()`].
//! Rare and big parts are boxed: ten thousand Certificates live in the cache.

mod key;
mod names;
mod output;
mod renewal;
mod status;

pub use key::{KeyAlgorithm, PrivateKey, PrivateKeyEncoding, RotationPolicy, SignatureAlgorithm};
pub use names::{NameConstraintItems, NameConstraints, OtherName, X509Subject};
pub use output::{
    AdditionalOutputFormat, JksKeystore, Keystores, LiteralPassword, OutputFormatType, Pkcs12Keystore,
    Pkcs12ProfileName, SecretTemplate,
};
pub use renewal::{CertificateRenewal, RenewalPolicyName, RenewalWindow};
pub use status::{AcmeStatus, CertificateStatus, RenewalInformation, SuggestedWindow};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::references::IssuerReference;
use crate::usage::UsageName;

root_object! {
    /// A Certificate asks for a private key and a signed X.509 certificate in a Secret. They are made when the Secret
    /// is missing or doesn't match, and renewed before they expire.
    pub struct Certificate { spec: CertificateSpec, status: CertificateStatus }
    scope: ::k8s_openapi::NamespaceResourceScope,
    namespaced: true,
    plural: "certificates",
    short: ["cert", "certs"]
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateSpec {
    /// Name of the Secret that gets the private key and the certificate. It is made in the Certificate's namespace.
    pub secret_name: String,
    /// The issuer that shall sign. An Issuer must live in the same namespace; a ClusterIssuer can be used from all.
    pub issuer_ref: IssuerReference,
    /// Common name of the subject, at most 64 bytes. TLS clients look at the alternative names only. Can't be set together
    /// with `literalSubject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_name: Option<String>,
    /// Parts of the subject other than the common name. Can't be set together with `literalSubject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Box<X509Subject>>,
    /// The whole subject as text in the manner of RFC 4514, such as `CN=web,OU=ops,DC=example,DC=com`. It also fixes the
    /// order of the attributes. Can't be set together with `commonName` or `subject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub literal_subject: Option<String>,
    /// DNS names for the subject alternative names. International names are written as punycode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_names: Option<Vec<String>>,
    /// IP addresses for the subject alternative names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_addresses: Option<Vec<String>>,
    /// URIs for the subject alternative names, such as SPIFFE ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uris: Option<Vec<String>>,
    /// E-mail addresses for the subject alternative names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_addresses: Option<Vec<String>>,
    /// Alternative names of other types whose value is a UTF-8 string, such as the user principal name of Active Directory
    /// (1.3.6.1.4.1.311.20.2.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_names: Option<Vec<OtherName>>,
    /// How long the certificate shall be valid, at least an hour; 90 days where nothing is given. Units are h, m and s. An
    /// issuer may give another life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<GoDuration>,
    /// How long before its end the certificate is renewed, at least five minutes and less than its life. Where nothing is
    /// given, it is renewed when a third of its life is left. Can't be set together with `renewBeforePercentage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renew_before: Option<GoDuration>,
    /// The share of its life, in percent, that a certificate has left when it is renewed: 25 renews a certificate of 60
    /// minutes after 45. Can't be set together with `renewBefore`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renew_before_percentage: Option<i32>,
    /// Whether, and in which windows of time, the certificate may be renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Box<CertificateRenewal>>,
    /// Labels and annotations for the Secret. Those that are taken away here are taken away there, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_template: Option<Box<SecretTemplate>>,
    /// Keystores to make beside the PEM files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keystores: Option<Box<Keystores>>,
    /// Asks for a certificate that can sign others. The usage `cert sign` comes with it.
    #[serde(rename = "isCA", skip_serializing_if = "Option::is_none")]
    pub is_ca: Option<bool>,
    /// What the key may be used for. `digital signature` and `key encipherment` where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usages: Option<Vec<UsageName>>,
    /// Kind, size and encoding of the private key, and whether a renewal makes a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<PrivateKey>,
    /// How the signing request is signed. It must suit the kind of key; where nothing is given it follows the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_algorithm: Option<SignatureAlgorithm>,
    /// Whether the signing request carries the usages; true where nothing is given. Switch it off only for issuers that
    /// can't take such requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encode_usages_in_request: Option<bool>,
    /// How many CertificateRequests of earlier issuances are kept, at least one; one where nothing is given. The oldest are
    /// deleted first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_history_limit: Option<i32>,
    /// Further formats of the key and the certificate that the Secret shall hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_output_formats: Option<Vec<AdditionalOutputFormat>>,
    /// Limits on the names that certificates below this CA may carry. Only for CAs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_constraints: Option<Box<NameConstraints>>,
}
