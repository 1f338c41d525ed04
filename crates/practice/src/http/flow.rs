//! A request's way through a node, in Vault's order: namespace, token, policies, use count, route (vault-server 1.4).
//! The order decides which of two faults a client is told: sealed before quota, quota before token, token before route.
//! Node-state calls and the node's standing were dealt with before.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Map, Value};

use super::answer::{Handled, Refusal, Reply};
use super::ask::{Ask, Verb};
use crate::auth::{self, Place, Step};
use crate::golang;
use crate::options::Product;
use crate::pki;
use crate::state::config::{Engine, Mount};
use crate::state::policy;
use crate::state::token::{self, Token};
use crate::state::turn::{Turn, Write};
use crate::state::wrapping;
use crate::state::{Digest, digest};
use crate::sys::{administration, capabilities};

/// How far a request came.
pub(crate) enum Flowed {
    Done(Handled),
    /// A login that may need an answer from outside.
    Login(Box<Step>),
}

/// What the border made of a request.
struct Border {
    namespace: String,
    path: String,
    fields: Map<String, Value>,
    wrap: Option<Duration>,
}

/// Takes a request through.
pub(crate) fn take(turn: &mut Turn<'_>, ask: &Ask) -> Flowed {
    let border = match border(turn, ask) {
        Ok(border) => border,
        Err(refusal) => return Flowed::Done(Err(refusal)),
    };
    if let Some((place, mount)) = login_place(turn, &border) {
        let view = turn.view.clone();
        let auth = view.namespace(&border.namespace).and_then(|ns| ns.auths.get(&mount));
        if let Some(auth) = auth {
            return match auth::login(turn, ask, &place, auth, &border.fields) {
                Step::Done(handled) => Flowed::Done(wrapped(turn, &border, handled)),
                step => Flowed::Login(Box::new(step)),
            };
        }
    }
    let handled = past_the_border(turn, ask, &border);
    Flowed::Done(wrapped(turn, &border, handled))
}

fn border(turn: &Turn<'_>, ask: &Ask) -> Result<Border, Refusal> {
    match ask.verb {
        Verb::Unknown => return Err(Refusal::empty(405)),
        Verb::Options if turn.product == Product::OpenBao => {
            return Err(Refusal::bad("cannot handle internal-only request operation"));
        }
        Verb::Patch if !ask.content_type.starts_with("application/") => {
            return Err(Refusal::bad("mime: no media type"));
        }
        _ => {}
    }
    let fields = match ask.verb {
        Verb::Write | Verb::Patch => ask.fields(turn.product)?,
        _ => ask.query.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect(),
    };
    if ask.verb == Verb::Write && ask.path.ends_with('/') {
        return Err(Refusal::bad("cannot write to a path ending in '/'"));
    }
    let wrap = match &ask.wrap_ttl {
        None => None,
        Some(text) => Some(
            golang::parse_duration(text)
                .map_err(|why| Refusal::bad(format!("error parsing X-Vault-Wrap-TTL header: {why}")))?,
        ),
    };
    let (namespace, path) = namespace(turn, ask)?;
    Ok(Border { namespace, path, fields, wrap: wrap.filter(|ttl| !ttl.is_zero()) })
}

/// The namespace of a request, and its path there. Vault Community ignores the header (vault-measured 2).
fn namespace(turn: &Turn<'_>, ask: &Ask) -> Result<(String, String), Refusal> {
    if turn.product == Product::Vault {
        return Ok((String::new(), ask.path.clone()));
    }
    let header = ask.namespace.as_deref().unwrap_or_default().trim_matches('/');
    let header = if header.is_empty() || header == "root" { String::new() } else { format!("{header}/") };
    let full = format!("{header}{}", ask.path);
    let known = turn.view.namespaces.iter().rev().find(|(path, _)| full.starts_with(path.as_str()));
    let (path, config) = known.ok_or_else(no_namespace)?;
    if !path.starts_with(&header) {
        return Err(no_namespace());
    }
    if config.locked {
        let shown = if path.is_empty() { "root" } else { path };
        return Err(Refusal::new(
            503,
            format!(
                "API access to this namespace has been locked by an administrator - {} must be unlocked to gain access.",
                golang::quote(shown)
            ),
        ));
    }
    let rest = full.strip_prefix(path.as_str()).unwrap_or_default().to_owned();
    Ok((path.clone(), rest))
}

