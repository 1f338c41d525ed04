//! The bridge from client-side to server-side apply: `kubectl apply` keeps what it applied in an annotation.
//! A conflict with a field that this annotation shows to be kubectl's own is none, and the annotation is kept up to date.
//! Only the manager named `kubectl` is treated so.

use serde_json::Value;

use super::fields::Fields;
use super::managers::Writer;
use super::server_side::Applied;
use super::walk::{claims, compare};
use crate::object;

/// The name kubectl applies under on the server side.
const KUBECTL: &str = "kubectl";
/// Where kubectl keeps what it applied on the client side.
const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn annotation(live: &Value) -> Option<&str> {
    object::meta(live)?.get("annotations")?.get(ANNOTATION)?.as_str()
}

/// Whether all of these conflicts are with what kubectl itself applied before, on the client side.
pub(super) fn allows(applied: &Applied<'_>, conflicts: &[(Writer, Fields)]) -> bool {
    if applied.writer.manager != KUBECTL || conflicts.is_empty() {
        return false;
    }
    let Some(live) = applied.live else { return false };
    let Some(last) = annotation(live).and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
        return false;
    };
    // Its own is what it applied and what still stands so.
    let schema = Some(applied.schema);
    let mut own = claims(schema, &last);
    let since = compare(schema, Some(&last), Some(live));
    own.take(&since.taken());
    own.take(&since.removed);
    conflicts.iter().all(|(_, fields)| {
        let mut foreign = fields.clone();
        foreign.take(&own);
        foreign.is_empty()
    })
}

/// Keeps the annotation up to date where it stands.
pub(super) fn renew(applied: &Applied<'_>, new: &mut Value) {
    if applied.writer.manager != KUBECTL || !applied.writer.subresource.is_empty() {
        return;
    }
    if applied.live.and_then(annotation).is_none() {
        return;
    }
    let mut config = applied.config.clone();
    object::unset(&mut config, "managedFields");
    if let Some(annotations) = config.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(ANNOTATION);
    }
    if let Some(annotations) = new.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.insert(ANNOTATION.to_owned(), format!("{config}\n").into());
    }
}
