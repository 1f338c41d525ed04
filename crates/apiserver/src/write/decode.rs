//! A body, or what a patch made, -> an object of its kind in its one form.
//! Unknown fields are dropped and told; what has the wrong type is refused; defaults are filled in.
//! No refusal shows a value of a built-in kind, since that may be a Secret.

use serde_json::Value;

use super::Ask;
use crate::kinds::Resource;
use crate::options::Unknown;
use crate::parse::Parsed;
use crate::patch::bad_outcome;
use crate::status::{Cause, Fault, Outcome, Rejection};
use crate::{object, roles, schema};

/// Where an object came from: it decides how a fault is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Body,
    Patch,
    Apply,
}

/// An object in its form, and what to warn of.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) object: Value,
    pub(super) warnings: Vec<String>,
}

/// Brings an object into its form.
pub(super) fn decode(ask: &Ask<'_>, parsed: Parsed, origin: Origin) -> Outcome<Decoded> {
    let resource = ask.resource;
    let Parsed { value: mut object, duplicates } = parsed;
    recognise(resource, &mut object, origin)?;
    let mut unknown = Vec::new();
    schema::prune(&resource.schema, &mut object, "", &mut unknown);
    let duplicates = duplicates.iter().map(|path| format!("duplicate field \"{path}\""));
    let problems: Vec<String> =
        duplicates.chain(unknown.iter().map(|path| format!("unknown field \"{path}\""))).collect();
    if ask.options.unknown == Unknown::Refuse && !problems.is_empty() {
        return Err(refused(resource, origin, &format!("strict decoding error: {}", problems.join(", "))));
    }
    let warnings = if ask.options.unknown == Unknown::Warn { problems } else { Vec::new() };
    if origin != Origin::Apply {
        schema::drop_nulls(&resource.schema, &mut object);
    }
    if let Some(fault) = wrong_type(resource, &object) {
        return Err(refused(resource, origin, &fault));
    }
    object::tidy_meta(&mut object);
    roles::settle(resource, &mut object);
    schema::fill(&resource.schema, &mut object);
    Ok(Decoded { object, warnings })
}

/// The fault in the words for where it came from.
fn refused(resource: &Resource, origin: Origin, why: &str) -> Rejection {
    let Resource { kind, version, .. } = resource;
    match origin {
        Origin::Body => Rejection::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"
        )),
        Origin::Patch => bad_outcome(why),
        Origin::Apply => Rejection::bare(format!("failed to convert new object to proper version: {why}")),
    }
}

/// The object must be of this kind; built-in kinds may leave out which.
fn recognise(resource: &Resource, object: &mut Value, origin: Origin) -> Outcome<()> {
    let wanted = (&resource.api_version, &resource.kind);
    let Some(root) = object.as_object_mut() else {
        return Err(unrecognised(resource, "the body is not an object"));
    };
    for (key, value) in [("apiVersion", wanted.0), ("kind", wanted.1)] {
        let given = root.get(key).and_then(Value::as_str).unwrap_or_default();
        if given.is_empty() && !resource.is_custom() {
            root.insert(key.to_owned(), value.as_str().into());
        }
    }
    let text = |key: &str| root.get(key).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if kind.is_empty() {
        return Err(unrecognised(resource, "Object 'Kind' is missing"));
    }
    if version != wanted.0 {
        return Err(match resource.is_custom() || origin != Origin::Body {
            true => {
                let data = format!("the API version in the data ({version})");
                Rejection::bad_request(format!(
                    "{data} does not match the expected API version ({})",
                    wanted.0
                ))
            }
            false => refused(
                resource,
                origin,
                &format!("no kind \"{kind}\" is registered for version \"{version}\""),
            ),
        });
    }
    if kind != wanted.1 {
        let name = object::name(object).to_owned();
        let kind = object.get("kind").cloned().unwrap_or_default();
        let given = kind.as_str().unwrap_or_default();
        if !resource.is_custom() {
            let version = &resource.version;
            let message = format!("{given} in version \"{version}\" cannot be handled as a {}", wanted.1);
            return Err(Rejection::bad_request(message));
        }
        let cause = Cause::invalid("kind", &kind, &format!("must be {}", wanted.1));
        let about = crate::status::About { group: &resource.group, kind: given, name: &name };
        return Err(Rejection::invalid(&about, &[cause]));
    }
    Ok(())
}

/// A body that isn't an object of this kind.
pub(crate) fn unrecognised(resource: &Resource, why: &str) -> Rejection {
    Rejection::bad_request(format!(
        "the object provided is unrecognized (must be of type {}): {why}",
        resource.kind
    ))
}

/// What has the wrong type: anything in a built-in kind, the metadata of a custom one.
fn wrong_type(resource: &Resource, object: &Value) -> Option<String> {
    let in_words = |prefix: &str, fault: &Cause| {
        let path = if prefix.is_empty() { fault.field.clone() } else { format!("{prefix}.{}", fault.field) };
        match fault.fault {
            Fault::TypeInvalid => Some(format!("json: cannot unmarshal {path}: {}", fault.message())),
            Fault::Invalid => Some(format!("{path} is malformed")),
            _ => None,
        }
    };
    if !resource.is_custom() {
        return schema::check(&resource.schema, object).iter().find_map(|fault| in_words("", fault));
    }
    let meta = object.get("metadata")?;
    let schema = resource.schema.properties.get("metadata")?;
    schema::check(schema, meta).iter().find_map(|fault| in_words("metadata", fault))
}

/// A question: decoded like an object, but nothing about it is told or stored.
pub(crate) fn decode_review(resource: &Resource, question: Value) -> Outcome<Value> {
    let mut object = question;
    recognise(resource, &mut object, Origin::Body)?;
    schema::prune(&resource.schema, &mut object, "", &mut Vec::new());
    schema::drop_nulls(&resource.schema, &mut object);
    match wrong_type(resource, &object) {
        Some(fault) => Err(refused(resource, Origin::Body, &fault)),
        None => Ok(object),
    }
}
