//! The controller is killed in the middle of issuances, twenty times at moments that chance chooses: the next start finishes them.
//! No version of any Secret ever holds a key that doesn't fit its certificate, and nothing is left over (DESIGN 4).
//! `EVERLEAF_SEED` repeats a run.

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

use everleaf_testkit::makers;
use everleaf_testkit::servers::{Fault, FaultProxy, PkiOptions};
use faulty::ground::{Ground, SOON, shared_vault};
use faulty::history::History;
use faulty::pair;
use serde_json::{Value, json};
use support::openssl;
use support::remains::remains;
use support::space::{condition, data, decoded, is_issued, text, texts};

const CRASHES: usize = 20;
/// Certificates whose issuance is under way at each crash.
const CERTIFICATES: usize = 4;
/// An issuance takes some 100 ms; later than this nothing is under way any more.
const LATEST: u64 = 400;

/// The same numbers for the same seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn begin() -> Chance {
        let named = std::env::var("EVERLEAF_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = named.unwrap_or_else(|| {
            u64::from(std::process::id()) ^ jiff::Timestamp::now().as_microsecond() as u64
        });
        eprintln!("seed {seed}: EVERLEAF_SEED={seed} repeats the choices of this run");
        Chance(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// When the controller is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// This long after the change.
    After(Duration),
    /// When so many sign calls have reached Vault.
    AtSign(usize),
    /// While sign calls have no answer.
    WhileSigning,
    /// After Vault has signed, while its answer is lost on the way.
    AnswerLost,
    /// When the API has shown so many changes of this kind of object.
    AtChange(&'static str, usize),
}

impl Moment {
    fn any(chance: &mut Chance) -> Moment {
        let kinds = ["Certificate", "CertificateRequest", "Secret"];
        let nth = 1 + chance.below(2 * CERTIFICATES as u64) as usize;
        match chance.below(8) {
            0..=2 => Moment::After(Duration::from_millis(chance.below(LATEST))),
            3 => Moment::AtSign(1 + chance.below(CERTIFICATES as u64) as usize),
            4 => Moment::WhileSigning,
            5 => Moment::AnswerLost,
            _ => Moment::AtChange(kinds[chance.below(3) as usize], nth),
        }
    }
}

/// What is under way when it is killed.
#[derive(Debug, Clone, Copy)]
enum Change {
    NewNames,
    SecretDeleted,
    AskedForByHand,
    NewCertificates,
}

impl Change {
    fn any(chance: &mut Chance) -> Change {
        let all = [
            Change::NewNames,
            Change::NewNames,
            Change::SecretDeleted,
            Change::AskedForByHand,
            Change::NewCertificates,
        ];
        all[chance.below(all.len() as u64) as usize]
    }
}

struct Play<'a> {
    ground: &'a Ground,
    seen: &'a Histories,
    proxy: &'a FaultProxy,
    path: String,
}

struct Histories {
    certificates: History,
    requests: History,
    secrets: History,
}

impl Histories {
    fn of(&self, kind: &str) -> &History {
        match kind {
            "Certificate" => &self.certificates,
            "CertificateRequest" => &self.requests,
            _ => &self.secrets,
        }
    }
}

