//! Everything about X.509: keys, names, requests, certificates, chains. The only folder that knows DER and PEM.
//! It parses once, at the border, with bounds on everything; what can't be read is an error or is left alone.
//! It never makes keys or serial numbers (that is chance), never asks the time, and never prints a key.

pub mod certificate;
pub mod chain;
pub mod csr;
mod digest;
pub mod extensions;
pub mod issue;
pub mod key;
pub mod kinds;
mod literal;
pub mod name;
pub mod oid;
pub mod pem;
pub mod public_key;
pub mod sans;
mod signature;
mod signed;
mod time;
mod tlv;
pub mod usages;

pub use certificate::{Certificate, CertificateError};
pub use chain::{Chain, ChainError};
pub use csr::{Csr, CsrError};
pub use digest::sha256_hex;
pub use extensions::Extension;
pub use issue::{LeafPlan, Serial, SignError, sign_leaf, sign_self};
pub use key::{KeyError, PrivateKey};
pub use kinds::{Curve, KeyKind, RsaSize, SignatureKind};
pub use name::{DistinguishedName, NameError};
pub use oid::Oid;
pub use pem::{PemError, PemLimits};
pub use public_key::PublicKey;
pub use sans::Names;
pub use usages::{KeyUsage, effective};
