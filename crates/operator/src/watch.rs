//! Watches: each kind's stream of changes becomes lean records in the world, and wakes whoever depends on them.
//! A record is in the world before anybody is woken by it, so no look-up misses what woke it. It never writes to the API.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use everleaf_core::annotations::FAO_LABEL;
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::context::Context;
use crate::ids::{IssuerId, Key};
use crate::records::{CertificateRecord, IssuerRecord, RequestRecord, SecretBody, SecretRecord};
use crate::world::{State, Wake};

/// Starts all watches. The receivers turn true when a watch has shown its first list.
pub(crate) fn start(context: &Arc<Context>) -> Vec<watch::Receiver<bool>> {
    let in_full = watcher::Config::default().labels(&format!("{FAO_LABEL}=true"));
    let the_rest = watcher::Config::default().labels(&format!("{FAO_LABEL}!=true"));
    let mut started = vec![
        follow::<everleaf_api::Certificate>(context, watcher::Config::default(), put_certificate),
        follow::<everleaf_api::CertificateRequest>(context, watcher::Config::default(), put_request),
        follow::<everleaf_api::Issuer>(context, watcher::Config::default(), put_issuer),
        follow::<Secret>(context, in_full, put_secret),
        follow::<PartialObjectMeta<Secret>>(context, the_rest, put_secret_meta),
    ];
    if context.behaviour.namespace.is_empty() {
        started.push(follow_all::<everleaf_api::ClusterIssuer>(
            context,
            watcher::Config::default(),
            put_cluster_issuer,
        ));
    }
    started
}

/// Takes over one object, or its end.
type Put<K> = fn(&Context, &mut State, &Key, Option<K>) -> Vec<Wake>;

fn follow<K>(context: &Arc<Context>, config: watcher::Config, put: Put<K>) -> watch::Receiver<bool>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + 'static,
    K::DynamicType: Default + Clone + Debug + Send + 'static,
{
    let api: Api<K> = match context.behaviour.namespace.as_str() {
        "" => Api::all(context.client.clone()),
        namespace => Api::namespaced(context.client.clone(), namespace),
    };
    spawn(context, api, config, put)
}

fn follow_all<K>(context: &Arc<Context>, config: watcher::Config, put: Put<K>) -> watch::Receiver<bool>
where
    K: Resource<Scope = k8s_openapi::ClusterResourceScope>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + 'static,
    K::DynamicType: Default + Clone + Debug + Send + 'static,
{
    spawn(context, Api::all(context.client.clone()), config, put)
}

fn spawn<K>(
    context: &Arc<Context>,
    api: Api<K>,
    config: watcher::Config,
    put: Put<K>,
) -> watch::Receiver<bool>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    K::DynamicType: Default,
{
    let (ready, is_ready) = watch::channel(false);
    let context_of_task = context.clone();
    context.tasks.spawn(async move {
        let context = context_of_task;
        tokio::select! {
            biased;
            () = context.stop.cancelled() => {}
            () = run(&context, api, config, put, ready) => {}
        }
    });
    is_ready
}

async fn run<K>(
    context: &Arc<Context>,
    api: Api<K>,
    config: watcher::Config,
    put: Put<K>,
    ready: watch::Sender<bool>,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    K::DynamicType: Default,
{
    let stream = watcher(api, config).default_backoff();
    pin_mut!(stream);
    let mut known: BTreeSet<Key> = BTreeSet::new();
    let mut listed: Option<BTreeSet<Key>> = None;
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::Init) => listed = Some(BTreeSet::new()),
            Ok(Event::InitApply(object)) => {
                let key = take(context, put, object);
                known.insert(key.clone());
                listed.get_or_insert_default().insert(key);
            }
            Ok(Event::InitDone) => {
                let listed = listed.take().unwrap_or_default();
                let gone: Vec<Key> = known.difference(&listed).cloned().collect();
                gone.iter().for_each(|key| end(context, put, key));
                known = listed;
                ready.send_replace(true);
            }
            Ok(Event::Apply(object)) => {
                known.insert(take(context, put, object));
            }
            Ok(Event::Delete(object)) => {
                let key = key_of(&object);
                known.remove(&key);
                end(context, put, &key);
            }
            Err(error) => {
                let kind = std::any::type_name::<K>();
                warn!(kind, %error, "a watch was interrupted, it goes on");
            }
        }
    }
    debug!("a watch ended");
}

fn key_of<K: Resource>(object: &K) -> Key {
    let meta = object.meta();
    Key::new(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

fn take<K: Resource>(context: &Arc<Context>, put: Put<K>, object: K) -> Key {
    let key = key_of(&object);
    let wakes = put(context, &mut context.world.look(), &key, Some(object));
    context.wake(wakes);
    key
}

fn end<K>(context: &Arc<Context>, put: Put<K>, key: &Key) {
    let wakes = put(context, &mut context.world.look(), key, None);
    context.wake(wakes);
}

fn put_certificate(
    _: &Context,
    state: &mut State,
    key: &Key,
    object: Option<everleaf_api::Certificate>,
) -> Vec<Wake> {
    state.put_certificate(key, object.map(|object| Arc::new(CertificateRecord::new(object))))
}

fn put_request(
    _: &Context,
    state: &mut State,
    key: &Key,
    object: Option<everleaf_api::CertificateRequest>,
) -> Vec<Wake> {
    state.put_request(key, object.map(|object| Arc::new(RequestRecord::new(object))))
}

fn put_issuer(_: &Context, state: &mut State, key: &Key, object: Option<everleaf_api::Issuer>) -> Vec<Wake> {
    let id = IssuerId::Issuer(key.clone());
    let record = object.map(|object| Arc::new(IssuerRecord::of_issuer(id.clone(), object)));
    state.put_issuer(&id, record)
}

fn put_cluster_issuer(
    _: &Context,
    state: &mut State,
    key: &Key,
    object: Option<everleaf_api::ClusterIssuer>,
) -> Vec<Wake> {
    let id = IssuerId::ClusterIssuer(key.name.clone());
    let record = object.map(|object| Arc::new(IssuerRecord::of_cluster_issuer(id.clone(), object)));
    state.put_issuer(&id, record)
}

/// A Secret that carries our label: parsed once, here.
fn put_secret(_: &Context, state: &mut State, key: &Key, object: Option<Secret>) -> Vec<Wake> {
    match object {
        Some(secret) => state.put_secret(key, Some(Arc::new(SecretRecord::in_full(&secret)))),
        // It may only have lost its label; then the other watch has shown it already, or will.
        None if state.secret(key).is_some_and(|secret| matches!(secret.body, SecretBody::Unread)) => {
            Vec::new()
        }
        None => state.lose_secret(key),
    }
}

/// Any other Secret: only that it is there, and which version.
fn put_secret_meta(
    _: &Context,
    state: &mut State,
    key: &Key,
    object: Option<PartialObjectMeta<Secret>>,
) -> Vec<Wake> {
    match object {
        Some(secret) => state.put_secret(key, Some(Arc::new(SecretRecord::unread(&secret.metadata)))),
        // It may only have got our label.
        None => match state.secret(key).map(|secret| &secret.body) {
            Some(SecretBody::Target(_) | SecretBody::NextKey(..)) => Vec::new(),
            Some(SecretBody::Lost) => state.put_secret(key, None),
            Some(SecretBody::Unread) | None => state.lose_secret(key),
        },
    }
}
