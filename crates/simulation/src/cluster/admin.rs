//! The person behind the faults: calls the API past all of its troubles. Plain JSON, no client library.
//! A refusal is given back; whoever calls decides whether it matters.

use bytes::Bytes;
use everleaf_apiserver::Server;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::Service;

use super::store::{Seat, Writer};

/// Calls as the person behind the faults.
#[derive(Debug, Clone)]
pub struct Admin {
    server: Server,
    seat: Seat,
}

/// A call that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{method} {path}: {code} {says}")]
pub struct Refused {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The status.
    pub code: u16,
    /// The API's words.
    pub says: String,
}

impl Admin {
    /// Calls this API.
    pub fn new(server: Server, seat: Seat) -> Admin {
        Admin { server, seat }
    }

    /// Reads an object; nothing if it isn't there.
    pub async fn get(&self, path: &str) -> Option<Value> {
        self.send(Method::GET, path, None).await.ok()
    }

    /// Creates an object in a collection.
    pub async fn create(&self, collection: &str, object: &Value) -> Result<Value, Refused> {
        self.send(Method::POST, collection, Some(object)).await
    }

    /// Replaces an object.
    pub async fn replace(&self, path: &str, object: &Value) -> Result<Value, Refused> {
        self.send(Method::PUT, path, Some(object)).await
    }

    /// Deletes an object.
    pub async fn delete(&self, path: &str) -> Result<Value, Refused> {
        self.send(Method::DELETE, path, None).await
    }

    /// Reads an object, changes it and writes it back; nothing happens if it isn't there.
    pub async fn change(&self, path: &str, change: impl FnOnce(&mut Value)) -> Result<(), Refused> {
        let whole = path.trim_end_matches("/status");
        let Some(mut object) = self.get(whole).await else { return Ok(()) };
        change(&mut object);
        self.replace(path, &object).await.map(drop)
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refused> {
        let refused = |code: u16, says: String| Refused {
            method: method.to_string(),
            path: path.to_owned(),
            code,
            says,
        };
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("content-type", "application/json")
            .body(Full::new(bytes))
            .map_err(|error| refused(0, error.to_string()))?;
        let call = self.server.clone().call(request);
        let response = match self.seat.serving(Writer::Person, call).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        if code < 300 {
            return Ok(value);
        }
        let says = value.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
        Err(refused(code, says))
    }
}
