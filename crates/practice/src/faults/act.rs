//! What a fault makes of a call: an answer instead of the work, or a change of what the work gave.
//! Texts are those of the real servers (vault-server 1, vault-measured 2 and 5); proxies' pages are made up.
//! It never touches state: where work is to be done, the caller does it.

use std::time::Duration;

use bytes::Bytes;

use super::{Denial, Fault, Internal, RedirectTo, Twist};
use crate::golang;
use crate::http::answer::{Raw, Refusal};
use crate::http::phase::Phase;
use crate::http::transport::TransportKind;
use crate::options::Product;

/// What to do with a call that a fault has hit.
#[derive(Debug)]
pub(crate) enum Act {
    /// Break the connection; nothing is done.
    Break(TransportKind),
    /// Say nothing for as long as a request may last, then this.
    Silence(Duration, Box<Act>),
    /// Answer like this; nothing is done.
    Answer(Raw),
    /// Answer as a sealed node.
    Sealed,
    /// Answer `sys/health` with this code.
    HealthCode(u16),
    /// Reset, if the connection was idle for so long; else work.
    BreakIfIdle(Duration),
    /// Work, then change the answer.
    Work(Mangle),
}

/// What to change in an answer after the work.
#[derive(Debug, Default)]
pub(crate) struct Mangle {
    pub(crate) twist: Option<Twist>,
    pub(crate) latency: Duration,
    pub(crate) drip: Option<(usize, Duration)>,
    pub(crate) lose: Option<TransportKind>,
    pub(crate) damage: Option<Damage>,
}

/// What happens to the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    Truncated,
    HalfThenSilence,
    HalfJson,
    WrongContentType,
    Oversize(usize),
    NoCertificate,
}

/// The call that was hit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit<'a> {
    pub(crate) product: Product,
    pub(crate) phase: Phase,
    pub(crate) path: &'a str,
    /// Path and query, as a redirect repeats them.
    pub(crate) target: &'a str,
    /// Scheme, host and port of the node.
    pub(crate) address: &'a str,
}

/// The longest that Vault lets a request run (vault-server 5.3).
pub(crate) const LONGEST_REQUEST: Duration = Duration::from_secs(90);
/// A port that nobody listens on: redirects to a dead node point there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Decides what to do.
pub(crate) fn act(fault: &Fault, hit: Hit<'_>) -> Act {
    let answer = |refusal: &Refusal| Act::Answer(Raw::refusal(refusal));
    let damaged = |damage| Act::Work(Mangle { damage: Some(damage), ..Mangle::default() });
    let twisted = |twist| Act::Work(Mangle { twist: Some(twist), ..Mangle::default() });
    match fault {
        Fault::Broken(kind) => Act::Break(*kind),
        Fault::Lost(kind) => Act::Work(Mangle { lose: Some(*kind), ..Mangle::default() }),
        Fault::Hang => Act::Silence(LONGEST_REQUEST, Box::new(Act::Break(TransportKind::Closed))),
        Fault::IdleCut(span) => Act::BreakIfIdle(*span),
        Fault::Latency(latency) => Act::Work(Mangle { latency: *latency, ..Mangle::default() }),
        Fault::TimeLimit(limit) => {
            let refusal = internal(Internal::DeadlineExceeded);
            Act::Silence(*limit, Box::new(answer(&refusal)))
        }
        Fault::Drip { piece, pause } => {
            Act::Work(Mangle { drip: Some((*piece, *pause)), ..Mangle::default() })
        }
        Fault::Sealed => Act::Sealed,
        Fault::Redirect(to) => Act::Answer(Raw::redirect(location(to, hit))),
        Fault::Denied(denial) => answer(&match denial {
            Denial::Bare => Refusal::bare(),
            Denial::Policy => Refusal::policy(),
            Denial::InvalidToken => Refusal::invalid_token(hit.product),
        }),
        Fault::UnknownRole => answer(&unknown_role(hit)),
        Fault::NoRoute => answer(&Refusal::no_route(hit.path)),
        Fault::NotFound => answer(&Refusal::empty(404)),
        Fault::IndexNotPresent => answer(&Refusal::new(412, "required index state not present")),
        Fault::RateLimited(wait) => Act::Answer(rate_limited(hit, *wait)),
        Fault::HealthCode(code) => Act::HealthCode(*code),
        Fault::Internal(text) => answer(&internal(*text)),
        Fault::Page(status) => Act::Answer(page(*status)),
        Fault::Unavailable => answer(&Refusal::new(503, "no active Vault instance found")),
        Fault::PlainHttp => {
            Act::Answer(plain(400, "text/plain", "Client sent an HTTP request to an HTTPS server.\n"))
        }
        Fault::Status(status, text) => answer(&Refusal::new(*status, text.clone())),
        Fault::Empty(status) => Act::Answer(Raw { status: *status, ..Raw::no_content() }),
        Fault::Truncated => damaged(Damage::Truncated),
        Fault::HalfThenSilence => damaged(Damage::HalfThenSilence),
        Fault::HalfJson => damaged(Damage::HalfJson),
        Fault::WrongContentType => damaged(Damage::WrongContentType),
        Fault::Oversize(size) => damaged(Damage::Oversize(*size)),
        Fault::NoCertificate => damaged(Damage::NoCertificate),
        Fault::DeadCertificate => twisted(Twist::Dead),
        Fault::ForeignKey => twisted(Twist::OtherKey),
        Fault::OtherNames => twisted(Twist::OtherNames),
    }
}

fn location(to: &RedirectTo, hit: Hit<'_>) -> String {
    let base = match to {
        RedirectTo::Address(address) => address.trim_end_matches('/'),
        RedirectTo::Nowhere => NOWHERE,
        RedirectTo::Itself => hit.address,
    };
    format!("{base}{}", hit.target)
}

