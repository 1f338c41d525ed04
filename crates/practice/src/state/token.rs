//! Tokens: how they are made, found, used, renewed and refused (vault-server 4.1, vault-measured 2 to 4).
//! Only the digest of a token is kept; its value leaves once, in the answer that made it.
//! Which calls need which policy is not decided here.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use zeroize::Zeroizing;

use super::cidr::{self, Cidr};
use super::config::SYSTEM_TTL;
use super::policy::{DEFAULT, ROOT};
use super::turn::{Turn, Write};
use super::{Digest, digest};
use crate::clock::{later, span};
use crate::golang;
use crate::http::answer::{AuthBlock, Refusal};
use crate::options::Product;

/// Stored or self-contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum TokenKind {
    /// Stored, renewable, revocable.
    #[default]
    Service,
    /// Self-contained: no write, no renewal, no revocation.
    Batch,
}

impl TokenKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            TokenKind::Service => "service",
            TokenKind::Batch => "batch",
        }
    }
}

/// Which login made a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The accessor of the auth mount.
    pub(crate) mount: String,
    pub(crate) role: String,
    /// The client certificate that was shown, for cert logins.
    pub(crate) certificate: Option<Digest>,
}

/// A token.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) accessor: String,
    pub(crate) policies: Vec<String>,
    pub(crate) namespace: String,
    pub(crate) kind: TokenKind,
    pub(crate) issued: Timestamp,
    pub(crate) creation_ttl: Duration,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) explicit_max_ttl: Duration,
    pub(crate) max_ttl: Duration,
    pub(crate) period: Duration,
    pub(crate) renewable: bool,
    pub(crate) renewed: Option<Timestamp>,
    /// Uses left, when they are limited.
    pub(crate) uses: Option<u64>,
    pub(crate) orphan: bool,
    pub(crate) parent: Option<Digest>,
    pub(crate) display_name: String,
    pub(crate) path: String,
    pub(crate) meta: Value,
    pub(crate) entity: String,
    pub(crate) bound_cidrs: Vec<Cidr>,
    pub(crate) origin: Option<Origin>,
    pub(crate) revoked: Option<Timestamp>,
}

impl Token {
    pub(crate) fn is_root(&self) -> bool {
        self.policies.iter().any(|policy| policy == ROOT)
    }

    /// The whole seconds left; none for a token without end.
    pub(crate) fn ttl(&self, now: Timestamp) -> Duration {
        let left = self.expires.map_or(Duration::ZERO, |expires| span(now, expires));
        Duration::from_secs(left.as_secs())
    }

    fn is_dead(&self, now: Timestamp, knows_revocations_until: Option<Timestamp>) -> bool {
        let revoked =
            self.revoked.is_some_and(|at| knows_revocations_until.is_none_or(|horizon| at <= horizon));
        let expired = self.expires.is_some_and(|expires| expires <= now);
        revoked || expired || self.uses == Some(0)
    }
}

/// What a new token shall be.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewToken {
    pub(crate) policies: Vec<String>,
    pub(crate) no_default_policy: bool,
    pub(crate) namespace: String,
    pub(crate) kind: TokenKind,
    pub(crate) ttl: Option<Duration>,
    pub(crate) max_ttl: Option<Duration>,
    pub(crate) explicit_max_ttl: Option<Duration>,
    pub(crate) period: Option<Duration>,
    pub(crate) unrenewable: bool,
    pub(crate) uses: u64,
    pub(crate) orphan: bool,
    pub(crate) parent: Option<Digest>,
    pub(crate) display_name: String,
    pub(crate) path: String,
    pub(crate) meta: Value,
    pub(crate) entity: String,
    pub(crate) bound_cidrs: Vec<Cidr>,
    pub(crate) origin: Option<Origin>,
}

/// Lengths of the values that the real servers make.
const VAULT_SERVICE_LENGTH: usize = 91;
const VAULT_BATCH_LENGTH: usize = 134;
const ACCESSOR_LENGTH: usize = 24;

