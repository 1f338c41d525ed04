//! Enters an update (PUT, or a patch that isn't an apply) into the book.
//! The writer owns what it added or changed; others lose that, and everybody loses what was removed.
//! Fields that the server fills are never owned.

use serde_json::Value;

use super::fields::Fields;
use super::managers::{Entry, Managers, Operation, Writer};
use super::walk::{Changes, compare};
use super::{Ignored, server_side::BEFORE_FIRST_APPLY};
use crate::schema::Schema;

/// What the server fills in, which nobody owns.
const SERVER: [&str; 2] = ["f:apiVersion", "f:kind"];
const SERVER_META: [&str; 9] = [
    "f:name",
    "f:namespace",
    "f:creationTimestamp",
    "f:selfLink",
    "f:uid",
    "f:clusterName",
    "f:generation",
    "f:managedFields",
    "f:resourceVersion",
];

/// Whose book to go on from: the one the caller sent, else the living one.
pub(crate) fn book(live: Option<&Value>, new: &Value, writer: &Writer) -> Managers {
    let living = || live.and_then(Managers::read).unwrap_or_default();
    if !writer.subresource.is_empty() {
        return living();
    }
    if Managers::is_reset(new) {
        return Managers::default();
    }
    Managers::read(new).filter(|managers| !managers.is_empty()).unwrap_or_else(living)
}

/// Enters an update into the book and writes the book into the new object.
/// `live` is none when the object is new.
pub(crate) fn track(
    schema: &Schema,
    live: Option<&Value>,
    new: &mut Value,
    writer: &Writer,
    ignored: Ignored,
    now: &str,
) {
    let mut managers = book(live, new, writer);
    // Whoever had the book emptied isn't tracked again until the next apply.
    if live.is_none() || !managers.is_empty() {
        let changes = changes(schema, live, new, ignored);
        enter(&mut managers, &changes, writer, now);
        managers.cap();
    }
    managers.write(new);
}

/// The book of an object that was never applied to, as if one writer had made it whole.
pub(super) fn before_first_apply(
    schema: &Schema,
    live: &Value,
    writer: &Writer,
    ignored: Ignored,
    now: &str,
) -> Managers {
    let mut managers = Managers::default();
    let maker = Writer {
        manager: BEFORE_FIRST_APPLY.to_owned(),
        operation: Operation::Update,
        api_version: writer.api_version.clone(),
        subresource: writer.subresource.clone(),
    };
    enter(&mut managers, &changes(schema, None, live, ignored), &maker, now);
    managers
}

/// What changed, without what can't change here and without the book itself.
pub(super) fn changes(schema: &Schema, live: Option<&Value>, new: &Value, ignored: Ignored) -> Changes {
    let nothing = empty_like(schema, new);
    let mut changes = compare(Some(schema), Some(live.unwrap_or(&nothing)), Some(new));
    ignored.parts().iter().for_each(|part| changes.cut(part));
    for set in [&mut changes.added, &mut changes.modified, &mut changes.removed] {
        strip(set);
    }
    changes
}

/// What an object is compared with when it is new: its always-there parts, empty.
fn empty_like(schema: &Schema, new: &Value) -> Value {
    // The metadata of all kinds and the top-level structs of built-in kinds exist before anybody writes them:
    // kube-apiserver 1.36 writes no "." below f:spec of a Lease, but of a custom kind.
    let mut empty = serde_json::Map::new();
    empty.insert("metadata".to_owned(), Value::Object(serde_json::Map::new()));
    if schema.structs_at_top {
        for (name, field) in &schema.properties {
            if !field.properties.is_empty() && !field.atomic_map && new.get(name).is_some() {
                empty.insert(name.clone(), Value::Object(serde_json::Map::new()));
            }
        }
    }
    Value::Object(empty)
}

/// Takes out what nobody owns.
pub(super) fn strip(set: &mut Fields) {
    SERVER.iter().for_each(|step| set.cut(step));
    SERVER_META.iter().for_each(|step| set.cut_path(&["f:metadata", step]));
    if let Some(meta) = set.below.get_mut("f:metadata") {
        meta.here = false;
        if meta.is_empty() {
            set.cut("f:metadata");
        }
    }
}

fn enter(managers: &mut Managers, changes: &Changes, writer: &Writer, now: &str) {
    let taken = changes.taken();
    managers.take(&writer.api_version, &taken, None);
    managers.take(&writer.api_version, &changes.removed, None);
    if taken.is_empty() {
        return;
    }
    match managers.position(writer).and_then(|at| managers.0.get_mut(at)) {
        Some(entry) => {
            entry.fields.add(&taken);
            entry.time = Some(now.to_owned());
        }
        None => managers.0.push(Entry { writer: writer.clone(), time: Some(now.to_owned()), fields: taken }),
    }
}