fn no_namespace() -> Refusal {
    Refusal::new(404, "namespace not found")
}

/// Where a login goes, if the path is one of a mount that exists; else the request is an unauthenticated one.
fn login_place(turn: &Turn<'_>, border: &Border) -> Option<(Place, String)> {
    let path = border.path.strip_prefix("auth/")?;
    let (mount, auth, rest) = turn.view.namespace(&border.namespace)?.auth_of(path)?;
    (rest == "login").then(|| {
        let place = Place {
            namespace: border.namespace.clone(),
            mount: mount.to_owned(),
            accessor: auth.accessor.clone(),
        };
        (place, mount.to_owned())
    })
}

fn past_the_border(turn: &mut Turn<'_>, ask: &Ask, border: &Border) -> Handled {
    if let Some(handled) = without_token(turn, ask, border) {
        return handled;
    }
    let value = ask.token.as_ref().map(|token| token.as_str());
    let (key, token) = token::find(turn, value, ask.peer.address)?;
    if let Some(path) = border.path.strip_prefix("sys/internal/ui/mounts/") {
        return capabilities::ui_mount(turn, &border.namespace, &token, path);
    }
    let allowed = is_allowed(turn, ask.verb, border, &token);
    let token = use_once(turn, &key, token)?;
    if !allowed {
        return Err(Refusal::policy());
    }
    let handled = route(turn, ask, border, (&key, &token))?;
    let leased = matches!(&handled, Reply::Data(success) if success.lease.is_some());
    if leased && token.uses == Some(0) {
        return Err(Refusal::bad(
            "Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.",
        ));
    }
    Ok(handled)
}

/// Calls that need no token: CA files, and unwrapping with the wrapping token itself.
fn without_token(turn: &mut Turn<'_>, ask: &Ask, border: &Border) -> Option<Handled> {
    let own = ask.token.as_ref().map(|token| token.as_str());
    let named = wrapping::token_in(&border.fields);
    match border.path.as_str() {
        "sys/wrapping/unwrap" => {
            // With a token of one's own, the wrapping token is in the body and the policies are asked.
            let other = own.is_some_and(|own| turn.ledger.tokens.contains_key(&digest(own)));
            return (!other || named.is_none()).then(|| wrapping::unwrap(turn, named.or(own)));
        }
        "sys/wrapping/lookup" => return Some(wrapping::lookup(turn, named.or(own))),
        _ => {}
    }
    let view = turn.view.clone();
    let (mount_path, mount, rest) = view.namespace(&border.namespace)?.mount_of(&border.path)?;
    let open = ask.verb == Verb::Read && pki::is_open(rest);
    (open && matches!(mount.engine, Engine::Pki(_)))
        .then(|| engine(turn, ask.verb, border, mount_path, mount, rest))
}

fn is_allowed(turn: &Turn<'_>, verb: Verb, border: &Border, token: &Token) -> bool {
    if token.is_root() {
        return true;
    }
    // A token may always speak of itself, in its own namespace.
    let own = border.path.starts_with("auth/token/") && border.path.ends_with("-self");
    let path = match capabilities::path_in_policies(&border.namespace, token, &border.path) {
        Some(path) => path,
        None if own => border.path.clone(),
        None => return false,
    };
    let rule = policy::rule_for(capabilities::policies_of(turn, token), &path);
    policy::permits(rule.as_ref(), verb, &border.fields)
}

/// Counts a use, also of a call that the policies refuse.
fn use_once(turn: &mut Turn<'_>, key: &Digest, mut token: Token) -> Result<Token, Refusal> {
    if let Some(uses) = token.uses {
        turn.commit(Write::TokenUse)?;
        token.uses = Some(uses.saturating_sub(1));
        if let Some(known) = turn.ledger.tokens.get_mut(key) {
            known.uses = token.uses;
        }
    }
    Ok(token)
}

