//! AppRole: role_id and secret_id for a token (vault-server 4.2, vault-measured 3).
//! One text for nearly every refusal, and the lockout after five of them, which then refuses the right secret_id too.
//! role_ids are kept as they are; secret_ids only as digests.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::{AuthMethod, Place, Principal, TokenRole, store, welcome};
use crate::clock::{later, span};
use crate::http::answer::{Handled, Refusal, Reply, Success};
use crate::http::ask::{Ask, Verb};
use crate::options::Product;
use crate::state::cidr::{self, Cidr};
use crate::state::fields::Fields;
use crate::state::ledger::SecretId;
use crate::state::turn::{Turn, Write};
use crate::state::{Digest, digest};

/// An AppRole mount.
#[derive(Debug, Clone, Default)]
pub(crate) struct AppRole {
    pub(crate) roles: BTreeMap<String, Role>,
}

/// A role.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) role_id: String,
    bind_secret_id: bool,
    secret_id_ttl: Option<Duration>,
    secret_id_uses: u64,
    secret_id_cidrs: Vec<Cidr>,
    pub(crate) token: TokenRole,
}

/// How often the mount sweeps expired secret-ids; until then they still work (vault-measured 3).
const SWEEP_EVERY: Duration = Duration::from_secs(60);

pub(crate) fn login(
    turn: &mut Turn<'_>,
    ask: &Ask,
    place: &Place,
    method: &AppRole,
    fields: Fields<'_>,
) -> Handled {
    let role_id = fields.text("role_id")?;
    let role_id = role_id.trim();
    if role_id.is_empty() {
        let text = match turn.product {
            Product::Vault => "failed to determine alias name from login request",
            Product::OpenBao => "missing role_id",
        };
        return Err(Refusal::new(500, text));
    }
    if turn.ledger.is_locked_out(&place.accessor, role_id, turn.now) {
        return Err(Refusal::bare());
    }
    let outcome = check(turn, ask, place, method, role_id, fields);
    match outcome {
        Ok((name, secret)) => {
            let role = method.roles.get(&name).cloned().ok_or_else(wrong)?;
            let handled = welcome(turn, place, principal(&name, role_id), &role.token)?;
            use_up(turn, secret);
            turn.ledger.forget_failures(&place.accessor, role_id);
            Ok(handled)
        }
        Err(refusal) => {
            if refusal == wrong() {
                turn.ledger.count_failure(&place.accessor, role_id, turn.now);
            }
            Err(refusal)
        }
    }
}

fn principal(role: &str, role_id: &str) -> Principal {
    Principal {
        role: role.to_owned(),
        alias: role_id.to_owned(),
        display_name: String::new(),
        metadata: json!({ "role_name": role }),
        certificate: None,
    }
}

fn wrong() -> Refusal {
    Refusal::bad("invalid role or secret ID")
}

/// The role's name and the digest of the secret-id that was used, if one is needed.
fn check(
    turn: &mut Turn<'_>,
    ask: &Ask,
    place: &Place,
    method: &AppRole,
    role_id: &str,
    fields: Fields<'_>,
) -> Result<(String, Option<Digest>), Refusal> {
    let found = method.roles.iter().find(|(_, role)| role.role_id == role_id);
    let (name, role) = found.ok_or_else(wrong)?;
    let address = ask.peer.address;
    if !role.bind_secret_id {
        check_role_cidrs(role, address)?;
        return Ok((name.clone(), None));
    }
    let secret_id = zeroize::Zeroizing::new(fields.text("secret_id")?);
    if secret_id.trim().is_empty() {
        return Err(Refusal::bad("missing secret_id"));
    }
    let key = digest(secret_id.trim());
    let secret = turn.ledger.secret_ids.get(&key).ok_or_else(wrong)?;
    let known = secret.mount == place.accessor && secret.role == *name;
    let gone = secret.expires.is_some_and(|expires| was_swept(turn.started, expires, turn.now));
    if !known || gone || secret.uses == Some(0) {
        return Err(wrong());
    }
    if !cidr::allows(&secret.cidrs, address) {
        return Err(Refusal::bad(format!(
            "source address \"{address}\" unauthorized through CIDR restrictions on the secret ID"
        )));
    }
    check_role_cidrs(role, address)?;
    if secret.uses.is_some() {
        turn.commit(Write::TokenUse)?;
    }
    Ok((name.clone(), Some(key)))
}

fn check_role_cidrs(role: &Role, address: std::net::IpAddr) -> Result<(), Refusal> {
    if cidr::allows(&role.secret_id_cidrs, address) {
        return Ok(());
    }
    // The stray format verb is Vault's own (vault-answers: "role with secret_id_bound_cidrs elsewhere").
    Err(Refusal::bad(format!(
        "source address \"{address}\" unauthorized by CIDR restrictions on the role: %!w(<nil>)"
    )))
}

