//! A request as a value: verb, path, the headers that matter, the body's fields.
//! Read once at the border; refusals of bad bodies carry the recorded texts (vault-measured 2).
//! The token and the body may hold secrets: `Debug` shows neither.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use http::{HeaderMap, Request};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::answer::Refusal;
use super::json_limits;
use super::phase::Phase;
use crate::options::Product;

/// Who is at the other end of the connection. A transport puts it into the request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The address that CIDR lists and quotas see.
    pub address: IpAddr,
    /// The client certificate (DER) that the TLS session showed, if any.
    pub certificate: Option<Vec<u8>>,
}

impl Default for Peer {
    fn default() -> Peer {
        Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), certificate: None }
    }
}

/// What a request wants to do, in the words of policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Read,
    Write,
    Delete,
    List,
    Patch,
    Options,
    /// A method that HTTP allows and Vault doesn't know.
    Unknown,
}

/// A request.
pub(crate) struct Ask {
    pub(crate) verb: Verb,
    pub(crate) head: bool,
    /// The path behind `/v1/`.
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) token: Option<Zeroizing<String>>,
    pub(crate) namespace: Option<String>,
    pub(crate) wrap_ttl: Option<String>,
    pub(crate) no_forwarding: bool,
    pub(crate) content_type: String,
    pub(crate) peer: Peer,
    body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ask { verb, path, namespace, body, .. } = self;
        write!(f, "Ask {{ {verb:?} {path}, namespace {namespace:?}, body of {} bytes }}", body.len())
    }
}

impl Ask {
    /// Reads a request whose path begins with `/v1/`.
    pub(crate) fn read(request: &Request<Bytes>) -> Ask {
        let headers = request.headers();
        let query = pairs(request.uri().query().unwrap_or_default());
        let path = request.uri().path();
        let path = percent_decoded(path.strip_prefix("/v1/").unwrap_or(path), false);
        let verb = match request.method().as_str() {
            "GET" if query.get("list").is_some_and(|list| list == "true") => Verb::List,
            "GET" | "HEAD" => Verb::Read,
            "POST" | "PUT" => Verb::Write,
            "DELETE" => Verb::Delete,
            "LIST" => Verb::List,
            "PATCH" => Verb::Patch,
            "OPTIONS" => Verb::Options,
            _ => Verb::Unknown,
        };
        Ask {
            verb,
            head: request.method() == http::Method::HEAD,
            path,
            query,
            token: token(headers),
            namespace: text(headers, "x-vault-namespace"),
            wrap_ttl: text(headers, "x-vault-wrap-ttl").filter(|ttl| !ttl.is_empty()),
            no_forwarding: text(headers, "x-vault-no-request-forwarding").is_some(),
            content_type: text(headers, "content-type").unwrap_or_default(),
            peer: request.extensions().get::<Peer>().cloned().unwrap_or_default(),
            body: Zeroizing::new(request.body().to_vec()),
        }
    }

    /// A call by the hand of the test: no headers and no body.
    pub(crate) fn by_hand(verb: Verb, path: &str) -> Ask {
        Ask {
            verb,
            head: false,
            path: path.to_owned(),
            query: BTreeMap::new(),
            token: None,
            namespace: None,
            wrap_ttl: None,
            no_forwarding: false,
            content_type: String::new(),
            peer: Peer::default(),
            body: Zeroizing::new(Vec::new()),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        Phase::of_path(&self.path)
    }

    /// The body's fields; none for an empty body or JSON `null`.
    pub(crate) fn fields(&self, product: Product) -> Result<Map<String, Value>, Refusal> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Map::new());
        }
        if self.content_type.starts_with("application/x-www-form-urlencoded") {
            return Ok(form_fields(&self.body));
        }
        let look = json_limits::look(&self.body);
        match (product, look.refused) {
            (Product::Vault, Some(text)) => return Err(Refusal::new(500, text)),
            (Product::OpenBao, _) if look.strings > json_limits::OPENBAO_MOST_STRINGS => {
                let why = "refused JSON input due to high complexity: exceeded maximum number of strings";
                return Err(Refusal::bad(why));
            }
            _ => {}
        }
        match serde_json::from_slice::<Value>(&self.body) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(Value::Null) => Ok(Map::new()),
            Ok(other) => Err(parse_failure(product, &wrong_kind(&other))),
            Err(error) => Err(parse_failure(product, &self.syntax_error(&error))),
        }
    }

    fn syntax_error(&self, error: &serde_json::Error) -> String {
        if error.is_eof() {
            return "unexpected EOF".to_owned();
        }
        match self.body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(&first) if !first.is_ascii() || !b"{[\"tfn-0123456789".contains(&first) => {
                format!("invalid character '{}' looking for beginning of value", char::from(first))
            }
            _ => format!("invalid character near byte {}", error.column()),
        }
    }
}

fn parse_failure(product: Product, why: &str) -> Refusal {
    Refusal::bad(match product {
        Product::Vault => format!("error parsing JSON: failed to parse JSON input: {why}"),
        Product::OpenBao => format!("failed to decode JSON input: {why}"),
    })
}

fn wrong_kind(value: &Value) -> String {
    let kind = match value {
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        _ => "number",
    };
    format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
}

/// The token header, else a bearer token; blanks around it don't matter (vault-answers: "token with a space").
fn token(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let value = text(headers, "x-vault-token").filter(|token| !token.is_empty());
    let bearer = || {
        let value = text(headers, "authorization")?;
        value.strip_prefix("Bearer ").map(|token| token.trim().to_owned())
    };
    value.or_else(bearer).filter(|token| !token.is_empty()).map(Zeroizing::new)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decoded(key, true), percent_decoded(value, true))
        })
        .collect()
}

fn form_fields(body: &[u8]) -> Map<String, Value> {
    pairs(&String::from_utf8_lossy(body)).into_iter().map(|(key, value)| (key, Value::from(value))).collect()
}

fn percent_decoded(text: &str, plus_is_blank: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = tail.get(2..).unwrap_or_default();
            }
            (b'+', _) if plus_is_blank => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ask(body: &str) -> Ask {
        let request = Request::post("/v1/pki/sign/web?list=true").header("X-Vault-Token", " abc \n".trim());
        Ask::read(&request.body(Bytes::from(body.to_owned())).unwrap())
    }

    #[test]
    fn bad_bodies_are_refused_in_the_recorded_words() {
        let rows = [
            (
                "hello",
                "error parsing JSON: failed to parse JSON input: invalid character 'h' looking for beginning of value",
            ),
            (
                "[]",
                "error parsing JSON: failed to parse JSON input: json: cannot unmarshal array into Go value of type map[string]interface {}",
            ),
            (
                "\"a\"",
                "error parsing JSON: failed to parse JSON input: json: cannot unmarshal string into Go value of type map[string]interface {}",
            ),
        ];
        for (body, text) in rows {
            assert_eq!(ask(body).fields(Product::Vault), Err(Refusal::bad(text)));
        }
        assert_eq!(
            ask("{\"csr\":\"a").fields(Product::Vault),
            Err(Refusal::new(500, "malformed JSON, unclosed string"))
        );
        assert_eq!(
            ask("{\"csr\":\"a").fields(Product::OpenBao),
            Err(Refusal::bad("failed to decode JSON input: unexpected EOF"))
        );
        assert_eq!(ask("null").fields(Product::Vault), Ok(Map::new()));
    }

    #[test]
    fn debug_shows_neither_token_nor_body() {
        let shown = format!("{:?}", ask("{\"secret_id\":\"hush\"}"));
        assert!(!shown.contains("abc") && !shown.contains("hush"), "{shown}");
    }
}
