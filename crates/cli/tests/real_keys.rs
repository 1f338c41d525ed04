//! What a Certificate's spec may say about its key, its names, its subject and its usages, each kind once, on a real kube-apiserver with a
//! real Vault, a CA and SelfSigned issuers; openssl says whether the certificate is the one that was asked for.
//! What an issuer is said to lack (a Vault role decides about usages and subjects) is asked of the others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use everleaf_testkit::makers;
use futures::future::join_all;
use serde_json::{Value, json};

use support::issuers::{self, Issuer, Kind, Scope, issuer};
use support::openssl::{self, Leaf};
use support::space::{Space, data, decoded, text};
use support::stage::stage;
use support::validate::{Issued, usage_words, validate};
use support::{Faults, assert_none};

/// An RSA-8192 key takes tens of seconds in a build without optimisation, and now and then several times as long.
const LARGEST_KEY_WITHIN: Duration = Duration::from_secs(400);

/// A Certificate with these fields, issued and judged.
async fn issue(space: &Space, issuer: &Issuer, name: &str, spec: &Value) -> Vec<String> {
    apply(space, &issuer.reference, name, spec).await;
    space.issued(name).await;
    validate(space, issuer, name, &format!("{name} from {:?}", issuer.kind)).await
}

async fn apply(space: &Space, reference: &Value, name: &str, spec: &Value) {
    let mut spec = spec.clone();
    spec["secretName"] = json!(format!("{name}-tls"));
    spec["issuerRef"] = reference.clone();
    space.apply(makers::certificate(name).with("/spec", spec)).await;
}

