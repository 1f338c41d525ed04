//! What answers to a sign call mean. Only the texts in `REFUSALS` can ever end a request, and only with proof.
//! A text that isn't known is Transient, whatever its status.

use everleaf_core::failure::Finality::{AtOnce, Never, WhenProved};

use super::{Denial, Row, Text, Verdict, denial, inner, is_success, issuer, look_up};
use super::{request, transient};
use crate::vault::answer::{Body, Reply};

/// Refusals of the request itself, status 400 (vault-server 3.4; list of what can be proved: vault-measured 7).
const REFUSALS: &[Row] = &[
    (Text::Around("common name ", " not allowed by this role"), request("NameNotAllowed", WhenProved)),
    (
        Text::Around("subject alternate name ", " not allowed by this role"),
        request("NameNotAllowed", WhenProved),
    ),
    (Text::Around("email address ", " not allowed by this role"), request("NameNotAllowed", WhenProved)),
    (Text::Around("serial_number ", " not allowed by this role"), request("SubjectNotAllowed", WhenProved)),
    (Text::Around("user_id ", " is not allowed by this role"), request("SubjectNotAllowed", WhenProved)),
    (
        Text::Begins("IP Subject Alternative Names are not allowed in this role"),
        request("NameNotAllowed", WhenProved),
    ),
    (Text::Around("the IP address ", " is not allowed in this role"), request("NameNotAllowed", WhenProved)),
    (
        Text::Begins("URI Subject Alternative Names are not allowed in this role"),
        request("NameNotAllowed", WhenProved),
    ),
    (Text::Begins("URI Subject Alternative Names were provided via"), request("NameNotAllowed", WhenProved)),
    (Text::Begins("other SAN "), request("NameNotAllowed", WhenProved)),
    (Text::Begins("role requires keys of type "), request("KeyNotAllowed", WhenProved)),
    (Text::Begins("role requires a minimum of "), request("KeyNotAllowed", WhenProved)),
    (Text::Begins("Vault requires a minimum of "), request("KeyNotAllowed", WhenProved)),
    (Text::Begins("OpenBao requires a minimum of "), request("KeyNotAllowed", WhenProved)),
    (Text::Begins("RSA keys < 2048 bits"), request("KeyNotAllowed", WhenProved)),
    (Text::Begins("the common_name field is required"), request("CommonNameMissing", WhenProved)),
    // These depend on nothing but the CSR (vault-measured 7).
    (Text::Begins("certificate request could not be parsed"), request("UnreadableCsr", AtOnce)),
    (Text::Whole("request signature invalid"), request("UnreadableCsr", AtOnce)),
    // We hold a CSR that isn't empty, so these say that it got lost on the way: believed only when seen again.
    (Text::Whole("\"csr\" is empty"), request("CsrLost", WhenProved)),
    (Text::Whole("csr contains no data"), request("CsrLost", WhenProved)),
];

/// Refusals that concern what we sent, but stand on no list of what can be proved: told, retried slowly.
const UNPROVABLE_REFUSALS: &[Row] = &[
    (Text::Begins("Refusing to sign CSR with empty PublicKey"), request("KeyNotAllowed", Never)),
    (Text::Begins("could not parse CSR's public key"), request("KeyNotAllowed", Never)),
    (Text::Begins("Unknown key type in CSR"), request("KeyNotAllowed", Never)),
    (Text::Begins("unknown type for user_id attribute"), request("SubjectNotAllowed", Never)),
    (Text::Begins("could not parse requested other SAN"), request("NameNotAllowed", Never)),
    (Text::Around("the value ", " is not a valid IP address"), request("NameNotAllowed", Never)),
    (
        Text::Around("the provided URI Subject Alternative Name ", " is not a valid URI"),
        request("NameNotAllowed", Never),
    ),
    (Text::Begins("Field validation failed"), request("FieldRefused", Never)),
    (Text::Begins("Either ttl or not_after should be provided"), request("FieldRefused", Never)),
    (Text::Begins("the \"format\" path parameter"), request("FieldRefused", Never)),
    (Text::Begins("cannot write to a path ending in '/'"), issuer("PathUnknown")),
];

/// Faults of mount, role or CA that come with status 400.
const ISSUER_400: &[Row] = &[
    // False on a lagging OpenBao standby and on a second active node (vault-measured 5.4, 5.6): slow retry, never final.
    (Text::Begins("unknown role: "), issuer("RoleUnknown")),
    // Depends on time: a shorter life may pass (vault-measured 2); `sign.rs` tries one that fits.
    (Text::Begins("cannot satisfy request, as TTL would result in notAfter of "), issuer(CA_ENDS_TOO_SOON)),
    (Text::Begins("cannot satisfy request, as NotAfter date "), issuer("CaExpired")),
    // `issue` in place of `sign`, on a role with key_type any (Vault 1.21.1; OpenBao's text goes on differently).
    (
        Text::Begins("role key type \"any\" not allowed for issuing certificates"),
        issuer("IssueInsteadOfSign"),
    ),
    // We send no not_after: only an expired CA under `truncate` gets here (vault-measured 2).
    (Text::Whole("notAfter before notBefore"), issuer("CaExpired")),
];

