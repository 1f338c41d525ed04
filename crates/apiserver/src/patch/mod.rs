//! Patches: what kind a request carries, and carrying it out on a value.
//! Server-side apply has a module of its own.
//! A patch never leaves the value half changed: it works on a copy.

mod strategic;

use json_patch::{AddOperation, PatchOperation};
use serde_json::Value;

use crate::kinds::Resource;
use crate::parse;
use crate::status::{Cause, Outcome, Rejection};

/// How many operations a JSON patch may have: what kube-apiserver takes.
const MOST_OPERATIONS: usize = 10_000;

/// The kinds of patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PatchKind {
    Json,
    Merge,
    Strategic,
    Apply,
}

/// A patch that was read.
#[derive(Debug)]
pub(crate) enum Patch {
    Json(json_patch::Patch),
    Merge(Value),
    Strategic(Value),
}

impl PatchKind {
    /// The kind that a media type names, if objects of this kind take it.
    pub(crate) fn of(media: &str, resource: &Resource) -> Outcome<PatchKind> {
        let kind = match media.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => PatchKind::Json,
            "application/merge-patch+json" => PatchKind::Merge,
            "application/strategic-merge-patch+json" if !resource.is_custom() => PatchKind::Strategic,
            "application/apply-patch+yaml" => PatchKind::Apply,
            _ => return Err(Rejection::unsupported_media(accepted(resource))),
        };
        Ok(kind)
    }
}

fn accepted(resource: &Resource) -> &'static str {
    if resource.is_custom() {
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    } else {
        "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, \
         application/apply-patch+yaml"
    }
}

impl Patch {
    /// Reads a patch that isn't an apply; the second part tells fields that stand twice.
    pub(crate) fn read(kind: PatchKind, body: &[u8]) -> Outcome<(Patch, Vec<String>)> {
        let parsed = parse::json(body).map_err(|error| unreadable(&error.to_string()))?;
        let patch = match kind {
            PatchKind::Json => {
                let operations = parsed.value.as_array().map_or(0, Vec::len);
                if operations > MOST_OPERATIONS {
                    let message = format!(
                        "The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {operations}"
                    );
                    return Err(Rejection::too_many_operations(message));
                }
                let patch =
                    serde_json::from_value(parsed.value).map_err(|error| unreadable(&error.to_string()))?;
                Patch::Json(patch)
            }
            _ if !parsed.value.is_object() => return Err(unreadable("a merge patch must be an object")),
            PatchKind::Strategic => Patch::Strategic(parsed.value),
            PatchKind::Merge | PatchKind::Apply => Patch::Merge(parsed.value),
        };
        Ok((patch, parsed.duplicates))
    }

    /// The value with the patch carried out.
    pub(crate) fn applied(&self, resource: &Resource, old: &Value) -> Outcome<Value> {
        let mut new = old.clone();
        match self {
            Patch::Json(patch) => apply_operations(&mut new, patch)?,
            Patch::Merge(patch) => json_patch::merge(&mut new, patch),
            Patch::Strategic(patch) => strategic::merge(&resource.schema, &mut new, patch)?,
        }
        if new.is_object() { Ok(new) } else { Err(Rejection::patch_failed()) }
    }
}

/// Carries out the operations in their order, as kube-apiserver does: a member that isn't there can be replaced, and is
/// equal to null.
fn apply_operations(value: &mut Value, patch: &json_patch::Patch) -> Outcome<()> {
    for operation in &patch.0 {
        let operation = match operation {
            PatchOperation::Replace(replace) if is_free_member(value, replace.path.as_str()) => {
                PatchOperation::Add(AddOperation { path: replace.path.clone(), value: replace.value.clone() })
            }
            PatchOperation::Test(test)
                if test.value.is_null() && is_free_member(value, test.path.as_str()) =>
            {
                continue;
            }
            other => other.clone(),
        };
        json_patch::patch(value, std::slice::from_ref(&operation)).map_err(|_| Rejection::patch_failed())?;
    }
    Ok(())
}

/// Whether a path leads to a member of an object that isn't there.
fn is_free_member(value: &Value, path: &str) -> bool {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    value.pointer(path).is_none() && value.pointer(parent).is_some_and(Value::is_object)
}

fn unreadable(why: &str) -> Rejection {
    Rejection::bad_request(format!("error decoding patch: {why}"))
}

/// A patch whose outcome isn't an object of its kind. The outcome isn't shown: it may be a Secret.
pub(crate) fn bad_outcome(why: &str) -> Rejection {
    let cause = Cause::new(crate::status::Fault::Invalid, "patch", format!("\"\": {why}"));
    Rejection::invalid(&crate::status::About::default(), &[cause])
}
