//! Changes an object: PUT, patch and apply propose a new state, and one place settles whether and how it is stored.
//! A proposal is made on what was accepted last; if that changed meanwhile it is made anew.
//! A change that changes nothing is not stored, and one that takes the last finalizer of a dying object deletes it.

use serde_json::Value;

use super::create::{place, store_new};
use super::decode::{Decoded, Origin, decode};
use super::{Ask, Part, State, Written, names, value};
use crate::apply::{self, Applied, Operation, track};
use crate::kinds::Role;
use crate::parse::Parsed;
use crate::patch::Patch;
use crate::status::{About, Cause, Outcome, Rejection};
use crate::store::{Expect, Next, Plan, Refused, Stored};
use crate::{object, roles, schema};

/// How often a change is computed anew before the caller is told of the conflict.
const MOST_TRIES: usize = 16;

/// A new state of an object.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub(crate) object: Value,
    /// Whether its book of field owners is written already.
    pub(crate) tracked: bool,
    pub(crate) warnings: Vec<String>,
}

/// What a proposal comes down to.
enum Settled {
    /// Nothing changes.
    Same,
    Put(Value),
    /// The last finalizer went, so the object goes.
    Delete(Value),
}

/// Replaces an object by a body.
pub(crate) async fn put(ask: &Ask<'_>, name: &str, parsed: Parsed) -> Outcome<Written> {
    let Decoded { mut object, warnings } = decode(ask, parsed, Origin::Body)?;
    same_name(&object, name)?;
    place(ask, &mut object)?;
    let key = ask.resource.key(ask.namespace, name);
    let is_there = ask.api.objects.head(ask.resource.collection, &key).is_some();
    if !is_there && ask.resource.creates_on_update() && ask.part == Part::Main {
        let writer = ask.writer(Operation::Update);
        track(&ask.resource.schema, None, &mut object, &writer, ask.ignored(), &ask.now());
        return store_new(ask, object, warnings).await;
    }
    let propose = |old: &Value| {
        let (wanted, found) = (object::uid(&object), object::uid(old));
        if !wanted.is_empty() && wanted != found {
            let why =
                format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}");
            return Err(Rejection::conflict(&ask.resource.about(name), &why));
        }
        Ok(Proposal { object: object.clone(), tracked: false, warnings: warnings.clone() })
    };
    update(ask, name, propose).await
}

/// Patches an object.
pub(crate) async fn patch(
    ask: &Ask<'_>,
    name: &str,
    patch: &Patch,
    duplicates: &[String],
) -> Outcome<Written> {
    let propose = |old: &Value| {
        let value = patch.applied(ask.resource, old)?;
        let parsed = Parsed { value, duplicates: duplicates.to_vec() };
        let Decoded { object, warnings } = decode(ask, parsed, Origin::Patch)?;
        Ok(Proposal { object, tracked: false, warnings })
    };
    update(ask, name, propose).await
}

/// Applies a configuration: the object is made when it isn't there.
pub(crate) async fn apply(ask: &Ask<'_>, name: &str, parsed: Parsed) -> Outcome<Written> {
    let Parsed { value: mut config, duplicates } = parsed;
    recognise_config(ask, name, &mut config)?;
    let key = ask.resource.key(ask.namespace, name);
    for _ in 0..MOST_TRIES {
        let is_there = ask.api.objects.head(ask.resource.collection, &key).is_some();
        if is_there || ask.part != Part::Main {
            let done = update(ask, name, |old| propose_apply(ask, Some(old), &config, &duplicates)).await;
            match done {
                Err(gone) if gone.is_not_found() && ask.part == Part::Main => continue,
                done => return done,
            }
        }
        if !object::uid(&config).is_empty() {
            let cause = Cause::immutable("metadata.uid", &object::uid(&config).into());
            return Err(Rejection::invalid(&ask.resource.about_kind(name), &[cause]));
        }
        let mut fresh = config.clone();
        object::unset(&mut fresh, "resourceVersion");
        let Proposal { mut object, warnings, .. } = propose_apply(ask, None, &fresh, &duplicates)?;
        roles::begin(ask.resource, &mut object);
        match store_new(ask, object, warnings).await {
            Err(exists) if exists.is_already_exists() => {}
            done => return done,
        }
    }
    Err(Rejection::modified(&ask.resource.about(name)))
}

