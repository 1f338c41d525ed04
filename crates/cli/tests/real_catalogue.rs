//! The issuer conformance catalogue (certificate-lifecycle 7.2, rows I1 to I22, I30 and I31) on a real kube-apiserver and a real Vault,
//! for the CA, SelfSigned and Vault issuers, each as Issuer and as ClusterIssuer, less what an issuer is said to lack.
//! Every row of an issuer is tried before anything is judged, so one run shows all that is wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use everleaf_testkit::makers;
use futures::future::join_all;
use serde_json::{Value, json};

use support::issuers::{Issuer, Kind, Scope, issuer};
use support::space::{Space, data};
use support::stage::stage;
use support::validate::Feature::*;
use support::validate::{ANNOTATION, Feature, Issued, LABEL, NOT_COPIED, rdns, validate};
use support::{Faults, assert_none};

/// One input of the catalogue.
struct Row {
    id: &'static str,
    /// Fields of the spec beside secretName and issuerRef.
    spec: Value,
    needs: &'static [Feature],
}

const LITERAL: &str = "CN=*.x.foo-long.bar.com,OU=FooLong,OU=Bar,OU=Baz,OU=Dept.,O=Corp.";
const LONG_LABEL: &str = "a23456789b23456789c23456789d23456789e23456789f23456789g23456789";
const UPN: &str = "1.3.6.1.4.1.311.20.2.3";

fn rows() -> Vec<Row> {
    let row = |id, spec, needs| Row { id, spec, needs };
    let ecdsa = json!({"algorithm": "ECDSA"});
    let ed25519 = json!({"algorithm": "Ed25519"});
    vec![
        row("I1", json!({"dnsNames": ["i1.example"]}), &[OnlySan]),
        row("I2", json!({"isCA": true, "dnsNames": ["i2.example"]}), &[IssueCa]),
        row("I3", json!({"privateKey": ecdsa, "dnsNames": ["i3.example"]}), &[Ecdsa, OnlySan]),
        row("I4", json!({"privateKey": ed25519, "dnsNames": ["i4.example"]}), &[Ed25519, OnlySan]),
        row("I5", json!({"commonName": "i5.example"}), &[CommonName]),
        row("I6", json!({"commonName": "i6.example", "privateKey": ecdsa}), &[CommonName, Ecdsa]),
        row("I7", json!({"commonName": "i7.example", "privateKey": ed25519}), &[CommonName, Ed25519]),
        row(
            "I8",
            json!({
                "commonName": "i8.example", "emailAddresses": ["alice@i8.example"],
                "otherNames": [{"oid": UPN, "utf8Value": "upn@i8.example"}, {"oid": UPN, "utf8Value": "second@i8.example"}],
            }),
            &[OtherNames],
        ),
        row("I9", json!({"literalSubject": LITERAL, "dnsNames": ["i9.example"]}), &[LiteralSubject]),
        row("I10", json!({"ipAddresses": ["10.0.0.10"]}), &[IpAddresses]),
        row(
            "I11",
            json!({"dnsNames": ["i11.example"], "ipAddresses": ["10.0.0.11"]}),
            &[OnlySan, IpAddresses],
        ),
        row(
            "I12",
            json!({"commonName": "i12.example", "ipAddresses": ["2001:db8::12"]}),
            &[CommonName, IpAddresses],
        ),
        row("I13", json!({"emailAddresses": ["alice@i13.example"]}), &[EmailSans, OnlySan]),
        row(
            "I14",
            json!({"commonName": "i14.example", "uris": ["spiffe://cluster.local/ns/sandbox/sa/foo"]}),
            &[UriSans, CommonName],
        ),
        row(
            "I15",
            json!({"commonName": "i15.example", "dnsNames": ["i15.example", "b.i15.example"]}),
            &[CommonName],
        ),
        row("I16", json!({"commonName": "a.i16.example", "dnsNames": ["b.i16.example"]}), &[CommonName]),
        row("I17", json!({"dnsNames": ["i17.example"], "duration": "896h"}), &[Duration, OnlySan]),
        row("I18", json!({"dnsNames": ["*.i18.example"]}), &[Wildcards, OnlySan]),
        row("I19", json!({"uris": ["spiffe://cluster.local/ns/sandbox/sa/bar"]}), &[UriSans, OnlySan]),
        row(
            "I20",
            json!({"dnsNames": ["i20.example"], "usages": ["signing", "data encipherment", "server auth", "client auth"]}),
            &[KeyUsages, OnlySan],
        ),
        row("I21", json!({"dnsNames": [format!("{LONG_LABEL}.example")]}), &[LongDomain, OnlySan]),
        row("I22", json!({"dnsNames": ["*.i22.example", "i22.example"]}), &[Wildcards, OnlySan]),
        row(
            "I30",
            json!({"dnsNames": ["i30.example"], "privateKey": {"rotationPolicy": "Never"}}),
            &[ReusePrivateKey],
        ),
        row("I31", json!({"dnsNames": ["i31.example"]}), &[OnlySan]),
    ]
}

