//! Reads: one object, or a list of them, page by page, as of now or as of an earlier version.
//! A page names the version of the whole list, so that all pages show the same moment.
//! What is forgotten is told as gone, never replaced by something newer.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use crate::kinds::Resource;
use crate::options::{ListOptions, Match};
use crate::server::Api;
use crate::status::{Outcome, Rejection};
use crate::store::{Snapshot, Stored};

/// One object.
pub(crate) fn get(
    api: &Api,
    resource: &Resource,
    namespace: Option<&str>,
    name: &str,
) -> Outcome<Arc<Stored>> {
    let key = resource.key(namespace, name);
    let found = api.objects.object(resource.collection, &key);
    found.ok_or_else(|| Rejection::not_found(&resource.about(name)))
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) objects: Vec<Arc<Stored>>,
    pub(crate) version: u64,
    /// How to ask for the next page.
    pub(crate) proceed: Option<String>,
    pub(crate) remaining: Option<usize>,
}

/// A page of the objects of a kind, in one namespace or in all.
pub(crate) fn list(
    api: &Api,
    resource: &Resource,
    namespace: Option<&str>,
    options: &ListOptions,
) -> Outcome<Page> {
    let start = options.proceed.as_deref().map(read_token).transpose()?;
    let Snapshot { objects, version } = snapshot(api, resource, namespace, options, start.as_ref())?;
    // A list from the watch cache is never cut (kube-apiserver 1.36, resourceVersion=0).
    let limit = if options.version == Some(0) { None } else { options.limit };
    let after = start.map(|start| start.after).unwrap_or_default();
    let everything = options.selector.is_everything();
    let mut matching = objects.into_iter().filter(|stored| *stored.key > *after);
    let mut page = Vec::new();
    let mut proceed = None;
    let mut remaining = None;
    while let Some(stored) = matching.next() {
        if !everything && !options.selector.matches(&stored) {
            continue;
        }
        if limit.is_some_and(|limit| page.len() >= limit) {
            proceed = page.last().map(|last: &Arc<Stored>| token(version, &last.key));
            remaining = everything.then(|| matching.count() + 1);
            break;
        }
        page.push(stored);
    }
    Ok(Page { objects: page, version, proceed, remaining })
}

fn snapshot(
    api: &Api,
    resource: &Resource,
    namespace: Option<&str>,
    options: &ListOptions,
    start: Option<&Start>,
) -> Outcome<Snapshot> {
    let (collection, objects) = (resource.collection, &api.objects);
    if let Some(start) = start {
        if options.version.is_some_and(|version| version > 0) {
            return Err(Rejection::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        return objects.snapshot_at(collection, namespace, start.version).ok_or_else(|| {
            Rejection::expired(
                "The provided continue parameter is too old to display a consistent list result.",
            )
        });
    }
    let current = objects.version();
    let wanted = options.version.unwrap_or_default();
    if wanted > current {
        return Err(Rejection::version_too_large(wanted, current));
    }
    // A limit with a version and no match means exactly that version, for old clients.
    let exact = match options.version_match {
        Some(Match::Exact) => true,
        Some(Match::NotOlderThan) => false,
        None => options.limit.is_some(),
    };
    if exact && wanted > 0 {
        return objects
            .snapshot_at(collection, namespace, wanted)
            .ok_or_else(|| Rejection::expired("The resourceVersion for the provided list is too old."));
    }
    Ok(objects.snapshot(collection, namespace))
}

/// Where a list goes on.
struct Start {
    version: u64,
    after: String,
}

fn token(version: u64, after: &str) -> String {
    BASE64.encode(json!({"v": "meta.k8s.io/v1", "rv": version, "start": after}).to_string())
}

fn read_token(token: &str) -> Outcome<Start> {
    let invalid = || Rejection::bad_request("invalid continue token: continue key is not valid");
    let bytes = BASE64.decode(token).map_err(|_| invalid())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
    let version = value.get("rv").and_then(Value::as_u64).ok_or_else(invalid)?;
    let after = value.get("start").and_then(Value::as_str).ok_or_else(invalid)?;
    Ok(Start { version, after: after.to_owned() })
}
