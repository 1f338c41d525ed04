//! OpenAPI v3: an index, and a document for each group and version.
//! `kubectl` reads it for `explain`, and to know that the server checks fields (`fieldValidation`) and how to apply.
//! Written at the first request and kept; nothing in it changes while the server runs.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value, json};

use crate::body::Body;
use crate::kinds::{Registry, Resource};
use crate::respond;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
/// FNV-1a: names a document by its content, so that clients may keep it.
const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_STEP: u64 = 0x0100_0000_01b3;

/// The documents, once they were asked for.
#[derive(Debug, Default)]
pub(crate) struct OpenApi {
    documents: OnceLock<BTreeMap<String, Bytes>>,
}

impl OpenApi {
    fn documents(&self, registry: &Registry) -> &BTreeMap<String, Bytes> {
        self.documents.get_or_init(|| {
            let versions = registry.group_versions().into_iter();
            versions
                .map(|(group, version)| {
                    let document = document(registry, group, version);
                    (root(group, version), serde_json::to_vec(&document).unwrap_or_default().into())
                })
                .collect()
        })
    }

    /// `/openapi/v3`
    pub(crate) fn index(&self, registry: &Registry) -> Response<Body> {
        let mut paths = Map::new();
        for (path, document) in self.documents(registry) {
            let hash = document
                .iter()
                .fold(FNV_START, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_STEP));
            let url = format!("/openapi/v3/{path}?hash={hash:016X}");
            paths.insert(path.clone(), json!({ "serverRelativeURL": url }));
        }
        respond::value(200, &json!({ "paths": paths }))
    }

    /// `/openapi/v3/{path}`
    pub(crate) fn document(&self, registry: &Registry, path: &str) -> Option<Response<Body>> {
        self.documents(registry).get(path).map(|document| respond::bytes(200, document.clone()))
    }
}

fn root(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

fn document(registry: &Registry, group: &str, version: &str) -> Value {
    let mut schemas = shared_schemas(registry);
    let mut paths = Map::new();
    let of = registry.all().iter().filter(|resource| resource.group == group && resource.version == version);
    for resource in of {
        schemas.insert(schema_name(resource, &resource.kind), object_schema(resource));
        schemas.insert(schema_name(resource, &resource.list_kind), list_schema(resource));
        add_paths(resource, &mut paths);
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Everleaf", "version": concat!("v", env!("CARGO_PKG_VERSION"))},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn shared_schemas(registry: &Registry) -> Map<String, Value> {
    let mut schemas = Map::new();
    let any = |words: &str| json!({"type": "object", "description": words});
    schemas.insert(format!("{META}.ObjectMeta"), registry.raw_meta.clone());
    schemas.insert(
        format!("{META}.ListMeta"),
        json!({"type": "object", "description": "What every list carries.", "properties": {
            "resourceVersion": {"type": "string", "description": "The version of the store that the list shows."},
            "continue": {"type": "string", "description": "How to ask for the next page."},
            "remainingItemCount": {"type": "integer", "format": "int64", "description": "How many items follow."},
        }}),
    );
    schemas.insert(format!("{META}.Patch"), any("A change of an object."));
    schemas.insert(format!("{META}.Status"), any("The outcome of a request."));
    schemas.insert(format!("{META}.DeleteOptions"), any("How to delete."));
    schemas
}

/// `x.dev/v1` Widget -> `dev.x.v1.Widget`; core kinds have the prefix clients know.
fn schema_name(resource: &Resource, kind: &str) -> String {
    let group = match resource.group.as_str() {
        "" => "io.k8s.api.core".to_owned(),
        group => group.split('.').rev().collect::<Vec<_>>().join("."),
    };
    format!("{group}.{}.{kind}", resource.version)
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn kind_of(resource: &Resource, kind: &str) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": kind})
}

fn object_schema(resource: &Resource) -> Value {
    let mut schema = resource.raw_schema.clone();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        let words = "What every object carries.";
        let meta = json!({"description": words, "allOf": [reference(&format!("{META}.ObjectMeta"))]});
        properties.insert("metadata".to_owned(), meta);
    }
    if let Some(root) = schema.as_object_mut() {
        let kind = json!([kind_of(resource, &resource.kind)]);
        root.insert("x-kubernetes-group-version-kind".to_owned(), kind);
    }
    schema
}

fn list_schema(resource: &Resource) -> Value {
    json!({
        "type": "object", "description": format!("A list of objects of kind {}.", resource.kind), "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Group and version of this list."},
            "kind": {"type": "string", "description": "Kind of this list."},
            "metadata": {"description": "What every list carries.", "allOf": [reference(&format!("{META}.ListMeta"))]},
            "items": {"type": "array", "description": "The objects.", "items": reference(&schema_name(resource, &resource.kind))},
        },
        "x-kubernetes-group-version-kind": [kind_of(resource, &resource.list_kind)],
    })
}

/// What an operation does: the method, what Kubernetes calls it, and the parameters it takes.
struct Operation {
    method: &'static str,
    action: &'static str,
    parameters: &'static [&'static str],
}

