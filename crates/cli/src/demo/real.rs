//! A Vault of the user's own: the demo makes a PKI mount, roles, a policy and a token in it, and takes them away again at the end.
//! It is never sealed or disturbed: a troublemaker in this process stands before it and answers in its place.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use everleaf_issuers::wire::{HttpTransport, Network, Request, Trouble as Lost, TroubleKind};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::acts::Trouble;
use super::vaults::{Access, ISSUERS, Vault, rules};

/// What the demo makes in the Vault, under this name.
const NAME: &str = "everleaf-demo";
const CONNECT: Duration = Duration::from_secs(5);

/// The Vault and what stands before it. Cheap to clone.
#[derive(Clone)]
pub(super) struct RealVault(Arc<Inner>);

struct Inner {
    address: String,
    token: Zeroizing<String>,
    transport: HttpTransport,
    trouble: Mutex<Option<Trouble>>,
    signed: AtomicU64,
    refused: AtomicU64,
}

impl RealVault {
    /// Sets the demo up in the Vault at this address, with the token in `VAULT_TOKEN`.
    pub(super) async fn set(address: &str) -> anyhow::Result<(Vault, Access)> {
        let token = std::env::var("VAULT_TOKEN")
            .context("--real-vault needs a token in VAULT_TOKEN that may make mounts and policies")?;
        let real = RealVault(Arc::new(Inner {
            address: address.trim_end_matches('/').to_owned(),
            token: Zeroizing::new(token),
            transport: HttpTransport::to_sockets(CONNECT)?,
            trouble: Mutex::default(),
            signed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }));
        let token = match real.furnish().await {
            Ok(token) => token,
            Err(error) => {
                real.clean_up().await;
                return Err(error);
            }
        };
        let access = Access {
            server: real.0.address.clone(),
            mount: NAME.to_owned(),
            auth: json!({ "tokenSecretRef": { "name": super::stage::SECRET, "key": "token" } }),
            secret: ("token", token),
        };
        Ok((Vault::Real(real), access))
    }

    async fn furnish(&self) -> anyhow::Result<Zeroizing<String>> {
        let mount = json!({ "type": "pki", "config": { "max_lease_ttl": "24h" } });
        self.write(&format!("sys/mounts/{NAME}"), mount).await?;
        let ca = json!({ "common_name": "Everleaf demo", "key_type": "ec", "key_bits": 256, "ttl": "24h" });
        self.write(&format!("{NAME}/root/generate/internal"), ca).await?;
        for (_, role, life) in ISSUERS {
            self.write(&format!("{NAME}/roles/{role}"), rules(life)).await?;
        }
        let policy = format!("path \"{NAME}/sign/*\" {{ capabilities = [\"create\", \"update\"] }}");
        self.write(&format!("sys/policies/acl/{NAME}"), json!({ "policy": policy })).await?;
        let made = self.write("auth/token/create", json!({ "policies": [NAME], "ttl": "1h" })).await?;
        let token =
            made.pointer("/auth/client_token").and_then(Value::as_str).context("Vault gave no token")?;
        Ok(Zeroizing::new(token.to_owned()))
    }

    /// Takes away what the demo made.
    pub(super) async fn clean_up(&self) {
        self.hold(None);
        for path in [format!("sys/mounts/{NAME}"), format!("sys/policies/acl/{NAME}")] {
            if let Err(error) = self.call(Method::DELETE, &path, &Value::Null).await {
                crate::tell(&format!("could not take {path} away again: {error:#}"));
            }
        }
    }

    async fn write(&self, path: &str, fields: Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, &fields).await
    }

    async fn call(&self, method: Method, path: &str, fields: &Value) -> anyhow::Result<Value> {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.0.address))
            .header("X-Vault-Token", self.0.token.as_str())
            .header("X-Vault-Request", "true")
            .body(Full::new(Bytes::from(serde_json::to_vec(fields)?)))?;
        let answer = self.0.transport.exchange(request).await;
        let answer = answer.map_err(|lost| anyhow::anyhow!("{path}: {}", lost.kind.words()))?;
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let says = body.get("errors").map(Value::to_string).unwrap_or_default();
        anyhow::ensure!(answer.status().is_success(), "{path}: Vault answered {} {says}", answer.status());
        Ok(body)
    }

    /// The way to it, past the troublemaker.
    pub(super) fn network(&self) -> Network {
        let real = self.clone();
        Network::in_process(tower::service_fn(move |request: Request| {
            let real = real.clone();
            async move { real.answer(request).await }
        }))
    }

    async fn answer(&self, request: Request) -> Result<Response<Full<Bytes>>, Lost> {
        let signs = request.uri().path().contains("/sign/");
        let trouble = *self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = trouble.and_then(|trouble| in_trouble(trouble, signs)) {
            self.0.refused.fetch_add(1, Ordering::Relaxed);
            return answer;
        }
        let answer = self.0.transport.exchange(request).await?;
        if signs && answer.status() == StatusCode::OK {
            self.0.signed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(answer.map(|body| Full::new(Bytes::copy_from_slice(&body))))
    }

    /// The trouble that holds from now on.
    pub(super) fn hold(&self, trouble: Option<Trouble>) {
        *self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    pub(super) fn signed(&self) -> u64 {
        self.0.signed.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

/// What the troublemaker says in Vault's place; `None` lets the call pass.
fn in_trouble(trouble: Trouble, signs: bool) -> Option<Result<Response<Full<Bytes>>, Lost>> {
    let (status, says) = match trouble {
        Trouble::Sealed => (StatusCode::SERVICE_UNAVAILABLE, "Vault is sealed"),
        Trouble::Denied if signs => (StatusCode::FORBIDDEN, "permission denied"),
        Trouble::Limited if signs => (StatusCode::TOO_MANY_REQUESTS, "rate limit quota exceeded"),
        Trouble::Reset => return Some(Err(Lost::after_sending(TroubleKind::Lost, false))),
        Trouble::Denied | Trouble::Limited => return None,
    };
    let mut answer = Response::new(Full::new(Bytes::from(json!({ "errors": [says] }).to_string())));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    Some(Ok(answer))
}
