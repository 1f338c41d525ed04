//! CA and SelfSigned issuers, and specs of all kinds: what is signed, what is waited for, what is refused at once.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, dead_code)]

#[path = "support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use everleaf_api::IssuerSpec;
use everleaf_core::checked::Checked;
use everleaf_core::failure::{Blame, Class, Failure, Finality, Outcome, Refusal};
use everleaf_core::wanted::{KeyEncoding, Usage};
use everleaf_core::x509::{Certificate, Chain, Csr, PrivateKey, sign_leaf, sign_self};
use everleaf_issuers::{Answered, Chance, Common, Issuer, IssuerIdentity, NoChance, Order, ReadFailure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use support::{Around, identity, key, made, plan, start, wanted};

fn issuer(spec: Value, around: &Around) -> Issuer {
    let spec: IssuerSpec = serde_json::from_value(spec).unwrap();
    Issuer::from_spec_with(identity(), &spec, Arc::new(around.clone()), &Common::default()).unwrap()
}

fn order(csr: &Csr) -> Order<'_> {
    Order { csr_pem: "", csr, duration: None, is_ca: false, usages: &[], key: None, is_probe: false }
}

fn chain(answered: &Answered) -> &Chain {
    match &answered.outcome {
        Outcome::Issued(chain) => chain,
        other => panic!("not signed: {other:?}"),
    }
}

