//! The collector: deletes what has no owner any more, lets dependents go before or after their owner, empties namespaces,
//! and takes away events whose time is over.
//! It works only when something was noted for it, in a task that ends when nothing is left.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;
use tokio::time::Instant;

use crate::kinds::{Resource, Role};
use crate::object::{self, FOREGROUND, ORPHAN};
use crate::options::{DeleteOptions, Propagation, Unknown, WriteOptions};
use crate::server::Api;
use crate::status::{Outcome, Rejection};
use crate::store::{Chore, Expect, Expiry, Life, Next, Plan};
use crate::watch::closed;
use crate::write::{Ask, Part, Proposal, delete, update};
use crate::{roles, write};

/// The name under which the collector changes objects.
const MANAGER: &str = "garbage-collector";
/// How long it waits after a store failed.
const AFTER_FAULT: Duration = Duration::from_secs(1);
/// How many events go at a time.
const SWEEP: usize = 256;

/// Starts the collector where there is something to do.
pub(crate) fn kick(api: &Arc<Api>) {
    if api.objects.has_chores() && !api.collecting.swap(true, Ordering::AcqRel) {
        tokio::spawn(collect(api.clone()));
    }
    if api.objects.next_expiry().is_some()
        && !*api.closing.borrow()
        && !api.sweeping.swap(true, Ordering::AcqRel)
    {
        tokio::spawn(sweep(api.clone()));
    }
}

async fn collect(api: Arc<Api>) {
    loop {
        while let Some(chore) = api.objects.take_chore() {
            let done = match &chore {
                Chore::Judge(at, key) => judge(&api, *at, key).await,
                Chore::Finish(at, key) => finish(&api, *at, key).await,
                Chore::Empty(namespace) => empty(&api, namespace).await,
            };
            // An object that changed or went meanwhile has noted a chore of its own.
            if let Err(fault) = done.or_else(|fault| if fault.code < 500 { Ok(()) } else { Err(fault) }) {
                tracing::warn!(?chore, fault = fault.message, "the collector tries again");
                api.objects.add_chore(chore);
                tokio::time::sleep(AFTER_FAULT).await;
            }
        }
        api.collecting.store(false, Ordering::Release);
        if !api.objects.has_chores() || api.collecting.swap(true, Ordering::AcqRel) {
            return;
        }
    }
}

fn options() -> WriteOptions {
    WriteOptions { dry_run: false, manager: MANAGER.to_owned(), unknown: Unknown::Ignore, force: false }
}

/// An object the collector looks at.
struct Found {
    resource: Arc<Resource>,
    namespace: Option<String>,
    name: String,
    object: Value,
    life: Life,
}

fn find(api: &Api, at: usize, key: &str) -> Option<Found> {
    let resource = api.registry.stored_in(at)?.clone();
    let stored = api.objects.head(at, key)?;
    let (namespace, name) = stored.place();
    let (namespace, name) = (namespace.map(str::to_owned), name.to_owned());
    let object = write::value(&resource, &stored);
    Some(Found { resource, namespace, name, object, life: stored.life })
}

impl Found {
    fn ask<'a>(&'a self, api: &'a Arc<Api>, options: &'a WriteOptions, part: Part) -> Ask<'a> {
        Ask { api, resource: &self.resource, namespace: self.namespace.as_deref(), part, options }
    }

    async fn delete(&self, api: &Arc<Api>, propagation: Propagation) -> Outcome<()> {
        let options = options();
        let this = DeleteOptions {
            uid: Some(object::uid(&self.object).to_owned()),
            propagation: Some(propagation),
            ..DeleteOptions::default()
        };
        delete(&self.ask(api, &options, Part::Main), &self.name, &this).await.map(drop)
    }

    async fn change(&self, api: &Arc<Api>, part: Part, change: impl Fn(&mut Value)) -> Outcome<()> {
        let options = options();
        let propose = |old: &Value| {
            let mut object = old.clone();
            change(&mut object);
            Ok(Proposal { object, tracked: false, warnings: Vec::new() })
        };
        update(&self.ask(api, &options, part), &self.name, propose).await.map(drop)
    }

    fn has_finalizer(&self, finalizer: &str) -> bool {
        object::finalizers(&self.object).any(|found| found == finalizer)
    }
}

