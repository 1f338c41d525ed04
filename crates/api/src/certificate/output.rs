//! What the Secret holds beside `tls.crt`, `tls.key` and `ca.crt`: its labels, further formats, keystores.
//! Held as written. A literal password is never printed by `Debug`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::references::SecretKeySelector;

/// Labels and annotations for the Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretTemplate {
    /// Annotations for the Secret. Those under `cert-manager.io/` are not allowed, save `allow-direct-injection`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Labels for the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// A further format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AdditionalOutputFormat {
    /// The format: `DER` gives the private key as `key.der`; `CombinedPEM` gives key and chain in one file,
    /// `tls-combined.pem`.
    #[serde(rename = "type")]
    pub type_: OutputFormatType,
}

impl Default for AdditionalOutputFormat {
    fn default() -> Self {
        AdditionalOutputFormat { type_: OutputFormatType::Other(Box::default()) }
    }
}

open_enum! {
    /// A further format.
    pub enum OutputFormatType {
        /// `key.der`
        Der = "DER",
        /// `tls-combined.pem`
        CombinedPem = "CombinedPEM",
    }
}

/// Keystores to make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Keystores {
    /// A Java keystore: `keystore.jks`, and `truststore.jks` if the issuer gave a CA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jks: Option<JksKeystore>,
    /// A PKCS#12 keystore: `keystore.p12`, and `truststore.p12` if the issuer gave a CA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pkcs12: Option<Pkcs12Keystore>,
}

/// A Java keystore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JksKeystore {
    /// Makes the keystore. With false, the block has no effect.
    pub create: bool,
    /// Alias of the key entry; `certificate` where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The entry of a Secret that holds the password. Give this or `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretKeySelector>,
    /// The password itself. Give this or `passwordSecretRef`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<LiteralPassword>,
}

/// A PKCS#12 keystore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Pkcs12Keystore {
    /// Makes the keystore. With false, the block has no effect.
    pub create: bool,
    /// Algorithms of the keystore; `LegacyRC2` where nothing is given. `LegacyRC2` can't be opened by OpenSSL 3 and Java 20
    /// in their default settings, `LegacyDES` by nearly everything, `Modern2023` has sound algorithms, `Modern2026` adds a
    /// checksum that FIPS 140 allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Pkcs12ProfileName>,
    /// The entry of a Secret that holds the password. Give this or `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretKeySelector>,
    /// The password itself. Give this or `passwordSecretRef`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<LiteralPassword>,
}

open_enum! {
    /// Algorithms of a PKCS#12 keystore.
    pub enum Pkcs12ProfileName {
        /// RC2-40 and 3DES.
        LegacyRc2 = "LegacyRC2",
        /// 3DES.
        LegacyDes = "LegacyDES",
        /// AES-256 with a SHA-256 MAC.
        Modern2023 = "Modern2023",
        /// AES-256 with PBMAC1.
        Modern2026 = "Modern2026",
    }
}

/// A password written in the spec. `Debug` prints its length only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct LiteralPassword(String);

impl LiteralPassword {
    /// The password.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for LiteralPassword {
    fn from(password: &str) -> Self {
        LiteralPassword(password.to_owned())
    }
}

impl fmt::Debug for LiteralPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_password_is_not_printed() {
        let keystore = JksKeystore { password: Some("letmein".into()), ..Default::default() };
        let printed = format!("{keystore:?}");
        assert!(!printed.contains("letmein") && printed.contains("7 bytes"), "{printed}");
    }
}
