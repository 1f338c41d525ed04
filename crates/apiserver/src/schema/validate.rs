//! Checks a value against a schema and tells each fault in the words of kube-apiserver 1.36.
//! A required field, a wrong type, a bound, a choice, a pattern, a duplicate in a set.
//! It changes nothing, and stops at a bound of faults so that a hostile body can't make an endless answer.

use serde_json::Value;

use super::prune::join;
use super::{Bounds, Checks, Kind, Limit, ListType, Schema};
use crate::status::{Cause, Fault};

/// How many faults are told at most.
const MOST_FAULTS: usize = 100;

/// The faults found.
pub(crate) type Checked = Vec<Cause>;

/// Checks a value; no faults means it is fine.
pub(crate) fn check(schema: &Schema, value: &Value) -> Checked {
    let mut faults = Vec::new();
    visit(schema, value, "", &mut faults);
    faults
}

fn visit(schema: &Schema, value: &Value, path: &str, faults: &mut Checked) {
    if faults.len() >= MOST_FAULTS || (value.is_null() && schema.nullable) {
        return;
    }
    if !fits(schema.kind, value) {
        faults.push(wrong_type(schema.kind, value, path));
        return;
    }
    match value {
        Value::Object(map) => {
            for name in &schema.required {
                if !map.contains_key(name) {
                    faults.push(Cause::required(join(path, name), ""));
                }
            }
            for (name, child) in map {
                if let (Some(field), _) = schema.field(name) {
                    visit(field, child, &join(path, name), faults);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for (index, item) in list.iter().enumerate() {
                    visit(items, item, &format!("{path}[{index}]"), faults);
                }
            }
            duplicates(&schema.list, list, path, faults);
        }
        _ => {}
    }
    if let Some(checks) = &schema.checks {
        bounds(schema.kind, checks, value, path, faults);
        choices(checks, value, path, faults);
        combinations(checks, value, path, faults);
    }
}

fn fits(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Any => true,
        Kind::Object => value.is_object(),
        Kind::Array => value.is_array(),
        Kind::String => value.is_string(),
        Kind::Integer => value.is_i64() || value.is_u64(),
        Kind::Number => value.is_number(),
        Kind::Boolean => value.is_boolean(),
        Kind::IntOrString => value.is_string() || value.is_i64() || value.is_u64(),
    }
}

fn wrong_type(kind: Kind, value: &Value, path: &str) -> Cause {
    let wanted = match kind {
        Kind::Any => "any",
        Kind::Object => "object",
        Kind::Array => "array",
        Kind::String => "string",
        Kind::Integer => "integer",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::IntOrString => "integer,string",
    };
    let found = type_name(value);
    let says = format!("\"{found}\": {path} in body must be of type {wanted}: \"{found}\"");
    Cause::new(Fault::TypeInvalid, path, says)
}

/// The JSON type of a value, as messages name it.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn duplicates(list: &ListType, items: &[Value], path: &str, faults: &mut Checked) {
    let mut seen = std::collections::BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let key = match list {
            ListType::Atomic => return,
            ListType::Set => item.clone(),
            ListType::Map(keys) => {
                let part = |key: &String| item.get(key).map(|value| (key.clone(), value.clone()));
                Value::Object(keys.iter().filter_map(part).collect())
            }
        };
        let key = key.to_string();
        if !seen.insert(key.clone()) {
            faults.push(Cause::new(Fault::Duplicate, format!("{path}[{index}]"), key));
        }
    }
}

