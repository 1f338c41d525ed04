//! Names that a certificate carries or forbids: subject, otherNames, name constraints.
//! Held as written; nothing is checked here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parts of the subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct X509Subject {
    /// Organizations (O).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizations: Option<Vec<String>>,
    /// Countries (C).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub countries: Option<Vec<String>>,
    /// Organizational units (OU).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizational_units: Option<Vec<String>>,
    /// Cities (L).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub localities: Option<Vec<String>>,
    /// States or provinces (ST).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provinces: Option<Vec<String>>,
    /// Street addresses (STREET).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street_addresses: Option<Vec<String>>,
    /// Postal codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_codes: Option<Vec<String>>,
    /// Serial number of the subject; not that of the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
}

/// An alternative name of some other type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OtherName {
    /// Type of the name: a dotted object identifier such as `1.2.840.113556.1.4.221`. Its value must be a UTF8String.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oid: Option<String>,
    /// Value of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utf8_value: Option<String>,
}

/// The name constraints of a CA.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NameConstraints {
    /// Clients that don't know the extension must refuse the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical: Option<bool>,
    /// Names below this CA must lie in here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permitted: Option<NameConstraintItems>,
    /// Names below this CA must not lie in here, whatever is permitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded: Option<NameConstraintItems>,
}

/// One side of the name constraints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NameConstraintItems {
    /// DNS domains with all that lies below them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_domains: Option<Vec<String>>,
    /// IP ranges such as `10.0.0.0/8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_ranges: Option<Vec<String>>,
    /// E-mail addresses, or the domains they lie in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_addresses: Option<Vec<String>>,
    /// Domains of URIs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri_domains: Option<Vec<String>>,
}
