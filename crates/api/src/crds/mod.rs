//! The CustomResourceDefinitions, made from the types: names, columns, selectable fields, schemas.
//! A cluster that had the definitions of cert-manager 1.21 can be given these: the same fields, limits and list types.
//! Nothing here writes files; `cargo run -p everleaf-api --example crds` does.

mod kubernetes_words;
mod rules;
mod schema;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, CustomResourceSubresourceStatus,
    CustomResourceSubresources, CustomResourceValidation, JSONSchemaProps, SelectableField,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;

use crate::certificate::{Certificate, CertificateSpec, CertificateStatus};
use crate::certificate_request::{CertificateRequest, CertificateRequestSpec, CertificateRequestStatus};
use crate::issuer::{ClusterIssuer, Issuer, IssuerSpec, IssuerStatus};
use crate::names::{GROUP, VERSION};
use crate::resource::Root;

/// First lines of each file.
const FILE_HEAD: &str =
    "# Made by `cargo run -p everleaf-api --example crds` from the types in crates/api. Do not edit.\n";

/// The definitions of all kinds.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![
        definition::<CertificateRequest, CertificateRequestSpec, CertificateRequestStatus>(&Shape {
            description: "A CertificateRequest asks an issuer once to sign. It is signed after it was approved, ends \
                issued, failed or denied, and can't be used again. Its spec can't be changed.",
            columns: request_columns(),
            refers_to_issuer: true,
            needs_spec: false,
        }),
        definition::<Certificate, CertificateSpec, CertificateStatus>(&Shape {
            description: "A Certificate asks for a private key and a signed X.509 certificate in a Secret. They are \
                made when the Secret is missing or doesn't match, and renewed before they expire.",
            columns: certificate_columns(),
            refers_to_issuer: true,
            needs_spec: false,
        }),
        definition::<ClusterIssuer, IssuerSpec, IssuerStatus>(&Shape {
            description: "A ClusterIssuer is a certificate authority that Certificates of all namespaces can refer to.",
            columns: issuer_columns(),
            refers_to_issuer: false,
            needs_spec: true,
        }),
        definition::<Issuer, IssuerSpec, IssuerStatus>(&Shape {
            description: "An Issuer is a certificate authority that Certificates of its own namespace can refer to.",
            columns: issuer_columns(),
            refers_to_issuer: false,
            needs_spec: true,
        }),
    ]
}

/// The definitions as files: name and YAML.
pub fn generate() -> Vec<(String, String)> {
    all().iter().map(|crd| (file_name(crd), format!("{FILE_HEAD}{}", yaml(crd)))).collect()
}

/// What the types don't say.
struct Shape {
    description: &'static str,
    columns: Vec<CustomResourceColumnDefinition>,
    refers_to_issuer: bool,
    needs_spec: bool,
}

fn definition<K: Root, Spec: JsonSchema, Status: JsonSchema>(shape: &Shape) -> CustomResourceDefinition {
    let names = K::NAMES;
    CustomResourceDefinition {
        metadata: ObjectMeta { name: Some(format!("{}.{GROUP}", names.plural)), ..Default::default() },
        spec: CustomResourceDefinitionSpec {
            group: GROUP.to_owned(),
            names: CustomResourceDefinitionNames {
                categories: Some(vec!["cert-manager".to_owned()]),
                kind: names.kind.to_owned(),
                list_kind: Some(format!("{}List", names.kind)),
                plural: names.plural.to_owned(),
                short_names: Some(names.short_names.iter().map(|&name| name.to_owned()).collect()),
                singular: Some(names.kind.to_lowercase()),
            },
            scope: if names.namespaced { "Namespaced" } else { "Cluster" }.to_owned(),
            versions: vec![version::<Spec, Status>(names.kind, shape)],
            ..Default::default()
        },
        status: None,
    }
}

