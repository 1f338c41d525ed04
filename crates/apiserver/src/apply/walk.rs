//! Reads values by their schema: which paths a value has, what changed between two values, a value without some paths.
//! A map that isn't atomic and a list with keys are walked into; everything else is one value.
//! Where the schema says nothing, maps are walked into and lists are one value.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fields::{Fields, field};
use crate::schema::{ListType, Schema};

/// How a value is taken apart.
pub(super) enum Shape<'a> {
    /// It is one value.
    Leaf,
    Map(&'a Map<String, Value>),
    /// A list whose items are told apart.
    List(&'a [Value]),
}

pub(super) fn shape<'a>(schema: Option<&Schema>, value: &'a Value) -> Shape<'a> {
    match value {
        Value::Object(map) if !schema.is_some_and(|schema| schema.atomic_map) => Shape::Map(map),
        Value::Array(list) if schema.is_some_and(|schema| schema.list != ListType::Atomic) => {
            Shape::List(list)
        }
        _ => Shape::Leaf,
    }
}

/// The step to a list item.
pub(super) fn item_step(schema: Option<&Schema>, item: &Value) -> Box<str> {
    match schema.map(|schema| &schema.list) {
        Some(ListType::Map(keys)) => {
            let default = |key: &String| {
                let items = schema.and_then(|schema| schema.items.as_deref());
                items.and_then(|items| items.properties.get(key)).and_then(|field| field.default.clone())
            };
            let part = |key: &String| Some((key.clone(), item.get(key).cloned().or_else(|| default(key))?));
            let keys: Map<String, Value> = keys.iter().filter_map(part).collect();
            format!("k:{}", Value::Object(keys)).into()
        }
        _ => format!("v:{item}").into(),
    }
}

pub(super) fn items(schema: Option<&Schema>) -> Option<&Schema> {
    schema.and_then(|schema| schema.items.as_deref())
}

fn child<'a>(schema: Option<&'a Schema>, name: &str) -> (Option<&'a Schema>, bool) {
    schema.map_or((None, false), |schema| schema.field(name))
}

/// The paths an applied value claims.
pub(super) fn claims(schema: Option<&Schema>, value: &Value) -> Fields {
    let mut set = Fields::default();
    match shape(schema, value) {
        Shape::Leaf => set.here = true,
        Shape::Map(map) => {
            for (name, value) in map {
                let (below, named) = child(schema, name);
                let mut tree = claims(below, value);
                // A named field is claimed by its content alone, an entry of a map by itself too.
                tree.here |= !named || value.as_object().is_some_and(Map::is_empty);
                set.put(field(name), tree);
            }
        }
        Shape::List(list) => {
            for item in list {
                let mut tree = claims(items(schema), item);
                tree.here = true;
                set.put(item_step(schema, item), tree);
            }
        }
    }
    set
}

/// What changed from one value to another.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Changes {
    pub(super) added: Fields,
    pub(super) modified: Fields,
    pub(super) removed: Fields,
}

impl Changes {
    /// Whether nothing changed.
    pub(super) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }

    /// Leaves out a part of the object.
    pub(super) fn cut(&mut self, step: &str) {
        self.added.cut(step);
        self.modified.cut(step);
        self.removed.cut(step);
    }

    /// What the new value has that the old hadn't, or had otherwise.
    pub(super) fn taken(&self) -> Fields {
        let mut taken = self.added.clone();
        taken.add(&self.modified);
        taken
    }

    fn put(&mut self, step: Box<str>, below: Changes) {
        self.added.put(step.clone(), below.added);
        self.modified.put(step.clone(), below.modified);
        self.removed.put(step, below.removed);
    }
}

/// Compares two values.
pub(super) fn compare(schema: Option<&Schema>, old: Option<&Value>, new: Option<&Value>) -> Changes {
    let mut changes = Changes::default();
    match (old, new) {
        (None, None) => {}
        (None, Some(new)) => changes.added = whole(schema, new),
        (Some(old), None) => changes.removed = whole(schema, old),
        (Some(old), Some(new)) => match (shape(schema, old), shape(schema, new)) {
            (Shape::Map(old), Shape::Map(new)) => {
                for (name, value) in old {
                    let below = child(schema, name).0;
                    changes.put(field(name), compare(below, Some(value), new.get(name)));
                }
                for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                    changes.put(field(name), compare(child(schema, name).0, None, Some(value)));
                }
            }
            (Shape::List(old), Shape::List(new)) => {
                let (old, mut new) = (by_step(schema, old), by_step(schema, new));
                for (step, item) in old {
                    let other = new.remove(&step);
                    changes.put(step, compare(items(schema), Some(item), other));
                }
                for (step, item) in new {
                    changes.put(step, compare(items(schema), None, Some(item)));
                }
            }
            _ => changes.modified.here = old != new,
        },
    }
    changes
}

fn by_step<'a>(schema: Option<&Schema>, list: &'a [Value]) -> BTreeMap<Box<str>, &'a Value> {
    list.iter().map(|item| (item_step(schema, item), item)).collect()
}

