//! Logins that ask somebody outside: TokenReview, JWKS, STS; injected, in process, in virtual time.
//! And the client certificate as a transport hands it over.
//! What is decided without asking is in the contract table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;
mod contract;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use contract::jwt::JwtKey;
use everleaf_practice::{
    CaKeyKind, Deed, Jwks, Options, Peer, Phase, Practice, Product, RequestNames, Reviewed, Reviewer, Scene,
    Seen, ServedKey, Sts, StsAnswer, Workshop, furnish_kubernetes, furnish_pki, whole_body,
};
use serde_json::{Value, json};

fn claims(now: jiff::Timestamp) -> Value {
    let at = now.as_second();
    json!({
        "iss": "https://issuer", "sub": "system:serviceaccount:ns:app", "aud": ["vault"],
        "iat": at, "nbf": at, "exp": at + 3600,
        "kubernetes.io": {"namespace": "ns", "serviceaccount": {"name": "app", "uid": "u1"}},
    })
}

fn kubernetes() -> Practice {
    let scene = Scene { auth: "kubernetes".into(), ..Scene::default() };
    let practice = Practice::new(Options::simulated(1));
    furnish_pki(&practice, &scene).unwrap();
    furnish_kubernetes(&practice, &scene, "vault", &["app"], &["ns"]).unwrap();
    practice
}

async fn log_in(practice: &Practice, mount: &str, role: &str, jwt: String) -> Gave {
    let fields = json!({"role": role, "jwt": jwt});
    call_within(secs(200), practice, "POST", &format!("auth/{mount}/login"), "", fields).await
}

async fn service_account(practice: &Practice) -> Gave {
    let jwt = JwtKey::new(1).sign("k", &claims(practice.now()));
    log_in(practice, "kubernetes", "everleaf", jwt).await
}

#[tokio::test(start_paused = true)]
async fn a_reviewed_account_gets_a_token_that_signs() {
    let practice = kubernetes();
    let gave = service_account(&practice).await;
    assert_eq!(
        gave.json()["auth"]["metadata"],
        json!({
            "role": "everleaf", "service_account_name": "app", "service_account_namespace": "ns",
            "service_account_secret_name": "", "service_account_uid": "u1",
        })
    );
    let token = gave.json()["auth"]["client_token"].as_str().unwrap().to_owned();
    assert_eq!(sign(&practice, &token).await.status(), 200);
    let looked = look_up(&practice, &token).await.json();
    assert_eq!(looked["data"]["display_name"], "kubernetes-ns-app");
}

