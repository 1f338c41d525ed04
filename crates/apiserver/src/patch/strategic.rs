//! Strategic merge patch, for built-in kinds: a merge patch that merges some lists by a key.
//! `kubectl apply`, `label` and `annotate` send it; its directives are `$patch`, `$retainKeys`,
//! `$deleteFromPrimitiveList/...` and `$setElementOrder/...`. No directive ever stays in the object.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::schema::Schema;
use crate::status::{Outcome, Rejection};

const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// Carries out a patch on a value.
pub(super) fn merge(schema: &Schema, value: &mut Value, patch: &Value) -> Outcome<()> {
    merge_value(Some(schema), value, patch)
}

fn merge_value(schema: Option<&Schema>, value: &mut Value, patch: &Value) -> Outcome<()> {
    match (value.as_object_mut(), patch) {
        (Some(map), Value::Object(patch)) => merge_map(schema, map, patch),
        (None, Value::Object(patch)) => {
            let mut map = Map::new();
            merge_map(schema, &mut map, patch)?;
            *value = Value::Object(map);
            Ok(())
        }
        (_, other) => {
            *value = other.clone();
            Ok(())
        }
    }
}

/// What a patch says about a map as a whole.
enum Whole {
    Merge,
    Replace,
    Delete,
}

fn whole(patch: &Map<String, Value>) -> Outcome<Whole> {
    match patch.get(DIRECTIVE).map(|directive| directive.as_str().unwrap_or_default()) {
        None | Some("merge") => Ok(Whole::Merge),
        Some("replace") => Ok(Whole::Replace),
        Some("delete") => Ok(Whole::Delete),
        Some(other) => {
            let keys: Vec<String> = patch.keys().cloned().collect();
            Err(Rejection::bare(format!("unknown patch type: {other} in map: {}", keys.join(", "))))
        }
    }
}

fn merge_map(
    schema: Option<&Schema>,
    map: &mut Map<String, Value>,
    patch: &Map<String, Value>,
) -> Outcome<()> {
    match whole(patch)? {
        Whole::Merge => {}
        Whole::Replace => {
            let kept = patch.iter().filter(|(key, _)| *key != DIRECTIVE);
            *map = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
            return Ok(());
        }
        Whole::Delete => {
            map.clear();
            return Ok(());
        }
    }
    if let Some(keep) = patch.get(RETAIN).and_then(Value::as_array) {
        map.retain(|key, _| keep.iter().any(|kept| kept == key));
    }
    let before = map.clone();
    for (key, gone) in patch {
        let items =
            key.strip_prefix(DELETE_FROM).and_then(|name| map.get_mut(name)).and_then(Value::as_array_mut);
        if let (Some(items), Some(gone)) = (items, gone.as_array()) {
            let gone = places(None, gone);
            items.retain(|item| !gone.contains_key(&item.to_string()));
        }
    }
    for (key, value) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        merge_entry(schema.and_then(|schema| schema.field(key).0), map, key, value, before.get(key))?;
    }
    for (key, order) in patch {
        let Some((name, order)) = key.strip_prefix(ORDER).zip(order.as_array()) else { continue };
        let merge_key = schema.and_then(|schema| schema.field(name).0).and_then(|s| s.merge_key.as_deref());
        if let Some(items) = map.get_mut(name).and_then(Value::as_array_mut) {
            let before = before.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            put_in_order(merge_key, before, items, order);
        }
    }
    Ok(())
}

fn merge_entry(
    schema: Option<&Schema>,
    map: &mut Map<String, Value>,
    key: &str,
    value: &Value,
    before: Option<&Value>,
) -> Outcome<()> {
    match (value, map.get_mut(key)) {
        (Value::Null, _) => {
            map.remove(key);
        }
        (Value::Array(patch), Some(Value::Array(items))) if schema.is_some_and(|schema| schema.merges) => {
            merge_list(schema, items, patch)?;
            if let Some(Value::Array(old)) = before {
                put_in_order(schema.and_then(|schema| schema.merge_key.as_deref()), old, items, patch);
            }
        }
        (value, Some(old)) => merge_value(schema, old, value)?,
        (value, None) => {
            let mut new = Value::Null;
            merge_value(schema, &mut new, value)?;
            map.insert(key.to_owned(), new);
        }
    }
    Ok(())
}

fn merge_list(schema: Option<&Schema>, items: &mut Vec<Value>, patch: &[Value]) -> Outcome<()> {
    let Some(merge_key) = schema.and_then(|schema| schema.merge_key.as_deref()) else {
        let there = places(None, items);
        items.extend(patch.iter().filter(|item| !there.contains_key(&item.to_string())).cloned());
        return Ok(());
    };
    let directive = |item: &Value| item.get(DIRECTIVE).and_then(Value::as_str).map(str::to_owned);
    if patch.iter().any(|item| directive(item).as_deref() == Some("replace")) {
        *items = patch.iter().filter(|item| item.get(DIRECTIVE).is_none()).cloned().collect();
        return Ok(());
    }
    let below = schema.and_then(|schema| schema.items.as_deref());
    let mut there = places(Some(merge_key), items);
    let mut gone = BTreeSet::new();
    for item in patch {
        let Some(key) = item.get(merge_key).map(Value::to_string) else {
            return Err(Rejection::bare(format!("map: does not contain declared merge key: {merge_key}")));
        };
        let at = there.get(&key).copied();
        match (directive(item).as_deref(), at.and_then(|at| items.get_mut(at))) {
            (Some("delete"), _) => gone.extend(at),
            (_, Some(old)) => merge_value(below, old, item)?,
            (_, None) => {
                let mut new = Value::Null;
                merge_value(below, &mut new, item)?;
                there.insert(key, items.len());
                items.push(new);
            }
        }
    }
    let mut at = 0..;
    items.retain(|_| at.next().is_some_and(|at| !gone.contains(&at)));
    Ok(())
}

