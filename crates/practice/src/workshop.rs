//! A small CA and certificate requests for tests and the demo: client certificates, CA bundles, CSRs.
//! Everything comes from a seed, so the same call gives the same keys.
//! Never for anything real.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::chance::Chance;
use crate::clock::{earlier, later};
use crate::options::CaKeyKind;
use crate::pki::ca::{self, BACKDATING, Issuer, Wish};
use crate::pki::der_out;
use crate::pki::keys::CaKey;
use crate::pki::leaf::{self, LeafWish};
use crate::pki::reading::AltNames;
use crate::pki::request;

/// A certificate with its private key, as PEM.
#[derive(Clone)]
pub struct KeyPair {
    /// The certificate.
    pub certificate_pem: String,
    /// The certificate, DER.
    pub certificate_der: Vec<u8>,
    /// The private key, PKCS#8.
    pub key_pem: Zeroizing<String>,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair {{ certificate of {} bytes }}", self.certificate_der.len())
    }
}

/// A CA outside of any Vault.
#[derive(Debug)]
pub struct Workshop {
    chance: Chance,
    now: Timestamp,
    ca: Issuer,
}

/// A request for a certificate, and the key it was signed with.
#[derive(Clone)]
pub struct SignedRequest {
    /// The request, as PEM.
    pub pem: String,
    /// The private key, PKCS#8 PEM.
    pub key_pem: Zeroizing<String>,
    /// The SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedRequest {{ {} bytes }}", self.pem.len())
    }
}

/// Names for a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestNames {
    /// The common name; empty for none.
    pub common_name: String,
    /// Host names.
    pub dns: Vec<String>,
    /// E-mail addresses.
    pub emails: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// URIs.
    pub uris: Vec<String>,
}

impl RequestNames {
    /// A common name that is also a host name.
    pub fn host(name: &str) -> RequestNames {
        RequestNames { common_name: name.to_owned(), dns: vec![name.to_owned()], ..RequestNames::default() }
    }
}

impl Workshop {
    /// A root CA that lives this long from `now`; nothing if the key can't be made.
    pub fn new(
        seed: u64,
        common_name: &str,
        kind: CaKeyKind,
        now: Timestamp,
        life: Duration,
    ) -> Option<Workshop> {
        let mut chance = Chance::new(seed).fork("workshop");
        let ca = ca::root(&Wish { common_name, life, key: kind, now }, &mut chance)?;
        Some(Workshop { chance, now, ca })
    }

    /// A CA under this one, with its key.
    pub fn intermediate(&mut self, common_name: &str, kind: CaKeyKind, life: Duration) -> Option<Workshop> {
        let wish = Wish { common_name, life, key: kind, now: self.now };
        let ca = ca::intermediate(&wish, &self.ca, &mut self.chance)?;
        let chance = self.chance.fork(common_name);
        Some(Workshop { chance, now: self.now, ca })
    }

    /// The CA's certificate and key.
    pub fn ca(&self) -> KeyPair {
        let key = self.ca.key.as_ref().map(|key| key_pem(key)).unwrap_or_default();
        KeyPair {
            certificate_pem: format!("{}\n", self.ca.certificate.pem()),
            certificate_der: self.ca.certificate.der.clone(),
            key_pem: key,
        }
    }

    /// A certificate for client and server use, alive from `from` for `life`.
    pub fn leaf(&mut self, names: &RequestNames, from: Timestamp, life: Duration) -> Option<KeyPair> {
        let wish = LeafWish {
            common_name: &names.common_name,
            names: alt_names(names),
            not_before: earlier(from, BACKDATING),
            not_after: later(from, life),
        };
        let leaf = leaf::sign(&wish, &self.ca, CaKeyKind::P256, &mut self.chance)?;
        Some(KeyPair {
            certificate_pem: format!("{}\n", leaf.certificate.pem()),
            certificate_der: leaf.certificate.der.clone(),
            key_pem: key_pem(&leaf.key),
        })
    }
}

fn key_pem(key: &CaKey) -> Zeroizing<String> {
    Zeroizing::new(format!("{}\n", der_out::pem("PRIVATE KEY", key.pkcs8())))
}

fn alt_names(names: &RequestNames) -> AltNames {
    AltNames {
        dns: names.dns.clone(),
        emails: names.emails.clone(),
        addresses: names.addresses.clone(),
        uris: names.uris.clone(),
        others: Vec::new(),
    }
}

/// A certificate request for these names with a fresh key of this kind, drawn from the seed.
pub fn certificate_request(seed: u64, kind: CaKeyKind, names: &RequestNames) -> Option<SignedRequest> {
    let key = CaKey::draw(kind, &mut Chance::new(seed).fork("request"))?;
    let der = request::sign(&names.common_name, &alt_names(names), &key)?;
    Some(SignedRequest {
        pem: format!("{}\n", der_out::pem("CERTIFICATE REQUEST", &der)),
        key_pem: key_pem(&key),
        public_key: key.public(),
    })
}
