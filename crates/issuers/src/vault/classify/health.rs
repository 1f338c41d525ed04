//! What answers to `sys/health` mean. Health proves nothing about a node (vault-measured 1.5), it only names an outage.
//! An answer that hides the health (403, 404, a page) is no failure: a signing issuer may stand behind it (vault-issuer 5.D3).

use super::{Verdict, transient};
use crate::vault::answer::{Body, Reply};

pub(super) fn of(reply: &Reply) -> Option<Verdict> {
    let standby = reply.body.at("/standby").and_then(serde_json::Value::as_bool) == Some(true);
    match reply.status {
        200 => None,
        // A standby forwards; a rate limit has `errors` instead of `standby` (vault-measured 1.10).
        429 if standby => None,
        429 => Some(transient("RateLimited")),
        473 => None,
        // A disaster-recovery secondary can neither log in nor sign (vault-issuer 5.D4).
        472 => Some(transient("WrongNode")),
        // A standby that doesn't reach its leader, a node that was removed (Vault 1.19 and later, vault-server 1.7).
        474 => Some(transient("NoLeader")),
        530 => Some(transient("WrongNode")),
        501 => Some(transient("NotInitialised")),
        503 if reply.body.at("/sealed").is_some() => Some(transient("Sealed")),
        503 => Some(transient("Unavailable")),
        301 | 302 | 303 | 307 | 308 => Some(transient("Redirected")),
        500..=599 => Some(transient("ServerFault")),
        // 400: a path or version that knows no such parameters; 403, 404, 405: a proxy hides it.
        _ => match &reply.body {
            Body::Foreign(text) if text.starts_with("Client sent an HTTP request to an HTTPS server") => {
                Some(super::access("PlainHttpToTlsPort", super::Blamed::Server))
            }
            _ => None,
        },
    }
}