fn use_up(turn: &mut Turn<'_>, secret: Option<Digest>) {
    let Some(secret) = secret.and_then(|key| turn.ledger.secret_ids.get_mut(&key)) else { return };
    secret.uses = secret.uses.map(|uses| uses.saturating_sub(1));
}

fn was_swept(started: Timestamp, expires: Timestamp, now: Timestamp) -> bool {
    let sweeps = |at| span(started, at).as_secs() / SWEEP_EVERY.as_secs();
    sweeps(now) > sweeps(expires)
}

pub(crate) fn configure(
    turn: &mut Turn<'_>,
    place: &Place,
    method: &AppRole,
    segments: &[&str],
    verb: Verb,
    fields: Fields<'_>,
) -> Handled {
    match (segments, verb) {
        (["role", name], Verb::Write) => write_role(turn, place, method, name, fields),
        (["role", name], Verb::Read) => {
            let role = method.roles.get(*name).ok_or(Refusal::empty(404))?;
            Ok(Success::data(json!({ "token_policies": role.token.policies }), "approle"))
        }
        (["role", name], Verb::Delete) => {
            let mut method = method.clone();
            method.roles.remove(*name);
            store(turn, place, AuthMethod::AppRole(method))
        }
        (["role", name, "role-id"], Verb::Read) => {
            let role = method.roles.get(*name).ok_or(Refusal::empty(404))?;
            Ok(Success::data(json!({ "role_id": role.role_id }), "approle"))
        }
        (["role", name, "role-id"], Verb::Write) => {
            let role_id = fields.text("role_id")?;
            let mut method = method.clone();
            method.roles.get_mut(*name).ok_or(Refusal::empty(404))?.role_id = role_id;
            store(turn, place, AuthMethod::AppRole(method))
        }
        (["role", name, "secret-id"], Verb::Write) => {
            let role = method.roles.get(*name).ok_or(Refusal::empty(404))?;
            new_secret_id(turn, place, name, role, fields)
        }
        (["role", name, "custom-secret-id"], Verb::Write) => {
            let role = method.roles.get(*name).ok_or(Refusal::empty(404))?;
            new_secret_id(turn, place, name, role, fields)
        }
        (["role", _, "secret-id", "destroy"], Verb::Write) => {
            turn.commit(Write::Configuration)?;
            turn.ledger.secret_ids.remove(&digest(&fields.text("secret_id")?));
            Ok(Reply::NoContent)
        }
        _ => Err(Refusal::unsupported_path()),
    }
}

fn write_role(
    turn: &mut Turn<'_>,
    place: &Place,
    method: &AppRole,
    name: &str,
    fields: Fields<'_>,
) -> Handled {
    let mut method = method.clone();
    if !method.roles.contains_key(name) {
        // Secret-ids die with their role. They are forgotten only when another one takes its name,
        // so that a role which a trouble has deleted can come back with them.
        turn.ledger.secret_ids.retain(|_, secret| secret.mount != place.accessor || secret.role != name);
    }
    let fresh = Role {
        role_id: turn.chance.uuid(),
        bind_secret_id: true,
        secret_id_ttl: None,
        secret_id_uses: 0,
        secret_id_cidrs: Vec::new(),
        token: TokenRole::default(),
    };
    let role = method.roles.entry(name.to_owned()).or_insert(fresh);
    role.bind_secret_id = fields.flag("bind_secret_id", role.bind_secret_id)?;
    role.secret_id_uses = fields.number("secret_id_num_uses", role.secret_id_uses)?;
    if fields.has("secret_id_ttl") {
        role.secret_id_ttl = fields.duration("secret_id_ttl")?;
    }
    if fields.has("secret_id_bound_cidrs") {
        role.secret_id_cidrs = fields.cidrs("secret_id_bound_cidrs");
    }
    role.token.read(fields)?;
    store(turn, place, AuthMethod::AppRole(method))
}

fn new_secret_id(turn: &mut Turn<'_>, place: &Place, name: &str, role: &Role, fields: Fields<'_>) -> Handled {
    turn.commit(Write::Configuration)?;
    let given = fields.text("secret_id")?;
    let value = zeroize::Zeroizing::new(if given.is_empty() { turn.chance.uuid() } else { given });
    let ttl = fields.duration("ttl")?.or(role.secret_id_ttl);
    let uses = fields.number("num_uses", role.secret_id_uses)?;
    let secret = SecretId {
        mount: place.accessor.clone(),
        role: name.to_owned(),
        uses: (uses > 0).then_some(uses),
        expires: ttl.map(|ttl| later(turn.now, ttl)),
        cidrs: fields.cidrs("cidr_list"),
    };
    turn.ledger.secret_ids.insert(digest(&value), secret);
    let data = json!({
        "secret_id": value.as_str(),
        "secret_id_accessor": turn.chance.uuid(),
        "secret_id_num_uses": uses,
        "secret_id_ttl": ttl.unwrap_or_default().as_secs(),
    });
    Ok(Success::data(data, "approle"))
}
