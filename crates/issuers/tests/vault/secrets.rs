//! Secrets that are missing, unreadable, empty or wrong: waited for, blamed by name, and taken as soon as they are right.

use everleaf_core::failure::{Blame, Call, Class, Finality};
use everleaf_issuers::ReadFailure;
use everleaf_issuers::surroundings::KeyRef;
use everleaf_issuers::vault::config::{ApiPath, Auth, Ca, Jwt, PairRef};

use crate::support::*;

fn secret(name: &str) -> Blame {
    Blame::Secret(name.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_cant_be_read_is_waited_for() {
    for (why, class, code) in [
        (ReadFailure::Missing, Class::Access, "SecretMissing"),
        (ReadFailure::Forbidden("may not".into()), Class::Access, "SecretForbidden"),
        (ReadFailure::Unreachable("no API server".into()), Class::Transient, "SecretUnread"),
    ] {
        let bench = Bench::new(approle());
        bench.around.fail("approle", why);
        let failure = bench.fails().await;
        assert_eq!((failure.class, failure.code, failure.call), (class, code, Call::ReadSecret));
        assert_eq!((failure.blame, failure.finality), (secret("approle"), Finality::Never));
        bench.around.set("approle", "secretId", SECRET_ID);
        bench.vault.secret_changed("approle");
        bench.chain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_missing_empty_or_unprintable_names_secret_and_key() {
    for (key, value, code) in [
        ("other", "x", "SecretKeyMissing"),
        ("secretId", "", "SecretKeyMissing"),
        ("secretId", " \n ", "SecretUnusable"),
        ("secretId", "a\u{7}b", "SecretUnusable"),
        ("secretId", "größe", "SecretUnusable"),
    ] {
        let bench = Bench::new(approle());
        bench.around.fail("approle", ReadFailure::Missing);
        bench.around.set("approle", key, value);
        let failure = bench.fails().await;
        assert_eq!((failure.class, failure.code, failure.blame), (Class::Access, code, secret("approle")));
        let says = failure.says.as_str();
        assert!(says.contains("secretId") && says.contains("approle"), "{says}");
        assert_eq!(bench.server.state().seen.len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_role_id_is_never_sent() {
    let auth = Auth::AppRole {
        login: ApiPath::login_below("auth/approle"),
        role_id: "  ".into(),
        secret_id: KeyRef { name: "approle".into(), key: "secretId".into() },
    };
    let bench = Bench::new(auth);
    assert_eq!(bench.fails().await.code, "CredentialsIncomplete");
    assert_eq!(bench.server.state().seen.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bad_ca_bundle_is_told_and_a_good_one_is_taken_at_once() {
    let mut inline = config(approle());
    inline.ca = Ca::Inline(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec());
    let failure = Bench::of(inline, &Default::default()).fails().await;
    assert_eq!(
        (failure.class, failure.code, failure.blame),
        (Class::Access, "CaBundleUnusable", Blame::Issuer)
    );

    let mut from_secret = config(approle());
    from_secret.ca = Ca::Secret(KeyRef { name: "bundle".into(), key: "ca.crt".into() });
    let bench = Bench::of(from_secret, &Default::default());
    assert_eq!(bench.fails().await.code, "SecretMissing");
    bench.around.set("bundle", "ca.crt", "no certificate at all");
    bench.vault.secret_changed("bundle");
    let failure = bench.fails().await;
    assert_eq!((failure.code, failure.blame), ("CaBundleUnusable", secret("bundle")));
    let junk_and_root = format!("some comment\n{}", made().root.to_pem());
    bench.around.set("bundle", "ca.crt", &junk_and_root);
    bench.vault.secret_changed("bundle");
    bench.chain().await;
    assert_eq!(bench.vault.secrets(), ["approle", "bundle"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_certificate_that_cant_be_used_names_its_secrets() {
    let mut with_pair = config(approle());
    let key = |name: &str, key: &str| KeyRef { name: name.into(), key: key.into() };
    with_pair.identity = Some(PairRef { certificate: key("cert", "tls.crt"), key: key("key", "tls.key") });
    let bench = Bench::of(with_pair, &Default::default());
    let root = made().root.to_pem();
    bench.around.set("cert", "tls.crt", &root);
    bench.around.set("key", "tls.key", &made().key.to_pem(everleaf_core::wanted::KeyEncoding::Pkcs8));
    let failure = bench.fails().await;
    assert_eq!((failure.class, failure.code), (Class::Access, "ClientCertificateUnusable"));
    assert!(
        failure.says.as_str().contains("cert") && failure.says.as_str().contains("key"),
        "{}",
        failure.says
    );
    bench.around.set("key", "tls.key", "garbage");
    bench.vault.secret_changed("key");
    assert_eq!(bench.fails().await.blame, secret("key"));
    bench.around.set("key", "tls.key", &made().root_key.to_pem(everleaf_core::wanted::KeyEncoding::Pkcs1));
    bench.vault.secret_changed("key");
    pass(6).await;
    bench.chain().await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_somebody_else_changes_nothing() {
    let bench = Bench::new(approle());
    bench.chain().await;
    bench.vault.secret_changed("unrelated");
    bench.chain().await;
    assert_eq!(bench.server.logins(), 1);
    bench.vault.secret_changed("approle");
    bench.chain().await;
    assert_eq!(bench.server.logins(), 2);
}

/// A login that was under way when its Secret changed is nobody's any more: it isn't joined, and its token isn't kept.
#[tokio::test(start_paused = true)]
async fn a_login_with_old_credentials_doesnt_survive_their_change() {
    let jwt = Jwt::Secret(KeyRef { name: "jwt".into(), key: "token".into() });
    let auth = Auth::Kubernetes { login: ApiPath::login_below("auth/jwt"), role: "r".into(), jwt };
    let bench = Bench::new(auth);
    bench.around.set("jwt", "token", "the-old-jwt");
    bench.server.script(|seen| {
        let token = serde_json::json!({"auth": {"client_token": "hvs.of-the-old-jwt"}});
        let slow = Say::After(std::time::Duration::from_secs(5), Box::new(reply(200, &token)));
        (seen.body["jwt"] == "the-old-jwt").then_some(slow)
    });
    bench.server.state().tokens.insert("hvs.of-the-old-jwt".into());
    let began = tokio::time::Instant::now();
    let (first, ()) = tokio::join!(bench.sign(), async {
        pass(1).await;
        bench.around.set("jwt", "token", "the-new-jwt");
        bench.vault.secret_changed("jwt");
        bench.chain().await;
        assert!(began.elapsed().as_secs() < 3, "the new login doesn't wait for the old one");
    });
    assert!(is_issued(&first), "who waited for the old login gets its token");
    bench.chain().await;
    let state = bench.server.state();
    assert_eq!(state.seen.last().unwrap().token.as_deref(), Some("hvs.token-number-1"), "nobody else does");
}
