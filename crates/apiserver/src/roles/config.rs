//! Secrets and ConfigMaps: plain text folded into data, keys that make sense, what may not change.
//! No fault carries a value, only keys.
//! The rules are those of kube-apiserver 1.36.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use crate::status::{Cause, Fault};

/// How many bytes all values together may have.
const MOST_BYTES: usize = 1024 * 1024;
/// The longest key.
const LONGEST_KEY: usize = 253;
const IMMUTABLE: &str = "field is immutable when `immutable` is set";

/// Folds `stringData` into `data`, gives the type its default, and drops empty values' nulls.
pub(super) fn settle_secret(secret: &mut Value) {
    let Some(root) = secret.as_object_mut() else { return };
    let plain = root.remove("stringData");
    if let Some(Value::Object(plain)) = plain {
        let data = root.entry("data").or_insert_with(|| Value::Object(Map::new()));
        if let Some(data) = data.as_object_mut() {
            for (key, value) in plain {
                data.insert(key, BASE64.encode(value.as_str().unwrap_or_default()).into());
            }
        }
    }
    if let Some(data) = root.get_mut("data").and_then(Value::as_object_mut) {
        data.values_mut().filter(|value| value.is_null()).for_each(|value| *value = "".into());
    }
    let kind = root.entry("type").or_insert_with(|| "Opaque".into());
    if kind.as_str().is_none_or(str::is_empty) {
        *kind = "Opaque".into();
    }
}

pub(super) fn secret_faults(secret: &Value) -> Vec<Cause> {
    let data = secret.get("data").and_then(Value::as_object);
    let mut faults = key_faults("data", data);
    let bytes: usize = data.into_iter().flatten().map(|(_, value)| decoded_length(value)).sum();
    faults.extend(size_fault(bytes, "data"));
    let has = |key: &str| data.is_some_and(|data| data.contains_key(key));
    let needs: &[&str] = match secret.get("type").and_then(Value::as_str) {
        Some("kubernetes.io/tls") => &["tls.crt", "tls.key"],
        Some("kubernetes.io/ssh-auth") => &["ssh-privatekey"],
        Some("kubernetes.io/dockercfg") => &[".dockercfg"],
        Some("kubernetes.io/dockerconfigjson") => &[".dockerconfigjson"],
        Some("kubernetes.io/basic-auth") if !has("username") && !has("password") => &["username", "password"],
        _ => &[],
    };
    let missing = needs.iter().filter(|key| !has(key));
    faults.extend(missing.map(|key| Cause::required(format!("data[{key}]"), "")));
    faults
}

pub(super) fn config_map_faults(map: &Value) -> Vec<Cause> {
    let (data, binary) =
        (map.get("data").and_then(Value::as_object), map.get("binaryData").and_then(Value::as_object));
    let mut faults = key_faults("data", data);
    faults.extend(key_faults("binaryData", binary));
    for key in data.into_iter().flatten().map(|(key, _)| key) {
        if binary.is_some_and(|binary| binary.contains_key(key)) {
            let why = "duplicate of key present in binaryData";
            faults.push(Cause::invalid(format!("data[{key}]"), &json!(key), why));
        }
    }
    let text: usize = data.into_iter().flatten().map(|(_, value)| value.as_str().map_or(0, str::len)).sum();
    let bytes: usize = binary.into_iter().flatten().map(|(_, value)| decoded_length(value)).sum();
    faults.extend(size_fault(text + bytes, ""));
    faults
}

pub(super) fn secret_change_faults(old: &Value, new: &Value) -> Vec<Cause> {
    let mut faults = Vec::new();
    if old.get("type") != new.get("type") {
        faults.push(Cause::immutable("type", new.get("type").unwrap_or(&Value::Null)));
    }
    faults.extend(immutable_faults(old, new, &["data"]));
    faults
}

pub(super) fn config_map_change_faults(old: &Value, new: &Value) -> Vec<Cause> {
    immutable_faults(old, new, &["data", "binaryData"])
}

fn immutable_faults(old: &Value, new: &Value, parts: &[&str]) -> Vec<Cause> {
    let is_immutable = |object: &Value| object.get("immutable").and_then(Value::as_bool).unwrap_or_default();
    if !is_immutable(old) {
        return Vec::new();
    }
    let mut changed: Vec<&str> =
        parts.iter().filter(|part| old.get(**part) != new.get(**part)).copied().collect();
    if !is_immutable(new) {
        changed.push("immutable");
    }
    changed.into_iter().map(|part| Cause::new(Fault::Forbidden, part, IMMUTABLE)).collect()
}

fn key_faults(part: &str, data: Option<&Map<String, Value>>) -> Vec<Cause> {
    let why = "a key consists of letters, digits, '-', '_' and '.'";
    let bad = data.into_iter().flatten().map(|(key, _)| key).filter(|key| !is_key(key));
    bad.map(|key| Cause::invalid(format!("{part}[{key}]"), &json!(key), why)).collect()
}

fn is_key(key: &str) -> bool {
    let letters = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    letters && !key.is_empty() && key.len() <= LONGEST_KEY && key != "." && !key.starts_with("..")
}

fn size_fault(bytes: usize, field: &str) -> Option<Cause> {
    let why = format!("may not be more than {MOST_BYTES} bytes");
    (bytes > MOST_BYTES).then(|| Cause::new(Fault::TooLong, field, why))
}

fn decoded_length(value: &Value) -> usize {
    let text = value.as_str().unwrap_or_default();
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(faults: &[Cause]) -> Vec<&str> {
        faults.iter().map(|fault| fault.field.as_str()).collect()
    }

    #[test]
    fn plain_text_becomes_data() {
        let mut secret = json!({"data": {"a": "eA==", "n": null}, "stringData": {"a": "y", "b": "z"}});
        settle_secret(&mut secret);
        assert_eq!(secret, json!({"data": {"a": "eQ==", "b": "eg==", "n": ""}, "type": "Opaque"}));
    }

    #[test]
    fn keys_and_types_of_secrets_are_checked() {
        let table = [
            (json!({"type": "Opaque", "data": {"a.b-c_D": ""}}), vec![]),
            (
                json!({"type": "Opaque", "data": {"a b": "", "..": "", "": ""}}),
                vec!["data[]", "data[..]", "data[a b]"],
            ),
            (json!({"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}), vec!["data[tls.key]"]),
            (json!({"type": "kubernetes.io/basic-auth", "data": {"username": ""}}), vec![]),
        ];
        for (secret, wanted) in table {
            assert_eq!(fields(&secret_faults(&secret)), wanted, "{secret}");
        }
        let big = json!({"data": {"a": BASE64.encode(vec![0; MOST_BYTES + 1])}});
        assert_eq!(fields(&secret_faults(&big)), ["data"]);
        let fits = json!({"data": {"a": BASE64.encode(vec![0; MOST_BYTES])}});
        assert_eq!(fields(&secret_faults(&fits)), [""; 0]);
    }

    #[test]
    fn what_may_not_change_is_told() {
        let old = json!({"type": "a", "immutable": true, "data": {"x": ""}});
        let table = [
            (json!({"type": "a", "immutable": true, "data": {"x": ""}}), vec![]),
            (json!({"type": "b", "immutable": true, "data": {"x": ""}}), vec!["type"]),
            (json!({"type": "a", "immutable": true, "data": {}}), vec!["data"]),
            (json!({"type": "a", "data": {"x": ""}}), vec!["immutable"]),
        ];
        for (new, wanted) in table {
            assert_eq!(fields(&secret_change_faults(&old, &new)), wanted, "{new}");
        }
    }
}
