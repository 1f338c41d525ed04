//! Namespaces: what a new one has, and who holds one that is going.
//! A namespace goes when its finalizers in `spec` and in the metadata are gone; the collector takes out its own when it is empty.
//! Emptying is done by the collector, not here.

use serde_json::{Map, Value, json};

use crate::object;

/// The finalizer in `spec` that stands for the collector.
pub(crate) const KUBERNETES: &str = "kubernetes";
/// The label that every namespace carries its name in.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Fills in what a new namespace has.
pub(super) fn begin(namespace: &mut Value) {
    let name = object::name(namespace).to_owned();
    let meta = object::meta_mut(namespace);
    let labels = meta.map(|meta| meta.entry("labels").or_insert_with(|| Value::Object(Map::new())));
    if let Some(labels) = labels.and_then(Value::as_object_mut).filter(|_| !name.is_empty()) {
        labels.insert(NAME_LABEL.to_owned(), name.into());
    }
    if let Some(root) = namespace.as_object_mut() {
        root.insert("spec".to_owned(), json!({"finalizers": [KUBERNETES]}));
        root.insert("status".to_owned(), json!({"phase": "Active"}));
    }
}

/// Who must still let go of a namespace, beside the finalizers of its metadata.
pub(crate) fn holders(namespace: &Value) -> Vec<String> {
    let list = namespace.pointer("/spec/finalizers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
