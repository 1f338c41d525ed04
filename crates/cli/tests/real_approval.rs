//! Approval comes before the signature, on real servers: an approver that is off or lacks the right signs nothing until somebody
//! approves, what was denied is never signed, and other clients and other issuers are served as the peer serves them.
//! What was signed is counted in Vault's own log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod faulty;
mod support;

use std::time::Duration;

use everleaf_testkit::makers;
use everleaf_testkit::servers::{CONTROLLER_USER, Fault, FaultProxy, Pki, PkiOptions, Vault};
use faulty::ground::{Ground, SOON, shared_vault};
use faulty::history::History;
use faulty::people::{
    Verdict, approval, foreign_request, grant_all_but_approval, grant_approval, judge, may_approve,
};
use serde_json::{Value, json};
use support::openssl;
use support::space::{condition, decoded, encoded, text};

/// A missing right is asked for again after half a minute.
const ASKED_AGAIN: Duration = Duration::from_secs(60);

/// A Vault issuer and who may approve there beside us.
async fn set(ground: &Ground) -> (&'static Vault, Pki) {
    let vault = shared_vault().await;
    let pki = ground.pki(vault, "pki", &PkiOptions::default()).await;
    ground.vault_issuer("issuer", vault.url(), &pki).await;
    may_approve(&ground.space, "alice").await;
    (vault, pki)
}

fn signs(vault: &Vault, pki: &Pki) -> usize {
    // All tests of this binary share the log, each has a mount of its own.
    let start = everleaf_testkit::servers::Mark::default();
    vault.audit().since(start).unwrap().iter().filter(|request| request.path == pki.sign_path).count()
}

/// A Certificate whose request waits for somebody: the key is stored, the story is told, nothing is approved.
async fn waits_for_approval(ground: &Ground, name: &str) {
    ground.space.apply(makers::certificate(name)).await;
    let runs = |certificate: &Value| {
        condition(certificate, "Issuing")["status"] == "True"
            && certificate["status"]["nextPrivateKeySecretName"].is_string()
    };
    let certificate = ground.space.until("Certificate", name, "waiting", runs).await;
    let request = ground.space.until("CertificateRequest", &format!("{name}-1"), "there", |_| true).await;
    assert_eq!(approval(&request), (false, false), "{request}");
    let key = text(&certificate, "/status/nextPrivateKeySecretName");
    assert_eq!(request["metadata"]["annotations"]["cert-manager.io/private-key-secret-name"], key);
    let stored = ground.space.get("Secret", &key).await;
    assert_eq!(stored["metadata"]["labels"]["cert-manager.io/next-private-key"], "true", "{stored}");
}

