//! TLS: whom we trust, what name we ask for, which certificate we show, and how each of them fails.

use everleaf_core::failure::{Blame, Class};
use everleaf_core::wanted::KeyEncoding;
use everleaf_core::x509::{Csr, sign_self};
use everleaf_issuers::surroundings::KeyRef;
use everleaf_issuers::vault::config::{ApiPath, Auth, Ca, Config, PairRef};
use rustls_pki_types::ServerName;

use crate::support::*;
use crate::{around, certificate, listen, server_config, vault};

fn secret(name: &str, key: &str) -> KeyRef {
    KeyRef { name: name.into(), key: key.into() }
}

fn pair(name: &str) -> PairRef {
    PairRef { certificate: secret(name, "tls.crt"), key: secret(name, "tls.key") }
}

fn keep_pair(around: &Around, name: &str) {
    let (certificate, key) = certificate(&["client"], &[]);
    around.set(name, "tls.crt", &certificate.to_pem());
    around.set(name, "tls.key", &key.to_pem(KeyEncoding::Pkcs1));
}

#[tokio::test]
async fn the_bundle_is_trusted_and_nothing_else() {
    let server = Server1::default();
    let listening =
        listen(server.clone(), Some(server_config(&certificate(&[], &["127.0.0.1"]), false))).await;
    let good = vault(config(approle()), &listening.url("https"), &around());
    assert!(is_issued(&sign(&good, start()).await));
    let (other, _) = certificate(&["other"], &[]);
    let wrong = Config { ca: Ca::Inline(other.to_pem().into_bytes()), ..config(approle()) };
    let failure = failure(&sign(&vault(wrong, &listening.url("https"), &around()), start()).await);
    assert_eq!((failure.class, failure.code), (Class::Access, "ServerNotTrusted"));
    assert_eq!(failure.blame, Blame::Server(listening.url("https")));
}

/// A self-signed server whose certificate is its own bundle: Go's clients take it, so its users have it.
#[tokio::test]
async fn a_server_certificate_in_the_bundle_is_taken_by_its_name_and_within_its_life() {
    let own = |dns: &str, ends: &str| {
        let key = key();
        let mut wish = wanted("server");
        wish.sans.dns = vec![dns.to_owned()];
        wish.sans.ips.clear();
        wish.is_ca = true;
        let csr = Csr::build(&wish, &key).unwrap();
        let mut plan = plan(&csr, 1, true);
        plan.not_before = "2020-01-01T00:00:00Z".parse().unwrap();
        plan.not_after = ends.parse().unwrap();
        (sign_self(&plan, &key).unwrap(), key)
    };
    let (good, old, other) = (
        own("vault.internal", "2045-01-01T00:00:00Z"),
        own("vault.internal", "2021-01-01T00:00:00Z"),
        own("other", "2045-01-01T00:00:00Z"),
    );
    let cases = [
        (&good, &good, None),
        (&old, &old, Some("expired")),
        (&other, &other, Some("other")),
        (&good, &other, Some("")),
    ];
    for (served, bundle, refused) in cases {
        let server = Server1::default();
        let listening = listen(server.clone(), Some(server_config(served, false))).await;
        let name = Some(ServerName::try_from("vault.internal").unwrap());
        let pem = bundle.0.to_pem().into_bytes();
        let config = Config { ca: Ca::Inline(pem), server_name: name, ..config(approle()) };
        let answered = sign(&vault(config, &listening.url("https"), &around()), start()).await;
        match refused {
            None => assert!(is_issued(&answered), "{answered:?}"),
            Some(word) => {
                let failure = failure(&answered);
                assert_eq!(failure.code, "ServerNotTrusted");
                assert!(failure.says.as_str().contains(word), "{}", failure.says);
            }
        }
    }
}

