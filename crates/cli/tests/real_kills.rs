//! Kill -9 in the middle of issuances, twenty times at random moments, on a real kube-apiserver with a real Vault, a CA and SelfSigned
//! issuers: the next start finishes what was begun. No version of a Secret ever holds a key that doesn't match, nothing is lost, and
//! nothing is left over.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use everleaf_testkit::makers;
use everleaf_testkit::servers::{Controller, Kube, Vault};
use futures::TryStreamExt;
use futures::future::join_all;
use kube::runtime::watcher;
use serde_json::{Value, json};

use support::issuers::{self, Scope, pair_secret};
use support::openssl::{self, Key, Leaf};
use support::remains::remains;
use support::space::{PATIENCE, Space, condition, data, is_issued, text};
use support::stage::{ours, own_kube, role};

const KILLS: u64 = 20;
const ISSUERS: [&str; 3] = ["vault", "ca", "self"];
/// Certificates made anew in each round.
const NEW: u64 = 6;
/// Requests whose Secret may have landed late.
const LOST: usize = 3;
/// A kill comes within this time of the work it interrupts.
const LATEST_KILL: Duration = Duration::from_millis(700);

/// Chance that can be had again: the seed is printed.
struct Chance(u64);

impl Chance {
    fn new() -> Chance {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let seed = match std::env::var("EVERLEAF_SEED") {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap(),
        };
        #[allow(clippy::print_stderr, reason = "whoever sees the test fail needs the seed")]
        {
            eprintln!("EVERLEAF_SEED={seed}");
        }
        Chance(seed | 1)
    }

    /// A number below `end` (xorshift64*).
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % end
    }
}

/// The Lease is left out: a killed holder would only make each start wait for its end.
async fn start(kube: &Kube) -> Controller {
    Controller::start(kube, &ours(&["--leader-elect=false"])).await.unwrap()
}

