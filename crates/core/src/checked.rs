//! From a signed answer to a certificate that may be stored: key, names, chain and life are verified, and `apply` accepts nothing else.
//! Pure. It never fetches a missing link and never repairs a chain.

use jiff::Timestamp;

use crate::x509::{Chain, Names, PemLimits, PublicKey};

/// A certificate that fits its key, carries the names asked for, and is alive. The only thing that may be written to a Secret.
#[derive(Debug, Clone)]
pub struct Checked {
    chain: Chain,
}

/// What is wrong with a signed answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is for another key.
    #[error("the certificate is for another key than the one in the request")]
    OtherKey,
    /// It is over already.
    #[error("the certificate has expired already, on {0}")]
    Expired(Timestamp),
    /// Its end lies before its beginning.
    #[error("the certificate ends on {ends}, before it begins on {begins}")]
    NoLife {
        /// notBefore
        begins: Timestamp,
        /// notAfter
        ends: Timestamp,
    },
    /// Names that were asked for are missing.
    #[error("the certificate lacks names that were asked for: {}", .0.join(", "))]
    LacksNames(Vec<String>),
    /// A certificate of the chain did not sign the one before it.
    #[error("the chain is broken: certificate {0} was not signed by the one after it")]
    BrokenChain(usize),
    /// The chain is longer than what anybody reads back.
    #[error("the chain is {found} bytes long, more than the limit of {limit}")]
    TooLong {
        /// Bytes of PEM.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
}

impl Checked {
    /// Verifies a signed answer for this key and these names.
    ///
    /// DNS names, IP addresses and URIs must all be there: they are what clients verify. E-mail addresses and otherNames are lost with
    /// some Vault roles (`use_csr_sans=false`) and are let pass, as the peer does. More names than asked for are fine (Vault adds the CN).
    pub fn new(chain: Chain, key: &PublicKey, names: &Names, now: Timestamp) -> Result<Checked, Flaw> {
        let leaf = chain.leaf();
        if leaf.public_key() != key {
            return Err(Flaw::OtherKey);
        }
        let (begins, ends) = (leaf.not_before(), leaf.not_after());
        if ends <= begins {
            return Err(Flaw::NoLife { begins, ends });
        }
        if ends <= now {
            return Err(Flaw::Expired(ends));
        }
        let missing = missing_names(names, leaf.sans());
        if !missing.is_empty() {
            return Err(Flaw::LacksNames(missing));
        }
        let (found, limit) = (chain.to_pem().len(), PemLimits::DEFAULT.chain);
        if found > limit {
            return Err(Flaw::TooLong { found, limit });
        }
        let links = chain.certificates.iter().zip(chain.certificates.iter().skip(1));
        if let Some(broken) = links.into_iter().position(|(child, parent)| !child.was_signed_by(parent)) {
            return Err(Flaw::BrokenChain(broken));
        }
        Ok(Checked { chain })
    }

    /// The chain, leaf first.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }
}

fn missing_names(asked: &Names, got: &Names) -> Vec<String> {
    let same_name = |a: &String, b: &String| a.eq_ignore_ascii_case(b);
    let dns = asked.dns.iter().filter(|name| !got.dns.iter().any(|has| same_name(has, name))).cloned();
    let ips = asked.ips.iter().filter(|ip| !got.ips.contains(ip)).map(ToString::to_string);
    let uris = asked.uris.iter().filter(|uri| !got.uris.contains(uri)).cloned();
    dns.chain(ips).chain(uris).collect()
}
