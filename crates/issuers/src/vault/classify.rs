//! From a raw answer of Vault or OpenBao to a [`Failure`]: one pure match. What isn't known is Transient and goes on.
//! It never waits, never asks again and never proves anything: a 403 stays Transient here until `probe.rs` has evidence.
//! Texts are compared whole or by both their ends; `permission denied` somewhere in a text decides nothing (vault-measured 7).

use everleaf_core::failure::{Blame, Class, Failure, Finality, Says};

use super::answer::{Answer, Asked, Body, Reply};
use crate::wire::{Trouble, TroubleKind};

mod health;
mod login;
mod sign;
mod token;

pub(super) use login::WRONG_CREDENTIALS;
pub(super) use sign::{CA_ENDS_TOO_SOON, TOKEN_SPENT};
pub(super) use token::MAY_NOT_LOOK;

/// What an answer means, before it is put into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    class: Class,
    code: &'static str,
    finality: Finality,
    blamed: Blamed,
}

/// Whom to blame; `classify` knows their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blamed {
    Server,
    Issuer,
    Credentials,
    Request,
}

const fn transient(code: &'static str) -> Verdict {
    Verdict { class: Class::Transient, code, finality: Finality::Never, blamed: Blamed::Server }
}

const fn access(code: &'static str, blamed: Blamed) -> Verdict {
    Verdict { class: Class::Access, code, finality: Finality::Never, blamed }
}

const fn issuer(code: &'static str) -> Verdict {
    Verdict { class: Class::Issuer, code, finality: Finality::Never, blamed: Blamed::Issuer }
}

const fn request(code: &'static str, finality: Finality) -> Verdict {
    Verdict { class: Class::Request, code, finality, blamed: Blamed::Request }
}

/// What an answer means; `None` if it is what was asked for.
pub fn classify(answer: &Answer<'_>) -> Option<Failure> {
    match answer.got {
        Err(trouble) => Some(failure(answer, of_trouble(trouble), None, &trouble.kind.words())),
        Ok(reply) => {
            let verdict = of_reply(&answer.asked, reply)?;
            Some(failure(answer, verdict, reply.retry_after, &words(reply)))
        }
    }
}

fn of_reply(asked: &Asked<'_>, reply: &Reply) -> Option<Verdict> {
    if let Asked::Health = asked {
        return health::of(reply);
    }
    if let Some(verdict) = alike_everywhere(reply) {
        return Some(verdict);
    }
    match asked {
        Asked::Sign { cel } => sign::of(reply, *cel),
        Asked::Login { method, .. } => login::of(reply, *method),
        Asked::LookUp { .. } | Asked::Renew | Asked::Capabilities => token::of(asked, reply),
        Asked::Health => None,
    }
}

/// Statuses that mean the same on every path but `sys/health` (vault-server 1.5 to 1.7, 1.12).
fn alike_everywhere(reply: &Reply) -> Option<Verdict> {
    match (reply.status, &reply.body) {
        // A redirect that is still there after one hop: to a dead leader, without end (vault-measured 5.5), or to itself (5.4).
        (301 | 302 | 303 | 307 | 308, _) => Some(transient("Redirected")),
        (408, _) => Some(transient("Timeout")),
        // Replication lag, Vault Enterprise (vault-server 1.5).
        (412, _) => Some(transient("ReadLag")),
        (425, _) => Some(transient("TooEarly")),
        (429, _) => Some(transient("RateLimited")),
        // A secondary answers ordinary calls so (vault-server 1.7).
        (472..=474 | 530, _) => Some(transient("WrongNode")),
        (501, _) => Some(transient("NotInitialised")),
        (503, body) => Some(unavailable(body)),
        (502 | 504, _) => Some(transient("BadGateway")),
        // Plain HTTP to the TLS port: 400 in plain text (vault-measured 3); somebody must mend the address.
        (400, Body::Foreign(text)) if text.starts_with("Client sent an HTTP request to an HTTPS server") => {
            Some(access("PlainHttpToTlsPort", Blamed::Server))
        }
        // Wrong verb, too large, wrong type: a fault of the path or of something in between, whoever says so (vault-server 1.12).
        (405 | 413 | 415, _) => Some(issuer("CallRefused")),
        // OpenBao, checked before the token (vault-measured 2); Vault CE ignores the header.
        (404, Body::Errors(text)) if text == "namespace not found" => {
            Some(access("NamespaceNotFound", Blamed::Issuer))
        }
        // Not JSON: somebody in between spoke (vault-server 1.12).
        (_, Body::Foreign(_)) => Some(transient("NotVault")),
        (500, Body::Errors(text)) => shared_server_fault(text),
        _ => None,
    }
}