fn bounds(kind: Kind, checks: &Checks, value: &Value, path: &str, faults: &mut Checked) {
    let mut bad =
        |why: String| faults.push(Cause::invalid(path, value, &format!("{path} in body should {why}")));
    match value {
        Value::String(text) => {
            let length = text.chars().count() as u64;
            if let Some(least) = checks.length.least.filter(|least| length < *least) {
                bad(format!("be at least {least} chars long"));
            }
            if let Some(pattern) = checks.pattern.as_ref().filter(|p| !p.is_match(text)) {
                bad(format!("match '{pattern}'"));
            }
            if let Some(why) = checks.format.as_deref().and_then(|format| malformed(format, text)) {
                bad(why.to_owned());
            }
            if let Some(most) = checks.length.most.filter(|most| length > *most) {
                faults.push(Cause::new(Fault::TooLong, path, format!("may not be more than {most} bytes")));
            }
        }
        Value::Array(list) => {
            counted(&checks.items, list.len(), "items", path, value, faults);
        }
        Value::Object(map) => counted(&checks.properties, map.len(), "properties", path, value, faults),
        Value::Number(_) if kind != Kind::Any => {
            if let Some(Limit { value, exclusive }) =
                checks.minimum.as_ref().filter(|limit| !above(value, limit))
            {
                let or_equal = if *exclusive { "" } else { " or equal to" };
                bad(format!("be greater than{or_equal} {value}"));
            }
            if let Some(Limit { value, exclusive }) =
                checks.maximum.as_ref().filter(|limit| !below(value, limit))
            {
                let or_equal = if *exclusive { "" } else { " or equal to" };
                bad(format!("be less than{or_equal} {value}"));
            }
            let rest = |step: f64| value.as_f64().map_or(0.0, |number| number % step);
            if let Some(step) = checks.multiple_of.filter(|step| rest(*step) != 0.0) {
                bad(format!("be a multiple of {step}"));
            }
            if checks.format.as_deref() == Some("int32")
                && value.as_i64().is_none_or(|n| i32::try_from(n).is_err())
            {
                let says = format!("\"\": Checked value must be of type integer with format int32 in {path}");
                faults.push(Cause::new(Fault::Invalid, "<nil>", says));
            }
        }
        _ => {}
    }
}

fn above(value: &Value, limit: &Limit) -> bool {
    let (Some(number), Some(limit_at)) = (value.as_f64(), limit.value.as_f64()) else { return true };
    if limit.exclusive { number > limit_at } else { number >= limit_at }
}

fn below(value: &Value, limit: &Limit) -> bool {
    let (Some(number), Some(limit_at)) = (value.as_f64(), limit.value.as_f64()) else { return true };
    if limit.exclusive { number < limit_at } else { number <= limit_at }
}

fn counted(bounds: &Bounds, count: usize, what: &str, path: &str, value: &Value, faults: &mut Checked) {
    let found = count as u64;
    if let Some(least) = bounds.least.filter(|least| found < *least) {
        faults.push(Cause::invalid(
            path,
            value,
            &format!("{path} in body should have at least {least} {what}"),
        ));
    }
    if let Some(most) = bounds.most.filter(|most| found > *most) {
        faults.push(Cause::new(Fault::TooMany, path, format!("{found}: must have at most {most} {what}")));
    }
}

/// Why a text isn't of this format; formats we don't know are never wrong, as in Kubernetes.
fn malformed(format: &str, text: &str) -> Option<&'static str> {
    use base64::Engine as _;
    match format {
        "date-time" if text.parse::<jiff::Timestamp>().is_err() => Some("be of type date-time"),
        "byte" if base64::engine::general_purpose::STANDARD.decode(text).is_err() => Some("be of type byte"),
        _ => None,
    }
}

fn choices(checks: &Checks, value: &Value, path: &str, faults: &mut Checked) {
    if !checks.choices.is_empty() && !checks.choices.contains(value) {
        faults.push(Cause::unsupported(path, value, &checks.choices));
    }
}