#[tokio::test(start_paused = true)]
async fn every_answer_of_token_review_but_the_right_one_is_the_same_bare_403() {
    let authenticated = |username: &str, uid: &str, audience: &str| Reviewed::Authenticated {
        username: username.into(),
        uid: uid.into(),
        audiences: vec![audience.into()],
    };
    let user = "system:serviceaccount:ns:app";
    let rows = [
        (authenticated(user, "u1", "vault"), 200),
        (authenticated(user, "u2", "vault"), 403),
        (authenticated(user, "u1", "other"), 403),
        (authenticated("admin", "u1", "vault"), 403),
        (Reviewed::NotAuthenticated, 403),
        (Reviewed::Failed, 403),
    ];
    for (reviewed, status) in rows {
        let practice = kubernetes();
        let answer = reviewed.clone();
        practice.set_reviewer(Reviewer::Asks(Arc::new(move |_| {
            let answer = answer.clone();
            Box::pin(async move { answer })
        })));
        let gave = service_account(&practice).await;
        assert_eq!(gave.status(), status, "{reviewed:?}");
        assert!(status == 200 || gave.says() == BARE, "{reviewed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_reviewer_is_asked_for_the_roles_audience_with_the_callers_token() {
    let practice = kubernetes();
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    practice.set_reviewer(Reviewer::Asks(Arc::new(move |review| {
        log.lock().unwrap().push((
            review.audiences.clone(),
            review.claimed_user.clone(),
            review.token.len() > 100,
        ));
        Box::pin(async { Reviewed::Failed })
    })));
    service_account(&practice).await;
    let expected = (vec!["vault".to_owned()], "system:serviceaccount:ns:app".to_owned(), true);
    assert_eq!(*asked.lock().unwrap(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_review_is_waited_for_and_a_silent_one_is_not() {
    let practice = kubernetes();
    let took = |began: jiff::Timestamp| practice.now().duration_since(began).as_secs();
    for (reviewer, status, seconds) in
        [(Reviewer::Slow(secs(20)), 200, 20), (Reviewer::Hangs, 403, 90), (Reviewer::Refuses, 403, 0)]
    {
        practice.set_reviewer(reviewer);
        let began = practice.now();
        assert_eq!((service_account(&practice).await.status(), took(began)), (status, seconds));
    }
    // A client that gives up while the review hangs is still seen.
    practice.set_reviewer(Reviewer::Hangs);
    let jwt = JwtKey::new(1).sign("k", &claims(practice.now()));
    let fields = json!({"role": "everleaf", "jwt": jwt});
    let gave = call_within(PATIENCE, &practice, "POST", "auth/kubernetes/login", "", fields).await;
    assert_eq!(gave, Gave::Nothing);
    let silent = practice.audit().count(|phase, _, seen| phase == Phase::Login && seen == Seen::Silence);
    assert_eq!(silent, 1);
}

fn jwt_mount() -> Practice {
    let practice = Practice::new(Options::simulated(1));
    practice.write("sys/auth/jwt", json!({"type": "jwt"})).unwrap();
    practice.write("auth/jwt/config", json!({"jwks_url": "http://127.0.0.1:9/jwks"})).unwrap();
    let role =
        json!({"role_type": "jwt", "bound_audiences": ["vault"], "user_claim": "sub", "token_policies": "p"});
    practice.write("auth/jwt/role/r", role).unwrap();
    practice
}

fn served(kid: &str, seed: u64) -> ServedKey {
    ServedKey { kid: kid.into(), public_key_pem: JwtKey::new(seed).public_pem }
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_for_unknown_ids_only_and_an_outage_is_told_in_its_own_words() {
    let practice = jwt_mount();
    let login = |kid: &'static str, seed: u64| {
        let jwt = JwtKey::new(seed).sign(kid, &claims(practice.now()));
        let practice = practice.clone();
        async move { log_in(&practice, "jwt", "r", jwt).await }
    };
    let fetching = "error validating token: error verifying token signature: fetching keys oidc: ";
    let down = format!(
        "{fetching}get keys failed Get \"http://127.0.0.1:9/jwks\": dial tcp 127.0.0.1:9: connect: connection refused"
    );
    assert_eq!(login("a", 1).await.says(), down);
    practice.perform(&Deed::Jwks(Jwks::Serves(vec![served("a", 1)])));
    assert_eq!(login("a", 1).await.status(), 200);
    let unverified =
        "error validating token: error verifying token signature: failed to verify id token signature";
    assert_eq!(login("a", 2).await.says(), unverified);
    assert_eq!(login("b", 2).await.says(), unverified);

    // The key that is cached goes on working while the address is down; a rotated one doesn't. Without forgetting.
    let failing = Jwks::Answers { status: "500 Internal Server Error".into(), body: "{\"e\": 1}".into() };
    practice.set_jwks(failing);
    assert_eq!(login("a", 1).await.status(), 200);
    assert_eq!(
        login("b", 2).await.says(),
        format!("{fetching}get keys failed: 500 Internal Server Error {{\"e\": 1}}")
    );
    practice.set_jwks(Jwks::Closes);
    assert_eq!(
        login("b", 2).await.says(),
        format!("{fetching}get keys failed Get \"http://127.0.0.1:9/jwks\": EOF")
    );
    practice.set_jwks(Jwks::Serves(vec![served("a", 1), served("b", 2)]));
    assert_eq!(login("b", 2).await.status(), 200);
}

fn aws() -> Practice {
    let practice = Practice::new(Options::simulated(1));
    practice.write("sys/auth/aws", json!({"type": "aws"})).unwrap();
    practice
        .write("auth/aws/config/client", json!({"iam_server_id_header_value": "vault.example.com"}))
        .unwrap();
    let role = json!({"auth_type": "iam", "bound_iam_principal_arn": ["arn:aws:iam::1:role/app"], "token_policies": "p"});
    practice.write("auth/aws/role/r", role).unwrap();
    practice
}

fn aws_fields(role: &str, headers: &Value) -> Value {
    use base64::Engine as _;
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    json!({
        "role": role, "iam_http_request_method": "POST",
        "iam_request_url": base64("https://sts.us-east-1.amazonaws.com/"),
        "iam_request_body": base64("Action=GetCallerIdentity&Version=2011-06-15"),
        "iam_request_headers": base64(&headers.to_string()),
    })
}

#[tokio::test(start_paused = true)]
async fn an_aws_login_is_judged_by_sts_and_by_its_principal() {
    let signed = json!({
        "Authorization": ["AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/sts/aws4_request, SignedHeaders=host;x-vault-aws-iam-server-id, Signature=0"],
        "X-Vault-AWS-IAM-Server-ID": ["vault.example.com"],
    });
    let session = |arn: &str| Sts::Accepts { arn: arn.to_owned() };
    let app = "arn:aws:sts::1:assumed-role/app/session";
    let rows = [
        (session(app), "r", signed.clone(), 200, ""),
        (
            session("arn:aws:sts::1:assumed-role/other/session"),
            "r",
            signed.clone(),
            400,
            "IAM Principal \"arn:aws:iam::1:role/other\" does not belong to the role \"r\"",
        ),
        (session(app), "zz", signed.clone(), 400, "entry for role zz not found"),
        (
            session(app),
            "r",
            json!({}),
            400,
            "error validating X-Vault-AWS-IAM-Server-ID header: missing header \"X-Vault-AWS-IAM-Server-ID\"",
        ),
        (
            Sts::Refuses,
            "r",
            signed.clone(),
            400,
            "error making upstream request: received error code 403 from STS: InvalidClientTokenId",
        ),
        (
            Sts::Unreachable,
            "r",
            signed.clone(),
            400,
            "error making upstream request: error making request: Post",
        ),
    ];
    for (sts, role, headers, status, says) in rows {
        let practice = aws();
        practice.set_sts(sts);
        let gave = call(&practice, "POST", "auth/aws/login", "", aws_fields(role, &headers)).await;
        assert_eq!(gave.status(), status, "{gave:?}");
        assert!(gave.says().starts_with(says), "{gave:?}");
    }
    let practice = aws();
    practice.set_sts(Sts::Asks(Arc::new(|call| {
        Box::pin(async move {
            assert_eq!(
                (call.method.as_str(), call.url.as_str()),
                ("POST", "https://sts.us-east-1.amazonaws.com/")
            );
            StsAnswer::Identity { arn: "arn:aws:iam::1:role/app".into() }
        })
    })));
    let gave = call(&practice, "POST", "auth/aws/login", "", aws_fields("r", &signed)).await;
    assert_eq!(gave.json()["auth"]["metadata"]["canonical_arn"], "arn:aws:iam::1:role/app");
}

async fn with_certificate(
    practice: &Practice,
    path: &str,
    token: &str,
    certificate: Option<Vec<u8>>,
) -> Gave {
    let mut request = http::Request::post(format!("/v1/{path}")).header("x-vault-token", token);
    let address = "127.0.0.1".parse().unwrap();
    request.extensions_mut().unwrap().insert(Peer { address, certificate });
    let answer = practice.call(request.body(bytes::Bytes::from("{\"name\":\"app\"}")).unwrap()).await;
    let (status, _, body) = whole_body(answer.unwrap()).await.unwrap();
    Gave::Answer {
        status: status.as_u16(),
        body: String::from_utf8_lossy(&body).into_owned(),
        location: None,
        retry_after: None,
    }
}

#[tokio::test(start_paused = true)]
async fn certificate_logins_and_renewals_differ_between_the_products() {
    let none = ["client certificate must be supplied", "no client certificate found"];
    let foreign = [
        "failed to match all constraints for this login certificate",
        "invalid certificate or no client certificate supplied",
    ];
    let misnamed = [
        "failed to match all constraints for this login certificate",
        "no chain matching all constraints could be found for this login certificate",
    ];
    for (index, product) in [Product::Vault, Product::OpenBao].into_iter().enumerate() {
        let practice = Practice::new(Options::simulated(1).speaking_as(product));
        let (now, hour) = (practice.now(), Duration::from_secs(3600));
        let mut ours = Workshop::new(1, "clients", CaKeyKind::Ed25519, now, hour * 24).unwrap();
        let mut theirs = Workshop::new(2, "others", CaKeyKind::Ed25519, now, hour * 24).unwrap();
        practice.write("sys/auth/cert", json!({"type": "cert"})).unwrap();
        let role = json!({"certificate": ours.ca().certificate_pem, "allowed_names": ["app"], "token_policies": "p"});
        practice.write("auth/cert/certs/app", role).unwrap();
        let app = RequestNames::host("app");
        let mut leaf = |names: &RequestNames| ours.leaf(names, now, hour).unwrap().certificate_der;
        let (good, second, other) = (leaf(&app), leaf(&app), leaf(&RequestNames::host("other")));
        let strange = theirs.leaf(&app, now, hour).unwrap().certificate_der;
        let login = |certificate| with_certificate(&practice, "auth/cert/login", "", certificate);
        assert_eq!(login(None).await.says(), none[index]);
        assert_eq!(login(Some(strange)).await.says(), foreign[index]);
        assert_eq!(login(Some(other)).await.says(), misnamed[index]);
        let gave = login(Some(good.clone())).await;
        let token = gave.json()["auth"]["client_token"].as_str().unwrap().to_owned();
        let renew = |certificate| with_certificate(&practice, "auth/token/renew-self", &token, certificate);
        assert_eq!(renew(Some(good)).await.status(), 200);
        assert_eq!(renew(None).await.says(), none[index]);
        assert_eq!(renew(Some(second)).await.status(), [200, 500][index]);
    }
}
