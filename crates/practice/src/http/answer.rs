//! What a node answers, as values: envelope, error list, raw bytes; and how they become status and bytes.
//! The order of the fields and the line feed at the end are those of the real servers (vault-answers.json).
//! Nothing here looks at state or decides anything.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::golang;
use crate::options::Product;

/// The media type of nearly every answer.
pub(crate) const JSON: &str = "application/json";

/// What a call gives when it works.
#[derive(Debug)]
pub(crate) enum Reply {
    /// 200 with the usual envelope.
    Data(Box<Success>),
    /// 204 with no body.
    NoContent,
    /// Anything else: health codes, PEM files, redirects.
    Raw(Raw),
}

/// The parts of the envelope that differ from call to call.
#[derive(Debug, Default)]
pub(crate) struct Success {
    pub(crate) data: Value,
    pub(crate) auth: Option<AuthBlock>,
    pub(crate) warnings: Vec<String>,
    pub(crate) lease: Option<(String, Duration)>,
    pub(crate) wrap: Option<WrapBlock>,
    /// The engine that answered, as Vault tells it since 1.16; empty for logins.
    pub(crate) mount_type: &'static str,
    /// Members that some sys calls repeat at the top of the object.
    pub(crate) top: Vec<(String, Value)>,
}

impl Success {
    /// An envelope with this `data`.
    pub(crate) fn data(data: Value, mount_type: &'static str) -> Reply {
        Reply::Data(Box::new(Success { data, mount_type, ..Success::default() }))
    }
}

/// The `auth` member: a login or a renewal.
#[derive(Debug, Clone)]
pub(crate) struct AuthBlock {
    pub(crate) client_token: zeroize::Zeroizing<String>,
    pub(crate) accessor: String,
    pub(crate) policies: Vec<String>,
    pub(crate) metadata: Value,
    pub(crate) lease_duration: Duration,
    pub(crate) renewable: bool,
    pub(crate) entity_id: String,
    pub(crate) token_type: &'static str,
    pub(crate) orphan: bool,
    pub(crate) num_uses: u64,
}

/// The `wrap_info` member.
#[derive(Debug, Clone)]
pub(crate) struct WrapBlock {
    pub(crate) token: zeroize::Zeroizing<String>,
    pub(crate) accessor: String,
    pub(crate) ttl: Duration,
    pub(crate) creation_time: String,
    pub(crate) creation_path: String,
}

/// Why a call doesn't give what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// One text in the error list, or none.
    Told { status: u16, text: Option<String> },
    /// 307 to this place.
    Elsewhere(String),
    /// 404 with an envelope that holds nothing but this warning: another engine at the path (vault-measured 1.9).
    NoData(String),
    /// A standby that answers from its own copy can't do this: the active node must (vault-server 5.4).
    NeedsLeader,
}

impl Refusal {
    /// `{"errors":["text"]}` with this status.
    pub(crate) fn new(status: u16, text: impl Into<String>) -> Refusal {
        Refusal::Told { status, text: Some(text.into()) }
    }

    /// 400 with this text.
    pub(crate) fn bad(text: impl Into<String>) -> Refusal {
        Refusal::new(400, text)
    }

    /// The text in the layout that Go's multierror gives to one cause (vault-measured 7: engine faults arrive wrapped).
    pub(crate) fn wrapped(status: u16, text: &str) -> Refusal {
        Refusal::new(status, format!("1 error occurred:\n\t* {text}\n\n"))
    }

    /// An empty error list.
    pub(crate) fn empty(status: u16) -> Refusal {
        Refusal::Told { status, text: None }
    }

    /// POLICY of vault-measured: the token is good, its policies don't allow this.
    pub(crate) fn policy() -> Refusal {
        Refusal::wrapped(403, "permission denied")
    }

    /// BARE of vault-measured.
    pub(crate) fn bare() -> Refusal {
        Refusal::new(403, "permission denied")
    }

