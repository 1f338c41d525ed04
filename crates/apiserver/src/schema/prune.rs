//! Drops what a schema doesn't know, and nulls it doesn't allow.
//! Each unknown field is told by its path, for warnings and strict validation.
//! It never looks into what the schema says to preserve.

use serde_json::Value;

use super::{Kind, Schema};

/// Removes unknown fields and adds their paths to `unknown`.
pub(crate) fn prune(schema: &Schema, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if schema.kind != Kind::Object && schema.kind != Kind::Any {
                return;
            }
            let keeps = schema.keeps_unknown();
            map.retain(|name, _| {
                let known = keeps || schema.properties.contains_key(name);
                if !known {
                    unknown.push(join(path, name));
                }
                known
            });
            for (name, child) in map.iter_mut() {
                if let (Some(schema), _) = schema.field(name) {
                    prune_below(schema, child, path, name, unknown);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for (index, item) in list.iter_mut().enumerate() {
                    if item.is_object() || item.is_array() {
                        prune(items, item, &format!("{path}[{index}]"), unknown);
                    }
                }
            }
        }
        _ => {}
    }
}

fn prune_below(schema: &Schema, child: &mut Value, path: &str, name: &str, unknown: &mut Vec<String>) {
    // Scalars need no path: most fields are spared the string.
    if child.is_object() || child.is_array() {
        prune(schema, child, &join(path, name), unknown);
    }
}

/// Removes nulls where the schema allows none and has no default to put there.
pub(crate) fn drop_nulls(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, child| match schema.field(name).0 {
                Some(field) if child.is_null() => field.nullable || field.default.is_some(),
                _ => true,
            });
            for (name, child) in map.iter_mut() {
                if let (Some(field), _) = schema.field(name) {
                    drop_nulls(field, child);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                list.iter_mut().for_each(|item| drop_nulls(items, item));
            }
        }
        _ => {}
    }
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Schema {
        Schema::compile(&json!({"type": "object", "properties": {
            "a": {"type": "string"},
            "n": {"type": "string", "nullable": true},
            "d": {"type": "string", "default": "x"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                     "properties": {"known": {"type": "object", "properties": {"k": {"type": "string"}}}}},
            "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"k": {"type": "string"}}}},
            "list": {"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}}}},
        }}))
        .unwrap()
    }

    #[test]
    fn unknown_fields_go_and_are_told() {
        let mut value = json!({
            "a": "1", "b": 2,
            "free": {"x": {"y": 1}, "known": {"k": "1", "z": 1}},
            "map": {"m": {"k": "1", "z": 1}},
            "list": [{"k": "1"}, {"z": 1}],
        });
        let mut unknown = Vec::new();
        prune(&schema(), &mut value, "", &mut unknown);
        assert_eq!(unknown, ["b", "free.known.z", "list[1].z", "map.m.z"]);
        assert_eq!(
            value,
            json!({
                "a": "1",
                "free": {"x": {"y": 1}, "known": {"k": "1"}},
                "map": {"m": {"k": "1"}},
                "list": [{"k": "1"}, {}],
            })
        );
    }

    #[test]
    fn nulls_stay_only_where_allowed_or_where_a_default_will_stand() {
        let mut value = json!({"a": null, "n": null, "d": null, "free": {"x": null}, "list": [{"k": null}]});
        drop_nulls(&schema(), &mut value);
        assert_eq!(value, json!({"n": null, "d": null, "free": {"x": null}, "list": [{}]}));
    }
}