fn propose_apply(
    ask: &Ask<'_>,
    live: Option<&Value>,
    config: &Value,
    duplicates: &[String],
) -> Outcome<Proposal> {
    let value = apply::apply(&Applied {
        schema: &ask.resource.schema,
        live,
        config,
        writer: &ask.writer(Operation::Apply),
        ignored: ask.ignored(),
        force: ask.options.force,
        now: &ask.now(),
    })?;
    let parsed = Parsed { value, duplicates: duplicates.to_vec() };
    let Decoded { object, warnings } = decode(ask, parsed, Origin::Apply)?;
    Ok(Proposal { object, tracked: true, warnings })
}

/// An applied configuration names its kind, and nothing that contradicts the path.
fn recognise_config(ask: &Ask<'_>, name: &str, config: &mut Value) -> Outcome<()> {
    let text = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default();
    if !config.is_object() || text("apiVersion").is_empty() || text("kind").is_empty() {
        let message = format!("invalid object type: {}, Kind={}", text("apiVersion"), text("kind"));
        return Err(Rejection::bad_request(message));
    }
    if text("apiVersion") != ask.resource.api_version || text("kind") != ask.resource.kind {
        let message = format!("invalid object type: {}, Kind={}", text("apiVersion"), text("kind"));
        return Err(Rejection::bad_request(message));
    }
    if object::meta(config)
        .is_some_and(|meta| meta.get("managedFields").is_some_and(|fields| !fields.is_null()))
    {
        return Err(Rejection::bad_request("metadata.managedFields must be nil"));
    }
    same_name(config, name)?;
    place(ask, config)
}

fn same_name(object: &Value, name: &str) -> Outcome<()> {
    match object::name(object) {
        given if given == name => Ok(()),
        "" => {
            let what = format!("the name of the object ({name} based on URL) was undeterminable");
            Err(Rejection::bad_request(format!("{what}: name must be provided")))
        }
        given => Err(Rejection::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        ))),
    }
}

/// Changes an object by what `propose` makes of it.
pub(crate) async fn update(
    ask: &Ask<'_>,
    name: &str,
    mut propose: impl FnMut(&Value) -> Outcome<Proposal>,
) -> Outcome<Written> {
    let resource = ask.resource;
    let key = resource.key(ask.namespace, name);
    for _ in 0..MOST_TRIES {
        let Some(head) = ask.api.objects.head(resource.collection, &key) else {
            return Err(Rejection::not_found(&resource.about(name)));
        };
        let old = value(resource, &head);
        let Proposal { object, tracked, warnings } = propose(&old)?;
        let settled = settle(ask, name, &old, object, tracked)?;
        let written = |state| Ok(Written { state, created: false, warnings: warnings.clone() });
        let (next, shown) = match settled {
            Settled::Same => return written(same_state(ask, &head)),
            Settled::Put(new) | Settled::Delete(new) if ask.options.dry_run => {
                return written(State::Shown(new));
            }
            Settled::Put(mut new) => {
                roles::to_stored(resource, &mut new);
                (Next::Put(new), None)
            }
            Settled::Delete(new) => {
                let mut last = new.clone();
                roles::to_stored(resource, &mut last);
                (Next::Delete(last), Some(new))
            }
        };
        let expect = Expect::Version(head.version);
        let plan = Plan { collection: resource.collection, key: key.clone(), expect, inside: None, next };
        match ask.api.objects.write(plan).await {
            Ok(stored) => return written(shown.map_or(State::Stored(stored), State::Shown)),
            Err(Refused::Changed) => {}
            Err(refused) => return Err(ask.refused(refused, name)),
        }
    }
    Err(Rejection::modified(&resource.about(name)))
}

fn same_state(ask: &Ask<'_>, head: &std::sync::Arc<Stored>) -> State {
    match ask.options.dry_run {
        true => State::Shown(value(ask.resource, head)),
        false => State::Stored(head.clone()),
    }
}

/// Decides what a proposal comes down to.
fn settle(ask: &Ask<'_>, name: &str, old: &Value, mut new: Value, tracked: bool) -> Outcome<Settled> {
    same_name(&new, name)?;
    place(ask, &mut new)?;
    same_version(ask, name, old, &mut new)?;
    if !tracked {
        let writer = ask.writer(Operation::Update);
        track(&ask.resource.schema, Some(old), &mut new, &writer, ask.ignored(), &ask.now());
    }
    keep_server_fields(old, &mut new);
    keep_other_parts(ask, old, &mut new);
    if ask.resource.counts_generations() && wish_changed(ask, old, &new) {
        object::set(&mut new, "generation", object::generation(old) + 1);
    }
    check(ask, name, old, &new)?;
    if let Some(book) = unchanged_but_times(old, &new) {
        // A writer that repeats itself isn't news.
        object::copy_meta(&book, &mut new, "managedFields");
    }
    if is_done_dying(ask, &new) {
        return Ok(Settled::Delete(new));
    }
    Ok(if *old == new { Settled::Same } else { Settled::Put(new) })
}

