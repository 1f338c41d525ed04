//! The columns of a kind in a table.
//! A definition's `additionalPrinterColumns`; built-in kinds name a way to show a value as well (`x-show`).
//! Every table begins with the name.

use serde_json::Value;

use super::{KindError, text};
use crate::jsonpath::JsonPath;

/// One column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    /// 0 is always shown, 1 with `-o wide`.
    pub(crate) priority: i64,
    pub(crate) path: JsonPath,
    pub(crate) show: Show,
}

/// How a value becomes a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// As its type says.
    Plain,
    /// A moment, as the time since then.
    Age,
    /// How many entries it has.
    Count,
    /// How many entries `data` and `binaryData` have.
    CountBoth,
    /// Without white space at its ends.
    Trimmed,
    EventLastSeen,
    EventFirstSeen,
    EventObject,
    EventSource,
    EventCount,
}

/// The columns of a version, the name first.
pub(super) fn read(version: &Value, kind: &str) -> Result<Vec<Column>, KindError> {
    let given = version.get("additionalPrinterColumns").and_then(Value::as_array);
    let mut columns = Vec::new();
    // `kubectl get events` shows the name only when asked for more.
    if !given.into_iter().flatten().any(|column| text(column, "format") == Some("name")) {
        columns.extend(column("Name", "string", "name", ".metadata.name", "The name of the object."));
    }
    match given.filter(|columns| !columns.is_empty()) {
        None => columns.extend(column(
            "Age",
            "date",
            "",
            ".metadata.creationTimestamp",
            "How long ago it was created.",
        )),
        Some(given) => {
            for raw in given {
                let name = text(raw, "name").unwrap_or_default();
                let path = text(raw, "jsonPath").unwrap_or_default();
                let fail = || KindError::Column { kind: kind.to_owned(), column: name.to_owned() };
                let words = match text(raw, "description") {
                    Some(words) => words.to_owned(),
                    None => format!("Custom resource definition column (in JSONPath format): {path}"),
                };
                let format = text(raw, "format").unwrap_or_default();
                let mut read = column(name, text(raw, "type").unwrap_or("string"), format, path, &words)
                    .ok_or_else(fail)?;
                read.priority = raw.get("priority").and_then(Value::as_i64).unwrap_or_default();
                read.show = show(text(raw, "x-show"));
                columns.push(read);
            }
        }
    }
    Ok(columns)
}

fn column(name: &str, kind: &str, format: &str, path: &str, description: &str) -> Option<Column> {
    Some(Column {
        name: name.to_owned(),
        kind: kind.to_owned(),
        format: format.to_owned(),
        description: description.to_owned(),
        priority: 0,
        path: JsonPath::parse(path)?,
        show: Show::Plain,
    })
}

fn show(name: Option<&str>) -> Show {
    match name {
        Some("age") => Show::Age,
        Some("count") => Show::Count,
        Some("count-both") => Show::CountBoth,
        Some("trimmed") => Show::Trimmed,
        Some("event-last-seen") => Show::EventLastSeen,
        Some("event-first-seen") => Show::EventFirstSeen,
        Some("event-object") => Show::EventObject,
        Some("event-source") => Show::EventSource,
        Some("event-count") => Show::EventCount,
        _ => Show::Plain,
    }
}
