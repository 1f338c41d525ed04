//! From spec to `Wanted`: each rule refuses with its path, defaults are filled in, and what the peer takes is taken.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::needless_pass_by_value, missing_docs)]

use std::net::IpAddr;
use std::time::Duration;

use everleaf_api::{CertificateSpec, wanted};
use everleaf_core::wanted::{
    KeyEncoding, OutputFormat, Password, Pkcs12Profile, RenewBefore, RenewalPolicy, Rotation, Subject, Usage,
    Wanted,
};
use everleaf_core::x509::{Curve, KeyKind, RsaSize, SignatureKind};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A small spec without faults, changed by a merge patch (`null` takes a field away).
fn spec(patch: Value) -> CertificateSpec {
    let mut spec =
        json!({ "secretName": "web-tls", "issuerRef": { "name": "ca" }, "dnsNames": ["web.example.com"] });
    for (name, value) in patch.as_object().unwrap() {
        match value {
            Value::Null => spec.as_object_mut().unwrap().remove(name),
            value => spec.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    serde_json::from_value(spec).unwrap()
}

fn taken(patch: Value) -> Wanted {
    wanted(&spec(patch.clone())).unwrap_or_else(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        unreachable!("{patch} was refused: {faults:?}")
    })
}

/// The faults of a patched spec, as text.
fn faults(patch: Value) -> Vec<String> {
    match wanted(&spec(patch)) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

fn refused(table: &[(Value, &str)]) {
    for (patch, start) in table {
        let faults = faults(patch.clone());
        assert_eq!(faults.len(), 1, "{patch}: {faults:?}");
        assert!(faults[0].starts_with(start), "{patch}: {faults:?} should start with {start}");
    }
}

fn a(letters: usize) -> String {
    "a".repeat(letters)
}

#[test]
fn a_small_spec_gets_its_defaults() {
    let wanted = taken(json!({}));
    assert_eq!(wanted.secret_name, "web-tls");
    assert_eq!((wanted.issuer.kind(), wanted.issuer.group()), ("Issuer", "cert-manager.io"));
    assert_eq!((wanted.issuer.written_kind.as_str(), wanted.issuer.written_group.as_str()), ("", ""));
    assert_eq!(wanted.key.kind, KeyKind::Rsa(RsaSize::DEFAULT));
    assert_eq!((wanted.key.encoding, wanted.key.rotation), (KeyEncoding::Pkcs1, Rotation::Always));
    assert_eq!(wanted.duration, None);
    assert_eq!(
        (wanted.renewal.before, &wanted.renewal.policy),
        (RenewBefore::Default, &RenewalPolicy::AtTime)
    );
    assert_eq!((wanted.usages.as_slice(), wanted.usages_in_csr, wanted.is_ca), ([].as_slice(), true, false));
    assert_eq!((wanted.signature, wanted.revision_history_limit), (None, 1));
    assert_eq!(wanted.sans.dns, ["web.example.com"]);
    assert_eq!(wanted.sans.other_names, None);
}

#[test]
fn everything_that_can_be_asked_for_arrives() {
    let wanted = taken(json!({
        "issuerRef": { "name": "vault", "kind": "ClusterIssuer", "group": "cert-manager.io" },
        "commonName": "web",
        "subject": { "organizations": ["Example"], "serialNumber": "12" },
        "ipAddresses": ["10.0.0.1", "2001:db8::1", "::ffff:10.0.0.2"],
        "emailAddresses": ["web@example.com"],
        "uris": ["spiffe://example.com/web"],
        "otherNames": [{ "oid": "1.3.6.1.4.1.311.20.2.3", "utf8Value": "wéb" }],
        "duration": "24h", "renewBefore": "8h30m",
        "isCA": true, "usages": ["cert sign", "server auth"], "encodeUsagesInRequest": false,
        "privateKey": { "algorithm": "ECDSA", "size": 384, "encoding": "PKCS8", "rotationPolicy": "Never" },
        "signatureAlgorithm": "ECDSAWithSHA384",
        "revisionHistoryLimit": 5,
        "secretTemplate": { "labels": { "team": "web" }, "annotations": { "cert-manager.io/allow-direct-injection": "true" } },
        "nameConstraints": { "critical": true, "permitted": { "dnsDomains": ["example.com"], "ipRanges": ["10.1.2.3/8"] } },
        "additionalOutputFormats": [{ "type": "CombinedPEM" }, { "type": "DER" }],
        "keystores": {
            "jks": { "create": true, "passwordSecretRef": { "name": "pw", "key": "jks" } },
            "pkcs12": { "create": true, "profile": "Modern2023", "password": "letmein", "passwordSecretRef": { "name": "" } },
        },
    }));
    assert!(wanted.issuer.is_builtin() && wanted.issuer.kind() == "ClusterIssuer");
    let Subject::Fields(subject) = &wanted.subject else { unreachable!() };
    assert_eq!(subject.common_name.as_deref(), Some("web"));
    assert_eq!(
        (subject.organizations.as_slice(), subject.serial_number.as_deref()),
        (&["Example".to_owned()][..], Some("12"))
    );
    // An IPv4 address in IPv6 clothes becomes four bytes, as in Go.
    let ips: Vec<IpAddr> = ["10.0.0.1", "2001:db8::1", "10.0.0.2"].map(|ip| ip.parse().unwrap()).to_vec();
    assert_eq!(wanted.sans.ips, ips);
    assert_eq!(wanted.sans.other_names.as_ref().unwrap()[0].value, "wéb");
    assert_eq!(wanted.duration, Some(Duration::from_secs(86_400)));
    assert_eq!(wanted.renewal.before, RenewBefore::Duration(Duration::from_secs(30_600)));
    assert_eq!(wanted.usages, [Usage::CertSign, Usage::ServerAuth]);
    assert_eq!((wanted.usages_in_csr, wanted.is_ca, wanted.revision_history_limit), (false, true, 5));
    assert_eq!(wanted.key.kind, KeyKind::Ecdsa(Curve::P384));
    assert_eq!((wanted.key.encoding, wanted.key.rotation), (KeyEncoding::Pkcs8, Rotation::Never));
    assert_eq!(wanted.signature, Some(SignatureKind::EcdsaWithSha384));
    assert_eq!(wanted.secret_template.labels["team"], "web");
    let constraints = wanted.name_constraints.unwrap();
    assert_eq!(constraints.permitted.ip_ranges, [("10.0.0.0".parse().unwrap(), 8)]);
    assert!(constraints.critical && constraints.excluded.dns_domains.is_empty());
    assert_eq!(wanted.output_formats, [OutputFormat::CombinedPem, OutputFormat::Der]);
    let jks = wanted.keystores.jks.unwrap();
    assert_eq!(
        (jks.alias.as_str(), jks.password),
        ("certificate", Password::Secret { name: "pw".into(), key: "jks".into() })
    );
    let pkcs12 = wanted.keystores.pkcs12.unwrap();
    assert_eq!(
        (pkcs12.profile, pkcs12.password),
        (Pkcs12Profile::Modern2023, Password::Literal("letmein".into()))
    );
}

#[test]
fn names_of_secrets_and_issuers_are_checked() {
    refused(&[
        (json!({ "secretName": null }), "spec.secretName: Required value"),
        (json!({ "secretName": "" }), "spec.secretName: Required value"),
        (
            json!({ "secretName": "Web_TLS" }),
            "spec.secretName: Invalid value: \"Web_TLS\": a lowercase RFC 1123 subdomain",
        ),
        (json!({ "secretName": a(254) }), "spec.secretName: Invalid value"),
        (json!({ "issuerRef": null }), "spec.issuerRef.name: Required value"),
        (json!({ "issuerRef": { "name": "" } }), "spec.issuerRef.name: Required value"),
        (
            json!({ "issuerRef": { "name": "a", "kind": "AWSPCAClusterIssuer" } }),
            "spec.issuerRef.kind: Invalid value: \"AWSPCAClusterIssuer\": must be one of Issuer or ClusterIssuer (did you forget",
        ),
        (
            json!({ "issuerRef": { "name": "a", "kind": "issuer", "group": "cert-manager.io" } }),
            "spec.issuerRef.kind: Invalid value: \"issuer\": must be one of Issuer or ClusterIssuer",
        ),
    ]);
    let foreign =
        taken(json!({ "issuerRef": { "name": "a", "kind": "Any", "group": "awspca.cert-manager.io" } }));
    assert!(!foreign.issuer.is_builtin());
}

#[test]
fn a_certificate_needs_a_name() {
    refused(&[
        (json!({ "dnsNames": null }), "spec: Invalid value: \"\": at least one of commonName"),
        (
            json!({ "dnsNames": [], "otherNames": [], "commonName": "" }),
            "spec: Invalid value: \"\": at least one of",
        ),
        (
            json!({ "dnsNames": null, "literalSubject": "O=Example" }),
            "spec: Invalid value: \"\": at least one of",
        ),
    ]);
    for patch in [
        json!({ "dnsNames": null, "commonName": "web" }),
        json!({ "dnsNames": null, "uris": ["spiffe://a/b"] }),
        json!({ "dnsNames": null, "emailAddresses": ["a@example.com"] }),
        json!({ "dnsNames": null, "ipAddresses": ["::1"] }),
        json!({ "dnsNames": null, "otherNames": [{ "oid": "1.2.3", "utf8Value": "x" }] }),
        json!({ "dnsNames": null, "literalSubject": "CN=web" }),
    ] {
        taken(patch);
    }
}

#[test]
fn names_that_no_certificate_can_carry_are_refused_with_their_place() {
    refused(&[
        (json!({ "commonName": a(65) }), "spec.commonName: Too long: may not be more than 64 bytes"),
        (json!({ "commonName": "ä".repeat(33) }), "spec.commonName: Too long: may not be more than 64 bytes"),
        (json!({ "literalSubject": format!("CN={}", a(65)) }), "spec.commonName: Too long"),
        (
            json!({ "dnsNames": ["a.example.com", "bücher.example.com"] }),
            "spec.dnsNames[1]: Invalid value: \"bücher.example.com\": only ASCII",
        ),
        (
            json!({ "uris": ["https://example.com/ä"] }),
            "spec.uris[0]: Invalid value: \"https://example.com/ä\": only ASCII",
        ),
        (
            json!({ "emailAddresses": ["ä@example.com"] }),
            "spec.emailAddresses[0]: Invalid value: \"ä@example.com\": only ASCII",
        ),
        (
            json!({ "ipAddresses": ["10.0.0.1", "10.0.0.256"] }),
            "spec.ipAddresses[1]: Invalid value: \"10.0.0.256\": invalid IP",
        ),
        (json!({ "ipAddresses": ["010.0.0.1"] }), "spec.ipAddresses[0]: Invalid value"),
        (json!({ "ipAddresses": ["fe80::1%eth0"] }), "spec.ipAddresses[0]: Invalid value"),
        (json!({ "ipAddresses": ["10.0.0.0/8"] }), "spec.ipAddresses[0]: Invalid value"),
        (json!({ "ipAddresses": [""] }), "spec.ipAddresses[0]: Invalid value"),
        (json!({ "otherNames": [{ "utf8Value": "x" }] }), "spec.otherNames[0].oid: Required value"),
        (
            json!({ "otherNames": [{ "oid": "1.2.x", "utf8Value": "x" }] }),
            "spec.otherNames[0].oid: Invalid value: \"1.2.x\": invalid oid",
        ),
        (
            json!({ "otherNames": [{ "oid": "1", "utf8Value": "x" }] }),
            "spec.otherNames[0].oid: Invalid value",
        ),
        (
            json!({ "otherNames": [{ "oid": "1.40", "utf8Value": "x" }] }),
            "spec.otherNames[0].oid: Invalid value",
        ),
        (
            json!({ "otherNames": [{ "oid": "3.1", "utf8Value": "x" }] }),
            "spec.otherNames[0].oid: Invalid value",
        ),
        (
            json!({ "otherNames": [{ "oid": "1..2", "utf8Value": "x" }] }),
            "spec.otherNames[0].oid: Invalid value",
        ),
        (json!({ "otherNames": [{ "oid": "1.2.3" }] }), "spec.otherNames[0].utf8Value: Required value"),
        (
            json!({ "otherNames": [{ "oid": "2.5.4", "utf8Value": "" }] }),
            "spec.otherNames[0].utf8Value: Required value",
        ),
    ]);
    taken(
        json!({ "commonName": a(64), "dnsNames": ["xn--bcher-kva.example.com", "*.example.com", "not a dns name"] }),
    );
}

#[test]
fn email_addresses_are_bare() {
    for good in ["a@b", "a.b+c@example.com", "a@[10.0.0.1]", "!#$%&'*+/=?^_`{|}~-@example.com"] {
        taken(json!({ "emailAddresses": [good] }));
    }
    for bad in [
        "",
        "a",
        "@example.com",
        "a@",
        "a@b@c",
        ".a@example.com",
        "a..b@example.com",
        "a.@example.com",
        "a@example.com.",
        "A <a@example.com>",
        "<a@example.com>",
        "a@example.com (comment)",
        "\"a b\"@example.com",
        "a b@example.com",
        " a@example.com",
        "a@example.com,b@example.com",
        "a@[nowhere]",
    ] {
        let faults = faults(json!({ "emailAddresses": ["ok@example.com", bad] }));
        assert_eq!(faults.len(), 1, "{bad}: {faults:?}");
        assert!(faults[0].starts_with("spec.emailAddresses[1]: Invalid value"), "{faults:?}");
    }
}

#[test]
fn a_literal_subject_stands_alone() {
    refused(&[
        (
            json!({ "literalSubject": "CN=web", "commonName": "web" }),
            "spec.commonName: Invalid value: \"web\": When providing",
        ),
        (
            json!({ "literalSubject": "CN=web", "subject": { "organizations": ["Example"] } }),
            "spec.subject: Forbidden",
        ),
        (
            json!({ "literalSubject": "CN=web", "subject": { "serialNumber": "1" } }),
            "spec.subject: Forbidden",
        ),
        (json!({ "literalSubject": "no dn" }), "spec.literalSubject: Invalid value: \"no dn\""),
        (json!({ "literalSubject": "FOO=bar,CN=web" }), "spec.literalSubject: Invalid value"),
    ]);
    let wanted =
        taken(json!({ "literalSubject": "CN=web,DC=example,DC=com", "subject": {}, "commonName": "" }));
    let Subject::Literal(name) = wanted.subject else { unreachable!() };
    assert_eq!(name.common_name().as_deref(), Some("web"));
}

#[test]
fn keys_that_cannot_be_made_are_refused_and_the_possible_ones_named() {
    refused(&[
        (
            json!({ "privateKey": { "size": 1024 } }),
            "spec.privateKey.size: Invalid value: 1024: must be between 2048 and 8192",
        ),
        (
            json!({ "privateKey": { "size": 8193 } }),
            "spec.privateKey.size: Invalid value: 8193: must be between",
        ),
        (
            json!({ "privateKey": { "algorithm": "RSA", "size": 5_000_000_000_i64 } }),
            "spec.privateKey.size: Invalid value: 5000000000",
        ),
        (
            json!({ "privateKey": { "algorithm": "RSA", "size": 2560 } }),
            "spec.privateKey.size: Invalid value: 2560: RSA keys of this size can't be made; possible are 2048, 3072, 4096, 8192",
        ),
        (
            json!({ "privateKey": { "algorithm": "ECDSA", "size": 224 } }),
            "spec.privateKey.size: Unsupported value: \"224\": supported values: \"256\", \"384\", \"521\"",
        ),
        (
            json!({ "privateKey": { "algorithm": "DSA" } }),
            "spec.privateKey.algorithm: Unsupported value: \"DSA\": supported values: \"RSA\"",
        ),
        (
            json!({ "privateKey": { "algorithm": "rsa" } }),
            "spec.privateKey.algorithm: Unsupported value: \"rsa\"",
        ),
        (
            json!({ "privateKey": { "encoding": "DER" } }),
            "spec.privateKey.encoding: Unsupported value: \"DER\"",
        ),
        (
            json!({ "privateKey": { "rotationPolicy": "Often" } }),
            "spec.privateKey.rotationPolicy: Unsupported value: \"Often\"",
        ),
    ]);
    let table = [
        (json!({}), KeyKind::Rsa(RsaSize::DEFAULT)),
        (json!({ "size": 0 }), KeyKind::Rsa(RsaSize::DEFAULT)),
        (json!({ "size": -1 }), KeyKind::Rsa(RsaSize::DEFAULT)),
        (json!({ "size": 3072 }), KeyKind::Rsa(RsaSize::new(3072).unwrap())),
        (json!({ "size": 4096 }), KeyKind::Rsa(RsaSize::new(4096).unwrap())),
        (json!({ "size": 8192 }), KeyKind::Rsa(RsaSize::new(8192).unwrap())),
        (json!({ "algorithm": "ECDSA" }), KeyKind::Ecdsa(Curve::P256)),
        (json!({ "algorithm": "ECDSA", "size": 521 }), KeyKind::Ecdsa(Curve::P521)),
        (json!({ "algorithm": "Ed25519", "size": 4096 }), KeyKind::Ed25519),
    ];
    for (key, kind) in table {
        assert_eq!(taken(json!({ "privateKey": key })).key.kind, kind, "{key}");
    }
}

#[test]
fn signatures_must_suit_the_key() {
    let families = [
        (json!(null), ["SHA256WithRSA", "SHA384WithRSA", "SHA512WithRSA"].as_slice()),
        (json!("RSA"), &["SHA256WithRSA", "SHA384WithRSA", "SHA512WithRSA"]),
        (json!("ECDSA"), &["ECDSAWithSHA256", "ECDSAWithSHA384", "ECDSAWithSHA512"]),
        (json!("Ed25519"), &["PureEd25519"]),
    ];
    let all = [
        "SHA256WithRSA",
        "SHA384WithRSA",
        "SHA512WithRSA",
        "ECDSAWithSHA256",
        "ECDSAWithSHA384",
        "ECDSAWithSHA512",
        "PureEd25519",
        "MD5WithRSA",
    ];
    for (algorithm, suiting) in families {
        for signature in all {
            let patch = json!({ "privateKey": { "algorithm": algorithm }, "signatureAlgorithm": signature });
            if suiting.contains(&signature) {
                assert!(taken(patch).signature.is_some(), "{algorithm} {signature}");
            } else {
                refused(&[(patch, "spec.signatureAlgorithm: Invalid value")]);
            }
        }
    }
}

#[test]
fn lives_and_renewals_that_make_no_sense_are_refused() {
    refused(&[
        (
            json!({ "duration": "59m" }),
            "spec.duration: Invalid value: \"59m\": certificate duration must be at least 1h",
        ),
        (json!({ "duration": "0s" }), "spec.duration: Invalid value"),
        (json!({ "duration": "-2h" }), "spec.duration: Invalid value: \"-2h\": must not be negative"),
        (json!({ "duration": "90d" }), "spec.duration: Invalid value: \"90d\""),
        (json!({ "duration": "" }), "spec.duration: Invalid value: \"\""),
        (
            json!({ "renewBefore": "4m59s" }),
            "spec.renewBefore: Invalid value: \"4m59s\": certificate renewBefore must be at least 5m",
        ),
        (json!({ "renewBefore": "-1h" }), "spec.renewBefore: Invalid value: \"-1h\": must not be negative"),
        (json!({ "renewBefore": "a day" }), "spec.renewBefore: Invalid value: \"a day\""),
        (json!({ "renewBefore": "2160h" }), "spec.renewBefore: Invalid value: \"2160h\": must be less than"),
        (
            json!({ "duration": "24h", "renewBefore": "24h" }),
            "spec.renewBefore: Invalid value: \"24h\": must be less than",
        ),
        (
            json!({ "duration": "24h", "renewBeforePercentage": 0 }),
            "spec.renewBeforePercentage: Invalid value: 0",
        ),
        (
            json!({ "duration": "24h", "renewBeforePercentage": 100 }),
            "spec.renewBeforePercentage: Invalid value: 100",
        ),
        (
            json!({ "duration": "24h", "renewBeforePercentage": -5 }),
            "spec.renewBeforePercentage: Invalid value: -5",
        ),
    ]);
    let both = faults(json!({ "renewBefore": "1h", "renewBeforePercentage": 50 }));
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(
        both[0].starts_with("spec.renewBefore: ") && both[1].starts_with("spec.renewBeforePercentage: "),
        "{both:?}"
    );
}

#[test]
fn percentages_that_the_peer_stored_are_taken_and_mean_what_its_controller_makes_of_them() {
    let table = [
        (json!({ "renewBeforePercentage": 25 }), RenewBefore::Percentage(25)),
        (json!({ "duration": "24h", "renewBeforePercentage": 1 }), RenewBefore::Percentage(1)),
        (json!({ "duration": "24h", "renewBeforePercentage": 99 }), RenewBefore::Percentage(99)),
        // Three minutes before the end: the webhook computes 57 and lets it through.
        (json!({ "duration": "1h", "renewBeforePercentage": 5 }), RenewBefore::Percentage(5)),
        // Alone it is never checked, and what is no share of a life is ignored.
        (json!({ "renewBeforePercentage": 0 }), RenewBefore::Default),
        (json!({ "renewBeforePercentage": 100 }), RenewBefore::Default),
        (json!({ "renewBeforePercentage": 1000 }), RenewBefore::Default),
        (json!({ "renewBeforePercentage": -1 }), RenewBefore::Default),
    ];
    for (patch, expected) in table {
        assert_eq!(taken(patch.clone()).renewal.before, expected, "{patch}");
    }
    assert_eq!(
        taken(json!({ "duration": "1h", "renewBefore": "5m" })).duration,
        Some(Duration::from_secs(3_600))
    );
}

#[test]
fn renewal_windows_are_read_or_refused_with_their_place() {
    let window = |window: Value| json!({ "renewal": { "policy": "RenewBefore", "windows": [window] } });
    let good = json!({ "cron": "0 22 * * MON-FRI", "windowDuration": "2h", "timezone": "Europe/Berlin" });
    refused(&[
        (json!({ "renewal": {} }), "spec.renewal.policy: Required value"),
        (
            json!({ "renewal": { "policy": "Sometimes" } }),
            "spec.renewal.policy: Unsupported value: \"Sometimes\"",
        ),
        (
            json!({ "renewal": { "policy": "Disabled", "windows": [good] } }),
            "spec.renewal.windows: Forbidden",
        ),
        (window(json!({ "windowDuration": "1h" })), "spec.renewal.windows[0].cron: Invalid value: \"\""),
        (
            window(json!({ "cron": "0 22 * *", "windowDuration": "1h" })),
            "spec.renewal.windows[0].cron: Invalid value: \"0 22 * *\": invalid cron syntax",
        ),
        (
            window(json!({ "cron": "61 * * * *", "windowDuration": "1h" })),
            "spec.renewal.windows[0].cron: Invalid value",
        ),
        (window(json!({ "cron": "@daily" })), "spec.renewal.windows[0].windowDuration: Required value"),
        (
            window(json!({ "cron": "@daily", "windowDuration": "1d" })),
            "spec.renewal.windows[0].windowDuration: Invalid value: \"1d\"",
        ),
        (
            window(json!({ "cron": "@daily", "windowDuration": "-1h" })),
            "spec.renewal.windows[0].windowDuration: Invalid value",
        ),
        (
            window(json!({ "cron": "@daily", "windowDuration": "1h", "timezone": "Mars/Olympus" })),
            "spec.renewal.windows[0].timezone: Invalid value: \"Mars/Olympus\"",
        ),
    ]);
    let second = json!({ "renewal": { "policy": "RenewBefore", "windows": [good, { "cron": "?", "windowDuration": "1h" }] } });
    assert!(faults(second)[0].starts_with("spec.renewal.windows[1].cron"));

    assert_eq!(taken(json!({ "renewal": { "policy": "Disabled" } })).renewal.policy, RenewalPolicy::Disabled);
    assert_eq!(
        taken(json!({ "renewal": { "policy": "RenewBefore", "windows": [] } })).renewal.policy,
        RenewalPolicy::AtTime
    );
    let RenewalPolicy::Windows(windows) = taken(window(good)).renewal.policy else { unreachable!() };
    assert_eq!(
        (windows[0].timezone.as_str(), windows[0].open_for),
        ("Europe/Berlin", Duration::from_secs(7_200))
    );
    for zone in [json!(null), json!(""), json!("UTC"), json!("Local")] {
        let patch = window(json!({ "cron": "@daily", "windowDuration": "1h", "timezone": zone }));
        let RenewalPolicy::Windows(windows) = taken(patch).renewal.policy else { unreachable!() };
        assert_eq!(windows[0].timezone, "UTC", "{zone}");
    }
}

#[test]
fn usages_and_history_are_checked() {
    refused(&[
        (
            json!({ "usages": ["server auth", "tls"] }),
            "spec.usages[1]: Invalid value: \"tls\": unknown keyusage",
        ),
        (
            json!({ "revisionHistoryLimit": 0 }),
            "spec.revisionHistoryLimit: Invalid value: 0: must not be less than 1",
        ),
        (json!({ "revisionHistoryLimit": -1 }), "spec.revisionHistoryLimit: Invalid value: -1"),
    ]);
}

#[test]
fn labels_and_annotations_for_the_secret_are_checked() {
    let labels = |key: &str, value: &str| json!({ "secretTemplate": { "labels": { key: value } } });
    let annotations = |key: &str| json!({ "secretTemplate": { "annotations": { key: "x" } } });
    refused(&[
        (labels("a b", "x"), "spec.secretTemplate.labels: Invalid value: \"a b\""),
        (labels("a", "not ok"), "spec.secretTemplate.labels: Invalid value: \"not ok\""),
        (
            annotations("cert-manager.io/issuer-name"),
            "spec.secretTemplate.annotations: Invalid value: \"cert-manager.io/issuer-name\": cert-manager.io/*",
        ),
        (annotations("a b"), "spec.secretTemplate.annotations: Invalid value: \"a b\""),
        (
            json!({ "secretTemplate": { "annotations": { "a": a(256 * 1024) } } }),
            "spec.secretTemplate.annotations: Too long: may not be more than 262144 bytes",
        ),
    ]);
    taken(annotations("cert-manager.io/allow-direct-injection"));
    taken(annotations("acme.cert-manager.io/x"));
}

#[test]
fn name_constraints_are_for_cas_and_have_a_side() {
    let ca = |constraints: Value| json!({ "isCA": true, "nameConstraints": constraints });
    refused(&[
        (
            json!({ "nameConstraints": { "permitted": {} } }),
            "spec.nameConstraints: Forbidden: isCA should be true",
        ),
        (ca(json!({})), "spec.nameConstraints: Required value: either permitted or excluded"),
        (
            ca(json!({ "permitted": { "ipRanges": ["10.0.0.0"] } })),
            "spec.nameConstraints.permitted.ipRanges[0]: Invalid value",
        ),
        (
            ca(json!({ "permitted": { "ipRanges": ["10.0.0.0/33"] } })),
            "spec.nameConstraints.permitted.ipRanges[0]: Invalid value",
        ),
        (
            ca(json!({ "permitted": { "ipRanges": ["10.0.0.0/+8"] } })),
            "spec.nameConstraints.permitted.ipRanges[0]: Invalid value",
        ),
        (
            ca(json!({ "excluded": { "ipRanges": ["::/0", "::/129"] } })),
            "spec.nameConstraints.excluded.ipRanges[1]: Invalid value",
        ),
        (
            ca(json!({ "excluded": { "dnsDomains": ["ä.de"] } })),
            "spec.nameConstraints.excluded.dnsDomains[0]: Invalid value: \"ä.de\": only ASCII",
        ),
        (
            ca(json!({ "excluded": { "emailAddresses": ["ä"] } })),
            "spec.nameConstraints.excluded.emailAddresses[0]: Invalid value",
        ),
        (
            ca(json!({ "excluded": { "uriDomains": ["ä"] } })),
            "spec.nameConstraints.excluded.uriDomains[0]: Invalid value",
        ),
    ]);
    let wanted =
        taken(ca(json!({ "excluded": { "ipRanges": ["0.0.0.0/0", "2001:db8:1:2::1/48", "10.9.8.7/32"] } })));
    let ranges = wanted.name_constraints.unwrap().excluded.ip_ranges;
    let expected = [("0.0.0.0", 0), ("2001:db8:1::", 48), ("10.9.8.7", 32)];
    assert_eq!(ranges, expected.map(|(ip, length)| (ip.parse::<IpAddr>().unwrap(), length)));
}

#[test]
fn output_formats_and_keystores_are_checked_and_passwords_never_told() {
    let jks = |keystore: Value| json!({ "keystores": { "jks": keystore } });
    let p12 = |keystore: Value| json!({ "keystores": { "pkcs12": keystore } });
    let secret = json!({ "name": "pw", "key": "p" });
    refused(&[
        (
            json!({ "additionalOutputFormats": [{ "type": "PFX" }] }),
            "spec.additionalOutputFormats[0].type: Unsupported value: \"PFX\"",
        ),
        (
            json!({ "additionalOutputFormats": [{ "type": "DER" }, { "type": "DER" }] }),
            "spec.additionalOutputFormats[1].type: Duplicate value: \"DER\"",
        ),
        (jks(json!({ "create": true })), "spec.keystores.jks: Forbidden: must set exactly one"),
        (jks(json!({ "create": false })), "spec.keystores.jks: Forbidden: must set exactly one"),
        (
            jks(json!({ "create": true, "passwordSecretRef": { "name": "" } })),
            "spec.keystores.jks: Forbidden: must set exactly one",
        ),
        (
            jks(json!({ "create": true, "password": "hunter2", "passwordSecretRef": secret })),
            "spec.keystores.jks: Forbidden: exactly one",
        ),
        (jks(json!({ "create": true, "password": "" })), "spec.keystores.jks.password: Forbidden"),
        (p12(json!({ "create": true })), "spec.keystores.pkcs12: Forbidden: must set exactly one"),
        (
            p12(json!({ "create": true, "password": "hunter2", "passwordSecretRef": secret })),
            "spec.keystores.pkcs12: Forbidden: exactly one",
        ),
        (p12(json!({ "create": true, "password": "" })), "spec.keystores.pkcs12.password: Forbidden"),
        (
            p12(json!({ "create": true, "password": "x", "profile": "Best" })),
            "spec.keystores.pkcs12.profile: Unsupported value: \"Best\"",
        ),
    ]);
    let told =
        faults(jks(json!({ "create": true, "password": "hunter2", "passwordSecretRef": secret }))).join(" ");
    assert!(!told.contains("hunter2"), "{told}");
    assert_eq!(taken(jks(json!({ "create": false, "password": "x" }))).keystores.jks, None);
    assert_eq!(
        taken(p12(json!({ "create": true, "password": "x" }))).keystores.pkcs12.unwrap().profile,
        Pkcs12Profile::LegacyRc2
    );
    assert_eq!(
        taken(jks(json!({ "create": true, "password": "x", "alias": "web" }))).keystores.jks.unwrap().alias,
        "web"
    );
}

#[test]
fn all_faults_of_a_spec_are_told_at_once() {
    let told = faults(json!({
        "secretName": "", "issuerRef": { "name": "" }, "dnsNames": ["ä"], "duration": "1m", "usages": ["x"],
        "privateKey": { "size": 1 }, "revisionHistoryLimit": 0,
    }));
    let paths: Vec<&str> = told.iter().map(|fault| fault.split(':').next().unwrap()).collect();
    let expected = [
        "spec.secretName",
        "spec.issuerRef.name",
        "spec.dnsNames[0]",
        "spec.privateKey.size",
        "spec.duration",
        "spec.usages[0]",
        "spec.revisionHistoryLimit",
    ];
    assert_eq!(paths, expected);
}

proptest! {
    #[test]
    fn no_spec_makes_it_panic(
        text in "\\PC{0,30}", other in "[a-zA-Z0-9@.:/=, -]{0,30}", number in any::<i32>(), size in any::<i64>(),
    ) {
        let _ = wanted(&spec(json!({
            "secretName": text, "commonName": other, "literalSubject": text, "dnsNames": [text, other],
            "ipAddresses": [other], "uris": [text], "emailAddresses": [text, other],
            "otherNames": [{ "oid": other, "utf8Value": text }], "duration": other, "renewBefore": text,
            "renewBeforePercentage": number, "revisionHistoryLimit": number, "privateKey": { "size": size },
            "renewal": { "policy": "RenewBefore", "windows": [{ "cron": other, "windowDuration": other, "timezone": text }] },
            "isCA": true, "nameConstraints": { "permitted": { "ipRanges": [other] } },
            "secretTemplate": { "labels": { other.clone(): text }, "annotations": { text: other } },
        })));
    }

    #[test]
    fn a_taken_duration_is_the_written_one(hours in 1u64..100_000) {
        let duration = taken(json!({ "duration": format!("{hours}h") })).duration;
        prop_assert_eq!(duration, Some(Duration::from_secs(hours * 3_600)));
    }
}
