//! `sys/capabilities-self` and `sys/internal/ui/mounts`: what a token may do, as far as the policy text says.
//! Parameter rules, CIDR lists and missing mounts are not weighed by the first (vault-measured 4).
//! The second needs a good token and some grant below the mount, and burns no use.

use serde_json::{Map, Value, json};

use crate::golang;
use crate::http::answer::{Handled, Refusal, Reply, Success};
use crate::options::Product;
use crate::state::config::Mount;
use crate::state::fields::Fields;
use crate::state::policy::{self, Policy};
use crate::state::token::Token;
use crate::state::turn::Turn;

/// The policies that a token names and that exist.
pub(crate) fn policies_of<'a>(turn: &'a Turn<'_>, token: &'a Token) -> impl Iterator<Item = &'a Policy> {
    let namespace = turn.view.namespace(&token.namespace);
    token.policies.iter().filter_map(move |name| namespace.and_then(|namespace| namespace.policies.get(name)))
}

/// The path as the policies of a token's namespace see it.
pub(crate) fn path_in_policies(namespace: &str, token: &Token, path: &str) -> Option<String> {
    let below = namespace.strip_prefix(token.namespace.as_str())?;
    Some(format!("{below}{path}"))
}

/// `sys/capabilities-self`.
pub(crate) fn capabilities_self(
    turn: &Turn<'_>,
    namespace: &str,
    token: &Token,
    fields: &Map<String, Value>,
) -> Handled {
    let fields = Fields(fields);
    let mut paths = fields.list("paths");
    paths.extend(fields.list("path"));
    if paths.is_empty() {
        return Err(Refusal::bad("paths must be supplied"));
    }
    let mut data = Map::new();
    let mut top = Vec::new();
    for path in &paths {
        let words = if token.is_root() {
            vec![policy::ROOT]
        } else {
            let seen = path_in_policies(namespace, token, path);
            let rule = seen.and_then(|path| policy::rule_for(policies_of(turn, token), &path));
            policy::capability_words(rule.as_ref())
        };
        let words = Value::from(words);
        top.push((path.clone(), words.clone()));
        data.insert(path.clone(), words);
    }
    if let [(_, words)] = top.as_slice() {
        let words = words.clone();
        data.insert("capabilities".to_owned(), words.clone());
        top.push(("capabilities".to_owned(), words));
    }
    let success = Success { data: data.into(), top, mount_type: "system", ..Success::default() };
    Ok(Reply::Data(Box::new(success)))
}

/// `sys/internal/ui/mounts/<path>`.
pub(crate) fn ui_mount(turn: &Turn<'_>, namespace: &str, token: &Token, path: &str) -> Handled {
    let path = path.trim_matches('/');
    let refused = || {
        let shown = golang::quote(&format!("{path}/"));
        Refusal::new(
            403,
            format!(
                "preflight capability check returned 403, please ensure client's policies grant access to path {shown}"
            ),
        )
    };
    let config = turn.view.namespace(namespace);
    let slashed = format!("{path}/");
    let found = config.and_then(|config| config.mount_of(&slashed));
    let (mount_path, mount, _) = found.ok_or_else(refused)?;
    let seen = path_in_policies(namespace, token, mount_path).ok_or_else(refused)?;
    if !token.is_root() && !policy::grants_below(policies_of(turn, token), &seen) {
        return Err(refused());
    }
    Ok(Success::data(shown(turn.product, mount_path, mount), ""))
}

fn shown(product: Product, path: &str, mount: &Mount) -> Value {
    let (version, default_ttl) = match product {
        Product::Vault => {
            (format!("v{}+builtin.vault", super::status::VAULT_VERSION), mount.default_ttl.as_secs())
        }
        // OpenBao shows what was set, not what holds (vault-answers: default_lease_ttl 0).
        Product::OpenBao => ("v2.0.0+builtin.bao".to_owned(), 0),
    };
    json!({
        "accessor": mount.accessor,
        "config": {
            "default_lease_ttl": default_ttl,
            "force_no_cache": false,
            "max_lease_ttl": mount.max_ttl.as_secs(),
        },
        "deprecation_status": "supported",
        "description": "",
        "external_entropy_access": false,
        "local": false,
        "options": {},
        "path": path,
        "plugin_version": "",
        "running_plugin_version": version,
        "running_sha256": "",
        "seal_wrap": false,
        "type": mount.engine.type_name(),
        "uuid": mount.uuid,
    })
}
