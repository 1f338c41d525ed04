//! The CustomResourceDefinitions: what kubectl and the API server get to see (certificate-lifecycle 1.1 to 1.4).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;

use everleaf_api::crds;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

fn crd(kind: &str) -> CustomResourceDefinition {
    crds::all().into_iter().find(|crd| crd.spec.names.kind == kind).unwrap()
}

fn schema(kind: &str) -> Value {
    serde_json::to_value(&crd(kind).spec.versions[0].schema).unwrap()["openAPIV3Schema"].clone()
}

/// The schema at a path such as `spec.acme.solvers[].http01`.
fn at(kind: &str, path: &str) -> Value {
    let mut schema = schema(kind);
    for step in path.split('.') {
        let (name, list) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
        schema = schema["properties"][name].clone();
        if list {
            schema = schema["items"].clone();
        }
        assert!(!schema.is_null(), "{kind} has no {path}");
    }
    schema
}

#[test]
fn files_on_disk_are_those_the_types_give() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crds");
    let generated = crds::generate();
    for (name, yaml) in &generated {
        let on_disk = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(on_disk == *yaml, "{name} is old: run `cargo run -p everleaf-api --example crds`");
    }
    let names: Vec<&str> = generated.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "cert-manager.io_certificaterequests.yaml",
        "cert-manager.io_certificates.yaml",
        "cert-manager.io_clusterissuers.yaml",
        "cert-manager.io_issuers.yaml",
    ];
    assert_eq!(names, expected);
}

#[test]
fn the_yaml_holds_what_was_generated() {
    for ((name, yaml), crd) in crds::generate().iter().zip(crds::all()) {
        let read: Value = serde_saphyr::from_str(yaml).unwrap();
        assert_eq!(read, serde_json::to_value(&crd).unwrap(), "{name}");
        // kubectl apply keeps a copy in an annotation, which may have 256 KiB.
        assert!(serde_json::to_string(&crd).unwrap().len() < 256 * 1024, "{name}");
    }
}

#[test]
fn kinds_have_the_names_and_scopes_that_clients_know() {
    let table = [
        ("Certificate", "certificates", ["cert", "certs"].as_slice(), "Namespaced"),
        ("CertificateRequest", "certificaterequests", &["cr", "crs"], "Namespaced"),
        ("Issuer", "issuers", &["iss"], "Namespaced"),
        ("ClusterIssuer", "clusterissuers", &["ciss"], "Cluster"),
    ];
    for (kind, plural, short, scope) in table {
        let crd = crd(kind);
        assert_eq!(crd.metadata.name.as_deref(), Some(format!("{plural}.cert-manager.io").as_str()));
        assert_eq!(crd.spec.scope, scope);
        assert_eq!(crd.spec.names.plural, plural);
        assert_eq!(crd.spec.names.singular.as_deref(), Some(kind.to_lowercase().as_str()));
        assert_eq!(crd.spec.names.list_kind.as_deref(), Some(format!("{kind}List").as_str()));
        assert_eq!(crd.spec.names.short_names.unwrap(), short);
        assert_eq!(crd.spec.names.categories.unwrap(), ["cert-manager"]);
        let version = &crd.spec.versions[0];
        assert_eq!((version.name.as_str(), version.served, version.storage), ("v1", true, true));
        let subresources = version.subresources.as_ref().unwrap();
        assert!(subresources.status.is_some() && subresources.scale.is_none());
    }
}

#[test]
fn kubectl_shows_the_columns_that_people_know() {
    const READY: &str = ".status.conditions[?(@.type == \"Ready\")].status";
    const MESSAGE: &str = ".status.conditions[?(@.type == \"Ready\")].message";
    const AGE: (&str, &str, &str, i32) = ("Age", ".metadata.creationTimestamp", "date", 0);
    let table = [
        (
            "Certificate",
            vec![
                ("Ready", READY, "string", 0),
                ("Secret", ".spec.secretName", "string", 0),
                ("Issuer", ".spec.issuerRef.name", "string", 1),
                ("Status", MESSAGE, "string", 1),
                ("Expiration", ".status.notAfter", "string", 1),
                AGE,
            ],
        ),
        (
            "CertificateRequest",
            vec![
                ("Approved", ".status.conditions[?(@.type == \"Approved\")].status", "string", 0),
                ("Denied", ".status.conditions[?(@.type == \"Denied\")].status", "string", 0),
                ("Ready", READY, "string", 0),
                ("Issuer", ".spec.issuerRef.name", "string", 0),
                ("Requester", ".spec.username", "string", 0),
                ("Status", MESSAGE, "string", 1),
                AGE,
            ],
        ),
        ("Issuer", vec![("Ready", READY, "string", 0), ("Status", MESSAGE, "string", 1), AGE]),
        ("ClusterIssuer", vec![("Ready", READY, "string", 0), ("Status", MESSAGE, "string", 1), AGE]),
    ];
    for (kind, expected) in table {
        let crd = crd(kind);
        let columns = crd.spec.versions[0].additional_printer_columns.as_ref().unwrap();
        let columns: Vec<_> = columns
            .iter()
            .map(|c| (c.name.as_str(), c.json_path.as_str(), c.type_.as_str(), c.priority.unwrap_or(0)))
            .collect();
        assert_eq!(columns, expected, "{kind}");
    }
}

