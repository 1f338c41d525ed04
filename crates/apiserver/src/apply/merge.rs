//! Lays an applied value over the living one.
//! Maps are merged by key, lists by their items' keys, everything else is replaced.
//! The items keep the order of the applied list; living items that it doesn't name keep their place among the others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::walk::{Shape, item_step, items, shape};
use crate::schema::Schema;

/// The living value with the applied one laid over it.
pub(super) fn merge(schema: Option<&Schema>, live: &Value, applied: &Value) -> Value {
    match (shape(schema, live), shape(schema, applied)) {
        (Shape::Map(live), Shape::Map(applied)) => {
            let mut merged = live.clone();
            for (name, value) in applied {
                let below = schema.and_then(|schema| schema.field(name).0);
                let value = match live.get(name) {
                    Some(live) => merge(below, live, value),
                    None => value.clone(),
                };
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (Shape::List(live), Shape::List(applied)) => Value::Array(merge_lists(schema, live, applied)),
        _ => applied.clone(),
    }
}

fn merge_lists(schema: Option<&Schema>, live: &[Value], applied: &[Value]) -> Vec<Value> {
    let live: Vec<(Box<str>, &Value)> = live.iter().map(|item| (item_step(schema, item), item)).collect();
    let applied: Vec<(Box<str>, &Value)> =
        applied.iter().map(|item| (item_step(schema, item), item)).collect();
    let named: BTreeSet<&str> = applied.iter().map(|(step, _)| &**step).collect();
    let living: BTreeMap<&str, &Value> = live.iter().map(|(step, item)| (&**step, *item)).collect();
    // Only at these, in this order, may the two lists meet.
    let mut shared =
        applied.iter().map(|(step, _)| &**step).filter(|step| living.contains_key(step)).peekable();
    let mut merged = Vec::with_capacity(live.len() + applied.len());
    let mut left = live.iter().peekable();
    for (step, item) in &applied {
        while let Some((other, alive)) = left.peek() {
            if !named.contains(&**other) {
                merged.push((*alive).clone());
            } else if shared.peek() == Some(&&**other) {
                break;
            }
            left.next();
        }
        let alive = living.get(&**step);
        merged.push(alive.map_or_else(|| (*item).clone(), |alive| merge(items(schema), alive, item)));
        if shared.peek() == Some(&&**step) {
            shared.next();
        }
        if left.peek().is_some_and(|(other, _)| other == step) {
            left.next();
        }
    }
    merged.extend(left.filter(|(other, _)| !named.contains(&**other)).map(|(_, item)| (*item).clone()));
    merged
}

#[cfg(test)]
mod tests {
    use super::super::walk::tests::schema;
    use super::*;
    use serde_json::json;

    #[test]
    fn maps_merge_and_leaves_are_replaced() {
        let live = json!({"spec": {"color": "red", "size": 1, "list": ["1", "2"], "block": {"a": "1"}, "free": {"x": 1}}});
        let applied = json!({"spec": {"color": "blue", "list": ["3"], "block": {}, "free": {"y": [1]}}});
        assert_eq!(
            merge(Some(&schema()), &live, &applied),
            json!({"spec": {"color": "blue", "size": 1, "list": ["3"], "block": {}, "free": {"x": 1, "y": [1]}}})
        );
    }

    #[test]
    fn items_with_the_same_key_merge() {
        let live = json!({"spec": {"parts": [{"id": "a", "count": 1}, {"id": "b", "count": 2}]}});
        let applied = json!({"spec": {"parts": [{"id": "b", "count": 3}]}});
        assert_eq!(
            merge(Some(&schema()), &live, &applied),
            json!({"spec": {"parts": [{"id": "a", "count": 1}, {"id": "b", "count": 3}]}})
        );
    }

    #[test]
    fn the_order_is_that_of_the_applied_list_with_the_others_in_their_place() {
        let table = [
            (vec!["x", "y"], vec!["z", "x"], vec!["z", "x", "y"]),
            (vec!["a", "b", "c"], vec!["c", "a"], vec!["b", "c", "a"]),
            (vec!["a", "b", "c"], vec!["x"], vec!["a", "b", "c", "x"]),
            (vec!["a", "b"], vec!["a", "x", "b"], vec!["a", "x", "b"]),
            (vec![], vec!["x"], vec!["x"]),
            (vec!["a"], vec![], vec!["a"]),
        ];
        for (live, applied, wanted) in table {
            let of = |list: &Vec<&str>| json!({"spec": {"set": list}});
            assert_eq!(
                merge(Some(&schema()), &of(&live), &of(&applied)),
                of(&wanted),
                "{live:?} {applied:?}"
            );
        }
    }
}
