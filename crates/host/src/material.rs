//! What there is to write: the parts of a certificate, read from its Secret and checked to belong together.
//! A Secret whose key and certificate don't match never reaches a disk. Keys are wiped after use.

use std::collections::BTreeMap;

use everleaf_core::x509::{Certificate, PemLimits, PrivateKey};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use zeroize::Zeroizing;

use crate::target::Part;

const TLS_KEY: &str = "tls.key";
const TLS_CRT: &str = "tls.crt";
const CA_CRT: &str = "ca.crt";

/// The parts of a certificate.
pub(crate) struct Material {
    key: Zeroizing<Vec<u8>>,
    certificate: Vec<u8>,
    leaf: Vec<u8>,
    chain: Vec<u8>,
    ca: Vec<u8>,
    /// When the leaf ends.
    pub(crate) ends: Timestamp,
}

impl Material {
    /// Reads the data of a Secret. The words of the error name the Secret's key that is to blame.
    pub(crate) fn read(mut data: BTreeMap<String, ByteString>) -> Result<Material, String> {
        let mut take = |name: &str| data.remove(name).map(|value| value.0).unwrap_or_default();
        let (key, certificate, ca) = (Zeroizing::new(take(TLS_KEY)), take(TLS_CRT), take(CA_CRT));
        for (name, value) in [(TLS_KEY, key.as_slice()), (TLS_CRT, certificate.as_slice())] {
            if value.is_empty() {
                return Err(format!("has no {name}"));
            }
        }
        let private = PrivateKey::from_pem(&key).map_err(|why| format!("{TLS_KEY}: {why}"))?;
        let line = Certificate::all_from_pem(&certificate, PemLimits::DEFAULT.chain)
            .map_err(|why| format!("{TLS_CRT}: {why}"))?;
        let Some((leaf, above)) = line.split_first() else {
            return Err(format!("{TLS_CRT} holds no certificate"));
        };
        if leaf.public_key() != private.public() {
            return Err(format!("{TLS_KEY} doesn't belong to the certificate in {TLS_CRT}"));
        }
        Ok(Material {
            leaf: leaf.to_pem().into_bytes(),
            chain: above.iter().map(Certificate::to_pem).collect::<String>().into_bytes(),
            ends: leaf.not_after(),
            key,
            certificate,
            ca,
        })
    }

    /// The bytes of a part; `None` if the Secret has nothing for it. A chain may be empty: the root signed the leaf.
    pub(crate) fn part(&self, part: Part) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = match part {
            Part::Key => self.key.to_vec(),
            Part::Certificate => self.certificate.clone(),
            Part::Leaf => self.leaf.clone(),
            Part::Chain => self.chain.clone(),
            Part::Ca if self.ca.is_empty() => return None,
            Part::Ca => self.ca.clone(),
            // As in `tls-combined.pem` of the Secret.
            Part::Combined => [self.key.as_slice(), b"\n", self.certificate.as_slice()].concat(),
        };
        Some(Zeroizing::new(bytes))
    }
}
