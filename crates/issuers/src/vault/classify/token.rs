//! What answers to look-up, renewal and capabilities mean. They inform: none of them ever makes an issuer or a request fail alone,
//! except that a given token which is unknown has to be replaced by somebody.

use super::Blamed::Credentials;
use super::{Denial, Verdict, access, denial, inner, is_success, transient};
use crate::vault::answer::{Asked, Body, Reply};

/// The token is refused by Vault.
const TOKEN_REFUSED: &str = "TokenRefused";
/// The token is good, but may not look at itself (no default policy, vault-measured 4).
pub(in crate::vault) const MAY_NOT_LOOK: &str = "MayNotLook";
/// This token can't be renewed; a login takes its place (vault-measured 3).
const NOT_RENEWABLE: &str = "NotRenewable";

/// Whole texts of renewals that will never work for this token.
const NOT_RENEWABLE_TEXTS: &[&str] = &[
    "lease is not renewable",
    "batch tokens cannot be renewed",
    "lease not found",
    "lease expired",
    "token not found",
    "past the max TTL, cannot renew",
];

pub(super) fn of(asked: &Asked<'_>, reply: &Reply) -> Option<Verdict> {
    match (reply.status, &reply.body) {
        (status, Body::Json(_)) if is_success(status) => None,
        (403, _) => Some(forbidden(asked, reply)),
        (400 | 500, Body::Errors(text)) if is_the_end(inner(text)) => Some(transient(NOT_RENEWABLE)),
        (400 | 500, Body::Errors(_)) => Some(transient("ServerFault")),
        _ => Some(transient("UnexpectedStatus")),
    }
}

fn forbidden(asked: &Asked<'_>, reply: &Reply) -> Verdict {
    match (denial(reply), asked) {
        // A good token without default policy is refused so on all three calls (vault-measured 4).
        (Some(Denial::Policy), _) => transient(MAY_NOT_LOOK),
        (Some(Denial::Bare | Denial::Invalid), Asked::LookUp { .. }) => access(TOKEN_REFUSED, Credentials),
        (Some(Denial::Bare | Denial::Invalid), _) => transient(TOKEN_REFUSED),
        (None, _) => transient("UnknownRefusal"),
    }
}

fn is_the_end(text: &str) -> bool {
    NOT_RENEWABLE_TEXTS.contains(&text)
        || text.ends_with("does not exist during renewal")
        || text.contains("policies have changed, not renewing")
        // The same certificate must be on the connection (vault-measured 3).
        || text.starts_with("failed to renew entry: client identity during renewal")
        || matches!(text, "client certificate must be supplied" | "no client certificate found")
}