/// One that somebody approves is signed, while those that wait are not: nothing is slow, it is on purpose.
async fn only_what_is_approved_is_signed(ground: &Ground, vault: &Vault, pki: &Pki) {
    waits_for_approval(ground, "waits").await;
    waits_for_approval(ground, "approved").await;
    assert_eq!(signs(vault, pki), 0);
    judge(ground.kube, &ground.space, "alice", "approved-1", Verdict::Approved).await;
    ground.space.issued("approved").await;
    assert_eq!(signs(vault, pki), 1);
    let waits = ground.space.get("CertificateRequest", "waits-1").await;
    assert_eq!(approval(&waits), (false, false), "{waits}");
    assert!(waits["status"]["certificate"].is_null());
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn an_approver_that_is_switched_off_signs_nothing_until_somebody_approves() {
    let ground = Ground::new(&["--controllers=*,-certificaterequests-approver"]).await;
    let (vault, pki) = set(&ground).await;
    only_what_is_approved_is_signed(&ground, vault, &pki).await;
    judge(ground.kube, &ground.space, "alice", "waits-1", Verdict::Approved).await;
    ground.space.issued("waits").await;
    assert_eq!(signs(vault, &pki), 2);
    let request = ground.space.get("CertificateRequest", "waits-1").await;
    assert_eq!(condition(&request, "Approved")["reason"], "ByHand", "the word of who approved stays");
    let left = ground.space.list("Secret").await;
    let next = left
        .iter()
        .filter(|secret| !secret["metadata"]["labels"]["cert-manager.io/next-private-key"].is_null());
    assert_eq!(next.count(), 0, "the keys of finished issuances are gone");
    ground.nothing_was_forbidden();
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn an_approver_without_the_right_signs_nothing_and_notices_when_it_gets_it() {
    let ground = Ground::speaking_as("bob", &[], async |kube, space| {
        grant_all_but_approval(kube, space, "bob").await;
    })
    .await;
    let (vault, pki) = set(&ground).await;
    only_what_is_approved_is_signed(&ground, vault, &pki).await;
    let narrow = format!("issuers.cert-manager.io/{}.issuer", ground.space.name);
    grant_approval(ground.kube, &ground.space, "bob", &narrow).await;
    ground.space.issued_within(ASKED_AGAIN, "waits").await;
    let request = ground.space.get("CertificateRequest", "waits-1").await;
    assert_eq!(condition(&request, "Approved")["reason"], "cert-manager.io");
    assert_eq!(signs(vault, &pki), 2);
    ground.nothing_was_forbidden();
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_denied_request_is_never_signed_and_its_certificate_tells_it_and_backs_off() {
    let ground = Ground::new(&["--controllers=*,-certificaterequests-approver"]).await;
    let (vault, pki) = set(&ground).await;
    let requests = History::of(&ground.space, "CertificateRequest").await;
    waits_for_approval(&ground, "denied").await;
    judge(ground.kube, &ground.space, "alice", "denied-1", Verdict::Denied).await;
    let tells = |certificate: &Value| {
        let issuing = condition(certificate, "Issuing");
        issuing["status"] == "False"
            && issuing["reason"] == "ByHand"
            && text(&issuing, "/message").ends_with("Denied by alice")
            && certificate["status"]["nextPrivateKeySecretName"].is_null()
    };
    let certificate = ground.space.until("Certificate", "denied", "tells the denial", tells).await;
    assert_eq!(certificate["status"]["failedIssuanceAttempts"], 1);
    assert!(certificate["status"]["lastFailureTime"].is_string());
    let request = ground.space.get("CertificateRequest", "denied-1").await;
    let ready = condition(&request, "Ready");
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("Denied")), "{ready}");
    assert_eq!(ready["message"], "The CertificateRequest was denied by an approval controller");
    assert!(request["status"]["failureTime"].is_string());

    // The other one is approved and signed meanwhile, so there was time for a second try if there was to be one.
    waits_for_approval(&ground, "approved").await;
    judge(ground.kube, &ground.space, "alice", "approved-1", Verdict::Approved).await;
    ground.space.issued("approved").await;
    assert_eq!(signs(vault, &pki), 1);
    let made: Vec<String> = requests.now().keys().cloned().collect();
    assert_eq!(made, ["approved-1", "denied-1"]);
    assert!(requests.versions().iter().all(|version| version.object.is_some()), "no request was deleted");

    // A new wish is a new try.
    let wish = makers::certificate("denied").with("/spec/dnsNames", json!(["other.example"]));
    ground.space.apply(wish).await;
    let anew = |now: &std::collections::BTreeMap<String, Value>| {
        now.get("denied-1").is_some_and(|request| approval(request) == (false, false))
    };
    requests.until(SOON, "a request for the new wish", anew).await;
    judge(ground.kube, &ground.space, "alice", "denied-1", Verdict::Approved).await;
    ground.space.issued("denied").await;
    ground.nothing_was_forbidden();
}

/// The denial comes while Vault is asked: its answer is dropped.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_answer_to_a_request_that_was_denied_meanwhile_is_dropped() {
    let ground = Ground::new(&[]).await;
    let (vault, pki) = set(&ground).await;
    let proxy = FaultProxy::start(vault.url()).await.unwrap();
    ground.vault_issuer("slow", proxy.url(), &pki).await;
    let requests = History::of(&ground.space, "CertificateRequest").await;
    let path = format!("/v1/{}", pki.sign_path);
    proxy.set(Fault::Hang, &path);
    let certificates = (0..3).map(|number| makers::certificate(&format!("web-{number}")).from_issuer("slow"));
    ground.apply_all(certificates.collect()).await;
    while proxy.faulted(&path) < 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    judge(ground.kube, &ground.space, "alice", "web-1-1", Verdict::Denied).await;
    proxy.clear();
    ground.space.issued("web-0").await;
    ground.space.issued("web-2").await;
    let denied = |certificate: &Value| condition(certificate, "Issuing")["reason"] == "ByHand";
    ground.space.until("Certificate", "web-1", "tells the denial", denied).await;
    for version in requests.versions().into_iter().filter(|version| version.name == "web-1-1") {
        let Some(request) = version.object else { continue };
        assert!(request["status"]["certificate"].is_null(), "{request}");
        assert_ne!(approval(&request), (true, true), "{request}");
    }
    assert!(ground.space.find("Secret", "web-1-tls").await.is_none());
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn requests_to_foreign_issuers_are_approved_where_that_is_granted_and_never_signed() {
    let ground = Ground::new(&[]).await;
    let (vault, pki) = set(&ground).await;
    let foreign = json!({ "name": "issuer", "kind": "Foo", "group": "foos.example.com" });
    ground.space.apply(makers::certificate("foreign").with("/spec/issuerRef", foreign)).await;
    let there = |request: &Value| request["metadata"]["name"] == "foreign-1";
    ground.space.until("CertificateRequest", "foreign-1", "there", there).await;
    ground.space.apply(makers::certificate("ours")).await;
    ground.space.issued("ours").await;
    let request = ground.space.get("CertificateRequest", "foreign-1").await;
    assert_eq!(approval(&request), (false, false), "no right to approve for this signer: {request}");

    grant_approval(ground.kube, &ground.space, CONTROLLER_USER, "foos.foos.example.com/*").await;
    let approved = |request: &Value| approval(request).0;
    let request =
        ground.space.until_within(ASKED_AGAIN, "CertificateRequest", "foreign-1", "approved", approved).await;
    assert_eq!(condition(&request, "Approved")["reason"], "cert-manager.io");
    assert!(condition(&request, "Ready").is_null(), "nothing else is said about it: {request}");
    assert_eq!(signs(vault, &pki), 1, "only our own");

    let signed = sign_by_hand(vault, &pki, &request).await;
    ground.space.merge_status("CertificateRequest", "foreign-1", with_certificate(&request, &signed)).await;
    ground.space.issued("foreign").await;
}

/// What a foreign signer does: it signs in its own way, and writes certificate and condition.
async fn sign_by_hand(vault: &Vault, pki: &Pki, request: &Value) -> String {
    let csr = String::from_utf8(decoded(&request["spec"]["request"])).unwrap();
    let path = format!("{}/sign-verbatim", pki.mount);
    let signed = vault.write(&path, json!({ "csr": csr, "ttl": "24h" })).await.unwrap();
    format!("{}\n", signed["certificate"].as_str().unwrap())
}

fn with_certificate(request: &Value, certificate: &str) -> Value {
    let mut conditions = request["status"]["conditions"].as_array().unwrap().clone();
    conditions.push(json!({ "type": "Ready", "status": "True", "reason": "Issued", "message": "by Foo" }));
    json!({ "certificate": encoded(certificate), "conditions": conditions })
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn requests_of_other_clients_are_signed_as_our_own() {
    let ground = Ground::new(&[]).await;
    let (_, pki) = set(&ground).await;
    ground.space.apply(foreign_request("mesh", json!({ "name": "issuer" }))).await;
    let issued = |request: &Value| condition(request, "Ready")["reason"] == "Issued";
    let request = ground.space.until("CertificateRequest", "mesh", "signed", issued).await;
    assert_eq!(condition(&request, "Approved")["reason"], "cert-manager.io");
    assert_eq!(condition(&request, "Ready")["message"], "Certificate fetched from issuer successfully");
    let chain = decoded(&request["status"]["certificate"]);
    openssl::verify(&chain, pki.root.as_bytes(), &["-verify_hostname", "mesh.example"]).unwrap();
    assert_eq!(
        decoded(&request["status"]["ca"]),
        pki.root.as_bytes().trim_ascii().to_vec().into_iter().chain(*b"\n").collect::<Vec<u8>>()
    );
    ground.nothing_was_forbidden();
}

/// Beside cert-manager, signing for Vault only: nothing else is touched, and its Lease is its own.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_mode_for_vault_only_signs_what_others_have_approved_and_touches_nothing_else() {
    let ground = Ground::with_election(&["--controllers=certificaterequests-issuer-vault"]).await;
    let vault = shared_vault().await;
    let pki = ground.pki(vault, "pki", &PkiOptions::default()).await;
    may_approve(&ground.space, "alice").await;
    let space = &ground.space;
    space.apply(makers::approle_secret("issuer", &pki.approle.secret_id)).await;
    space.apply(makers::vault_issuer("issuer", vault.url(), &pki.sign_path, &pki.approle.role_id)).await;
    space.apply(makers::self_signed_issuer("other")).await;
    space.apply(makers::certificate("untouched")).await;
    for (name, issuer) in [("approved", "issuer"), ("waits", "issuer"), ("others", "other")] {
        space.apply(foreign_request(name, json!({ "name": issuer }))).await;
    }
    judge(ground.kube, space, "alice", "others", Verdict::Approved).await;
    judge(ground.kube, space, "alice", "approved", Verdict::Approved).await;
    let issued = |request: &Value| condition(request, "Ready")["reason"] == "Issued";
    space.until("CertificateRequest", "approved", "signed", issued).await;
    assert_eq!(signs(vault, &pki), 1);
    for name in ["waits", "others"] {
        let request = space.get("CertificateRequest", name).await;
        assert!(condition(&request, "Ready").is_null(), "{request}");
    }
    assert!(space.get("Certificate", "untouched").await["status"].is_null());
    assert!(space.get("Issuer", "issuer").await["status"].is_null(), "its state is for others to tell");
    let writes: Vec<String> =
        ground.asked().iter().filter(|request| request.writes()).map(|request| request.what()).collect();
    let allowed = ["update certificaterequests/status", "create events"];
    assert!(writes.iter().all(|what| allowed.contains(&what.as_str())), "{writes:?}");
    let leases = space.elsewhere("kube-system").names("Lease").await;
    assert!(leases.contains(&"everleaf-controller".to_owned()), "{leases:?}");
    assert!(!leases.contains(&"cert-manager-controller".to_owned()), "{leases:?}");
    ground.nothing_was_forbidden();
}