/// A proposal names the version it was made on, or may do without.
fn same_version(ask: &Ask<'_>, name: &str, old: &Value, new: &mut Value) -> Outcome<()> {
    let (wanted, found) = (object::version_text(new), object::version_text(old));
    // "0" is how a version that isn't set is told.
    if wanted.is_empty() || wanted == "0" {
        if !ask.resource.updates_blindly() {
            let cause =
                Cause::invalid("metadata.resourceVersion", &0.into(), "must be specified for an update");
            let about = About { kind: &ask.resource.plural, ..ask.resource.about(name) };
            return Err(Rejection::invalid(&about, &[cause]));
        }
    } else if wanted != found {
        return Err(Rejection::modified(&ask.resource.about(name)));
    }
    object::copy_meta(old, new, "resourceVersion");
    Ok(())
}

/// What only the server sets stays as it was.
fn keep_server_fields(old: &Value, new: &mut Value) {
    object::copy_meta(old, new, "generation");
    object::copy_meta(old, new, "creationTimestamp");
    object::unset(new, "selfLink");
    if object::uid(new).is_empty() {
        object::copy_meta(old, new, "uid");
    }
    if object::is_deleting(old) {
        object::copy_meta(old, new, "deletionTimestamp");
        object::copy_meta(old, new, "deletionGracePeriodSeconds");
    }
}

/// What this request can't write stays as it was.
fn keep_other_parts(ask: &Ask<'_>, old: &Value, new: &mut Value) {
    let copy = |part: &str, from: &Value, to: &mut Value| {
        if let Some(root) = to.as_object_mut() {
            match from.get(part) {
                Some(value) => drop(root.insert(part.to_owned(), value.clone())),
                None => drop(root.remove(part)),
            }
        }
    };
    match ask.part {
        Part::Main if ask.resource.has_status => {
            copy("status", old, new);
            if ask.resource.role == Role::Namespace {
                // `/finalize` alone writes these.
                copy("spec", old, new);
            }
        }
        Part::Main => {}
        Part::Status if ask.resource.is_custom() => {
            let mut kept = old.clone();
            copy("status", new, &mut kept);
            object::copy_meta(new, &mut kept, "managedFields");
            *new = kept;
        }
        Part::Status => copy("spec", old, new),
        Part::Finalize => {
            copy("status", old, new);
            let mut kept = old.clone();
            copy("spec", new, &mut kept);
            *new = kept;
        }
    }
}

/// Whether anything changed that is neither metadata nor status.
fn wish_changed(ask: &Ask<'_>, old: &Value, new: &Value) -> bool {
    let counts = |key: &str| key != "metadata" && !(key == "status" && ask.resource.has_status);
    let wish = |object: &Value| -> Vec<(String, Value)> {
        let root = object.as_object().into_iter().flatten();
        root.filter(|(key, _)| counts(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    wish(old) != wish(new)
}

fn check(ask: &Ask<'_>, name: &str, old: &Value, new: &Value) -> Outcome<()> {
    let resource = ask.resource;
    let mut faults = names::faults(resource, new);
    faults.extend(names::change_faults(old, new));
    if resource.is_custom() {
        faults.extend(schema::check(&resource.schema, new));
    }
    faults.extend(roles::faults(resource, new));
    faults.extend(roles::change_faults(resource, old, new));
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Rejection::invalid(&resource.about_kind(name), &faults)),
    }
}

/// The old object, when the new one differs from it only in when its managers last wrote.
fn unchanged_but_times(old: &Value, new: &Value) -> Option<Value> {
    let timeless = |object: &Value| {
        let mut object = object.clone();
        if let Some(list) = object.pointer_mut("/metadata/managedFields").and_then(Value::as_array_mut) {
            list.iter_mut().filter_map(Value::as_object_mut).for_each(|entry| drop(entry.remove("time")));
        }
        object
    };
    let parts = |object: &Value| object.as_object().map_or(0, serde_json::Map::len);
    let likely =
        parts(old) == parts(new) && old.get("spec") == new.get("spec") && old.get("data") == new.get("data");
    (likely && timeless(old) == timeless(new)).then(|| old.clone())
}

/// Whether a dying object has nobody left to wait for.
fn is_done_dying(ask: &Ask<'_>, new: &Value) -> bool {
    let held = ask.resource.role == Role::Namespace && !roles::holders(new).is_empty();
    object::is_deleting(new) && object::finalizers(new).next().is_none() && !held
}
