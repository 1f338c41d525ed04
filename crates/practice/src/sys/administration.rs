//! Administration over HTTP: mounts, auth mounts, policies, quotas, namespaces. Enough to set up an issuer with plain calls.
//! The same calls work on a real Vault, so one set-up serves both (contract tests).
//! Sealing and stepping down concern the node and are handled where nodes are known.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::auth::AuthMethod;
use crate::golang;
use crate::http::answer::{Handled, Refusal, Reply, Success};
use crate::http::ask::Verb;
use crate::options::Product;
use crate::pki::Pki;
use crate::state::config::{AuthMount, Engine, Mount, Namespace, SYSTEM_TTL, mount_path};
use crate::state::fields::Fields;
use crate::state::hcl;
use crate::state::policy::Policy;
use crate::state::quota::Quota;
use crate::state::turn::Turn;

/// Answers a call below `sys/` that changes or shows configuration.
pub(crate) fn answer(
    turn: &mut Turn<'_>,
    namespace: &str,
    rest: &str,
    verb: Verb,
    fields: &Map<String, Value>,
) -> Handled {
    let fields = Fields(fields);
    if let Some(path) = rest.strip_prefix("mounts/") {
        return mounts(turn, namespace, path, verb, fields);
    }
    if let Some(path) = rest.strip_prefix("auth/") {
        return auths(turn, namespace, path, verb, fields);
    }
    if let Some(path) = rest.strip_prefix("namespaces/") {
        return namespaces(turn, namespace, path, verb);
    }
    let segments: Vec<&str> = rest.split('/').collect();
    match segments.as_slice() {
        ["policy", name] | ["policies", "acl", name] => policies(turn, namespace, name, verb, fields),
        ["quotas", "config"] => quota_config(turn, verb, fields),
        ["quotas", "rate-limit", name] => quotas(turn, name, verb, fields),
        ["quotas", "lease-count", _] => Err(match turn.product {
            Product::Vault => Refusal::new(404, "enterprise-only feature"),
            Product::OpenBao => Refusal::unsupported_path(),
        }),
        _ => Err(Refusal::unsupported_path()),
    }
}

/// The lives that a mount's `config` or its tuning sets.
fn lives(fields: Fields<'_>, mount: (Duration, Duration)) -> Result<(Duration, Duration), Refusal> {
    let config = match fields.value("config") {
        Some(Value::Object(config)) => config.clone(),
        _ => fields.0.clone(),
    };
    let config = Fields(&config);
    let default = config.duration("default_lease_ttl")?.unwrap_or(mount.0);
    let max = config.duration("max_lease_ttl")?.unwrap_or(mount.1);
    Ok((default, max))
}

fn mounts(turn: &mut Turn<'_>, namespace: &str, path: &str, verb: Verb, fields: Fields<'_>) -> Handled {
    if let Some(path) = path.strip_suffix("/tune") {
        return tune(turn, namespace, path, verb, fields);
    }
    let path = mount_path(path);
    match verb {
        Verb::Write => {
            let kind = fields.text("type")?;
            let engine = engine(&kind, fields)?;
            let (default_ttl, max_ttl) = lives(fields, (SYSTEM_TTL, SYSTEM_TTL))?;
            let word = engine.type_name();
            let accessor = format!("{word}_{:08x}", turn.chance.number() as u32);
            let mount = Mount { accessor, uuid: turn.chance.uuid(), default_ttl, max_ttl, engine };
            let taken = turn.view.namespace(namespace).is_some_and(|ns| ns.mounts.contains_key(&path));
            if taken {
                return Err(Refusal::bad(format!("path is already in use at {path}")));
            }
            turn.configure_namespace(namespace, |namespace| {
                namespace.mounts.insert(path, mount);
            })?;
            Ok(Reply::NoContent)
        }
        Verb::Delete => {
            turn.configure_namespace(namespace, |namespace| {
                namespace.mounts.remove(&path);
            })?;
            Ok(Reply::NoContent)
        }
        _ => Err(Refusal::unsupported_operation()),
    }
}

fn engine(kind: &str, fields: Fields<'_>) -> Result<Engine, Refusal> {
    let version = fields.value("options").and_then(|options| options.get("version")).and_then(Value::as_str);
    match kind {
        "pki" => Ok(Engine::Pki(Box::<Pki>::default())),
        "kv" => Ok(Engine::Kv(if version == Some("2") { 2 } else { 1 })),
        "kv-v2" => Ok(Engine::Kv(2)),
        "" => Err(Refusal::bad("backend type must be specified as a string")),
        other => Err(Refusal::bad(format!("plugin not found in the catalog: {other}"))),
    }
}

fn tune(turn: &mut Turn<'_>, namespace: &str, path: &str, verb: Verb, fields: Fields<'_>) -> Handled {
    let path = mount_path(path);
    let known = turn.view.namespace(namespace).and_then(|ns| ns.mounts.get(&path));
    let mount = known
        .cloned()
        .ok_or_else(|| Refusal::bad(format!("cannot fetch sysview for path {}", golang::quote(&path))))?;
    match verb {
        Verb::Write => {
            let (default_ttl, max_ttl) = lives(fields, (mount.default_ttl, mount.max_ttl))?;
            turn.configure_namespace(namespace, |namespace| {
                if let Some(mount) = namespace.mounts.get_mut(&path) {
                    mount.default_ttl = default_ttl;
                    mount.max_ttl = max_ttl;
                }
            })?;
            Ok(Reply::NoContent)
        }
        Verb::Read => {
            let data = json!({
                "default_lease_ttl": mount.default_ttl.as_secs(),
                "description": "",
                "force_no_cache": false,
                "max_lease_ttl": mount.max_ttl.as_secs(),
            });
            Ok(Success::data(data, "system"))
        }
        _ => Err(Refusal::unsupported_operation()),
    }
}