const LIST: [&str; 9] = [
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
];
const WRITE: [&str; 3] = ["dryRun", "fieldManager", "fieldValidation"];
const PATCH: [&str; 4] = ["dryRun", "fieldManager", "fieldValidation", "force"];
const DELETE: [&str; 3] = ["dryRun", "orphanDependents", "propagationPolicy"];

const GET_LIST: Operation = Operation { method: "get", action: "list", parameters: &LIST };
const POST: Operation = Operation { method: "post", action: "post", parameters: &WRITE };
const DELETE_ALL: Operation = Operation { method: "delete", action: "deletecollection", parameters: &LIST };
const GET: Operation = Operation { method: "get", action: "get", parameters: &[] };
const PUT: Operation = Operation { method: "put", action: "put", parameters: &WRITE };
const PATCH_ONE: Operation = Operation { method: "patch", action: "patch", parameters: &PATCH };
const DELETE_ONE: Operation = Operation { method: "delete", action: "delete", parameters: &DELETE };

fn add_paths(resource: &Resource, paths: &mut Map<String, Value>) {
    let root = format!("/{}", root(&resource.group, &resource.version));
    let plural = &resource.plural;
    let all = match resource.is_namespaced() {
        true => format!("{root}/namespaces/{{namespace}}/{plural}"),
        false => format!("{root}/{plural}"),
    };
    let mut add = |path: String, operations: &[&Operation]| {
        paths.insert(path, path_item(resource, operations));
    };
    if resource.is_review() {
        return add(all, &[&POST]);
    }
    if resource.is_namespaced() {
        add(format!("{root}/{plural}"), &[&GET_LIST]);
    }
    add(format!("{all}/{{name}}"), &[&GET, &PUT, &PATCH_ONE, &DELETE_ONE]);
    if resource.has_status {
        add(format!("{all}/{{name}}/status"), &[&GET, &PUT, &PATCH_ONE]);
    }
    if resource.verbs().contains(&"deletecollection") {
        add(all, &[&GET_LIST, &POST, &DELETE_ALL]);
    } else {
        add(all, &[&GET_LIST, &POST]);
    }
}

fn path_item(resource: &Resource, operations: &[&Operation]) -> Value {
    let each = operations.iter().map(|op| (op.method.to_owned(), operation(resource, op)));
    Value::Object(each.collect())
}

fn operation(resource: &Resource, operation: &Operation) -> Value {
    let parameter =
        |name: &&str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let parameters: Vec<Value> = operation.parameters.iter().map(parameter).collect();
    let own = reference(&schema_name(resource, &resource.kind));
    let answer = match operation.action {
        "list" => reference(&schema_name(resource, &resource.list_kind)),
        "delete" | "deletecollection" => reference(&format!("{META}.Status")),
        _ => own.clone(),
    };
    let mut described = json!({
        "description": format!("{} {}", operation.action, resource.kind),
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": answer}}}},
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": kind_of(resource, &resource.kind),
    });
    let patch = reference(&format!("{META}.Patch"));
    let content = match operation.method {
        "post" | "put" => json!({"application/json": {"schema": own}}),
        "patch" if resource.is_custom() => json!({
            "application/apply-patch+yaml": {"schema": patch}, "application/json-patch+json": {"schema": patch},
            "application/merge-patch+json": {"schema": patch},
        }),
        "patch" => json!({
            "application/apply-patch+yaml": {"schema": patch}, "application/json-patch+json": {"schema": patch},
            "application/merge-patch+json": {"schema": patch},
            "application/strategic-merge-patch+json": {"schema": patch},
        }),
        _ => return described,
    };
    if let Some(map) = described.as_object_mut() {
        map.insert("requestBody".to_owned(), json!({"content": content, "required": true}));
    }
    described
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_to_a_schema() {
        let registry = Registry::with(&[]).unwrap();
        for (group, version) in registry.group_versions() {
            let document = document(&registry, group, version);
            let schemas = document.pointer("/components/schemas").unwrap().as_object().unwrap();
            let text = document.to_string();
            for reference in text.split("#/components/schemas/").skip(1) {
                let name = reference.split('"').next().unwrap();
                assert!(schemas.contains_key(name), "{group}/{version}: {name}");
            }
        }
    }

    #[test]
    fn kubectl_finds_what_it_looks_for() {
        let registry = Registry::with(&[]).unwrap();
        let document = document(&registry, "", "v1");
        let patch =
            document.pointer("/paths/~1api~1v1~1namespaces~1{namespace}~1secrets~1{name}/patch").unwrap();
        assert_eq!(patch.get("x-kubernetes-action"), Some(&json!("patch")));
        assert!(patch.to_string().contains("fieldValidation"));
        let kind = document
            .pointer("/components/schemas/io.k8s.api.core.v1.Secret/x-kubernetes-group-version-kind/0");
        assert_eq!(kind, Some(&json!({"group": "", "version": "v1", "kind": "Secret"})));
    }
}
