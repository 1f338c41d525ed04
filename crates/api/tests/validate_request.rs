//! Rules for CertificateRequests: what is refused on creation and on change, with its path.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use everleaf_api::validate::{validate_request, validate_request_conditions, validate_request_update};
use everleaf_api::{CertificateRequest, CertificateRequestSpec, FieldError};
use serde_json::{Value, json};

fn said(faults: &[FieldError]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

fn spec(patch: &Value) -> CertificateRequestSpec {
    let mut spec = json!({ "request": "eA==", "issuerRef": { "name": "ca" } });
    for (name, value) in patch.as_object().unwrap() {
        spec.as_object_mut().unwrap().insert(name.clone(), value.clone());
    }
    serde_json::from_value(spec).unwrap()
}

#[test]
fn a_new_request_is_checked() {
    let table = [
        (json!({ "request": "" }), "spec.request: Required value: must be specified"),
        (json!({ "issuerRef": { "name": "" } }), "spec.issuerRef.name: Required value"),
        (json!({ "issuerRef": { "name": "a", "kind": "X" } }), "spec.issuerRef.kind: Invalid value: \"X\""),
        (json!({ "usages": ["server auth", "x"] }), "spec.usages[1]: Invalid value: \"x\": unknown keyusage"),
        (json!({ "duration": "1d" }), "spec.duration: Invalid value: \"1d\""),
    ];
    for (patch, start) in table {
        let faults = said(&validate_request(&spec(&patch)));
        assert_eq!(faults.len(), 1, "{patch}: {faults:?}");
        assert!(faults[0].starts_with(start), "{patch}: {faults:?}");
    }
    assert_eq!(
        said(&validate_request(&spec(&json!({ "duration": "10m", "isCA": true })))),
        Vec::<String>::new()
    );
}

fn request(annotations: &Value, conditions: &Value, spec: &Value) -> CertificateRequest {
    serde_json::from_value(json!({
        "metadata": { "name": "r", "annotations": annotations },
        "spec": spec,
        "status": { "conditions": conditions },
    }))
    .unwrap()
}

fn condition(type_: &str, status: &str) -> Value {
    json!({ "type": type_, "status": status, "reason": "r", "message": "m" })
}

#[test]
fn a_decision_is_one_and_true() {
    let table = [
        (json!([]), ""),
        (json!([condition("Approved", "True"), condition("Ready", "False")]), ""),
        (json!([condition("Denied", "True")]), ""),
        (json!([condition("Approved", "False")]), "status.conditions.Approved: Invalid value: \"False\""),
        (json!([condition("Denied", "Unknown")]), "status.conditions.Denied: Invalid value: \"Unknown\""),
        (
            json!([condition("Approved", "True"), condition("Approved", "True")]),
            "status.conditions: Forbidden: multiple \"Approved\"",
        ),
        (
            json!([condition("Approved", "True"), condition("Denied", "True")]),
            "status.conditions: Forbidden: 'Denied' and 'Approved'",
        ),
    ];
    for (conditions, start) in table {
        let status = request(&json!({}), &conditions, &json!({})).status.unwrap();
        let faults = said(&validate_request_conditions(&status.conditions));
        assert_eq!(faults.len(), usize::from(!start.is_empty()), "{conditions}: {faults:?}");
        assert!(start.is_empty() || faults[0].starts_with(start), "{conditions}: {faults:?}");
    }
}

#[test]
fn nothing_about_a_request_changes_but_its_status() {
    let spec = json!({ "request": "eA==", "issuerRef": { "name": "ca" } });
    let other = json!({ "request": "eA==", "issuerRef": { "name": "ca", "kind": "Issuer" } });
    let none = json!({});
    let name = |value: &str| json!({ "cert-manager.io/certificate-name": value });
    let approved = json!([condition("Approved", "True")]);
    let denied = json!([condition("Denied", "True")]);
    let changed = json!([{ "type": "Approved", "status": "True", "reason": "someone else", "message": "m" }]);
    let refused = [
        (
            request(&none, &json!([]), &spec),
            request(&none, &json!([]), &other),
            "spec: Forbidden: cannot change spec",
        ),
        (
            request(&name("a"), &json!([]), &spec),
            request(&name("b"), &json!([]), &spec),
            "metadata.annotations.cert-manager.io/certificate-name: Forbidden",
        ),
        (
            request(&name("a"), &json!([]), &spec),
            request(&none, &json!([]), &spec),
            "metadata.annotations.cert-manager.io",
        ),
        (
            request(&none, &json!([]), &spec),
            request(&json!({ "acme.cert-manager.io/x": "y" }), &json!([]), &spec),
            "metadata.annotations.acme.cert-manager.io/x: Forbidden",
        ),
        (
            request(&none, &approved, &spec),
            request(&none, &json!([]), &spec),
            "status.conditions: Forbidden: 'Approved'",
        ),
        (
            request(&none, &approved, &spec),
            request(&none, &changed, &spec),
            "status.conditions: Forbidden: 'Approved'",
        ),
        (
            request(&none, &denied, &spec),
            request(&none, &json!([]), &spec),
            "status.conditions: Forbidden: 'Denied'",
        ),
    ];
    for (old, new, start) in refused {
        let faults = said(&validate_request_update(&old, &new));
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with(start), "{faults:?} should start with {start}");
    }
    let taken = [
        (request(&none, &json!([]), &spec), request(&none, &approved, &spec)),
        (
            request(&none, &approved, &spec),
            request(&none, &json!([condition("Ready", "True"), condition("Approved", "True")]), &spec),
        ),
        // Venafi's id is added later, and other people's annotations are theirs.
        (
            request(&none, &approved, &spec),
            request(&json!({ "venafi.cert-manager.io/pickup-id": "1", "a": "b" }), &approved, &spec),
        ),
    ];
    for (old, new) in taken {
        assert_eq!(said(&validate_request_update(&old, &new)), Vec::<String>::new());
    }
}
