//! Every version of every object of one kind in one namespace, as a watch shows them, and waits that end when all of them are as
//! wanted. What was true for a moment only is in the record, so "never" can be tested. It never writes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::space::{Space, condition};

/// One version of one object.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) at: Instant,
    pub(crate) name: String,
    /// `None`: it was deleted.
    pub(crate) object: Option<Value>,
}

/// The record. It lives in the runtime that began it.
pub(crate) struct History {
    kind: String,
    seen: Arc<Mutex<Vec<Version>>>,
    changed: watch::Receiver<usize>,
    _watching: JoinSet<()>,
}

impl History {
    /// Begins the record, and returns once everything that is there already is in it.
    pub(crate) async fn of(space: &Space, kind: &str) -> History {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (change, mut changed) = watch::channel(0);
        let (ready, mut is_ready) = watch::channel(false);
        let (api, record) = (space.api(kind), seen.clone());
        let mut watching = JoinSet::new();
        watching.spawn(async move {
            let mut changes = Box::pin(watcher(api, watcher::Config::default()));
            while let Some(change_seen) = changes.next().await {
                let (name, object) = match change_seen.unwrap() {
                    Event::Apply(object) | Event::InitApply(object) => {
                        let plain = serde_json::to_value(&object).unwrap();
                        (object.metadata.name.unwrap_or_default(), Some(plain))
                    }
                    Event::Delete(object) => (object.metadata.name.unwrap_or_default(), None),
                    Event::Init => continue,
                    Event::InitDone => {
                        ready.send_replace(true);
                        continue;
                    }
                };
                lock(&record).push(Version { at: Instant::now(), name, object });
                change.send_modify(|count| *count += 1);
            }
        });
        is_ready.wait_for(|done| *done).await.unwrap();
        changed.mark_unchanged();
        History { kind: kind.to_owned(), seen, changed, _watching: watching }
    }

    /// All versions so far, oldest first.
    pub(crate) fn versions(&self) -> Vec<Version> {
        lock(&self.seen).clone()
    }

    /// The objects as they are now, by name.
    pub(crate) fn now(&self) -> BTreeMap<String, Value> {
        let mut now = BTreeMap::new();
        for version in lock(&self.seen).iter() {
            match &version.object {
                Some(object) => now.insert(version.name.clone(), object.clone()),
                None => now.remove(&version.name),
            };
        }
        now
    }

    /// Waits until the objects are as wanted.
    pub(crate) async fn until(
        &self,
        patience: Duration,
        what: &str,
        wanted: impl Fn(&BTreeMap<String, Value>) -> bool,
    ) -> BTreeMap<String, Value> {
        let mut changed = self.changed.clone();
        let waiting = async {
            loop {
                changed.mark_unchanged();
                let now = self.now();
                if wanted(&now) {
                    return now;
                }
                changed.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(patience, waiting).await {
            Ok(now) => now,
            Err(_) => panic!("not within {patience:?}: {what}\n{}", self.told(&wanted)),
        }
    }

    /// Waits until all `names` are there and each is as wanted.
    pub(crate) async fn until_all(
        &self,
        patience: Duration,
        what: &str,
        names: &[String],
        wanted: impl Fn(&Value) -> bool,
    ) -> BTreeMap<String, Value> {
        self.until(patience, what, |now| names.iter().all(|name| now.get(name).is_some_and(&wanted))).await
    }

    fn told(&self, _: &dyn Fn(&BTreeMap<String, Value>) -> bool) -> String {
        let now = self.now();
        let lines = now.iter().map(|(name, object)| {
            format!(
                "{} {name}: Ready {} Issuing {}",
                self.kind,
                brief(&condition(object, "Ready")),
                brief(&condition(object, "Issuing"))
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn brief(condition: &Value) -> String {
    match condition {
        Value::Null => "-".to_owned(),
        is => format!("{} {} {}", is["status"], is["reason"], is["message"]),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
