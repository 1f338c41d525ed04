//! The part of JSONPath that printer columns use: fields, `['field']`, indexes, `[*]` and equality filters.
//! Read once when a kind is defined.
//! A path that can't be read is refused there; a path that finds nothing is no fault.

use serde_json::Value;

/// A path that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Field(String),
    Index(i64),
    All,
    /// Items whose field has, or hasn't, this value.
    Filter {
        path: Vec<String>,
        equal: bool,
        value: Value,
    },
}

impl JsonPath {
    /// Reads a path such as `.status.conditions[?(@.type=="Ready")].status`.
    pub(crate) fn parse(text: &str) -> Option<JsonPath> {
        let text = text.trim().trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let end = closing(after)?;
                parts.push(bracket(after.get(..end)?)?);
                rest = after.get(end + 1..)?;
            } else {
                let after = rest.strip_prefix('.')?;
                let (name, left) = field(after);
                match name.as_str() {
                    "" if left.starts_with('[') => {}
                    "" => return None,
                    "*" => parts.push(Part::All),
                    _ => parts.push(Part::Field(name)),
                }
                rest = left;
            }
        }
        Some(JsonPath(parts))
    }

    /// The first value the path finds.
    pub(crate) fn first<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        find(&self.0, root)
    }
}

/// A field name up to the next dot or bracket; `\.` is a dot inside the name.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            '\\' if !escaped => escaped = true,
            '.' | '[' if !escaped => return (name, text.get(at..).unwrap_or_default()),
            other => {
                name.push(other);
                escaped = false;
            }
        }
    }
    (name, "")
}

/// Where the bracket closes, outside quotes.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (None, ']') => return Some(at),
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            _ => {}
        }
    }
    None
}

fn bracket(inside: &str) -> Option<Part> {
    let inside = inside.trim();
    if inside == "*" {
        return Some(Part::All);
    }
    if let Some(condition) = inside.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')) {
        return filter(condition);
    }
    match literal(inside)? {
        Value::String(name) => Some(Part::Field(name)),
        Value::Number(index) => index.as_i64().map(Part::Index),
        _ => None,
    }
}

fn filter(condition: &str) -> Option<Part> {
    let (left, right, equal) = match (condition.split_once("=="), condition.split_once("!=")) {
        (Some((left, right)), _) => (left, right, true),
        (None, Some((left, right))) => (left, right, false),
        (None, None) => return None,
    };
    let path = left.trim().strip_prefix("@.")?.split('.').map(str::to_owned).collect();
    Some(Part::Filter { path, equal, value: literal(right.trim())? })
}

fn literal(text: &str) -> Option<Value> {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return Some(inner.into());
        }
    }
    serde_json::from_str(text).ok()
}

fn find<'a>(parts: &[Part], value: &'a Value) -> Option<&'a Value> {
    let Some((part, rest)) = parts.split_first() else { return Some(value) };
    match part {
        Part::Field(name) => find(rest, value.get(name)?),
        Part::Index(index) => {
            let list = value.as_array()?;
            let at = if *index < 0 { list.len() as i64 + index } else { *index };
            find(rest, list.get(usize::try_from(at).ok()?)?)
        }
        Part::All => match value {
            Value::Array(list) => list.iter().find_map(|item| find(rest, item)),
            Value::Object(map) => map.values().find_map(|item| find(rest, item)),
            _ => None,
        },
        Part::Filter { path, equal, value: wanted } => {
            let holds = |item: &&Value| {
                let found = path.iter().try_fold(*item, |at, name| at.get(name));
                found.is_some_and(|found| (found == wanted) == *equal)
            };
            value.as_array()?.iter().filter(holds).find_map(|item| find(rest, item))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_of_printer_columns_find_their_value() {
        let object = json!({
            "spec": {"a": 1, "x.y": 2, "list": [{"n": 1}, {"n": 2}]},
            "status": {"conditions": [{"type": "Denied", "status": "False"}, {"type": "Ready", "status": "True"}]},
        });
        let table = [
            (".spec.a", Some(json!(1))),
            (".spec.x\\.y", Some(json!(2))),
            (".spec['x.y']", Some(json!(2))),
            (".spec.list[1].n", Some(json!(2))),
            (".spec.list[-1].n", Some(json!(2))),
            (".spec.list[*].n", Some(json!(1))),
            (".status.conditions[?(@.type==\"Ready\")].status", Some(json!("True"))),
            (".status.conditions[?(@.type == 'Ready')].status", Some(json!("True"))),
            (".status.conditions[?(@.type!='Ready')].status", Some(json!("False"))),
            (".status.conditions[?(@.type=='None')].status", None),
            (".status.nothing.here", None),
            (".spec.list[9].n", None),
        ];
        for (path, wanted) in table {
            assert_eq!(JsonPath::parse(path).unwrap().first(&object).cloned(), wanted, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for path in ["spec", ".spec[", ".a[?(@.x)]", "..a", ".a[x]", ".a[?(b==1)]"] {
            assert_eq!(JsonPath::parse(path), None, "{path}");
        }
    }
}