/// How an owner stands to what it owns.
enum Standing {
    /// It is there.
    Solid,
    /// It waits for its dependents to go.
    Waiting,
    Gone,
}

fn standing(api: &Api, found: &Found, owner: &object::Owner<'_>) -> Standing {
    // Of an owner of a kind that isn't served nothing is known: it counts as there.
    let Some(kind) = api.registry.of(owner.api_version, owner.kind) else { return Standing::Solid };
    if kind.is_namespaced() && found.namespace.is_none() {
        return Standing::Solid;
    }
    let key = kind.key(found.namespace.as_deref(), owner.name);
    match api.objects.head(kind.collection, &key).filter(|stored| *stored.uid == *owner.uid) {
        None => Standing::Gone,
        Some(stored) if stored.life == Life::DyingWithDependents => {
            let value = stored.value();
            let waits = object::finalizers(&value).any(|finalizer| finalizer == FOREGROUND);
            if waits { Standing::Waiting } else { Standing::Solid }
        }
        Some(_) => Standing::Solid,
    }
}

/// Decides whether an object still has an owner.
async fn judge(api: &Arc<Api>, at: usize, key: &str) -> Outcome<()> {
    let Some(found) = find(api, at, key) else { return Ok(()) };
    if found.life == Life::Dying {
        return Ok(());
    }
    let (mut solid, mut waiting, mut lost) = (0, 0, Vec::new());
    for owner in object::owners(&found.object) {
        match standing(api, &found, &owner) {
            Standing::Solid => solid += 1,
            Standing::Waiting => {
                waiting += 1;
                lost.push(owner.uid.to_owned());
            }
            Standing::Gone => lost.push(owner.uid.to_owned()),
        }
    }
    if lost.is_empty() {
        return Ok(());
    }
    if solid > 0 {
        return found.change(api, Part::Main, |object| drop_owners(object, &lost)).await;
    }
    let has_dependents = !api.objects.dependents(object::uid(&found.object)).is_empty();
    let propagation = if waiting > 0 && has_dependents || found.has_finalizer(FOREGROUND) {
        Propagation::Foreground
    } else if found.has_finalizer(ORPHAN) {
        Propagation::Orphan
    } else {
        Propagation::Background
    };
    found.delete(api, propagation).await
}

fn drop_owners(object: &mut Value, uids: &[String]) {
    let list = object.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut);
    if let Some(list) = list {
        list.retain(|owner| {
            !owner.get("uid").and_then(Value::as_str).is_some_and(|uid| uids.iter().any(|u| u == uid))
        });
    }
    object::tidy_meta(object);
}

/// Deals with the dependents of an object that waits for that.
async fn finish(api: &Arc<Api>, at: usize, key: &str) -> Outcome<()> {
    let Some(found) = find(api, at, key).filter(|found| found.life == Life::DyingWithDependents) else {
        return Ok(());
    };
    let uid = object::uid(&found.object).to_owned();
    let dependents = api.objects.dependents(&uid);
    if found.has_finalizer(ORPHAN) {
        for (at, key) in dependents {
            if let Some(dependent) = find(api, at, &key) {
                let freed = dependent
                    .change(api, Part::Main, |object| drop_owners(object, std::slice::from_ref(&uid)));
                freed.await.or_else(|gone| if gone.is_not_found() { Ok(()) } else { Err(gone) })?;
            }
        }
        return drop_finalizer(api, &found, ORPHAN).await;
    }
    let mut blocked = false;
    for (at, key) in dependents {
        let Some(dependent) = find(api, at, &key) else { continue };
        if object::owners(&dependent.object).any(|owner| owner.uid == uid && owner.blocks) {
            blocked = true;
            judge(api, at, &key)
                .await
                .or_else(|gone| if gone.is_not_found() { Ok(()) } else { Err(gone) })?;
        }
    }
    // The last dependent that goes notes this chore again.
    if blocked && api.objects.dependents(&uid).iter().any(|(at, key)| blocks(api, *at, key, &uid)) {
        return Ok(());
    }
    drop_finalizer(api, &found, FOREGROUND).await
}