#[test]
fn objects_can_be_selected_by_their_issuer() {
    for (kind, selectable) in
        [("Certificate", true), ("CertificateRequest", true), ("Issuer", false), ("ClusterIssuer", false)]
    {
        let crd = crd(kind);
        let fields = crd.spec.versions[0].selectable_fields.clone().unwrap_or_default();
        let paths: Vec<&str> = fields.iter().map(|field| field.json_path.as_str()).collect();
        let expected = [".spec.issuerRef.group", ".spec.issuerRef.kind", ".spec.issuerRef.name"];
        assert_eq!(paths, if selectable { expected.as_slice() } else { &[] }, "{kind}");
    }
}

#[test]
fn required_fields_are_those_of_the_reference() {
    let table: &[(&str, &str, &[&str])] = &[
        ("Certificate", "spec", &["issuerRef", "secretName"]),
        ("Certificate", "spec.issuerRef", &["name"]),
        ("Certificate", "spec.subject", &[]),
        ("Certificate", "spec.otherNames[]", &[]),
        ("Certificate", "spec.keystores.jks", &["create"]),
        ("Certificate", "spec.keystores.pkcs12", &["create"]),
        ("Certificate", "spec.keystores.jks.passwordSecretRef", &["name"]),
        ("Certificate", "spec.renewal", &[]),
        ("Certificate", "spec.renewal.windows[]", &["cron", "windowDuration"]),
        ("Certificate", "spec.additionalOutputFormats[]", &["type"]),
        ("Certificate", "status.conditions[]", &["status", "type"]),
        ("Certificate", "status.acme.ari", &[]),
        ("Certificate", "status.acme.ari.suggestedWindow", &["end", "start"]),
        ("CertificateRequest", "spec", &["issuerRef", "request"]),
        ("CertificateRequest", "status.conditions[]", &["status", "type"]),
        ("Issuer", "spec", &[]),
        ("Issuer", "spec.ca", &["secretName"]),
        ("Issuer", "spec.selfSigned", &[]),
        ("Issuer", "spec.vault", &["auth", "path", "server"]),
        ("Issuer", "spec.vault.auth", &[]),
        ("Issuer", "spec.vault.auth.appRole", &["path", "roleId", "secretRef"]),
        ("Issuer", "spec.vault.auth.clientCertificate", &[]),
        ("Issuer", "spec.vault.auth.kubernetes", &["role"]),
        ("Issuer", "spec.vault.auth.kubernetes.serviceAccountRef", &["name"]),
        ("Issuer", "spec.vault.auth.aws", &["role"]),
        ("Issuer", "spec.vault.clientCertSecretRef", &["name"]),
        ("Issuer", "spec.venafi", &["zone"]),
        ("Issuer", "spec.venafi.tpp", &["credentialsRef", "url"]),
        ("Issuer", "spec.venafi.cloud", &["apiTokenSecretRef"]),
        ("Issuer", "spec.venafi.ngts", &["credentialsRef", "tsgID"]),
        ("Issuer", "spec.acme", &["privateKeySecretRef", "server"]),
        ("Issuer", "spec.acme.externalAccountBinding", &["keyID", "keySecretRef"]),
        ("Issuer", "spec.acme.solvers[]", &[]),
        ("Issuer", "spec.acme.solvers[].http01.gatewayHTTPRoute.parentRefs[]", &["name"]),
        (
            "Issuer",
            "spec.acme.solvers[].dns01.akamai",
            &[
                "accessTokenSecretRef",
                "clientSecretSecretRef",
                "clientTokenSecretRef",
                "serviceConsumerDomain",
            ],
        ),
        ("Issuer", "spec.acme.solvers[].dns01.cloudDNS", &["project"]),
        ("Issuer", "spec.acme.solvers[].dns01.cloudflare", &[]),
        ("Issuer", "spec.acme.solvers[].dns01.digitalocean", &["tokenSecretRef"]),
        ("Issuer", "spec.acme.solvers[].dns01.acmeDNS", &["accountSecretRef", "host"]),
        ("Issuer", "spec.acme.solvers[].dns01.azureDNS", &["resourceGroupName", "subscriptionID"]),
        ("Issuer", "spec.acme.solvers[].dns01.rfc2136", &["nameserver"]),
        ("Issuer", "spec.acme.solvers[].dns01.route53", &[]),
        ("Issuer", "spec.acme.solvers[].dns01.route53.auth", &["kubernetes"]),
        ("Issuer", "spec.acme.solvers[].dns01.route53.auth.kubernetes", &["serviceAccountRef"]),
        ("Issuer", "spec.acme.solvers[].dns01.webhook", &["groupName", "solverName"]),
        ("Issuer", "status.conditions[]", &["status", "type"]),
    ];
    for (kind, path, expected) in table {
        let found = at(kind, path)["required"].clone();
        let mut found: Vec<String> = serde_json::from_value(found).unwrap_or_default();
        found.sort();
        assert_eq!(found, *expected, "{kind} {path}");
    }
}

