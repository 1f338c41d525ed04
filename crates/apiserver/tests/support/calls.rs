//! Plain calls of the service, without a client in between.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::needless_pass_by_value)]

use bytes::Bytes;
use everleaf_apiserver::Server;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::Service;

pub const JSON: &str = "application/json";
pub const MERGE: &str = "application/merge-patch+json";
pub const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// The code and the body of an answer.
pub async fn call(
    server: &Server,
    method: &str,
    path: &str,
    media: &str,
    body: impl Into<Bytes>,
) -> (u16, Bytes) {
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, media);
    let request = request.body(Full::new(body.into())).unwrap();
    let response = server.clone().call(request).await.unwrap();
    let code = response.status().as_u16();
    (code, response.into_body().collect().await.unwrap().to_bytes())
}

/// The same with JSON in and out.
pub async fn ask(server: &Server, method: &str, path: &str, body: Value) -> (u16, Value) {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let media = if method == "PATCH" { MERGE } else { JSON };
    let (code, bytes) = call(server, method, path, media, text).await;
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// The lines that a watch tells next, as far as they come in one piece.
pub struct Watch(everleaf_apiserver::Body);

impl Watch {
    pub async fn begin(server: &Server, path: &str) -> Watch {
        let request = Request::builder().uri(path).body(Full::new(Bytes::new())).unwrap();
        let response = server.clone().call(request).await.unwrap();
        assert_eq!(response.status(), 200);
        Watch(response.into_body())
    }

    /// None at the end.
    pub async fn next(&mut self) -> Option<Vec<Value>> {
        let data = self.0.frame().await?.unwrap().into_data().unwrap();
        Some(String::from_utf8_lossy(&data).lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }
}

/// An event of a watch as `TYPE name`.
pub fn told(event: &Value) -> String {
    let kind = event["type"].as_str().unwrap_or_default();
    let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default();
    format!("{kind} {name}").trim().to_owned()
}