    /// The token is unknown, expired, revoked or used up: INVALID on Vault, BARE on OpenBao.
    pub(crate) fn invalid_token(product: Product) -> Refusal {
        match product {
            Product::Vault => {
                Refusal::new(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
            }
            Product::OpenBao => Refusal::bare(),
        }
    }

    /// 503 of a sealed or uninitialised node, whatever the request.
    pub(crate) fn sealed() -> Refusal {
        Refusal::new(503, "Vault is sealed")
    }

    /// 500 with the text that hides a storage fault.
    pub(crate) fn internal() -> Refusal {
        Refusal::new(500, "internal error")
    }

    /// 500 of a node that is neither active nor knows who is.
    pub(crate) fn leaderless() -> Refusal {
        Refusal::new(500, "local node not active but active cluster node not found")
    }

    /// 404 of a mount that isn't there.
    pub(crate) fn no_route(path: &str) -> Refusal {
        Refusal::new(404, format!("no handler for route {}. route entry not found.", golang::quote(path)))
    }

    /// 404 of a path that its engine doesn't know.
    pub(crate) fn unsupported_path() -> Refusal {
        Refusal::wrapped(404, "unsupported path")
    }

    /// 405 of a verb that its path doesn't know.
    pub(crate) fn unsupported_operation() -> Refusal {
        Refusal::wrapped(405, "unsupported operation")
    }
}

/// What a handler gives back.
pub(crate) type Handled = Result<Reply, Refusal>;

/// An answer that isn't the envelope.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Raw {
    /// JSON text with this status, closed with the line feed of Go's encoder.
    pub(crate) fn json(status: u16, text: &str) -> Raw {
        Raw { status, content_type: Some(JSON), headers: Vec::new(), body: Bytes::from(format!("{text}\n")) }
    }

    /// 307 to this place, with an empty body and no media type.
    pub(crate) fn redirect(location: String) -> Raw {
        Raw { status: 307, content_type: None, headers: vec![("location", location)], body: Bytes::new() }
    }

    /// The error list, as bytes.
    pub(crate) fn refusal(refusal: &Refusal) -> Raw {
        match refusal {
            Refusal::Told { status, text: Some(text) } => {
                let list = golang::json(&Value::from(vec![text.clone()]));
                Raw::json(*status, &format!("{{\"errors\":{list}}}"))
            }
            Refusal::Told { status, text: None } => Raw::json(*status, "{\"errors\":[]}"),
            Refusal::Elsewhere(location) => Raw::redirect(location.clone()),
            Refusal::NoData(_) => Raw::json(404, "{\"errors\":[]}"),
            Refusal::NeedsLeader => Raw::refusal(&Refusal::leaderless()),
        }
    }

    /// 204 as Vault sends it.
    pub(crate) fn no_content() -> Raw {
        Raw { status: 204, content_type: Some(JSON), headers: Vec::new(), body: Bytes::new() }
    }
}

/// Turns what a handler gave into status, headers and bytes.
pub(crate) fn finish(handled: Handled, product: Product, request_id: &str) -> Raw {
    match handled {
        Err(Refusal::NoData(warning)) => {
            let success = Success { warnings: vec![warning], ..Success::default() };
            // The one envelope without a line feed (vault-answers: "mount is not a PKI engine").
            let text = envelope(&success, product, request_id);
            Raw { body: Bytes::from(text), ..Raw::json(404, "") }
        }
        Err(refusal) => Raw::refusal(&spoken(refusal, product)),
        Ok(Reply::NoContent) => Raw::no_content(),
        Ok(Reply::Raw(raw)) => raw,
        // An answer that was put behind a wrapping token has no request id.
        Ok(Reply::Data(success)) if success.wrap.is_some() => {
            Raw::json(200, &envelope(&success, product, ""))
        }
        Ok(Reply::Data(success)) => Raw::json(200, &envelope(&success, product, request_id)),
    }
}

/// OpenBao's framework doesn't repeat the value that it can't convert (vault-answers: "csr is a list").
fn spoken(refusal: Refusal, product: Product) -> Refusal {
    match refusal {
        Refusal::Told { status: 400, text: Some(text) } if product == Product::OpenBao => {
            let value =
                text.starts_with("Field validation failed").then(|| text.find(", value: '")).flatten();
            Refusal::bad(text.get(..value.unwrap_or(text.len())).unwrap_or_default())
        }
        other => other,
    }
}