#[test]
fn a_spec_is_required_of_issuers_only() {
    for (kind, required) in [
        ("Certificate", json!(null)),
        ("CertificateRequest", json!(null)),
        ("Issuer", json!(["spec"])),
        ("ClusterIssuer", json!(["spec"])),
    ] {
        let found = schema(kind)["required"].clone();
        assert!(found == required || required.is_null() && found == json!([]), "{kind}: {found}");
    }
}

#[test]
fn limits_are_those_of_the_reference() {
    const DNS01: &str = "spec.acme.solvers[].dns01";
    let table = [
        (
            "Certificate",
            "spec.privateKey.algorithm".to_owned(),
            json!({ "enum": ["RSA", "ECDSA", "Ed25519"] }),
        ),
        ("Certificate", "spec.privateKey.encoding".into(), json!({ "enum": ["PKCS1", "PKCS8"] })),
        ("Certificate", "spec.privateKey.rotationPolicy".into(), json!({ "enum": ["Never", "Always"] })),
        ("Certificate", "spec.privateKey.size".into(), json!({ "type": "integer", "format": null })),
        ("Certificate", "spec.renewBeforePercentage".into(), json!({ "type": "integer", "format": "int32" })),
        ("Certificate", "spec.revisionHistoryLimit".into(), json!({ "type": "integer", "format": "int32" })),
        ("Certificate", "spec.duration".into(), json!({ "type": "string", "format": null })),
        ("Certificate", "spec.renewal.policy".into(), json!({ "enum": ["RenewBefore", "Disabled"] })),
        ("Certificate", "spec.renewal.windows[].cron".into(), json!({ "minLength": 1 })),
        ("Certificate", "spec.renewal.windows[].timezone".into(), json!({ "minLength": 1 })),
        (
            "Certificate",
            "spec.keystores.pkcs12.profile".into(),
            json!({ "enum": ["LegacyRC2", "LegacyDES", "Modern2023", "Modern2026"] }),
        ),
        (
            "Certificate",
            "spec.additionalOutputFormats[].type".into(),
            json!({ "enum": ["DER", "CombinedPEM"] }),
        ),
        ("Certificate", "status.conditions[].status".into(), json!({ "enum": ["True", "False", "Unknown"] })),
        ("Certificate", "status.conditions[].observedGeneration".into(), json!({ "format": "int64" })),
        ("Certificate", "status.notAfter".into(), json!({ "type": "string", "format": "date-time" })),
        ("Certificate", "status.revision".into(), json!({ "type": "integer", "format": null })),
        ("CertificateRequest", "spec.request".into(), json!({ "type": "string", "format": "byte" })),
        ("CertificateRequest", "status.certificate".into(), json!({ "type": "string", "format": "byte" })),
        ("Issuer", "spec.vault.auth.aws.role".into(), json!({ "minLength": 1 })),
        ("Issuer", "spec.vault.caBundle".into(), json!({ "format": "byte" })),
        ("Issuer", "spec.acme.preferredChain".into(), json!({ "maxLength": 64 })),
        (
            "Issuer",
            "spec.acme.externalAccountBinding.keyAlgorithm".into(),
            json!({ "enum": ["HS256", "HS384", "HS512"] }),
        ),
        ("Issuer", format!("{DNS01}.cnameStrategy"), json!({ "enum": ["None", "Follow"] })),
        ("Issuer", format!("{DNS01}.rfc2136.protocol"), json!({ "enum": ["TCP", "UDP"] })),
        (
            "Issuer",
            format!("{DNS01}.azureDNS.environment"),
            json!({ "enum": ["AzurePublicCloud", "AzureChinaCloud", "AzureGermanCloud", "AzureUSGovernmentCloud"] }),
        ),
        (
            "Issuer",
            format!("{DNS01}.webhook.config"),
            json!({ "type": null, "x-kubernetes-preserve-unknown-fields": true }),
        ),
    ];
    for (kind, path, expected) in table {
        let found = at(kind, &path);
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(found[key], *value, "{kind} {path} {key}");
        }
    }
    assert_eq!(
        at("Certificate", "spec")["properties"]["usages"]["items"]["enum"].as_array().unwrap().len(),
        23
    );
    let rules = at("Issuer", "spec.venafi")["x-kubernetes-validations"].clone();
    assert!(rules[0]["rule"].as_str().unwrap().contains("self.ngts"), "{rules}");
}

