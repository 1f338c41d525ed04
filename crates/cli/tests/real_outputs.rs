//! What else a Secret holds, on a real kube-apiserver: key encodings, extra formats, keystores and temporary certificates
//! (certificate-lifecycle 7.3, C6, C8, C20; C7 is in `real_lifecycle.rs`, C9 in `real_leaders.rs`). Keystores are read back by openssl and
//! Java's keytool, never by the product.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::process::Command;

use everleaf_testkit::makers::{self, Maker};
use serde_json::{Value, json};

use support::issuers::{self, Kind, Scope, issuer};
use support::openssl::{self, Leaf};
use support::space::{Space, condition, data, decoded, encoded, text};
use support::stage::stage;
use support::validate::Issued;
use support::{Faults, assert_none};

/// A namespace with a CA issuer named `issuer`.
async fn with_ca() -> Space {
    let stage = stage().await;
    let space = Space::new(stage).await;
    issuer(stage, &space, Kind::Ca, Scope::Namespace).await;
    space
}

async fn issue(space: &Space, certificate: Maker) -> Issued {
    let object = space.apply(certificate).await;
    let name = text(&object, "/metadata/name");
    space.issued(&name).await;
    Issued::read(space, &name).await.unwrap()
}

/// The bytes between the first pair of PEM lines.
fn body(pem: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(pem).into_owned();
    let lines = text.lines().skip(1).take_while(|line| !line.starts_with("-----END"));
    decoded(&json!(lines.collect::<String>()))
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn c6_a_key_in_pkcs8_is_the_key_that_was_asked_with() {
    let space = with_ca().await;
    let wish = makers::certificate("web").with("/spec/privateKey/encoding", json!("PKCS8"));
    let issued = issue(&space, wish).await;
    assert_eq!(issued.key.label, "PRIVATE KEY");
    let asked = openssl::request(&decoded(&issued.request["spec"]["request"])).unwrap();
    assert_eq!(issued.key.public_key, asked);
    assert_eq!(issued.key.public_key, issued.leaf.public_key);
}

/// What the extra formats must hold, by the other entries of the Secret.
fn formats_hold(secret: &Value) -> bool {
    let (key, chain) = (data(secret, "tls.key"), data(secret, "tls.crt"));
    data(secret, "key.der") == body(&key)
        && data(secret, "tls-combined.pem") == [&key[..], b"\n", &chain].concat()
}

fn has(key: &'static str) -> impl Fn(&Value) -> bool {
    move |secret| secret["data"][key].is_string()
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn c8_extra_formats_come_go_and_are_repaired_without_a_new_certificate() {
    let space = with_ca().await;
    let before = issue(&space, makers::certificate("web")).await;
    let both = json!([{"type": "DER"}, {"type": "CombinedPEM"}]);
    space.merge("Certificate", "web", json!({"spec": {"additionalOutputFormats": both}})).await;
    space.until("Secret", "web-tls", "both formats", formats_hold).await;
    for (what, change) in [
        ("a value of each is changed", json!({"key.der": encoded("x"), "tls-combined.pem": encoded("y")})),
        ("one is removed", json!({"key.der": null})),
        ("one is emptied", json!({"tls-combined.pem": ""})),
    ] {
        space.merge("Secret", "web-tls", json!({"data": change})).await;
        space.until("Secret", "web-tls", what, formats_hold).await;
    }
    space.merge("Secret", "web-tls", json!({"data": {"theirs": encoded("kept")}})).await;
    let one = json!([{"type": "DER"}]);
    space.merge("Certificate", "web", json!({"spec": {"additionalOutputFormats": one}})).await;
    space
        .until("Secret", "web-tls", "one format", |is| has("key.der")(is) && !has("tls-combined.pem")(is))
        .await;
    space.merge("Certificate", "web", json!({"spec": {"additionalOutputFormats": null}})).await;
    let bare = space.until("Secret", "web-tls", "no format", |is| !has("key.der")(is)).await;
    assert_eq!(data(&bare, "theirs"), b"kept");
    let after = Issued::read(&space, "web").await.unwrap();
    assert_eq!(after.leaf.serial, before.leaf.serial);
    assert_eq!(after.certificate["status"]["revision"], 1);
}

const PASSWORD: &str = "correct horse";

/// What keytool lists: `alias kind`, sorted.
fn keytool(kind: &str, bytes: &[u8], password: &str) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    std::fs::write(&file, bytes).unwrap();
    let done = Command::new("keytool")
        .args(["-list", "-J-Duser.language=en", "-storetype", kind, "-storepass", password, "-keystore"])
        .arg(&file)
        .output()
        .expect("these tests need Java's keytool");
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    if !done.status.success() {
        return Err(told);
    }
    let entries = told.lines().filter(|line| line.contains("Entry,"));
    let mut entries: Vec<String> = entries
        .map(|line| {
            let parts: Vec<&str> = line.split(", ").collect();
            let kind = parts.iter().find(|part| part.contains("Entry")).unwrap();
            format!("{} {}", parts[0], kind.trim_end_matches(',').trim())
        })
        .collect();
    entries.sort();
    Ok(entries)
}

/// The key and the certificates in a PKCS#12, as openssl reads it: the public key, and the serial numbers in order.
fn pkcs12(bytes: &[u8], password: &str, more: &[&str]) -> Result<(Option<String>, Vec<String>), String> {
    let password = format!("pass:{password}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.p12");
    std::fs::write(&file, bytes).unwrap();
    let path = file.display().to_string();
    let arguments = [&["pkcs12", "-legacy", "-nodes", "-in", &path, "-passin", &password][..], more].concat();
    let printed = openssl::run(&arguments, b"")?;
    let blocks = printed.split("-----BEGIN CERTIFICATE-----").skip(1);
    let serials = blocks.map(|block| {
        let pem = format!("-----BEGIN CERTIFICATE-----{block}");
        Ok(Leaf::read(pem.as_bytes())?.serial)
    });
    let serials: Result<Vec<String>, String> = serials.collect();
    let key = printed.contains("PRIVATE KEY").then(|| openssl::Key::read(printed.as_bytes()));
    Ok((key.transpose()?.map(|key| key.public_key), serials?))
}

fn judge_keystores(faults: &mut Faults, issued: &Issued, profile: &str) {
    let entry = |key: &str| data(&issued.secret, key);
    let more: &[&str] = if profile == "Modern2026" { &["-nomacver"] } else { &[] };
    let root = Leaf::read(&issued.ca()).unwrap().serial;
    let wanted = (Some(issued.key.public_key.clone()), vec![issued.leaf.serial.clone(), root.clone()]);
    faults.same("keystore.p12", &pkcs12(&entry("keystore.p12"), PASSWORD, more), &Ok(wanted));
    faults.same("truststore.p12", &pkcs12(&entry("truststore.p12"), PASSWORD, more), &Ok((None, vec![root])));
    let wrong = pkcs12(&entry("keystore.p12"), "wrong", more);
    faults.check("a wrong password", wrong.is_err(), || "opens it".to_owned());
    let stores = |kind, key: &str| keytool(kind, &entry(key), PASSWORD);
    let trusted = || Ok(vec!["ca trustedCertEntry".to_owned()]);
    // Java 17 knows nothing of PBMAC1.
    if profile != "Modern2026" {
        faults.same(
            "keytool p12",
            &stores("PKCS12", "keystore.p12"),
            &Ok(vec!["1 PrivateKeyEntry".to_owned()]),
        );
        faults.same("keytool trust p12", &stores("PKCS12", "truststore.p12"), &trusted());
    }
    let both = vec!["ca trustedCertEntry".to_owned(), "mine PrivateKeyEntry".to_owned()];
    faults.same("keytool jks", &stores("JKS", "keystore.jks"), &Ok(both));
    faults.same("keytool trust jks", &stores("JKS", "truststore.jks"), &trusted());
}

fn keystores(profile: &str, password: &Value) -> Value {
    let mut both =
        json!({"jks": {"create": true, "alias": "Mine"}, "pkcs12": {"create": true, "profile": profile}});
    for store in ["jks", "pkcs12"] {
        both[store].as_object_mut().unwrap().extend(password.as_object().unwrap().clone());
    }
    both
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn keystores_of_every_profile_are_read_by_openssl_and_keytool() {
    let space = with_ca().await;
    space.apply(makers::secret("pw", &[("password", PASSWORD)])).await;
    let literal = json!({"password": PASSWORD});
    let referred = json!({"passwordSecretRef": {"name": "pw", "key": "password"}});
    let mut found = Vec::new();
    for (profile, password) in [
        ("LegacyRC2", &literal),
        ("LegacyDES", &referred),
        ("Modern2023", &literal),
        ("Modern2026", &referred),
    ] {
        let name = profile.to_lowercase();
        let wish = makers::certificate(&name).with("/spec/keystores", keystores(profile, password));
        let issued = issue(&space, wish).await;
        let mut faults = Faults::about(profile);
        judge_keystores(&mut faults, &issued, profile);
        found.extend(faults.found());
    }
    assert_none(&found);
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn keystores_come_and_go_with_the_spec_and_are_not_rewritten_for_nothing() {
    let space = with_ca().await;
    let before = issue(&space, makers::certificate("web")).await;
    let both = keystores("LegacyRC2", &json!({"password": PASSWORD}));
    space.merge("Certificate", "web", json!({"spec": {"keystores": both}})).await;
    let all = ["keystore.jks", "truststore.jks", "keystore.p12", "truststore.p12"];
    let has_all = |secret: &Value| all.iter().all(|key| secret["data"][*key].is_string());
    let first = space.until("Secret", "web-tls", "with keystores", has_all).await;
    // Something that makes the controller look, and changes nothing.
    space.merge("Secret", "web-tls", json!({"metadata": {"labels": {"theirs": "1"}}})).await;
    space.merge("Certificate", "web", json!({"spec": {"revisionHistoryLimit": 2}})).await;
    let looked_at = |certificate: &Value| {
        condition(certificate, "Ready")["observedGeneration"] == certificate["metadata"]["generation"]
    };
    space.until("Certificate", "web", "looked at", looked_at).await;
    let second = space.get("Secret", "web-tls").await;
    assert_eq!(first["data"], second["data"]);
    space.merge("Secret", "web-tls", json!({"data": {"keystore.jks": null}})).await;
    let third = space.until("Secret", "web-tls", "with all again", has_all).await;
    assert_eq!(keytool("JKS", &data(&third, "keystore.jks"), PASSWORD).unwrap().len(), 2);
    assert_eq!(first["data"]["truststore.jks"], third["data"]["truststore.jks"], "a truststore says no time");
    space.merge("Certificate", "web", json!({"spec": {"keystores": null}})).await;
    let none = |secret: &Value| all.iter().all(|key| secret["data"][*key].is_null());
    space.until("Secret", "web-tls", "without keystores", none).await;
    let after = Issued::read(&space, "web").await.unwrap();
    assert_eq!(after.leaf.serial, before.leaf.serial);
    assert_eq!(after.certificate["status"]["revision"], 1);
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_keystore_waits_for_its_password_and_is_written_as_soon_as_that_is_there() {
    let space = with_ca().await;
    let referred = json!({"passwordSecretRef": {"name": "pw", "key": "password"}});
    let wish = makers::certificate("web").with("/spec/keystores", keystores("Modern2023", &referred));
    space.apply(wish).await;
    let words = "there is no Secret \"pw\"";
    let event = space.event("web", "KeystorePasswordSecretNotFound", words).await;
    assert_eq!(event["type"], "Warning");
    let told = |words: &'static str| {
        move |is: &Value| {
            let issuing = condition(is, "Issuing");
            issuing["status"] == "True" && text(&issuing, "/message").contains(words)
        }
    };
    let waiting = space.until("Certificate", "web", "waiting for the password", told(words)).await;
    assert_eq!(condition(&waiting, "Ready")["status"], "False");
    assert_eq!(space.find("Secret", "web-tls").await, None);

    space.apply(makers::secret("pw", &[("other", PASSWORD)])).await;
    let words = "holds no password under \"password\"";
    space.until("Certificate", "web", "waiting for the key", told(words)).await;
    space.merge("Secret", "pw", json!({"stringData": {"password": PASSWORD}})).await;
    space.issued("web").await;
    let issued = Issued::read(&space, "web").await.unwrap();
    let mut faults = Faults::about("the password came late");
    judge_keystores(&mut faults, &issued, "Modern2023");
    faults.same("one request", &space.names("CertificateRequest").await, &vec!["web-1".to_owned()]);
    assert_none(&faults.found());
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn c20_a_temporary_certificate_serves_until_the_issuer_answers() {
    let stage = stage().await;
    let space = Space::new(stage).await;
    let mark = json!({"cert-manager.io/issue-temporary-certificate": "true"});
    space.apply(makers::certificate("web").with("/metadata/annotations", mark)).await;
    let temporary = space.until("Secret", "web-tls", "with a temporary certificate", has("tls.crt")).await;
    let leaf = Leaf::read(&data(&temporary, "tls.crt")).unwrap();
    let key = openssl::Key::read(&data(&temporary, "tls.key")).unwrap();
    let mut faults = Faults::about("temporary");
    faults.same("issuer", &leaf.issuer.as_str(), &"CN=cert-manager.local");
    faults.same("key", &key.public_key, &leaf.public_key);
    faults.check("names", leaf.sans().dns.contains("web.example"), || format!("{:?}", leaf.sans()));
    let marks = &temporary["metadata"]["annotations"];
    faults.same("name", &marks["cert-manager.io/certificate-name"], &json!("web"));
    faults.same("issuer annotation", &marks["cert-manager.io/issuer-name"], &Value::Null);
    space.event("web", "Issuing", "Issued temporary certificate").await;
    let waiting =
        space.until("Certificate", "web", "told", |is| condition(is, "Issuing")["status"] == "True").await;
    faults.same("Ready", &condition(&waiting, "Ready")["status"], &json!("False"));
    let seen = space.get("Secret", "web-tls").await;
    faults.same("made once", &seen["data"], &temporary["data"]);

    // The issuer comes, and with it the real certificate.
    let (certificate, ca_key) = openssl::root("late root");
    space.apply(issuers::pair_secret("issuer-ca", &certificate, &ca_key)).await;
    space.apply(makers::ca_issuer("issuer", "issuer-ca")).await;
    space.issued("web").await;
    let issued = Issued::read(&space, "web").await.unwrap();
    faults.same("the real issuer", &issued.leaf.issuer.as_str(), &"CN=late root");
    let marks = &issued.secret["metadata"]["annotations"];
    faults.same("issuer annotation", &marks["cert-manager.io/issuer-name"], &json!("issuer"));
    faults.same("revision", &issued.certificate["status"]["revision"], &json!(1));
    assert_none(&faults.found());
}
