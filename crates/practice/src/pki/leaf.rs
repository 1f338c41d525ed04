//! Leaves made by hand, with their keys: for the server's own TLS and for client certificates in tests.
//! No role is asked; names and dates are taken as they are.
//! Engine signing is in `sign`.

use jiff::Timestamp;

use super::ca::Issuer;
use super::certificate::{self, Extras, Plan};
use super::keys::CaKey;
use super::reading::{AltNames, Read};
use crate::chance::Chance;
use crate::options::CaKeyKind;

/// A leaf to make.
pub(crate) struct LeafWish<'a> {
    pub(crate) common_name: &'a str,
    pub(crate) names: AltNames,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

/// A leaf with its key.
pub(crate) struct Leaf {
    pub(crate) certificate: Read,
    pub(crate) key: CaKey,
}

/// Makes a key and a certificate for it.
pub(crate) fn sign(wish: &LeafWish<'_>, ca: &Issuer, kind: CaKeyKind, chance: &mut Chance) -> Option<Leaf> {
    let signer = ca.key.as_deref()?;
    let key = CaKey::draw(kind, chance)?;
    let plan = Plan {
        serial: certificate::serial(chance),
        issuer: ca.certificate.subject.clone(),
        subject: certificate::common_name(wish.common_name),
        not_before: wish.not_before,
        not_after: wish.not_after,
        public_key: key.public(),
        authority_key: signer.public(),
        extras: Extras::Leaf { names: wish.names.clone(), server: true, client: true },
    };
    let certificate = Read::from_der(&certificate::sign(&plan, signer)?)?;
    Some(Leaf { certificate, key })
}