fn blocks(api: &Api, at: usize, key: &str, uid: &str) -> bool {
    find(api, at, key).is_some_and(|found| object::owners(&found.object).any(|o| o.uid == uid && o.blocks))
}

async fn drop_finalizer(api: &Arc<Api>, found: &Found, finalizer: &str) -> Outcome<()> {
    let change = |object: &mut Value| {
        let kept =
            object::finalizers(object).filter(|other| *other != finalizer).map(str::to_owned).collect();
        object::set_finalizers(object, kept);
    };
    found.change(api, Part::Main, change).await
}

/// Empties a namespace in deletion, and lets it go when nothing is left.
async fn empty(api: &Arc<Api>, namespace: &str) -> Outcome<()> {
    let Some(found) = find(api, api.namespaces, namespace).filter(|found| found.life != Life::Alive) else {
        return Ok(());
    };
    let mut left = 0;
    for resource in api.registry.all() {
        let stored_form =
            api.registry.stored_in(resource.collection).is_some_and(|first| Arc::ptr_eq(first, resource));
        if !stored_form || !resource.is_namespaced() || resource.is_review() {
            continue;
        }
        for stored in api.objects.snapshot(resource.collection, Some(namespace)).objects {
            if let Some(content) =
                find(api, resource.collection, &stored.key).filter(|c| c.life == Life::Alive)
            {
                let gone = content.delete(api, Propagation::Background).await;
                gone.or_else(|gone| if gone.is_not_found() { Ok(()) } else { Err(gone) })?;
            }
        }
        left += api.objects.snapshot(resource.collection, Some(namespace)).objects.len();
    }
    if left > 0 || roles::holders(&found.object).is_empty() {
        // What is left notes this chore again when it goes.
        return Ok(());
    }
    let let_go = |object: &mut Value| {
        if let Some(list) = object.pointer_mut("/spec/finalizers").and_then(Value::as_array_mut) {
            list.retain(|holder| holder != roles::KUBERNETES);
        }
    };
    found.change(api, Part::Finalize, let_go).await
}

async fn sweep(api: Arc<Api>) {
    let mut closing = api.closing.subscribe();
    while let Some(at) = api.objects.next_expiry() {
        tokio::select! {
            biased;
            () = closed(&mut closing) => break,
            () = tokio::time::sleep_until(at) => {}
        }
        let expired = api.objects.take_expired(Instant::now(), SWEEP);
        let faults = join_all(expired.into_iter().map(|expiry| expire(&api, expiry))).await;
        if faults.into_iter().any(|done| done.is_err()) {
            // What isn't deleted now stays until it is written again or the server starts anew.
            tracing::warn!("an expired event could not be deleted");
            tokio::time::sleep(AFTER_FAULT).await;
        }
    }
    api.sweeping.store(false, Ordering::Release);
}

async fn expire(api: &Arc<Api>, expiry: Expiry) -> Outcome<()> {
    let events = api.registry.role(Role::Event).ok_or_else(Rejection::no_such_resource)?;
    let head = api.objects.head(events.collection, &expiry.key).filter(|head| head.version == expiry.version);
    let Some(head) = head else { return Ok(()) };
    let plan = Plan {
        collection: events.collection,
        key: expiry.key.to_string(),
        expect: Expect::Version(expiry.version),
        inside: None,
        next: Next::Delete(head.value()),
    };
    api.objects.write(plan).await.map(drop).map_err(|_| Rejection::busy())
}
