//! The default validation set of the catalogue (certificate-lifecycle 7.1, V1 to V17 without V9), and what users and tools read beside
//! it: conditions, status, annotations, labels, owners, the request and the event (1.8, 2.6, 2.7, 2.8, 2.10, 3.2).
//! It judges one issued Certificate and collects every fault; it changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Faults;
use super::issuers::{Issuer, Kind};
use super::openssl::{self, Key, Leaf, Sans};
use super::space::{Space, condition, data, decoded, text, texts};

/// What an issuer may or may not be able to do (certificate-lifecycle 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    CommonName,
    Duration,
    Ecdsa,
    Ed25519,
    EmailSans,
    IpAddresses,
    IssueCa,
    KeyUsages,
    LiteralSubject,
    LongDomain,
    OnlySan,
    OtherNames,
    ReusePrivateKey,
    SaveRootCa,
    UriSans,
    Wildcards,
}

/// What is added to each Certificate of the catalogue, to see what its request takes over.
pub(crate) const LABEL: (&str, &str) = ("team", "a");
pub(crate) const ANNOTATION: (&str, &str) = ("example.com/note", "n");
pub(crate) const NOT_COPIED: &str = "kubectl.kubernetes.io/restartedAt";

const PREFIX: &str = "cert-manager.io/";
const DEFAULT_LIFE: SignedDuration = SignedDuration::from_hours(2160);
/// How far a life may be from the one asked for: Vault dates certificates back by this much.
const LIFE_TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// An issued Certificate with all that belongs to it.
pub(crate) struct Issued {
    pub(crate) certificate: Value,
    pub(crate) secret: Value,
    pub(crate) request: Value,
    pub(crate) leaf: Leaf,
    pub(crate) key: Key,
}

impl Issued {
    /// Reads everything; a fault where something is missing or can't be read at all (V3, V4).
    pub(crate) async fn read(space: &Space, name: &str) -> Result<Issued, String> {
        let certificate = space.get("Certificate", name).await;
        let secret_name = text(&certificate, "/spec/secretName");
        let secret = space.find("Secret", &secret_name).await.ok_or("there is no Secret")?;
        let request_name = format!("{name}-{}", certificate["status"]["revision"]);
        let request = space.find("CertificateRequest", &request_name).await;
        let Some(request) = request else {
            let there = space.names("CertificateRequest").await;
            let says = space.controller_says();
            return Err(format!("there is no CertificateRequest {request_name}, only {there:?}\n{says}"));
        };
        let leaf = Leaf::read(&data(&secret, "tls.crt")).map_err(|why| format!("V3: {why}"))?;
        let key = Key::read(&data(&secret, "tls.key")).map_err(|why| format!("V4: {why}"))?;
        Ok(Issued { certificate, secret, request, leaf, key })
    }

    pub(crate) fn chain(&self) -> Vec<u8> {
        data(&self.secret, "tls.crt")
    }

    pub(crate) fn ca(&self) -> Vec<u8> {
        data(&self.secret, "ca.crt")
    }

    fn spec(&self) -> &Value {
        &self.certificate["spec"]
    }
}

/// Judges one Certificate that has been issued.
pub(crate) async fn validate(space: &Space, issuer: &Issuer, name: &str, about: &str) -> Vec<String> {
    let mut faults = Faults::about(about);
    match Issued::read(space, name).await {
        Err(why) => faults.check("read", false, || why),
        Ok(issued) => {
            certificate(&mut faults, &issued, issuer);
            chain(&mut faults, &issued, issuer);
            status(&mut faults, &issued);
            secret(&mut faults, &issued);
            request(&mut faults, &issued);
        }
    }
    faults.found()
}

