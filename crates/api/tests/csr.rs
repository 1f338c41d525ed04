//! Specs, CSRs and certificates together: what is wanted can be encoded, and a CSR must agree with its request.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use everleaf_api::validate::{validate_csr, validate_issuer};
use everleaf_api::{Base64Bytes, CertificateRequestSpec, CertificateSpec, IssuerSpec, wanted};
use everleaf_core::x509::{Csr, LeafPlan, PrivateKey, Serial, sign_self};
use proptest::prelude::*;
use serde_json::{Value, json};

fn key() -> PrivateKey {
    let der = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap().to_pkcs8v1().unwrap();
    PrivateKey::from_pkcs8_der(der.as_ref()).unwrap()
}

fn certificate(patch: &Value) -> CertificateSpec {
    let mut spec = json!({
        "secretName": "web-tls",
        "issuerRef": { "name": "ca" },
        "dnsNames": ["web.example.com"],
        "privateKey": { "algorithm": "ECDSA" },
    });
    for (name, value) in patch.as_object().unwrap() {
        spec.as_object_mut().unwrap().insert(name.clone(), value.clone());
    }
    serde_json::from_value(spec).unwrap()
}

fn csr(patch: &Value) -> Csr {
    Csr::build(&wanted(&certificate(patch)).unwrap(), &key()).unwrap()
}

fn faults(request: &Value, csr: &Csr) -> Vec<String> {
    let spec: CertificateRequestSpec = serde_json::from_value(request.clone()).unwrap();
    validate_csr(&spec, csr).iter().map(ToString::to_string).collect()
}

#[test]
fn a_request_agrees_with_its_csr() {
    let agreeing = [
        (json!({}), json!({})),
        (json!({}), json!({ "usages": ["digital signature", "key encipherment"] })),
        (
            json!({ "usages": ["server auth", "client auth"] }),
            json!({ "usages": ["server auth", "client auth"] }),
        ),
        (json!({ "usages": ["signing"] }), json!({ "usages": ["digital signature"] })),
        (json!({ "isCA": true }), json!({ "isCA": true })),
        (json!({ "isCA": true, "usages": ["cert sign"] }), json!({ "isCA": true, "usages": ["cert sign"] })),
        // A CSR without usages asks for none.
        (json!({ "encodeUsagesInRequest": false }), json!({ "usages": ["server auth"] })),
    ];
    for (certificate, request) in agreeing {
        assert_eq!(faults(&request, &csr(&certificate)), Vec::<String>::new(), "{certificate} {request}");
    }
}

/// What we ask for ourselves is never refused by our own rules: all usages alone, in pairs, and in both orders.
#[test]
fn every_csr_of_a_certificate_agrees_with_its_request() {
    let names = [
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
    let mut lists: Vec<Value> = vec![json!(null), json!([]), json!(names)];
    for one in &names {
        lists.push(json!([one]));
        lists.extend(names.iter().map(|other| json!([one, other])));
    }
    let key = key();
    for usages in lists {
        for is_ca in [false, true] {
            let spec = json!({ "usages": usages, "isCA": is_ca });
            let csr = Csr::build(&wanted(&certificate(&spec)).unwrap(), &key).unwrap();
            assert_eq!(faults(&spec, &csr), Vec::<String>::new(), "{spec}");
        }
    }
}

#[test]
fn a_request_that_differs_from_its_csr_is_refused() {
    let differing = [
        (json!({ "usages": ["server auth"] }), json!({ "usages": ["client auth"] }), "extended key usages"),
        (
            json!({ "usages": ["server auth", "client auth"] }),
            json!({ "usages": ["client auth", "server auth"] }),
            "extended key usages, or their order",
        ),
        (json!({ "usages": ["key agreement"] }), json!({}), "key usages differ"),
        (json!({ "isCA": true }), json!({}), "key usages differ"),
    ];
    for (certificate, request, words) in differing {
        let faults = faults(&request, &csr(&certificate));
        assert!(!faults.is_empty(), "{certificate} {request}");
        assert!(faults.iter().all(|f| f.starts_with("spec.request: Invalid value")), "{faults:?}");
        assert!(faults.iter().any(|f| f.contains(words)), "{faults:?} should say {words}");
    }
}

#[test]
fn a_csr_whose_signature_does_not_verify_is_refused() {
    let mut der = csr(&json!({})).der().to_vec();
    // The signature is the last thing in it.
    let last = der.len() - 1;
    der[last] ^= 1;
    let faults = faults(&json!({}), &Csr::from_der(&der).unwrap());
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("spec.request: Invalid value"), "{faults:?}");
}

#[test]
fn a_bundle_with_one_good_certificate_is_taken() {
    let key = key();
    let csr = Csr::build(&wanted(&certificate(&json!({}))).unwrap(), &key).unwrap();
    let plan = LeafPlan {
        csr: &csr,
        serial: Serial::from_random([7; Serial::LENGTH]),
        not_before: "2026-01-01T00:00:00Z".parse().unwrap(),
        not_after: "2036-01-01T00:00:00Z".parse().unwrap(),
        usages: &[],
        is_ca: false,
        crl_distribution_points: &[],
        ocsp_servers: &[],
        issuing_certificate_urls: &[],
    };
    let pem = sign_self(&plan, &key).unwrap().to_pem();
    let broken = "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n";
    let table = [
        (pem.clone(), true),
        (format!("# a comment\n{pem}{pem}"), true),
        (format!("{broken}{pem}"), true),
        (format!("{pem}{broken}"), true),
        (broken.to_owned(), false),
        ("no PEM at all".to_owned(), false),
    ];
    for (bundle, good) in table {
        let mut spec: IssuerSpec = serde_json::from_value(json!({
            "vault": { "server": "https://v", "path": "p", "auth": { "tokenSecretRef": { "name": "t" } } },
        }))
        .unwrap();
        spec.vault.as_mut().unwrap().ca_bundle = Some(Base64Bytes::from(bundle.as_bytes()));
        assert_eq!(validate_issuer(&spec).is_empty(), good, "{bundle}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_is_wanted_can_be_encoded(
        name in "[ -~]{1,40}",
        text in "\\PC{1,40}",
        address in any::<std::net::IpAddr>(),
        prefix in 0u8..=32,
        is_ca in any::<bool>(),
    ) {
        let constraints = json!({
            "permitted": { "dnsDomains": [name], "ipRanges": [format!("10.1.2.3/{prefix}")] },
            "excluded": { "emailAddresses": [name], "uriDomains": [name] },
        });
        let mut patch = json!({
            "commonName": text, "dnsNames": [name, ""], "uris": [name], "ipAddresses": [address.to_string()],
            "otherNames": [{ "oid": "1.3.6.1.4.1.311.20.2.3", "utf8Value": text }],
            "subject": { "organizations": [text, name], "countries": [text], "serialNumber": text },
            "isCA": is_ca, "usages": ["server auth", "ocsp signing", "crl sign"],
        });
        if is_ca {
            patch.as_object_mut().unwrap().insert("nameConstraints".into(), constraints);
        }
        let Ok(wanted) = wanted(&certificate(&patch)) else { return Ok(()) };
        let csr = Csr::build(&wanted, &key());
        prop_assert!(csr.is_ok(), "{patch}: {:?}", csr.err());
    }
}
