//! What an answer must be.

use std::collections::BTreeMap;

use serde_json::Value;

use super::lab::Answer;

#[derive(Clone)]
pub enum Check {
    Code(u16),
    Has(&'static str, Value),
    HasNot(&'static str, Value),
    Lacks(&'static str),
    Fills(&'static str),
    Says(&'static str),
    Blames(Vec<&'static str>),
    Lists(Vec<&'static str>),
    Warns(&'static str),
    WarnsNot,
    Tells(Vec<&'static str>),
    Cells(usize, Value),
    Owns(&'static str, Vec<&'static str>),
    OwnsNothing(&'static str),
}

impl Check {
    pub fn holds(&self, answer: &Answer, kept: &BTreeMap<String, String>) -> Result<(), String> {
        let at = |pointer: &str| answer.body.pointer(pointer);
        let filled =
            |value: &Value| -> Value { serde_json::from_str(&fill(&value.to_string(), kept)).unwrap() };
        match self {
            Check::Code(code) => same("code", &answer.code, code),
            Check::Has(pointer, value) => same(pointer, &at(pointer).cloned(), &Some(filled(value))),
            Check::HasNot(pointer, value) => match at(pointer) == Some(&filled(value)) {
                true => Err(format!("{pointer} is {value}")),
                false => Ok(()),
            },
            Check::Lacks(pointer) => same(pointer, &at(pointer).filter(|value| !value.is_null()), &None),
            Check::Fills(pointer) => match at(pointer) {
                Some(value) if !value.is_null() => Ok(()),
                _ => Err(format!("nothing at {pointer}")),
            },
            Check::Says(words) => {
                let message = at("/message").and_then(Value::as_str).unwrap_or(&answer.text);
                let words = fill(words, kept);
                if message.contains(&words) { Ok(()) } else { Err(format!("the message lacks {words:?}")) }
            }
            Check::Blames(fields) => {
                let causes = at("/details/causes").and_then(Value::as_array).cloned().unwrap_or_default();
                let mut found: Vec<String> =
                    causes.iter().filter_map(|cause| cause["field"].as_str()).map(str::to_owned).collect();
                // A real server may tell the same cause twice.
                found.sort();
                found.dedup();
                same("causes", &found, &fields.iter().map(|field| (*field).to_owned()).collect())
            }
            Check::Lists(names) => {
                let items = at("/items").and_then(Value::as_array).cloned().unwrap_or_default();
                let name = |item: &Value| item["metadata"]["name"].as_str().unwrap_or("?").to_owned();
                same(
                    "items",
                    &items.iter().map(name).collect::<Vec<_>>(),
                    &names.iter().map(|n| fill(n, kept)).collect(),
                )
            }
            Check::Warns(words) => {
                let warnings = answer.headers.get("warning").cloned().unwrap_or_default();
                match warnings.iter().any(|warning| warning.contains(words)) {
                    true => Ok(()),
                    false => Err(format!("no warning says {words:?}: {warnings:?}")),
                }
            }
            Check::WarnsNot => same("warnings", &answer.headers.get("warning").cloned(), &None),
            Check::Tells(lines) => {
                // A server tells bookmarks when it likes.
                let told: Vec<String> =
                    answer.text.lines().map(watch_line).filter(|line| line != "BOOKMARK").collect();
                same("lines", &told, &lines.iter().map(|line| fill(line, kept)).collect())
            }
            Check::Cells(row, cells) => {
                let found =
                    at(&format!("/rows/{row}/cells")).and_then(Value::as_array).cloned().unwrap_or_default();
                let wanted = filled(cells).as_array().cloned().unwrap_or_default();
                let shown: Vec<Value> = found.iter().take(wanted.len()).cloned().collect();
                same("cells", &shown, &wanted)
            }
            Check::Owns(who, paths) => match owner(&answer.body, who) {
                Some(fields) => {
                    same("fields", &leaves(&fields), &paths.iter().map(|path| (*path).to_owned()).collect())
                }
                None => Err(format!("{who} owns nothing")),
            },
            Check::OwnsNothing(who) => match owner(&answer.body, who) {
                Some(fields) => Err(format!("{who} owns {:?}", leaves(&fields))),
                None => Ok(()),
            },
        }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what} is {found:?}, not {wanted:?}")) }
}

/// Puts kept values in for `$name`.
pub fn fill(text: &str, kept: &BTreeMap<String, String>) -> String {
    let mut filled = text.to_owned();
    for (name, value) in kept.iter().rev() {
        filled = filled.replace(&format!("${name}"), value);
    }
    filled
}

/// A line of a watch as `TYPE name`.
pub fn watch_line(line: &str) -> String {
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    let kind = event["type"].as_str().unwrap_or("?").to_owned();
    match (kind.as_str(), &event["object"]) {
        ("BOOKMARK", object) => match object["metadata"]["annotations"]["k8s.io/initial-events-end"].as_str()
        {
            Some(_) => "BOOKMARK initial".to_owned(),
            None => kind,
        },
        ("ERROR", object) => format!("ERROR {}", object["code"]),
        (_, object) if object["kind"] == "Table" => {
            let columns = object["columnDefinitions"].as_array().map_or(0, Vec::len);
            format!("{kind} {} with {columns} columns", object["rows"][0]["cells"][0].as_str().unwrap_or("?"))
        }
        (_, object) => format!("{kind} {}", object["metadata"]["name"].as_str().unwrap_or("?")),
    }
}

/// The fields of `operation manager [subresource]`.
fn owner(object: &Value, who: &str) -> Option<Value> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let name = |entry: &Value| {
        let name =
            format!("{} {} {}", text(entry, "operation"), text(entry, "manager"), text(entry, "subresource"));
        name.trim().to_owned()
    };
    entries.iter().find(|entry| name(entry) == who).map(|entry| entry["fieldsV1"].clone())
}

/// The paths of a `fieldsV1`, `/` between steps.
fn leaves(fields: &Value) -> Vec<String> {
    fn visit(value: &Value, path: &str, all: &mut Vec<String>) {
        let map = value.as_object().unwrap();
        if map.is_empty() || map.contains_key(".") {
            all.push(path.to_owned());
        }
        for (step, inner) in map.iter().filter(|(step, _)| *step != ".") {
            let below = if path.is_empty() { step.clone() } else { format!("{path}/{step}") };
            visit(inner, &below, all);
        }
    }
    let mut all = Vec::new();
    if fields.as_object().is_some_and(|map| !map.is_empty()) {
        visit(fields, "", &mut all);
    }
    all.sort();
    all
}