fn certificate(faults: &mut Faults, issued: &Issued, issuer: &Issuer) {
    let (spec, leaf) = (issued.spec(), &issued.leaf);
    let sans = leaf.sans();
    let wanted = wanted_sans(spec);
    faults.check("V1", wanted.dns.is_subset(&sans.dns), || format!("{:?} lacks {:?}", sans.dns, wanted.dns));
    let rdns = rdns(&leaf.subject);
    let values = |kind: &str| -> BTreeSet<String> {
        rdns.iter().filter(|(is, _)| is == kind).map(|(_, value)| value.clone()).collect()
    };
    if spec["literalSubject"].is_null() {
        faults.same("V2", &values("O"), &set(texts(spec, "/subject/organizations")));
        let common_name = values("CN").into_iter().next().unwrap_or_default();
        match text(spec, "/commonName").as_str() {
            "" if common_name.is_empty() => {}
            "" => {
                let known = sans.dns.contains(&common_name)
                    || common_name.parse().is_ok_and(|ip: IpAddr| sans.ips.contains(&ip));
                faults.check("V11", known, || format!("the common name {common_name} is none of its names"));
            }
            wanted => faults.same("V11", &common_name.as_str(), &wanted),
        }
    }
    faults.same("V4 (kind)", &issued.key.kind, &wanted_key(spec));
    faults.same("V4 (encoding)", &issued.key.label.as_str(), &wanted_label(spec));
    faults.same("V4 (match)", &issued.key.public_key, &leaf.public_key);
    faults.same("V5", &leaf.is_ca(), &(spec["isCA"] == true));
    faults.same("V12", &sans.uris, &wanted.uris);
    faults.same("V13", &sans.emails, &wanted.emails);
    faults.same("V14", &sans.ips, &wanted.ips);
    faults.same("other names", &sans.others, &wanted.others);
    let life = leaf.not_after.duration_since(leaf.not_before);
    let asked = wanted_life(spec);
    let off = life.checked_sub(asked).unwrap().abs();
    faults.check("V15", off <= LIFE_TOLERANCE, || format!("lives {life:?} instead of {asked:?}"));
    if !issuer.kind.lacks(Feature::KeyUsages) {
        let (key_usage, extended) = usage_words(spec);
        faults.same("key usage", &leaf.items("Key Usage"), &key_usage);
        faults.same("extended key usage", &leaf.items("Extended Key Usage"), &extended);
    }
    if issuer.kind != Kind::Vault {
        let empty_subject = leaf.subject.is_empty() && sans != Sans::default();
        faults.same("critical names", &leaf.is_critical("Subject Alternative Name"), &empty_subject);
    }
}

