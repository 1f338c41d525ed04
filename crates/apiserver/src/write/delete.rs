//! Deletes: at once, or by marking an object that somebody must still let go of.
//! What becomes of dependents is written into the finalizers; the collector acts on them.
//! Preconditions are checked against what was accepted last.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Ask, value};
use crate::kinds::Role;
use crate::object::{self, FOREGROUND, ORPHAN};
use crate::options::{DeleteOptions, Propagation};
use crate::selectors::Selector;
use crate::status::{Outcome, Rejection};
use crate::store::{Expect, Next, Plan, Refused, Stored};
use crate::{clock, roles};

const MOST_TRIES: usize = 16;
/// The namespaces that can't be deleted.
const LASTING: [&str; 3] = ["default", "kube-system", "kube-public"];

/// What became of an object.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// It is gone, or would be; this is how it last was.
    Gone(Value),
    /// It waits for finalizers.
    Marked(Value),
}

/// Deletes an object.
pub(crate) async fn delete(ask: &Ask<'_>, name: &str, options: &DeleteOptions) -> Outcome<Deleted> {
    let resource = ask.resource;
    if resource.role == Role::Namespace && LASTING.contains(&name) {
        return Err(Rejection::forbidden(&resource.about(name), "this namespace may not be deleted"));
    }
    let key = resource.key(ask.namespace, name);
    for _ in 0..MOST_TRIES {
        let Some(head) = ask.api.objects.head(resource.collection, &key) else {
            return Err(Rejection::not_found(&resource.about(name)));
        };
        let old = value(resource, &head);
        check(ask, name, &old, options)?;
        let (next, answer) = match plan(ask, &old, options) {
            Step::Nothing => return Ok(Deleted::Marked(old)),
            Step::Mark(new) => (Next::Put(stored_form(ask, &new)), Deleted::Marked(new)),
            Step::Remove => (Next::Delete(stored_form(ask, &old)), Deleted::Gone(old)),
        };
        if options.dry_run {
            return Ok(answer);
        }
        let expect = Expect::Version(head.version);
        let plan = Plan { collection: resource.collection, key: key.clone(), expect, inside: None, next };
        match (ask.api.objects.write(plan).await, answer) {
            (Ok(stored), Deleted::Marked(_)) => return Ok(Deleted::Marked(value(resource, &stored))),
            (Ok(_), gone) => return Ok(gone),
            (Err(Refused::Changed), _) => {}
            (Err(refused), _) => return Err(ask.refused(refused, name)),
        }
    }
    Err(Rejection::modified(&resource.about(name)))
}

/// Deletes all objects that match; returns how they last were.
pub(crate) async fn delete_collection(
    ask: &Ask<'_>,
    selector: &Selector,
    options: &DeleteOptions,
) -> Outcome<Vec<Arc<Stored>>> {
    let snapshot = ask.api.objects.snapshot(ask.resource.collection, ask.namespace);
    let matching: Vec<Arc<Stored>> =
        snapshot.objects.into_iter().filter(|stored| selector.matches(stored)).collect();
    for stored in &matching {
        let (namespace, name) = stored.place();
        let ask = Ask { namespace: namespace.or(ask.namespace), ..*ask };
        match delete(&ask, name, options).await {
            Err(gone) if gone.is_not_found() => {}
            done => drop(done?),
        }
    }
    Ok(matching)
}

fn check(ask: &Ask<'_>, name: &str, old: &Value, options: &DeleteOptions) -> Outcome<()> {
    let pairs = [
        ("UID", &options.uid, object::uid(old), "The object might have been deleted and then recreated"),
        (
            "ResourceVersion",
            &options.version,
            object::version_text(old),
            "The object might have been modified",
        ),
    ];
    for (what, wanted, found, hint) in pairs {
        if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != found) {
            let why = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). {hint}"
            );
            return Err(Rejection::conflict(&ask.resource.about_kind(name), &why));
        }
    }
    Ok(())
}

enum Step {
    /// It is marked already and nothing changes.
    Nothing,
    Mark(Value),
    Remove,
}

fn plan(ask: &Ask<'_>, old: &Value, options: &DeleteOptions) -> Step {
    let mut finalizers: Vec<String> = object::finalizers(old).map(str::to_owned).collect();
    if let Some(propagation) = options.propagation {
        finalizers.retain(|finalizer| finalizer != FOREGROUND && finalizer != ORPHAN);
        match propagation {
            Propagation::Background => {}
            Propagation::Foreground => finalizers.push(FOREGROUND.to_owned()),
            Propagation::Orphan => finalizers.push(ORPHAN.to_owned()),
        }
    }
    let is_namespace = ask.resource.role == Role::Namespace;
    let held = is_namespace && !roles::holders(old).is_empty();
    if finalizers.is_empty() && !held {
        return Step::Remove;
    }
    let mut new = old.clone();
    object::set_finalizers(&mut new, finalizers);
    if !object::is_deleting(old) {
        object::set(&mut new, "deletionTimestamp", clock::to_the_second((ask.api.clock)()));
        if is_namespace {
            let status = new.as_object_mut().map(|root| root.entry("status").or_insert_with(|| json!({})));
            if let Some(status) = status.and_then(Value::as_object_mut) {
                status.insert("phase".to_owned(), "Terminating".into());
            }
        } else {
            object::set(&mut new, "deletionGracePeriodSeconds", 0);
        }
        if object::generation(old) > 0 {
            object::set(&mut new, "generation", object::generation(old) + 1);
        }
    }
    if *old == new { Step::Nothing } else { Step::Mark(new) }
}

fn stored_form(ask: &Ask<'_>, object: &Value) -> Value {
    let mut object = object.clone();
    roles::to_stored(ask.resource, &mut object);
    object
}
