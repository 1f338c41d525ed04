//! Rows about rights and logins: policies, tokens, auth mounts, lockout, TokenReview, JWTs, quotas, namespaces.
//! Some need a person, some a new login, some only time; a client can't always tell which (vault-measured 3, 4, 7).
//! Deleted things are kept aside and come back as they were.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;

use super::{Needs, Row, Scene};
use crate::faults::deed::Deed;
use crate::faults::stash::Piece;
use crate::outside::{Jwks, Reviewer};

/// The skew of row 25, beyond the 60 s that the plugins forgive.
const SKEW: SignedDuration = SignedDuration::from_mins(-5);
/// The jump of row 43.
const JUMP: SignedDuration = SignedDuration::from_hours(1);
/// How long a client over the limit is kept out in row 20.
const BLOCK: &str = "10s";

/// Changes the auth role, and puts the whole mount back when it heals.
fn auth_role_change(number: u8, what: &'static str, scene: &Scene, fields: serde_json::Value) -> Row {
    Row::new(
        number,
        what,
        vec![Deed::Keep(scene.auth_piece()), Deed::write(scene.auth_role_path(), fields)],
        vec![Deed::PutBack(scene.auth_piece())],
    )
}

/// Row 9: the policy is deleted; the same token works again at once when it is back.
pub fn policy_deleted(scene: &Scene) -> Row {
    let piece = Piece::Policy(scene.policy.clone());
    let delete = Deed::Delete(format!("sys/policies/acl/{}", scene.policy));
    Row::new(9, "policy deleted", vec![Deed::Keep(piece.clone()), delete], vec![Deed::PutBack(piece)])
}

/// Row 10: the auth role gives other policies: old tokens are unaffected, new ones can't sign.
pub fn auth_role_policies_changed(scene: &Scene) -> Row {
    auth_role_change(10, "auth role with other policies", scene, json!({ "token_policies": ["other"] }))
}

/// Row 12: the auth role is deleted: cached tokens sign, renewal gives 500, login is refused.
pub fn auth_role_deleted(scene: &Scene) -> Row {
    Row::new(
        12,
        "auth role deleted",
        vec![Deed::Keep(scene.auth_piece()), Deed::Delete(scene.auth_role_path())],
        vec![Deed::PutBack(scene.auth_piece())],
    )
}

/// Row 14: the auth mount is disabled and its tokens with it.
pub fn auth_disabled(scene: &Scene) -> Row {
    Row::new(
        14,
        "auth mount disabled",
        vec![Deed::Keep(scene.auth_piece()), Deed::Delete(format!("sys/auth/{}", scene.auth))],
        vec![Deed::PutBack(scene.auth_piece())],
    )
}

/// Row 15: the tokens are revoked; a login cures it.
pub fn tokens_revoked() -> Row {
    Row::new(15, "tokens revoked", vec![Deed::RevokeTokens], Vec::new())
}

/// Row 16: tokens live 5 s.
pub fn short_tokens(scene: &Scene) -> Row {
    let mut row = auth_role_change(16, "tokens of 5 s", scene, json!({ "token_ttl": "5s" }));
    row.begin.push(Deed::RevokeTokens);
    row
}

/// Row 17: tokens have 2 uses.
pub fn use_limited_tokens(scene: &Scene) -> Row {
    let mut row = auth_role_change(17, "tokens of 2 uses", scene, json!({ "token_num_uses": 2 }));
    row.begin.push(Deed::RevokeTokens);
    row
}

/// Row 18: batch tokens: no renewal, no revocation.
pub fn batch_tokens(scene: &Scene) -> Row {
    let fields = json!({ "token_type": "batch", "token_ttl": "1m" });
    let mut row = auth_role_change(18, "batch tokens", scene, fields);
    row.begin.push(Deed::RevokeTokens);
    row
}

/// Row 19: tokens are bound to other addresses: the login works and no use of the token does (vault-measured 1.6).
pub fn tokens_bound_elsewhere(scene: &Scene) -> Row {
    let fields = json!({ "token_bound_cidrs": ["192.0.2.0/24"] });
    let mut row = auth_role_change(19, "tokens bound to other addresses", scene, fields);
    row.begin.push(Deed::RevokeTokens);
    row
}

