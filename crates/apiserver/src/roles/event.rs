//! Events: one object, two kinds. `core/v1` is the form they are stored in, `events.k8s.io/v1` names the same parts otherwise.
//! Each kind has its own rules for what must be there.
//! They expire; that is done elsewhere.

use serde_json::{Value, json};

use crate::kinds::Role;
use crate::object;
use crate::status::Cause;

/// Names in `core/v1` and in `events.k8s.io/v1`.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];
/// The longest note of an `events.k8s.io/v1` event.
const LONGEST_NOTE: usize = 1024;

/// From `events.k8s.io/v1`.
pub(super) fn to_core(event: &mut Value) {
    rename(event, "v1", |(core, new)| (new, core));
}

/// To `events.k8s.io/v1`.
pub(super) fn from_core(event: &mut Value) {
    rename(event, "events.k8s.io/v1", |(core, new)| (core, new));
}

fn rename(
    event: &mut Value,
    api_version: &str,
    direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) {
    let Some(root) = event.as_object_mut() else { return };
    for pair in NAMES {
        let (from, to) = direction(pair);
        if let Some(value) = root.remove(from) {
            root.insert(to.to_owned(), value);
        }
    }
    root.insert("apiVersion".to_owned(), api_version.into());
}

pub(super) fn faults(role: Role, event: &Value) -> Vec<Cause> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let mut faults = Vec::new();
    let about = if role == Role::NewEvent { "/regarding/namespace" } else { "/involvedObject/namespace" };
    // An event about an object without a namespace lies in `default`.
    let fits = text(about) == object::namespace(event)
        || (text(about).is_empty() && object::namespace(event) == "default");
    if !fits {
        let why = "does not match event.namespace";
        faults.push(Cause::invalid("involvedObject.namespace", &json!(text(about)), why));
    }
    if role == Role::NewEvent {
        for (field, pointer) in [
            ("eventTime", "/eventTime"),
            ("reportingController", "/reportingController"),
            ("reportingInstance", "/reportingInstance"),
            ("action", "/action"),
            ("reason", "/reason"),
        ] {
            if text(pointer).is_empty() {
                faults.push(Cause::required(field, ""));
            }
        }
        if !matches!(text("/type"), "Normal" | "Warning") {
            faults.push(Cause::invalid("type", &json!(text("/type")), "has invalid value: "));
        }
        if text("/note").len() > LONGEST_NOTE {
            faults.push(Cause::invalid(
                "note",
                &json!(""),
                &format!("can have at most {LONGEST_NOTE} characters"),
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_goes_to_the_stored_form_and_back() {
        let new = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "note": "n", "regarding": {"name": "x"},
            "reportingController": "c", "action": "A", "deprecatedCount": 2});
        let mut event = new.clone();
        to_core(&mut event);
        assert_eq!(
            event,
            json!({"apiVersion": "v1", "kind": "Event", "message": "n", "involvedObject": {"name": "x"},
                "reportingComponent": "c", "action": "A", "count": 2})
        );
        from_core(&mut event);
        assert_eq!(event, new);
    }

    #[test]
    fn an_event_lies_where_its_object_lies() {
        let event = |namespace: &str, about: &str| json!({"metadata": {"namespace": namespace}, "involvedObject": {"namespace": about}});
        assert!(faults(Role::Event, &event("a", "a")).is_empty());
        assert!(faults(Role::Event, &event("default", "")).is_empty());
        assert_eq!(faults(Role::Event, &event("a", "b")).len(), 1);
        assert_eq!(faults(Role::Event, &event("a", "")).len(), 1);
    }
}