/// The CA ends before the life that was asked for.
pub(in crate::vault) const CA_ENDS_TOO_SOON: &str = "CaEndsTooSoon";
/// The token's uses are spent, or it is unknown: a new login cures it.
pub(in crate::vault) const TOKEN_SPENT: &str = "TokenSpent";
/// The policy says no, as far as this node knows: `probe.rs` looks for proof.
const DENIED_BY_POLICY: &str = "DeniedByPolicy";

/// Status 500 with one of these at its end comes from the mount's configuration; the same beginning carries faults of storage
/// (vault-measured 7).
const ISSUER_500: &[Row] = &[
    (Text::Holds("no default issuer currently configured"), issuer("NoDefaultIssuer")),
    (Text::Holds("unable to find PKI issuer for reference"), issuer("CaUnknown")),
    (Text::Holds("unable to fetch corresponding key for issuer"), issuer("CaWithoutKey")),
    (Text::Holds("requested usage issuing-certificates"), issuer("CaMayNotIssue")),
    (Text::Holds("CEL role not found"), issuer("RoleUnknown")),
];

/// 400 with one of these comes from storage or replication (vault-server 1.12).
const PASSING_PARTS: &[&str] =
    &["readonly", "read-only", "standby", "storage", "context", "timeout", "leader"];

pub(super) fn of(reply: &Reply, cel: bool) -> Option<Verdict> {
    match (reply.status, &reply.body) {
        // A KV v1 engine stands where the PKI engine was (vault-measured 2).
        (204, _) => Some(issuer("NotPki")),
        (status, Body::Json(_)) if is_success(status) => match reply.body.text_at("/data/certificate") {
            Some(_) => None,
            None => Some(issuer("NoCertificate")),
        },
        (status, _) if is_success(status) => Some(transient("NotVault")),
        (400, Body::Errors(text)) => Some(bad_request(text)),
        (403, _) => Some(forbidden(reply)),
        (404, body) => Some(not_found(body)),
        (500, Body::Errors(text)) => Some(server_fault(text, cel)),
        _ => Some(transient("UnexpectedStatus")),
    }
}

fn bad_request(text: &str) -> Verdict {
    if let Some(verdict) = look_up(REFUSALS, text).or_else(|| look_up(ISSUER_400, text)) {
        return verdict;
    }
    if PASSING_PARTS.iter().any(|part| text.contains(part)) {
        return transient("ServerFault");
    }
    // A leased role on a token's last use (vault-measured 2): the next token gets further.
    if text.starts_with("Secret cannot be returned; token had one use left") {
        return transient(TOKEN_SPENT);
    }
    look_up(UNPROVABLE_REFUSALS, text).unwrap_or(transient("UnknownRefusal"))
}

fn forbidden(reply: &Reply) -> Verdict {
    match denial(reply) {
        // False on a lagging or leaderless OpenBao standby and on a second active node (vault-measured 1.1, 1.5).
        Some(Denial::Policy) => transient(DENIED_BY_POLICY),
        Some(Denial::Bare | Denial::Invalid) => transient("TokenRefused"),
        None => transient("UnknownRefusal"),
    }
}

fn not_found(body: &Body) -> Verdict {
    match body {
        // KV v2 stands there now: an answer without `errors` (vault-measured 2).
        Body::Json(_) => issuer("NotPki"),
        Body::Errors(text) => match inner(text) {
            // The mount is there, but didn't load, or is being taken away: not settled (vault-server 1.5).
            text if text.ends_with("backend is nil.") || text.ends_with("is tainted.") => {
                transient("MountNotReady")
            }
            // False on a second active node (vault-measured 5.4): slow retry, never final.
            text if text.starts_with("no handler for route ") => issuer("MountMissing"),
            "unsupported path" | "" => issuer("PathUnknown"),
            _ => transient("UnknownRefusal"),
        },
        Body::Empty | Body::Foreign(_) => transient("NotVault"),
    }
}

fn server_fault(text: &str, cel: bool) -> Verdict {
    let inner = inner(text);
    if let Some(verdict) = look_up(ISSUER_500, inner) {
        return verdict;
    }
    // Signed, but not stored and not returned (vault-server 3.6).
    if inner.starts_with("unable to store certificate locally") {
        return transient("NotStored");
    }
    let passing = PASSING_PARTS.iter().any(|part| inner.contains(part));
    match cel && !passing && text != inner {
        // A CEL role refuses in its own words, with status 500 (vault-server 3.7). No text of it can be told from a fault for
        // certain, so it never ends a request.
        true => request("CelRoleRefused", Never),
        false => transient("ServerFault"),
    }
}

/// What stands in the tables here, for the snapshot.
#[cfg(test)]
pub(super) fn tables() -> Vec<(u16, &'static [Row])> {
    vec![(400, REFUSALS), (400, ISSUER_400), (400, UNPROVABLE_REFUSALS), (500, ISSUER_500)]
}
