//! Objects as a table, the form `kubectl get` shows: columns from the kind, a row for each object.
//! Moments become the time since then, in the words of Kubernetes.
//! A value that isn't there is an empty cell, never an error.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kinds::{Column, Resource, Show};
use crate::respond;

/// What each row carries beside its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    Nothing,
    Metadata,
    Object,
}

impl Include {
    /// From the query parameter `includeObject`.
    pub(crate) fn named(name: Option<&str>) -> Include {
        match name {
            Some("None") => Include::Nothing,
            Some("Object") => Include::Object,
            _ => Include::Metadata,
        }
    }
}

/// A table of these objects. The columns are left out of all but the first table of a watch.
pub(crate) fn table(
    resource: &Resource,
    objects: &[Value],
    include: Include,
    meta: &Value,
    with_columns: bool,
    now: Timestamp,
) -> Value {
    let columns = if with_columns { resource.columns.iter().map(definition).collect() } else { Value::Null };
    let rows: Vec<Value> = objects.iter().map(|object| row(resource, object, include, now)).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta,
        "columnDefinitions": columns, "rows": rows,
    })
}

fn definition(column: &Column) -> Value {
    json!({
        "name": column.name, "type": column.kind, "format": column.format,
        "description": column.description, "priority": column.priority,
    })
}

fn row(resource: &Resource, object: &Value, include: Include, now: Timestamp) -> Value {
    let cells: Vec<Value> = resource.columns.iter().map(|column| cell(column, object, now)).collect();
    let carried = match include {
        Include::Nothing => Value::Null,
        Include::Metadata => respond::partial_value(object),
        Include::Object => object.clone(),
    };
    json!({"cells": cells, "object": carried})
}

fn cell(column: &Column, object: &Value, now: Timestamp) -> Value {
    let value = column.path.first(object);
    match column.show {
        Show::Plain => plain(&column.kind, value, now),
        Show::Age => age(value.and_then(Value::as_str), now).into(),
        Show::Count => entries(value).into(),
        Show::CountBoth => (entries(object.get("data")) + entries(object.get("binaryData"))).into(),
        Show::Trimmed => value.and_then(Value::as_str).unwrap_or_default().trim().into(),
        Show::EventLastSeen => {
            age(first_text(object, &["/series/lastObservedTime", "/lastTimestamp", "/eventTime"]), now).into()
        }
        Show::EventFirstSeen => age(first_text(object, &["/firstTimestamp", "/eventTime"]), now).into(),
        Show::EventObject => event_object(object).into(),
        Show::EventSource => event_source(object).into(),
        Show::EventCount => {
            let count = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
            count("/series/count").or_else(|| count("/count")).unwrap_or(1).into()
        }
    }
}

fn plain(kind: &str, value: Option<&Value>, now: Timestamp) -> Value {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        // A string column of a built-in kind is empty, one of a custom kind is null: both print the same.
        return Value::Null;
    };
    match (kind, value) {
        ("date", value) => age(value.as_str(), now).into(),
        ("string", Value::String(_)) | ("boolean", Value::Bool(_)) => value.clone(),
        ("string", other) => other.to_string().into(),
        ("integer", Value::Number(number)) => match number.as_f64() {
            Some(float) if number.is_f64() => Value::from(float as i64),
            _ => value.clone(),
        },
        ("number", Value::Number(_)) => value.clone(),
        _ => Value::Null,
    }
}

fn entries(value: Option<&Value>) -> usize {
    match value {
        Some(Value::Object(map)) => map.len(),
        Some(Value::Array(list)) => list.len(),
        _ => 0,
    }
}

fn first_text<'a>(object: &'a Value, pointers: &[&str]) -> Option<&'a str> {
    let text =
        |pointer: &&str| object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    pointers.iter().find_map(text)
}

fn event_object(event: &Value) -> String {
    let text = |key: &str| {
        event.pointer(&format!("/involvedObject/{key}")).and_then(Value::as_str).unwrap_or_default()
    };
    match text("kind") {
        "" => text("name").to_owned(),
        kind => format!("{}/{}", kind.to_lowercase(), text("name")),
    }
}

