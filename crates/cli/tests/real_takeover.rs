//! The controller takes over a cluster that cert-manager 1.21 has looked after, on a real kube-apiserver: what is in order is not touched,
//! what was under way is finished with the keys and requests that are there, and what was renewed afterwards leaves nothing over.
//! The objects are written as cert-manager leaves them (`support/peer.rs`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use everleaf_testkit::makers::{self, Maker};
use everleaf_testkit::servers::{ApiRequest, CONTROLLER_USER, Controller, Kube, Mark};
use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use support::issuers::{self, Scope, pair_secret};
use support::openssl::{self, Leaf};
use support::peer::{self, Ca, Signed};
use support::space::{Space, condition, data, encoded, is_issued, text};
use support::stage::{ours, own_kube};
use support::{Faults, assert_none};

/// Certificates that are in order.
const MANY: usize = 200;
/// Made at a time.
const AT_ONCE: usize = 8;

async fn begin(kube: &Kube) -> (Space, Ca) {
    let space = Space::on(kube).await;
    let (certificate, key) = openssl::root("everleaf test root");
    space.apply(pair_secret("ca-pair", &certificate, &key)).await;
    space.apply(makers::ca_issuer("issuer", "ca-pair")).await;
    (space, Ca { certificate, key })
}

/// The Lease of a real swap is free; waiting for its end is tested elsewhere.
async fn take_over(kube: &Kube, space: &Space) -> (Controller, Mark) {
    let mark = kube.audit().here().unwrap();
    let controller = Controller::start(kube, &ours(&["--leader-elect=false"])).await.unwrap();
    issuers::ready(space, Scope::Namespace, "issuer").await;
    (controller, mark)
}

async fn signed(ca: &Ca, certificate: &Value) -> Signed {
    let (ca, certificate) = (ca.clone(), certificate.clone());
    tokio::task::spawn_blocking(move || ca.sign(&certificate)).await.unwrap()
}

/// Ten ways in which users write Certificates.
fn wish(number: usize) -> Maker {
    let maker = makers::certificate(&format!("web-{number}"));
    let full = json!({ "name": "issuer", "kind": "Issuer", "group": "cert-manager.io" });
    match number % 10 {
        1 => maker
            .with("/spec/secretTemplate/labels/team", json!("a"))
            .with("/spec/secretTemplate/annotations", json!({ "example.com/note": "b" })),
        2 => maker
            .with("/spec/duration", json!("2160h0m0s"))
            .with("/spec/usages", json!(["digital signature", "key encipherment"])),
        3 => maker
            .with("/spec/commonName", json!(format!("web-{number}.example")))
            .with("/spec/subject/organizations", json!(["Example Org"])),
        4 => {
            maker.with("/spec/additionalOutputFormats", json!([{ "type": "DER" }, { "type": "CombinedPEM" }]))
        }
        5 => maker
            .with("/spec/ipAddresses", json!(["192.0.2.7", "2001:db8::7"]))
            .with("/spec/uris", json!(["spiffe://example/web"]))
            .with("/spec/emailAddresses", json!(["web@example.com"])),
        6 => maker.with("/spec/issuerRef", full).with("/spec/revisionHistoryLimit", json!(3)),
        7 => maker.with(
            "/spec/privateKey",
            json!({ "algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never" }),
        ),
        8 => maker.with("/metadata/labels/app", json!("web")).with("/spec/renewBefore", json!("360h")),
        _ => maker,
    }
}

/// A Certificate in order. Some have been renewed before, and of some the request was deleted by hand.
async fn in_order(space: &Space, ca: &Ca, number: usize) {
    let revision = if number.is_multiple_of(3) { 7 } else { 1 };
    let certificate = peer::certificate(space, wish(number)).await;
    let signed = signed(ca, &certificate).await;
    if number % 20 != 19 {
        let request = peer::request(space, &certificate, revision, &signed).await;
        let request = peer::approve(space, &request).await;
        peer::issue(space, &request, ca, &signed).await;
    }
    peer::secret(space, &certificate, ca, &signed).await;
    peer::told(space, &certificate, revision, &signed).await;
}

