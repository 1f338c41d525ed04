//! Tokens of ServiceAccounts, which the embedded API doesn't give: unsigned, with the claims that Vault's Kubernetes login reads.
//! They open nothing but a practice Vault whose reviewer believes them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response, header};
use serde_json::json;

use crate::cluster::ApiBody;
use crate::moments::Wall;

/// How long a token lives, in seconds.
const LIFE: i64 = 600;

/// Answers a request for a token; nothing for any other request.
pub(crate) fn answer<B>(request: &Request<B>, wall: Wall) -> Option<Response<ApiBody>> {
    let path = request.uri().path().strip_prefix("/api/v1/namespaces/")?.strip_suffix("/token")?;
    let (namespace, account) = path.split_once("/serviceaccounts/")?;
    let now = wall.now().as_second();
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "iss": "https://kubernetes.default.svc", "aud": [AUDIENCE], "iat": now, "nbf": now, "exp": now + LIFE,
        "sub": format!("system:serviceaccount:{namespace}:{account}"),
    });
    let token = format!(
        "{}.{}.{}",
        part(json!({ "alg": "RS256", "kid": "sim" })),
        part(claims),
        URL_SAFE_NO_PAD.encode("sig")
    );
    let body = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": { "name": account, "namespace": namespace },
        "spec": { "audiences": [AUDIENCE], "expirationSeconds": LIFE },
        "status": { "token": token, "expirationTimestamp": wall.now().checked_add(jiff::SignedDuration::from_secs(LIFE)).unwrap_or_default().to_string() },
    });
    let mut response = Response::new(ApiBody::Whole(Some(Bytes::from(body.to_string()))));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    Some(response)
}

/// The audience that the practice Vaults ask for.
pub(crate) const AUDIENCE: &str = "vault";