/// Makes a token and gives the `auth` block that carries it.
pub(crate) fn issue(turn: &mut Turn<'_>, new: NewToken) -> Result<AuthBlock, Refusal> {
    turn.commit(match new.kind {
        TokenKind::Service => Write::ServiceToken,
        TokenKind::Batch => Write::BatchToken,
    })?;
    let value = new_value(turn, new.kind);
    let token = token(turn, new);
    let block = auth_block(&value, &token, token.creation_ttl);
    turn.ledger.remember_token(digest(&value), token, turn.now);
    Ok(block)
}

fn new_value(turn: &mut Turn<'_>, kind: TokenKind) -> Zeroizing<String> {
    Zeroizing::new(match (turn.product, kind) {
        (Product::Vault, TokenKind::Service) => format!("hvs.{}", turn.chance.word(VAULT_SERVICE_LENGTH)),
        (Product::Vault, TokenKind::Batch) => format!("hvb.{}", turn.chance.word(VAULT_BATCH_LENGTH)),
        (Product::OpenBao, TokenKind::Service) => format!("s.{}", turn.chance.word(ACCESSOR_LENGTH)),
        (Product::OpenBao, TokenKind::Batch) => format!("b.{}", turn.chance.word(VAULT_BATCH_LENGTH)),
    })
}

fn token(turn: &mut Turn<'_>, new: NewToken) -> Token {
    let explicit = new.explicit_max_ttl.unwrap_or_default();
    let max = [new.max_ttl, new.explicit_max_ttl].into_iter().flatten().fold(SYSTEM_TTL, Duration::min);
    let wanted = new.period.or(new.ttl).unwrap_or(SYSTEM_TTL);
    let ttl = if new.period.is_some() { wanted } else { wanted.min(max) };
    let mut policies = new.policies;
    let is_root = policies.iter().any(|policy| policy == ROOT);
    if !new.no_default_policy && !is_root {
        policies.push(DEFAULT.to_owned());
    }
    policies.sort();
    policies.dedup();
    // A root token without a wished life has no end.
    let endless = is_root && new.ttl.is_none() && new.explicit_max_ttl.is_none();
    let batch = new.kind == TokenKind::Batch;
    Token {
        accessor: if batch { String::new() } else { turn.chance.word(ACCESSOR_LENGTH) },
        policies,
        namespace: new.namespace,
        kind: new.kind,
        issued: turn.now,
        creation_ttl: if endless { Duration::ZERO } else { ttl },
        expires: (!endless).then(|| later(turn.now, ttl)),
        explicit_max_ttl: explicit,
        max_ttl: new.max_ttl.unwrap_or_default(),
        period: new.period.unwrap_or_default(),
        renewable: !batch && !new.unrenewable && !endless,
        renewed: None,
        uses: (new.uses > 0).then_some(new.uses),
        orphan: new.orphan,
        parent: new.parent,
        display_name: new.display_name,
        path: new.path,
        meta: new.meta,
        entity: new.entity,
        bound_cidrs: new.bound_cidrs,
        origin: new.origin,
        revoked: None,
    }
}

/// The `auth` block for a token with this much life.
pub(crate) fn auth_block(value: &str, token: &Token, lease: Duration) -> AuthBlock {
    AuthBlock {
        client_token: Zeroizing::new(value.to_owned()),
        accessor: token.accessor.clone(),
        policies: token.policies.clone(),
        metadata: token.meta.clone(),
        lease_duration: lease,
        renewable: token.renewable,
        entity_id: token.entity.clone(),
        token_type: token.kind.as_str(),
        orphan: token.orphan,
        num_uses: token.uses.unwrap_or(0),
    }
}