/// What the controller has written in this namespace, events and all; the issuer's condition apart.
fn written(kube: &Kube, space: &Space, mark: Mark) -> Vec<ApiRequest> {
    let mut all = kube.audit().since(mark).unwrap();
    all.retain(|request| request.user == CONTROLLER_USER && request.namespace == space.name);
    all.retain(|request| request.writes() && request.resource != "issuers");
    all
}

async fn versions(space: &Space) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    for kind in ["Certificate", "CertificateRequest", "Secret"] {
        for object in space.list(kind).await {
            let name = format!("{kind} {}", text(&object, "/metadata/name"));
            versions.insert(name, text(&object, "/metadata/resourceVersion"));
        }
    }
    versions
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn two_hundred_certificates_in_order_are_not_touched() {
    let kube = own_kube().await;
    let (space, ca) = begin(&kube).await;
    let made = stream::iter(0..MANY).map(|number| in_order(&space, &ca, number));
    made.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    let before = versions(&space).await;
    assert!(before.len() > 2 * MANY + MANY / 2, "{} objects", before.len());

    let (controller, mark) = take_over(&kube, &space).await;
    // Its turn comes after that of all others.
    space.apply(makers::certificate("late")).await;
    space.issued("late").await;
    let mut touched = written(&kube, &space, mark);
    touched.retain(|request| !request.name.starts_with("late"));
    assert!(touched.is_empty(), "{:?}\n{}", ApiRequest::tally(&touched), controller.log().unwrap());
    let mut after = versions(&space).await;
    after.retain(|name, _| !name.contains(" late"));
    assert_eq!(after, before);
    let unready = space.list("Certificate").await.into_iter().filter(|certificate| !is_issued(certificate));
    let unready: Vec<Value> = unready.collect();
    assert!(unready.is_empty(), "{unready:?}");

    let faults = stream::iter(0..10).map(|number| renewed(&space, number));
    assert_none(&faults.buffer_unordered(AT_ONCE).concat().await);
}

/// Asks for a new certificate as `cmctl renew` does; what is left over afterwards.
async fn renewed(space: &Space, number: usize) -> Vec<String> {
    let name = format!("web-{number}");
    let before = space.get("Certificate", &name).await;
    let old = space.get("Secret", &format!("{name}-tls")).await;
    let issuing = json!({ "type": "Issuing", "status": "True", "reason": "ManuallyTriggered",
        "message": "Certificate re-issuance manually triggered", "lastTransitionTime": Timestamp::now().to_string() });
    let conditions = json!([condition(&before, "Ready"), issuing]);
    space.merge_status("Certificate", &name, json!({ "conditions": conditions })).await;
    let revision = before["status"]["revision"].as_u64().unwrap() + 1;
    let is_renewed =
        |certificate: &Value| certificate["status"]["revision"] == revision && is_issued(certificate);
    let certificate = space.until("Certificate", &name, "renewed", is_renewed).await;
    let secret = space.get("Secret", &format!("{name}-tls")).await;
    let mut faults = Faults::about(name.clone());
    faults.check("a new certificate", data(&old, "tls.crt") != data(&secret, "tls.crt"), || {
        "it is the old one".to_owned()
    });
    let keeps = text(&certificate, "/spec/privateKey/rotationPolicy") == "Never";
    let is_kept = data(&old, "tls.key") == data(&secret, "tls.key");
    faults.same("the key", &is_kept, &keeps);
    faults.same("annotations", &keys(&secret, "/metadata/annotations"), &keys(&old, "/metadata/annotations"));
    faults.same("labels", &secret["metadata"]["labels"], &old["metadata"]["labels"]);
    faults.same("entries", &keys(&secret, "/data"), &keys(&old, "/data"));
    faults.same("managers", &managers(&secret), &managers(&old));
    faults.check("status", certificate["status"]["nextPrivateKeySecretName"].is_null(), || {
        certificate.to_string()
    });
    nothing_is_left(space, &certificate, &mut faults).await;
    faults.found()
}