fn version<Spec: JsonSchema, Status: JsonSchema>(
    kind: &str,
    shape: &Shape,
) -> CustomResourceDefinitionVersion {
    let selectable = ["group", "kind", "name"].map(|field| format!(".spec.issuerRef.{field}"));
    CustomResourceDefinitionVersion {
        name: VERSION.to_owned(),
        served: true,
        storage: true,
        additional_printer_columns: Some(shape.columns.clone()),
        schema: Some(CustomResourceValidation {
            open_api_v3_schema: Some(root_schema::<Spec, Status>(kind, shape)),
        }),
        selectable_fields: shape
            .refers_to_issuer
            .then(|| selectable.map(|json_path| SelectableField { json_path }).to_vec()),
        subresources: Some(CustomResourceSubresources {
            scale: None,
            status: Some(CustomResourceSubresourceStatus(serde_json::json!({}))),
        }),
        ..Default::default()
    }
}

fn root_schema<Spec: JsonSchema, Status: JsonSchema>(kind: &str, shape: &Shape) -> JSONSchemaProps {
    let mut required = Vec::new();
    if shape.needs_spec {
        required.push("spec");
    }
    let mut root = serde_json::json!({
        "description": shape.description,
        "type": "object",
        "required": required,
        "properties": {
            "apiVersion": {
                "type": "string",
                "description": "Group and version of the schema that this object is written in.",
            },
            "kind": { "type": "string", "description": "What kind of object this is." },
            "metadata": { "type": "object" },
            "spec": schema::described::<Spec>("What is asked for."),
            "status": schema::described::<Status>("What was observed. Written by the controller."),
        },
    });
    let lost = rules::put_into(&mut root, kind);
    debug_assert!(lost.is_empty(), "rules of {kind} for fields that aren't there: {lost:?}");
    schema::typed(root)
}

fn certificate_columns() -> Vec<CustomResourceColumnDefinition> {
    vec![
        column("Ready", CONDITION_STATUS, "Ready", Shown::Always),
        column("Secret", ".spec.secretName", "", Shown::Always),
        column("Issuer", ".spec.issuerRef.name", "", Shown::Wide),
        column("Status", CONDITION_MESSAGE, "Ready", Shown::Wide),
        // A date column shows how long ago a time was, so a time to come would read `<invalid>`.
        column("Expiration", ".status.notAfter", "", Shown::Wide),
        age(),
    ]
}

fn request_columns() -> Vec<CustomResourceColumnDefinition> {
    vec![
        column("Approved", CONDITION_STATUS, "Approved", Shown::Always),
        column("Denied", CONDITION_STATUS, "Denied", Shown::Always),
        column("Ready", CONDITION_STATUS, "Ready", Shown::Always),
        column("Issuer", ".spec.issuerRef.name", "", Shown::Always),
        column("Requester", ".spec.username", "", Shown::Always),
        column("Status", CONDITION_MESSAGE, "Ready", Shown::Wide),
        age(),
    ]
}

fn issuer_columns() -> Vec<CustomResourceColumnDefinition> {
    vec![
        column("Ready", CONDITION_STATUS, "Ready", Shown::Always),
        column("Status", CONDITION_MESSAGE, "Ready", Shown::Wide),
        age(),
    ]
}

const CONDITION_STATUS: &str = ".status.conditions[?(@.type == \"TYPE\")].status";
const CONDITION_MESSAGE: &str = ".status.conditions[?(@.type == \"TYPE\")].message";

/// When kubectl shows a column.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    Always,
    /// With `-o wide` only.
    Wide,
}

fn column(name: &str, path: &str, condition: &str, shown: Shown) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        name: name.to_owned(),
        json_path: path.replace("TYPE", condition),
        type_: "string".to_owned(),
        priority: (shown == Shown::Wide).then_some(1),
        ..Default::default()
    }
}

fn age() -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        type_: "date".to_owned(),
        description: Some("When the object was created.".to_owned()),
        ..column("Age", ".metadata.creationTimestamp", "", Shown::Always)
    }
}

fn file_name(crd: &CustomResourceDefinition) -> String {
    format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural)
}

// The definitions are the same in every run; a test writes them all.
#[allow(clippy::expect_used)]
fn yaml(crd: &CustomResourceDefinition) -> String {
    serde_saphyr::to_string(crd).expect("a definition can be written as YAML")
}
