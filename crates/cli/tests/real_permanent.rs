//! Faults done to a real Vault itself: those that heal, and those that a person must mend. They are told within a minute, with who must
//! act; the cure is noticed without a restart; and a refusal of a request is final only with proof (vault-measured 7).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod faulty;
mod support;

use std::time::{Duration, Instant};

use everleaf_testkit::makers;
use everleaf_testkit::servers::{Pki, PkiOptions, Vault};
use faulty::ground::{Ground, SOON, certificates, drop_tokens};
use faulty::history::History;
use serde_json::{Value, json};
use support::space::{condition, is_issued, text};

/// What a person must mend is told within this time.
const TOLD_WITHIN: Duration = Duration::from_secs(60);
/// A cure in Vault is noticed within this time.
const CURED_IN_VAULT: Duration = Duration::from_secs(60);
/// A cure that shows in the API, and the end of an outage, within this.
const CURED_AT_ONCE: Duration = Duration::from_secs(10);

/// One issuer with a mount, a policy and an AppRole of its own.
struct Scene<'a> {
    ground: &'a Ground,
    vault: &'a Vault,
    seen: &'a History,
    requests: &'a History,
    issuer: &'static str,
    pki: Pki,
}

impl<'a> Scene<'a> {
    async fn set(
        ground: &'a Ground,
        vault: &'a Vault,
        (seen, requests): (&'a History, &'a History),
        issuer: &'static str,
    ) -> Scene<'a> {
        let pki = ground.pki(vault, issuer, &PkiOptions::default()).await;
        ground.vault_issuer(issuer, vault.url(), &pki).await;
        Scene { ground, vault, seen, requests, issuer, pki }
    }

    /// Two certificates wait; the issuer and both requests say what is wrong and who must act.
    async fn is_told(&self, words: &[&str]) -> Vec<String> {
        let begun = Instant::now();
        let (objects, names) = certificates(self.issuer, 2, self.issuer);
        self.ground.apply_all(objects).await;
        let issuer = self.ground.issuer_says(self.issuer, TOLD_WITHIN, words[0]).await;
        let message = text(&condition(&issuer, "Ready"), "/message");
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
        let left = TOLD_WITHIN.saturating_sub(begun.elapsed());
        let requests: Vec<String> = names.iter().map(|name| format!("{name}-1")).collect();
        let tells = |request: &Value| {
            let ready = condition(request, "Ready");
            let message = text(&ready, "/message");
            ready["reason"] == "Pending" && words.iter().all(|word| message.contains(word))
        };
        self.requests.until_all(left, &format!("told {words:?}"), &requests, tells).await;
        eprintln!("{}: told after {:.1?}: {message}", self.issuer, begun.elapsed());
        names
    }

    async fn works_within(&self, patience: Duration, names: &[String]) {
        let mended = Instant::now();
        self.seen.until_all(patience, "issued after the cure", names, is_issued).await;
        eprintln!("{}: issued {:.1?} after the cure", self.issuer, mended.elapsed());
        self.ground.issuer_ready(self.issuer, SOON).await;
    }
}

async fn policy_removed(scene: Scene<'_>) {
    let api = scene.vault.api();
    api.policy(&scene.pki.policy, "path \"nothing\" { capabilities = [\"read\"] }").await.unwrap();
    let lacks = format!("policy {} lacks update on {}", scene.pki.policy, scene.pki.sign_path);
    let who = "Someone must mend the credentials or the rights of this issuer";
    let names = scene.is_told(&[&lacks, "Access", who]).await;
    let rules = format!("path \"{}\" {{ capabilities = [\"update\"] }}", scene.pki.sign_path);
    api.policy(&scene.pki.policy, &rules).await.unwrap();
    scene.works_within(CURED_IN_VAULT, &names).await;
}

async fn role_removed(scene: Scene<'_>) {
    let role = format!("{}/roles/{}", scene.pki.mount, scene.pki.role);
    let fields = scene.vault.read(&role).await.unwrap();
    scene.vault.delete(&role).await.unwrap();
    let who = "Someone must mend the issuer: its mount, role or CA";
    let names = scene.is_told(&["unknown role: web", "Issuer", who]).await;
    scene.vault.write(&role, fields).await.unwrap();
    scene.works_within(CURED_IN_VAULT, &names).await;
}

async fn mount_removed(scene: Scene<'_>) {
    scene.vault.delete(&format!("sys/mounts/{}", scene.pki.mount)).await.unwrap();
    let names = scene.is_told(&["no handler for route", "Issuer", "Someone must mend the issuer"]).await;
    scene.vault.pki(&scene.pki.mount, &PkiOptions::default()).await.unwrap();
    scene.works_within(CURED_IN_VAULT, &names).await;
}

