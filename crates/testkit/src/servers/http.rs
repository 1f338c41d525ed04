//! A small HTTP client for the starters: asks, and hands back status, headers and body as they came.
//! A connection is never kept, so one client serves tests with runtimes of their own.
//! It judges nothing: an error status is an answer, and only silence is an error.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
const BODY_LIMIT: usize = 64 << 20;

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status line's code.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
}

/// A client that trusts what it was told to trust.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; an empty body is `null`.
    pub fn json(&self) -> Result<Value> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }

    /// Nothing for a 2xx answer whose body doesn't matter, an error otherwise.
    pub fn accepted(&self) -> Result<()> {
        if !self.status.is_success() {
            bail!("{}: {}", self.status, self.text().trim());
        }
        Ok(())
    }

    /// The JSON body of a 2xx answer; anything else is an error with the server's own words.
    pub fn success(&self) -> Result<Value> {
        self.accepted()?;
        self.json()
    }
}

impl Http {
    /// A client for plain HTTP.
    pub fn plain() -> Result<Self> {
        Self::new("", None)
    }

    /// A client that trusts the certificates in `ca`, PEM, and nothing else.
    pub fn trusting(ca: &str) -> Result<Self> {
        Self::new(ca, None)
    }

    /// The same, showing a client certificate (PEM chain and PEM key).
    pub fn trusting_as(ca: &str, chain: &str, key: &str) -> Result<Self> {
        Self::new(ca, Some((chain, key)))
    }

    fn new(ca: &str, identity: Option<(&str, &str)>) -> Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some((chain, key)) => {
                let chain =
                    CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>()?;
                config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?
            }
        };
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { client })
    }

    /// Sends one request; `headers` are name and value, `body` is JSON.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = match body {
            None => Bytes::new(),
            Some(body) => {
                request = request.header(http::header::CONTENT_TYPE, "application/json");
                Bytes::from(serde_json::to_vec(body)?)
            }
        };
        let request = request.body(Full::new(bytes))?;
        let answer = async {
            let response = self.client.request(request).await?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, BODY_LIMIT).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("{url}: {error}"))?.to_bytes();
            anyhow::Ok(Answer { status: head.status, headers: head.headers, body })
        };
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(answer) => answer.with_context(|| format!("ask {url}")),
            Err(_) => bail!("{url} did not answer within {PATIENCE:?}"),
        }
    }
}
