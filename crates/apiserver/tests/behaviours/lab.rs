//! A server to run rows against, by a `kube::Client`: embedded or real, the rows don't know.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::Value;

/// Which server it is, for the few rows that differ on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Embedded,
    Real,
}

/// A server.
pub struct Lab {
    pub kind: Kind,
    client: Client,
    /// Tells namespaces of this run from others'.
    run: String,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub code: u16,
    pub headers: BTreeMap<String, Vec<String>>,
    pub text: String,
    pub body: Value,
}

impl Lab {
    pub fn new(kind: Kind, client: Client, run: &str) -> Lab {
        Lab { kind, client, run: run.to_owned() }
    }

    /// The namespace of a row.
    pub fn namespace(&self, number: usize) -> String {
        format!("row-{}-{number}", self.run)
    }

    /// Sends a request and starts to read the answer.
    pub async fn open(
        &self,
        method: &str,
        path: &str,
        media: Option<&str>,
        accept: &str,
        body: &str,
    ) -> Result<http::Response<Body>, String> {
        let mut request = Request::builder().method(method).uri(path).header("accept", accept);
        request = request.header("user-agent", "behaviours/1.0 (test)");
        if let Some(media) = media {
            request = request.header("content-type", media);
        }
        let request = request.body(Body::from(body.to_owned().into_bytes())).map_err(|e| e.to_string())?;
        self.client.send(request).await.map_err(|error| format!("{method} {path}: {error}"))
    }

    /// Sends a request and reads the answer.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        media: Option<&str>,
        accept: &str,
        body: &str,
    ) -> Result<Answer, String> {
        let response = self.open(method, path, media, accept, body).await?;
        let code = response.status().as_u16();
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in response.headers() {
            headers.entry(name.to_string()).or_default().push(value.to_str().unwrap_or_default().to_owned());
        }
        let read = tokio::time::timeout(Duration::from_secs(60), response.into_body().collect()).await;
        let bytes =
            read.map_err(|_| format!("{method} {path}: no end"))?.map_err(|e| e.to_string())?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer { code, headers, text, body })
    }
}