/// V16 and V17, and against the root that didn't come from the product.
fn chain(faults: &mut Faults, issued: &Issued, issuer: &Issuer) {
    let (chain, ca) = (issued.chain(), issued.ca());
    let sans = issued.leaf.sans();
    let mut names = Vec::new();
    if let Some(name) = texts(issued.spec(), "/dnsNames").first() {
        names = vec!["-verify_hostname".to_owned(), name.replacen('*', "a", 1)];
    } else if let Some(ip) = sans.ips.first() {
        names = vec!["-verify_ip".to_owned(), ip.to_string()];
    } else if let Some(email) = sans.emails.first() {
        names = vec!["-verify_email".to_owned(), email.clone()];
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let verified = openssl::verify(&chain, &ca, &names);
    faults.check("V16", verified.is_ok(), || format!("{verified:?}"));
    if let Some(root) = &issuer.root {
        let verified = openssl::verify(&chain, root.as_bytes(), &names);
        faults.check("V16 (against the real root)", verified.is_ok(), || format!("{verified:?}"));
    }
    match Leaf::read(&ca) {
        Ok(ca) => faults.same("V17", &ca.subject, &ca.issuer),
        Err(why) => faults.check("V17", false, || format!("ca.crt: {why}")),
    }
}

fn status(faults: &mut Faults, issued: &Issued) {
    let (certificate, leaf) = (&issued.certificate, &issued.leaf);
    let status = &certificate["status"];
    let ready = condition(certificate, "Ready");
    faults.same("V10", &ready["status"], &json!("True"));
    faults.same("V10 (generation)", &ready["observedGeneration"], &certificate["metadata"]["generation"]);
    faults.same("Ready reason", &ready["reason"], &json!("Ready"));
    faults.same("Ready message", &ready["message"], &json!("Certificate is up to date and has not expired"));
    faults.check("Ready since", is_time(&ready["lastTransitionTime"]), || ready.to_string());
    faults.same("Issuing", &condition(certificate, "Issuing"), &Value::Null);
    faults.same("V6", &time(&status["notAfter"]), &Some(leaf.not_after));
    faults.same("notBefore", &time(&status["notBefore"]), &Some(leaf.not_before));
    faults.same("renewalTime", &time(&status["renewalTime"]), &Some(wanted_renewal(issued)));
    for unset in ["nextPrivateKeySecretName", "lastFailureTime", "failedIssuanceAttempts"] {
        faults.same(unset, &status[unset], &Value::Null);
    }
}

fn secret(faults: &mut Faults, issued: &Issued) {
    let secret = &issued.secret;
    let keys: BTreeSet<&str> =
        secret["data"].as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    faults.same("V7", &keys, &BTreeSet::from(["ca.crt", "tls.crt", "tls.key"]));
    faults.same("Secret type", &secret["type"], &json!("kubernetes.io/tls"));
    faults.same("Secret owner", &secret["metadata"]["ownerReferences"], &Value::Null);
    let mut labels = map(&issued.spec()["secretTemplate"]["labels"]);
    labels.insert("controller.cert-manager.io/fao".to_owned(), "true".to_owned());
    faults.same("Secret labels", &map(&secret["metadata"]["labels"]), &labels);
    let is = map(&secret["metadata"]["annotations"]);
    let wanted = wanted_annotations(issued);
    faults.same(
        "V8",
        &is.get("cert-manager.io/certificate-name"),
        &wanted.get("cert-manager.io/certificate-name"),
    );
    // The order of names in a list is the issuer's.
    faults.same("Secret annotations", &sorted(&is), &sorted(&wanted));
    let managers = secret["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let ours = |entry: &Value| {
        entry["manager"] == "cert-manager-certificates-issuing" && entry["operation"] == "Apply"
    };
    faults.check("field manager", managers.iter().any(ours), || {
        let managers: Vec<String> = managers.iter().map(|entry| text(entry, "/manager")).collect();
        format!("the managers are {managers:?}")
    });
}

fn request(faults: &mut Faults, issued: &Issued) {
    let (certificate, request) = (&issued.certificate, &issued.request);
    let annotations = map(&request["metadata"]["annotations"]);
    let annotation = |key: &str| annotations.get(key).cloned().unwrap_or_default();
    let name = text(certificate, "/metadata/name");
    faults.same("request's Certificate", &annotation("cert-manager.io/certificate-name"), &name);
    let revision = certificate["status"]["revision"].to_string();
    faults.same("request's revision", &annotation("cert-manager.io/certificate-revision"), &revision);
    let reserved = annotation("cert-manager.io/private-key-secret-name");
    faults.check("request's key", reserved.starts_with(&format!("{name}-")), || reserved.clone());
    let theirs = map(&certificate["metadata"]["annotations"]);
    for (key, value) in theirs.iter().filter(|(key, _)| key.as_str() != NOT_COPIED) {
        faults.same("copied annotation", &annotation(key), value);
    }
    faults
        .check("annotation not copied", !annotations.contains_key(NOT_COPIED), || format!("{annotations:?}"));
    faults.same("request's labels", &request["metadata"]["labels"], &certificate["metadata"]["labels"]);
    let owner = json!([{
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "name": name,
        "uid": certificate["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    }]);
    faults.same("request's owner", &request["metadata"]["ownerReferences"], &owner);
    for field in ["issuerRef", "duration", "usages", "isCA"] {
        faults.same(&format!("request's {field}"), &request["spec"][field], &issued.spec()[field]);
    }
    for identity in ["username", "uid", "groups", "extra"] {
        faults.same(identity, &request["spec"][identity], &Value::Null);
    }
    let asked = openssl::request(&decoded(&request["spec"]["request"]));
    faults.same("request's key", &asked.as_ref(), &Ok(&issued.leaf.public_key));
    answer(faults, issued);
}

fn answer(faults: &mut Faults, issued: &Issued) {
    let request = &issued.request;
    let approved = condition(request, "Approved");
    faults.same("Approved", &approved["status"], &json!("True"));
    faults.same("Approved reason", &approved["reason"], &json!("cert-manager.io"));
    let message = json!("Certificate request has been approved by cert-manager.io");
    faults.same("Approved message", &approved["message"], &message);
    faults.same("Denied", &condition(request, "Denied"), &Value::Null);
    let ready = condition(request, "Ready");
    faults.same("request Ready", &ready["status"], &json!("True"));
    faults.same("request Ready reason", &ready["reason"], &json!("Issued"));
    let message = json!("Certificate fetched from issuer successfully");
    faults.same("request Ready message", &ready["message"], &message);
    faults.same(
        "request's certificate",
        &request["status"]["certificate"],
        &issued.secret["data"]["tls.crt"],
    );
    faults.same("request's ca", &request["status"]["ca"], &issued.secret["data"]["ca.crt"]);
    faults.same("failureTime", &request["status"]["failureTime"], &Value::Null);
}

fn wanted_sans(spec: &Value) -> Sans {
    let others = spec["otherNames"].as_array().into_iter().flatten().map(|name| {
        // openssl knows this one by name.
        let oid = text(name, "/oid").replace("1.3.6.1.4.1.311.20.2.3", "UPN");
        format!("{oid}::{}", text(name, "/utf8Value"))
    });
    Sans {
        dns: set(texts(spec, "/dnsNames")),
        // An IPv4 address in IPv6's clothes is one of four bytes, as in Go.
        ips: texts(spec, "/ipAddresses")
            .iter()
            .map(|ip| ip.parse::<IpAddr>().unwrap().to_canonical())
            .collect(),
        uris: set(texts(spec, "/uris")),
        emails: set(texts(spec, "/emailAddresses")),
        others: others.collect(),
    }
}

fn wanted_key(spec: &Value) -> String {
    let size = spec["privateKey"]["size"].as_u64();
    match text(spec, "/privateKey/algorithm").as_str() {
        "Ed25519" => "Ed25519".to_owned(),
        "ECDSA" => format!("ECDSA {}", size.unwrap_or(256)),
        _ => format!("RSA {}", size.unwrap_or(2048)),
    }
}

fn wanted_label(spec: &Value) -> &'static str {
    let algorithm = text(spec, "/privateKey/algorithm");
    match (text(spec, "/privateKey/encoding").as_str(), algorithm.as_str()) {
        ("PKCS8", _) | (_, "Ed25519") => "PRIVATE KEY",
        (_, "ECDSA") => "EC PRIVATE KEY",
        _ => "RSA PRIVATE KEY",
    }
}

fn wanted_life(spec: &Value) -> SignedDuration {
    match text(spec, "/duration").as_str() {
        "" => DEFAULT_LIFE,
        written => written.parse().unwrap(),
    }
}

/// Two thirds of the real life, or `renewBefore` before its end, in whole seconds (certificate-lifecycle 2.8).
fn wanted_renewal(issued: &Issued) -> Timestamp {
    let leaf = &issued.leaf;
    let life = leaf.not_after.duration_since(leaf.not_before);
    let before = match text(issued.spec(), "/renewBefore").as_str() {
        "" => life / 3,
        written => written.parse().unwrap(),
    };
    let at = leaf.not_after.checked_sub(before).unwrap();
    Timestamp::from_second(at.as_second()).unwrap()
}

fn wanted_annotations(issued: &Issued) -> BTreeMap<String, String> {
    let sans = issued.leaf.sans();
    let join = |list: Vec<String>| list.iter().map(|value| csv(value)).collect::<Vec<_>>().join(",");
    let rdns = rdns(&issued.leaf.subject);
    let values = |kind: &str| -> String {
        let values = rdns.iter().filter(|(is, _)| is == kind).map(|(_, value)| value.clone());
        join(values.collect())
    };
    let reference = &issued.spec()["issuerRef"];
    let mut wanted = map(&issued.spec()["secretTemplate"]["annotations"]);
    let always = [
        ("certificate-name", text(&issued.certificate, "/metadata/name")),
        ("issuer-name", text(reference, "/name")),
        ("issuer-kind", text(reference, "/kind")),
        ("issuer-group", text(reference, "/group")),
        ("common-name", values("CN")),
        ("alt-names", join(sans.dns.into_iter().collect())),
        ("ip-sans", join(sans.ips.iter().map(ToString::to_string).collect())),
        ("uri-sans", join(sans.uris.into_iter().collect())),
    ];
    let with_value = [
        ("email-sans", join(sans.emails.into_iter().collect())),
        ("subject-organizations", values("O")),
        ("subject-organizationalunits", values("OU")),
        ("subject-countries", values("C")),
        ("subject-provinces", values("ST")),
        ("subject-localities", values("L")),
        ("subject-postalcodes", values("postalCode")),
        ("subject-streetaddresses", values("street")),
        ("subject-serialnumber", values("serialNumber")),
    ];
    wanted.extend(always.map(|(key, value)| (format!("{PREFIX}{key}"), value)));
    let filled = with_value.into_iter().filter(|(_, value)| !value.is_empty());
    wanted.extend(filled.map(|(key, value)| (format!("{PREFIX}{key}"), value)));
    wanted
}

/// A field of a line of RFC 4180.
fn csv(value: &str) -> String {
    if value.contains([',', '"', '\r', '\n']) || value.starts_with(' ') {
        return format!("\"{}\"", value.replace('"', "\"\""));
    }
    value.to_owned()
}

/// The words openssl uses for the usages asked for.
pub(crate) fn usage_words(spec: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut usages = texts(spec, "/usages");
    if usages.is_empty() {
        usages = vec!["digital signature".to_owned(), "key encipherment".to_owned()];
    }
    if spec["isCA"] == true {
        usages.push("cert sign".to_owned());
    }
    let (mut key, mut extended) = (BTreeSet::new(), BTreeSet::new());
    for usage in usages {
        let (set, word) = match usage.as_str() {
            "signing" | "digital signature" => (&mut key, "Digital Signature"),
            "content commitment" => (&mut key, "Non Repudiation"),
            "key encipherment" => (&mut key, "Key Encipherment"),
            "key agreement" => (&mut key, "Key Agreement"),
            "data encipherment" => (&mut key, "Data Encipherment"),
            "cert sign" => (&mut key, "Certificate Sign"),
            "crl sign" => (&mut key, "CRL Sign"),
            "encipher only" => (&mut key, "Encipher Only"),
            "decipher only" => (&mut key, "Decipher Only"),
            "any" => (&mut extended, "Any Extended Key Usage"),
            "server auth" => (&mut extended, "TLS Web Server Authentication"),
            "client auth" => (&mut extended, "TLS Web Client Authentication"),
            "code signing" => (&mut extended, "Code Signing"),
            "email protection" | "s/mime" => (&mut extended, "E-mail Protection"),
            "ipsec end system" => (&mut extended, "IPSec End System"),
            "ipsec tunnel" => (&mut extended, "IPSec Tunnel"),
            "ipsec user" => (&mut extended, "IPSec User"),
            "timestamping" => (&mut extended, "Time Stamping"),
            "ocsp signing" => (&mut extended, "OCSP Signing"),
            "microsoft sgc" => (&mut extended, "Microsoft Server Gated Crypto"),
            "netscape sgc" => (&mut extended, "Netscape Server Gated Crypto"),
            other => panic!("what does openssl call {other}?"),
        };
        set.insert(word.to_owned());
    }
    (key, extended)
}

/// The parts of a subject as openssl writes it by RFC 2253, without its escapes.
pub(crate) fn rdns(subject: &str) -> Vec<(String, String)> {
    let mut parts = vec![String::new()];
    let mut characters = subject.chars();
    while let Some(character) = characters.next() {
        let last = parts.last_mut().unwrap();
        match character {
            '\\' => last.extend(characters.next()),
            ',' | '+' => parts.push(String::new()),
            other => last.push(other),
        }
    }
    let split = parts.iter().filter_map(|part| part.split_once('='));
    split.map(|(kind, value)| (kind.to_owned(), value.to_owned())).collect()
}

fn sorted(all: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let split = |value: &String| value.split(',').map(str::to_owned).collect();
    all.iter().map(|(key, value)| (key.clone(), split(value))).collect()
}

fn map(object: &Value) -> BTreeMap<String, String> {
    let entries = object.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn set(list: Vec<String>) -> BTreeSet<String> {
    list.into_iter().collect()
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn is_time(value: &Value) -> bool {
    time(value).is_some()
}