async fn ground(kube: &Kube, vault: &Vault) -> Space {
    let space = Space::on(kube).await;
    let pki = vault.pki("pki", &role()).await.unwrap();
    let (certificate, key) = openssl::root("everleaf test root");
    space.apply(pair_secret("ca-pair", &certificate, &key)).await;
    let issuer = issuers::vault(&space, "vault", vault, &pki).await;
    for issuer in [issuer, makers::ca_issuer("ca", "ca-pair"), makers::self_signed_issuer("self")] {
        space.apply(issuer).await;
    }
    space
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn twenty_kills_at_random_moments_cost_no_certificate_and_no_key() {
    let (kube, vault) = tokio::join!(own_kube(), async { Vault::start_dev().await.unwrap() });
    let space = ground(&kube, &vault).await;
    let mut chance = Chance::new();
    let kills = async {
        for round in 0..KILLS {
            let mut controller = start(&kube).await;
            work(&space, &mut chance, round).await;
            let wait = chance.below(u64::try_from(LATEST_KILL.as_millis()).unwrap());
            tokio::time::sleep(Duration::from_millis(wait)).await;
            controller.server().kill();
        }
    };
    tokio::select! {
        () = kills => {}
        () = every_version_matches(&space) => unreachable!("it watches for ever"),
    }
    let controller = start(&kube).await;
    for name in ISSUERS {
        issuers::ready(&space, Scope::Namespace, name).await;
    }
    let names = space.names("Certificate").await;
    all_issued(&space, &names, &controller).await;
    let faults = join_all(names.iter().map(|name| faults(&space, name))).await.concat();
    assert!(faults.is_empty(), "{}\n{}", faults.join("\n"), controller.log().unwrap());
    nothing_is_left_over(&space).await;
}

/// Waits for all, and shows all that is known of those that hang.
async fn all_issued(space: &Space, names: &[String], controller: &Controller) {
    let all = join_all(names.iter().map(|name| space.issued_within(2 * PATIENCE, name)));
    if tokio::time::timeout(PATIENCE, all).await.is_ok() {
        return;
    }
    let now = space.list("Certificate").await;
    let hanging = now.iter().filter(|certificate| !is_issued(certificate));
    let hanging: Vec<String> = hanging.map(|certificate| text(certificate, "/metadata/name")).collect();
    let log = controller.log().unwrap();
    panic!("not issued within {PATIENCE:?}:\n{}", remains(space, &hanging, &log).await);
}

/// New Certificates, and changes of old ones.
async fn work(space: &Space, chance: &mut Chance, round: u64) {
    for number in 0..NEW {
        let issuer = ISSUERS[usize::try_from(number).unwrap() % ISSUERS.len()];
        let made = makers::certificate(&format!("c{round}-{number}")).from_issuer(issuer);
        // Kept keys and new ones meet different code when a request is found whose key is gone.
        let rotation = ["Always", "Never"][usize::try_from(chance.below(2)).unwrap()];
        space.apply(made.with("/spec/privateKey/rotationPolicy", json!(rotation))).await;
    }
    if round > 0 {
        let old = format!("c{}-{}", chance.below(round), chance.below(NEW));
        let names = json!([format!("changed-in-{round}.example")]);
        space.merge("Certificate", &old, json!({"spec": {"dnsNames": names}})).await;
    }
}

async fn every_version_matches(space: &Space) {
    let mut changes = pin!(watcher(space.api("Secret"), watcher::Config::default()));
    loop {
        let change = changes.try_next().await.unwrap().unwrap();
        let (watcher::Event::InitApply(object) | watcher::Event::Apply(object)) = change else { continue };
        let secret = serde_json::to_value(&object).unwrap();
        if let Err(why) = matches(&secret) {
            panic!("{}: {why}", object.metadata.name.unwrap_or_default());
        }
    }
}

/// A Secret with a certificate holds the key to it.
fn matches(secret: &Value) -> Result<(), String> {
    if secret["data"]["tls.crt"].is_null() {
        return Ok(());
    }
    let leaf = Leaf::read(&data(secret, "tls.crt"))?;
    let key = Key::read(&data(secret, "tls.key"))?;
    if key.public_key == leaf.public_key { Ok(()) } else { Err("the key doesn't match".to_owned()) }
}

async fn faults(space: &Space, name: &str) -> Vec<String> {
    let certificate = space.get("Certificate", name).await;
    let secret = space.get("Secret", &format!("{name}-tls")).await;
    let mut faults = Vec::new();
    if let Err(why) = matches(&secret) {
        faults.push(format!("{name}: {why}"));
    }
    let names = Leaf::read(&data(&secret, "tls.crt")).map(|leaf| leaf.sans().dns).unwrap_or_default();
    let wanted = BTreeSet::from_iter(support::space::texts(&certificate, "/spec/dnsNames"));
    if names != wanted {
        faults.push(format!("{name}: its names are {names:?}, not {wanted:?}"));
    }
    let status = &certificate["status"];
    for unset in ["failedIssuanceAttempts", "lastFailureTime", "nextPrivateKeySecretName"] {
        if !status[unset].is_null() {
            faults.push(format!("{name}: {unset} is {}", status[unset]));
        }
    }
    faults
}

/// At most one request for each Certificate, none of which failed, and no keys of issuances that are over. A Secret that a killed process
/// wrote may have landed when the next had dropped its request already: then it is in use, and status gives it no number.
async fn nothing_is_left_over(space: &Space) {
    for certificate in space.list("Certificate").await {
        let name = text(&certificate, "/metadata/name");
        let Some(revision) = certificate["status"]["revision"].as_u64() else { continue };
        let before = revision.saturating_sub(1);
        space.until_gone("CertificateRequest", &format!("{name}-{before}")).await;
    }
    let requests = space.list("CertificateRequest").await;
    let certificates = usize::try_from(KILLS * NEW).unwrap();
    assert!(requests.len() <= certificates, "{} requests", requests.len());
    assert!(requests.len() + LOST >= certificates, "{} requests", requests.len());
    for request in &requests {
        assert_eq!(condition(request, "Ready")["reason"], "Issued", "{request}");
    }
    for secret in space.list("Secret").await {
        let is_key = !secret["metadata"]["labels"]["cert-manager.io/next-private-key"].is_null();
        if is_key {
            space.until_gone("Secret", &text(&secret, "/metadata/name")).await;
        }
    }
}