async fn ca_expired(scene: Scene<'_>) {
    let configured = format!("{}/config/issuers", scene.pki.mount);
    let sound = scene.vault.read(&configured).await.unwrap()["default"].clone();
    let root = json!({ "common_name": "short root", "ttl": "5s", "key_type": "ec", "issuer_name": "short" });
    scene.vault.write(&format!("{}/root/generate/internal", scene.pki.mount), root).await.unwrap();
    scene.vault.write(&configured, json!({ "default": "short" })).await.unwrap();
    let names = scene
        .is_told(&["ends too soon to sign anything, or has ended: 20", "Issuer", "its mount, role or CA"])
        .await;
    scene.vault.write(&configured, json!({ "default": sound })).await.unwrap();
    scene.works_within(CURED_IN_VAULT, &names).await;
}

/// Vault locks an AppRole after five wrong tries, for the right secret id as well.
async fn secret_id_rotated(scene: Scene<'_>) {
    let api = scene.vault.api();
    let role = format!("auth/{}/role/{}", scene.pki.approle.mount, scene.pki.approle.name);
    let old = json!({ "secret_id": scene.pki.approle.secret_id });
    api.write(&format!("{role}/secret-id/destroy"), old).await.unwrap();
    drop_tokens(scene.vault, &scene.pki).await;
    let who = format!("Someone must mend Secret {}-approle", scene.issuer);
    let names = scene.is_told(&["invalid role or secret ID", "Access", &who]).await;
    let new = api.write(&format!("{role}/secret-id"), json!({})).await.unwrap();
    let secret = makers::approle_secret(scene.issuer, new["secret_id"].as_str().unwrap());
    scene.ground.space.apply(secret).await;
    scene.works_within(CURED_AT_ONCE, &names).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn what_a_person_must_mend_is_told_with_who_and_works_again_once_it_is_mended() {
    let (ground, vault) = tokio::join!(Ground::new(&[]), Vault::start_dev());
    let vault = vault.unwrap();
    let seen = History::of(&ground.space, "Certificate").await;
    let requests = History::of(&ground.space, "CertificateRequest").await;
    let set = |issuer| Scene::set(&ground, &vault, (&seen, &requests), issuer);
    let (policy, role, mount) = (set("policy").await, set("role").await, set("mount").await);
    let (ca, secret) = (set("ca").await, set("secret").await);
    let beside = async {
        let (objects, names) = certificates("beside", 5, "beside");
        let scene = set("beside").await;
        ground.apply_all(objects).await;
        scene.works_within(SOON, &names).await;
    };
    tokio::join!(
        policy_removed(policy),
        role_removed(role),
        mount_removed(mount),
        ca_expired(ca),
        secret_id_rotated(secret),
        beside
    );
    ground.nothing_was_forbidden();
    for version in requests.versions() {
        let Some(request) = version.object else { continue };
        assert!(request["status"]["failureTime"].is_null(), "{request}");
        assert_ne!(condition(&request, "Ready")["reason"], "Failed", "{request}");
    }
}

/// A token that was revoked costs a login and nothing that anybody sees.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_revoked_token_is_replaced_unseen() {
    let (ground, vault) = tokio::join!(Ground::new(&[]), Vault::start_dev());
    let vault = vault.unwrap();
    let seen = History::of(&ground.space, "Certificate").await;
    let requests = History::of(&ground.space, "CertificateRequest").await;
    let scene = Scene::set(&ground, &vault, (&seen, &requests), "issuer").await;
    let (objects, names) = certificates("before", 2, "issuer");
    ground.apply_all(objects).await;
    scene.works_within(SOON, &names).await;
    drop_tokens(scene.vault, &scene.pki).await;
    let mark = vault.audit().here().unwrap();
    let (objects, names) = certificates("after", 5, "issuer");
    ground.apply_all(objects).await;
    scene.works_within(CURED_AT_ONCE, &names).await;
    let logins = vault.audit().since(mark).unwrap().iter().filter(|request| request.is_login()).count();
    assert_eq!(logins, 1, "one login for all who wait");
    for version in requests.versions() {
        let reason = version.object.map(|request| condition(&request, "Ready")["reason"].clone());
        assert!(!matches!(reason, Some(Value::String(reason)) if reason != "Issued"), "{}", version.name);
    }
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_vault_that_is_sealed_or_lost_its_storage_is_waited_for() {
    let (ground, vault) = tokio::join!(Ground::new(&[]), Vault::start_dev());
    let mut vault = vault.unwrap();
    let seen = History::of(&ground.space, "Certificate").await;
    let requests = History::of(&ground.space, "CertificateRequest").await;
    let pki = ground.pki(&vault, "sealed", &PkiOptions::default()).await;
    ground.vault_issuer("sealed", vault.url(), &pki).await;
    let waits = async |stem: &str, words: &str| {
        let (objects, names) = certificates(stem, 10, "sealed");
        ground.apply_all(objects).await;
        ground.issuer_says("sealed", TOLD_WITHIN, words).await;
        names
    };

    vault.seal().await.unwrap();
    let names = waits("sealed", "Vault is sealed").await;
    vault.unseal().await.unwrap();
    let healed = Instant::now();
    seen.until_all(CURED_AT_ONCE, "issued after the unseal", &names, is_issued).await;
    eprintln!("sealed: issued {:.1?} after the unseal", healed.elapsed());

    // The same credentials, as somebody who restores from a description does it.
    vault.restart_empty().await.unwrap();
    let names = waits("lost", "permission denied").await;
    let again = vault.pki(&pki.mount, &PkiOptions::default()).await.unwrap();
    let role = format!("auth/{}/role/{}", pki.approle.mount, pki.approle.name);
    vault.write(&format!("{role}/role-id"), json!({ "role_id": pki.approle.role_id })).await.unwrap();
    let secret_id = json!({ "secret_id": pki.approle.secret_id });
    vault.write(&format!("{role}/custom-secret-id"), secret_id).await.unwrap();
    let healed = Instant::now();
    seen.until_all(CURED_IN_VAULT, "issued by the new Vault", &names, is_issued).await;
    eprintln!("lost: issued {:.1?} after it was set up again", healed.elapsed());
    assert_ne!(again.root, pki.root);
    for version in requests.versions() {
        let Some(request) = version.object else { continue };
        assert_ne!(condition(&request, "Ready")["reason"], "Failed", "{request}");
    }
}

/// The proof: the same refusal twice, half a minute apart, with something committed between.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_name_that_the_role_refuses_is_told_at_once_and_final_only_with_proof() {
    let (ground, vault) = tokio::join!(Ground::new(&[]), Vault::start_dev());
    let vault = vault.unwrap();
    let (seen, requests) = (
        History::of(&ground.space, "Certificate").await,
        History::of(&ground.space, "CertificateRequest").await,
    );
    let only =
        json!({ "allow_any_name": false, "allowed_domains": ["ok.example"], "allow_subdomains": true });
    let options = PkiOptions { role_fields: only, ..PkiOptions::default() };
    let pki = ground.pki(&vault, "strict", &options).await;
    ground.vault_issuer("strict", vault.url(), &pki).await;
    let certificate = |name: &str, host: &str| {
        makers::certificate(name).from_issuer("strict").with("/spec/dnsNames", json!([host]))
    };
    let mark = vault.audit().here().unwrap();
    ground.apply_all(vec![certificate("bad", "bad.example"), certificate("good", "a.ok.example")]).await;
    let told = Instant::now();
    let tells = |request: &Value| {
        let message = text(&condition(request, "Ready"), "/message");
        message.contains("bad.example not allowed by this role")
            && message.contains("Request")
            && message.contains("The request must change, or the issuer's rules")
            && message.contains("Next try by")
    };
    requests.until_all(SOON, "told", &["bad-1".to_owned()], tells).await;
    seen.until_all(SOON, "issued beside", &["good".to_owned()], is_issued).await;

    let failed = |request: &Value| condition(request, "Ready")["reason"] == "Failed";
    let at_the_end =
        requests.until_all(Duration::from_secs(100), "failed", &["bad-1".to_owned()], failed).await;
    eprintln!("refused: final {:.1?} after it was first told", told.elapsed());
    let request = &at_the_end["bad-1"];
    let message = text(&condition(request, "Ready"), "/message");
    assert!(
        message.contains("Refused for good") && message.contains("not allowed by this role"),
        "{message}"
    );
    assert!(request["status"]["failureTime"].is_string());
    proof_is_in_the_audit_log(&vault, mark, &pki);

    let fails = |certificate: &Value| {
        let issuing = condition(certificate, "Issuing");
        issuing["status"] == "False" && text(&issuing, "/message").contains("not allowed by this role")
    };
    let bad = seen.until_all(SOON, "tells the refusal", &["bad".to_owned()], fails).await["bad"].clone();
    assert_eq!(bad["status"]["failedIssuanceAttempts"], 1);
    assert!(bad["status"]["lastFailureTime"].is_string());
    ground.space.apply(certificate("bad", "b.ok.example")).await;
    seen.until_all(CURED_AT_ONCE, "issued after the spec has changed", &["bad".to_owned()], is_issued).await;
    assert_eq!(
        ground.issuer_ready("strict", SOON).await["metadata"]["name"],
        "strict",
        "it was ready all the time"
    );
}

/// Between the last two sign calls, both of which were refused, stands a login or a renewal.
fn proof_is_in_the_audit_log(vault: &Vault, mark: everleaf_testkit::servers::Mark, pki: &Pki) {
    let log = vault.audit().since(mark).unwrap();
    let steps: Vec<char> = log
        .iter()
        .filter_map(|request| match request {
            sign if sign.path == pki.sign_path => Some('S'),
            write if write.is_login() || write.path == "auth/token/renew-self" => Some('W'),
            _ => None,
        })
        .collect();
    let steps: String = steps.into_iter().collect();
    assert!(steps.ends_with("SWS"), "{steps}");
}