async fn catalogue(kind: Kind, scope: Scope) {
    let stage = stage().await;
    let space = Space::new(stage).await;
    let issuer = issuer(stage, &space, kind, scope).await;
    let rows: Vec<Row> =
        rows().into_iter().filter(|row| !row.needs.iter().any(|need| kind.lacks(*need))).collect();
    let judged = join_all(rows.iter().map(|row| one(&space, &issuer, row))).await;
    assert_none(&judged.concat());
}

async fn one(space: &Space, issuer: &Issuer, row: &Row) -> Vec<String> {
    let about = format!("{} from {:?} ({:?})", row.id, issuer.kind, issuer.scope);
    let name = row.id.to_lowercase();
    let mut spec = row.spec.clone();
    spec["secretName"] = json!(format!("{name}-tls"));
    spec["issuerRef"] = issuer.reference.clone();
    let certificate = makers::certificate(&name).with("/spec", spec);
    let (annotations, labels) =
        (json!({ANNOTATION.0: ANNOTATION.1, NOT_COPIED: "x"}), json!({LABEL.0: LABEL.1}));
    space
        .apply(certificate.with("/metadata/annotations", annotations).with("/metadata/labels", labels))
        .await;
    space.issued(&name).await;
    let mut found = validate(space, issuer, &name, &about).await;
    let mut faults = Faults::about(&about);
    faults.same("revision", &space.get("Certificate", &name).await["status"]["revision"], &json!(1));
    let event = space.event(&name, "Issuing", "The certificate has been successfully issued").await;
    faults.same("event type", &event["type"], &json!("Normal"));
    faults.same("event source", &event["source"]["component"], &json!("cert-manager-certificates-issuing"));
    match row.id {
        "I9" => literal(&mut faults, space, &name).await,
        "I30" => found.extend(same_key_after_damage(&mut faults, space, issuer, &about).await),
        "I31" => found.extend(another_name(space, issuer, &about).await),
        _ => {}
    }
    found.extend(faults.found());
    found
}

/// The subject stands in the certificate in reverse, so openssl, which reverses it again, shows it as it was written.
async fn literal(faults: &mut Faults, space: &Space, name: &str) {
    let issued = Issued::read(space, name).await.unwrap();
    let written: Vec<(String, String)> = rdns(LITERAL);
    faults.same("raw subject", &rdns(&issued.leaf.subject), &written);
}

/// I30: without its certificate the Secret is issued again, with the key that is there.
async fn same_key_after_damage(
    faults: &mut Faults,
    space: &Space,
    issuer: &Issuer,
    about: &str,
) -> Vec<String> {
    let before = Issued::read(space, "i30").await.unwrap();
    space.merge("Secret", "i30-tls", json!({"data": {"tls.crt": ""}})).await;
    space.until("Secret", "i30-tls", "made again", |secret| !data(secret, "tls.crt").is_empty()).await;
    let wanted = |certificate: &Value| {
        certificate["status"]["revision"] == 2 && support::space::is_issued(certificate)
    };
    space.until("Certificate", "i30", "issued again", wanted).await;
    let after = Issued::read(space, "i30").await.unwrap();
    faults
        .check("another certificate", before.leaf.serial != after.leaf.serial, || before.leaf.serial.clone());
    faults.same("the same key", &data(&after.secret, "tls.key"), &data(&before.secret, "tls.key"));
    validate(space, issuer, "i30", &format!("{about}, after the damage")).await
}

/// I31: a name more brings a new certificate with both.
async fn another_name(space: &Space, issuer: &Issuer, about: &str) -> Vec<String> {
    let names = json!(["i31.example", "second.i31.example"]);
    space.merge("Certificate", "i31", json!({"spec": {"dnsNames": names}})).await;
    let issued = space.issued("i31").await;
    let mut found = validate(space, issuer, "i31", &format!("{about}, with two names")).await;
    let mut faults = Faults::about(about);
    faults.same("revision after a change", &issued["status"]["revision"], &json!(2));
    found.extend(faults.found());
    found
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn every_row_comes_from_a_ca_issuer() {
    catalogue(Kind::Ca, Scope::Namespace).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn every_row_comes_from_a_ca_cluster_issuer() {
    catalogue(Kind::Ca, Scope::Cluster).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn every_row_comes_from_a_self_signed_issuer() {
    catalogue(Kind::SelfSigned, Scope::Namespace).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn every_row_comes_from_a_self_signed_cluster_issuer() {
    catalogue(Kind::SelfSigned, Scope::Cluster).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn every_row_comes_from_a_vault_issuer() {
    catalogue(Kind::Vault, Scope::Namespace).await;
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn every_row_comes_from_a_vault_cluster_issuer() {
    catalogue(Kind::Vault, Scope::Cluster).await;
}
