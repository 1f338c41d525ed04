//! Invalid Certificates and CertificateRequests, each with the field that must be named.

use everleaf_testkit::makers::{self, Maker};
use serde_json::{Value, json};

use super::{Row, request, row};

/// `Q1NS` is base64; what it means is not for CEL.
pub(crate) const SOME_CSR: &str = "Q1NS";

/// Invalid Certificates that the definitions alone refuse.
pub(crate) fn certificates() -> Vec<Row> {
    let mut rows = names();
    rows.extend(keys_and_lives());
    rows.extend(renewals());
    rows.extend(secrets());
    rows.extend(constraints());
    rows
}

fn one(at: &str, value: Value, field: &'static str) -> Row {
    row(&makers::certificate("bad"), &[(at, value)], field)
}

fn several(changes: &[(&str, Value)], field: &'static str) -> Row {
    row(&makers::certificate("bad"), changes, field)
}

fn names() -> Vec<Row> {
    let literal = |text: &str| one("/spec/literalSubject", json!(text), "spec.literalSubject");
    let email = |text: &str| one("/spec/emailAddresses", json!([text]), "spec.emailAddresses[0]");
    let ip = |text: &str| one("/spec/ipAddresses", json!(["10.0.0.1", text]), "spec.ipAddresses[1]");
    let other = |oid: Value, value: Value, field| {
        one("/spec/otherNames", json!([{ "oid": oid, "utf8Value": value }]), field)
    };
    let (oid, text) = ("spec.otherNames[0].oid", "spec.otherNames[0].utf8Value");
    vec![
        one("/spec/secretName", json!(""), "spec.secretName"),
        one("/spec/secretName", json!("Not_A_Name"), "spec.secretName"),
        one("/spec/secretName", json!("a".repeat(254)), "spec.secretName"),
        one("/spec/issuerRef", json!({ "name": "" }), "spec.issuerRef.name"),
        one("/spec/issuerRef", json!({ "name": "a", "kind": "Foo" }), "spec.issuerRef.kind"),
        one(
            "/spec/issuerRef",
            json!({ "name": "a", "kind": "Foo", "group": "cert-manager.io" }),
            "spec.issuerRef.kind",
        ),
        several(
            &[("/spec/literalSubject", json!("CN=a")), ("/spec/commonName", json!("a"))],
            "spec.commonName",
        ),
        several(
            &[("/spec/literalSubject", json!("CN=a")), ("/spec/subject/countries", json!(["NL"]))],
            "spec.subject",
        ),
        several(
            &[("/spec/literalSubject", json!("CN=a")), ("/spec/subject/serialNumber", json!("1"))],
            "spec.subject",
        ),
        literal("nonsense"),
        literal("FOO=bar"),
        literal("cn=lower"),
        literal("CN=a,"),
        literal("CN=a,OU"),
        one("/spec/dnsNames", json!([]), "spec"),
        several(&[("/spec/dnsNames", json!([])), ("/spec/literalSubject", json!("OU=ops"))], "spec"),
        one("/spec/commonName", json!("a".repeat(65)), "spec.commonName"),
        one("/spec/commonName", json!("ü".repeat(33)), "spec.commonName"),
        ip("300.1.1.1"),
        ip("fe80::1%eth0"),
        ip("10.0.0.0/8"),
        ip("010.0.0.1"),
        email("A <a@b.example>"),
        email("a"),
        email("a..b@c.example"),
        email("a@b.example."),
        email("a@b@c"),
        other(json!(""), json!("x"), oid),
        other(json!("1.2.x"), json!("x"), oid),
        other(json!("1"), json!("x"), oid),
        other(json!("1.40"), json!("x"), oid),
        other(json!("3.1"), json!("x"), oid),
        other(json!("1.2.3"), json!(""), text),
        one("/spec/otherNames", json!([{ "utf8Value": "x" }]), oid),
        one("/spec/otherNames", json!([{ "oid": "1.2.3" }]), text),
    ]
}

fn keys_and_lives() -> Vec<Row> {
    let size = |algorithm: &str, size: i64| {
        one("/spec/privateKey", json!({ "algorithm": algorithm, "size": size }), "spec.privateKey.size")
    };
    let signature = |algorithm: &str, signature: &str| {
        let key = json!({ "algorithm": algorithm });
        several(
            &[("/spec/privateKey", key), ("/spec/signatureAlgorithm", json!(signature))],
            "spec.signatureAlgorithm",
        )
    };
    let percentage = "spec.renewBeforePercentage";
    let lives = |duration: &str, before: &str, field| {
        row(&makers::certificate("bad").living(duration, before), &[], field)
    };
    vec![
        size("RSA", 1024),
        size("RSA", 8193),
        one("/spec/privateKey", json!({ "size": 2047 }), "spec.privateKey.size"),
        size("ECDSA", 255),
        size("ECDSA", 2048),
        size("DSA", 2048).naming("spec.privateKey.algorithm"),
        signature("ECDSA", "SHA256WithRSA"),
        signature("RSA", "PureEd25519"),
        signature("Ed25519", "ECDSAWithSHA256"),
        one("/spec/privateKey/rotationPolicy", json!("Sometimes"), "spec.privateKey.rotationPolicy"),
        one("/spec/duration", json!("30m"), "spec.duration"),
        one("/spec/duration", json!("-2h"), "spec.duration"),
        one("/spec/duration", json!("soon"), "spec.duration"),
        one("/spec/duration", json!("90d"), "spec.duration"),
        one("/spec/renewBefore", json!("1m"), "spec.renewBefore"),
        one("/spec/renewBefore", json!("2160h"), "spec.renewBefore"),
        lives("2h", "2h", "spec.renewBefore"),
        lives("2h", "later", "spec.renewBefore"),
        several(
            &[("/spec/renewBefore", json!("6m")), ("/spec/renewBeforePercentage", json!(50))],
            percentage,
        ),
        several(&[("/spec/duration", json!("1h")), ("/spec/renewBeforePercentage", json!(100))], percentage),
        several(&[("/spec/duration", json!("1h")), ("/spec/renewBeforePercentage", json!(0))], percentage),
        one("/spec/usages", json!(["nonsense"]), "spec.usages[0]"),
        one("/spec/revisionHistoryLimit", json!(0), "spec.revisionHistoryLimit"),
    ]
}