/// Where each item of a list is, by its key, or by itself where it has none.
fn places(merge_key: Option<&str>, list: &[Value]) -> BTreeMap<String, usize> {
    list.iter().enumerate().map(|(at, item)| (item_key(merge_key, item), at)).rev().collect()
}

fn item_key(merge_key: Option<&str>, item: &Value) -> String {
    match merge_key {
        Some(merge_key) => item.get(merge_key).map(Value::to_string).unwrap_or_default(),
        None => item.to_string(),
    }
}

/// Items that the order names come in its order, others in theirs; of one that was there before and another such, the one
/// that stood first comes first (kube-apiserver 1.36 weaves them so).
fn put_in_order(merge_key: Option<&str>, before: &[Value], items: &mut Vec<Value>, order: &[Value]) {
    let (before, order) = (places(merge_key, before), places(merge_key, order));
    let stood = |item: &Value| before.get(&item_key(merge_key, item)).copied();
    let (mut named, others): (Vec<Value>, Vec<Value>) =
        items.drain(..).partition(|item| order.contains_key(&item_key(merge_key, item)));
    named.sort_by_cached_key(|item| order.get(&item_key(merge_key, item)).copied());
    let mut others = others.into_iter().peekable();
    for item in named {
        if let Some(place) = stood(&item) {
            while let Some(other) = others.next_if(|other| stood(other).is_some_and(|at| at < place)) {
                items.push(other);
            }
        }
        items.push(item);
    }
    items.extend(others);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::needless_pass_by_value)]
mod tests {
    use super::*;
    use crate::kinds::{Registry, Role};
    use serde_json::json;

    fn patched(old: Value, patch: Value) -> Outcome<Value> {
        let registry = Registry::with(&[]).unwrap();
        let mut value = old;
        merge(&registry.role(Role::Namespace).unwrap().schema, &mut value, &patch).map(|()| value)
    }

    fn meta(value: Value) -> Value {
        json!({ "metadata": value })
    }

    #[test]
    fn maps_merge_and_null_deletes() {
        let table = [
            (
                json!({"labels": {"a": "1"}}),
                json!({"labels": {"b": "2"}}),
                json!({"labels": {"a": "1", "b": "2"}}),
            ),
            (json!({"labels": {"a": "1"}}), json!({"labels": {"a": null}}), json!({"labels": {}})),
            (json!({"labels": {"a": "1"}}), json!({"labels": null}), json!({})),
            (
                json!({"labels": {"a": "1"}}),
                json!({"labels": {"$patch": "replace", "q": "r"}}),
                json!({"labels": {"q": "r"}}),
            ),
            (json!({"labels": {"a": "1"}}), json!({"labels": {"$patch": "delete"}}), json!({"labels": {}})),
            (
                json!({"labels": {"a": "1", "b": "2"}}),
                json!({"labels": {"$retainKeys": ["b"], "b": "3"}}),
                json!({"labels": {"b": "3"}}),
            ),
            (json!({}), json!({"labels": {"a": null, "b": "1"}}), json!({"labels": {"b": "1"}})),
        ];
        for (old, patch, wanted) in table {
            assert_eq!(patched(meta(old), meta(patch)).unwrap(), meta(wanted));
        }
    }

    #[test]
    fn lists_merge_where_the_schema_says_so() {
        let table = [
            (
                json!({"finalizers": ["a"]}),
                json!({"finalizers": ["b", "a"]}),
                json!({"finalizers": ["b", "a"]}),
            ),
            (
                json!({"finalizers": ["a", "b"]}),
                json!({"$deleteFromPrimitiveList/finalizers": ["a"]}),
                json!({"finalizers": ["b"]}),
            ),
            (
                json!({"finalizers": ["a", "b"]}),
                json!({"finalizers": ["c"], "$setElementOrder/finalizers": ["c", "b", "a"]}),
                json!({"finalizers": ["c", "b", "a"]}),
            ),
            (
                json!({"ownerReferences": [{"uid": "1", "name": "x"}]}),
                json!({"ownerReferences": [{"uid": "1", "controller": true}, {"uid": "2"}]}),
                json!({"ownerReferences": [{"uid": "1", "name": "x", "controller": true}, {"uid": "2"}]}),
            ),
            (
                json!({"ownerReferences": [{"uid": "1"}, {"uid": "2"}]}),
                json!({"ownerReferences": [{"uid": "1", "$patch": "delete"}]}),
                json!({"ownerReferences": [{"uid": "2"}]}),
            ),
        ];
        for (old, patch, wanted) in table {
            assert_eq!(patched(meta(old), meta(patch)).unwrap(), meta(wanted));
        }
    }

    #[test]
    fn an_unknown_directive_is_refused() {
        let refused = patched(json!({}), json!({"metadata": {"$patch": "bogus"}})).unwrap_err();
        assert!(refused.message.starts_with("unknown patch type: bogus"));
    }
}
