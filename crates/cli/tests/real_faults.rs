//! Faults of a Vault that heal, and some that a person must mend, on real servers: nothing that heals ends a request, everything that
//! waits is told, and all of it is ready soon after the cure (vault-measured 2 to 7).
//! Faults are played by a proxy before Vault, or done to Vault itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod faulty;
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use everleaf_testkit::servers::{Fault, FaultProxy, PkiOptions};
use faulty::ground::{Ground, SOON, certificates, direct_sign_works, drop_tokens, fault_lasts, shared_vault};
use faulty::history::History;
use support::space::{condition, is_issued, text};

const WAITING: usize = 50;
const BESIDE: usize = 10;
/// The promise: all are ready this long after the first direct sign has succeeded again.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// What a lane has in flight at most.
const IN_FLIGHT: usize = 16;
/// The most writes for one certificate that met a fault, from its first request to its Secret, events included.
const MOST_WRITES: usize = 16;

/// What a fault must look like to those who wait for its end.
struct Told {
    class: &'static str,
    says: &'static str,
    /// What the Issuer says at the end, where proof was found meanwhile.
    issuer: &'static str,
}

const fn told(class: &'static str, says: &'static str) -> Told {
    Told { class, says, issuer: says }
}

/// The call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Sign,
    /// The token is revoked first, so that a login is needed.
    Login,
}

/// Fifty certificates wait while the sign call fails; ten of another issuer don't notice.
async fn heals(fault: Fault, told: Told) {
    call_heals(Call::Sign, fault, told).await;
}

async fn call_heals(call: Call, fault: Fault, told: Told) {
    let name = format!("{call:?} {fault:?}");
    let ground = Ground::new(&[]).await;
    let vault = shared_vault().await;
    let proxy = FaultProxy::start(vault.url()).await.unwrap();
    let sick = ground.pki(vault, "sick", &PkiOptions::default()).await;
    let sound = ground.pki(vault, "sound", &PkiOptions::default()).await;
    ground.vault_issuer("sick", proxy.url(), &sick).await;
    ground.vault_issuer("sound", vault.url(), &sound).await;
    let certificates_seen = History::of(&ground.space, "Certificate").await;
    let requests_seen = History::of(&ground.space, "CertificateRequest").await;
    let alone = issue(&ground, &certificates_seen, "alone").await;

    let path = match call {
        Call::Sign => format!("/v1/{}", sick.sign_path),
        Call::Login => "/v1/auth/approle/login".to_owned(),
    };
    proxy.set(fault, &path);
    if call == Call::Login {
        drop_tokens(vault, &sick).await;
    }
    let begun = Instant::now();
    let (waiting, names) = certificates("waiting", WAITING, "sick");
    ground.apply_all(waiting).await;
    let beside = issue(&ground, &certificates_seen, "beside").await;
    all_are_told(&requests_seen, &certificates_seen, &names, &told).await;
    tokio::time::sleep((begun + fault_lasts()).saturating_duration_since(Instant::now())).await;
    let issuer = ground.issuer_says("sick", SOON, told.issuer).await;
    assert!(certificates_seen.now().iter().all(|(name, is)| !names.contains(name) || !is_issued(is)));

    proxy.clear();
    let healed = direct_sign_works(vault, &proxy, &sick).await;
    certificates_seen.until_all(SOON, "issued", &names, is_issued).await;
    let took = healed.elapsed();
    ground.issuer_ready("sick", SOON).await;

    nothing_was_terminal(&requests_seen, &certificates_seen);
    let writes = writes_by_certificate(&ground, &names);
    eprintln!(
        "{name}: all {WAITING} ready {took:.1?} after it healed; the other issuer's {BESIDE} took {beside:.1?}, alone {alone:.1?}; \
         writes a certificate {:.1} on average, {} at most; calls met by the fault {}; the issuer said: {}",
        writes.values().sum::<usize>() as f64 / WAITING as f64,
        writes.values().max().unwrap(),
        proxy.faulted(&path),
        condition(&issuer, "Ready")["message"],
    );
    assert!(took < READY_WITHIN, "{name}: the last was ready {took:?} after the fault had healed");
    assert!(writes.values().all(|count| *count <= MOST_WRITES), "{name}: {writes:?}");
    ground.nothing_was_forbidden();
}

/// Certificates of the sound issuer, and how long all of them took.
async fn issue(ground: &Ground, seen: &History, stem: &str) -> Duration {
    let begun = Instant::now();
    let (objects, names) = certificates(stem, BESIDE, "sound");
    ground.apply_all(objects).await;
    seen.until_all(SOON, "issued by the sound issuer", &names, is_issued).await;
    begun.elapsed()
}

/// Class, Vault's own words and what comes next stand in each request, and in the Issuing condition of each Certificate.
async fn all_are_told(requests: &History, certificates: &History, names: &[String], told: &Told) {
    let tells = |message: &str| {
        message.contains(told.class)
            && message.contains(told.says)
            && (message.contains("Next try by") || message.contains("The issuer is probed "))
    };
    let request_names: Vec<String> = names.iter().map(|name| format!("{name}-1")).collect();
    let what = format!("told: {} {}", told.class, told.says);
    requests
        .until_all(SOON, &what, &request_names, |request| {
            let ready = condition(request, "Ready");
            ready["status"] == "False" && ready["reason"] == "Pending" && tells(&text(&ready, "/message"))
        })
        .await;
    certificates
        .until_all(SOON, &what, names, |certificate| {
            let (ready, issuing) = (condition(certificate, "Ready"), condition(certificate, "Issuing"));
            ready["status"] == "False"
                && issuing["status"] == "True"
                && issuing["reason"] == "DoesNotExist"
                && tells(&text(&issuing, "/message"))
        })
        .await;
}

