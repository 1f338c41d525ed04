//! Everything about X.509: keys, names, CSRs, certificates, chains. The only folder that knows DER and PEM.
//! It parses once, at the border, with bounds on everything; what can't be read is an error or is left alone.
//! It never makes keys or serial numbers (that is chance), never asks the time, and never prints a key.

pub mod certificate;
pub mod chain;
pub mod csr;
pub mod issue;
pub mod key;
pub mod kinds;
pub mod name;
pub mod pem;
pub mod sans;
pub mod usages;

pub use certificate::{Certificate, CertificateError};
pub use chain::{Chain, ChainError};
pub use csr::{Csr, CsrError};
pub use issue::{LeafPlan, Serial, SignError, sign_leaf, sign_self};
pub use key::{KeyError, PrivateKey, PublicKey};
pub use kinds::{Curve, KeyKind, RsaSize, SignatureKind};
pub use name::{DistinguishedName, NameError};
pub use pem::{PemError, PemLimits};
pub use sans::Names;
pub use usages::{KeyUsage, effective};

/// An object identifier.
pub use const_oid::ObjectIdentifier as Oid;
