//! Reads the fields of a request body the way Vault's framework does: numbers as text, comma lists as arrays.
//! Refusals carry the framework's own texts (vault-measured 2).
//! It knows no path: which fields an endpoint has is said by the endpoint.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::golang;
use crate::http::answer::Refusal;
use crate::state::cidr::Cidr;

/// The fields of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text field; empty when it isn't there.
    pub(crate) fn text(&self, name: &str) -> Result<String, Refusal> {
        match self.value(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(Value::Bool(flag)) => Ok(if *flag { "1" } else { "0" }.to_owned()),
            Some(other) => Err(unconvertible(name, "string", other)),
        }
    }

    /// A flag; the default when it isn't there.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, Refusal> {
        match self.value(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::Number(number)) => Ok(number.as_i64() != Some(0)),
            Some(Value::String(text)) => match text.as_str() {
                "true" | "1" | "t" | "T" | "TRUE" | "True" => Ok(true),
                "false" | "0" | "f" | "F" | "FALSE" | "False" | "" => Ok(false),
                other => Err(failed(
                    name,
                    &format!(
                        "cannot parse '' as bool: strconv.ParseBool: parsing {}: invalid syntax",
                        golang::quote(other)
                    ),
                )),
            },
            Some(other) => Err(unconvertible(name, "bool", other)),
        }
    }

    /// A duration; nothing when it isn't there or is zero.
    pub(crate) fn duration(&self, name: &str) -> Result<Option<Duration>, Refusal> {
        let text = match self.value(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => return Err(unconvertible(name, "string", other)),
        };
        let duration = golang::parse_duration(&text).map_err(|why| failed(name, &why))?;
        Ok(Some(duration).filter(|duration| !duration.is_zero()))
    }

    /// A whole number; the default when it isn't there.
    pub(crate) fn number(&self, name: &str, default: u64) -> Result<u64, Refusal> {
        match self.value(name) {
            None => Ok(default),
            Some(Value::Number(number)) => {
                let whole =
                    number.as_u64().or_else(|| number.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64));
                whole.ok_or_else(|| failed(name, "cannot provide negative value"))
            }
            Some(Value::String(text)) => text.parse().map_err(|_| {
                failed(
                    name,
                    &format!(
                        "cannot parse '' as int: strconv.ParseInt: parsing {}: invalid syntax",
                        golang::quote(text)
                    ),
                )
            }),
            Some(other) => Err(unconvertible(name, "int", other)),
        }
    }

    /// A list: an array, or text with commas.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Some(Value::String(text)) => {
                text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
            }
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .filter(|item| !item.is_empty())
                .collect(),
            _ => Vec::new(),
        }
    }

    /// A list of address blocks.
    pub(crate) fn cidrs(&self, name: &str) -> Vec<Cidr> {
        self.list(name).iter().map(|block| Cidr::new(block)).collect()
    }
}

fn failed(name: &str, why: &str) -> Refusal {
    Refusal::bad(format!(
        "Field validation failed: error converting input for field {}: {why}",
        golang::quote(name)
    ))
}

fn unconvertible(name: &str, wanted: &str, value: &Value) -> Refusal {
    let kind = match value {
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
        Value::Bool(_) => "bool",
        _ => "json.Number",
    };
    let shown = match value {
        Value::Array(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .collect();
            format!("[{}]", items.join(" "))
        }
        other => other.to_string(),
    };
    failed(name, &format!("'' expected type '{wanted}', got unconvertible type '{kind}', value: '{shown}'"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn bad_fields_are_refused_in_the_recorded_words() {
        let fields = json!({"ttl": "abc", "neg": -5, "csr": ["a"]});
        let fields = Fields(fields.as_object().unwrap());
        let rows = [
            (
                fields.duration("ttl").unwrap_err(),
                "Field validation failed: error converting input for field \"ttl\": time: invalid duration \"abc\"",
            ),
            (
                fields.duration("neg").unwrap_err(),
                "Field validation failed: error converting input for field \"neg\": cannot provide negative value '-5'",
            ),
            (
                fields.text("csr").unwrap_err(),
                "Field validation failed: error converting input for field \"csr\": '' expected type 'string', got unconvertible type '[]interface {}', value: '[a]'",
            ),
        ];
        for (refusal, text) in rows {
            assert_eq!(refusal, Refusal::bad(text));
        }
    }

    #[test]
    fn fields_are_read_leniently() {
        let fields =
            json!({"list": "a, b,", "array": ["c"], "flag": "true", "ttl": "1h", "n": "5", "null": null});
        let fields = Fields(fields.as_object().unwrap());
        assert_eq!(fields.list("list"), ["a", "b"]);
        assert_eq!(fields.list("array"), ["c"]);
        assert_eq!(fields.flag("flag", false), Ok(true));
        assert_eq!(fields.duration("ttl"), Ok(Some(Duration::from_secs(3600))));
        assert_eq!(fields.number("n", 0), Ok(5));
        assert_eq!(fields.text("null"), Ok(String::new()));
    }
}
