//! Managing a PKI mount: roles, issuers, the default issuer, generating a root, importing CAs.
//! Every change goes through the turn's configuration, so that lagging nodes keep the old one.
//! Nothing is signed here but the roots that are generated.

use serde_json::json;

use super::ca::{self, Wish};
use super::paths::Target;
use super::role_fields;
use super::{LeafNotAfter, Pki};
use crate::clock::span;
use crate::http::answer::{Handled, Refusal, Reply, Success};
use crate::http::ask::Verb;
use crate::options::CaKeyKind;
use crate::state::config::SYSTEM_TTL;
use crate::state::fields::Fields;
use crate::state::turn::Turn;

pub(super) fn role_call(turn: &mut Turn<'_>, target: &Target<'_>, name: &str, verb: Verb) -> Handled {
    match verb {
        Verb::Write => {
            let role = role_fields::read(Fields(target.fields))?;
            let shown = role_fields::shown(&role);
            change(turn, target, |pki| {
                pki.roles.insert(name.to_owned(), role);
            })?;
            Ok(Success::data(shown, "pki"))
        }
        Verb::Read => {
            let role = target.pki.roles.get(name).ok_or(Refusal::empty(404))?;
            Ok(Success::data(role_fields::shown(role), "pki"))
        }
        Verb::Delete => {
            change(turn, target, |pki| {
                pki.roles.remove(name);
            })?;
            Ok(Reply::NoContent)
        }
        _ => Err(Refusal::unsupported_operation()),
    }
}

fn change(turn: &mut Turn<'_>, target: &Target<'_>, change: impl FnOnce(&mut Pki)) -> Result<(), Refusal> {
    turn.configure_namespace(target.namespace, |namespace| {
        if let Some(pki) = namespace.pki_mut(target.mount_path) {
            change(pki);
        }
    })
}

pub(super) fn generate_root(turn: &mut Turn<'_>, target: &Target<'_>) -> Handled {
    let fields = Fields(target.fields);
    let life = fields.duration("ttl")?.unwrap_or(SYSTEM_TTL).min(target.mount.max_ttl);
    let key = match fields.text("key_type")?.as_str() {
        "ed25519" => CaKeyKind::Ed25519,
        "ec" => CaKeyKind::P256,
        // RSA CAs are not made here; the practice Vault's own kind stands in.
        _ => turn.ca_key,
    };
    let common_name = fields.text("common_name")?;
    let wish = Wish { common_name: &common_name, life, key, now: turn.now };
    let mut issuer = ca::root(&wish, turn.chance).ok_or_else(Refusal::internal)?;
    issuer.name = fields.text("issuer_name")?;
    let data = json!({
        "certificate": issuer.certificate.pem(),
        "expiration": issuer.certificate.not_after.as_second(),
        "issuer_id": issuer.id,
        "issuer_name": issuer.name,
        "issuing_ca": issuer.certificate.pem(),
        "key_id": turn.chance.uuid(),
        "key_name": "",
        "serial_number": issuer.certificate.serial_text(),
    });
    change(turn, target, |pki| {
        pki.default_issuer.get_or_insert_with(|| issuer.id.clone());
        pki.issuers.insert(issuer.id.clone(), issuer);
    })?;
    Ok(Success::data(data, "pki"))
}

pub(super) fn import(turn: &mut Turn<'_>, target: &Target<'_>) -> Handled {
    let bundle = Fields(target.fields).text("pem_bundle")?;
    let issuers = ca::from_bundle(&bundle, turn.chance);
    if issuers.is_empty() {
        return Err(Refusal::bad("'pem_bundle' parameter was empty"));
    }
    let ids: Vec<String> = issuers.iter().map(|issuer| issuer.id.clone()).collect();
    change(turn, target, |pki| {
        for issuer in issuers {
            // The first one with a key becomes the default.
            if pki.default_issuer.is_none() && issuer.key.is_some() {
                pki.default_issuer = Some(issuer.id.clone());
            }
            pki.issuers.insert(issuer.id.clone(), issuer);
        }
    })?;
    Ok(Success::data(json!({ "imported_issuers": ids, "imported_keys": null, "mapping": {} }), "pki"))
}

pub(super) fn set_default(turn: &mut Turn<'_>, target: &Target<'_>) -> Handled {
    let wanted = Fields(target.fields).text("default")?;
    let id = match wanted.as_str() {
        "" => None,
        reference => Some(target.pki.issuer(reference).map_err(Refusal::bad)?.id.clone()),
    };
    change(turn, target, |pki| pki.default_issuer = id)?;
    Ok(Reply::NoContent)
}

pub(super) fn issuer_call(turn: &mut Turn<'_>, target: &Target<'_>, reference: &str, verb: Verb) -> Handled {
    let issuer = target.pki.issuer(reference).map_err(|why| Refusal::new(500, why))?;
    let mut issuer = issuer.clone();
    match verb {
        Verb::Delete => {
            change(turn, target, |pki| {
                pki.issuers.remove(&issuer.id);
                pki.default_issuer.take_if(|id| *id == issuer.id);
            })?;
            return Ok(Reply::NoContent);
        }
        Verb::Read => {}
        Verb::Write | Verb::Patch => {
            let fields = Fields(target.fields);
            if fields.has("issuer_name") {
                issuer.name = fields.text("issuer_name")?;
            }
            if fields.has("usage") {
                issuer.usages = fields.list("usage").into_iter().collect();
            }
            if fields.has("leaf_not_after_behavior") {
                issuer.leaf_not_after = match fields.text("leaf_not_after_behavior")?.as_str() {
                    "truncate" => LeafNotAfter::Truncate,
                    "permit" => LeafNotAfter::Permit,
                    _ => LeafNotAfter::Err,
                };
            }
            let changed = issuer.clone();
            change(turn, target, |pki| {
                pki.issuers.insert(changed.id.clone(), changed);
            })?;
        }
        _ => return Err(Refusal::unsupported_operation()),
    }
    let left = span(turn.now, issuer.certificate.not_after).as_secs();
    let data = json!({
        "certificate": issuer.certificate.pem(),
        "issuer_id": issuer.id,
        "issuer_name": issuer.name,
        "seconds_left": left,
    });
    Ok(Success::data(data, "pki"))
}