fn renewals() -> Vec<Row> {
    let window = |cron: &str| json!([{ "cron": cron, "windowDuration": "1h" }]);
    let renewal = |policy: &str, windows: Value, field| {
        one("/spec/renewal", json!({ "policy": policy, "windows": windows }), field)
    };
    vec![
        one("/spec/renewal", json!({}), "spec.renewal.policy"),
        renewal("Maybe", json!([]), "spec.renewal.policy"),
        renewal("Disabled", window("@daily"), "spec.renewal.windows"),
        renewal("RenewBefore", window("* * *"), "spec.renewal.windows[0].cron"),
        renewal("RenewBefore", window("@sometimes"), "spec.renewal.windows[0].cron"),
        renewal("RenewBefore", window("* * * * * *"), "spec.renewal.windows[0].cron"),
        renewal("RenewBefore", json!([{ "cron": "@daily" }]), "spec.renewal.windows[0].windowDuration"),
    ]
}

fn secrets() -> Vec<Row> {
    let format = |formats: Value, field| one("/spec/additionalOutputFormats", formats, field);
    let jks = "spec.keystores.jks";
    let reference = json!({ "name": "a", "key": "b" });
    vec![
        one(
            "/spec/secretTemplate/annotations",
            json!({ "cert-manager.io/a": "x" }),
            "spec.secretTemplate.annotations",
        ),
        one("/spec/secretTemplate/labels", json!({ "a": "not a value" }), "spec.secretTemplate.labels[a]"),
        format(json!([{ "type": "DER" }, { "type": "DER" }]), "spec.additionalOutputFormats"),
        format(
            json!([{ "type": "DER" }, { "type": "CombinedPEM" }, { "type": "DER" }]),
            "spec.additionalOutputFormats",
        ),
        format(json!([{ "type": "PDF" }]), "spec.additionalOutputFormats[0].type"),
        one("/spec/keystores/jks", json!({ "create": true }), jks),
        one("/spec/keystores/jks", json!({ "create": true, "passwordSecretRef": { "name": "" } }), jks),
        one(
            "/spec/keystores/jks",
            json!({ "create": false, "password": "x", "passwordSecretRef": reference }),
            jks,
        ),
        one(
            "/spec/keystores/pkcs12",
            json!({ "create": true, "password": "" }),
            "spec.keystores.pkcs12.password",
        ),
        one(
            "/spec/keystores/pkcs12",
            json!({ "create": true, "password": "x", "profile": "Old" }),
            "spec.keystores.pkcs12.profile",
        ),
    ]
}

fn constraints() -> Vec<Row> {
    let ca = ("/spec/isCA", json!(true));
    let range = |range: &str| {
        several(
            &[ca.clone(), ("/spec/nameConstraints/excluded/ipRanges", json!(["10.0.0.0/8", range]))],
            "spec.nameConstraints.excluded.ipRanges[1]",
        )
    };
    vec![
        one("/spec/nameConstraints/permitted/dnsDomains", json!(["a"]), "spec.nameConstraints"),
        several(&[ca.clone(), ("/spec/nameConstraints", json!({}))], "spec.nameConstraints"),
        range("10.0.0.0/99"),
        range("10.0.0.1"),
        range("example.com/8"),
    ]
}

/// Invalid CertificateRequests that the definitions alone refuse.
pub(crate) fn requests() -> Vec<Row> {
    let good: Maker = request("bad", SOME_CSR);
    let one = |at: &str, value: Value, field| row(&good, &[(at, value)], field);
    vec![
        one("/spec/request", json!(""), "spec.request"),
        one("/spec/issuerRef", json!({ "name": "" }), "spec.issuerRef.name"),
        one("/spec/issuerRef", json!({ "name": "a", "kind": "Foo" }), "spec.issuerRef.kind"),
        one("/spec/duration", json!("soon"), "spec.duration"),
        one("/spec/usages", json!(["nonsense"]), "spec.usages[0]"),
    ]
}

impl Row {
    /// The same object with another field to be named.
    fn naming(self, field: &'static str) -> Row {
        Row { field, ..self }
    }
}
