//! Makers and short calls for the tests of the practice Vault.
//! Everything is in process; a call gives status and body, or what broke.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::time::Duration;

use bytes::Bytes;
use everleaf_practice::{
    CaKeyKind, Furnished, Options, Practice, RequestNames, Scene, TransportError, TransportKind,
    certificate_request, furnish, whole_body,
};
use http::Request;
use serde_json::{Value, json};

/// What a call gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gave {
    Answer {
        status: u16,
        body: String,
        location: Option<String>,
        retry_after: Option<String>,
    },
    Broke(TransportKind),
    /// Nothing, for as long as the caller was patient.
    Nothing,
}

impl Gave {
    pub fn status(&self) -> u16 {
        match self {
            Gave::Answer { status, .. } => *status,
            Gave::Broke(_) | Gave::Nothing => 0,
        }
    }

    pub fn body(&self) -> &str {
        match self {
            Gave::Answer { body, .. } => body.trim_end(),
            Gave::Broke(_) | Gave::Nothing => "",
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(self.body()).unwrap_or(Value::Null)
    }

    /// The text in the error list.
    pub fn says(&self) -> String {
        self.json()["errors"][0].as_str().unwrap_or_default().to_owned()
    }

    pub fn location(&self) -> &str {
        match self {
            Gave::Answer { location: Some(location), .. } => location,
            _ => "",
        }
    }
}

pub const POLICY: &str = "1 error occurred:\n\t* permission denied\n\n";
pub const BARE: &str = "permission denied";
pub const INVALID: &str = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n";
pub const LEADERLESS: &str = "local node not active but active cluster node not found";

/// How long a test waits for an answer where it expects none: virtual time, so any span will do.
pub const PATIENCE: Duration = Duration::from_secs(3);

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A practice Vault in virtual time, set up as an issuer.
pub fn issuer(seed: u64) -> (Practice, Furnished) {
    issuer_of(Options::simulated(seed))
}

pub fn issuer_of(options: Options) -> (Practice, Furnished) {
    let practice = Practice::new(options);
    let furnished = furnish(&practice, &Scene::default()).unwrap();
    (practice, furnished)
}

/// A call that is given up after this long.
pub async fn call_within(
    patience: Duration,
    practice: &Practice,
    method: &str,
    path: &str,
    token: &str,
    body: Value,
) -> Gave {
    let call = call(practice, method, path, token, body);
    tokio::time::timeout(patience, call).await.unwrap_or(Gave::Nothing)
}

pub async fn call(practice: &Practice, method: &str, path: &str, token: &str, body: Value) -> Gave {
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let request = Request::builder().method(method).uri(format!("/v1/{path}"));
    let request = if token.is_empty() { request } else { request.header("x-vault-token", token) };
    gave(practice.call(request.body(body).unwrap()).await).await
}

pub async fn gave(answer: Result<http::Response<everleaf_practice::Body>, TransportError>) -> Gave {
    let whole = match answer {
        Ok(response) => whole_body(response).await,
        Err(error) => Err(error),
    };
    match whole {
        Err(error) => Gave::Broke(error.kind()),
        Ok((status, headers, body)) => {
            let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            Gave::Answer {
                status: status.as_u16(),
                body: String::from_utf8_lossy(&body).into_owned(),
                location: header("location"),
                retry_after: header("retry-after"),
            }
        }
    }
}

pub fn csr() -> String {
    certificate_request(11, CaKeyKind::Ed25519, &RequestNames::host("web.example.com")).unwrap().pem
}

pub async fn sign(practice: &Practice, token: &str) -> Gave {
    sign_with(practice, "pki/sign/web", token).await
}

pub async fn sign_with(practice: &Practice, path: &str, token: &str) -> Gave {
    call_within(PATIENCE, practice, "POST", path, token, json!({"csr": csr(), "ttl": "24h"})).await
}

pub async fn login(practice: &Practice, furnished: &Furnished) -> Gave {
    let fields = json!({"role_id": furnished.role_id, "secret_id": furnished.secret_id.as_str()});
    call_within(PATIENCE, practice, "POST", "auth/approle/login", "", fields).await
}

pub async fn health(practice: &Practice) -> Gave {
    call_within(PATIENCE, practice, "GET", "sys/health", "", Value::Null).await
}

pub async fn look_up(practice: &Practice, token: &str) -> Gave {
    call_within(PATIENCE, practice, "GET", "auth/token/lookup-self", token, Value::Null).await
}

pub async fn renew(practice: &Practice, token: &str) -> Gave {
    call_within(PATIENCE, practice, "POST", "auth/token/renew-self", token, json!({})).await
}

pub async fn capabilities(practice: &Practice, token: &str) -> Gave {
    let fields = json!({"paths": ["pki/sign/web"]});
    call_within(PATIENCE, practice, "POST", "sys/capabilities-self", token, fields).await
}

/// A fresh token by AppRole.
pub async fn token(practice: &Practice, furnished: &Furnished) -> String {
    login(practice, furnished).await.json()["auth"]["client_token"].as_str().unwrap_or_default().to_owned()
}
