//! Whatever is stored comes back as it was: reading an object and writing it again gives the same JSON.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use everleaf_api::{Certificate, CertificateRequest, ClusterIssuer, Issuer};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn manifests() -> Vec<Value> {
    let files = [
        include_str!("manifests/certificate.yaml"),
        include_str!("manifests/certificate-literal.yaml"),
        include_str!("manifests/certificate-bare.yaml"),
        include_str!("manifests/certificaterequest.yaml"),
        include_str!("manifests/issuer-vault.yaml"),
        include_str!("manifests/clusterissuer-acme.yaml"),
        include_str!("manifests/issuers-other.yaml"),
    ];
    files.iter().flat_map(|file| serde_saphyr::from_multiple::<Value>(file).unwrap()).collect()
}

fn written_again(object: &Value) -> Value {
    fn through<K: DeserializeOwned + Serialize>(object: &Value) -> Value {
        let typed: K = serde_json::from_value(object.clone()).unwrap();
        serde_json::to_value(typed).unwrap()
    }
    match object["kind"].as_str().unwrap() {
        "Certificate" => through::<Certificate>(object),
        "CertificateRequest" => through::<CertificateRequest>(object),
        "Issuer" => through::<Issuer>(object),
        _ => through::<ClusterIssuer>(object),
    }
}

#[test]
fn objects_come_back_as_they_were_stored() {
    let manifests = manifests();
    assert_eq!(manifests.len(), 15);
    for object in manifests {
        assert_eq!(written_again(&object), object, "{}", object["metadata"]["name"]);
    }
}

#[test]
fn the_manifests_use_every_field_of_the_schema() {
    let manifests = manifests();
    let crds = everleaf_api::crds::all();
    for crd in crds {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        let properties = &schema["openAPIV3Schema"]["properties"];
        // Issuer and ClusterIssuer have one schema, so their manifests count together.
        let wanted = crd.spec.names.kind.replace("Cluster", "");
        let objects: Vec<&Value> = manifests
            .iter()
            .filter(|object| object["kind"].as_str().unwrap().replace("Cluster", "") == wanted)
            .collect();
        for part in ["spec", "status"] {
            let values: Vec<&Value> = objects.iter().filter_map(|object| object.get(part)).collect();
            let missing = unused(&properties[part], &values, part);
            assert_eq!(missing, Vec::<String>::new(), "{}", crd.spec.names.kind);
        }
    }
}

/// Paths of the schema that none of the values has.
fn unused(schema: &Value, values: &[&Value], path: &str) -> Vec<String> {
    let mut missing = Vec::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let found: Vec<&Value> = values.iter().filter_map(|value| value.get(name)).collect();
        // One pod template is as good as another, and so is one selector of pods.
        let told_elsewhere = path.contains("gatewayHTTPRoute.podTemplate")
            || path.contains("affinity") && values.is_empty()
            || path.contains("Affinity.") && found.is_empty();
        if found.is_empty() && !told_elsewhere {
            missing.push(path.clone());
        }
        let items: Vec<&Value> = found.iter().filter_map(|value| value.as_array()).flatten().collect();
        let (inner, values) = match property.get("items") {
            Some(items_schema) => (items_schema, items),
            None => (property, found),
        };
        if !values.is_empty() {
            missing.extend(unused(inner, &values, &path));
        }
    }
    missing
}

#[test]
fn an_object_without_a_spec_can_be_read() {
    let bare: Certificate = serde_json::from_value(json!({ "metadata": { "name": "bare" } })).unwrap();
    assert_eq!(bare.spec, everleaf_api::CertificateSpec::default());
    assert!(everleaf_api::wanted(&bare.spec).is_err());
}

#[test]
fn words_of_later_versions_hide_no_object() {
    let later = json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": { "name": "later" },
        "spec": {
            "secretName": "later",
            "issuerRef": { "name": "ca" },
            "dnsNames": ["later.example.com"],
            "duration": "ninety days",
            "usages": ["server auth", "quantum auth"],
            "privateKey": { "algorithm": "ML-DSA", "encoding": "PKCS12", "rotationPolicy": "Sometimes" },
            "signatureAlgorithm": "PureMLDSA",
            "keystores": { "pkcs12": { "create": true, "profile": "Modern2040" } },
            "additionalOutputFormats": [{ "type": "Hologram" }],
            "renewal": { "policy": "WhenTheMoonIsFull" },
        },
        "status": { "conditions": [{ "type": "Ready", "status": "Perhaps" }] },
    });
    assert_eq!(written_again(&later), later);
}

#[test]
fn secrets_are_not_in_debug() {
    let certificate: Certificate = serde_json::from_value(manifests().remove(0)).unwrap();
    let printed = format!("{certificate:?}");
    assert!(printed.contains("everything-tls") && !printed.contains("letmein"), "{printed}");
}

#[test]
fn ten_thousand_cached_certificates_stay_small() {
    // A budget, not a law: raise it with a reason. The metadata is Kubernetes' own.
    assert!(
        size_of::<everleaf_api::CertificateSpec>() <= 528,
        "{}",
        size_of::<everleaf_api::CertificateSpec>()
    );
    assert!(
        size_of::<everleaf_api::CertificateStatus>() <= 224,
        "{}",
        size_of::<everleaf_api::CertificateStatus>()
    );
}

/// The object without a random part of its optional fields, at any depth.
fn thinned(value: &Value, dice: &mut u64) -> Value {
    const REQUIRED: [&str; 14] = [
        "apiVersion",
        "kind",
        "metadata",
        "spec",
        "issuerRef",
        "secretName",
        "name",
        "create",
        "type",
        "status",
        "cron",
        "windowDuration",
        "start",
        "end",
    ];
    let Value::Object(fields) = value else { return value.clone() };
    let mut kept = serde_json::Map::new();
    for (name, field) in fields {
        if REQUIRED.contains(&name.as_str()) || !throw(dice).is_multiple_of(3) {
            kept.insert(name.clone(), thinned(field, dice));
        }
    }
    Value::Object(kept)
}

/// The next number of a xorshift generator.
fn throw(dice: &mut u64) -> u64 {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    *dice
}

proptest! {
    #[test]
    fn any_part_of_a_certificate_comes_back_as_it_was(seed in 1u64..) {
        let rich = manifests().remove(0);
        let thin = thinned(&rich, &mut seed.clone());
        prop_assert_eq!(written_again(&thin), thin);
    }
}