/// No version of any request or Certificate ever said that it is over.
fn nothing_was_terminal(requests: &History, certificates: &History) {
    for version in requests.versions() {
        let Some(request) = version.object else { continue };
        let reason = text(&condition(&request, "Ready"), "/reason");
        assert!(matches!(reason.as_str(), "" | "Pending" | "Issued"), "{request}");
        assert!(request["status"]["failureTime"].is_null(), "{request}");
    }
    for version in certificates.versions() {
        let Some(certificate) = version.object else { continue };
        assert_ne!(condition(&certificate, "Issuing")["status"], "False", "{certificate}");
        assert!(certificate["status"]["lastFailureTime"].is_null(), "{certificate}");
        assert!(certificate["status"]["failedIssuanceAttempts"].is_null(), "{certificate}");
    }
}

/// What the controller wrote for each certificate: itself, its requests, its Secrets, events about it.
fn writes_by_certificate(ground: &Ground, names: &[String]) -> BTreeMap<String, usize> {
    let asked = ground.asked();
    let about = |name: &String, of: &str| {
        of == name || of.starts_with(&format!("{name}-")) || of.starts_with(&format!("{name}."))
    };
    let count =
        |name: &String| asked.iter().filter(|request| request.writes() && about(name, &request.name)).count();
    names.iter().map(|name| (name.clone(), count(name))).collect()
}

const BARE: &str = "{\"errors\":[\"permission denied\"]}\n";
const INVALID: &str =
    "{\"errors\":[\"2 errors occurred:\\n\\t* permission denied\\n\\t* invalid token\\n\\n\"]}\n";

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_403_by_policy_ends_no_request() {
    let told = Told {
        issuer: "refused although the policies grant update",
        ..told("Transient", "permission denied")
    };
    heals(Fault::Status(403), told).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_bare_403_ends_no_request() {
    heals(Fault::Answer(403, BARE.into()), told("Access", "refuses a token that it has just made")).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_403_that_calls_the_token_invalid_ends_no_request() {
    heals(Fault::Answer(403, INVALID.into()), told("Transient", "invalid token")).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_429_ends_no_request() {
    heals(Fault::Status(429), told("Transient", "rate limit quota exceeded")).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_500_ends_no_request() {
    heals(Fault::Status(500), told("Transient", "internal error")).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_503_of_a_sealed_vault_ends_no_request() {
    heals(Fault::Status(503), told("Transient", "Vault is sealed")).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_reset_ends_no_request() {
    heals(Fault::Reset, told("Transient", "connection was closed before the answer")).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_hang_ends_no_request() {
    heals(Fault::Hang, told("Transient", "no answer within")).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_login_that_is_denied_without_a_reason_ends_no_request() {
    call_heals(Call::Login, Fault::Answer(403, BARE.into()), told("Transient", "permission denied")).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_login_that_hangs_ends_no_request() {
    call_heals(Call::Login, Fault::Hang, told("Transient", "no answer within")).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_login_that_is_swallowed_ends_no_request() {
    call_heals(Call::Login, Fault::Swallow, told("Transient", "no answer within")).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_black_hole_that_swallows_calls_for_good_ends_no_request() {
    heals(Fault::Swallow, told("Transient", "no answer within")).await;
}

/// Calls in flight when a short black hole heals are lost for good: nobody may wait for their deadlines.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn calls_that_a_short_black_hole_swallowed_are_made_again_within_seconds() {
    let ground = Ground::new(&[]).await;
    let vault = shared_vault().await;
    let proxy = FaultProxy::start(vault.url()).await.unwrap();
    let pki = ground.pki(vault, "sick", &PkiOptions::default()).await;
    ground.vault_issuer("sick", proxy.url(), &pki).await;
    let certificates_seen = History::of(&ground.space, "Certificate").await;
    let requests_seen = History::of(&ground.space, "CertificateRequest").await;
    let path = format!("/v1/{}", pki.sign_path);

    proxy.set(Fault::Swallow, &path);
    let (waiting, names) = certificates("waiting", WAITING, "sick");
    ground.apply_all(waiting).await;
    while proxy.faulted(&path) < IN_FLIGHT {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.clear();
    let healed = direct_sign_works(vault, &proxy, &pki).await;
    certificates_seen.until_all(SOON, "issued", &names, is_issued).await;
    let took = healed.elapsed();
    nothing_was_terminal(&requests_seen, &certificates_seen);
    eprintln!("all {WAITING} ready {took:.1?} after the black hole was gone");
    assert!(took < READY_WITHIN, "{took:?}");
}

/// A server that needs five seconds for a signature works, also right after an outage.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_server_that_is_slow_is_no_server_that_is_broken() {
    let ground = Ground::new(&[]).await;
    let vault = shared_vault().await;
    let proxy = FaultProxy::start(vault.url()).await.unwrap();
    let pki = ground.pki(vault, "slow", &PkiOptions::default()).await;
    ground.vault_issuer("slow", proxy.url(), &pki).await;
    let certificates_seen = History::of(&ground.space, "Certificate").await;
    let requests_seen = History::of(&ground.space, "CertificateRequest").await;

    proxy.set(Fault::Status(500), &format!("/v1/{}", pki.sign_path));
    let (waiting, names) = certificates("waiting", 5, "slow");
    ground.apply_all(waiting).await;
    ground.issuer_says("slow", SOON, "internal error").await;
    proxy.set(Fault::Slow(Duration::from_secs(5)), &format!("/v1/{}", pki.sign_path));
    certificates_seen.until_all(SOON, "issued", &names, is_issued).await;
    ground.issuer_ready("slow", SOON).await;
    nothing_was_terminal(&requests_seen, &certificates_seen);
}
