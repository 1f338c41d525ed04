//! Events on objects, written beside the work: a bounded line of messages and a few writers.
//! It never blocks a pass and never decides what to tell; when the line is full, an event is dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use k8s_openapi::api::core::v1::{Event as CoreEvent, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::{Mutex, mpsc};
use tracing::debug;

use everleaf_core::plan::Event;

use crate::clock::Clock;

/// Events that may wait to be written.
const LINE: usize = 10_000;
/// Writers at once.
const WRITERS: usize = 4;

/// Takes events. Share it by clone.
#[derive(Clone)]
pub struct Reporter {
    line: mpsc::Sender<CoreEvent>,
    clock: Clock,
    number: Arc<AtomicU64>,
}

/// The object an event is about.
#[derive(Debug, Clone)]
pub struct About {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace; empty for cluster-scoped objects, whose events stand in `default`.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl Reporter {
    /// Starts the writers on the current runtime.
    pub fn start(client: &kube::Client, clock: Clock) -> Reporter {
        let (line, waiting) = mpsc::channel(LINE);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..WRITERS {
            tokio::spawn(write_all(client.clone(), waiting.clone()));
        }
        Reporter { line, clock, number: Arc::new(AtomicU64::new(0)) }
    }

    /// Tells an event, as component `cert-manager-<component>`.
    pub fn tell(&self, about: &About, component: &str, event: &Event) {
        let now = self.clock.now();
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let namespace = if about.namespace.is_empty() { "default" } else { &about.namespace };
        let stamp = u64::try_from(now.as_nanosecond()).unwrap_or_default().wrapping_add(number);
        let written = CoreEvent {
            metadata: ObjectMeta {
                name: Some(format!("{}.{stamp:x}", about.name)),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some("cert-manager.io/v1".to_owned()),
                kind: Some(about.kind.to_owned()),
                name: Some(about.name.clone()),
                namespace: (!about.namespace.is_empty()).then(|| about.namespace.clone()),
                uid: Some(about.uid.clone()),
                ..ObjectReference::default()
            },
            reason: Some(event.reason.clone()),
            message: Some(everleaf_core::words::cut(event.message.clone(), 1024)),
            type_: Some(if event.warning { "Warning" } else { "Normal" }.to_owned()),
            source: Some(EventSource { component: Some(format!("cert-manager-{component}")), host: None }),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            count: Some(1),
            ..CoreEvent::default()
        };
        if self.line.try_send(written).is_err() {
            debug!(kind = about.kind, name = %about.name, "dropped an event, too many are waiting");
        }
    }
}

async fn write_all(client: kube::Client, waiting: Arc<Mutex<mpsc::Receiver<CoreEvent>>>) {
    loop {
        let next = waiting.lock().await.recv().await;
        let Some(event) = next else { return };
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let events: Api<CoreEvent> = Api::namespaced(client.clone(), &namespace);
        if let Err(error) = events.create(&PostParams::default(), &event).await {
            debug!(%error, "could not write an event");
        }
    }
}