/// All paths of a value, those that lead to maps and lists too.
pub(super) fn whole(schema: Option<&Schema>, value: &Value) -> Fields {
    let mut set = Fields::leaf();
    match shape(schema, value) {
        Shape::Leaf => {}
        Shape::Map(map) => {
            for (name, value) in map {
                set.put(field(name), whole(child(schema, name).0, value));
            }
        }
        Shape::List(list) => {
            for item in list {
                set.put(item_step(schema, item), whole(items(schema), item));
            }
        }
    }
    set
}

/// The set with the named fields on the way to its paths as paths too: to remove a field with its content.
pub(super) fn with_named(schema: Option<&Schema>, set: &Fields) -> Fields {
    let mut all = Fields { here: set.here, ..Fields::default() };
    for (step, tree) in &set.below {
        let (below, named) = match step.strip_prefix("f:") {
            Some(name) => child(schema, name),
            None => (items(schema), false),
        };
        let mut tree = with_named(below, tree);
        tree.here |= named;
        all.put(step.clone(), tree);
    }
    all
}

/// The value without these paths. A map or list that loses all it had becomes null, as in Kubernetes.
pub(super) fn without(schema: Option<&Schema>, value: &Value, gone: &Fields) -> Value {
    match shape(schema, value) {
        Shape::Map(map) if !map.is_empty() => {
            let mut kept = Map::new();
            for (name, value) in map {
                match gone.get(&field(name)) {
                    Some(tree) if tree.here => {}
                    Some(tree) => {
                        kept.insert(name.clone(), without(child(schema, name).0, value, tree));
                    }
                    None => {
                        kept.insert(name.clone(), value.clone());
                    }
                }
            }
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        Shape::List(list) if !list.is_empty() => {
            let keep = |item: &Value| match gone.get(&item_step(schema, item)) {
                Some(tree) if tree.here => None,
                Some(tree) => Some(without(items(schema), item, tree)),
                None => Some(item.clone()),
            };
            let kept: Vec<Value> = list.iter().filter_map(keep).collect();
            if kept.is_empty() { Value::Null } else { Value::Array(kept) }
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    pub(in crate::apply) fn schema() -> Schema {
        Schema::compile(&json!({"type": "object", "properties": {
            "metadata": {"type": "object", "properties": {
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            }},
            "spec": {"type": "object", "properties": {
                "color": {"type": "string"}, "size": {"type": "integer"},
                "list": {"type": "array", "items": {"type": "string"}},
                "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"],
                    "items": {"type": "object", "properties": {"id": {"type": "string"}, "count": {"type": "integer"}}}},
                "block": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            }},
        }}))
        .unwrap()
    }

    #[test]
    fn an_apply_claims_leaves_entries_and_items() {
        let value = json!({
            "metadata": {"labels": {"app": "web"}},
            "spec": {"color": "red", "list": ["1"], "set": ["x"], "parts": [{"id": "a", "count": 1}],
                     "block": {"a": "1"}, "free": {"x": {"y": 1}}},
        });
        assert_eq!(
            claims(Some(&schema()), &value).to_json(),
            json!({
                "f:metadata": {"f:labels": {"f:app": {}}},
                "f:spec": {"f:color": {}, "f:list": {}, "f:set": {"v:\"x\"": {}},
                    "f:parts": {"k:{\"id\":\"a\"}": {".": {}, "f:count": {}, "f:id": {}}},
                    "f:block": {}, "f:free": {"f:x": {".": {}, "f:y": {}}}},
            })
        );
    }

    #[test]
    fn a_new_value_adds_the_way_to_it_too() {
        let changes =
            compare(Some(&schema()), Some(&json!({})), Some(&json!({"spec": {"set": ["x"], "color": "r"}})));
        assert_eq!(
            changes.added.to_json(),
            json!({"f:spec": {".": {}, "f:color": {}, "f:set": {".": {}, "v:\"x\"": {}}}})
        );
        assert!(changes.modified.is_empty() && changes.removed.is_empty());
    }

    #[test]
    fn changes_are_told_apart() {
        let old =
            json!({"spec": {"color": "red", "size": 1, "parts": [{"id": "a", "count": 1}], "list": ["1"]}});
        let new = json!({"spec": {"color": "blue", "parts": [{"id": "a", "count": 1}, {"id": "b"}], "list": ["2"]}});
        let changes = compare(Some(&schema()), Some(&old), Some(&new));
        assert_eq!(changes.modified.to_json(), json!({"f:spec": {"f:color": {}, "f:list": {}}}));
        assert_eq!(changes.removed.to_json(), json!({"f:spec": {"f:size": {}}}));
        let added = json!({"f:spec": {"f:parts": {"k:{\"id\":\"b\"}": {".": {}, "f:id": {}}}}});
        assert_eq!(changes.added.to_json(), added);
    }

    #[test]
    fn paths_are_taken_out_of_a_value() {
        let value = json!({"spec": {"color": "red", "size": 1, "set": ["x", "y"], "parts": [{"id": "a"}]}});
        let gone = Fields::from_json(&json!({
            "f:spec": {"f:color": {}, "f:set": {"v:\"x\"": {}}, "f:parts": {"k:{\"id\":\"a\"}": {}}},
        }))
        .unwrap();
        let kept = without(Some(&schema()), &value, &gone);
        assert_eq!(kept, json!({"spec": {"size": 1, "set": ["y"], "parts": null}}));
    }
}
