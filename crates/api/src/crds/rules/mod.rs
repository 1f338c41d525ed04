//! Rules that the API server itself checks (CEL, `x-kubernetes-validations`), so that bad specs are refused with no webhook at all.
//! Each stands at its field or at `spec`, never at the root, so that a stored object that breaks one can still get its status.
//! A rule must never refuse what cert-manager's webhook takes: where CEL can't tell, it lets pass, and the status tells.

mod acme;
mod certificate;
mod dns01;
mod issuer;
mod request;

use serde_json::{Map, Value, json};

/// The longest name of an object.
const SUBDOMAIN_MAX: usize = 253;
/// Names of objects.
const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// Durations as Go writes them.
const GO_DURATION: &str = r"^[-+]?(0|(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(h|ms|m|s|us|µs|μs|ns))+)$";
/// No duration that says something is longer.
const DURATION_MAX: usize = 100;

/// A rule over the schema at a path: `spec.ipAddresses[]` are the entries of a list.
struct Rule {
    at: String,
    words: Map<String, Value>,
}

/// `rule` must be true of what stands at the path `at`; else `message` is said.
fn rule(at: impl Into<String>, rule: impl Into<String>, message: &str) -> Rule {
    let words = [("rule", json!(rule.into())), ("message", json!(message))];
    Rule { at: at.into(), words: words.map(|(key, value)| (key.to_owned(), value)).into_iter().collect() }
}

impl Rule {
    fn with(mut self, key: &str, value: Value) -> Rule {
        self.words.insert(key.to_owned(), value);
        self
    }

    /// The error names this field below the path.
    fn field(self, field: &str) -> Rule {
        self.with("fieldPath", json!(format!(".{field}")))
    }

    /// An expression that says it better, because it can name the value.
    fn telling(self, expression: &str) -> Rule {
        self.with("messageExpression", json!(expression))
    }

    /// Something is missing.
    fn required(self) -> Rule {
        self.with("reason", json!("FieldValueRequired"))
    }

    /// Something must not be there.
    fn forbidden(self) -> Rule {
        self.with("reason", json!("FieldValueForbidden"))
    }
}

/// A limit that only objects reach that could never be issued; the API server wants it to know what a rule can cost.
struct Bound {
    at: String,
    key: &'static str,
    most: usize,
}

fn bound(at: impl Into<String>, key: &'static str, most: usize) -> Bound {
    Bound { at: at.into(), key, most }
}

/// Rules and bounds of one kind.
#[derive(Default)]
struct Rules {
    rules: Vec<Rule>,
    bounds: Vec<Bound>,
}

/// Puts the rules of a kind into its schema. Paths that lead nowhere are returned.
pub(super) fn put_into(schema: &mut Value, kind: &str) -> Vec<String> {
    let rules = match kind {
        "Certificate" => certificate::rules(),
        "CertificateRequest" => request::rules(),
        _ => issuer::rules(),
    };
    let mut lost = Vec::new();
    for bound in rules.bounds {
        match object_at(schema, &bound.at) {
            Some(object) => _ = object.insert(bound.key.to_owned(), json!(bound.most)),
            None => lost.push(bound.at),
        }
    }
    for rule in rules.rules {
        let list = object_at(schema, &rule.at)
            .map(|object| object.entry("x-kubernetes-validations").or_insert_with(|| json!([])));
        match list.and_then(Value::as_array_mut) {
            Some(list) => list.push(Value::Object(rule.words)),
            None => lost.push(rule.at),
        }
    }
    lost
}

/// The schema at a path such as `spec.acme.solvers[].http01`; `labels{}` are the values of a map, the empty path is the root.
fn object_at<'a>(schema: &'a mut Value, path: &str) -> Option<&'a mut Map<String, Value>> {
    let mut place = schema;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let name = part.trim_end_matches("[]").trim_end_matches("{}");
        place = place.get_mut("properties")?.get_mut(name)?;
        if part.ends_with("[]") {
            place = place.get_mut("items")?;
        }
        if part.ends_with("{}") {
            place = place.get_mut("additionalProperties")?;
        }
    }
    place.as_object_mut()
}

/// A text that must not be empty.
fn filled(at: &str, field: &str, message: &str) -> Rule {
    rule(at, format!("self.{field} != ''"), message).field(field).required()
}

/// Name and key of a Secret's entry must be given.
fn whole_selector(at: &str) -> [Rule; 2] {
    [
        filled(at, "name", "secret name is required"),
        rule(at, "has(self.key) && self.key != ''", "secret key is required").field("key").required(),
    ]
}

/// Of these fields at most one is there; the error names each that is too many.
fn alone(at: &str, fields: &[&str], message: &str) -> Vec<Rule> {
    let rules = fields.iter().enumerate().skip(1).map(|(index, field)| {
        let before: Vec<String> =
            fields.iter().take(index).map(|field| format!("has(self.{field})")).collect();
        let expression = format!("!has(self.{field}) || !({})", before.join(" || "));
        rule(at, expression, message).field(field).forbidden()
    });
    rules.collect()
}

/// At least one of these fields is there.
fn any_of(at: &str, fields: &[&str], message: &str) -> Rule {
    let there: Vec<String> = fields.iter().map(|field| format!("has(self.{field})")).collect();
    rule(at, there.join(" || "), message).required()
}

/// A text that must be a duration.
fn duration(at: &str) -> (Rule, Bound) {
    let rule =
        rule(at, format!("self.matches('{GO_DURATION}')"), "must be a duration such as 2160h, 90m or 1h30m");
    let telling = rule.telling("'\"' + self + '\" is no duration (write it like 2160h, 90m or 1h30m)'");
    (telling, bound(at, "maxLength", DURATION_MAX))
}

/// An issuer must be named; of our own group there are two kinds only.
fn issuer_reference(at: &str) -> [Rule; 2] {
    let kind = "(has(self.group) && !(self.group in ['', 'cert-manager.io'])) || !has(self.kind) \
                || self.kind in ['', 'Issuer', 'ClusterIssuer']";
    let hint = "'must be one of Issuer or ClusterIssuer, not \"' + self.kind + '\"' + (has(self.group) && self.group != '' \
                ? '' : ' (did you forget to set spec.issuerRef.group?)')";
    [
        filled(at, "name", "must be specified"),
        rule(at, kind, "must be one of Issuer or ClusterIssuer").field("kind").telling(hint),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_through_lists_and_maps_or_nowhere() {
        let mut schema = json!({ "properties": { "a": {
            "items": { "properties": { "b": { "additionalProperties": { "type": "string" } } } },
        } } });
        for path in ["", "a", "a[]", "a[].b", "a[].b{}"] {
            assert!(object_at(&mut schema, path).is_some(), "{path}");
        }
        for path in ["b", "a.b", "a[].c", "a{}"] {
            assert!(object_at(&mut schema, path).is_none(), "{path}");
        }
    }

    #[test]
    fn no_rule_that_looks_at_the_present_stands_at_the_root() {
        for rules in [certificate::rules(), request::rules(), issuer::rules()] {
            for rule in rules.rules.iter().filter(|rule| !rule.at.contains("spec")) {
                let expression = rule.words.get("rule").and_then(Value::as_str).unwrap_or_default();
                let compares = expression.contains("oldSelf");
                assert!(compares || rule.at.starts_with("status.conditions[]"), "{}: {expression}", rule.at);
            }
        }
    }
}