fn unknown_role(hit: Hit<'_>) -> Refusal {
    let role = hit.path.rsplit('/').next().unwrap_or_default();
    match hit.phase {
        Phase::Login if hit.path.contains("jwt") => Refusal::bad("role \"everleaf\" could not be found"),
        Phase::Login if hit.path.contains("approle") => Refusal::bad("invalid role or secret ID"),
        Phase::Login => Refusal::bad("invalid role name \"everleaf\""),
        _ => Refusal::bad(format!("unknown role: {role}")),
    }
}

fn rate_limited(hit: Hit<'_>, wait: Option<u64>) -> Raw {
    let text = format!("request path {}: rate limit quota exceeded", golang::quote(hit.path));
    let mut raw = Raw::refusal(&Refusal::new(429, text));
    raw.headers.extend(wait.map(|seconds| ("retry-after", seconds.to_string())));
    raw
}

fn internal(text: Internal) -> Refusal {
    match text {
        Internal::Bare => Refusal::internal(),
        Internal::Wrapped => Refusal::wrapped(500, "internal error"),
        Internal::Leaderless => Refusal::leaderless(),
        Internal::ContextCanceled => Refusal::new(500, "context canceled"),
        Internal::ActiveContextCanceled => {
            Refusal::new(500, "active context canceled after getting state lock")
        }
        Internal::DeadlineExceeded => Refusal::new(500, "context deadline exceeded"),
        Internal::NotTheLeader => {
            Refusal::wrapped(500, "unable to store certificate locally: node is not the leader")
        }
        Internal::DiskFull => Refusal::wrapped(
            500,
            "unable to store certificate locally: unable to store logs within log store, err: \"write /vault/data/raft/raft.db: no space left on device\"",
        ),
        Internal::PluginShutDown => Refusal::wrapped(500, "plugin is shut down"),
        Internal::NoDefaultIssuer => Refusal::wrapped(
            500,
            "could not fetch the CA certificate (was one set?): no default issuer currently configured",
        ),
    }
}

fn page(status: u16) -> Raw {
    let title = match status {
        502 => "502 Bad Gateway",
        503 => "503 Service Temporarily Unavailable",
        504 => "504 Gateway Time-out",
        _ => "Error",
    };
    plain(
        status,
        "text/html",
        &format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>balancer</center>\r\n</body>\r\n</html>\r\n"
        ),
    )
}

fn plain(status: u16, content_type: &'static str, body: &str) -> Raw {
    let body = Bytes::copy_from_slice(body.as_bytes());
    Raw { status, content_type: Some(content_type), headers: Vec::new(), body }
}

/// Damages the bytes of an answer; truncation is left to the body's end.
pub(crate) fn damage(raw: &mut Raw, damage: Damage) {
    match damage {
        Damage::Truncated | Damage::HalfThenSilence => {}
        Damage::HalfJson => raw.body = raw.body.slice(..raw.body.len() / 2),
        Damage::WrongContentType => raw.content_type = Some("text/html"),
        Damage::Oversize(size) => {
            // Blanks behind JSON are still JSON: only the size is wrong.
            let mut body = raw.body.to_vec();
            body.resize(body.len().saturating_add(size), b' ');
            raw.body = Bytes::from(body);
        }
        Damage::NoCertificate => raw.body = Bytes::from_static(b"{\"data\":{}}\n"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    const HIT: Hit<'_> = Hit {
        product: Product::Vault,
        phase: Phase::Sign,
        path: "pki/sign/web",
        target: "/v1/pki/sign/web?x=1",
        address: "http://127.0.0.1:8200",
    };

    fn answered(fault: &Fault) -> Raw {
        match act(fault, HIT) {
            Act::Answer(raw) => raw,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_have_the_texts_of_the_real_servers() {
        let rows = [
            (Fault::Denied(Denial::Bare), 403, r#"{"errors":["permission denied"]}"#),
            (
                Fault::Denied(Denial::Policy),
                403,
                r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#,
            ),
            (Fault::UnknownRole, 400, r#"{"errors":["unknown role: web"]}"#),
            (
                Fault::NoRoute,
                404,
                r#"{"errors":["no handler for route \"pki/sign/web\". route entry not found."]}"#,
            ),
            (
                Fault::RateLimited(None),
                429,
                r#"{"errors":["request path \"pki/sign/web\": rate limit quota exceeded"]}"#,
            ),
            (Fault::IndexNotPresent, 412, r#"{"errors":["required index state not present"]}"#),
            (
                Fault::Internal(Internal::Leaderless),
                500,
                r#"{"errors":["local node not active but active cluster node not found"]}"#,
            ),
            (Fault::Empty(204), 204, ""),
        ];
        for (fault, status, body) in rows {
            let raw = answered(&fault);
            assert_eq!(
                (raw.status, String::from_utf8_lossy(&raw.body).trim_end()),
                (status, body),
                "{fault:?}"
            );
        }
    }

    #[test]
    fn redirects_keep_path_and_query() {
        let rows = [
            (RedirectTo::Itself, "http://127.0.0.1:8200/v1/pki/sign/web?x=1"),
            (RedirectTo::Nowhere, "http://127.0.0.1:9/v1/pki/sign/web?x=1"),
            (RedirectTo::Address("https://b:8200/".into()), "https://b:8200/v1/pki/sign/web?x=1"),
        ];
        for (to, location) in rows {
            assert_eq!(answered(&Fault::Redirect(to)).headers, vec![("location", location.to_owned())]);
        }
    }
}
