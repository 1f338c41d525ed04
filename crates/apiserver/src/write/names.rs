//! What every object must satisfy, whatever its kind: names, labels, annotations, finalizers, owners, and what may not
//! change in an update.
//! The rules are those of Kubernetes; the explanations are our own words.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::kinds::{Resource, Role};
use crate::object;
use crate::status::{Cause, Fault};

const LONGEST_LABEL: usize = 63;
const LONGEST_SUBDOMAIN: usize = 253;
/// How many bytes all annotations together may have.
const MOST_ANNOTATION_BYTES: usize = 256 * 1024;
const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case letters, digits, '-' or '.', \
                              and must begin and end with a letter or digit";
const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case letters, digits or '-', and must begin \
                          and end with a letter or digit";
const QUALIFIED_RULE: &str = "name part must consist of letters, digits, '-', '_' or '.', and must begin and end with a \
                              letter or digit; a prefix before '/' must be a DNS subdomain";
const VALUE_RULE: &str = "a valid label must be empty or consist of letters, digits, '-', '_' or '.', and must begin \
                          and end with a letter or digit";

/// What is wrong with the metadata of an object.
pub(super) fn faults(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut faults: Vec<Cause> = name_fault(resource, object::name(object)).into_iter().collect();
    let map = |key: &str| object::meta(object).and_then(|meta| meta.get(key)).and_then(Value::as_object);
    for (key, value) in map("labels").into_iter().flatten() {
        if !is_qualified(key) {
            faults.push(Cause::invalid("metadata.labels", &json!(key), QUALIFIED_RULE));
        }
        if !value.as_str().is_some_and(is_label_value) {
            faults.push(Cause::invalid("metadata.labels", value, VALUE_RULE));
        }
    }
    let mut bytes = 0;
    for (key, value) in map("annotations").into_iter().flatten() {
        bytes += key.len() + value.as_str().map_or(0, str::len);
        if !is_qualified(&key.to_lowercase()) {
            faults.push(Cause::invalid("metadata.annotations", &json!(key), QUALIFIED_RULE));
        }
    }
    if bytes > MOST_ANNOTATION_BYTES {
        let why = format!("may not be more than {MOST_ANNOTATION_BYTES} bytes");
        faults.push(Cause::new(Fault::TooLong, "metadata.annotations", why));
    }
    for finalizer in object::finalizers(object).filter(|finalizer| !is_qualified(finalizer)) {
        faults.push(Cause::invalid("metadata.finalizers", &json!(finalizer), QUALIFIED_RULE));
    }
    faults.extend(owner_faults(object));
    faults
}

fn name_fault(resource: &Resource, name: &str) -> Option<Cause> {
    let bad = |why: &str| Some(Cause::invalid("metadata.name", &json!(name), why));
    if name.is_empty() {
        return Some(Cause::required("metadata.name", "name or generateName is required"));
    }
    match resource.role {
        Role::Namespace if name.contains('.') => bad("must not contain dots"),
        Role::Namespace if !is_label(name) => bad(LABEL_RULE),
        Role::Namespace => None,
        _ if !is_subdomain(name) => bad(SUBDOMAIN_RULE),
        _ => None,
    }
}

fn owner_faults(object: &Value) -> Vec<Cause> {
    let list = object::meta(object).and_then(|meta| meta.get("ownerReferences")).and_then(Value::as_array);
    let mut faults = Vec::new();
    let mut controllers = 0;
    for owner in list.into_iter().flatten() {
        for key in ["apiVersion", "kind", "name", "uid"] {
            if owner.get(key).and_then(Value::as_str).is_none_or(str::is_empty) {
                let field = format!("metadata.ownerReferences.{key}");
                faults.push(Cause::invalid(field, &json!(""), "must not be empty"));
            }
        }
        controllers += usize::from(owner.get("controller").and_then(Value::as_bool).unwrap_or_default());
    }
    if controllers > 1 {
        let why = "Only one reference can have Controller set to true";
        faults.push(Cause::invalid("metadata.ownerReferences", &Value::Null, why));
    }
    faults
}

/// What is wrong with a change of the metadata.
pub(super) fn change_faults(old: &Value, new: &Value) -> Vec<Cause> {
    let mut faults = Vec::new();
    for key in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"] {
        let of = |object: &Value| object::meta(object).and_then(|meta| meta.get(key)).cloned();
        if of(old) != of(new) {
            faults.push(Cause::immutable(format!("metadata.{key}"), &of(new).unwrap_or_default()));
        }
    }
    if object::is_deleting(old) {
        let had: BTreeSet<&str> = object::finalizers(old).collect();
        let new: Vec<String> =
            object::finalizers(new).filter(|f| !had.contains(f)).map(|f| format!("\"{f}\"")).collect();
        if !new.is_empty() {
            let why = "no new finalizers can be added if the object is being deleted, found new finalizers";
            let says = format!("{why} []string{{{}}}", new.join(", "));
            faults.push(Cause::new(Fault::Forbidden, "metadata.finalizers", says));
        }
    }
    faults
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= LONGEST_LABEL
        && has_ends(text, inner)
        && text.bytes().all(|byte| inner(byte) || byte == b'-')
}

fn is_subdomain(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let part = |part: &str| has_ends(part, inner) && part.bytes().all(|byte| inner(byte) || byte == b'-');
    text.len() <= LONGEST_SUBDOMAIN && text.split('.').all(part)
}

fn is_qualified(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_qualified_name(name),
        None => is_qualified_name(text),
    }
}

fn is_qualified_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric();
    let all = text.bytes().all(|byte| inner(byte) || b"-_.".contains(&byte));
    text.len() <= LONGEST_LABEL && has_ends(text, inner) && all
}

fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_qualified_name(text)
}

/// Whether a text begins and ends with such a byte.
fn has_ends(text: &str, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|byte| inner(*byte)) && bytes.last().is_some_and(|byte| inner(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_kubernetes_takes() {
        for good in ["a", "a-b", "a.b", "0", "a1.b-2"] {
            assert!(is_subdomain(good), "{good}");
        }
        for bad in ["", "A", "a_b", "-a", "a-", "a..b", ".a", "a.", "a b", &"a".repeat(254)] {
            assert!(!is_subdomain(bad), "{bad}");
        }
        for good in ["app", "x.dev/App_1", "a.b-c", "0"] {
            assert!(is_qualified(good), "{good}");
        }
        for bad in ["", "/a", "a/", "a/b/c", "X.dev/a", "a b", "-a", &"a".repeat(64)] {
            assert!(!is_qualified(bad), "{bad}");
        }
    }

    #[test]
    fn finalizers_may_only_go_while_an_object_is_deleted() {
        let object =
            |finalizers: Value| json!({"metadata": {"deletionTimestamp": "x", "finalizers": finalizers}});
        assert!(change_faults(&object(json!(["a", "b"])), &object(json!(["a"]))).is_empty());
        assert_eq!(change_faults(&object(json!(["a"])), &object(json!(["a", "b"]))).len(), 1);
    }
}
