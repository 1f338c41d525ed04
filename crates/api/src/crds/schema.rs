//! From the types to structural OpenAPI v3 schemas, as an API server wants them.
//! No references, no nullable fields, no defaults that would be written into specs; lists are atomic unless said otherwise.
//! The types describe themselves (`schemars`); this file only brings their schemas into shape.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::kubernetes_words;

/// Marks a default that is meant: those that `schemars` finds are only Rust's.
const WANTED_DEFAULT: &str = "x-everleaf-default";
/// The schema of a type, with a description of the place it stands at.
pub(super) fn described<T: JsonSchema>(description: &str) -> Value {
    // Fields that are always written are required; that is how the types tell them from optional ones.
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    shape(&mut schema, Place::Elsewhere);
    kubernetes_words::put_into(&mut schema);
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), description.into());
    }
    schema
}

/// The schema as the API server's type.
// The schemas are the same in every run; tests make them all.
#[allow(clippy::expect_used)]
pub(super) fn typed(schema: Value) -> JSONSchemaProps {
    serde_json::from_value(schema).expect("a schema has the form of a schema")
}

/// Where a schema stands: lists that are values of a map get no list type.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    ValueOfMap,
    Elsewhere,
}

fn shape(schema: &mut Value, place: Place) {
    let Some(object) = schema.as_object_mut() else { return };
    for key in ["$schema", "$defs", "title", "default"] {
        object.remove(key);
    }
    object.retain(|_, value| !value.is_null());
    if let Some(default) = object.remove(WANTED_DEFAULT) {
        object.insert("default".to_owned(), default);
    }
    without_null(object);
    if let Some(Value::String(description)) = object.get_mut("description") {
        *description = one_line_a_paragraph(description);
    }
    if object.get("type") == Some(&json!("array")) && place == Place::Elsewhere {
        object.entry("x-kubernetes-list-type").or_insert_with(|| json!("atomic"));
    }
    shape_children(object);
}

fn shape_children(object: &mut Map<String, Value>) {
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.values_mut().for_each(|property| shape(property, Place::Elsewhere));
    }
    if let Some(items) = object.get_mut("items") {
        shape(items, Place::Elsewhere);
    }
    if let Some(values) = object.get_mut("additionalProperties") {
        shape(values, Place::ValueOfMap);
    }
}

/// An unset field is absent, never null.
fn without_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = object.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
}

/// Doc comments are wrapped; the wraps within a paragraph are no line breaks.
fn one_line_a_paragraph(text: &str) -> String {
    let paragraphs: Vec<String> = text
        .split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    paragraphs.join("\n\n")
}