fn keys(object: &Value, pointer: &str) -> BTreeSet<String> {
    let map = object.pointer(pointer).and_then(Value::as_object);
    map.into_iter().flat_map(|map| map.keys().cloned()).collect()
}

/// Who owns fields of a Secret, and how.
fn managers(secret: &Value) -> Vec<String> {
    let entries = secret.pointer("/metadata/managedFields").and_then(Value::as_array);
    let of = |entry: &Value| format!("{} {} {}", entry["manager"], entry["operation"], entry["fieldsV1"]);
    entries.into_iter().flatten().map(of).collect()
}

/// No request beyond the limit, no key of an issuance.
async fn nothing_is_left(space: &Space, certificate: &Value, faults: &mut Faults) {
    let name = text(certificate, "/metadata/name");
    let limit = certificate["spec"]["revisionHistoryLimit"].as_u64().unwrap_or(1);
    let revision = certificate["status"]["revision"].as_u64().unwrap();
    let oldest = revision.saturating_sub(limit);
    space.until_gone("CertificateRequest", &format!("{name}-{oldest}")).await;
    space.until_gone("Secret", &peer::next_key_name(certificate)).await;
    let own = |object: &&Value| {
        let owners = object["metadata"]["ownerReferences"].as_array();
        owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == certificate["metadata"]["uid"]))
    };
    let secrets = space.list("Secret").await;
    let left: Vec<String> = secrets.iter().filter(own).map(|secret| text(secret, "/metadata/name")).collect();
    faults.check("no key is left", left.is_empty(), || format!("{left:?}"));
}

/// What was under way at the moment of the swap.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn what_was_under_way_is_finished_with_what_is_there() {
    let kube = own_kube().await;
    let (space, ca) = begin(&kube).await;
    let mut begun = Vec::new();
    for (name, prepare) in UNDER_WAY {
        begun.push(prepare_one(&space, &ca, name, prepare).await);
    }
    let (controller, _) = take_over(&kube, &space).await;
    let faults = stream::iter(&begun).map(|one| finished(&space, one));
    let found = faults.buffer_unordered(AT_ONCE).concat().await;
    assert!(found.is_empty(), "{}\n{}", found.join("\n"), controller.log().unwrap());
}

/// How far it had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// `Issuing=True`, nothing else.
    Begun,
    /// The next key is stored.
    KeyStored,
    /// The request is there, nobody has looked at it.
    Requested,
    /// The request is approved.
    Approved,
    /// The request is signed.
    Signed,
    /// The Secret is written, status doesn't say so.
    Stored,
    /// The request failed, and so did five before it.
    Failed,
}

/// Name and progress; `renew-` has a certificate in use.
const UNDER_WAY: [(&str, Progress); 12] = [
    ("first-begun", Progress::Begun),
    ("first-key", Progress::KeyStored),
    ("first-requested", Progress::Requested),
    ("first-approved", Progress::Approved),
    ("first-signed", Progress::Signed),
    ("first-stored", Progress::Stored),
    ("first-failed", Progress::Failed),
    ("renew-begun", Progress::Begun),
    ("renew-requested", Progress::Requested),
    ("renew-signed", Progress::Signed),
    ("renew-stored", Progress::Stored),
    ("renew-failed", Progress::Failed),
];

/// One that was under way.
struct Begun {
    name: &'static str,
    progress: Progress,
    revision: u64,
    next: Signed,
    request: Option<Value>,
}