#[tokio::test]
async fn a_bundle_that_is_replaced_is_read_again_without_being_told() {
    let server = Server1::default();
    let listening =
        listen(server.clone(), Some(server_config(&certificate(&[], &["127.0.0.1"]), false))).await;
    let around = around();
    around.set("bundle", "ca.crt", &certificate(&["old"], &[]).0.to_pem());
    let config = Config { ca: Ca::Secret(secret("bundle", "ca.crt")), ..config(given()) };
    server.state().tokens.insert("hvs.given-token".into());
    let vault = vault(config, &listening.url("https"), &around);
    assert_eq!(failure(&sign(&vault, start()).await).code, "ServerNotTrusted");
    around.set("bundle", "ca.crt", &made().root.to_pem());
    assert!(is_issued(&sign(&vault, start()).await));
}

#[tokio::test]
async fn the_server_name_is_asked_for_and_verified_in_place_of_the_host() {
    let server = Server1::default();
    let named = certificate(&["vault.internal"], &[]);
    let listening = listen(server.clone(), Some(server_config(&named, false))).await;
    let by_host = vault(config(approle()), &listening.url("https"), &around());
    let failed = failure(&sign(&by_host, start()).await);
    assert_eq!((failed.class, failed.code), (Class::Access, "ServerNotTrusted"));
    assert!(failed.says.as_str().contains("vault.internal"), "{}", failed.says);
    let name = Some(ServerName::try_from("vault.internal").unwrap());
    let by_name = Config { server_name: name, ..config(approle()) };
    assert!(is_issued(&sign(&vault(by_name, &listening.url("https"), &around()), start()).await));
}

#[tokio::test]
async fn a_server_that_wants_a_client_certificate_gets_it_or_the_failure_says_so() {
    let server = Server1::default();
    let listening =
        listen(server.clone(), Some(server_config(&certificate(&[], &["127.0.0.1"]), true))).await;
    let around = around();
    let without = vault(config(approle()), &listening.url("https"), &around);
    let failed = failure(&sign(&without, start()).await);
    assert_eq!((failed.class, failed.code), (Class::Access, "ClientCertificateRefused"), "{failed:?}");
    keep_pair(&around, "mtls");
    let with = Config { identity: Some(pair("mtls")), ..config(approle()) };
    assert!(is_issued(&sign(&vault(with, &listening.url("https"), &around), start()).await));
}

#[tokio::test]
async fn a_certificate_login_shows_its_own_certificate() {
    let server = Server1::default();
    let listening =
        listen(server.clone(), Some(server_config(&certificate(&[], &["127.0.0.1"]), true))).await;
    let around = around();
    keep_pair(&around, "login");
    let login = ApiPath::login_below("/v1/auth/cert");
    let auth = Auth::Certificate { login, role: Some("web".into()), secret: Some("login".into()) };
    let vault = vault(config(auth.clone()), &listening.url("https"), &around);
    assert!(is_issued(&sign(&vault, start()).await));
    assert_eq!(server.state().seen[0].body, serde_json::json!({"name": "web"}));
    assert_eq!(vault.secrets(), ["login"]);
    // With a certificate for connections as well, each is shown where it belongs.
    keep_pair(&around, "mtls");
    let both = Config { identity: Some(pair("mtls")), ..config(auth) };
    let vault = crate::vault(both, &listening.url("https"), &around);
    assert!(is_issued(&sign(&vault, start()).await));
    assert_eq!(vault.secrets(), ["login", "mtls"]);
}

#[tokio::test]
async fn tls_to_a_plain_port_and_plain_to_a_tls_port_are_told_apart() {
    let server = Server1::default();
    let plain = listen(server.clone(), None).await;
    let failed = failure(&sign(&vault(config(approle()), &plain.url("https"), &around()), start()).await);
    assert_eq!((failed.class, failed.code), (Class::Access, "ServerSpeaksNoTls"));
    let secure = listen(server.clone(), Some(server_config(&certificate(&[], &["127.0.0.1"]), false))).await;
    let failed = failure(&sign(&vault(config(approle()), &secure.url("http"), &around()), start()).await);
    assert_eq!(failed.class, Class::Transient);
}