/// Row 20: a rate limit of one request a second for everything, which keeps a client out for 10 s.
pub fn rate_limited() -> Row {
    let quota = json!({ "path": "", "rate": 1, "interval": "1s", "block_interval": BLOCK });
    Row::new(
        20,
        "rate limit",
        vec![Deed::Keep(Piece::Quotas), Deed::write("sys/quotas/rate-limit/everything", quota)],
        vec![Deed::PutBack(Piece::Quotas)],
    )
}

/// Row 21: a rate limit on the login path only.
pub fn logins_rate_limited(scene: &Scene) -> Row {
    let quota = json!({ "path": scene.login_path(), "rate": 1, "interval": "60s" });
    Row::new(
        21,
        "rate limit on logins",
        vec![Deed::Keep(Piece::Quotas), Deed::write("sys/quotas/rate-limit/logins", quota)],
        vec![Deed::PutBack(Piece::Quotas)],
    )
}

/// Row 22: somebody locked the role_id with five wrong secret_ids: the right one is refused too, for 15 minutes.
pub fn locked_out(scene: &Scene) -> Row {
    let role = scene.auth_role.rsplit('/').next().unwrap_or_default().to_owned();
    let lock = Deed::LockOut { mount: scene.auth.clone(), role };
    Row::new(22, "locked out", vec![lock, Deed::RevokeTokens], vec![Deed::Unlock])
}

/// Row 23: TokenReview fails in any of its 20 ways: bare 403 for all of them, within milliseconds.
pub fn token_review_broken() -> Row {
    Row::new(
        23,
        "TokenReview broken",
        vec![Deed::Reviewer(Reviewer::Fails)],
        vec![Deed::Reviewer(Reviewer::Accepts)],
    )
}

/// Row 23, its last variant: TokenReview hangs: bare 403 after 90 s.
pub fn token_review_hangs() -> Row {
    Row::new(
        23,
        "TokenReview hangs",
        vec![Deed::Reviewer(Reviewer::Hangs)],
        vec![Deed::Reviewer(Reviewer::Accepts)],
    )
}

/// Row 24: the reviewer's own credential has expired: the same bytes as row 23.
pub fn reviewer_expired() -> Row {
    Row::new(
        24,
        "reviewer credential expired",
        vec![Deed::Reviewer(Reviewer::Fails)],
        vec![Deed::Reviewer(Reviewer::Accepts)],
    )
}

/// Row 25: the server's clock is behind, so fresh JWTs come from the future.
pub fn jwt_from_the_future() -> Row {
    Row::new(
        25,
        "server clock 5 min behind",
        vec![Deed::SkewClock(SKEW)],
        vec![Deed::SkewClock(SignedDuration::ZERO)],
    )
}

/// Row 26: the JWKS address is down when keys must be fetched.
pub fn jwks_down() -> Row {
    Row::new(26, "JWKS down", vec![Deed::Jwks(Jwks::Refused)], Vec::new())
}

/// Row 27: a wrapped secret_id was unwrapped by somebody else.
pub fn wrapped_secret_used() -> Row {
    Row::new(27, "wrapping tokens used", vec![Deed::ConsumeWrappingTokens], Vec::new())
}

/// Row 41: an OpenBao namespace is locked: 503.
pub fn namespace_locked(namespace: &str) -> Row {
    let lock = |locked| Deed::LockNamespace { namespace: namespace.to_owned(), locked };
    Row::new(41, "namespace locked", vec![lock(true)], vec![lock(false)]).needing(Needs::OpenBao)
}

/// Row 43: the server's clock jumps ahead by an hour: tokens are over before their time.
pub fn clock_jump() -> Row {
    Row::new(
        43,
        "server clock 1 h ahead",
        vec![Deed::SkewClock(JUMP)],
        vec![Deed::SkewClock(SignedDuration::ZERO)],
    )
}

/// How long row 22 lasts if nobody unlocks.
pub const LOCKOUT: Duration = crate::state::ledger::LOCKOUT_SPAN;