async fn prepare_one(space: &Space, ca: &Ca, name: &'static str, progress: Progress) -> Begun {
    let mut certificate = peer::certificate(space, makers::certificate(name)).await;
    let (next, mut revision) = (signed(ca, &certificate).await, 1);
    if name.starts_with("renew-") {
        let old = signed(ca, &certificate).await;
        let request = peer::request(space, &certificate, 1, &old).await;
        let request = peer::approve(space, &request).await;
        peer::issue(space, &request, ca, &old).await;
        peer::secret(space, &certificate, ca, &old).await;
        certificate = peer::told(space, &certificate, 1, &old).await;
        revision = 2;
        if progress == Progress::Failed {
            // Else nothing is wanted: what was asked for by hand is over with its failure.
            space.delete("Secret", &format!("{name}-tls")).await;
        }
    }
    let mut begun = Begun { name, progress, revision, next, request: None };
    come_so_far(space, ca, certificate, &mut begun).await;
    begun
}

async fn come_so_far(space: &Space, ca: &Ca, certificate: Value, begun: &mut Begun) {
    let (progress, next) = (begun.progress, &begun.next);
    let certificate =
        peer::begun(space, &certificate, "ManuallyTriggered", "Certificate re-issuance manually triggered")
            .await;
    if progress == Progress::Begun {
        return;
    }
    // The peer throws the key away when an issuance has failed, and may have had no time for it.
    let certificate = match begun.name {
        "first-failed" => certificate,
        _ => peer::next_key(space, &certificate, next).await,
    };
    if progress == Progress::KeyStored {
        return;
    }
    let mut request = peer::request(space, &certificate, begun.revision, next).await;
    if progress != Progress::Requested {
        request = peer::approve(space, &request).await;
    }
    match progress {
        Progress::Signed | Progress::Stored => drop(peer::issue(space, &request, ca, next).await),
        Progress::Failed => {
            let at = Timestamp::now().checked_sub(SignedDuration::from_mins(10)).unwrap();
            let message = "Vault failed to sign certificate: Error making API request. Code: 503. Errors: * Vault is sealed";
            peer::fail(space, &request, message, at).await;
            peer::failed(space, &certificate, message, 6, at).await;
        }
        _ => {}
    }
    if progress == Progress::Stored {
        peer::secret(space, &certificate, ca, next).await;
    }
    begun.request = Some(request);
}

async fn finished(space: &Space, begun: &Begun) -> Vec<String> {
    let Begun { name, progress, revision, next, request } = begun;
    let is_done =
        |certificate: &Value| certificate["status"]["revision"] == *revision && is_issued(certificate);
    let certificate = space.until("Certificate", name, &format!("{progress:?} is finished"), is_done).await;
    let mut faults = Faults::about(*name);
    let secret = space.get("Secret", &format!("{name}-tls")).await;
    let leaf = Leaf::read(&data(&secret, "tls.crt")).unwrap();
    let key = openssl::Key::read(&data(&secret, "tls.key")).unwrap();
    faults.same("the key of the certificate", &leaf.public_key, &key.public_key);
    let next_key = openssl::Key::read(next.key.as_bytes()).unwrap().public_key;
    if *progress != Progress::Failed {
        let is_used = key.public_key == next_key;
        faults.same("the key that was stored is used", &is_used, &(*progress != Progress::Begun));
    }
    let is_theirs = encoded(data(&secret, "tls.crt")) == encoded(&next.certificate);
    faults.same("their certificate", &is_theirs, &matches!(progress, Progress::Signed | Progress::Stored));
    let now = space.get("CertificateRequest", &format!("{name}-{revision}")).await;
    if let Some(request) = request.as_ref().filter(|_| *progress != Progress::Failed) {
        faults.same("the request that was there", &now["metadata"]["uid"], &request["metadata"]["uid"]);
    }
    faults.same("it is issued", &condition(&now, "Ready")["reason"], &json!("Issued"));
    for unset in ["nextPrivateKeySecretName", "lastFailureTime", "failedIssuanceAttempts"] {
        let gone = |certificate: &Value| certificate["status"][unset].is_null();
        space.until("Certificate", name, &format!("{unset} is gone"), gone).await;
    }
    nothing_is_left(space, &certificate, &mut faults).await;
    faults.found()
}