fn route(turn: &mut Turn<'_>, ask: &Ask, border: &Border, own: (&Digest, &Token)) -> Handled {
    let path = border.path.as_str();
    if let Some(rest) = path.strip_prefix("auth/token/") {
        return auth::token_path(turn, ask, rest, &border.fields, own);
    }
    match path {
        "sys/capabilities-self" if ask.verb == Verb::Write => {
            return capabilities::capabilities_self(turn, &border.namespace, own.1, &border.fields);
        }
        "sys/wrapping/unwrap" => return wrapping::unwrap(turn, wrapping::token_in(&border.fields)),
        _ => {}
    }
    configured(turn, ask.verb, border)
}

/// What any root token may call: administration, auth mounts, engines.
fn configured(turn: &mut Turn<'_>, verb: Verb, border: &Border) -> Handled {
    let path = border.path.as_str();
    if let Some(rest) = path.strip_prefix("sys/") {
        return administration::answer(turn, &border.namespace, rest, verb, &border.fields);
    }
    let view = turn.view.clone();
    let no_route = || Refusal::no_route(path);
    let namespace = view.namespace(&border.namespace).ok_or_else(no_route)?;
    if let Some(rest) = path.strip_prefix("auth/") {
        let (mount, auth, rest) = namespace.auth_of(rest).ok_or_else(no_route)?;
        let place = Place {
            namespace: border.namespace.clone(),
            mount: mount.to_owned(),
            accessor: auth.accessor.clone(),
        };
        return auth::configure(turn, &place, auth, rest, verb, &border.fields);
    }
    let (mount_path, mount, rest) = namespace.mount_of(path).ok_or_else(no_route)?;
    engine(turn, verb, border, mount_path, mount, rest)
}

fn engine(
    turn: &mut Turn<'_>,
    verb: Verb,
    border: &Border,
    mount_path: &str,
    mount: &Mount,
    rest: &str,
) -> Handled {
    match &mount.engine {
        Engine::Pki(pki) => pki::answer(
            turn,
            &pki::Target {
                namespace: &border.namespace,
                mount_path,
                mount,
                pki,
                rest,
                verb,
                fields: &border.fields,
            },
        ),
        Engine::Kv(version) => kv(*version, verb),
    }
}

/// Another engine at the path: 204, or a 404 without an error list (vault-measured 1.9).
fn kv(version: u8, verb: Verb) -> Handled {
    if version == 1 {
        return if verb == Verb::Write { Ok(Reply::NoContent) } else { Err(Refusal::empty(404)) };
    }
    let warning = "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. If using the Vault CLI, use 'vault kv put' for this operation.";
    Err(Refusal::NoData(warning.to_owned()))
}

/// Puts a good answer behind a wrapping token, if the request asked for that.
fn wrapped(turn: &mut Turn<'_>, border: &Border, handled: Handled) -> Handled {
    match (border.wrap, handled) {
        (Some(ttl), Ok(Reply::Data(success))) => wrapping::wrap(turn, &success, &border.path, ttl),
        (_, handled) => handled,
    }
}

/// A call by the hand of the test: no token, no policies, no quota. The path may begin with a namespace.
pub(crate) fn as_root(turn: &mut Turn<'_>, path: &str, verb: Verb, fields: &Map<String, Value>) -> Handled {
    let view = turn.view.clone();
    let known = view.namespaces.keys().rev().find_map(|ns| Some((ns, path.strip_prefix(ns.as_str())?)));
    let (namespace, path) = known.ok_or_else(no_namespace)?;
    let border =
        Border { namespace: namespace.clone(), path: path.to_owned(), fields: fields.clone(), wrap: None };
    if let Some(rest) = path.strip_prefix("auth/token/") {
        let root = turn.ledger.tokens.iter().find(|(_, token)| token.is_root());
        let (key, token) = root.map(|(key, token)| (*key, token.clone())).ok_or_else(Refusal::bare)?;
        let token = Token { namespace: namespace.clone(), ..token };
        let ask = Ask::by_hand(verb, path);
        return auth::token_path(turn, &ask, rest, fields, (&key, &token));
    }
    configured(turn, verb, &border)
}

/// Whether the quotas let a request pass; looked at before the token.
pub(crate) fn over_quota(turn: &mut Turn<'_>, path: &str, from: IpAddr) -> Option<super::answer::Raw> {
    let view = turn.view.clone();
    crate::state::quota::refuse(&view.quotas, &mut turn.ledger.buckets, turn.product, path, from, turn.now)
}
