//! The life of a certificate after its first issuance, on a real kube-apiserver and a real Vault: renewal on time, changes of the spec,
//! deleted and damaged Secrets, keys, history, templates, shared Secrets and requests by hand (certificate-lifecycle 7.3).
//! What an external issuer answers is played by the test, as the API lets every client do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;
use std::pin::pin;

use everleaf_testkit::makers::{self, Maker};
use everleaf_testkit::servers::{PkiOptions, Vault};
use futures::TryStreamExt;
use futures::future::join_all;
use jiff::Timestamp;
use kube::runtime::watcher;
use serde_json::{Value, json};

use support::issuers::{self, Issuer, Kind, Scope, issuer};
use support::openssl::{self, Key, Leaf};
use support::space::{Space, condition, data, decoded, encoded, is_issued, text};
use support::stage::{Stage, stage};
use support::validate::{Issued, validate};
use support::{Faults, assert_none};

/// A namespace with a CA issuer named `issuer`.
async fn with_ca() -> (&'static Stage, Space, Issuer) {
    let stage = stage().await;
    let space = Space::new(stage).await;
    let ca = issuer(stage, &space, Kind::Ca, Scope::Namespace).await;
    (stage, space, ca)
}

async fn issue(space: &Space, certificate: Maker) -> Issued {
    let object = space.apply(certificate).await;
    let name = text(&object, "/metadata/name");
    space.issued(&name).await;
    Issued::read(space, &name).await.unwrap()
}

/// Waits until a Certificate is issued with at least this revision.
async fn revision(space: &Space, name: &str, at_least: u64) -> Value {
    let wanted = |certificate: &Value| {
        certificate["status"]["revision"].as_u64().is_some_and(|is| is >= at_least) && is_issued(certificate)
    };
    space.until("Certificate", name, &format!("issued with revision {at_least}"), wanted).await
}

/// Waits until the controller has looked at the newest spec.
async fn looked_at(space: &Space, name: &str) -> Value {
    let wanted = |certificate: &Value| {
        condition(certificate, "Ready")["observedGeneration"] == certificate["metadata"]["generation"]
    };
    space.until("Certificate", name, "looked at", wanted).await
}

fn moment(object: &Value, pointer: &str) -> Timestamp {
    text(object, pointer).parse().unwrap_or_else(|error| panic!("{pointer} of {object}: {error}"))
}