fn auths(turn: &mut Turn<'_>, namespace: &str, path: &str, verb: Verb, fields: Fields<'_>) -> Handled {
    if path.ends_with("/tune") {
        return Ok(Reply::NoContent);
    }
    let path = mount_path(path);
    match verb {
        Verb::Write => {
            let kind = fields.text("type")?;
            let unknown = || Refusal::bad(format!("plugin not found in the catalog: {kind}"));
            let method = AuthMethod::new(&kind).ok_or_else(unknown)?;
            let accessor = format!("auth_{kind}_{:08x}", turn.chance.number() as u32);
            let taken = turn.view.namespace(namespace).is_some_and(|ns| ns.auths.contains_key(&path));
            if taken {
                return Err(Refusal::bad(format!("path is already in use at {path}")));
            }
            turn.configure_namespace(namespace, |namespace| {
                namespace.auths.insert(path, AuthMount { accessor, method });
            })?;
            Ok(Reply::NoContent)
        }
        Verb::Delete => {
            let known = turn.view.namespace(namespace).and_then(|ns| ns.auths.get(&path));
            let accessor = known.map(|auth| auth.accessor.clone());
            turn.configure_namespace(namespace, |namespace| {
                namespace.auths.remove(&path);
            })?;
            // Its tokens go with it (vault-server 7, row 14).
            let now = turn.now;
            turn.ledger.revoke_where(now, |token| {
                token.origin.as_ref().is_some_and(|origin| Some(&origin.mount) == accessor.as_ref())
            });
            Ok(Reply::NoContent)
        }
        _ => Err(Refusal::unsupported_operation()),
    }
}

fn policies(turn: &mut Turn<'_>, namespace: &str, name: &str, verb: Verb, fields: Fields<'_>) -> Handled {
    match verb {
        Verb::Write => {
            let policy = hcl::policy(&fields.text("policy")?)
                .map_err(|why| Refusal::bad(format!("failed to parse policy: {why}")))?;
            turn.configure_namespace(namespace, |namespace| {
                namespace.policies.insert(name.to_owned(), policy);
            })?;
            Ok(Reply::NoContent)
        }
        Verb::Delete => {
            turn.configure_namespace(namespace, |namespace| {
                namespace.policies.remove(name);
            })?;
            Ok(Reply::NoContent)
        }
        Verb::Read => {
            let known: Option<&Policy> = turn.view.namespace(namespace).and_then(|ns| ns.policies.get(name));
            let policy = known.ok_or(Refusal::empty(404))?;
            Ok(Success::data(json!({ "name": name, "policy": policy.text }), "system"))
        }
        _ => Err(Refusal::unsupported_operation()),
    }
}

/// How long a quota's interval is where it isn't said.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

fn quotas(turn: &mut Turn<'_>, name: &str, verb: Verb, fields: Fields<'_>) -> Handled {
    match verb {
        Verb::Write => {
            let rate = fields.number("rate", 0)?;
            if rate == 0 {
                return Err(Refusal::bad("'rate' is invalid"));
            }
            let quota = Quota {
                path: fields.text("path")?,
                rate,
                interval: fields.duration("interval")?.unwrap_or(DEFAULT_INTERVAL),
                block: fields.duration("block_interval")?,
            };
            turn.configure(|config| {
                config.quotas.by_name.insert(name.to_owned(), quota);
            })?;
            Ok(Reply::NoContent)
        }
        Verb::Delete => {
            turn.configure(|config| {
                config.quotas.by_name.remove(name);
            })?;
            Ok(Reply::NoContent)
        }
        _ => Err(Refusal::unsupported_operation()),
    }
}

fn quota_config(turn: &mut Turn<'_>, verb: Verb, fields: Fields<'_>) -> Handled {
    if verb != Verb::Write {
        return Err(Refusal::unsupported_operation());
    }
    let response_headers = fields.flag("enable_rate_limit_response_headers", false)?;
    // A write that doesn't repeat the list empties it: then health is limited too (vault-measured 1.10).
    let exempt = fields.list("rate_limit_exempt_paths");
    turn.configure(|config| {
        config.quotas.response_headers = response_headers;
        config.quotas.exempt = exempt;
    })?;
    Ok(Reply::NoContent)
}

fn namespaces(turn: &mut Turn<'_>, parent: &str, path: &str, verb: Verb) -> Handled {
    if turn.product == Product::Vault {
        return Err(Refusal::new(404, "enterprise-only feature"));
    }
    if let Some((action, target)) = path.split_once("api-lock/").and_then(|(_, rest)| rest.split_once('/')) {
        let full = format!("{parent}{}", mount_path(target));
        let lock = action == "lock";
        turn.configure_namespace(&full, |namespace| namespace.locked = lock)?;
        return Ok(Reply::NoContent);
    }
    let full = format!("{parent}{}", mount_path(path));
    match verb {
        Verb::Write => {
            let id = turn.chance.word(6);
            let uuid = turn.chance.uuid();
            let shown = full.clone();
            turn.configure(|config| {
                config.namespaces.entry(full).or_insert_with(Namespace::new);
            })?;
            let data = json!({
                "custom_metadata": {}, "id": id, "locked": false, "path": shown, "tainted": false, "uuid": uuid,
            });
            Ok(Success::data(data, "namespace"))
        }
        Verb::Delete => {
            turn.configure(|config| {
                config.namespaces.remove(&full);
            })?;
            Ok(Reply::NoContent)
        }
        _ => Err(Refusal::unsupported_operation()),
    }
}