fn combinations(checks: &Checks, value: &Value, path: &str, faults: &mut Checked) {
    let holds = |schema: &Schema| {
        let mut found = Vec::new();
        visit(schema, value, path, &mut found);
        found.is_empty()
    };
    let mut bad = |why: String| faults.push(Cause::new(Fault::Invalid, "<nil>", format!("\"\": {why}")));
    if !checks.any_of.is_empty() && !checks.any_of.iter().any(holds) {
        bad(format!("\"{path}\" must validate at least one schema (anyOf)"));
    }
    if !checks.one_of.is_empty() && checks.one_of.iter().filter(|schema| holds(schema)).count() != 1 {
        bad(format!("\"{path}\" must validate one and only one schema (oneOf)"));
    }
    if checks.not.as_ref().is_some_and(holds) {
        bad(format!("\"{path}\" must not validate the schema (not)"));
    }
    for schema in &checks.all_of {
        visit(schema, value, path, faults);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::needless_pass_by_value)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(schema: Value, value: Value) -> Vec<String> {
        let schema = Schema::compile(&json!({"type": "object", "properties": {"a": schema}})).unwrap();
        check(&schema, &json!({"a": value})).iter().map(|c| format!("{}: {}", c.field, c.message())).collect()
    }

    #[test]
    fn each_fault_is_told_in_the_words_of_kubernetes() {
        let table = [
            (
                json!({"type": "string"}),
                json!(1),
                "a: Invalid value: \"integer\": a in body must be of type string: \"integer\"",
            ),
            (
                json!({"type": "string"}),
                json!(null),
                "a: Invalid value: \"null\": a in body must be of type string: \"null\"",
            ),
            (
                json!({"type": "string", "minLength": 2}),
                json!("A"),
                "a: Invalid value: \"A\": a in body should be at least 2 chars long",
            ),
            (
                json!({"type": "string", "maxLength": 2}),
                json!("ABC"),
                "a: Too long: may not be more than 2 bytes",
            ),
            (
                json!({"type": "string", "pattern": "^[a-z]+$"}),
                json!("A"),
                "a: Invalid value: \"A\": a in body should match '^[a-z]+$'",
            ),
            (
                json!({"type": "string", "enum": ["x", "y"]}),
                json!("z"),
                "a: Unsupported value: \"z\": supported values: \"x\", \"y\"",
            ),
            (
                json!({"type": "integer", "maximum": 10}),
                json!(30),
                "a: Invalid value: 30: a in body should be less than or equal to 10",
            ),
            (
                json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true}),
                json!(1),
                "a: Invalid value: 1: a in body should be greater than 1",
            ),
            (
                json!({"type": "array", "maxItems": 1, "items": {}}),
                json!([1, 2]),
                "a: Too many: 2: must have at most 1 items",
            ),
            (
                json!({"type": "array", "x-kubernetes-list-type": "set", "items": {}}),
                json!(["x", "x"]),
                "a[1]: Duplicate value: \"x\"",
            ),
            (
                json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"], "items": {"type": "object"}}),
                json!([{"id": "x"}, {"id": "x", "b": 1}]),
                "a[1]: Duplicate value: {\"id\":\"x\"}",
            ),
            (json!({"type": "object", "required": ["b"]}), json!({}), "a.b: Required value"),
            (
                json!({"x-kubernetes-int-or-string": true}),
                json!(true),
                "a: Invalid value: \"boolean\": a in body must be of type integer,string: \"boolean\"",
            ),
            (
                json!({"type": "string", "format": "date-time"}),
                json!("x"),
                "a: Invalid value: \"x\": a in body should be of type date-time",
            ),
            (
                json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}),
                json!(true),
                "<nil>: Invalid value: \"\": \"a\" must validate one and only one schema (oneOf)",
            ),
        ];
        for (schema, value, wanted) in table {
            assert_eq!(faults(schema, value), [wanted]);
        }
    }

    #[test]
    fn good_values_pass() {
        let table = [
            (json!({"type": "string", "nullable": true}), json!(null)),
            (json!({"type": "number"}), json!(1)),
            (
                json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
                json!("5"),
            ),
            (json!({"type": "string", "format": "date-time"}), json!("2026-01-01T00:00:00Z")),
            (json!({"type": "string", "format": "whatever"}), json!("x")),
        ];
        for (schema, value) in table {
            assert_eq!(faults(schema, value), [""; 0]);
        }
    }

    #[test]
    fn a_hostile_list_gives_a_bounded_answer() {
        let many: Vec<Value> = (0..10_000).map(Value::from).collect();
        let found = faults(json!({"type": "array", "items": {"type": "string"}}), many.into());
        assert!(found.len() <= MOST_FAULTS + 1, "{}", found.len());
    }
}
