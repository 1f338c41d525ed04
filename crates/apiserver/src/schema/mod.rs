//! A structural schema (the `openAPIV3Schema` of a CustomResourceDefinition), compiled once.
//! It tells what to keep, what to fill in, what to refuse, and how lists and maps are owned.
//! CEL rules (`x-kubernetes-validations`) are not run.

mod defaults;
mod prune;
mod validate;

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

pub(crate) use defaults::fill;
pub(crate) use prune::{drop_nulls, prune};
pub(crate) use validate::check;

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    /// Nothing is said.
    #[default]
    Any,
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    /// `x-kubernetes-int-or-string`
    IntOrString,
}

/// How the items of a list are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum ListType {
    /// The list is one value.
    #[default]
    Atomic,
    /// Each scalar stands for itself.
    Set,
    /// These fields of an item are its key.
    Map(Vec<String>),
}

/// A compiled schema.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    /// Named fields.
    pub(crate) properties: BTreeMap<String, Schema>,
    /// What fields without a name in the schema must be.
    pub(crate) additional: Option<Box<Schema>>,
    pub(crate) items: Option<Box<Schema>>,
    /// Unknown fields stay.
    pub(crate) preserve_unknown: bool,
    pub(crate) list: ListType,
    /// The map is one value.
    pub(crate) atomic_map: bool,
    /// Objects at the top are there even when nobody wrote them: built-in kinds only.
    pub(crate) structs_at_top: bool,
    /// How `kubectl`'s strategic merge tells list items apart (`x-kubernetes-patch-merge-key`).
    pub(crate) merge_key: Option<String>,
    /// Whether strategic merge merges the list at all (`x-kubernetes-patch-strategy`).
    pub(crate) merges: bool,
    pub(crate) default: Option<Value>,
    pub(crate) required: Vec<String>,
    pub(crate) checks: Option<Box<Checks>>,
}

/// What a value of the right type must still satisfy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checks {
    choices: Vec<Value>,
    pattern: Option<Regex>,
    format: Option<String>,
    length: Bounds,
    items: Bounds,
    properties: Bounds,
    minimum: Option<Limit>,
    maximum: Option<Limit>,
    multiple_of: Option<f64>,
    all_of: Vec<Schema>,
    any_of: Vec<Schema>,
    one_of: Vec<Schema>,
    not: Option<Schema>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    least: Option<u64>,
    most: Option<u64>,
}

#[derive(Debug, Clone)]
struct Limit {
    value: Value,
    exclusive: bool,
}

/// A schema that can't be compiled.
#[derive(Debug, thiserror::Error)]
#[error("schema at {at}: {why}")]
pub struct SchemaError {
    at: String,
    why: String,
}

impl Schema {
    /// Compiles a schema.
    pub(crate) fn compile(raw: &Value) -> Result<Schema, SchemaError> {
        compile(raw, "")
    }

    /// The schema of a field, and whether the field is one of the named ones.
    pub(crate) fn field(&self, name: &str) -> (Option<&Schema>, bool) {
        match self.properties.get(name) {
            Some(schema) => (Some(schema), true),
            None => (self.additional.as_deref(), false),
        }
    }

    /// Whether a field that isn't named may stay.
    fn keeps_unknown(&self) -> bool {
        self.preserve_unknown || self.additional.is_some()
    }
}