fn failed(answered: &Answered) -> &Failure {
    match &answered.outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

fn keep(around: &Around, certificate: &str, key: &PrivateKey) {
    around.set("ca", "tls.crt", certificate);
    around.set("ca", "tls.key", &key.to_pem(KeyEncoding::Pkcs1));
}

fn ca() -> (Issuer, Around) {
    let around = Around::default();
    keep(&around, &made().root.to_pem(), &made().root_key);
    (issuer(json!({"ca": {"secretName": "ca"}}), &around), around)
}

#[tokio::test]
async fn a_ca_signs_and_the_answer_passes_the_check_of_the_shell() {
    let (issuer, _) = ca();
    let answered = issuer.sign(&order(&made().csr), start()).await;
    let chain = chain(&answered);
    let leaf = chain.leaf();
    assert!(Checked::new(chain.clone(), made().csr.public_key(), made().csr.sans(), start()).is_ok());
    assert_eq!(leaf.not_before(), start());
    assert_eq!(leaf.not_after(), start() + SignedDuration::from_hours(90 * 24));
    assert!(leaf.was_signed_by(&made().root));
    assert_eq!(chain.certificates.len(), 1);
    assert_eq!(chain.ca.as_ref(), Some(&made().root));
    assert_eq!((answered.connection, answered.write_before), (None, None));
    assert_eq!(issuer.check(start()).await.unwrap().reason, "KeyPairVerified");
    assert_eq!(issuer.secrets(), ["ca"]);
    assert!(issuer.health().await.is_ok());
}

#[tokio::test]
async fn a_ca_gives_usages_duration_and_urls() {
    let around = Around::default();
    keep(&around, &made().root.to_pem(), &made().root_key);
    let urls = json!({"ca": {
        "secretName": "ca", "crlDistributionPoints": ["http://crl.example/x"], "ocspServers": ["http://ocsp.example"],
        "issuingCertificateURLs": ["http://ca.example/ca.crt"],
    }});
    let issuer = issuer(urls, &around);
    let usages = [Usage::ServerAuth, Usage::ClientAuth, Usage::DigitalSignature];
    let wish = Order { duration: Some(Duration::from_secs(3600)), usages: &usages, ..order(&made().csr) };
    let answered = issuer.sign(&wish, start()).await;
    let leaf = chain(&answered).leaf();
    assert_eq!(leaf.not_after(), start() + SignedDuration::from_hours(1));
    assert_eq!(leaf.ext_key_usages().len(), 2);
    let text = String::from_utf8_lossy(leaf.der()).into_owned();
    for url in ["http://crl.example/x", "http://ocsp.example", "http://ca.example/ca.crt"] {
        assert!(text.contains(url), "{url}");
    }
    let ca = Order { is_ca: true, ..order(&made().csr) };
    assert!(chain(&issuer.sign(&ca, start()).await).leaf().is_ca());
}

#[tokio::test]
async fn two_certificates_of_a_ca_have_different_serial_numbers() {
    let (issuer, _) = ca();
    let one = issuer.sign(&order(&made().csr), start()).await;
    let two = issuer.sign(&order(&made().csr), start()).await;
    assert_ne!(chain(&one).leaf().serial(), chain(&two).leaf().serial());
}

#[tokio::test]
async fn an_intermediate_ca_puts_itself_into_the_chain_and_its_root_into_ca_crt() {
    let between_key = key();
    let csr = Csr::build(&wanted("between ca"), &between_key).unwrap();
    let between = sign_leaf(&plan(&csr, 1000, true), &made().root, &made().root_key).unwrap();
    let around = Around::default();
    keep(&around, &between.to_pem(), &between_key);
    around.set("ca", "ca.crt", &made().root.to_pem());
    let issuer = issuer(json!({"ca": {"secretName": "ca"}}), &around);
    let answered = issuer.sign(&order(&made().csr), start()).await;
    let signed = chain(&answered);
    assert_eq!(signed.certificates.len(), 2);
    assert_eq!(signed.ca.as_ref(), Some(&made().root));
    around.set("ca", "ca.crt", "garbage");
    issuer.secret_changed("ca");
    let answered = issuer.sign(&order(&made().csr), start()).await;
    assert_eq!(
        chain(&answered).ca.as_ref(),
        Some(&between),
        "without its root the intermediate is the topmost"
    );
}

#[tokio::test]
async fn a_pair_is_read_once_until_its_secret_changes() {
    let (issuer, around) = ca();
    for _ in 0..20 {
        issuer.sign(&order(&made().csr), start()).await;
    }
    assert_eq!(around.kept().reads, 1);
    issuer.secret_changed("other");
    issuer.sign(&order(&made().csr), start()).await;
    assert_eq!(around.kept().reads, 1);
    issuer.secret_changed("ca");
    issuer.sign(&order(&made().csr), start()).await;
    assert_eq!(around.kept().reads, 2);
}

fn expired_ca() -> (Certificate, PrivateKey) {
    let key = key();
    let csr = Csr::build(&wanted("old root"), &key).unwrap();
    let mut plan = plan(&csr, 1, true);
    plan.not_before = start() - SignedDuration::from_hours(48);
    plan.not_after = start() - SignedDuration::from_hours(24);
    (sign_self(&plan, &key).unwrap(), key)
}

#[tokio::test]
async fn a_pair_that_cant_sign_is_the_issuers_fault_and_says_why() {
    let (expired, expired_key) = expired_ca();
    let leaf = sign_leaf(&plan(&made().csr, 1, false), &made().root, &made().root_key).unwrap();
    let cases = [
        (made().root.to_pem(), key(), "OtherKey", "doesn't belong"),
        (expired.to_pem(), expired_key, "CaExpired", "has expired"),
        (leaf.to_pem(), PrivateKey::from_pkcs8_der(made().key.pkcs8_der()).unwrap(), "NotACa", "not a CA"),
    ];
    for (certificate, key, code, words) in cases {
        let around = Around::default();
        keep(&around, &certificate, &key);
        let issuer = issuer(json!({"ca": {"secretName": "ca"}}), &around);
        let answered = issuer.sign(&order(&made().csr), start()).await;
        let failure = failed(&answered);
        assert_eq!((failure.class, failure.code, failure.finality), (Class::Issuer, code, Finality::Never));
        assert!(failure.says.as_str().contains(words), "{}", failure.says);
        assert_eq!(issuer.check(start()).await.unwrap_err().code, code);
        // And it heals with its Secret.
        keep(&around, &made().root.to_pem(), &made().root_key);
        issuer.secret_changed("ca");
        assert!(issuer.check(start()).await.is_ok());
    }
}

#[tokio::test]
async fn a_secret_of_a_ca_that_is_missing_or_lacks_a_value_is_waited_for() {
    type Spoil = fn(&Around);
    let cases: [(Spoil, Class, &str); 6] = [
        (|around| around.fail("ca", ReadFailure::Missing), Class::Access, "SecretMissing"),
        (|around| around.fail("ca", ReadFailure::Unreachable("x".into())), Class::Transient, "SecretUnread"),
        (|around| around.set("ca", "tls.key", ""), Class::Access, "SecretKeyMissing"),
        (|around| around.set("ca", "tls.crt", "garbage"), Class::Access, "SecretUnusable"),
        (|around| around.set("ca", "tls.key", "garbage"), Class::Access, "SecretUnusable"),
        (|around| around.set("ca", "tls.crt", &"x".repeat(1_000_000)), Class::Access, "SecretUnusable"),
    ];
    for (spoil, class, code) in cases {
        let (issuer, around) = ca();
        spoil(&around);
        let answered = issuer.sign(&order(&made().csr), start()).await;
        let failure = failed(&answered);
        assert_eq!((failure.class, failure.code), (class, code));
        assert_eq!((&failure.blame, failure.finality), (&Blame::Secret("ca".into()), Finality::Never));
        assert!(failure.says.as_str().len() < 300);
    }
}

#[tokio::test]
async fn what_the_request_contradicts_is_refused_at_once() {
    let mut wish = wanted("web.example.com");
    wish.usages_in_csr = true;
    wish.usages = vec![Usage::ServerAuth];
    let csr = Csr::build(&wish, &made().key).unwrap();
    let (issuer, _) = ca();
    let contradicts = Order { usages: &[Usage::ClientAuth], ..order(&csr) };
    let answered = issuer.sign(&contradicts, start()).await;
    let failure = failed(&answered);
    assert_eq!((failure.class, failure.code), (Class::Request, "CsrContradicts"));
    assert!(Refusal::evident(failure.clone()).is_some());
    let agrees = Order { usages: &[Usage::ServerAuth], ..order(&csr) };
    assert!(matches!(issuer.sign(&agrees, start()).await.outcome, Outcome::Issued(_)));
    let endless = Order { duration: Some(Duration::from_secs(400_000_000_000)), ..order(&made().csr) };
    assert_eq!(failed(&issuer.sign(&endless, start()).await).code, "LifeTooLong");
}

#[tokio::test]
async fn a_generator_that_fails_is_transient() {
    let around = Around::default();
    keep(&around, &made().root.to_pem(), &made().root_key);
    let spec: IssuerSpec = serde_json::from_value(json!({"ca": {"secretName": "ca"}})).unwrap();
    let common = Common { chance: Chance::from_fn(|_| Err(NoChance)), ..Common::default() };
    let issuer = Issuer::from_spec_with(identity(), &spec, Arc::new(around), &common).unwrap();
    let answered = issuer.sign(&order(&made().csr), start()).await;
    assert_eq!((failed(&answered).class, failed(&answered).code), (Class::Transient, "NoChance"));
}

#[tokio::test]
async fn a_selfsigned_issuer_signs_with_the_requests_own_key() {
    let issuer =
        issuer(json!({"selfSigned": {"crlDistributionPoints": ["http://crl.example"]}}), &Around::default());
    assert_eq!(issuer.check(start()).await.unwrap().reason, "IsReady");
    let with_key = Order { key: Some(&made().key), ..order(&made().csr) };
    let answered = issuer.sign(&with_key, start()).await;
    let signed = chain(&answered);
    assert_eq!(signed.leaf().issuer(), signed.leaf().subject());
    assert_eq!((signed.certificates.len(), signed.ca.as_ref()), (1, Some(signed.leaf())));
    assert!(Checked::new(signed.clone(), made().csr.public_key(), made().csr.sans(), start()).is_ok());
    assert!(answered.warnings.is_empty());

    let none = issuer.sign(&order(&made().csr), start()).await;
    assert_eq!((failed(&none).code, failed(&none).finality), ("KeyMissing", Finality::Never));
    let other = key();
    let wrong = Order { key: Some(&other), ..order(&made().csr) };
    let answered = issuer.sign(&wrong, start()).await;
    assert_eq!((failed(&answered).code, failed(&answered).finality), ("KeyMismatch", Finality::AtOnce));
}

#[tokio::test]
async fn a_selfsigned_certificate_without_a_subject_is_signed_with_a_warning() {
    let mut wish = wanted("web.example.com");
    wish.subject = everleaf_core::wanted::Subject::Fields(Default::default());
    let csr = Csr::build(&wish, &made().key).unwrap();
    let issuer = issuer(json!({"selfSigned": {}}), &Around::default());
    let answered = issuer.sign(&Order { key: Some(&made().key), ..order(&csr) }, start()).await;
    assert!(matches!(answered.outcome, Outcome::Issued(_)));
    assert_eq!(answered.warnings.len(), 1);
}

#[tokio::test]
async fn kinds_that_arent_built_in_say_so_and_wait() {
    let spec = json!({"acme": {"server": "https://acme.example/directory", "privateKeySecretRef": {"name": "account"}}});
    let issuer = issuer(spec, &Around::default());
    let answered = issuer.sign(&order(&made().csr), start()).await;
    assert_eq!((failed(&answered).class, failed(&answered).finality), (Class::Issuer, Finality::Never));
    assert!(issuer.check(start()).await.is_err());
    assert_eq!(issuer.identity(), &identity());
}

fn spec_error(spec: Value) -> Option<(&'static str, String)> {
    let spec: IssuerSpec = serde_json::from_value(spec).unwrap();
    let made = Issuer::from_spec_with(identity(), &spec, Arc::new(Around::default()), &Common::default());
    made.err().map(|error| (error.reason, error.message))
}

fn vault(change: impl FnOnce(&mut Value)) -> Value {
    let mut spec = json!({"vault": {
        "server": "https://vault:8200", "path": "pki/sign/web",
        "auth": {"tokenSecretRef": {"name": "token"}},
    }});
    change(&mut spec["vault"]);
    spec
}

#[test]
fn a_vault_spec_that_cant_work_says_what_is_wrong_with_it() {
    let app_role = |fields: Value| vault(move |vault| vault["auth"] = json!({"appRole": fields}));
    let kubernetes = |fields: Value| vault(move |vault| vault["auth"] = json!({"kubernetes": fields}));
    let cases = [
        (vault(|vault| vault["server"] = "".into()), "server"),
        (vault(|vault| vault["path"] = "".into()), "path"),
        (vault(|vault| vault["server"] = " https://vault".into()), "server"),
        (vault(|vault| vault["server"] = "https:/vault".into()), "server"),
        (vault(|vault| vault["path"] = "pki/../sign/web".into()), "path"),
        (vault(|vault| vault["auth"] = json!({})), "auth"),
        (vault(|vault| vault["auth"]["clientCertificate"] = json!({})), "one login method"),
        (vault(|vault| vault["auth"] = json!({"tokenSecretRef": {"name": ""}})), "tokenSecretRef.name"),
        (vault(|vault| vault["auth"] = json!({"aws": {"role": ""}})), "role"),
        (vault(|vault| vault["caBundle"] = "%%%".into()), "caBundle"),
        (vault(|vault| vault["clientCertSecretRef"] = json!({"name": "x"})), "clientKeySecretRef"),
        (vault(|vault| vault["serverName"] = "not a name".into()), "serverName"),
        (vault(|vault| vault["namespace"] = "a\nb".into()), "namespace"),
        (
            app_role(json!({"path": "approle", "roleId": "", "secretRef": {"name": "x", "key": "k"}})),
            "roleId",
        ),
        (
            app_role(json!({"path": "approle", "roleId": "r", "secretRef": {"name": "", "key": "k"}})),
            "secretRef.name",
        ),
        (app_role(json!({"path": "approle", "roleId": "r", "secretRef": {"name": "x"}})), "secretRef.key"),
        (app_role(json!({"path": "../x", "roleId": "r", "secretRef": {"name": "x", "key": "k"}})), ".."),
        (kubernetes(json!({"role": "", "secretRef": {"name": "x"}})), "role"),
        (kubernetes(json!({"role": "r"})), "serviceAccountRef"),
        (
            kubernetes(json!({"role": "r", "secretRef": {"name": "x"}, "serviceAccountRef": {"name": "y"}})),
            "not both",
        ),
        (kubernetes(json!({"role": "r", "serviceAccountRef": {"name": ""}})), "serviceAccountRef.name"),
    ];
    for (spec, word) in cases {
        let shown = spec.to_string();
        let (reason, message) = spec_error(spec).unwrap_or_else(|| panic!("accepted: {shown}"));
        assert_eq!(reason, "VaultError");
        assert!(message.contains(word), "{message} for {shown}");
    }
    assert!(spec_error(json!({})).is_some());
    assert!(spec_error(json!({"ca": {"secretName": "x"}, "selfSigned": {}})).is_some());
}

#[test]
fn every_way_to_log_in_that_the_api_has_is_taken() {
    let cases = [
        json!({"tokenSecretRef": {"name": "s"}}),
        json!({"appRole": {"path": "", "roleId": "r", "secretRef": {"name": "s", "key": "k"}}}),
        json!({"clientCertificate": {}}),
        json!({"clientCertificate": {"mountPath": "/v1/auth/other", "secretName": "s", "name": "r"}}),
        json!({"kubernetes": {"role": "r", "secretRef": {"name": "s"}}}),
        // As Go clients write it (vault-issuer 1.2).
        json!({"kubernetes": {"role": "r", "secretRef": {"name": ""}, "serviceAccountRef": {"name": "a"}}}),
    ];
    for auth in cases {
        assert_eq!(spec_error(vault(|vault| vault["auth"] = auth.clone())), None, "{auth}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_spec_reaches_the_server_as_written() {
    let server = support::Server1::default();
    let around = Around::with("s", "k", support::SECRET_ID);
    let root = made().root.to_pem();
    let spec = json!({"vault": {
        "server": "https://vault.example:8200", "path": "/pki/sign/web/", "namespace": "team",
        "caBundle": base64(root.as_bytes()),
        "auth": {"appRole": {"path": "approle", "roleId": "the-role-id", "secretRef": {"name": "s", "key": "k"}}},
    }});
    let spec: IssuerSpec = serde_json::from_value(spec).unwrap();
    let common = Common { network: server.network(), ..Common::default() };
    let identity = IssuerIdentity { namespace: None, ..identity() };
    let issuer = Issuer::from_spec_with(identity, &spec, Arc::new(around), &common).unwrap();
    let pem = &made().csr_pem;
    let answered = issuer.sign(&Order { csr_pem: pem, ..order(&made().csr) }, start()).await;
    assert!(matches!(answered.outcome, Outcome::Issued(_)), "{answered:?}");
    assert_eq!(issuer.check(Timestamp::UNIX_EPOCH).await.unwrap().message, "Vault verified");
    assert!(issuer.refers_to("s") && !issuer.refers_to("other"));
    let state = server.state();
    assert_eq!(state.seen[0].path, "/v1/auth/approle/login");
    assert_eq!(state.seen[0].namespace.as_deref(), Some("team"));
    assert_eq!(state.seen[1].path, "/v1/pki/sign/web");
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