fn event_source(event: &Value) -> String {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let of =
        |who: &str, place: &str| if place.is_empty() { who.to_owned() } else { format!("{who}, {place}") };
    match text("/source/component") {
        "" => of(text("/reportingComponent"), text("/reportingInstance")),
        component => of(component, text("/source/host")),
    }
}

fn age(moment: Option<&str>, now: Timestamp) -> String {
    match moment.map(str::parse::<Timestamp>) {
        None => "<unknown>".to_owned(),
        Some(Err(_)) => "<invalid>".to_owned(),
        Some(Ok(moment)) => since(now.duration_since(moment).as_secs()),
    }
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// A span as Kubernetes prints it: the finer unit only while the coarse one is small.
fn since(seconds: i64) -> String {
    let two = |coarse: i64, fine: i64, names: (&str, &str)| match (seconds % coarse) / fine {
        0 => format!("{}{}", seconds / coarse, names.0),
        rest => format!("{}{}{rest}{}", seconds / coarse, names.0, names.1),
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        // A clock may be a little ahead.
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(MINUTE, 1, ("m", "s")),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(HOUR, MINUTE, ("h", "m")),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(DAY, HOUR, ("d", "h")),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(YEAR, DAY, ("y", "d")),
        _ => format!("{}y", seconds / YEAR),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::kinds::{Registry, Role};

    #[test]
    fn spans_print_as_in_kubernetes() {
        let table = [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (3 * HOUR - 1, "179m"),
            (3 * HOUR, "3h"),
            (3 * HOUR + 60, "3h1m"),
            (8 * HOUR, "8h"),
            (47 * HOUR, "47h"),
            (2 * DAY, "2d"),
            (2 * DAY + HOUR, "2d1h"),
            (8 * DAY, "8d"),
            (729 * DAY, "729d"),
            (2 * YEAR, "2y"),
            (2 * YEAR + DAY, "2y1d"),
            (9 * YEAR, "9y"),
        ];
        for (seconds, wanted) in table {
            assert_eq!(since(seconds), wanted, "{seconds}");
        }
    }

    #[test]
    fn a_secret_shows_its_type_and_how_many_keys_it_has_but_no_value() {
        let registry = Registry::with(&[]).unwrap();
        let secret = json!({"type": "Opaque", "data": {"a": "c2VjcmV0", "b": ""},
            "metadata": {"name": "s", "creationTimestamp": "2026-01-01T00:00:00Z"}});
        let now = "2026-01-01T00:05:00Z".parse().unwrap();
        let resource = registry.role(Role::Secret).unwrap();
        let table = table(resource, &[secret], Include::Metadata, &json!({}), true, now);
        assert_eq!(table.pointer("/rows/0/cells"), Some(&json!(["s", "Opaque", 2, "5m"])));
        assert!(!table.to_string().contains("c2VjcmV0"));
    }

    #[test]
    fn an_event_shows_what_it_is_about() {
        let registry = Registry::with(&[]).unwrap();
        let event = json!({"involvedObject": {"kind": "Secret", "name": "s"}, "reason": "R", "message": " m\n",
            "type": "Normal", "eventTime": "2026-01-01T00:00:00.5Z", "reportingComponent": "c", "reportingInstance": "i",
            "metadata": {"name": "e"}});
        let now = "2026-01-01T00:05:00Z".parse().unwrap();
        let resource = registry.role(Role::Event).unwrap();
        let table = table(resource, &[event], Include::Nothing, &json!({}), false, now);
        let wanted = json!(["4m59s", "Normal", "R", "secret/s", null, "c, i", "m", "4m59s", 1, "e"]);
        assert_eq!(table.pointer("/rows/0/cells"), Some(&wanted));
        assert_eq!(table.get("columnDefinitions"), Some(&Value::Null));
    }
}
