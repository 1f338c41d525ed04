//! Kubernetes' own rules for names, labels and annotations.
//! Objects that break them would be refused by the API server when they are written; better to say so where they are asked
//! for.

use std::collections::BTreeMap;

use super::Faults;
use crate::field_error::FieldError;

/// The longest name of an object.
const SUBDOMAIN_MAX: usize = 253;
/// The longest name part of a label or annotation, and the longest label value.
const NAME_MAX: usize = 63;
/// The most bytes that all annotations of an object may have together.
const ANNOTATIONS_MAX: usize = 256 * 1024;

const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
     and must start and end with an alphanumeric character, also around each '.'";
const NAME_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
     alphanumeric character";
const VALUE_RULE: &str = "a label value must be empty or consist of alphanumeric characters, '-', '_' or '.', and must start \
     and end with an alphanumeric character";

/// What is wrong with the name of an object.
pub(crate) fn subdomain_faults(name: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if name.len() > SUBDOMAIN_MAX {
        faults.push(format!("must be no more than {SUBDOMAIN_MAX} bytes"));
    }
    if !name.split('.').all(is_dns_label) {
        faults.push(SUBDOMAIN_RULE.to_owned());
    }
    faults
}

/// What is wrong with a set of labels.
pub(crate) fn labels(labels: &BTreeMap<String, String>, path: &str, faults: &mut Faults) {
    for (key, value) in labels {
        for fault in key_faults(key) {
            faults.push(FieldError::invalid(path, key, fault));
        }
        if value.len() > NAME_MAX {
            faults.push(FieldError::invalid(path, value, format!("must be no more than {NAME_MAX} bytes")));
        }
        if !value.is_empty() && !is_name(value) {
            faults.push(FieldError::invalid(path, value, VALUE_RULE));
        }
    }
}

/// What is wrong with a set of annotations.
pub(crate) fn annotations(annotations: &BTreeMap<String, String>, path: &str, faults: &mut Faults) {
    for key in annotations.keys() {
        // Annotation keys may have capitals everywhere, also in their prefix.
        for fault in key_faults(&key.to_lowercase()) {
            faults.push(FieldError::invalid(path, key, fault));
        }
    }
    let size: usize = annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size > ANNOTATIONS_MAX {
        faults.push(FieldError::too_long(path, ANNOTATIONS_MAX));
    }
}

/// What is wrong with the key of a label or annotation: `name` or `prefix/name`.
fn key_faults(key: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let name = match key.split_once('/') {
        Some((_, name)) if name.contains('/') => {
            return vec!["a key must be a name with an optional DNS subdomain prefix and one '/'".to_owned()];
        }
        Some(("", _)) => return vec!["prefix part must be non-empty".to_owned()],
        Some((prefix, name)) => {
            faults.extend(subdomain_faults(prefix).into_iter().map(|fault| format!("prefix part {fault}")));
            name
        }
        None => key,
    };
    if name.is_empty() {
        faults.push("name part must be non-empty".to_owned());
    } else if name.len() > NAME_MAX {
        faults.push(format!("name part must be no more than {NAME_MAX} bytes"));
    }
    if !is_name(name) {
        faults.push(NAME_RULE.to_owned());
    }
    faults
}

fn is_dns_label(label: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    bounded_by(label, inner) && label.bytes().all(|b| inner(b) || b == b'-')
}

fn is_name(name: &str) -> bool {
    bounded_by(name, |b| b.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn bounded_by(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    match (text.as_bytes().first(), text.as_bytes().last()) {
        (Some(first), Some(last)) => allowed(*first) && allowed(*last),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn names_of_objects_are_dns_subdomains() {
        let longest = "a".repeat(253);
        for name in ["a", "web-tls", "web.example.com", "0-9", longest.as_str()] {
            assert_eq!(subdomain_faults(name), Vec::<String>::new(), "{name}");
        }
        let too_long = "a".repeat(254);
        for name in ["", "Web", "-a", "a-", "a..b", ".a", "a.", "a_b", "a b", "ä", "a/b", too_long.as_str()]
        {
            assert_ne!(subdomain_faults(name), Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn labels_that_kubernetes_refuses_are_refused() {
        let long = "a".repeat(64);
        let good = [("app", "web"), ("example.com/App_1.x", ""), ("a", "A-b_c.9")];
        let mut faults = Vec::new();
        labels(&map(&good), "spec.secretTemplate.labels", &mut faults);
        assert_eq!(faults, vec![]);
        let bad = [
            ("", "v"),
            ("/a", "v"),
            ("a/", "v"),
            ("a/b/c", "v"),
            ("Example.com/a", "v"),
            ("-a", "v"),
            ("a b", "v"),
            (long.as_str(), "v"),
            ("a", "not ok"),
            ("a", "-x"),
            ("a", long.as_str()),
        ];
        for pair in bad {
            let mut faults = Vec::new();
            labels(&map(&[pair]), "spec.secretTemplate.labels", &mut faults);
            assert!(!faults.is_empty(), "{pair:?}");
            assert!(faults.iter().all(|fault| fault.path == "spec.secretTemplate.labels"), "{faults:?}");
        }
    }

    #[test]
    fn annotation_keys_may_have_capitals_and_values_may_be_anything() {
        let mut faults = Vec::new();
        annotations(&map(&[("Example.com/Note", "any text\nat all"), ("b", "")]), "p", &mut faults);
        assert_eq!(faults, vec![]);
        annotations(&map(&[("no spaces", "")]), "p", &mut faults);
        assert!(!faults.is_empty());
        let mut faults = Vec::new();
        annotations(&map(&[("big", &"x".repeat(ANNOTATIONS_MAX))]), "p", &mut faults);
        assert_eq!(faults, vec![FieldError::too_long("p", ANNOTATIONS_MAX)]);
    }
}
