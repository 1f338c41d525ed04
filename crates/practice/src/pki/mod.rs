//! The PKI engine: issuers with real keys, roles, and signing by Vault's rules (vault-server 3, vault-measured 2).
//! Requests are read and certificates are written here by code of its own, independent of the product's:
//! a stand-in that shared the product's DER code could not notice when that code is wrong.

pub(crate) mod ca;
mod certificate;
pub(crate) mod der_out;
pub(crate) mod keys;
pub(crate) mod leaf;
mod manage;
mod names;
mod paths;
pub(crate) mod reading;
pub(crate) mod request;
mod role;
mod role_fields;
mod sign;
mod validity;

use std::collections::BTreeMap;

pub(crate) use ca::{Issuer, LeafNotAfter};
pub(crate) use paths::{Target, answer, is_open};
pub(crate) use role::Role;

use crate::http::answer::Refusal;

/// A PKI mount.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pki {
    /// By id.
    pub(crate) issuers: BTreeMap<String, Issuer>,
    pub(crate) default_issuer: Option<String>,
    pub(crate) roles: BTreeMap<String, Role>,
}

impl Pki {
    /// The issuer that a reference (`default`, an id or a name) means.
    fn issuer(&self, reference: &str) -> Result<&Issuer, String> {
        if reference == "default" {
            let id = self.default_issuer.as_ref();
            return id
                .and_then(|id| self.issuers.get(id))
                .ok_or_else(|| "no default issuer currently configured".to_owned());
        }
        let by_name = || self.issuers.values().find(|issuer| issuer.name == reference);
        self.issuers
            .get(reference)
            .or_else(by_name)
            .ok_or_else(|| format!("unable to find PKI issuer for reference: {reference}"))
    }

    /// The same, ready to sign; each fault is a 500 with Vault's text (vault-server 3.3).
    fn signing_issuer(&self, reference: &str) -> Result<&Issuer, Refusal> {
        let fetch = |why: String| {
            Refusal::wrapped(500, &format!("could not fetch the CA certificate (was one set?): {why}"))
        };
        let issuer = self.issuer(reference).map_err(fetch)?;
        if issuer.key.is_none() {
            let id = &issuer.id;
            return Err(fetch(format!(
                "unable to fetch corresponding key for issuer {id}; unable to use this issuer for signing"
            )));
        }
        issuer
            .check_usage()
            .map_err(|why| Refusal::wrapped(500, &format!("error fetching CA certificate: {why}")))?;
        Ok(issuer)
    }

    /// The chain above and including an issuer, as far as the mount knows it.
    fn chain(&self, issuer: &Issuer) -> Vec<&Issuer> {
        let mut chain: Vec<&Issuer> = self.issuers.get(&issuer.id).into_iter().collect();
        while let Some(last) = chain.last().filter(|last| !last.certificate.is_self_signed()) {
            let above = self.issuers.values().find(|other| {
                other.certificate.has_signed(&last.certificate)
                    && chain.iter().all(|known| known.id != other.id)
            });
            match above {
                Some(above) => chain.push(above),
                None => break,
            }
        }
        chain
    }
}
