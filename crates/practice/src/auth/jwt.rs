//! JWT: a signed token, checked offline, for a Vault token (vault-server 4.4, vault-measured 3).
//! Every refusal is a 400; keys are fetched only for a key id that isn't cached.
//! Which texts mean an outage and which a refusal is for the client to tell.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::tokens_of_jwt::{Parts, take_apart};
use super::{AuthMethod, Place, Principal, Step, TokenRole, store, welcome};
use crate::golang;
use crate::http::answer::{Handled, Refusal, Success};
use crate::http::ask::Verb;
use crate::outside::ServedKey;
use crate::state::fields::Fields;
use crate::state::turn::Turn;

/// A JWT auth mount.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jwt {
    keys: Keys,
    bound_issuer: String,
    default_role: String,
    pub(crate) roles: BTreeMap<String, Role>,
}

#[derive(Debug, Clone, Default, PartialEq)]
enum Keys {
    #[default]
    Unconfigured,
    /// `jwt_validation_pubkeys`, PEM.
    Fixed(Vec<String>),
    /// `jwks_url` or `oidc_discovery_url`.
    Served(String),
}

/// A role.
#[derive(Debug, Clone, Default)]
pub(crate) struct Role {
    audiences: Vec<String>,
    subject: String,
    claims: Map<String, Value>,
    user_claim: String,
    pub(crate) token: TokenRole,
}

/// The clock skew that the plugin forgives, in seconds.
const LEEWAY: i64 = 60;

/// A login that waits for keys.
pub(crate) struct Pending {
    place: Place,
    role_name: String,
    role: Role,
    bound_issuer: String,
    token: Zeroizing<String>,
}

pub(crate) fn begin(turn: &mut Turn<'_>, place: &Place, method: &Jwt, fields: Fields<'_>) -> Step {
    match read(method, place, fields) {
        Err(refusal) => Step::Done(Err(refusal)),
        Ok(pending) => match &method.keys {
            Keys::Unconfigured => Step::Done(Err(Refusal::bad("could not load configuration"))),
            Keys::Fixed(keys) => Step::Done(verify_fixed(turn, pending, keys)),
            Keys::Served(url) => {
                let cached = turn.ledger.jwks.get(&place.accessor).cloned();
                let kid = take_apart(&pending.token).map(|parts| parts.kid);
                let known = cached.filter(|keys| keys.iter().any(|key| Some(&key.kid) == kid.as_ref()));
                match known {
                    Some(keys) => Step::Done(finish(turn, pending, Ok(keys))),
                    None => Step::Keys(url.clone(), pending),
                }
            }
        },
    }
}

fn read(method: &Jwt, place: &Place, fields: Fields<'_>) -> Result<Pending, Refusal> {
    let mut role_name = fields.text("role")?;
    if role_name.is_empty() {
        role_name.clone_from(&method.default_role);
    }
    if role_name.is_empty() {
        return Err(Refusal::bad("missing role"));
    }
    let unknown = || Refusal::bad(format!("role {} could not be found", golang::quote(&role_name)));
    let role = method.roles.get(&role_name).cloned().ok_or_else(unknown)?;
    let token = Zeroizing::new(fields.text("jwt")?);
    if token.is_empty() {
        return Err(Refusal::bad("missing token"));
    }
    let (place, bound_issuer) = (place.clone(), method.bound_issuer.clone());
    Ok(Pending { place, role_name, role, bound_issuer, token })
}

fn unverified(why: &str) -> Refusal {
    Refusal::bad(format!("error validating token: error verifying token signature: {why}"))
}

fn malformed() -> Refusal {
    unverified("oidc: malformed jwt: go-jose/go-jose: compact JWS format must have three parts")
}

fn verify_fixed(turn: &mut Turn<'_>, pending: Pending, keys: &[String]) -> Handled {
    let parts = take_apart(&pending.token).ok_or_else(malformed)?;
    if !keys.iter().any(|key| parts.signed_by(&pending.token, key)) {
        return Err(unverified("no known key successfully validated the token signature"));
    }
    accept(turn, pending, &parts)
}

