//! Reading and writing the parts of an object that every kind has.
//! An object is a JSON value; a part of the wrong type reads as if it weren't there.
//! Schema checks come before, so nothing here complains.

use serde_json::{Map, Value};

/// The finalizer that makes a deletion wait for dependents.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer that makes a deletion set dependents free.
pub(crate) const ORPHAN: &str = "orphan";

/// An owner as an object names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner<'a> {
    pub(crate) api_version: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) name: &'a str,
    pub(crate) uid: &'a str,
    /// Whether a foreground deletion of the owner waits for the object.
    pub(crate) blocks: bool,
}

/// The metadata.
pub(crate) fn meta(object: &Value) -> Option<&Map<String, Value>> {
    object.get("metadata").and_then(Value::as_object)
}

/// The metadata, made if it isn't there.
pub(crate) fn meta_mut(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let root = object.as_object_mut()?;
    let meta = root.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if !meta.is_object() {
        *meta = Value::Object(Map::new());
    }
    meta.as_object_mut()
}

fn meta_text<'a>(object: &'a Value, key: &str) -> &'a str {
    meta(object).and_then(|meta| meta.get(key)).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn name(object: &Value) -> &str {
    meta_text(object, "name")
}

pub(crate) fn namespace(object: &Value) -> &str {
    meta_text(object, "namespace")
}

pub(crate) fn uid(object: &Value) -> &str {
    meta_text(object, "uid")
}

/// The resourceVersion as text; empty where there is none.
pub(crate) fn version_text(object: &Value) -> &str {
    meta_text(object, "resourceVersion")
}

pub(crate) fn version(object: &Value) -> Option<u64> {
    version_text(object).parse().ok()
}

pub(crate) fn generation(object: &Value) -> i64 {
    meta(object).and_then(|meta| meta.get("generation")).and_then(Value::as_i64).unwrap_or_default()
}

pub(crate) fn is_deleting(object: &Value) -> bool {
    !meta_text(object, "deletionTimestamp").is_empty()
}

pub(crate) fn labels(object: &Value) -> impl Iterator<Item = (&str, &str)> {
    let labels = meta(object).and_then(|meta| meta.get("labels")).and_then(Value::as_object);
    labels.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

pub(crate) fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    let list = meta(object).and_then(|meta| meta.get("finalizers")).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

pub(crate) fn owners(object: &Value) -> impl Iterator<Item = Owner<'_>> {
    let list = meta(object).and_then(|meta| meta.get("ownerReferences")).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|entry| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        let blocks = entry.get("blockOwnerDeletion").and_then(Value::as_bool).unwrap_or_default();
        let owner = Owner {
            api_version: text("apiVersion"),
            kind: text("kind"),
            name: text("name"),
            uid: text("uid"),
            blocks,
        };
        (!owner.uid.is_empty()).then_some(owner)
    })
}

/// Sets a field of the metadata.
pub(crate) fn set(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(meta) = meta_mut(object) {
        meta.insert(key.to_owned(), value.into());
    }
}

/// Takes a field out of the metadata.
pub(crate) fn unset(object: &mut Value, key: &str) -> Option<Value> {
    object.get_mut("metadata").and_then(Value::as_object_mut).and_then(|meta| meta.remove(key))
}

pub(crate) fn set_version(object: &mut Value, version: u64) {
    set(object, "resourceVersion", version.to_string());
}

/// Gives a field of the metadata the value it has in another object, or takes it out.
pub(crate) fn copy_meta(from: &Value, to: &mut Value, key: &str) {
    match meta(from).and_then(|meta| meta.get(key)) {
        Some(value) => set(to, key, value.clone()),
        None => drop(unset(to, key)),
    }
}

/// Replaces the finalizers; none takes the field out.
pub(crate) fn set_finalizers(object: &mut Value, finalizers: Vec<String>) {
    if finalizers.is_empty() {
        unset(object, "finalizers");
    } else {
        set(object, "finalizers", finalizers);
    }
}

/// Takes empty parts out of the metadata, as a typed encoder would not have written them.
pub(crate) fn tidy_meta(object: &mut Value) {
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.retain(|_, value| !is_empty(value));
    }
}

/// Whether a value is null or holds nothing.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
