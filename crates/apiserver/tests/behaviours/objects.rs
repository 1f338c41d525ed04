//! Paths and objects that rows are made of. `$ns` is the row's namespace.

use serde_json::{Map, Value, json};

pub const SECRETS: &str = "/api/v1/namespaces/$ns/secrets";
pub const MAPS: &str = "/api/v1/namespaces/$ns/configmaps";
pub const EVENTS: &str = "/api/v1/namespaces/$ns/events";
pub const NEW_EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/$ns/events";
pub const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/$ns/leases";
pub const ACCOUNTS: &str = "/api/v1/namespaces/$ns/serviceaccounts";
pub const WIDGETS: &str = "/apis/behaviours.everleaf.dev/v1/namespaces/$ns/widgets";
pub const ALL_WIDGETS: &str = "/apis/behaviours.everleaf.dev/v1/widgets";

/// The path of an object or of what is below it.
pub fn at(collection: &str, rest: &str) -> String {
    format!("{collection}/{rest}")
}

/// A widget by this name with this spec.
pub fn widget(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "behaviours.everleaf.dev/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec})
}

/// A red widget.
pub fn red(name: &str) -> Value {
    widget(name, json!({"color": "red"}))
}

/// A widget's status alone.
pub fn widget_status(name: &str, status: Value) -> Value {
    json!({"apiVersion": "behaviours.everleaf.dev/v1", "kind": "Widget", "metadata": {"name": name}, "status": status})
}

/// A Secret with this data, already in base64.
pub fn secret(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})
}

/// A ConfigMap with this data.
pub fn map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// The object with these in its metadata too.
pub fn with(mut object: Value, meta: Value) -> Value {
    let into: &mut Map<String, Value> = object["metadata"].as_object_mut().unwrap();
    into.extend(meta.as_object().unwrap().clone());
    object
}

/// The object owned by a ConfigMap whose uid was kept.
pub fn owned(object: Value, name: &str, uid: &str) -> Value {
    with(object, json!({"ownerReferences": [owner(name, uid)]}))
}

/// A reference to a ConfigMap.
pub fn owner(name: &str, uid: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid})
}

/// A core event.
pub fn event(name: &str, about: &str) -> Value {
    json!({"metadata": {"name": name}, "involvedObject": {"kind": "Secret", "name": about, "namespace": "$ns"},
        "reason": "Happened", "message": "it happened", "type": "Normal", "source": {"component": "tester"}})
}

/// A kind made for these rows: it has everything a schema can have that matters to clients.
pub fn widget_definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.behaviours.everleaf.dev"},
        "spec": {
            "group": "behaviours.everleaf.dev", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList",
                "shortNames": ["wi"], "categories": ["things"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "selectableFields": [{"jsonPath": ".spec.color"}, {"jsonPath": ".spec.maker.name"}],
                "additionalPrinterColumns": [
                    {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type == \"Ready\")].status"},
                    {"name": "Color", "type": "string", "jsonPath": ".spec.color", "priority": 1},
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "schema": {"openAPIV3Schema": schema()},
            }],
        },
    })
}

fn schema() -> Value {
    let text = || json!({"type": "string"});
    let condition = json!({"type": "object", "required": ["type", "status"], "properties": {
        "type": text(), "status": {"type": "string", "enum": ["True", "False", "Unknown"]}, "reason": text(),
        "message": text(), "lastTransitionTime": {"type": "string", "format": "date-time"}}});
    let part = json!({"type": "object", "required": ["id"], "properties": {
        "id": text(), "count": {"type": "integer"}, "unit": {"type": "string", "default": "piece"}}});
    json!({
        "type": "object", "description": "A thing for tests.",
        "properties": {
            "apiVersion": text(), "kind": text(), "metadata": {"type": "object"},
            "spec": {"type": "object", "required": ["color"], "properties": {
                "color": {"type": "string", "enum": ["red", "green", "blue"], "description": "Its color."},
                "size": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 10},
                "name": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 8},
                "shape": {"type": "string", "default": "round"},
                "port": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                "note": {"type": "string", "nullable": true},
                "maker": {"type": "object", "properties": {"name": text(), "kind": {"type": "string", "default": "Person"}}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "tags": {"type": "object", "additionalProperties": text()},
                "block": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": text(), "b": text()}},
                "list": {"type": "array", "items": text(), "maxItems": 4},
                "set": {"type": "array", "x-kubernetes-list-type": "set", "items": text()},
                "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"], "items": part},
                "on": {"type": "boolean"}, "weight": {"type": "number"},
                "since": {"type": "string", "format": "date-time"},
            }},
            "status": {"type": "object", "properties": {
                "phase": text(), "observedGeneration": {"type": "integer", "format": "int64"},
                "conditions": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                    "items": condition},
            }},
        },
    })
}