fn compile(raw: &Value, at: &str) -> Result<Schema, SchemaError> {
    let fail = |why: &str| SchemaError { at: at.to_owned(), why: why.to_owned() };
    let Some(raw) = raw.as_object() else { return Err(fail("not an object")) };
    let flag = |key: &str| raw.get(key).and_then(Value::as_bool).unwrap_or_default();
    let below = |key: &str| format!("{at}.{key}");
    let mut properties = BTreeMap::new();
    for (name, schema) in raw.get("properties").and_then(Value::as_object).into_iter().flatten() {
        properties.insert(name.clone(), compile(schema, &below(name))?);
    }
    let additional = match raw.get("additionalProperties") {
        None | Some(Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(Box::new(Schema { preserve_unknown: true, ..Schema::default() })),
        Some(schema) => Some(Box::new(compile(schema, &below("*"))?)),
    };
    let items =
        raw.get("items").map(|schema| compile(schema, &format!("{at}[]")).map(Box::new)).transpose()?;
    let kind = if flag("x-kubernetes-int-or-string") {
        Kind::IntOrString
    } else {
        kind(raw).ok_or_else(|| fail("unknown type"))?
    };
    Ok(Schema {
        kind,
        nullable: flag("nullable"),
        properties,
        additional,
        items,
        preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
        list: list_type(raw).ok_or_else(|| fail("x-kubernetes-list-type and -map-keys don't fit"))?,
        atomic_map: text(raw, "x-kubernetes-map-type") == Some("atomic"),
        structs_at_top: false,
        merge_key: text(raw, "x-kubernetes-patch-merge-key").map(str::to_owned),
        merges: text(raw, "x-kubernetes-patch-strategy") == Some("merge"),
        default: raw.get("default").cloned(),
        required: texts(raw, "required"),
        checks: checks(raw, at)?,
    })
}

fn kind(raw: &Map<String, Value>) -> Option<Kind> {
    Some(match text(raw, "type") {
        None => Kind::Any,
        Some("object") => Kind::Object,
        Some("array") => Kind::Array,
        Some("string") => Kind::String,
        Some("integer") => Kind::Integer,
        Some("number") => Kind::Number,
        Some("boolean") => Kind::Boolean,
        Some(_) => return None,
    })
}

fn list_type(raw: &Map<String, Value>) -> Option<ListType> {
    match text(raw, "x-kubernetes-list-type") {
        None | Some("atomic") => Some(ListType::Atomic),
        Some("set") => Some(ListType::Set),
        Some("map") => {
            Some(texts(raw, "x-kubernetes-list-map-keys")).filter(|k| !k.is_empty()).map(ListType::Map)
        }
        Some(_) => None,
    }
}

fn checks(raw: &Map<String, Value>, at: &str) -> Result<Option<Box<Checks>>, SchemaError> {
    const KEYS: [&str; 18] = [
        "enum",
        "pattern",
        "format",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
    ];
    if !KEYS.iter().any(|key| raw.contains_key(*key)) {
        return Ok(None);
    }
    let number = |key: &str| raw.get(key).and_then(Value::as_u64);
    let bounds = |least: &str, most: &str| Bounds { least: number(least), most: number(most) };
    let flag = |key: &str| raw.get(key).and_then(Value::as_bool).unwrap_or_default();
    let limit = |key: &str, exclusive: &str| {
        raw.get(key).filter(|v| v.is_number()).map(|v| Limit { value: v.clone(), exclusive: flag(exclusive) })
    };
    let many = |key: &str| -> Result<Vec<Schema>, SchemaError> {
        let list = raw.get(key).and_then(Value::as_array);
        list.into_iter().flatten().map(|schema| compile(schema, &format!("{at}.{key}"))).collect()
    };
    let pattern = text(raw, "pattern").map(Regex::new).transpose();
    Ok(Some(Box::new(Checks {
        choices: raw.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
        pattern: pattern.map_err(|e| SchemaError { at: at.to_owned(), why: e.to_string() })?,
        format: text(raw, "format").map(str::to_owned),
        length: bounds("minLength", "maxLength"),
        items: bounds("minItems", "maxItems"),
        properties: bounds("minProperties", "maxProperties"),
        minimum: limit("minimum", "exclusiveMinimum"),
        maximum: limit("maximum", "exclusiveMaximum"),
        multiple_of: raw.get("multipleOf").and_then(Value::as_f64),
        all_of: many("allOf")?,
        any_of: many("anyOf")?,
        one_of: many("oneOf")?,
        not: raw.get("not").map(|schema| compile(schema, &format!("{at}.not"))).transpose()?,
    })))
}

fn text<'a>(raw: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    raw.get(key).and_then(Value::as_str)
}

fn texts(raw: &Map<String, Value>, key: &str) -> Vec<String> {
    let list = raw.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_that_makes_no_sense_names_the_place() {
        let table = [
            (json!({"type": "object", "properties": {"a": {"type": "wood"}}}), "schema at .a: unknown type"),
            (json!({"type": "array", "items": {"pattern": "("}}), "schema at []: "),
            (
                json!({"type": "array", "x-kubernetes-list-type": "map"}),
                "schema at : x-kubernetes-list-type and -map-keys don't fit",
            ),
            (json!([]), "schema at : not an object"),
        ];
        for (raw, wanted) in table {
            let error = Schema::compile(&raw).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{error}");
        }
    }
}