fn key(algorithm: &str, size: u64, encoding: &str) -> Value {
    match size {
        0 => json!({"algorithm": algorithm, "encoding": encoding}),
        size => json!({"algorithm": algorithm, "size": size, "encoding": encoding}),
    }
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn each_kind_of_key_is_signed_by_vault_and_stored_in_the_encoding_asked_for() {
    let stage = stage().await;
    let space = Space::new(stage).await;
    let vault = issuer(stage, &space, Kind::Vault, Scope::Namespace).await;
    let kinds = [
        ("RSA", 2048),
        ("RSA", 3072),
        ("RSA", 4096),
        ("ECDSA", 256),
        ("ECDSA", 384),
        ("ECDSA", 521),
        ("Ed25519", 0),
    ];
    let rows = kinds.iter().flat_map(|kind| ["PKCS1", "PKCS8"].map(|encoding| (*kind, encoding)));
    let judged = rows.map(|((algorithm, size), encoding)| {
        let (space, vault) = (&space, &vault);
        async move {
            let name = format!("{algorithm}-{size}-{encoding}").to_lowercase();
            let spec = json!({"dnsNames": [format!("{name}.example")], "privateKey": key(algorithm, size, encoding)});
            issue(space, vault, &name, &spec).await
        }
    });
    assert_none(&join_all(judged).await.concat());
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_largest_key_is_made_while_others_are_served() {
    let stage = stage().await;
    let space = Space::new(stage).await;
    let vault = issuer(stage, &space, Kind::Vault, Scope::Namespace).await;
    let large = json!({"dnsNames": ["large.example"], "privateKey": key("RSA", 8192, "PKCS8")});
    apply(&space, &vault.reference, "large", &large).await;
    let small = json!({"dnsNames": ["small.example"], "privateKey": key("ECDSA", 256, "PKCS8")});
    let mut faults = issue(&space, &vault, "small", &small).await;
    space.issued_within(LARGEST_KEY_WITHIN, "large").await;
    faults.extend(validate(&space, &vault, "large", "RSA 8192").await);
    assert_none(&faults);
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn each_kind_of_name_alone_is_in_the_certificate_and_in_the_annotations() {
    let stage = stage().await;
    let rows = [
        ("dns", json!({"dnsNames": ["dns.example", "xn--mnchen-3ya.example"]})),
        ("ipv4", json!({"ipAddresses": ["192.0.2.1"]})),
        ("ipv6", json!({"ipAddresses": ["2001:db8::1", "::ffff:192.0.2.9"]})),
        ("uri", json!({"uris": ["spiffe://cluster.local/ns/a/sa/b", "https://a.example/b?c=d"]})),
        ("email", json!({"emailAddresses": ["alice@a.example"]})),
        // A Vault takes other names only beside one that it looks at.
        (
            "other",
            json!({"commonName": "other.example", "otherNames": [{"oid": "1.2.3.4.5", "utf8Value": "grün"}]}),
        ),
    ];
    let mut faults = Vec::new();
    for kind in [Kind::Vault, Kind::Ca, Kind::SelfSigned] {
        let home = Space::new(stage).await;
        let issuer = issuer(stage, &home, kind, Scope::Namespace).await;
        let judged = rows.iter().map(|(name, spec)| {
            let (home, issuer) = (&home, &issuer);
            async move {
                let mut spec = spec.clone();
                spec["privateKey"] = json!({"algorithm": "ECDSA"});
                issue(home, issuer, name, &spec).await
            }
        });
        faults.extend(join_all(judged).await.concat());
    }
    assert_none(&faults);
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn every_field_of_the_subject_is_in_the_certificate_in_its_order() {
    let stage = stage().await;
    let space = Space::new(stage).await;
    let ca = issuer(stage, &space, Kind::Ca, Scope::Namespace).await;
    let subject = json!({
        "organizations": ["Example, Inc.", "Second \"Q\""], "countries": ["DE"], "organizationalUnits": ["Unit"],
        "localities": ["Köln"], "provinces": ["NRW"], "streetAddresses": ["Domkloster 4"], "postalCodes": ["50667"],
        "serialNumber": "4711",
    });
    let fields = json!({
        "commonName": "subject.example", "dnsNames": ["subject.example"], "subject": subject,
        "privateKey": {"algorithm": "ECDSA"},
    });
    let mut found = issue(&space, &ca, "fields", &fields).await;
    let issued = Issued::read(&space, "fields").await.unwrap();
    let mut faults = Faults::about("subject");
    // In Go's order, which openssl shows from its end.
    let expected = "serialNumber=4711,CN=subject.example,OU=Unit,O=Example\\, Inc.+O=Second \\\"Q\\\",\
                    postalCode=50667,street=Domkloster 4,L=Köln,ST=NRW,C=DE";
    faults.same("fields", &issued.leaf.subject.as_str(), &expected);
    let annotation = text(&issued.secret, "/metadata/annotations/cert-manager.io~1subject-organizations");
    let both = ["\"Example, Inc.\",\"Second \"\"Q\"\"\"", "\"Second \"\"Q\"\"\",\"Example, Inc.\""];
    faults.check("quoted annotation", both.contains(&annotation.as_str()), || annotation.clone());

    let literal = "CN=literal.example,OU=a\\, b,DC=corp,DC=example,UID=u1,1.2.3.4=x";
    let spec = json!({
        "literalSubject": literal, "dnsNames": ["literal.example"], "privateKey": {"algorithm": "ECDSA"},
    });
    found.extend(issue(&space, &ca, "literal", &spec).await);
    let issued = Issued::read(&space, "literal").await.unwrap();
    let is = support::validate::rdns(&issued.leaf.subject);
    let start = [("CN", "literal.example"), ("OU", "a, b"), ("DC", "corp"), ("DC", "example"), ("UID", "u1")];
    let start: Vec<(String, String)> =
        start.map(|(kind, value)| (kind.to_owned(), value.to_owned())).to_vec();
    faults.same("literal subject", &is[..5.min(is.len())].to_vec(), &start);
    faults.same("its parts", &is.len(), &6);
    found.extend(faults.found());
    assert_none(&found);
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn each_usage_is_in_the_request_and_in_the_certificate() {
    const USAGES: [&str; 23] = [
        "signing",
        "digital signature",
        "content commitment",
        "key encipherment",
        "key agreement",
        "data encipherment",
        "cert sign",
        "crl sign",
        "encipher only",
        "decipher only",
        "any",
        "server auth",
        "client auth",
        "code signing",
        "email protection",
        "s/mime",
        "ipsec end system",
        "ipsec tunnel",
        "ipsec user",
        "timestamping",
        "ocsp signing",
        "microsoft sgc",
        "netscape sgc",
    ];
    let stage = stage().await;
    let space = Space::new(stage).await;
    let ca = issuer(stage, &space, Kind::Ca, Scope::Namespace).await;
    let judged = USAGES.iter().map(|usage| {
        let (space, ca) = (&space, &ca);
        async move {
            let name = usage.replace([' ', '/'], "-");
            let spec = json!({
                "dnsNames": ["usage.example"], "usages": [usage], "privateKey": {"algorithm": "ECDSA"},
            });
            let mut found = issue(space, ca, &name, &spec).await;
            let asked = request_items(space, &name).await;
            let (key, extended) = usage_words(&spec);
            let mut faults = Faults::about(format!("the request for {usage}"));
            faults.same("key usage", &asked.0, &key);
            faults.same("extended key usage", &asked.1, &extended);
            found.extend(faults.found());
            found
        }
    });
    let mut found = join_all(judged).await.concat();
    let silent = json!({
        "dnsNames": ["usage.example"], "usages": ["server auth", "digital signature"], "encodeUsagesInRequest": false,
        "privateKey": {"algorithm": "ECDSA"},
    });
    found.extend(issue(&space, &ca, "silent", &silent).await);
    let mut faults = Faults::about("encodeUsagesInRequest: false");
    faults.same("usages in the request", &request_items(&space, "silent").await, &Default::default());
    found.extend(faults.found());
    assert_none(&found);
}

/// Key usages and extended key usages of a CSR, in openssl's words.
async fn request_items(space: &Space, name: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let request = space.get("CertificateRequest", &format!("{name}-1")).await;
    let told = openssl::request_text(&decoded(&request["spec"]["request"]));
    let items = |head: &str| -> BTreeSet<String> {
        let lines = told.lines().skip_while(|line| !line.trim().starts_with(head)).nth(1);
        lines.into_iter().flat_map(|line| line.trim().split(", ")).map(str::to_owned).collect()
    };
    (items("X509v3 Key Usage"), items("X509v3 Extended Key Usage"))
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_request_is_signed_as_the_spec_says_or_as_suits_the_key() {
    let rows = [
        ("rsa-default", json!({"algorithm": "RSA"}), None, "sha256WithRSAEncryption"),
        ("rsa-3072", json!({"algorithm": "RSA", "size": 3072}), None, "sha384WithRSAEncryption"),
        ("rsa-512", json!({"algorithm": "RSA"}), Some("SHA512WithRSA"), "sha512WithRSAEncryption"),
        ("rsa-384", json!({"algorithm": "RSA"}), Some("SHA384WithRSA"), "sha384WithRSAEncryption"),
        ("ec-256", json!({"algorithm": "ECDSA"}), None, "ecdsa-with-SHA256"),
        ("ec-384", json!({"algorithm": "ECDSA", "size": 384}), None, "ecdsa-with-SHA384"),
        ("ec-521", json!({"algorithm": "ECDSA", "size": 521}), None, "ecdsa-with-SHA512"),
        ("ec-512", json!({"algorithm": "ECDSA"}), Some("ECDSAWithSHA512"), "ecdsa-with-SHA512"),
        ("ed25519", json!({"algorithm": "Ed25519"}), Some("PureEd25519"), "ED25519"),
    ];
    let stage = stage().await;
    let space = Space::new(stage).await;
    let ca = issuer(stage, &space, Kind::Ca, Scope::Namespace).await;
    let judged = rows.iter().map(|(name, key, algorithm, expected)| {
        let (space, ca) = (&space, &ca);
        async move {
            let mut spec = json!({"dnsNames": ["signed.example"], "privateKey": key});
            if let Some(algorithm) = algorithm {
                spec["signatureAlgorithm"] = json!(algorithm);
            }
            let mut found = issue(space, ca, name, &spec).await;
            let request = space.get("CertificateRequest", &format!("{name}-1")).await;
            let told = openssl::request_text(&decoded(&request["spec"]["request"]));
            let mut faults = Faults::about(*name);
            let said = told.lines().find_map(|line| line.trim().strip_prefix("Signature Algorithm: "));
            faults.same("signature", &said, &Some(*expected));
            found.extend(faults.found());
            found
        }
    });
    assert_none(&join_all(judged).await.concat());
}

/// A CA with constraints, made by a CA issuer, becomes an issuer itself: what it signs verifies only within the constraints, its chain ends
/// below the root, and `ca.crt` is the root.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_constrained_ca_signs_what_verifies_within_its_constraints_only() {
    let stage = stage().await;
    let space = Space::new(stage).await;
    let root = issuer(stage, &space, Kind::Ca, Scope::Namespace).await;
    let own = Space::new(stage).await;
    let self_signed = issuer(stage, &own, Kind::SelfSigned, Scope::Namespace).await;
    let constraints = json!({
        "critical": true,
        "permitted": {
            "dnsDomains": ["in.example"], "ipRanges": ["10.1.2.3/8"], "emailAddresses": ["in.example"],
            "uriDomains": [".in.example"],
        },
        "excluded": {"dnsDomains": ["out.in.example"], "ipRanges": ["10.9.0.0/16"]},
    });
    let spec = json!({
        "commonName": "constrained", "isCA": true, "nameConstraints": constraints, "privateKey": {"algorithm": "ECDSA"},
    });
    let mut found = issue(&space, &root, "constrained", &spec).await;
    found.extend(issue(&own, &self_signed, "constrained", &spec).await);
    let mut faults = Faults::about("constraints");
    let expected = [
        "Permitted:",
        "DNS:in.example",
        "IP:10.0.0.0/255.0.0.0",
        "email:in.example",
        "URI:.in.example",
        "Excluded:",
        "DNS:out.in.example",
        "IP:10.9.0.0/255.255.0.0",
    ];
    for (home, from) in [(&space, "CA"), (&own, "SelfSigned")] {
        let leaf = Issued::read(home, "constrained").await.unwrap().leaf;
        faults.same(from, &leaf.lines("Name Constraints"), &expected.map(str::to_owned).to_vec());
        faults.same("critical", &leaf.is_critical("Name Constraints"), &true);
    }
    space.apply(makers::ca_issuer("below", "constrained-tls")).await;
    issuers::ready(&space, Scope::Namespace, "below").await;
    let below = Issuer { name: "below".to_owned(), reference: json!({"name": "below"}), ..root.clone() };
    let within = json!({
        "dnsNames": ["a.in.example"], "ipAddresses": ["10.1.1.1"], "privateKey": {"algorithm": "ECDSA"},
    });
    found.extend(issue(&space, &below, "within", &within).await);
    let issued = Issued::read(&space, "within").await.unwrap();
    let chain = String::from_utf8(issued.chain()).unwrap();
    faults.same("certificates in the chain", &chain.matches("BEGIN CERTIFICATE").count(), &2);
    faults.same(
        "ca.crt",
        &String::from_utf8(issued.ca()).unwrap().trim(),
        &root.root.as_deref().unwrap().trim(),
    );

    apply(
        &space,
        &below.reference,
        "outside",
        &json!({
            "dnsNames": ["a.out.in.example"], "privateKey": {"algorithm": "ECDSA"},
        }),
    )
    .await;
    space.issued("outside").await;
    let outside = space.get("Secret", "outside-tls").await;
    let verified = openssl::verify(&data(&outside, "tls.crt"), &data(&outside, "ca.crt"), &[]);
    faults.check("outside", verified.as_ref().is_err_and(|why| why.contains("subtree")), || {
        format!("{verified:?}")
    });
    found.extend(faults.found());
    assert_none(&found);
}

/// What a CA issuer is told to write into its certificates.
#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn a_ca_issuer_writes_its_addresses_into_certificates() {
    let stage = stage().await;
    let space = Space::new(stage).await;
    let ca = issuer(stage, &space, Kind::Ca, Scope::Namespace).await;
    let urls = json!({"spec": {"ca": {
        "crlDistributionPoints": ["http://crl.example/a.crl"], "ocspServers": ["http://ocsp.example"],
        "issuingCertificateURLs": ["http://ca.example/a.crt"],
    }}});
    space.merge("Issuer", &ca.name, urls).await;
    let known = |issuer: &Value| {
        support::space::condition(issuer, "Ready")["observedGeneration"] == issuer["metadata"]["generation"]
    };
    space.until("Issuer", &ca.name, "ready with its addresses", known).await;
    let spec = json!({"dnsNames": ["urls.example"], "privateKey": {"algorithm": "ECDSA"}});
    let mut found = issue(&space, &ca, "urls", &spec).await;
    let leaf = Issued::read(&space, "urls").await.unwrap().leaf;
    let root = Leaf::read(ca.root.as_deref().unwrap().as_bytes()).unwrap();
    let mut faults = Faults::about("addresses");
    let lines = leaf.lines("CRL Distribution Points");
    faults.check("CRL", lines.iter().any(|line| line == "URI:http://crl.example/a.crl"), || {
        format!("{lines:?}")
    });
    let access =
        BTreeSet::from(["OCSP - URI:http://ocsp.example", "CA Issuers - URI:http://ca.example/a.crt"]);
    let lines = leaf.lines("Authority Information Access");
    let lines: BTreeSet<&str> = lines.iter().map(String::as_str).collect();
    faults.same("access", &lines, &access);
    let above = leaf.lines("Authority Key Identifier").concat().replace("keyid:", "");
    faults.same("key identifier", &above, &root.lines("Subject Key Identifier").concat());
    found.extend(faults.found());
    assert_none(&found);
}