#[test]
fn several_writers_can_own_conditions_and_nothing_else_of_a_list() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut maps = Vec::new();
    for crd in crds::all() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        each(&schema["openAPIV3Schema"], "", &mut |path, schema| {
            if schema["type"] == "array" && !path.ends_with("{}") {
                let list_type = schema["x-kubernetes-list-type"].as_str().unwrap_or("none").to_owned();
                if list_type == "map" {
                    maps.push((path.to_owned(), schema["x-kubernetes-list-map-keys"][0].clone()));
                }
                *kinds.entry(format!("list {list_type}")).or_default() += 1;
            }
            for key in ["x-kubernetes-map-type", "x-kubernetes-int-or-string"] {
                if !schema[key].is_null() {
                    *kinds.entry(key.to_owned()).or_default() += 1;
                }
            }
        });
    }
    // Together with the solver of a Challenge (95 lists) and the 4 lists of an Order these are the 328 atomic lists, the 72
    // atomic maps and the 12 quantities of the six definitions of cert-manager (rust-ecosystem 1.1).
    let expected = [
        ("list atomic", 229),
        ("list map", 8),
        ("x-kubernetes-int-or-string", 8),
        ("x-kubernetes-map-type", 48),
    ];
    assert_eq!(kinds, expected.map(|(name, count)| (name.to_owned(), count)).into());
    for (path, key) in maps {
        let conditions = path.ends_with("conditions") && key == "type";
        let pull_secrets = path.ends_with("imagePullSecrets") && key == "name";
        assert!(conditions || pull_secrets, "{path}");
    }
}

#[test]
fn schemas_are_structural_and_write_no_defaults_into_specs() {
    let mut defaults = Vec::new();
    for crd in crds::all() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        each(&schema["openAPIV3Schema"], "", &mut |path, schema| {
            for key in ["$ref", "$schema", "nullable", "title", "allOf", "oneOf", "not"] {
                assert!(schema[key].is_null(), "{path} has {key}");
            }
            let free = schema["x-kubernetes-int-or-string"] == true
                || schema["x-kubernetes-preserve-unknown-fields"] == true;
            assert!(schema["type"].is_string() || free, "{path} has no type");
            if !schema["default"].is_null() && crd.spec.names.kind == "Issuer" {
                defaults.push((path.rsplit_once("[]").unwrap().1.to_owned(), schema["default"].clone()));
            }
        });
    }
    defaults.sort_by(|a, b| a.0.cmp(&b.0));
    // Inherited from the Gateway API and from Kubernetes, as upstream.
    let expected = [
        (".group".to_owned(), json!("gateway.networking.k8s.io")),
        (".kind".to_owned(), json!("Gateway")),
        (".name".to_owned(), json!("")),
        (".name".to_owned(), json!("")),
    ];
    assert_eq!(defaults, expected);
}

#[test]
fn every_field_is_described_in_our_words() {
    for crd in crds::all() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        each(&schema["openAPIV3Schema"], "", &mut |path, schema| {
            let is_field =
                !path.is_empty() && !path.ends_with("[]") && !path.ends_with("{}") && path != ".metadata";
            let description = schema["description"].as_str().unwrap_or_default();
            assert!(!is_field || description.ends_with('.'), "{path}: {description:?}");
            // Kubernetes' own texts for affinity and the like are long.
            assert!(description.len() < 400, "{path}: {description:?}");
            for leak in ["`Option", "crate::", "[`", "None`:"] {
                assert!(!description.contains(leak), "{path}: {description:?}");
            }
        });
    }
}

/// Calls `look` with every schema below and its path: `.field`, `[]` for items, `{}` for values of a map.
fn each(schema: &Value, path: &str, look: &mut impl FnMut(&str, &Value)) {
    look(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        each(property, &format!("{path}.{name}"), look);
    }
    if schema["items"].is_object() {
        each(&schema["items"], &format!("{path}[]"), look);
    }
    if schema["additionalProperties"].is_object() {
        each(&schema["additionalProperties"], &format!("{path}{{}}"), look);
    }
}
