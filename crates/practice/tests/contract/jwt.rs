//! JWT logins with fixed keys (vault-measured 3), and the tokens that these cases use.
//! Tokens are signed here with a key from a seed, dated by the system's clock: a real server has no other.
//! Keys over a network are tested in process only.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use everleaf_practice::{CaKeyKind, RequestNames, certificate_request};
use serde_json::{Value, json};

use super::csrs::der_of;
use super::{Call, Case, Expect, case, error, post};

pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Claims of a projected ServiceAccount token.
pub fn claims(name: &str, namespace: &str) -> Value {
    json!({
        "iss": "https://kubernetes.default.svc", "sub": format!("system:serviceaccount:{namespace}:{name}"),
        "aud": ["vault"], "iat": now() - 10, "nbf": now() - 10, "exp": now() + 3600,
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": "u1"}},
    })
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token that looks like a ServiceAccount's; its signature is nothing, as only TokenReview looks at it.
pub fn service_account(claims: Value) -> String {
    format!(
        "{}.{}.{}",
        part(&json!({"alg": "RS256", "kid": "k"})),
        part(&claims),
        URL_SAFE_NO_PAD.encode([7; 256])
    )
}

/// A key of JWT issuers: from a seed, as PEM of its public half and as a signer.
pub struct JwtKey {
    pub public_pem: String,
    pair: EcdsaKeyPair,
}

impl JwtKey {
    pub fn new(seed: u64) -> JwtKey {
        let request = certificate_request(seed, CaKeyKind::P256, &RequestNames::default()).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der_of(&request.key_pem)).unwrap();
        let body = base64::engine::general_purpose::STANDARD.encode(&request.public_key);
        JwtKey { public_pem: format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"), pair }
    }

    pub fn sign(&self, kid: &str, claims: &Value) -> String {
        let message = format!("{}.{}", part(&json!({"alg": "ES256", "kid": kid})), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

fn ready(role: Value) -> Vec<Call> {
    vec![
        post("sys/auth/j{n}", json!({"type": "jwt"})),
        post(
            "auth/j{n}/config",
            json!({"jwt_validation_pubkeys": [JwtKey::new(1).public_pem], "bound_issuer": "https://kubernetes.default.svc"}),
        ),
        post("auth/j{n}/role/r", role),
    ]
}

fn role() -> Value {
    json!({"role_type": "jwt", "bound_audiences": ["vault"], "user_claim": "sub", "token_policies": "p1"})
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = claims("app", "ns");
    change(&mut claims);
    claims
}

pub fn cases() -> Vec<Case> {
    let login = |jwt: String| post("auth/j{n}/login", json!({"role": "r", "jwt": jwt})).by_nobody();
    let key = JwtKey::new(1);
    let signed = |claims: Value| login(key.sign("k", &claims));
    let refused = |name: &'static str, claims: Value, text: &str| {
        case(name, ready(role()), signed(claims), error(400, &format!("error validating token: {text}")))
    };
    vec![
        case(
            "jwt",
            ready(role()),
            signed(claims("app", "ns")),
            Expect::Json(200, vec![("/auth/metadata/role", json!("r"))]),
        ),
        case(
            "jwt, role unknown",
            ready(role()),
            post("auth/j{n}/login", json!({"role": "zz", "jwt": "x"})).by_nobody(),
            error(400, "role \"zz\" could not be found"),
        ),
        case(
            "jwt, role missing",
            ready(role()),
            post("auth/j{n}/login", json!({"jwt": "x"})).by_nobody(),
            error(400, "missing role"),
        ),
        case("jwt, token missing", ready(role()), login(String::new()), error(400, "missing token")),
        case(
            "jwt, another key",
            ready(role()),
            login(JwtKey::new(2).sign("k", &claims("app", "ns"))),
            error(
                400,
                "error validating token: error verifying token signature: no known key successfully validated the token signature",
            ),
        ),
        refused(
            "jwt, expired",
            with(|c| {
                c["exp"] = json!(now() - 600);
                c["iat"] = json!(now() - 4000);
                c["nbf"] = json!(now() - 4000);
            }),
            "invalid expiration time (exp) claim: token is expired",
        ),
        refused(
            "jwt, not yet valid",
            with(|c| c["nbf"] = json!(now() + 600)),
            "invalid not before (nbf) claim: token not yet valid",
        ),
        refused(
            "jwt, issued in the future",
            with(|c| c["iat"] = json!(now() + 600)),
            "invalid issued at (iat) claim: token issued in the future",
        ),
        refused(
            "jwt, other audience",
            with(|c| c["aud"] = json!(["other"])),
            "invalid audience (aud) claim: audience claim does not match any expected audience",
        ),
        refused(
            "jwt, other issuer",
            with(|c| c["iss"] = json!("https://other")),
            "invalid issuer (iss) claim",
        ),
        case(
            "jwt, other subject",
            ready(
                json!({"role_type": "jwt", "bound_audiences": ["vault"], "bound_subject": "x", "user_claim": "sub"}),
            ),
            signed(claims("app", "ns")),
            error(400, "error validating token: invalid subject (sub) claim"),
        ),
        case(
            "jwt, bound claim missing",
            ready(
                json!({"role_type": "jwt", "bound_audiences": ["vault"], "bound_claims": {"team": "a"}, "user_claim": "sub"}),
            ),
            signed(claims("app", "ns")),
            error(400, "error validating claims: claim \"team\" is missing"),
        ),
    ]
}
