//! Bad input from both sides, on real servers: manifests that no rule allows (certificate-lifecycle 1.7), Secrets that can't be used, and
//! a Vault that answers nonsense. Each is told in words that name the field or the cause; nothing is written, overwritten or lost,
//! and the controller goes on.

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

use everleaf_testkit::makers::{self, Maker};
use everleaf_testkit::servers::{Fault, FaultProxy, Pki, PkiOptions, Vault, apply_manifests};
use faulty::ground::{Ground, SOON, shared_vault};
use faulty::history::History;
use faulty::pair;
use serde_json::{Value, json};
use support::assert_none;
use support::openssl;
use support::space::{condition, data, encoded, is_issued, text};

/// A manifest, what is wrong with it, and the words that must be said about it.
struct Bad {
    name: String,
    object: Maker,
    words: Vec<&'static str>,
}

fn bad(name: &str, kind: fn(&str) -> Maker, changes: &[(&str, Value)], words: &[&'static str]) -> Bad {
    let object =
        changes.iter().fold(kind(name), |object, (pointer, value)| object.with(pointer, value.clone()));
    Bad { name: name.to_owned(), object, words: words.to_vec() }
}

fn certificate(name: &str) -> Maker {
    makers::certificate(name)
}

/// A good CA issuer's spec is no obstacle: every type stands alone.
fn issuer(name: &str) -> Maker {
    makers::self_signed_issuer(name).with("/spec", json!({}))
}

/// The rules over Certificates, in the order of certificate-lifecycle 1.7.
fn bad_certificates() -> Vec<Bad> {
    let bad = |name: &str, changes: &[(&str, Value)], words: &[&'static str]| {
        bad(name, certificate, changes, words)
    };
    let sixty_five = "a".repeat(65);
    let other_name = |oid: &str, value: &str| json!([{ "oid": oid, "utf8Value": value }]);
    vec![
        bad("no-secret", &[("/spec/secretName", json!(""))], &["spec.secretName"]),
        bad("secret-name", &[("/spec/secretName", json!("Not_A_Name"))], &["spec.secretName", "Not_A_Name"]),
        bad("no-issuer", &[("/spec/issuerRef", json!({ "name": "" }))], &["spec.issuerRef.name"]),
        bad(
            "issuer-kind",
            &[("/spec/issuerRef", json!({ "name": "a", "kind": "Foo" }))],
            &["spec.issuerRef.kind", "Foo", "group"],
        ),
        bad(
            "literal-and-cn",
            &[("/spec/literalSubject", json!("CN=a")), ("/spec/commonName", json!("a"))],
            &["literalSubject"],
        ),
        bad(
            "literal-and-subject",
            &[("/spec/literalSubject", json!("CN=a")), ("/spec/subject/countries", json!(["NL"]))],
            &["literalSubject"],
        ),
        bad("literal-unreadable", &[("/spec/literalSubject", json!("nonsense"))], &["spec.literalSubject"]),
        bad(
            "literal-unknown",
            &[("/spec/literalSubject", json!("FOO=bar"))],
            &["spec.literalSubject", "FOO"],
        ),
        bad("no-names", &[("/spec/dnsNames", json!([]))], &["commonName", "dnsNames"]),
        bad("long-cn", &[("/spec/commonName", json!(sixty_five))], &["spec.commonName", "64"]),
        bad(
            "ip",
            &[("/spec/ipAddresses", json!(["10.0.0.1", "300.1.1.1"]))],
            &["spec.ipAddresses[1]", "300.1.1.1"],
        ),
        bad("email", &[("/spec/emailAddresses", json!(["A <a@b.example>"]))], &["spec.emailAddresses[0]"]),
        bad("other-oid", &[("/spec/otherNames", other_name("", "x"))], &["spec.otherNames[0].oid"]),
        bad(
            "other-oid-text",
            &[("/spec/otherNames", other_name("1.2.x", "x"))],
            &["spec.otherNames[0].oid", "1.2.x"],
        ),
        bad(
            "other-value",
            &[("/spec/otherNames", other_name("1.2.3", ""))],
            &["spec.otherNames[0].utf8Value"],
        ),
        bad("dns-name", &[("/spec/dnsNames", json!(["ü.example"]))], &["spec.dnsNames[0]"]),
        bad("uri", &[("/spec/uris", json!(["http://ü.example/"]))], &["spec.uris[0]"]),
        bad(
            "rsa-small",
            &[("/spec/privateKey", json!({ "algorithm": "RSA", "size": 1024 }))],
            &["spec.privateKey.size", "2048"],
        ),
        bad("rsa-large", &[("/spec/privateKey", json!({ "size": 8193 }))], &["spec.privateKey.size", "8192"]),
        bad("ecdsa", &[("/spec/privateKey/size", json!(255))], &["spec.privateKey.size", "256"]),
        bad(
            "algorithm",
            &[("/spec/privateKey", json!({ "algorithm": "DSA" }))],
            &["spec.privateKey.algorithm", "DSA"],
        ),
        bad(
            "signature",
            &[("/spec/signatureAlgorithm", json!("SHA256WithRSA"))],
            &["spec.signatureAlgorithm"],
        ),
        bad("short", &[("/spec/duration", json!("30m"))], &["spec.duration", "1h"]),
        bad("duration", &[("/spec/duration", json!("soon"))], &["spec.duration", "soon"]),
        bad("renew-late", &[("/spec/renewBefore", json!("1m"))], &["spec.renewBefore", "5m"]),
        bad(
            "renew-early",
            &[("/spec/duration", json!("2h")), ("/spec/renewBefore", json!("2h"))],
            &["spec.renewBefore"],
        ),
        bad(
            "renew-twice",
            &[("/spec/renewBefore", json!("6m")), ("/spec/renewBeforePercentage", json!(50))],
            &["renewBefore", "renewBeforePercentage"],
        ),
        bad(
            "renew-share",
            &[("/spec/duration", json!("1h")), ("/spec/renewBeforePercentage", json!(100))],
            &["spec.renewBeforePercentage"],
        ),
        bad("usage", &[("/spec/usages", json!(["nonsense"]))], &["spec.usages[0]", "nonsense"]),
        bad("history", &[("/spec/revisionHistoryLimit", json!(0))], &["spec.revisionHistoryLimit"]),
        bad(
            "template-ours",
            &[("/spec/secretTemplate/annotations", json!({ "cert-manager.io/a": "x" }))],
            &["spec.secretTemplate.annotations", "cert-manager.io/a"],
        ),
        bad(
            "template-label",
            &[("/spec/secretTemplate/labels", json!({ "a": "not a value" }))],
            &["spec.secretTemplate.labels"],
        ),
        bad(
            "constraints",
            &[("/spec/nameConstraints/permitted/dnsDomains", json!(["a"]))],
            &["spec.nameConstraints", "isCA"],
        ),
        bad(
            "no-constraints",
            &[("/spec/nameConstraints", json!({})), ("/spec/isCA", json!(true))],
            &["spec.nameConstraints"],
        ),
        bad(
            "constraints-range",
            &[
                ("/spec/isCA", json!(true)),
                ("/spec/nameConstraints/permitted/ipRanges", json!(["10.0.0.0/99"])),
            ],
            &["spec.nameConstraints.permitted.ipRanges", "10.0.0.0/99"],
        ),
        bad(
            "format-twice",
            &[("/spec/additionalOutputFormats", json!([{ "type": "DER" }, { "type": "DER" }]))],
            &["spec.additionalOutputFormats", "DER"],
        ),
        bad(
            "format",
            &[("/spec/additionalOutputFormats", json!([{ "type": "PDF" }]))],
            &["spec.additionalOutputFormats", "PDF"],
        ),
        bad("jks", &[("/spec/keystores/jks", json!({ "create": true }))], &["spec.keystores.jks"]),
        bad(
            "jks-twice",
            &[(
                "/spec/keystores/jks",
                json!({ "create": true, "password": "x", "passwordSecretRef": { "name": "a", "key": "b" } }),
            )],
            &["spec.keystores.jks"],
        ),
        bad(
            "pkcs12",
            &[("/spec/keystores/pkcs12", json!({ "create": true, "password": "" }))],
            &["spec.keystores.pkcs12"],
        ),
    ]
}

/// The rules over issuers that exist here (certificate-lifecycle 1.7, vault-issuer 1).
fn bad_issuers() -> Vec<Bad> {
    let bad = |name: &str, spec: Value, words: &[&'static str]| bad(name, issuer, &[("/spec", spec)], words);
    let token = json!({ "tokenSecretRef": { "name": "t", "key": "k" } });
    let vault = |change: Value| {
        let mut vault = json!({ "server": "http://127.0.0.1:1", "path": "pki/sign/web", "auth": token });
        vault.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({ "vault": vault })
    };
    let auth = |auth: Value| vault(json!({ "auth": auth }));
    let (cert, key) = (json!({ "name": "c" }), json!({ "name": "k" }));
    vec![
        bad("no-type", json!({}), &["at least one issuer must be configured"]),
        bad(
            "two-types",
            json!({ "selfSigned": {}, "ca": { "secretName": "a" } }),
            &["spec.selfSigned", "more than one issuer type"],
        ),
        bad("ca", json!({ "ca": { "secretName": "" } }), &["spec.ca.secretName"]),
        bad(
            "ca-ocsp",
            json!({ "ca": { "secretName": "a", "ocspServers": [""] } }),
            &["spec.ca.ocspServers[0]"],
        ),
        bad("server", vault(json!({ "server": "" })), &["spec.vault.server"]),
        bad("server-text", vault(json!({ "server": "ftp://vault" })), &["spec.vault.server", "ftp"]),
        bad("path", vault(json!({ "path": "" })), &["spec.vault.path"]),
        bad("path-out", vault(json!({ "path": "pki/../sys/seal" })), &["spec.vault.path", "'..'"]),
        bad("bundle", vault(json!({ "caBundle": encoded("no certificate") })), &["spec.vault.caBundle"]),
        bad(
            "bundle-twice",
            vault(json!({ "caBundle": encoded("x"), "caBundleSecretRef": { "name": "a", "key": "k" } })),
            &["spec.vault.caBundle", "caBundleSecretRef"],
        ),
        bad("client-cert", vault(json!({ "clientCertSecretRef": cert })), &["spec.vault.clientKeySecretRef"]),
        bad("client-key", vault(json!({ "clientKeySecretRef": key })), &["spec.vault.clientCertSecretRef"]),
        bad("no-auth", auth(json!({})), &["spec.vault.auth"]),
        bad(
            "two-auths",
            auth(json!({ "tokenSecretRef": { "name": "t" }, "clientCertificate": { "secretName": "c" } })),
            &["spec.vault.auth"],
        ),
        bad(
            "approle",
            auth(
                json!({ "appRole": { "path": "approle", "roleId": "", "secretRef": { "name": "a", "key": "k" } } }),
            ),
            &["spec.vault.auth.appRole.roleId"],
        ),
        bad(
            "kubernetes-role",
            auth(json!({ "kubernetes": { "role": "", "secretRef": { "name": "a" } } })),
            &["spec.vault.auth.kubernetes.role"],
        ),
        bad(
            "kubernetes",
            auth(json!({ "kubernetes": { "role": "a" } })),
            &["spec.vault.auth.kubernetes", "secretRef", "serviceAccountRef"],
        ),
        bad("aws", auth(json!({ "aws": { "role": "" } })), &["spec.vault.auth.aws.role"]),
        bad(
            "venafi",
            json!({ "venafi": { "zone": "", "cloud": { "apiTokenSecretRef": { "name": "a" } } } }),
            &["spec.venafi.zone"],
        ),
        bad(
            "acme",
            json!({ "acme": { "server": "", "privateKeySecretRef": { "name": "a" } } }),
            &["spec.acme.server"],
        ),
    ]
}

/// The rules over requests; the CSR is good where nothing else is said.
fn bad_requests() -> Vec<Bad> {
    let good = encoded(pair::csr("good.example"));
    let usual = json!({ "request": good, "issuerRef": { "name": "self" } });
    let bad = |name: &str, change: Value, words: &[&'static str]| {
        let mut spec = usual.clone();
        spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let object = json!({"apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest", "metadata": {"name": name}, "spec": spec});
        Bad { name: name.to_owned(), object: Maker::of(object), words: words.to_vec() }
    };
    let mut broken = pair::csr("broken.example");
    // Another letter in the last line is another signature.
    let at = broken.rfind("\n-----END").unwrap() - 6;
    let letter = if &broken[at..=at] == "A" { "B" } else { "A" };
    broken.replace_range(at..=at, letter);
    vec![
        bad("empty", json!({ "request": "" }), &["spec.request"]),
        bad("no-pem", json!({ "request": encoded("no PEM") }), &["spec.request"]),
        bad("signature", json!({ "request": encoded(broken) }), &["spec.request", "signature"]),
        bad(
            "kind",
            json!({ "issuerRef": { "name": "self", "kind": "Foo" } }),
            &["spec.issuerRef.kind", "Foo"],
        ),
        bad("usage", json!({ "usages": ["nonsense"] }), &["spec.usages[0]", "nonsense"]),
        bad(
            "usages",
            json!({ "request": encoded(pair::csr_for_servers("u.example")), "usages": ["client auth"] }),
            &["spec.request", "usages"],
        ),
        bad("ca", json!({ "request": encoded(pair::csr_for_a_ca("ca.example")) }), &["spec.request", "isCA"]),
    ]
}

/// Applies all; what the API says to those that it refuses, and what the condition says of the others.
async fn told(ground: &Ground, kind: &str, table: &[Bad]) -> BTreeMap<String, String> {
    let seen = History::of(&ground.space, kind).await;
    let mut said = BTreeMap::new();
    for bad in table {
        let object = [bad.object.clone().json()];
        if let Err(refused) = apply_manifests(&ground.space.client, &object, &ground.space.name).await {
            said.insert(bad.name.clone(), format!("{refused:#}"));
        }
    }
    let says = |object: &Value| {
        let ready = condition(object, "Ready");
        // A kind that nobody knows yet may be known tomorrow, so that request waits.
        let ended = kind != "CertificateRequest"
            || ready["reason"] == "Failed"
            || text(&ready, "/message").contains("spec.issuerRef.kind");
        (ready["status"] == "False" && ended).then(|| text(&ready, "/message"))
    };
    // One that is never told is a fault in the table, not the end of the test.
    let deadline = Instant::now() + SOON;
    while said.len() < table.len() && Instant::now() < deadline {
        let now = seen.now();
        let told = now.into_iter().filter_map(|(name, object)| Some((name, says(&object)?)));
        said.extend(told.filter(|(name, _)| table.iter().any(|bad| bad.name == *name)));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    said
}

async fn all_are_told(ground: &Ground, kind: &str, table: Vec<Bad>) -> Vec<String> {
    let said = told(ground, kind, &table).await;
    let mut faults = Vec::new();
    for bad in &table {
        let said = said.get(&bad.name).map_or("(nothing)", String::as_str);
        if !bad.words.iter().all(|word| said.contains(word)) {
            faults.push(format!("{kind} {}: {:?} not in: {said}", bad.name, bad.words));
        }
    }
    faults
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn every_invalid_manifest_is_told_by_field_and_nothing_is_written() {
    let ground = Ground::new(&[]).await;
    ground.space.apply(makers::self_signed_issuer("self")).await;
    ground.space.apply(makers::self_signed_issuer("issuer")).await;
    ground.issuer_ready("self", SOON).await;
    let mut faults = all_are_told(&ground, "Certificate", bad_certificates()).await;
    for kind in ["CertificateRequest", "Secret"] {
        faults.extend(
            ground.space.names(kind).await.into_iter().map(|name| format!("{kind} {name} was written")),
        );
    }
    faults.extend(all_are_told(&ground, "Issuer", bad_issuers()).await);
    faults.extend(all_are_told(&ground, "CertificateRequest", bad_requests()).await);
    assert_none(&faults);
    for request in ground.space.list("CertificateRequest").await {
        assert!(request["status"]["certificate"].is_null(), "{request}");
    }
    // And it goes on.
    ground.space.apply(makers::certificate("good")).await;
    ground.space.issued("good").await;
    ground.nothing_was_forbidden();
}

/// A certificate in use stays as it is while its Certificate is changed into something that makes no sense, and that the API
/// server lets pass.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_certificate_in_use_is_not_touched_by_an_invalid_change() {
    let ground = Ground::new(&[]).await;
    ground.space.apply(makers::self_signed_issuer("issuer")).await;
    ground.space.apply(makers::certificate("web")).await;
    ground.space.issued("web").await;
    let before = ground.space.get("Secret", "web-tls").await;
    let secrets = History::of(&ground.space, "Secret").await;
    ground.space.merge("Certificate", "web", json!({ "spec": { "uris": ["http://ü.example/"] } })).await;
    let tells =
        |certificate: &Value| text(&condition(certificate, "Ready"), "/message").contains("spec.uris[0]");
    ground.space.until("Certificate", "web", "told", tells).await;
    ground.space.merge("Certificate", "web", json!({ "spec": { "uris": null } })).await;
    ground.space.issued("web").await;
    assert_eq!(data(&ground.space.get("Secret", "web-tls").await, "tls.crt"), data(&before, "tls.crt"));
    assert_eq!(secrets.versions().len(), 1, "the Secret was never written");
}

/// What an issuer needs and can't use: what is wrong, and the words for it.
fn bad_secrets(good: &Credentials) -> Vec<(Bad, Option<Maker>)> {
    let approle = |name: &str| makers::vault_issuer(name, &good.server, &good.path, &good.role_id);
    let row = |object: Maker, name: &str, secret: Option<Maker>, words: &[&'static str]| {
        (Bad { name: name.to_owned(), object, words: words.to_vec() }, secret)
    };
    let token = |name: &str| {
        let auth = json!({ "tokenSecretRef": { "name": "a-token", "key": "token" } });
        approle(name).with("/spec/vault/auth", auth)
    };
    let bundle = json!({ "name": "a-bundle", "key": "ca.crt" });
    let client = |name: &str| {
        let both = ("/spec/vault/clientCertSecretRef", "/spec/vault/clientKeySecretRef");
        approle(name).with(both.0, json!({ "name": "a-pair" })).with(both.1, json!({ "name": "a-pair" }))
    };
    let (root, _) = openssl::root("root");
    let (_, other) = openssl::root("other");
    let (leaf, leaf_key) = pair::self_signed_leaf("leaf.example");
    let ca = |name: &str| makers::ca_issuer(name, &format!("{name}-pair"));
    let pair = |name: &str, certificate: &str, key: &str| {
        Some(makers::secret(&format!("{name}-pair"), &[("tls.crt", certificate), ("tls.key", key)]))
    };
    vec![
        row(approle("s-missing"), "s-missing", None, &["s-missing-approle"]),
        row(
            approle("s-key"),
            "s-key",
            Some(makers::secret("s-key-approle", &[("other", "x")])),
            &["s-key-approle", "secretId"],
        ),
        row(
            approle("s-empty"),
            "s-empty",
            Some(makers::secret("s-empty-approle", &[("secretId", "")])),
            &["s-empty-approle"],
        ),
        row(
            token("s-jwt"),
            "s-jwt",
            Some(makers::secret("a-token", &[("token", "eyJh.eyJh.c2ln")])),
            &["a-token"],
        ),
        row(
            approle("s-bundle").with("/spec/vault/caBundleSecretRef", bundle),
            "s-bundle",
            Some(makers::secret(
                "a-bundle",
                &[("ca.crt", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")],
            )),
            &["a-bundle"],
        ),
        row(
            client("s-pair"),
            "s-pair",
            Some(makers::secret("a-pair", &[("tls.crt", "no PEM"), ("tls.key", "no PEM")])),
            &["a-pair"],
        ),
        row(ca("s-ca-missing"), "s-ca-missing", None, &["s-ca-missing-pair"]),
        row(ca("s-ca-text"), "s-ca-text", pair("s-ca-text", "no PEM", "no PEM"), &["s-ca-text-pair"]),
        row(ca("s-ca-other"), "s-ca-other", pair("s-ca-other", &root, &other), &["s-ca-other-pair", "key"]),
        row(ca("s-ca-leaf"), "s-ca-leaf", pair("s-ca-leaf", &leaf, &leaf_key), &["CA"]),
    ]
}

/// Where a good issuer would sign.
struct Credentials {
    server: String,
    path: String,
    role_id: String,
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn an_issuer_whose_secret_is_of_no_use_says_which_and_what_it_lacks() {
    let ground = Ground::new(&[]).await;
    let vault = shared_vault().await;
    let pki = ground.pki(vault, "pki", &PkiOptions::default()).await;
    let (server, path) = (vault.url().to_owned(), pki.sign_path.clone());
    let good = Credentials { server, path, role_id: pki.approle.role_id.clone() };
    let (mut table, mut waiting) = (Vec::new(), Vec::new());
    for (bad, secret) in bad_secrets(&good) {
        if let Some(secret) = secret {
            ground.space.apply(secret).await;
        }
        waiting.push(makers::certificate(&bad.name).from_issuer(&bad.name));
        table.push(bad);
    }
    let mut faults = all_are_told(&ground, "Issuer", table).await;
    let names: Vec<String> =
        waiting.iter().map(|certificate| text(&certificate.clone().json(), "/metadata/name")).collect();
    ground.apply_all(waiting).await;
    let certificates = History::of(&ground.space, "Certificate").await;
    let waits = |certificate: &Value| {
        condition(certificate, "Issuing")["status"] == "True"
            && certificate["status"]["lastFailureTime"].is_null()
    };
    certificates.until_all(SOON, "waiting, none of them failed", &names, waits).await;
    for request in ground.space.list("CertificateRequest").await {
        let reason = text(&condition(&request, "Ready"), "/reason");
        if !matches!(reason.as_str(), "" | "Pending") {
            faults.push(format!("{request}"));
        }
    }
    assert_none(&faults);
    // The cure shows in the API, so it works at once.
    ground.space.apply(makers::approle_secret("s-missing", &pki.approle.secret_id)).await;
    let (root, key) = openssl::root("a good root");
    ground.space.apply(makers::secret("s-ca-text-pair", &[("tls.crt", &root), ("tls.key", &key)])).await;
    let cured = ["s-missing".to_owned(), "s-ca-text".to_owned()];
    certificates.until_all(Duration::from_secs(10), "issued after the cure", &cured, is_issued).await;
    ground.nothing_was_forbidden();
}

/// What a Vault, or something in its place, answers to a sign call, and what is said about it.
struct Nonsense {
    name: &'static str,
    fault: Fault,
    words: &'static [&'static str],
}

async fn nonsense(vault: &Vault, pki: &Pki) -> Vec<Nonsense> {
    let body = json!({ "csr": pair::csr("web.example"), "common_name": "web.example", "ttl": "24h" });
    let other = vault.write(&pki.sign_path, body).await.unwrap();
    let answer = |certificate: &str| {
        let data = json!({ "certificate": certificate, "issuing_ca": pki.root, "ca_chain": [pki.root] });
        Fault::Answer(200, json!({ "data": data }).to_string())
    };
    let page = format!("<html><title>Sorry</title>{}</html>", "x".repeat(100_000));
    let huge = format!("{{\"data\":{{\"certificate\":\"{}\"}}}}", "A".repeat(8 << 20));
    let row = |name, fault, words| Nonsense { name, fault, words };
    vec![
        row("page", Fault::Answer(200, page), &["status 200", "isn't JSON"]),
        row(
            "cut",
            Fault::Answer(200, "{\"data\":{\"certificate\":\"-----BEGIN".into()),
            &["status 200", "begins like JSON"],
        ),
        row("nothing", Fault::Answer(204, String::new()), &["status 204"]),
        row("empty", Fault::Answer(200, "{\"data\":{}}".into()), &["status 200 without what was asked for"]),
        row("no-pem", answer("no PEM"), &["the certificate in the reply"]),
        row("other-key", answer(other["certificate"].as_str().unwrap()), &["another key"]),
        row("huge", Fault::Answer(200, huge), &["the answer is larger than"]),
        row("teapot", Fault::Answer(418, "{}".into()), &["status 418"]),
        row("lost", Fault::LoseAnswer, &["closed before the answer was complete"]),
    ]
}

/// Each certificate was issued in peace, is changed while nonsense is answered, and issued after it ends.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn nonsense_from_vault_is_told_and_overwrites_nothing() {
    let ground = Ground::new(&[]).await;
    let vault = shared_vault().await;
    let pki = ground.pki(vault, "pki", &PkiOptions::default()).await;
    let (certificates, requests, secrets) = (
        History::of(&ground.space, "Certificate").await,
        History::of(&ground.space, "CertificateRequest").await,
        History::of(&ground.space, "Secret").await,
    );
    let mut proxies = Vec::new();
    for row in nonsense(vault, &pki).await {
        let proxy = FaultProxy::start(vault.url()).await.unwrap();
        ground.vault_issuer(row.name, proxy.url(), &pki).await;
        ground.space.apply(makers::certificate(row.name).from_issuer(row.name)).await;
        proxies.push((proxy, row));
    }
    let names: Vec<String> = proxies.iter().map(|(_, row)| row.name.to_owned()).collect();
    certificates.until_all(SOON, "issued in peace", &names, is_issued).await;
    let before = secrets.now();
    for (proxy, row) in &proxies {
        proxy.set(row.fault.clone(), &format!("/v1/{}", pki.sign_path));
        let change = json!({ "spec": { "dnsNames": [format!("new.{}.example", row.name)] } });
        ground.space.merge("Certificate", row.name, change).await;
    }
    for (_, row) in &proxies {
        let told = |request: &Value| {
            let ready = condition(request, "Ready");
            let message = text(&ready, "/message");
            ready["reason"] == "Pending" && row.words.iter().all(|word| message.contains(word))
        };
        requests.until_all(SOON, &format!("told {:?}", row.words), &[format!("{}-2", row.name)], told).await;
    }
    for name in &names {
        let secret = format!("{name}-tls");
        assert_eq!(secrets.now()[&secret], before[&secret], "{name}: not a byte of it has changed");
    }
    for (proxy, _) in &proxies {
        proxy.clear();
    }
    let renewed = |certificate: &Value| is_issued(certificate) && certificate["status"]["revision"] == 2;
    certificates.until_all(Duration::from_secs(10), "issued after the nonsense", &names, renewed).await;
    for version in requests.versions().into_iter().filter_map(|version| version.object) {
        assert_ne!(condition(&version, "Ready")["reason"], "Failed", "{version}");
    }
    for version in secrets.versions().into_iter().filter(|version| version.name.ends_with("-tls")) {
        assert_eq!(version.object.as_ref().and_then(pair::mismatch), None, "{}", version.name);
    }
    ground.nothing_was_forbidden();
}

/// Four intermediates of 27 kB each: more than a chain may have, so it is refused before anybody sees it.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_chain_that_is_too_long_is_told_and_never_stored() {
    let ground = Ground::new(&[]).await;
    let vault = shared_vault().await;
    // The intermediates begin now, and Vault signs nothing that begins before its signer.
    let options = PkiOptions { role_fields: json!({ "not_before_duration": "1s" }), ..PkiOptions::default() };
    let pki = ground.pki(vault, "pki", &options).await;
    let sound = vault.read(&format!("{}/config/issuers", pki.mount)).await.unwrap()["default"].clone();
    ground.vault_issuer("issuer", vault.url(), &pki).await;
    let bundle = pair::fat_chain(4, 20_000);
    let imported =
        vault.write(&format!("{}/config/ca", pki.mount), json!({ "pem_bundle": bundle })).await.unwrap();
    let with_key = imported["mapping"].as_object().unwrap().iter().find(|(_, key)| key.as_str() != Some(""));
    let configured = format!("{}/config/issuers", pki.mount);
    vault.write(&configured, json!({ "default": with_key.unwrap().0 })).await.unwrap();
    let requests = History::of(&ground.space, "CertificateRequest").await;
    ground.space.apply(makers::certificate("web")).await;
    let told = |request: &Value| {
        let message = text(&condition(request, "Ready"), "/message");
        message.contains("chain") && message.contains("more than the limit of 95000")
    };
    requests.until_all(SOON, "told", &["web-1".to_owned()], told).await;
    assert!(ground.space.find("Secret", "web-tls").await.is_none());
    vault.write(&configured, json!({ "default": sound })).await.unwrap();
    ground.space.issued_within(Duration::from_secs(60), "web").await;
    for request in requests.versions().into_iter().filter_map(|version| version.object) {
        let certificate = text(&request, "/status/certificate");
        assert!(certificate.len() < 95_000, "{} bytes were published", certificate.len());
    }
}
