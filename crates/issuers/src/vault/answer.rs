//! One call to Vault and what came back: the only input of `classify`. Bodies are read leniently, statuses are not judged here.
//! It never asks for JSON (proxies speak too), and its `Debug` never shows a body, because a login's body is a token.

use std::fmt;
use std::time::Duration;

use everleaf_core::failure::{Blame, Call, ConnectionId};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::wire::Trouble;

/// How a login is done: the texts of refusals differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// A token given to us: there is no login call, a look-up stands for it.
    Token,
    /// AppRole.
    AppRole,
    /// Kubernetes, or a JWT mount behind the same fields (vault-issuer 1.2): the texts of both are known.
    Kubernetes,
    /// TLS certificate.
    Certificate,
    /// AWS IAM.
    Aws,
}

/// What was asked.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'a> {
    /// A login.
    Login {
        /// How.
        method: Method,
        /// The object that holds the credentials.
        credentials: &'a Blame,
    },
    /// A signature; `cel` for a path of OpenBao's CEL roles, whose refusals are 500 (vault-server 3.7).
    Sign {
        /// The path has a `cel` segment.
        cel: bool,
    },
    /// `sys/health`.
    Health,
    /// `auth/token/lookup-self`.
    LookUp {
        /// The object that holds the token or the credentials it came from.
        credentials: &'a Blame,
    },
    /// `auth/token/renew-self`.
    Renew,
    /// `sys/capabilities-self` and `sys/internal/ui/mounts`.
    Capabilities,
}

impl Asked<'_> {
    /// The call, as conditions and metrics name it.
    pub fn call(&self) -> Call {
        match self {
            Asked::Login { .. } => Call::Login,
            Asked::Sign { .. } => Call::Sign,
            Asked::Health => Call::Health,
            Asked::LookUp { .. } => Call::LookUp,
            Asked::Renew => Call::RenewToken,
            Asked::Capabilities => Call::Capabilities,
        }
    }
}

/// What came back: a reply of whoever spoke HTTP, or no reply and why.
pub type Got = Result<Reply, Trouble>;

/// The raw answer to one call.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// What was asked.
    pub asked: Asked<'a>,
    /// The server's address, for the blame.
    pub server: &'a str,
    /// What came back.
    pub got: &'a Got,
}

/// An HTTP reply.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// `Retry-After`; zero counts as absent (OpenBao truncates it, vault-measured 2).
    pub retry_after: Option<Duration>,
    /// `Location`.
    pub location: Option<String>,
    /// The body.
    pub body: Body,
    /// The connection that carried it.
    pub connection: ConnectionId,
}

/// A body, read as far as classification needs.
pub enum Body {
    /// Nothing.
    Empty,
    /// Not JSON: somebody else than Vault's API spoke, or the answer was cut. Our own short words about it.
    Foreign(String),
    /// JSON with a list `errors`: its texts, trimmed at both ends only; empty for an empty list.
    Errors(String),
    /// JSON without `errors`.
    Json(Value),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Empty => f.write_str("Empty"),
            Body::Foreign(words) => write!(f, "Foreign({words:?})"),
            Body::Errors(words) => write!(f, "Errors({words:?})"),
            Body::Json(_) => f.write_str("Json(..)"),
        }
    }
}

/// A foreign body that is no longer than this, plain text, and holds no markup is quoted.
const QUOTABLE: usize = 120;

impl Body {
    /// Reads a body. `content_type` only helps to describe one that isn't JSON; JSON under a wrong type is JSON.
    pub fn read(bytes: &[u8], content_type: Option<&str>) -> Body {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Body::Empty;
        }
        match serde_json::from_slice::<Value>(bytes) {
            Ok(Value::Object(fields)) => match fields.get("errors") {
                Some(Value::Array(texts)) => Body::Errors(joined(texts)),
                Some(Value::String(text)) => Body::Errors(text.trim().to_owned()),
                _ => Body::Json(Value::Object(fields)),
            },
            Ok(_) | Err(_) => Body::Foreign(described(bytes, content_type)),
        }
    }

    /// Takes a string out of the JSON, so that no copy of a token stays behind in it. `None` if there is none or it is empty.
    pub fn take_text(&mut self, pointer: &str) -> Option<Zeroizing<String>> {
        let Body::Json(value) = self else { return None };
        match value.pointer_mut(pointer).map(Value::take) {
            Some(Value::String(text)) if !text.is_empty() => Some(Zeroizing::new(text)),
            _ => None,
        }
    }

    /// A value in the JSON.
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        match self {
            Body::Json(value) => value.pointer(pointer).filter(|value| !value.is_null()),
            Body::Empty | Body::Foreign(_) | Body::Errors(_) => None,
        }
    }

    /// A text in the JSON that isn't empty.
    pub fn text_at(&self, pointer: &str) -> Option<&str> {
        self.at(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}

/// Vault sends at most one text (vault-server 1.1); a proxy in its place may send more, or objects.
fn joined(texts: &[Value]) -> String {
    let text =
        |value: &Value| value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned());
    texts.iter().map(text).collect::<Vec<_>>().join("; ")
}

/// A page may echo what we sent, so only short plain text is quoted; everything else is named.
fn described(bytes: &[u8], content_type: Option<&str>) -> String {
    let plain = std::str::from_utf8(bytes).ok().map(str::trim).filter(|text| {
        text.len() <= QUOTABLE
            && !text.contains(['<', '{', '['])
            && !text.contains("eyJ")
            && !text.contains("hvs.")
    });
    if let Some(text) = plain {
        return text.to_owned();
    }
    let kind = content_type.map_or("", |kind| kind.split(';').next().unwrap_or_default().trim());
    let looks_like_json = bytes.first().is_some_and(|first| matches!(first, b'{' | b'['));
    match kind {
        _ if looks_like_json => "an answer that begins like JSON but isn't, or not an object".to_owned(),
        "" => "an answer that isn't JSON".to_owned(),
        kind => format!("an answer that isn't JSON but {kind}"),
    }
}
