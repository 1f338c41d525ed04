//! Kubernetes: a ServiceAccount token for a Vault token (vault-server 4.3, vault-measured 3).
//! What is decided locally has its own text; every failure of TokenReview is the same bare 403.
//! Renewing asks no TokenReview, so it survives an outage of the API server.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::tokens_of_jwt::{Parts, take_apart};
use super::{AuthMethod, Place, Principal, Step, TokenRole, store, welcome};
use crate::golang;
use crate::http::answer::{Handled, Refusal, Success};
use crate::http::ask::Verb;
use crate::outside::{Review, Reviewed};
use crate::state::fields::Fields;
use crate::state::turn::Turn;

/// A Kubernetes auth mount.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kubernetes {
    configured: bool,
    pub(crate) roles: BTreeMap<String, Role>,
}

/// A role.
#[derive(Debug, Clone, Default)]
pub(crate) struct Role {
    names: Vec<String>,
    namespaces: Vec<String>,
    audience: String,
    pub(crate) token: TokenRole,
}

/// The clock skew that the plugin forgives, in seconds.
const LEEWAY: i64 = 60;

/// A login that waits for TokenReview.
pub(crate) struct Pending {
    place: Place,
    role_name: String,
    role: Role,
    account: Account,
}

struct Account {
    namespace: String,
    name: String,
    uid: String,
}

pub(crate) fn begin(turn: &mut Turn<'_>, place: &Place, method: &Kubernetes, fields: Fields<'_>) -> Step {
    match local_verdict(turn, method, fields) {
        Err(refusal) => Step::Done(Err(refusal)),
        Ok((role_name, role, account, token, audiences)) => {
            let review = Review {
                token,
                audiences,
                claimed_user: format!("system:serviceaccount:{}:{}", account.namespace, account.name),
                claimed_uid: account.uid.clone(),
            };
            Step::Review(review, Pending { place: place.clone(), role_name, role, account })
        }
    }
}

type Passed = (String, Role, Account, Zeroizing<String>, Vec<String>);

fn local_verdict(turn: &Turn<'_>, method: &Kubernetes, fields: Fields<'_>) -> Result<Passed, Refusal> {
    let role_name = fields.text("role")?;
    if role_name.is_empty() {
        return Err(Refusal::bad("missing role"));
    }
    let token = Zeroizing::new(fields.text("jwt")?);
    if token.is_empty() {
        return Err(Refusal::bad("missing jwt"));
    }
    let unknown = || Refusal::bad(format!("invalid role name {}", golang::quote(&role_name)));
    let role = method.roles.get(&role_name).ok_or_else(unknown)?;
    if !method.configured {
        return Err(Refusal::new(500, "could not load backend configuration"));
    }
    let parts = take_apart(&token).ok_or_else(Refusal::bare)?;
    let account = account(&parts).ok_or_else(Refusal::bare)?;
    let audiences = parts.audiences();
    if !role.audience.is_empty() && !audiences.contains(&role.audience) {
        return Err(Refusal::new(
            403,
            "invalid audience (aud) claim: audience claim does not match any expected audience",
        ));
    }
    parts.check_times(turn.now.as_second(), LEEWAY).map_err(|text| Refusal::new(403, text))?;
    if !is_bound(&role.names, &account.name) {
        return Err(Refusal::new(403, "service account name not authorized"));
    }
    if !is_bound(&role.namespaces, &account.namespace) {
        return Err(Refusal::new(403, "namespace not authorized"));
    }
    let asked = if role.audience.is_empty() { audiences } else { vec![role.audience.clone()] };
    Ok((role_name, role.clone(), account, token, asked))
}

/// The account that a token claims to be: in the bound form, or in its subject.
fn account(parts: &Parts) -> Option<Account> {
    let bound = parts.claims.get("kubernetes.io").and_then(Value::as_object);
    if let Some(bound) = bound {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let of_account = |name| bound.get("serviceaccount").and_then(|account| account.get(name));
        return Some(Account {
            namespace: text(bound.get("namespace")),
            name: text(of_account("name")),
            uid: text(of_account("uid")),
        });
    }
    let (namespace, name) = parts.text("sub").strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let uid = parts.text("kubernetes.io/serviceaccount/service-account.uid");
    Some(Account { namespace: namespace.to_owned(), name: name.to_owned(), uid: uid.to_owned() })
}

fn is_bound(list: &[String], value: &str) -> bool {
    list.iter().any(|bound| bound == "*" || bound == value || glob(bound, value))
}

fn glob(pattern: &str, value: &str) -> bool {
    match pattern.split_once('*') {
        Some((head, tail)) => {
            value.len() >= head.len() + tail.len() && value.starts_with(head) && value.ends_with(tail)
        }
        None => false,
    }
}

pub(crate) fn finish(turn: &mut Turn<'_>, pending: Pending, reviewed: &Reviewed) -> Handled {
    let Pending { place, role_name, role, account } = pending;
    let Reviewed::Authenticated { username, uid, audiences } = reviewed else { return Err(Refusal::bare()) };
    let expected = format!("system:serviceaccount:{}:{}", account.namespace, account.name);
    let same_uid = account.uid.is_empty() || *uid == account.uid;
    let same_audience = role.audience.is_empty() || audiences.contains(&role.audience);
    if *username != expected || !same_uid || !same_audience {
        return Err(Refusal::bare());
    }
    let principal = Principal {
        alias: uid.clone(),
        display_name: format!("{}-{}", account.namespace, account.name),
        metadata: json!({
            "role": role_name,
            "service_account_name": account.name,
            "service_account_namespace": account.namespace,
            "service_account_secret_name": "",
            "service_account_uid": uid,
        }),
        role: role_name,
        certificate: None,
    };
    welcome(turn, &place, principal, &role.token)
}

pub(crate) fn configure(
    turn: &mut Turn<'_>,
    place: &Place,
    method: &Kubernetes,
    segments: &[&str],
    verb: Verb,
    fields: Fields<'_>,
) -> Handled {
    let mut method = method.clone();
    match (segments, verb) {
        (["config"], Verb::Write) => method.configured = true,
        (["role", name], Verb::Write) => {
            let role = method.roles.entry((*name).to_owned()).or_default();
            if fields.has("bound_service_account_names") {
                role.names = fields.list("bound_service_account_names");
            }
            if fields.has("bound_service_account_namespaces") {
                role.namespaces = fields.list("bound_service_account_namespaces");
            }
            if fields.has("audience") {
                role.audience = fields.text("audience")?;
            }
            role.token.read(fields)?;
        }
        (["role", name], Verb::Read) => {
            let role = method.roles.get(*name).ok_or(Refusal::empty(404))?;
            return Ok(Success::data(json!({ "token_policies": role.token.policies }), "kubernetes"));
        }
        (["role", name], Verb::Delete) => {
            method.roles.remove(*name);
        }
        _ => return Err(Refusal::unsupported_path()),
    }
    store(turn, place, AuthMethod::Kubernetes(method))
}
