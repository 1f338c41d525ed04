//! Fills in the defaults of a schema where a field is missing, or null and not nullable.
//! Defaults below a missing object aren't conjured up: the object itself must be there or have a default.
//! It never overwrites a value.

use serde_json::Value;

use super::Schema;

/// Fills in defaults, deeply.
pub(crate) fn fill(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, field) in &schema.properties {
                if let Some(default) = &field.default {
                    match map.get(name) {
                        None => {
                            map.insert(name.clone(), default.clone());
                        }
                        Some(Value::Null) if !field.nullable => {
                            map.insert(name.clone(), default.clone());
                        }
                        Some(_) => {}
                    }
                }
                if let Some(child) = map.get_mut(name) {
                    fill(field, child);
                }
            }
            if let Some(additional) = &schema.additional {
                for (name, child) in map.iter_mut() {
                    if !schema.properties.contains_key(name) {
                        fill(additional, child);
                    }
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                list.iter_mut().for_each(|item| fill(items, item));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_stand_only_where_their_parent_stands() {
        let schema = Schema::compile(&json!({"type": "object", "properties": {
            "shape": {"type": "string", "default": "round"},
            "maker": {"type": "object", "properties": {"kind": {"type": "string", "default": "Person"}}},
            "box": {"type": "object", "default": {}, "properties": {"lid": {"type": "boolean", "default": true}}},
            "list": {"type": "array", "items": {"type": "object", "properties": {"u": {"type": "string", "default": "p"}}}},
        }}))
        .unwrap();
        let table = [
            (json!({}), json!({"shape": "round", "box": {"lid": true}})),
            (json!({"shape": null}), json!({"shape": "round", "box": {"lid": true}})),
            (
                json!({"shape": "flat", "maker": {}, "box": {"lid": false}, "list": [{}]}),
                json!({"shape": "flat", "maker": {"kind": "Person"}, "box": {"lid": false}, "list": [{"u": "p"}]}),
            ),
        ];
        for (mut value, wanted) in table {
            fill(&schema, &mut value);
            assert_eq!(value, wanted);
        }
    }
}
