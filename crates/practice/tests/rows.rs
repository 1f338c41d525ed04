//! Every row of the fault table on a single node: what sign and login give while it lasts, and that it heals.
//! The expectations are those of vault-server 7, as corrected by vault-measured 8.
//! Rows of clusters are in `cluster.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use everleaf_practice::faults::rows;
use everleaf_practice::{
    Furnished, LeafNotAfter, Needs, Options, Practice, Product, Row, Scene, TransportKind, by_row,
    furnish_kubernetes, furnish_pki,
};
use serde_json::json;

/// What a call must give.
#[derive(Debug, Clone, Copy)]
enum Is {
    Good,
    Says(u16, &'static str),
    Status(u16),
    Broke(TransportKind),
    Late,
}

impl Is {
    fn fits(self, gave: &Gave) -> bool {
        match self {
            Is::Good => gave.status() == 200,
            Is::Says(status, text) => gave.status() == status && gave.says().contains(text),
            Is::Status(status) => gave.status() == status,
            Is::Broke(kind) => *gave == Gave::Broke(kind),
            Is::Late => *gave == Gave::Nothing,
        }
    }
}

/// Row, sign with a cached token, login: while it lasts.
fn table() -> Vec<(u8, Is, Is)> {
    use Is::*;
    let lost = Broke(TransportKind::Reset);
    let sealed = Says(503, "Vault is sealed");
    vec![
        (1, sealed, sealed),
        (2, Broke(TransportKind::Refused), Broke(TransportKind::Refused)),
        (3, sealed, sealed),
        (9, Says(403, POLICY), Good),
        (10, Good, Good),
        (11, Says(400, "unknown role: web"), Good),
        (12, Good, Says(400, "invalid role or secret ID")),
        (13, Says(404, "no handler for route"), Good),
        (14, Says(403, INVALID), Says(403, BARE)),
        (15, Says(403, INVALID), Good),
        (16, Says(403, INVALID), Good),
        (17, Says(403, INVALID), Good),
        (18, Says(403, INVALID), Good),
        (19, Says(403, INVALID), Good),
        (22, Says(403, INVALID), Says(403, BARE)),
        (27, Good, Good),
        (28, Says(500, "no default issuer currently configured"), Good),
        (29, Says(500, "requested usage issuing-certificates"), Good),
        (30, Says(400, "beyond the expiration of the CA certificate"), Good),
        (31, Says(400, "role requires keys of type rsa"), Good),
        (32, Says(400, "common name web.example.com not allowed by this role"), Good),
        (33, Good, Good),
        (34, Says(500, "internal error"), Says(500, "internal error")),
        (35, Says(500, "no space left on device"), Says(500, "internal error")),
        (36, Good, Good),
        (37, Says(500, "context deadline exceeded"), Says(500, "context deadline exceeded")),
        (38, Status(307), Status(307)),
        (39, Broke(TransportKind::Untrusted), Broke(TransportKind::Untrusted)),
        (40, Status(400), Status(400)),
        (43, Says(403, INVALID), Good),
        (46, lost, lost),
        (48, Says(500, "plugin is shut down"), Good),
    ]
}

async fn cached(practice: &Practice, furnished: &Furnished) -> String {
    token(practice, furnished).await
}

#[tokio::test(start_paused = true)]
async fn each_row_does_what_the_table_says_and_heals() {
    for (number, on_sign, on_login) in table() {
        let (practice, furnished) = issuer(1);
        let token = cached(&practice, &furnished).await;
        let row = by_row(number, &Scene::default()).unwrap();
        practice.begin(&row);
        let signed = sign(&practice, &token).await;
        assert!(on_sign.fits(&signed), "row {number} {}: sign: {on_sign:?}, {signed:?}", row.what);
        let logged = login(&practice, &furnished).await;
        assert!(on_login.fits(&logged), "row {number} {}: login: {on_login:?}, {logged:?}", row.what);
        practice.heal(&row);
        tokio::time::sleep(secs(6)).await;
        assert_healed(&practice, &furnished, &row).await;
    }
}

/// A login works and its token signs, as before.
async fn assert_healed(practice: &Practice, furnished: &Furnished, row: &Row) {
    let token = cached(practice, furnished).await;
    let gave = sign(practice, &token).await;
    assert_eq!(gave.status(), 200, "row {} {} has not healed: {gave:?}", row.number, row.what);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_policy_comes_back_to_living_tokens() {
    let (practice, furnished) = issuer(1);
    let row = rows::policy_deleted(&Scene::default());
    practice.begin(&row);
    assert_eq!(
        capabilities(&practice, &furnished.token).await.json()["data"]["capabilities"],
        json!(["deny"])
    );
    practice.heal(&row);
    assert_eq!(sign(&practice, &furnished.token).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_changed_auth_role_shows_in_new_tokens_only() {
    let (practice, furnished) = issuer(1);
    let old = cached(&practice, &furnished).await;
    practice.begin(&rows::auth_role_policies_changed(&Scene::default()));
    assert_eq!(sign(&practice, &old).await.status(), 200);
    let new = cached(&practice, &furnished).await;
    assert_eq!(sign(&practice, &new).await.says(), POLICY);
}

#[tokio::test(start_paused = true)]
async fn tokens_end_as_their_role_says() {
    let scene = Scene::default();
    let (practice, furnished) = issuer(1);
    practice.begin(&rows::short_tokens(&scene));
    let token = cached(&practice, &furnished).await;
    assert_eq!(sign(&practice, &token).await.status(), 200);
    tokio::time::sleep(secs(5)).await;
    assert_eq!(sign(&practice, &token).await.says(), INVALID);

    let (practice, furnished) = issuer(1);
    practice.begin(&rows::use_limited_tokens(&scene));
    let token = cached(&practice, &furnished).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(sign(&practice, &token).await.status());
    }
    assert_eq!(statuses, [200, 200, 403]);

    let (practice, furnished) = issuer(1);
    practice.begin(&rows::batch_tokens(&scene));
    let token = cached(&practice, &furnished).await;
    assert_eq!(renew(&practice, &token).await.says(), "batch tokens cannot be renewed");

    let (practice, furnished) = issuer(1);
    practice.begin(&rows::tokens_bound_elsewhere(&scene));
    let token = cached(&practice, &furnished).await;
    assert_eq!([sign(&practice, &token).await.says(), look_up(&practice, &token).await.says()], [BARE, BARE]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_auth_role_stops_renewals() {
    let (practice, furnished) = issuer(1);
    let token = cached(&practice, &furnished).await;
    practice.begin(&rows::auth_role_deleted(&Scene::default()));
    let gave = renew(&practice, &token).await;
    assert_eq!(gave.status(), 500);
    assert!(gave.says().contains("role \"everleaf\" does not exist during renewal"));
}

#[tokio::test(start_paused = true)]
async fn rate_limits_refuse_and_refill() {
    let (practice, furnished) = issuer(1);
    practice.begin(&rows::rate_limited());
    assert_eq!(sign(&practice, &furnished.token).await.status(), 200);
    assert_eq!(sign(&practice, &furnished.token).await.status(), 429);
    tokio::time::sleep(secs(9)).await;
    assert_eq!(sign(&practice, &furnished.token).await.status(), 429);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(sign(&practice, &furnished.token).await.status(), 200);
    assert_eq!(health(&practice).await.status(), 200);

    let (practice, furnished) = issuer(1);
    practice.begin(&rows::logins_rate_limited(&Scene::default()));
    assert_eq!(login(&practice, &furnished).await.status(), 200);
    assert_eq!(login(&practice, &furnished).await.status(), 429);
    assert_eq!(sign(&practice, &furnished.token).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_lockout_is_over_after_its_time() {
    let (practice, furnished) = issuer(1);
    practice.begin(&rows::locked_out(&Scene::default()));
    assert_eq!(login(&practice, &furnished).await.says(), BARE);
    tokio::time::sleep(rows::LOCKOUT).await;
    assert_eq!(login(&practice, &furnished).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn pages_of_a_balancer_are_not_json() {
    let (practice, furnished) = issuer(1);
    practice.begin(&rows::balancer_pages());
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..30 {
        let gave = sign(&practice, &furnished.token).await;
        assert!(gave.json().is_null() && gave.body().starts_with("<html>"));
        seen.insert(gave.status());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [502, 503, 504]);
}

#[tokio::test(start_paused = true)]
async fn slow_storage_is_late_and_done() {
    let (practice, furnished) = issuer(1);
    practice.begin(&rows::slow_storage());
    let began = practice.now();
    assert!(Is::Good.fits(&sign(&practice, &furnished.token).await));
    assert_eq!(practice.now().duration_since(began).as_secs(), 2);
    assert!(!Is::Late.fits(&sign(&practice, &furnished.token).await));
}

#[tokio::test(start_paused = true)]
async fn a_role_that_cuts_lives_says_so_in_a_warning() {
    let (practice, furnished) = issuer(1);
    practice.begin(&rows::role_cuts_the_life(&Scene::default()));
    let warnings = sign(&practice, &furnished.token).await.json()["warnings"].to_string();
    assert!(warnings.contains("is longer than permitted maxTTL"), "{warnings}");
    let life = practice.signed().pop().unwrap().not_after.duration_since(practice.now());
    assert_eq!(life.as_secs(), 3600);
}

#[tokio::test(start_paused = true)]
async fn a_ca_at_its_end_gives_what_its_behaviour_says() {
    let scene = Scene::default();
    for (behaviour, outlives) in [(LeafNotAfter::Truncate, false), (LeafNotAfter::Permit, true)] {
        let (practice, furnished) = issuer(1);
        practice.begin(&rows::ca_end_is_not_refused(&scene, behaviour));
        assert_eq!(sign(&practice, &furnished.token).await.status(), 200);
        let leaf = practice.signed().pop().unwrap();
        assert_eq!(leaf.not_after > practice.ca_not_after("pki").unwrap(), outlives);
    }
    // After its end and the backdating, Vault refuses and OpenBao gives out a dead certificate (vault-measured 1.9).
    for (product, status) in [(Product::Vault, 400), (Product::OpenBao, 200)] {
        let (practice, _) = issuer_of(Options::simulated(1).speaking_as(product));
        practice.begin(&rows::ca_end_is_not_refused(&scene, LeafNotAfter::Truncate));
        tokio::time::sleep(secs(2 * 3600)).await;
        let gave = sign(&practice, "root").await;
        assert_eq!(gave.status(), status, "{product:?}: {gave:?}");
    }
}

fn kubernetes() -> (Practice, Scene) {
    let scene = Scene { auth: "kubernetes".into(), ..Scene::default() };
    let practice = Practice::new(Options::simulated(1));
    furnish_pki(&practice, &scene).unwrap();
    furnish_kubernetes(&practice, &scene, "vault", &["app"], &["ns"]).unwrap();
    (practice, scene)
}

async fn kubernetes_login(practice: &Practice, issued: jiff::Timestamp) -> Gave {
    use base64::Engine as _;
    let part =
        |value: serde_json::Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    let at = issued.as_second();
    let claims = json!({
        "sub": "system:serviceaccount:ns:app", "aud": ["vault"], "iat": at, "nbf": at, "exp": at + 600,
        "kubernetes.io": {"namespace": "ns", "serviceaccount": {"name": "app", "uid": "u1"}},
    });
    let jwt = format!("{}.{}.c2ln", part(json!({"alg": "RS256"})), part(claims));
    call_within(
        secs(120),
        practice,
        "POST",
        "auth/kubernetes/login",
        "",
        json!({"role": "everleaf", "jwt": jwt}),
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn token_review_in_all_its_states() {
    let (practice, _) = kubernetes();
    let now = || practice.now();
    assert_eq!(kubernetes_login(&practice, now()).await.status(), 200);
    for row in [rows::token_review_broken(), rows::reviewer_expired(), rows::token_review_hangs()] {
        practice.begin(&row);
        let began = practice.now();
        let gave = kubernetes_login(&practice, now()).await;
        assert_eq!((gave.status(), gave.says().as_str()), (403, BARE), "{}", row.what);
        let took = practice.now().duration_since(began).as_secs();
        assert_eq!(took, if row.what.ends_with("hangs") { 90 } else { 0 }, "{}", row.what);
        practice.heal(&row);
        assert_eq!(kubernetes_login(&practice, now()).await.status(), 200);
    }
    let skew = rows::jwt_from_the_future();
    practice.begin(&skew);
    let gave = kubernetes_login(&practice, now()).await;
    assert_eq!(gave.says(), "invalid not before (nbf) claim: token not yet valid");
    practice.heal(&skew);
    assert_eq!(kubernetes_login(&practice, now()).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_locked_namespace_is_unavailable() {
    let practice = Practice::new(Options::simulated(1).speaking_as(Product::OpenBao));
    practice.write("sys/namespaces/team", json!({})).unwrap();
    practice.write("team/sys/mounts/pki", json!({"type": "pki"})).unwrap();
    let row = rows::namespace_locked("team/");
    assert_eq!(row.needs, Needs::OpenBao);
    practice.begin(&row);
    let gave = sign_with(&practice, "team/pki/sign/web", "root").await;
    assert_eq!(gave.status(), 503);
    assert!(gave.says().starts_with("API access to this namespace has been locked"));
    practice.heal(&row);
    assert_eq!(sign_with(&practice, "team/pki/sign/web", "root").await.says(), "unknown role: web");
}

#[tokio::test(start_paused = true)]
async fn two_troubles_on_one_piece_heal_to_what_was_before_both() {
    let scene = Scene::default();
    let (practice, furnished) = issuer(1);
    let (first, second) = (rows::pki_role_deleted(&scene), rows::role_wants_rsa(&scene));
    practice.begin(&first);
    practice.begin(&second);
    practice.heal(&second);
    practice.heal(&first);
    assert_eq!(sign(&practice, &furnished.token).await.status(), 200);
}
