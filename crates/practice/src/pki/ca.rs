//! Issuers: CA certificates with their keys, made from the seed or brought along.
//! What a CA does at the end of its life (refuse, cut, permit) is here; what a leaf looks like is in `certificate`.
//! Nothing here looks at roles.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::certificate::{self, Extras, Plan};
use super::keys::CaKey;
use super::reading::{AltNames, Read, pem_blocks};
use crate::chance::Chance;
use crate::clock::{earlier, later};
use crate::options::CaKeyKind;

/// What happens to a leaf that would outlive its CA (`leaf_not_after_behavior`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LeafNotAfter {
    /// Refused with 400.
    #[default]
    Err,
    /// Ends with the CA.
    Truncate,
    /// Outlives it.
    Permit,
}

/// The usage without which an issuer signs nothing.
pub(crate) const ISSUING: &str = "issuing-certificates";
/// All usages, in the order in which Vault lists them.
const ALL_USAGES: [&str; 4] = ["read-only", ISSUING, "crl-signing", "ocsp-signing"];

/// A CA of a mount.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) certificate: Read,
    pub(crate) key: Option<Arc<CaKey>>,
    pub(crate) usages: BTreeSet<String>,
    pub(crate) leaf_not_after: LeafNotAfter,
}

impl Issuer {
    fn new(id: String, certificate: Read, key: Option<Arc<CaKey>>) -> Issuer {
        Issuer {
            id,
            name: String::new(),
            certificate,
            key,
            usages: ALL_USAGES.iter().map(|usage| (*usage).to_owned()).collect(),
            leaf_not_after: LeafNotAfter::default(),
        }
    }

    /// Whether it may sign certificates; the text is Vault's (vault-measured 2).
    pub(crate) fn check_usage(&self) -> Result<(), String> {
        if self.usages.contains(ISSUING) {
            return Ok(());
        }
        let mut left: Vec<&str> = self.usages.iter().map(String::as_str).collect();
        left.sort_unstable();
        Err(format!(
            "error while attempting to use issuer {id}: requested usage {ISSUING} for issuer [id:{id} / name:{name}] but only had usage {left}",
            id = self.id,
            name = self.name,
            left = left.join(",")
        ))
    }
}

/// How long before now a certificate begins, so that clocks that are a little behind take it.
pub(crate) const BACKDATING: Duration = Duration::from_secs(30);

/// A CA to make.
pub(crate) struct Wish<'a> {
    pub(crate) common_name: &'a str,
    pub(crate) life: Duration,
    pub(crate) key: CaKeyKind,
    pub(crate) now: Timestamp,
}

/// Makes a self-signed root.
pub(crate) fn root(wish: &Wish<'_>, chance: &mut Chance) -> Option<Issuer> {
    let key = CaKey::draw(wish.key, chance)?;
    let certificate = build(wish, &key, None, chance)?;
    Some(Issuer::new(chance.uuid(), certificate, Some(Arc::new(key))))
}

/// Makes a CA that another one has signed.
pub(crate) fn intermediate(wish: &Wish<'_>, above: &Issuer, chance: &mut Chance) -> Option<Issuer> {
    let key = CaKey::draw(wish.key, chance)?;
    let certificate = build(wish, &key, Some(above), chance)?;
    Some(Issuer::new(chance.uuid(), certificate, Some(Arc::new(key))))
}

fn build(wish: &Wish<'_>, key: &CaKey, above: Option<&Issuer>, chance: &mut Chance) -> Option<Read> {
    let subject = certificate::common_name(wish.common_name);
    let signer = above.and_then(|above| above.key.as_deref()).unwrap_or(key);
    let plan = Plan {
        serial: certificate::serial(chance),
        issuer: above.map_or(&subject, |above| &above.certificate.subject).clone(),
        subject,
        not_before: earlier(wish.now, BACKDATING),
        not_after: later(wish.now, wish.life),
        public_key: key.public(),
        authority_key: signer.public(),
        extras: Extras::Authority { names: AltNames::default() },
    };
    Read::from_der(&certificate::sign(&plan, signer)?)
}

/// The CAs of a PEM bundle: certificates, with the keys that belong to them.
pub(crate) fn from_bundle(pem: &str, chance: &mut Chance) -> Vec<Issuer> {
    let keys: Vec<Arc<CaKey>> = pem_blocks(pem)
        .iter()
        .filter(|(label, _)| label.ends_with("PRIVATE KEY"))
        .filter_map(|(_, der)| CaKey::from_der(der).map(Arc::new))
        .collect();
    Read::all_from_pem(pem)
        .into_iter()
        .map(|certificate| {
            let public = der::Encode::to_der(&certificate.key).unwrap_or_default();
            let key = keys.iter().find(|key| key.public() == public).cloned();
            Issuer::new(chance.uuid(), certificate, key)
        })
        .collect()
}
