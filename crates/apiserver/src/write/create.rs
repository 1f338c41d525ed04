//! Creates an object: its place, its name, what the server fills in, its book of field owners, and the checks.
//! A generated name that is taken is drawn again.
//! Nothing is stored for a dry run, or when any check fails.

use serde_json::Value;

use super::decode::{Decoded, Origin, decode};
use super::{Ask, State, Written, names, needs_namespace, no_namespace};
use crate::apply::{Managers, Operation, track};
use crate::parse::Parsed;
use crate::status::{Outcome, Rejection};
use crate::store::{Expect, Next, Plan, Refused};
use crate::{chance, object, roles, schema};

/// How often a generated name is drawn.
const MOST_DRAWS: usize = 8;

/// Creates an object from a body.
pub(crate) async fn create(ask: &Ask<'_>, parsed: Parsed) -> Outcome<Written> {
    let Decoded { mut object, warnings } = decode(ask, parsed, Origin::Body)?;
    place(ask, &mut object)?;
    let writer = ask.writer(Operation::Update);
    roles::begin(ask.resource, &mut object);
    track(&ask.resource.schema, None, &mut object, &writer, ask.ignored(), &ask.now());
    store_new(ask, object, warnings).await
}

/// Stores a new object that has its book already.
pub(super) async fn store_new(ask: &Ask<'_>, mut object: Value, warnings: Vec<String>) -> Outcome<Written> {
    let resource = ask.resource;
    admit(ask, &object)?;
    if !object::version_text(&object).is_empty() {
        return Err(Rejection::bare("resourceVersion should not be set on objects to be created"));
    }
    begin(ask, &mut object);
    let base = object::meta(&object).and_then(|meta| meta.get("generateName")).and_then(Value::as_str);
    let base = base.filter(|_| object::name(&object).is_empty()).map(str::to_owned);
    let draws = if base.is_some() { MOST_DRAWS } else { 1 };
    let mut last = Rejection::internal("no name was drawn");
    for _ in 0..draws {
        if let Some(base) = &base {
            object::set(&mut object, "name", chance::name(&ask.api.chance, base));
            roles::begin(resource, &mut object);
        }
        check(ask, &object)?;
        let name = object::name(&object).to_owned();
        let key = resource.key(ask.namespace, &name);
        if ask.options.dry_run {
            if ask.api.objects.head(resource.collection, &key).is_some() {
                return Err(Rejection::already_exists(&resource.about(&name)));
            }
            return Ok(Written { state: State::Shown(object), created: true, warnings });
        }
        let inside = if needs_namespace(resource) { ask.namespace.map(str::to_owned) } else { None };
        let mut stored_form = object.clone();
        roles::to_stored(resource, &mut stored_form);
        let next = Next::Put(stored_form);
        let plan = Plan { collection: resource.collection, key, expect: Expect::Absent, inside, next };
        match ask.api.objects.write(plan).await {
            Ok(stored) => return Ok(Written { state: State::Stored(stored), created: true, warnings }),
            Err(refused) => {
                let exists = refused == Refused::Exists;
                last = ask.refused(refused, &name);
                if !exists {
                    break;
                }
            }
        }
    }
    Err(last)
}

/// The namespace of the object is that of the request.
pub(super) fn place(ask: &Ask<'_>, object: &mut Value) -> Outcome<()> {
    let given = object::namespace(object);
    match ask.namespace {
        Some(namespace) if given.is_empty() => {
            object::set(object, "namespace", namespace);
            Ok(())
        }
        Some(namespace) if given == namespace => Ok(()),
        None if given.is_empty() => Ok(()),
        _ => {
            let message =
                "the namespace of the provided object does not match the namespace sent on the request";
            Err(Rejection::bad_request(message))
        }
    }
}

/// A new object needs a namespace that stands. Asked before all checks, as Kubernetes does.
fn admit(ask: &Ask<'_>, object: &Value) -> Outcome<()> {
    let (true, Some(namespace)) = (needs_namespace(ask.resource), ask.namespace) else { return Ok(()) };
    match ask.api.objects.head(ask.api.namespaces, namespace) {
        None => Err(no_namespace(namespace)),
        Some(stored) if stored.life != crate::store::Life::Alive => {
            let about = ask.resource.about(object::name(object));
            Err(Rejection::namespace_terminating(&about, namespace))
        }
        Some(_) => Ok(()),
    }
}

/// What the server fills in.
fn begin(ask: &Ask<'_>, object: &mut Value) {
    for key in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"] {
        object::unset(object, key);
    }
    object::set(object, "uid", chance::uid(&ask.api.chance));
    object::set(object, "creationTimestamp", ask.now());
    if ask.resource.counts_generations() {
        object::set(object, "generation", 1);
    }
    let has_status = ask.resource.is_custom() && ask.resource.has_status;
    if let Some(root) = object.as_object_mut().filter(|_| has_status) {
        root.remove("status");
    }
    if Managers::is_reset(object) {
        object::unset(object, "managedFields");
    }
}

fn check(ask: &Ask<'_>, object: &Value) -> Outcome<()> {
    let mut faults = names::faults(ask.resource, object);
    if ask.resource.is_custom() {
        faults.extend(schema::check(&ask.resource.schema, object));
    }
    faults.extend(roles::faults(ask.resource, object));
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Rejection::invalid(&ask.resource.about_kind(object::name(object)), &faults)),
    }
}