impl Play<'_> {
    /// Makes the change; the names that the certificates must carry afterwards.
    async fn change(&self, round: usize, change: Change, names: &[String]) {
        let space = &self.ground.space;
        for name in names {
            match change {
                Change::NewNames => {
                    let host = format!("round-{round}.{name}.example");
                    space.merge("Certificate", name, json!({ "spec": { "dnsNames": [host] } })).await;
                }
                Change::SecretDeleted => space.delete("Secret", &format!("{name}-tls")).await,
                Change::AskedForByHand => {
                    let there = space.get("Certificate", name).await;
                    let mut conditions = there["status"]["conditions"].as_array().unwrap().clone();
                    conditions.retain(|condition| condition["type"] != "Issuing");
                    conditions.push(json!({ "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "by hand" }));
                    space.merge_status("Certificate", name, json!({ "conditions": conditions })).await;
                }
                Change::NewCertificates => {
                    drop(space.apply(makers::certificate(name).from_issuer("issuer")).await);
                }
            }
        }
    }

    /// Waits for the moment; one that doesn't come soon (everything was done already) is as good as any.
    async fn moment(&self, moment: Moment, (signs, changes): (usize, usize)) {
        let comes = async {
            loop {
                let is_there = match moment {
                    Moment::After(_) => true,
                    Moment::AtSign(count) => self.proxy.passed(&self.path) >= signs + count,
                    Moment::WhileSigning | Moment::AnswerLost => self.proxy.faulted(&self.path) > signs,
                    Moment::AtChange(kind, count) => self.seen.of(kind).versions().len() >= changes + count,
                };
                if is_there {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if let Moment::After(wait) = moment {
            tokio::time::sleep(wait).await;
        }
        let _ = tokio::time::timeout(Duration::from_secs(3), comes).await;
    }

    fn counts(&self, moment: Moment) -> (usize, usize) {
        let signs = match moment {
            Moment::WhileSigning | Moment::AnswerLost => self.proxy.faulted(&self.path),
            _ => self.proxy.passed(&self.path),
        };
        let changes = match moment {
            Moment::AtChange(kind, _) => self.seen.of(kind).versions().len(),
            _ => 0,
        };
        (signs, changes)
    }
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn twenty_crashes_at_any_moment_cost_nothing_but_time() {
    let mut chance = Chance::begin();
    let mut ground = Ground::new(&[]).await;
    let vault = shared_vault().await;
    let proxy = FaultProxy::start(vault.url()).await.unwrap();
    let pki = ground.pki(vault, "pki", &PkiOptions::default()).await;
    ground.vault_issuer("issuer", proxy.url(), &pki).await;
    let seen = Histories {
        certificates: History::of(&ground.space, "Certificate").await,
        requests: History::of(&ground.space, "CertificateRequest").await,
        secrets: History::of(&ground.space, "Secret").await,
    };
    let path = format!("/v1/{}", pki.sign_path);
    let mut all: Vec<String> = Vec::new();
    for round in 0..CRASHES {
        let moment = Moment::any(&mut chance);
        let change = if all.is_empty() { Change::NewCertificates } else { Change::any(&mut chance) };
        let names: Vec<String> = match change {
            Change::NewCertificates => {
                (0..CERTIFICATES).map(|number| format!("web-{round}-{number}")).collect()
            }
            _ => all.iter().rev().take(CERTIFICATES).cloned().collect(),
        };
        let before = revisions(&seen);
        match moment {
            Moment::WhileSigning => proxy.set(Fault::Hang, &path),
            Moment::AnswerLost => proxy.set(Fault::LoseAnswer, &path),
            _ => {}
        }
        let play = Play { ground: &ground, seen: &seen, proxy: &proxy, path: path.clone() };
        let counts = play.counts(moment);
        // The change is made beside: the moment may come before all of it is.
        tokio::join!(play.change(round, change, &names), play.moment(moment, counts));
        ground.controller.server().kill();
        proxy.clear();
        let killed = Instant::now();
        ground.start_again().await;
        all.extend(names.iter().filter(|name| !all.contains(name)).cloned().collect::<Vec<_>>());
        let is_done = |certificate: &Value| {
            let name = text(certificate, "/metadata/name");
            let told = certificate["status"]["revision"].as_u64();
            // A Secret of the killed process that landed when its request was dropped already is in use, and has no number.
            is_issued(certificate) && before.get(&name).is_none_or(|before| told > Some(*before))
        };
        let what = format!("round {round} {moment:?} {change:?}: finished");
        let finished = seen.certificates.until_all(2 * SOON, &what, &names, is_done);
        if tokio::time::timeout(SOON, finished).await.is_err() {
            let log = ground.controller.log().unwrap();
            panic!("not within {SOON:?}: {what}\n{}", remains(&ground.space, &names, &log).await);
        }
        eprintln!("round {round}: {change:?}, killed {moment:?}, finished after {:.1?}", killed.elapsed());
    }
    nothing_is_left_over(&seen, &all).await;
    every_pair_fits(&seen);
    the_certificates_are_those_of_the_requests(&seen, &all);
    ground.nothing_was_forbidden();
}

fn revisions(seen: &Histories) -> BTreeMap<String, u64> {
    let now = seen.certificates.now();
    now.into_iter()
        .filter_map(|(name, certificate)| Some((name, certificate["status"]["revision"].as_u64()?)))
        .collect()
}

/// At most one finished request a Certificate (`revisionHistoryLimit` is 1), no keys of issuances.
async fn nothing_is_left_over(seen: &Histories, all: &[String]) {
    let few = |now: &BTreeMap<String, Value>| {
        let of = |name: &str| {
            now.values()
                .filter(|request| {
                    request["metadata"]["annotations"]["cert-manager.io/certificate-name"] == name
                })
                .count()
        };
        all.iter().all(|name| of(name) <= 1)
    };
    seen.requests.until(SOON, "at most one request a Certificate", few).await;
    let is_key = |secret: &Value| !secret["metadata"]["labels"]["cert-manager.io/next-private-key"].is_null();
    seen.secrets.until(SOON, "no keys of finished issuances", |now| !now.values().any(is_key)).await;
    for (name, certificate) in seen.certificates.now() {
        assert!(certificate["status"]["nextPrivateKeySecretName"].is_null(), "{name}");
        assert!(condition(&certificate, "Issuing").is_null(), "{name}");
        assert!(certificate["status"]["lastFailureTime"].is_null(), "{name}");
    }
    for version in seen.requests.versions() {
        let Some(request) = version.object else { continue };
        assert_ne!(condition(&request, "Ready")["reason"], "Failed", "{request}");
    }
}

/// Each version that ever stood in the API.
fn every_pair_fits(seen: &Histories) {
    let targets = seen.secrets.versions().into_iter().filter(|version| version.name.ends_with("-tls"));
    let mut checked = 0;
    for secret in targets.filter_map(|version| version.object) {
        assert_eq!(pair::mismatch(&secret), None, "{}", secret["metadata"]["name"]);
        checked += 1;
    }
    eprintln!("{checked} versions of Secrets held a key and its certificate");
    assert!(checked > CRASHES);
}

/// The Secret, the request of the Certificate's revision, and the spec agree.
fn the_certificates_are_those_of_the_requests(seen: &Histories, all: &[String]) {
    let (certificates, requests, secrets) =
        (seen.certificates.now(), seen.requests.now(), seen.secrets.now());
    for name in all {
        let certificate = &certificates[name];
        let stored = data(&secrets[&format!("{name}-tls")], "tls.crt");
        if let Some(request) = requests.get(&format!("{name}-{}", certificate["status"]["revision"])) {
            assert_eq!(decoded(&request["status"]["certificate"]), stored, "{name}");
        }
        let leaf = openssl::Leaf::read(&stored).unwrap();
        let wanted = texts(certificate, "/spec/dnsNames");
        assert_eq!(leaf.sans().dns.into_iter().collect::<Vec<_>>(), wanted, "{name}");
    }
}