/// Finds the token of a request, or says why there is none (vault-measured 2: INVALID, BARE, or 500 for a JWT).
pub(crate) fn find(turn: &Turn<'_>, value: Option<&str>, from: IpAddr) -> Result<(Digest, Token), Refusal> {
    let Some(value) = value else { return Err(Refusal::bare()) };
    if looks_like_a_jwt(value) {
        return Err(match turn.product {
            Product::Vault => Refusal::wrapped(500, "internal error"),
            Product::OpenBao => Refusal::bare(),
        });
    }
    if let Some(refusal) = bad_batch_token(turn.product, value) {
        return Err(refusal);
    }
    let key = digest(value);
    let token =
        turn.ledger.tokens.get(&key).filter(|token| !token.is_dead(turn.now, turn.knows_revocations_until));
    let Some(token) = token else {
        // An OpenBao standby forwards what it doesn't know, but only tokens of its own form (vault-measured 4.5).
        if turn.answers_from_a_copy() && value.starts_with("s.") {
            return Err(Refusal::NeedsLeader);
        }
        return Err(Refusal::invalid_token(turn.product));
    };
    if !cidr::allows(&token.bound_cidrs, from) || turn.ledger.is_entity_barred(&token.entity) {
        return Err(Refusal::bare());
    }
    Ok((key, token.clone()))
}

/// A batch token is base64; Vault says so with a 500 when it isn't (seen on 1.21.1; no such answer of OpenBao is known).
fn bad_batch_token(product: Product, value: &str) -> Option<Refusal> {
    let body = value.strip_prefix("hvb.").or_else(|| value.strip_prefix("b."))?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let stray = body.bytes().position(|byte| !legal(byte));
    let at = stray.or_else(|| (body.len() % 4 == 1).then(|| body.len() - 1))?;
    let text = format!("error performing token check: illegal base64 data at input byte {at}");
    (product == Product::Vault).then(|| Refusal::new(500, text))
}

fn looks_like_a_jwt(value: &str) -> bool {
    let known = ["hvs.", "hvb.", "s.", "b."].iter().any(|prefix| value.starts_with(prefix));
    !known && value.matches('.').count() == 2
}

/// Renews a token: the new life in whole seconds and the warning, if it was cut (vault-measured 3).
pub(crate) fn renew(
    turn: &mut Turn<'_>,
    key: &Digest,
    increment: Option<Duration>,
    limits: RenewLimits,
) -> Result<(Duration, Option<String>), Refusal> {
    turn.commit(Write::Renewal)?;
    let now = turn.now;
    let Some(token) = turn.ledger.tokens.get_mut(key) else {
        return Err(Refusal::invalid_token(turn.product));
    };
    let period = limits.period.unwrap_or(token.period);
    let wanted =
        if period.is_zero() { increment.or(limits.ttl).unwrap_or(token.creation_ttl) } else { period };
    let most = [limits.max_ttl.unwrap_or(token.max_ttl), token.explicit_max_ttl]
        .into_iter()
        .filter(|max| !max.is_zero())
        .fold(SYSTEM_TTL, Duration::min);
    // Vault cuts the present to whole seconds first, so a fresh token has its whole life left.
    let present = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let left = Duration::from_secs(span(present, later(token.issued, most)).as_secs());
    let capped = period.is_zero() || !token.explicit_max_ttl.is_zero();
    let granted = if capped { wanted.min(left) } else { wanted };
    let warning = (granted < wanted).then(|| {
        format!(
            "TTL of \"{}\" exceeded the effective max_ttl of \"{}\"; TTL value is capped accordingly",
            golang::short_duration_text(wanted),
            golang::short_duration_text(left)
        )
    });
    token.expires = Some(later(now, granted));
    token.renewed = Some(now);
    Ok((granted, warning))
}

/// What the role of a login says at a renewal; nothing for other tokens.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RenewLimits {
    pub(crate) ttl: Option<Duration>,
    pub(crate) max_ttl: Option<Duration>,
    pub(crate) period: Option<Duration>,
}