fn unavailable(body: &Body) -> Verdict {
    match body {
        Body::Errors(text) if text.ends_with("Vault is sealed") => transient("Sealed"),
        Body::Errors(text) if text == "namespace is sealed" => transient("Sealed"),
        Body::Errors(text) if text.starts_with("API access to this namespace has been locked") => {
            transient("NamespaceLocked")
        }
        _ => transient("Unavailable"),
    }
}

/// Server faults with the same text on every path. All of them heal: every 500 that isn't known otherwise is Transient
/// (vault-measured 7).
fn shared_server_fault(text: &str) -> Option<Verdict> {
    let inner = inner(text);
    if inner.ends_with("Vault is sealed") {
        return Some(transient("Sealed"));
    }
    match inner {
        // A survivor without a leader (vault-measured 5.5), and any node for half a second at a step-down (5.1).
        "local node not active but active cluster node not found" => Some(transient("NoLeader")),
        "active context canceled after getting state lock" => Some(transient("NoLeader")),
        // Storage, audit device, identity (vault-server 1.8); a service login on a second active node (vault-measured 5.4).
        "internal error" => Some(transient("InternalError")),
        "context canceled" | "context deadline exceeded" => Some(transient("ServerTimeout")),
        // A deposed leader that doesn't know it yet (vault-measured 5.4), or one that loses the others just now (5.5).
        inner if inner.ends_with("node is not the leader") => Some(transient("NotTheLeader")),
        inner if inner.ends_with("leadership lost while committing log") => Some(transient("NotTheLeader")),
        inner if inner.starts_with("error performing token check") => Some(transient("InternalError")),
        _ => None,
    }
}

fn of_trouble(trouble: &Trouble) -> Verdict {
    match &trouble.kind {
        TroubleKind::NameNotResolved => transient("NameNotResolved"),
        TroubleKind::Refused => transient("ConnectionRefused"),
        TroubleKind::Unreachable => transient("Unreachable"),
        TroubleKind::ConnectDeadline(_) => transient("ConnectTimeout"),
        TroubleKind::Deadline(_) => transient("NoAnswer"),
        TroubleKind::Lost => transient("ConnectionLost"),
        TroubleKind::NotHttp => transient("NotHttp"),
        TroubleKind::TooLarge(_) => transient("AnswerTooLarge"),
        TroubleKind::Tls(_) => transient("TlsFailed"),
        TroubleKind::BadRedirect(_) => transient("RedirectNotFollowed"),
        TroubleKind::BadProxy(_) => access("ProxyNotSpoken", Blamed::Server),
        // Wrong at configuration time, but also the sign of a rotation under way: it goes on, slowly, and is told (vault-server 1.11).
        TroubleKind::Untrusted(_) => access("ServerNotTrusted", Blamed::Server),
        TroubleKind::NotTls => access("ServerSpeaksNoTls", Blamed::Server),
        TroubleKind::ClientCertificate(_) => access("ClientCertificateRefused", Blamed::Credentials),
    }
}