pub(crate) fn finish(turn: &mut Turn<'_>, pending: Pending, keys: Result<Vec<ServedKey>, String>) -> Handled {
    let parts = take_apart(&pending.token).ok_or_else(malformed)?;
    let keys = keys.map_err(|text| unverified(&text))?;
    turn.ledger.jwks.insert(pending.place.accessor.clone(), keys.clone());
    let fitting = keys.iter().filter(|key| parts.kid.is_empty() || key.kid == parts.kid);
    if !fitting.into_iter().any(|key| parts.signed_by(&pending.token, &key.public_key_pem)) {
        return Err(unverified("failed to verify id token signature"));
    }
    accept(turn, pending, &parts)
}

fn accept(turn: &mut Turn<'_>, pending: Pending, parts: &Parts) -> Handled {
    let Pending { place, role_name, role, bound_issuer, .. } = pending;
    check_claims(turn, &role, &bound_issuer, parts)
        .map_err(|text| Refusal::bad(format!("error validating token: {text}")))?;
    check_bound_claims(&role, parts)?;
    let user_claim = if role.user_claim.is_empty() { "sub" } else { &role.user_claim };
    let user = parts.text(user_claim).to_owned();
    if user.is_empty() {
        return Err(Refusal::bad(format!("claim {} not found in token", golang::quote(user_claim))));
    }
    let principal = Principal {
        display_name: user.clone(),
        alias: user,
        metadata: json!({ "role": role_name }),
        role: role_name,
        certificate: None,
    };
    welcome(turn, &place, principal, &role.token)
}

fn check_claims(turn: &Turn<'_>, role: &Role, issuer: &str, parts: &Parts) -> Result<(), &'static str> {
    if !issuer.is_empty() && parts.text("iss") != issuer {
        return Err("invalid issuer (iss) claim");
    }
    if !role.subject.is_empty() && parts.text("sub") != role.subject {
        return Err("invalid subject (sub) claim");
    }
    let audiences = parts.audiences();
    if role.audiences.is_empty() && !audiences.is_empty() {
        return Err("audience claim found in JWT but no audiences bound to the role");
    }
    if !role.audiences.is_empty() && !role.audiences.iter().any(|bound| audiences.contains(bound)) {
        return Err("invalid audience (aud) claim: audience claim does not match any expected audience");
    }
    parts.check_times(turn.now.as_second(), LEEWAY)
}

fn check_bound_claims(role: &Role, parts: &Parts) -> Result<(), Refusal> {
    for (name, wanted) in &role.claims {
        let quoted = golang::quote(name);
        let Some(given) = parts.claims.get(name) else {
            return Err(Refusal::bad(format!("error validating claims: claim {quoted} is missing")));
        };
        let fits = match wanted {
            Value::Array(options) => options.contains(given),
            wanted => wanted == given,
        };
        if !fits {
            let text = format!(
                "error validating claims: claim {quoted} does not match any associated bound claim values"
            );
            return Err(Refusal::bad(text));
        }
    }
    Ok(())
}

pub(crate) fn configure(
    turn: &mut Turn<'_>,
    place: &Place,
    method: &Jwt,
    segments: &[&str],
    verb: Verb,
    fields: Fields<'_>,
) -> Handled {
    let mut method = method.clone();
    match (segments, verb) {
        (["config"], Verb::Write) => {
            let url = fields.text("jwks_url")?;
            let url = if url.is_empty() { fields.text("oidc_discovery_url")? } else { url };
            method.keys = if url.is_empty() {
                Keys::Fixed(fields.list("jwt_validation_pubkeys"))
            } else {
                Keys::Served(url)
            };
            method.bound_issuer = fields.text("bound_issuer")?;
            method.default_role = fields.text("default_role")?;
            turn.ledger.jwks.remove(&place.accessor);
        }
        (["role", name], Verb::Write) => {
            let role = method.roles.entry((*name).to_owned()).or_default();
            role.audiences = fields.list("bound_audiences");
            role.subject = fields.text("bound_subject")?;
            role.user_claim = fields.text("user_claim")?;
            if let Some(Value::Object(claims)) = fields.value("bound_claims") {
                role.claims = claims.clone();
            }
            role.token.read(fields)?;
        }
        (["role", name], Verb::Read) => {
            let role = method.roles.get(*name).ok_or(Refusal::empty(404))?;
            return Ok(Success::data(json!({ "token_policies": role.token.policies }), "jwt"));
        }
        (["role", name], Verb::Delete) => {
            method.roles.remove(*name);
        }
        _ => return Err(Refusal::unsupported_path()),
    }
    store(turn, place, AuthMethod::Jwt(method))
}
