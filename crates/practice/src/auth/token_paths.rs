//! `auth/token/...`: create, look up, renew, revoke (vault-server 4.1, vault-measured 3 and 4).
//! Which token may call what was decided before, by its policies.
//! A token's value is only in the answer to the request that brought it or made it.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::renewal_limits;
use crate::golang;
use crate::http::answer::{Handled, Refusal, Reply, Success};
use crate::http::ask::{Ask, Verb};
use crate::state::fields::Fields;
use crate::state::token::{self, NewToken, Token, TokenKind};
use crate::state::turn::{Turn, Write};
use crate::state::{Digest, digest};

/// Answers a call below `auth/token/`.
pub(crate) fn token_path(
    turn: &mut Turn<'_>,
    ask: &Ask,
    rest: &str,
    fields: &Map<String, Value>,
    own: (&Digest, &Token),
) -> Handled {
    let fields = Fields(fields);
    match (rest, ask.verb) {
        ("lookup-self", Verb::Read | Verb::Write) => {
            let value = ask.token.as_ref().map_or("", |token| token.as_str());
            Ok(Success::data(shown(turn, value, own.1), "token"))
        }
        ("renew-self", Verb::Write) => renew_self(turn, ask, own, fields.duration("increment")?),
        ("revoke-self", Verb::Write) => revoke(turn, own.0, own.1),
        ("create" | "create-orphan", Verb::Write) => create(turn, rest == "create-orphan", fields, own),
        ("revoke", Verb::Write) => {
            let key = digest(&fields.text("token")?);
            match turn.ledger.tokens.get(&key).cloned() {
                Some(token) => revoke(turn, &key, &token),
                None => Ok(Reply::NoContent),
            }
        }
        ("revoke-accessor", Verb::Write) => {
            let accessor = fields.text("accessor")?;
            let found = turn.ledger.tokens.iter().find(|(_, token)| token.accessor == accessor);
            let found = found.map(|(key, token)| (*key, token.clone()));
            let (key, token) = found.ok_or_else(|| Refusal::bad("invalid accessor"))?;
            revoke(turn, &key, &token)
        }
        (
            "lookup-self" | "renew-self" | "revoke-self" | "create" | "create-orphan" | "revoke"
            | "revoke-accessor",
            _,
        ) => Err(Refusal::unsupported_operation()),
        _ => Err(Refusal::unsupported_path()),
    }
}

fn shown(turn: &Turn<'_>, value: &str, token: &Token) -> Value {
    let now = turn.now;
    let batch = token.kind == TokenKind::Batch;
    let at = |at| if batch { golang::rfc3339(at) } else { golang::rfc3339_nano(at) };
    let mut data = json!({
        "accessor": token.accessor,
        "creation_time": token.issued.as_second(),
        "creation_ttl": token.creation_ttl.as_secs(),
        "display_name": token.display_name,
        "entity_id": token.entity,
        "expire_time": token.expires.map(at),
        "explicit_max_ttl": token.explicit_max_ttl.as_secs(),
        "id": value,
        "issue_time": at(token.issued),
        "meta": token.meta,
        "num_uses": token.uses.unwrap_or(0),
        "orphan": token.orphan,
        "path": token.path,
        "policies": token.policies,
        "renewable": token.renewable,
        "ttl": token.ttl(now).as_secs(),
        "type": token.kind.as_str(),
    });
    let mut add = |name: &str, value: Value| {
        if let Value::Object(data) = &mut data {
            data.insert(name.to_owned(), value);
        }
    };
    if !token.period.is_zero() {
        add("period", token.period.as_secs().into());
    }
    if let Some(renewed) = token.renewed {
        add("last_renewal", golang::rfc3339_nano(renewed).into());
        add("last_renewal_time", renewed.as_second().into());
    }
    if !token.bound_cidrs.is_empty() {
        add("bound_cidrs", token.bound_cidrs.iter().map(|block| block.as_str()).collect::<Vec<_>>().into());
    }
    if !token.namespace.is_empty() {
        add("namespace_path", token.namespace.as_str().into());
    }
    data
}

fn renew_self(
    turn: &mut Turn<'_>,
    ask: &Ask,
    (key, token): (&Digest, &Token),
    increment: Option<Duration>,
) -> Handled {
    if token.kind == TokenKind::Batch {
        return Err(Refusal::bad("batch tokens cannot be renewed"));
    }
    if !token.renewable {
        return Err(Refusal::bad("lease is not renewable"));
    }
    let limits = renewal_limits(turn, ask, token)?;
    let (granted, warning) = token::renew(turn, key, increment, limits)?;
    let value = ask.token.as_ref().map_or("", |token| token.as_str());
    Ok(Reply::Data(Box::new(Success {
        auth: Some(token::auth_block(value, token, granted)),
        warnings: warning.into_iter().collect(),
        mount_type: "token",
        ..Success::default()
    })))
}

fn revoke(turn: &mut Turn<'_>, key: &Digest, token: &Token) -> Handled {
    if token.kind == TokenKind::Batch {
        return Err(Refusal::bad("batch tokens cannot be revoked"));
    }
    turn.commit(Write::Revocation)?;
    let now = turn.now;
    turn.ledger.revoke(key, now);
    Ok(Reply::NoContent)
}

fn create(
    turn: &mut Turn<'_>,
    orphan: bool,
    fields: Fields<'_>,
    (key, parent): (&Digest, &Token),
) -> Handled {
    let orphan = orphan || fields.flag("no_parent", false)?;
    let mut policies = fields.list("policies");
    if policies.is_empty() {
        policies.clone_from(&parent.policies);
    }
    let name = fields.text("display_name")?;
    let meta = fields.value("meta").cloned().unwrap_or(Value::Null);
    let batch = fields.text("type")? == "batch";
    let new = NewToken {
        policies,
        no_default_policy: fields.flag("no_default_policy", false)?,
        namespace: parent.namespace.clone(),
        kind: if batch { TokenKind::Batch } else { TokenKind::Service },
        ttl: fields.duration("ttl")?,
        explicit_max_ttl: fields.duration("explicit_max_ttl")?,
        period: fields.duration("period")?,
        unrenewable: !fields.flag("renewable", true)?,
        uses: fields.number("num_uses", 0)?,
        orphan,
        parent: (!orphan && !parent.is_root()).then_some(*key),
        display_name: if name.is_empty() { "token".to_owned() } else { format!("token-{name}") },
        path: "auth/token/create".to_owned(),
        meta,
        ..NewToken::default()
    };
    let auth = token::issue(turn, new)?;
    Ok(Reply::Data(Box::new(Success { auth: Some(auth), mount_type: "token", ..Success::default() })))
}