/// A mount whose role gives thirty seconds to everybody, whatever is asked for.
async fn short_lived(vault: &Vault, space: &Space) -> Maker {
    let options = PkiOptions {
        max_ttl: "30s".to_owned(),
        role_fields: json!({"not_before_duration": "1s"}),
        ..PkiOptions::default()
    };
    let pki = vault.pki(&format!("short-{}", space.name), &options).await.unwrap();
    issuers::vault(space, "issuer", vault, &pki).await
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_certificate_is_renewed_after_two_thirds_of_its_life_and_is_ready_all_the_while() {
    let stage = stage().await;
    let space = Space::new(stage).await;
    let short = short_lived(&stage.vault, &space).await;
    space.apply(short).await;
    issuers::ready(&space, Scope::Namespace, "issuer").await;
    space.apply(makers::certificate("web")).await;
    let mut faults = Faults::about("renewal");
    let mut before =
        Issued::read(&space, text(&space.issued("web").await, "/metadata/name").as_str()).await.unwrap();
    let certificates = space.api("Certificate");
    for next in [2, 3] {
        let mut changes = pin!(watcher(certificates.clone(), watcher::Config::default()));
        let renewed = async {
            loop {
                let change = changes.try_next().await.unwrap().unwrap();
                let (watcher::Event::InitApply(object) | watcher::Event::Apply(object)) = change else {
                    continue;
                };
                let is = serde_json::to_value(&object).unwrap();
                assert_eq!(condition(&is, "Ready")["status"], "True", "{is}");
                if is["status"]["revision"] == next {
                    return;
                }
            }
        };
        let renewed = tokio::time::timeout(support::space::PATIENCE, renewed).await;
        renewed.unwrap_or_else(|_| panic!("not renewed\n{}", space.controller_says()));
        let after = Issued::read(&space, "web").await.unwrap();
        // The API keeps whole seconds, so a request of the very moment may look up to a second early.
        let asked = moment(&after.request, "/metadata/creationTimestamp");
        let due = moment(&before.certificate, "/status/renewalTime");
        let third = before.leaf.not_after.duration_since(before.leaf.not_before) / 3;
        let two_thirds = before.leaf.not_after.checked_sub(third).unwrap();
        faults.same("renewal time", &due.as_second(), &two_thirds.as_second());
        faults.check("not early", asked >= due, || format!("asked at {asked}, due at {due}"));
        faults
            .check("in time", after.leaf.not_before < before.leaf.not_after, || format!("{:?}", after.leaf));
        faults.check("another certificate", after.leaf.serial != before.leaf.serial, String::new);
        faults.check("another key", after.key.public_key != before.key.public_key, String::new);
        faults.same("the new key", &after.key.public_key, &after.leaf.public_key);
        space.until_gone("CertificateRequest", &format!("web-{}", next - 1)).await;
        before = after;
    }
    assert_none(&faults.found());
}

/// A change of the spec, and the fields of the spec of which it tells.
struct Change(&'static str, Value);

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_change_of_what_is_in_the_certificate_brings_a_new_one() {
    let (_, space, ca) = with_ca().await;
    let second = Issuer { name: "second".to_owned(), reference: json!({"name": "second"}), ..ca.clone() };
    space.apply(makers::ca_issuer("second", "issuer-ca")).await;
    issuers::ready(&space, Scope::Namespace, "second").await;
    let changes = [
        Change("dns", json!({"dnsNames": ["other.example"]})),
        Change("cn", json!({"commonName": "cn.example"})),
        Change("ip", json!({"ipAddresses": ["192.0.2.7"]})),
        Change("uri", json!({"uris": ["spiffe://a/b"]})),
        Change("email", json!({"emailAddresses": ["a@b.example"]})),
        Change("other", json!({"otherNames": [{"oid": "1.2.3.4", "utf8Value": "o"}]})),
        Change("subject", json!({"subject": {"organizations": ["Org"]}})),
        Change("literal", json!({"literalSubject": "CN=literal.example,O=Org"})),
        Change("ca", json!({"isCA": true})),
        Change("usages", json!({"usages": ["client auth", "digital signature"]})),
        Change("duration", json!({"duration": "48h"})),
        Change("algorithm", json!({"privateKey": {"algorithm": "Ed25519"}})),
        Change("size", json!({"privateKey": {"size": 384}})),
        Change("issuer", json!({"issuerRef": {"name": "second"}})),
    ];
    let judged = changes.iter().map(|Change(name, change)| {
        let (space, issuer) = (&space, if *name == "issuer" { &second } else { &ca });
        async move {
            let first = issue(space, makers::certificate(name).with("/spec/duration", json!("24h"))).await;
            space.merge("Certificate", name, json!({"spec": change})).await;
            revision(space, name, 2).await;
            let mut found = validate(space, issuer, name, &format!("after a change of {name}")).await;
            let after = Issued::read(space, name).await.unwrap();
            let mut faults = Faults::about(format!("after a change of {name}"));
            faults.same("revision", &after.certificate["status"]["revision"], &json!(2));
            faults.check("another key", after.key.public_key != first.key.public_key, String::new);
            found.extend(faults.found());
            found
        }
    });
    assert_none(&join_all(judged).await.concat());
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_change_of_what_is_not_in_the_certificate_leaves_it_alone() {
    let (_, space, _) = with_ca().await;
    let changes = [
        Change("renew-before", json!({"renewBefore": "90m"})),
        Change("template", json!({"secretTemplate": {"labels": {"a": "b"}}})),
        Change("history", json!({"revisionHistoryLimit": 5})),
        Change("rotation", json!({"privateKey": {"rotationPolicy": "Never"}})),
        Change("signature", json!({"signatureAlgorithm": "ECDSAWithSHA512"})),
        Change("encode", json!({"encodeUsagesInRequest": false})),
        Change(
            "kind",
            json!({"issuerRef": {"name": "issuer", "kind": "Issuer", "group": "cert-manager.io"}}),
        ),
        Change("order", json!({"dnsNames": ["b.example", "a.example"]})),
    ];
    let judged = changes.iter().map(|Change(name, change)| {
        let space = &space;
        async move {
            let certificate = makers::certificate(name)
                .with("/spec/duration", json!("24h"))
                .with("/spec/dnsNames", json!(["a.example", "b.example"]));
            let before = issue(space, certificate).await;
            space.merge("Certificate", name, json!({"spec": change})).await;
            looked_at(space, name).await;
            if *name == "template" {
                let dressed = |secret: &Value| secret["metadata"]["labels"]["a"] == "b";
                space.until("Secret", "template-tls", "dressed", dressed).await;
            }
            let after = Issued::read(space, name).await.unwrap();
            let mut faults = Faults::about(format!("after a change of {name}"));
            faults.same("serial", &after.leaf.serial, &before.leaf.serial);
            faults.same("revision", &after.certificate["status"]["revision"], &json!(1));
            faults.same("ready", &condition(&after.certificate, "Ready")["status"], &json!("True"));
            if *name == "renew-before" {
                let minutes = jiff::SignedDuration::from_mins(90);
                let wanted = after.leaf.not_after.checked_sub(minutes).unwrap();
                faults.same("renewal", &moment(&after.certificate, "/status/renewalTime"), &wanted);
            }
            faults.found()
        }
    });
    assert_none(&join_all(judged).await.concat());
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn another_secret_name_brings_a_new_secret_and_leaves_the_old_one() {
    let (_, space, ca) = with_ca().await;
    let before = issue(&space, makers::certificate("web")).await;
    space.merge("Certificate", "web", json!({"spec": {"secretName": "elsewhere"}})).await;
    revision(&space, "web", 2).await;
    let mut found = validate(&space, &ca, "web", "under another name").await;
    let mut faults = Faults::about("the old Secret");
    let old = space.get("Secret", "web-tls").await;
    faults.same("data", &old["data"], &before.secret["data"]);
    found.extend(faults.found());
    assert_none(&found);
}

/// What is done to a Secret of type Opaque.
enum Damage {
    Deleted,
    Merged(Value),
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_deleted_or_damaged_secret_is_made_again() {
    let (_, space, ca) = with_ca().await;
    let (foreign_certificate, foreign_key) = openssl::root("foreign");
    let data = |changes: Value| Damage::Merged(json!({ "data": changes }));
    let annotation = |key: &str, value: &str| {
        Damage::Merged(json!({"metadata": {"annotations": {format!("cert-manager.io/{key}"): value}}}))
    };
    let damages = [
        ("deleted", Damage::Deleted),
        ("no-data", data(Value::Null)),
        ("no-key", data(json!({"tls.key": null}))),
        ("no-certificate", data(json!({"tls.crt": null}))),
        ("empty-key", data(json!({"tls.key": ""}))),
        ("empty-certificate", data(json!({"tls.crt": ""}))),
        ("bad-key", data(json!({"tls.key": encoded("no key")}))),
        ("bad-certificate", data(json!({"tls.crt": encoded("no certificate")}))),
        ("half-a-certificate", data(json!({"tls.crt": encoded(&foreign_certificate[..200])}))),
        ("other-key", data(json!({"tls.key": encoded(&foreign_key)}))),
        ("other-certificate", data(json!({"tls.crt": encoded(&foreign_certificate)}))),
        (
            "other-pair",
            data(json!({"tls.crt": encoded(&foreign_certificate), "tls.key": encoded(&foreign_key)})),
        ),
        ("other-issuer", annotation("issuer-name", "somebody")),
        ("other-issuer-kind", annotation("issuer-kind", "ClusterIssuer")),
        ("other-owner", annotation("certificate-name", "somebody")),
    ];
    let judged = damages.iter().map(|(name, damage)| {
        let (space, ca) = (&space, &ca);
        async move {
            // One that stands there before us may lack keys, and keeps its type.
            let secret = format!("{name}-tls");
            space.apply(makers::secret(&secret, &[("theirs", "kept")])).await;
            let before = issue(space, makers::certificate(name)).await;
            match damage {
                Damage::Deleted => space.delete("Secret", &secret).await,
                Damage::Merged(change) => drop(space.merge("Secret", &secret, change.clone()).await),
            }
            revision(space, name, 2).await;
            let mut faults = Faults::about(format!("{name}, made again"));
            let after = Issued::read(space, name).await.unwrap();
            faults.check("another certificate", after.leaf.serial != before.leaf.serial, String::new);
            faults.same("revision", &after.certificate["status"]["revision"], &json!(2));
            faults.same("key", &after.key.public_key, &after.leaf.public_key);
            let is_new = matches!(damage, Damage::Deleted);
            let kind = if is_new { "kubernetes.io/tls" } else { "Opaque" };
            faults.same("type", &after.secret["type"], &json!(kind));
            let keeps = !is_new && *name != "no-data";
            faults.same("foreign data", &after.secret["data"]["theirs"].is_string(), &keeps);
            let mut found = faults.found();
            // A type and data that are not ours are what this test itself put there.
            let judged = validate(space, ca, name, &format!("{name}, made again")).await;
            found.extend(
                judged.into_iter().filter(|fault| !fault.contains("V7") && !fault.contains("Secret type")),
            );
            found
        }
    });
    assert_none(&join_all(judged).await.concat());
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn no_version_of_a_secret_ever_holds_a_key_that_does_not_match() {
    const CHANGES: u64 = 12;
    let (_, space, _) = with_ca().await;
    let first = issue(&space, makers::certificate("web")).await;
    let secrets = space.api("Secret");
    let fields = watcher::Config::default().fields("metadata.name=web-tls");
    let mut changes = pin!(watcher(secrets, fields));
    let mut serials = BTreeSet::from([first.leaf.serial.clone()]);
    let storm = async {
        for number in 0..CHANGES {
            let key = ["ECDSA", "Ed25519"][usize::try_from(number % 2).unwrap()];
            let spec = json!({"dnsNames": [format!("n{number}.example")], "privateKey": {"algorithm": key}});
            space.merge("Certificate", "web", json!({ "spec": spec })).await;
            if number % 3 == 0 {
                space.issued("web").await;
            }
        }
        space.issued("web").await
    };
    let watching = async {
        loop {
            let change = changes.try_next().await.unwrap().unwrap();
            let (watcher::Event::InitApply(object) | watcher::Event::Apply(object)) = change else {
                continue;
            };
            let secret = serde_json::to_value(&object).unwrap();
            let leaf = Leaf::read(&data(&secret, "tls.crt")).unwrap();
            let key = Key::read(&data(&secret, "tls.key")).unwrap();
            assert_eq!(
                key.public_key,
                leaf.public_key,
                "version {}",
                object.metadata.resource_version.unwrap()
            );
            serials.insert(leaf.serial);
        }
    };
    let ended = tokio::select! {
        ended = storm => ended,
        () = watching => unreachable!("it watches for ever"),
    };
    let last = Issued::read(&space, "web").await.unwrap();
    assert_eq!(last.leaf.sans().dns, BTreeSet::from([format!("n{}.example", CHANGES - 1)]), "{ended}");
    assert!(serials.len() > 3, "several certificates were seen: {serials:?}");
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_key_that_shall_not_rotate_stays_and_one_that_no_longer_fits_needs_a_person() {
    let (_, space, ca) = with_ca().await;
    let keeping =
        |name: &str| makers::certificate(name).with("/spec/privateKey/rotationPolicy", json!("Never"));
    let before = issue(&space, keeping("web")).await;
    space.merge("Certificate", "web", json!({"spec": {"dnsNames": ["other.example"]}})).await;
    revision(&space, "web", 2).await;
    let renamed = Issued::read(&space, "web").await.unwrap();
    assert_eq!(renamed.key.public_key, before.key.public_key, "the same key for other names");
    assert_ne!(renamed.leaf.serial, before.leaf.serial);

    space.merge("Certificate", "web", json!({"spec": {"privateKey": {"algorithm": "RSA"}}})).await;
    let event = space.event("web", "CannotRegenerateKey", "User intervention required").await;
    assert_eq!(event["type"], "Warning");
    let stuck = space
        .until("Certificate", "web", "stuck", |certificate| {
            condition(certificate, "Issuing")["status"] == "True"
        })
        .await;
    assert_eq!(condition(&stuck, "Issuing")["reason"], "SecretMismatch");
    assert_eq!(condition(&stuck, "Ready")["reason"], "SecretMismatch");
    assert_eq!(
        space.get("Secret", "web-tls").await["data"],
        renamed.secret["data"],
        "the old Secret is untouched"
    );

    space.delete("Secret", "web-tls").await;
    revision(&space, "web", 3).await;
    assert_none(&validate(&space, &ca, "web", "after the person acted").await);
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn as_many_requests_are_kept_as_the_spec_says() {
    let (_, space, _) = with_ca().await;
    for (name, limit) in [("three", Some(3)), ("one", None)] {
        let mut certificate = makers::certificate(name);
        if let Some(limit) = limit {
            certificate = certificate.with("/spec/revisionHistoryLimit", json!(limit));
        }
        issue(&space, certificate).await;
        for number in 2..=5 {
            let names = json!([format!("n{number}.example")]);
            space.merge("Certificate", name, json!({"spec": {"dnsNames": names}})).await;
            revision(&space, name, number).await;
        }
    }
    for gone in ["three-2", "one-4"] {
        space.until_gone("CertificateRequest", gone).await;
    }
    let kept = BTreeSet::from_iter(space.names("CertificateRequest").await);
    let wanted = ["one-5", "three-3", "three-4", "three-5"].map(str::to_owned);
    assert_eq!(kept, BTreeSet::from(wanted));
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_template_of_a_secret_is_followed_without_a_new_certificate() {
    let (_, space, _) = with_ca().await;
    let template =
        json!({"labels": {"a": "1", "b": "1"}, "annotations": {"example.com/a": "1", "example.com/b": "1"}});
    let before = issue(&space, makers::certificate("web").with("/spec/secretTemplate", template)).await;
    let foreign = json!({
        "metadata": {"labels": {"theirs": "kept"}, "annotations": {"example.com/theirs": "kept"}},
        "data": {"theirs": encoded("kept")},
    });
    space.merge("Secret", "web-tls", foreign).await;
    let wears = |labels: Value, annotations: Value| {
        move |secret: &Value| {
            let has = |kind: &str, wanted: &Value| {
                wanted.as_object().unwrap().iter().all(|(key, value)| secret["metadata"][kind][key] == *value)
            };
            has("labels", &labels) && has("annotations", &annotations)
        }
    };
    let changed = json!({
        "labels": {"a": "2", "b": null, "c": "1"}, "annotations": {"example.com/a": "2", "example.com/b": null},
    });
    space.merge("Certificate", "web", json!({"spec": {"secretTemplate": changed}})).await;
    let labels =
        json!({"a": "2", "b": null, "c": "1", "theirs": "kept", "controller.cert-manager.io/fao": "true"});
    let annotations = json!({"example.com/a": "2", "example.com/b": null, "example.com/theirs": "kept"});
    space
        .until("Secret", "web-tls", "changed as the template", wears(labels.clone(), annotations.clone()))
        .await;

    let tampered = [
        ("a label of the template", json!({"metadata": {"labels": {"a": "3"}}})),
        ("a label of the template removed", json!({"metadata": {"labels": {"c": null}}})),
        ("our label", json!({"metadata": {"labels": {"controller.cert-manager.io/fao": "false"}}})),
        ("our label removed", json!({"metadata": {"labels": {"controller.cert-manager.io/fao": null}}})),
        ("a detail", json!({"metadata": {"annotations": {"cert-manager.io/alt-names": "x"}}})),
        ("a detail removed", json!({"metadata": {"annotations": {"cert-manager.io/alt-names": null}}})),
    ];
    let mut annotations = annotations;
    annotations["cert-manager.io/alt-names"] = json!("web.example");
    for (what, change) in tampered {
        space.merge("Secret", "web-tls", change).await;
        space
            .until(
                "Secret",
                "web-tls",
                &format!("{what} is mended"),
                wears(labels.clone(), annotations.clone()),
            )
            .await;
    }
    space.merge("Certificate", "web", json!({"spec": {"secretTemplate": null}})).await;
    let bare = json!({"a": null, "b": null, "c": null, "theirs": "kept"});
    space
        .until("Secret", "web-tls", "without the template", wears(bare, json!({"example.com/a": null})))
        .await;
    let after = Issued::read(&space, "web").await.unwrap();
    assert_eq!(after.leaf.serial, before.leaf.serial);
    assert_eq!(data(&after.secret, "theirs"), b"kept");
    assert_eq!(after.certificate["status"]["revision"], 1);
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn of_certificates_with_one_secret_only_one_is_issued() {
    let (_, space, ca) = with_ca().await;
    issue(&space, makers::certificate("first").with("/spec/secretName", json!("shared"))).await;
    space.apply(makers::certificate("second").with("/spec/secretName", json!("shared"))).await;
    let told = space
        .until("Certificate", "second", "told", |certificate| {
            condition(certificate, "Ready")["status"] == "False"
        })
        .await;
    let ready = condition(&told, "Ready");
    assert_eq!(ready["reason"], "IncorrectCertificate");
    assert!(text(&ready, "/message").contains("\"first\""), "{ready}");
    assert_eq!(space.names("CertificateRequest").await, ["first-1"]);
    space.merge("Certificate", "second", json!({"spec": {"secretName": "its-own"}})).await;
    space.issued("second").await;
    let mut found = validate(&space, &ca, "second", "the second, with a Secret of its own").await;
    found.extend(validate(&space, &ca, "first", "the first").await);

    // When the holder goes, the other takes the Secret over.
    issue(&space, makers::certificate("holder").with("/spec/secretName", json!("held"))).await;
    space.apply(makers::certificate("heir").with("/spec/secretName", json!("held"))).await;
    space.until("Certificate", "heir", "told", |heir| condition(heir, "Ready")["status"] == "False").await;
    space.delete("Certificate", "holder").await;
    space.issued("heir").await;
    found.extend(validate(&space, &ca, "heir", "the heir").await);
    assert_none(&found);
}

/// As `cmctl renew` does: it adds the condition to those that are there, by an update of the status.
async fn ask_by_hand(space: &Space, name: &str) {
    let certificate = space.get("Certificate", name).await;
    let mut conditions = certificate["status"]["conditions"].as_array().unwrap().clone();
    conditions.push(json!({
        "type": "Issuing", "status": "True", "reason": "ManuallyTriggered",
        "message": "Certificate re-issuance manually triggered", "observedGeneration": certificate["metadata"]["generation"],
        "lastTransitionTime": Timestamp::from_second(Timestamp::now().as_second()).unwrap().to_string(),
    }));
    space.merge_status("Certificate", name, json!({ "conditions": conditions })).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_certificate_asked_for_by_hand_is_issued_anew() {
    let (_, space, ca) = with_ca().await;
    let before = issue(&space, makers::certificate("web")).await;
    ask_by_hand(&space, "web").await;
    revision(&space, "web", 2).await;
    let after = Issued::read(&space, "web").await.unwrap();
    assert_ne!(after.leaf.serial, before.leaf.serial);
    assert_none(&validate(&space, &ca, "web", "asked for by hand").await);
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn conditions_of_others_survive_ours() {
    let (_, space, _) = with_ca().await;
    issue(&space, makers::certificate("web")).await;
    let theirs = says("Theirs", "True", "Custom");
    for (kind, name) in [("Certificate", "web"), ("Issuer", "issuer")] {
        let object = space.get(kind, name).await;
        let mut conditions = object["status"]["conditions"].as_array().unwrap().clone();
        conditions.push(theirs.clone());
        space.merge_status(kind, name, json!({ "conditions": conditions })).await;
    }
    space.merge("Certificate", "web", json!({"spec": {"dnsNames": ["other.example"]}})).await;
    revision(&space, "web", 2).await;
    // Another Secret of the same root: the issuer is looked at anew, and its condition written for the new generation.
    let pair = space.get("Secret", "issuer-ca").await;
    let text = |key: &str| String::from_utf8(data(&pair, key)).unwrap();
    space.apply(issuers::pair_secret("moved", &text("tls.crt"), &text("tls.key"))).await;
    space.merge("Issuer", "issuer", json!({"spec": {"ca": {"secretName": "moved"}}})).await;
    let seen =
        |issuer: &Value| condition(issuer, "Ready")["observedGeneration"] == issuer["metadata"]["generation"];
    space.until("Issuer", "issuer", "looked at", seen).await;
    for (kind, name) in [("Certificate", "web"), ("Issuer", "issuer")] {
        assert_eq!(condition(&space.get(kind, name).await, "Theirs"), theirs, "{kind}");
    }
}

/// One that has just signed isn't looked at for a while; but that is no word about another spec, or another Secret.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn an_issuer_that_has_just_signed_is_told_at_once_when_its_spec_or_its_secret_is_of_no_use() {
    let (_, space, _) = with_ca().await;
    let not_ready = |issuer: &Value| {
        let ready = condition(issuer, "Ready");
        ready["status"] == "False" && ready["observedGeneration"] == issuer["metadata"]["generation"]
    };
    issue(&space, makers::certificate("one")).await;
    space.merge("Issuer", "issuer", json!({"spec": {"ca": {"secretName": "nowhere"}}})).await;
    let told = space.until("Issuer", "issuer", "told of its spec", not_ready).await;
    assert_eq!(condition(&told, "Ready")["reason"], "ErrGetKeyPair");
    assert!(text(&condition(&told, "Ready"), "/message").contains("nowhere"), "{told}");

    space.merge("Issuer", "issuer", json!({"spec": {"ca": {"secretName": "issuer-ca"}}})).await;
    issuers::ready(&space, Scope::Namespace, "issuer").await;
    issue(&space, makers::certificate("two")).await;
    space.merge("Secret", "issuer-ca", json!({"data": {"tls.crt": encoded("no certificate")}})).await;
    let told = space.until("Issuer", "issuer", "told of its Secret", not_ready).await;
    assert!(text(&condition(&told, "Ready"), "/message").contains("issuer-ca"), "{told}");
}

/// A Certificate of an issuer that is no business of ours: the test answers its requests.
fn external(name: &str) -> Maker {
    makers::certificate(name)
        .with("/spec/issuerRef", json!({"name": "theirs", "kind": "Signer", "group": "issuers.example.com"}))
}

async fn answer(space: &Space, request: &str, conditions: Value, certificate: Option<&str>) {
    let mut status = json!({ "conditions": conditions });
    if let Some(certificate) = certificate {
        status["certificate"] = json!(encoded(certificate));
    }
    if conditions_fail(&status) {
        status["failureTime"] =
            json!(Timestamp::from_second(Timestamp::now().as_second()).unwrap().to_string());
    }
    space.merge_status("CertificateRequest", request, status).await;
}

fn conditions_fail(status: &Value) -> bool {
    status["conditions"].as_array().into_iter().flatten().any(|condition| condition["reason"] == "Failed")
}

fn says(kind: &str, status: &str, reason: &str) -> Value {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap().to_string();
    json!({
        "type": kind, "status": status, "reason": reason, "message": format!("the test says {reason}"),
        "lastTransitionTime": now,
    })
}

/// Signs the CSR of a request, as an external issuer would.
async fn sign(space: &Space, request: &str, ca: &(String, String)) -> String {
    let request = space.get("CertificateRequest", request).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let csr = file("csr", &decoded(&request["spec"]["request"]));
    let (certificate, key) = (file("ca.crt", ca.0.as_bytes()), file("ca.key", ca.1.as_bytes()));
    let arguments =
        ["x509", "-req", "-in", &csr, "-CA", &certificate, "-CAkey", &key, "-copy_extensions", "copy"];
    openssl::run(&arguments, b"").unwrap()
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_answers_of_an_external_issuer_are_taken_or_told_as_the_peer_does() {
    let (_, space, _) = with_ca().await;
    let ca = openssl::root("external root");
    let ended = ["failed", "denied", "invalid", "foreign", "garbage"];
    let mut found = Vec::new();
    let judged = ended.map(|name| {
        let (space, ca) = (&space, &ca);
        async move {
            space.apply(external(name)).await;
            let request = format!("{name}-1");
            space.until("CertificateRequest", &request, "there", |_| true).await;
            let waiting = space
                .until("Certificate", name, "waiting", |is| condition(is, "Issuing")["status"] == "True")
                .await;
            let mut faults = Faults::about(name);
            faults.same("Issuing reason", &condition(&waiting, "Issuing")["reason"], &json!("DoesNotExist"));
            faults.same("Ready reason", &condition(&waiting, "Ready")["reason"], &json!("DoesNotExist"));
            let key = next_key(space, &waiting, &mut faults).await;
            let approved = says("Approved", "True", "Tester");
            let issued =
                |certificate: String| (json!([approved, says("Ready", "True", "Issued")]), Some(certificate));
            let (conditions, certificate) = match name {
                "failed" => (json!([approved, says("Ready", "False", "Failed")]), None),
                "denied" => (json!([says("Denied", "True", "NotToday")]), None),
                "invalid" => (json!([approved, says("InvalidRequest", "True", "Unclear")]), None),
                "foreign" => issued(ca.0.clone()),
                _ => issued("no certificate".to_owned()),
            };
            answer(space, &request, conditions, certificate.as_deref()).await;
            let reason = match name {
                "failed" => "Failed",
                "denied" => "NotToday",
                "invalid" => "Unclear",
                _ => "InvalidCertificate",
            };
            let told = space
                .until("Certificate", name, "told", |is| condition(is, "Issuing")["status"] == "False")
                .await;
            let issuing = condition(&told, "Issuing");
            faults.same("reason", &issuing["reason"], &json!(reason));
            let start = "The certificate request has failed to complete and will be retried: ";
            faults.check("message", text(&issuing, "/message").starts_with(start), || issuing.to_string());
            faults.same("attempts", &told["status"]["failedIssuanceAttempts"], &json!(1));
            faults
                .check("time", told["status"]["lastFailureTime"].is_string(), || told["status"].to_string());
            faults.same("Secret", &space.find("Secret", &format!("{name}-tls")).await, &None);
            let event = space.event(name, reason, start).await;
            faults.same("event", &event["type"], &json!("Warning"));
            // The key of a failed issuance goes.
            space.until_gone("Secret", &key).await;
            faults.found()
        }
    });
    found.extend(join_all(judged).await.concat());

    // A new try: asked for by hand, with a new key and a new object under the same name; now it is signed.
    let old = space.get("CertificateRequest", "failed-1").await;
    ask_by_hand_after_failure(&space, "failed").await;
    let new = space
        .until("CertificateRequest", "failed-1", "a new one", |request| {
            request["metadata"]["uid"] != old["metadata"]["uid"]
        })
        .await;
    let public = |request: &Value| openssl::request(&decoded(&request["spec"]["request"])).unwrap();
    let mut faults = Faults::about("a new try");
    faults.check("a new key", public(&new) != public(&old), String::new);
    let certificate = sign(&space, "failed-1", &ca).await;
    let conditions = json!([says("Approved", "True", "Tester"), says("Ready", "True", "Issued")]);
    answer(&space, "failed-1", conditions, Some(&certificate)).await;
    let issued = space.issued("failed").await;
    faults.same("attempts", &issued["status"]["failedIssuanceAttempts"], &Value::Null);
    faults.same("time", &issued["status"]["lastFailureTime"], &Value::Null);
    faults.same("next key", &issued["status"]["nextPrivateKeySecretName"], &Value::Null);
    let secret = space.get("Secret", "failed-tls").await;
    let leaf = Leaf::read(&data(&secret, "tls.crt")).unwrap();
    faults.same("key", &Key::read(&data(&secret, "tls.key")).unwrap().public_key, &leaf.public_key);
    found.extend(faults.found());
    assert_none(&found);
}

/// The Secret with the key of a running issuance (certificate-lifecycle 2.5). Returns its name.
async fn next_key(space: &Space, certificate: &Value, faults: &mut Faults) -> String {
    let certificate = match text(certificate, "/status/nextPrivateKeySecretName").as_str() {
        "" => {
            let named = |is: &Value| is["status"]["nextPrivateKeySecretName"].is_string();
            space
                .until("Certificate", &text(certificate, "/metadata/name"), "its next key is named", named)
                .await
        }
        _ => certificate.clone(),
    };
    let name = text(&certificate, "/status/nextPrivateKeySecretName");
    let secret = space.get("Secret", &name).await;
    let labels =
        json!({"cert-manager.io/next-private-key": "true", "controller.cert-manager.io/fao": "true"});
    faults.same("next key labels", &secret["metadata"]["labels"], &labels);
    faults.same("next key type", &secret["type"], &json!("Opaque"));
    let owner = &secret["metadata"]["ownerReferences"][0];
    faults.same("next key owner", &owner["uid"], &certificate["metadata"]["uid"]);
    faults.same("next key controller", &owner["controller"], &json!(true));
    let key = Key::read(&data(&secret, "tls.key")).unwrap();
    faults.same("next key encoding", &key.label.as_str(), &"PRIVATE KEY");
    let request = text(&certificate, "/metadata/name") + "-1";
    let request = space.get("CertificateRequest", &request).await;
    let reserved = text(&request, "/metadata/annotations/cert-manager.io~1private-key-secret-name");
    faults.same("reserved name", &reserved, &name);
    let asked = openssl::request(&decoded(&request["spec"]["request"])).unwrap();
    faults.same("key of the request", &asked, &key.public_key);
    name
}

/// As [`ask_by_hand`], where the condition is there and False.
async fn ask_by_hand_after_failure(space: &Space, name: &str) {
    let certificate = space.get("Certificate", name).await;
    let mut conditions = certificate["status"]["conditions"].as_array().unwrap().clone();
    conditions.retain(|condition| condition["type"] != "Issuing");
    let mut by_hand = says("Issuing", "True", "ManuallyTriggered");
    by_hand["observedGeneration"] = certificate["metadata"]["generation"].clone();
    conditions.push(by_hand);
    space.merge_status("Certificate", name, json!({ "conditions": conditions })).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn metrics_tell_of_each_certificate_and_of_none_that_is_gone() {
    let (stage, space, ca) = with_ca().await;
    let issued = issue(&space, makers::certificate("web")).await;
    let labels = format!(
        "issuer_group=\"\",issuer_kind=\"\",issuer_name=\"{}\",name=\"web\",namespace=\"{}\"",
        ca.name, space.name
    );
    let seconds = |pointer: &str| moment(&issued.certificate, pointer).as_second();
    let ready = |status: &str, value: u8| {
        format!("certmanager_certificate_ready_status{{condition=\"{status}\",{labels}}} {value}")
    };
    let dated = |what: &str, pointer: &str| {
        format!("certmanager_certificate_{what}_timestamp_seconds{{{labels}}} {}", seconds(pointer))
    };
    let wanted = [
        ready("True", 1),
        ready("False", 0),
        ready("Unknown", 0),
        dated("expiration", "/status/notAfter"),
        dated("not_after", "/status/notAfter"),
        dated("not_before", "/status/notBefore"),
        dated("renewal", "/status/renewalTime"),
        format!(
            "certmanager_issuer_ready_status{{condition=\"True\",name=\"{}\",namespace=\"{}\"}} 1",
            ca.name, space.name
        ),
    ];
    let metrics = stage.controller.metrics().await.unwrap();
    let lines: BTreeSet<&str> = metrics.lines().collect();
    let missing: Vec<&String> = wanted.iter().filter(|line| !lines.contains(line.as_str())).collect();
    let own: Vec<&&str> = lines.iter().filter(|line| line.contains(&space.name)).collect();
    assert!(missing.is_empty(), "missing: {missing:#?}\nthere are: {own:#?}");
    for name in ["certmanager_controller_sync_call_count", "certmanager_clock_time_seconds_gauge"] {
        assert!(lines.iter().any(|line| line.starts_with(name)), "no {name}");
    }
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(stage.controller.health(path).await.unwrap(), 200, "{path}");
    }

    space.delete("Certificate", "web").await;
    let gone = format!("name=\"web\",namespace=\"{}\"", space.name);
    for _ in 0..600 {
        if !stage.controller.metrics().await.unwrap().contains(&gone) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the deleted Certificate still has metrics");
}
