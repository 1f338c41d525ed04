//! The private key that a Certificate asks for.
//! Held as written; which kinds can be made is checked by [`crate::wanted`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kind, size and encoding of the private key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PrivateKey {
    /// When a new key is made: `Always` makes one for each issuance, `Never` keeps the one in the Secret. `Always` where
    /// nothing is given. With `Never`, a key that doesn't suit the spec stops the issuance until someone acts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation_policy: Option<RotationPolicy>,
    /// Encoding of the key in the Secret: `PKCS1` (for ECDSA that is SEC 1) or `PKCS8`. `PKCS1` where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<PrivateKeyEncoding>,
    /// Kind of key: `RSA`, `ECDSA` or `Ed25519`. `RSA` where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<KeyAlgorithm>,
    /// Size of the key in bits. RSA: 2048, 3072, 4096 or 8192, and 2048 where nothing is given. ECDSA: 256, 384 or 521, and
    /// 256 where nothing is given. Ed25519 has one size and ignores this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = null))]
    pub size: Option<i64>,
}

open_enum! {
    /// When a new key is made.
    pub enum RotationPolicy {
        /// The key in the Secret stays.
        Never = "Never",
        /// Each issuance makes a new key.
        Always = "Always",
    }
}

open_enum! {
    /// Encoding of the private key.
    pub enum PrivateKeyEncoding {
        /// PKCS#1 for RSA, SEC 1 for ECDSA.
        Pkcs1 = "PKCS1",
        /// PKCS#8.
        Pkcs8 = "PKCS8",
    }
}

open_enum! {
    /// Kind of private key.
    pub enum KeyAlgorithm {
        /// RSA.
        Rsa = "RSA",
        /// ECDSA on a NIST curve.
        Ecdsa = "ECDSA",
        /// Ed25519.
        Ed25519 = "Ed25519",
    }
}

open_enum! {
    /// How the signing request is signed.
    pub enum SignatureAlgorithm {
        /// RSA with SHA-256.
        Sha256WithRsa = "SHA256WithRSA",
        /// RSA with SHA-384.
        Sha384WithRsa = "SHA384WithRSA",
        /// RSA with SHA-512.
        Sha512WithRsa = "SHA512WithRSA",
        /// ECDSA with SHA-256.
        EcdsaWithSha256 = "ECDSAWithSHA256",
        /// ECDSA with SHA-384.
        EcdsaWithSha384 = "ECDSAWithSHA384",
        /// ECDSA with SHA-512.
        EcdsaWithSha512 = "ECDSAWithSHA512",
        /// Ed25519.
        PureEd25519 = "PureEd25519",
    }
}
