//! Turns an answer into an HTTP response: the headers that every answer has, and a body that faults may have damaged.
//! Headers are those of the real servers; `Date` is added by whoever speaks HTTP.
//! Nothing is decided here.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use super::answer::Raw;
use super::ask::Ask;
use super::body::{Body, Drip, End};
use super::transport::TransportKind;
use crate::faults::act::{Damage, Mangle};

/// An extension of every answer: the node that gave it, and the connection that carried it (0 where there are none).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServedBy {
    /// The node.
    pub node: usize,
    /// The connection's number.
    pub connection: u64,
}

/// The response to a request.
pub(crate) fn response(raw: Raw, ask: &Ask, mangle: &Mangle, served_by: ServedBy) -> Response<Body> {
    let bytes = if ask.head { Bytes::new() } else { raw.body };
    let length = bytes.len();
    let mut response = Response::new(body(bytes, mangle));
    response.extensions_mut().insert(served_by);
    *response.status_mut() = StatusCode::from_u16(raw.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let strict = HeaderValue::from_static("max-age=31536000; includeSubDomains");
    headers.insert(header::STRICT_TRANSPORT_SECURITY, strict);
    if let Some(content_type) = raw.content_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if raw.status != 204 && !ask.head {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    for (name, value) in raw.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    // Both products send the header back (vault-answers: "header X-Vault-Namespace").
    if let Some(Ok(namespace)) = ask.namespace.as_deref().map(HeaderValue::from_str) {
        headers.insert("x-vault-namespace", namespace);
    }
    response
}

fn body(bytes: Bytes, mangle: &Mangle) -> Body {
    let half = bytes.len() / 2;
    let body = match mangle.damage {
        Some(Damage::Truncated) => Body::cut(&bytes, half, End::Broken(TransportKind::Closed)),
        Some(Damage::HalfThenSilence) => Body::cut(&bytes, half, End::Silent),
        _ => Body::whole(bytes),
    };
    match mangle.drip {
        Some((piece, pause)) => body.dripping(Drip { piece, pause }),
        None => body,
    }
}