fn failure(
    answer: &Answer<'_>,
    verdict: Verdict,
    retry_after: Option<std::time::Duration>,
    says: &str,
) -> Failure {
    let blame = match (verdict.blamed, &answer.asked) {
        (Blamed::Issuer, _) => Blame::Issuer,
        (Blamed::Request, _) => Blame::Request,
        (Blamed::Credentials, Asked::Login { credentials, .. } | Asked::LookUp { credentials }) => {
            (*credentials).clone()
        }
        (Blamed::Credentials, _) => Blame::Issuer,
        (Blamed::Server, _) => Blame::Server(answer.server.to_owned()),
    };
    Failure {
        class: verdict.class,
        call: answer.asked.call(),
        code: verdict.code,
        says: Says::new(says),
        retry_after,
        blame,
        finality: verdict.finality,
    }
}

/// The other side's words, or ours where it has none.
fn words(reply: &Reply) -> String {
    let status = reply.status;
    match &reply.body {
        Body::Errors(text) if !text.is_empty() => text.clone(),
        Body::Errors(_) | Body::Empty => match &reply.location {
            Some(target) => format!("status {status} to {}", shortened(target)),
            None => format!("status {status} without words"),
        },
        Body::Foreign(words) => format!("status {status}: {words}"),
        Body::Json(value) => match first_warning(value) {
            Some(warning) => format!("status {status}: {warning}"),
            None if value.get("sealed") == Some(&serde_json::Value::Bool(true)) => {
                "Vault is sealed".to_owned()
            }
            None => format!("status {status} without what was asked for"),
        },
    }
}

/// A redirect's query could hold anything; the rest says where it leads.
fn shortened(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

fn first_warning(value: &serde_json::Value) -> Option<&str> {
    value.get("warnings")?.as_array()?.first()?.as_str()
}

/// A refusal of the token, of which there are three with exact bytes (vault-measured, beginning).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Denial {
    /// The token is good, its policies don't allow the call, as far as this node knows.
    Policy,
    /// OpenBao: the token is unknown, or as on Vault: its CIDR list excludes us, or its entity is disabled.
    Bare,
    /// Vault: the token is unknown, expired, revoked or used up.
    Invalid,
}

/// Which refusal a 403 is; `None` if it is none of the three, or no 403.
pub fn denial(reply: &Reply) -> Option<Denial> {
    let Body::Errors(text) = &reply.body else { return None };
    match (reply.status, text.as_str()) {
        (403, "1 error occurred:\n\t* permission denied") => Some(Denial::Policy),
        (403, "2 errors occurred:\n\t* permission denied\n\t* invalid token") => Some(Denial::Invalid),
        (403, "permission denied") => Some(Denial::Bare),
        _ => None,
    }
}

/// Engine faults arrive wrapped: `1 error occurred:\n\t* <text>` (vault-measured 7). The text inside, or the whole.
fn inner(text: &str) -> &str {
    text.strip_prefix("1 error occurred:\n\t* ").map_or(text, str::trim)
}

/// How a known text is recognised.
#[derive(Debug, Clone, Copy)]
enum Text {
    /// The whole text.
    Whole(&'static str),
    /// How it begins.
    Begins(&'static str),
    /// How it begins and ends, with the other side's own value between.
    Around(&'static str, &'static str),
    /// A part of it: only where the rest is a prefix that faults of storage share (vault-measured 7).
    Holds(&'static str),
}

impl Text {
    fn fits(self, text: &str) -> bool {
        match self {
            Text::Whole(whole) => text == whole,
            Text::Begins(start) => text.starts_with(start),
            Text::Around(start, end) => {
                text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
            }
            Text::Holds(part) => text.contains(part),
        }
    }
}

/// One row of a table of known texts.
type Row = (Text, Verdict);

/// The first row that fits.
fn look_up(rows: &[Row], text: &str) -> Option<Verdict> {
    rows.iter().find(|(known, _)| known.fits(text)).map(|(_, verdict)| *verdict)
}

/// A success status, 204 apart.
fn is_success(status: u16) -> bool {
    (200..300).contains(&status) && status != 204
}

#[cfg(test)]
mod tests;
