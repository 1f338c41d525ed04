//! Several controllers on one real kube-apiserver: one holds the Lease and works, the others wait; a killed leader is replaced when its
//! Lease ends, a stopped one at once, and one that was frozen for too long writes nothing more. Owner references come and go with their
//! flag. Each test has an API server of its own, because there is one Lease.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::time::Duration;

use everleaf_testkit::makers;
use everleaf_testkit::servers::{Controller, Kube, Signal};
use serde_json::{Value, json};

use support::issuers::{self, Scope};
use support::space::{PATIENCE, Space, condition, is_issued, text};
use support::stage::{ours, own_kube};

/// Short times, so that a test need not wait for a minute; the bounds between them are those of a real install.
const TIMES: [&str; 3] = [
    "--leader-election-lease-duration=6s",
    "--leader-election-renew-deadline=4s",
    "--leader-election-retry-period=1s",
];
const LEASE: &str = "cert-manager-controller";

async fn start(kube: &Kube) -> Controller {
    Controller::start(kube, &ours(&TIMES)).await.unwrap()
}

/// A namespace with a SelfSigned issuer that some controller has found ready.
async fn ground(kube: &Kube) -> Space {
    let space = Space::on(kube).await;
    space.apply(makers::self_signed_issuer("issuer")).await;
    issuers::ready(&space, Scope::Namespace, "issuer").await;
    space
}

fn holder(lease: &Value) -> String {
    text(lease, "/spec/holderIdentity")
}

/// Waits until the Lease is held by this controller.
async fn held_by(space: &Space, controller: &Controller) -> Value {
    let mark = format!("-{}-", controller.pid());
    let system = space.elsewhere("kube-system");
    system.until("Lease", LEASE, "held by the one that is left", |lease| holder(lease).contains(&mark)).await
}

fn works(metrics: &str) -> bool {
    metrics.lines().any(|line| line.starts_with("certmanager_controller_sync_call_count{"))
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn of_two_replicas_one_works_and_the_other_takes_over_when_it_is_killed() {
    let kube = own_kube().await;
    let mut first = start(&kube).await;
    let space = ground(&kube).await;
    let lease = held_by(&space, &first).await;
    assert_eq!(lease["spec"]["leaseDurationSeconds"], 6);
    let second = start(&kube).await;
    space.apply(makers::certificate("one")).await;
    space.issued("one").await;
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(second.health(path).await.unwrap(), 200, "{path} of the one that waits");
    }
    assert!(works(&first.metrics().await.unwrap()), "the leader works");
    assert!(!works(&second.metrics().await.unwrap()), "the other one doesn't");

    first.server().kill();
    space.apply(makers::certificate("two")).await;
    space.issued("two").await;
    let taken = held_by(&space, &second).await;
    let transitions = |lease: &Value| lease["spec"]["leaseTransitions"].as_i64().unwrap_or_default();
    assert_eq!(transitions(&taken), transitions(&lease) + 1);
    assert!(works(&second.metrics().await.unwrap()));
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_leader_that_is_asked_to_stop_finishes_releases_the_lease_and_ends() {
    let kube = own_kube().await;
    let mut first = start(&kube).await;
    let space = ground(&kube).await;
    held_by(&space, &first).await;
    space.apply(makers::certificate("one")).await;
    let issued = space.issued("one").await;
    first.stop().await.unwrap();
    assert!(first.log().unwrap().contains("released the lease"), "{}", first.log().unwrap());
    let lease = space.elsewhere("kube-system").get("Lease", LEASE).await;
    assert_eq!(holder(&lease), "", "{lease}");

    // With the Lease free the next one need not wait for its end; and it finds nothing to do anew.
    let second = start(&kube).await;
    held_by(&space, &second).await;
    space.apply(makers::certificate("two")).await;
    space.issued("two").await;
    let again = space.get("Certificate", "one").await;
    assert_eq!(
        again["metadata"]["resourceVersion"], issued["metadata"]["resourceVersion"],
        "nothing was written"
    );
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_leader_that_was_frozen_past_its_lease_ends_and_writes_nothing() {
    let kube = own_kube().await;
    let mut first = start(&kube).await;
    let space = ground(&kube).await;
    held_by(&space, &first).await;
    space.apply(makers::certificate("one")).await;
    space.issued("one").await;
    first.server().signal(Signal::Stop).unwrap();
    let second = start(&kube).await;
    held_by(&space, &second).await;
    space.apply(makers::certificate("two")).await;
    let two = space.issued("two").await;
    first.server().signal(Signal::Continue).unwrap();
    let ended = async {
        while first.server().runs() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the frozen leader ends by itself");
    assert!(first.log().unwrap().contains("lost the lease"), "{}", first.log().unwrap());
    held_by(&space, &second).await;
    let again = space.get("Certificate", "two").await;
    assert_eq!(again["metadata"]["resourceVersion"], two["metadata"]["resourceVersion"]);
    assert_eq!(space.names("CertificateRequest").await.len(), 2);
}

/// Owner references follow the flag, and one that was changed by hand is put right (certificate-lifecycle 7.3, C9).
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn owner_references_come_and_go_with_their_flag() {
    let kube = own_kube().await;
    let with = |flag: &'static str| ours(&["--leader-elect=false", flag]);
    let mut off = Controller::start(&kube, &with("--enable-certificate-owner-ref=false")).await.unwrap();
    let space = ground(&kube).await;
    space.apply(makers::certificate("web")).await;
    let certificate = space.issued("web").await;
    let uid = certificate["metadata"]["uid"].clone();
    let owned = |secret: &Value| {
        let owners = &secret["metadata"]["ownerReferences"];
        owners[0]["uid"] == uid && owners[0]["controller"] == true && owners[0]["name"] == "web"
    };
    assert!(space.get("Secret", "web-tls").await["metadata"]["ownerReferences"].is_null());
    off.stop().await.unwrap();

    let mut on = Controller::start(&kube, &with("--enable-certificate-owner-ref")).await.unwrap();
    space.until("Secret", "web-tls", "owned", owned).await;
    space.merge("Secret", "web-tls", json!({"metadata": {"ownerReferences": null}})).await;
    space.until("Secret", "web-tls", "owned again", owned).await;
    space.apply(makers::certificate("new")).await;
    space.issued("new").await;
    let new = space.get("Secret", "new-tls").await;
    assert_eq!(new["metadata"]["ownerReferences"][0]["name"], "new");
    on.stop().await.unwrap();

    let _off = Controller::start(&kube, &with("--enable-certificate-owner-ref=false")).await.unwrap();
    let free = |secret: &Value| secret["metadata"]["ownerReferences"].is_null();
    space.until("Secret", "web-tls", "free", free).await;
    let after = space.get("Certificate", "web").await;
    assert!(is_issued(&after) && after["status"]["revision"] == 1, "{after}");
    assert_eq!(condition(&after, "Ready")["reason"], "Ready");
}