/// The envelope's text, without the line feed.
pub(crate) fn envelope(success: &Success, product: Product, request_id: &str) -> String {
    let (lease_id, lease) = match &success.lease {
        Some((id, duration)) => (id.as_str(), duration.as_secs()),
        None => ("", 0),
    };
    let mut members: Vec<(&str, Value)> =
        success.top.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    members.extend([
        ("request_id", Value::from(request_id)),
        ("lease_id", Value::from(lease_id)),
        ("renewable", Value::from(false)),
        ("lease_duration", Value::from(lease)),
    ]);
    let mut text = golang::json_struct(&members);
    // The closing brace comes back after the members whose own fields keep the order of a Go struct.
    text.pop();
    text.push_str(&format!(",\"data\":{}", golang::json(&success.data)));
    text.push_str(&format!(",\"wrap_info\":{}", success.wrap.as_ref().map_or("null".into(), wrap_text)));
    let warnings = if success.warnings.is_empty() { Value::Null } else { success.warnings.clone().into() };
    text.push_str(&format!(",\"warnings\":{}", golang::json(&warnings)));
    text.push_str(&format!(",\"auth\":{}", success.auth.as_ref().map_or("null".into(), auth_text)));
    if product == Product::Vault {
        text.push_str(&format!(",\"mount_type\":\"{}\"", success.mount_type));
    }
    text.push('}');
    text
}

fn auth_text(auth: &AuthBlock) -> String {
    golang::json_struct(&[
        ("client_token", Value::from(auth.client_token.as_str())),
        ("accessor", Value::from(auth.accessor.as_str())),
        ("policies", Value::from(auth.policies.clone())),
        ("token_policies", Value::from(auth.policies.clone())),
        ("metadata", auth.metadata.clone()),
        ("lease_duration", Value::from(auth.lease_duration.as_secs())),
        ("renewable", Value::from(auth.renewable)),
        ("entity_id", Value::from(auth.entity_id.as_str())),
        ("token_type", Value::from(auth.token_type)),
        ("orphan", Value::from(auth.orphan)),
        ("mfa_requirement", Value::Null),
        ("num_uses", Value::from(auth.num_uses)),
    ])
}

fn wrap_text(wrap: &WrapBlock) -> String {
    golang::json_struct(&[
        ("token", Value::from(wrap.token.as_str())),
        ("accessor", Value::from(wrap.accessor.as_str())),
        ("ttl", Value::from(wrap.ttl.as_secs())),
        ("creation_time", Value::from(wrap.creation_time.as_str())),
        ("creation_path", Value::from(wrap.creation_path.as_str())),
    ])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_envelope_has_the_recorded_bytes() {
        let success = Success { data: json!({"b": 1, "a": "x"}), mount_type: "pki", ..Success::default() };
        assert_eq!(
            envelope(&success, Product::Vault, "id"),
            r#"{"request_id":"id","lease_id":"","renewable":false,"lease_duration":0,"data":{"a":"x","b":1},"wrap_info":null,"warnings":null,"auth":null,"mount_type":"pki"}"#
        );
        assert!(envelope(&success, Product::OpenBao, "id").ends_with(r#""auth":null}"#));
    }

    #[test]
    fn refusals_have_the_recorded_bytes() {
        let rows = [
            (Refusal::policy(), "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}\n"),
            (Refusal::bare(), "{\"errors\":[\"permission denied\"]}\n"),
            (Refusal::empty(405), "{\"errors\":[]}\n"),
            (
                Refusal::no_route("gone/sign/web"),
                "{\"errors\":[\"no handler for route \\\"gone/sign/web\\\". route entry not found.\"]}\n",
            ),
        ];
        for (refusal, body) in rows {
            assert_eq!(Raw::refusal(&refusal).body, body);
        }
    }
}
