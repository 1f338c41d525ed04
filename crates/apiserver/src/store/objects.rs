//! The only door to the objects: reads see what lasts, writes are checked against what was accepted last.
//! Changes accepted while a commit runs share the next one; each is answered after its own commit.
//! When a commit fails, all that was built on it fails too, and nothing of it is ever seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::image::{Chore, Expiry, Image, Snapshot, Special, Spot};
use super::stored::{Life, Stored};
use super::{Bell, Event, Latency, RowChange, Store, StoreError};

/// How many changes one commit takes at most.
const MOST_IN_COMMIT: usize = 512;
/// How many changes may wait for a commit.
const MOST_WAITING: usize = 10_000;

/// What must be there for a change to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Nothing.
    Absent,
    /// The object at this version.
    Version(u64),
}

/// What the change makes of the object.
#[derive(Debug)]
pub(crate) enum Next {
    Put(Value),
    /// The object goes; this is how it is last shown.
    Delete(Value),
}

/// A change to make.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) collection: usize,
    pub(crate) key: String,
    pub(crate) expect: Expect,
    /// The namespace that must stand, for an object that is new in it.
    pub(crate) inside: Option<String>,
    pub(crate) next: Next,
}

/// Why a change wasn't made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is one already.
    Exists,
    /// It isn't at that version any more, or gone.
    Changed,
    /// The namespace isn't there.
    NoNamespace,
    /// The namespace is going.
    NamespaceTerminating,
    /// Too many changes wait.
    Busy,
    /// The store failed.
    Store(StoreError),
}

/// All objects.
pub(crate) struct Objects {
    store: Arc<dyn Store>,
    names: Vec<Arc<str>>,
    special: Special,
    state: Mutex<State>,
}

struct State {
    image: Image,
    /// What was accepted last and isn't published yet.
    ahead: BTreeMap<Spot, Ahead>,
    /// The last version given out.
    version: u64,
    waiting: Vec<Waiting>,
    committing: bool,
}

struct Ahead {
    version: u64,
    /// None when it goes.
    object: Option<Arc<Stored>>,
}

struct Waiting {
    accepted: Accepted,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

#[derive(Clone)]
struct Accepted {
    collection: usize,
    stored: Arc<Stored>,
    goes: bool,
}

impl Objects {
    /// Reads the store into memory.
    pub(crate) fn load(
        store: Arc<dyn Store>,
        collections: &[String],
        special: Special,
    ) -> Result<Objects, StoreError> {
        let loaded = store.load()?;
        let mut image = Image::new(collections.len(), special, loaded.version);
        for row in loaded.rows {
            // A kind that is no longer served keeps its rows: it may be served again.
            if let Some(at) = collections.iter().position(|name| *name == row.collection) {
                let unreadable = |error| StoreError(format!("{}/{}: {error}", row.collection, row.key));
                image.restore(at, Arc::new(Stored::read(&row.key, row.body).map_err(unreadable)?));
            }
        }
        let version = loaded.version;
        let state = State { image, ahead: BTreeMap::new(), version, waiting: Vec::new(), committing: false };
        let names = collections.iter().map(|name| name.as_str().into()).collect();
        Ok(Objects { store, names, special, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One object, as it lasts.
    pub(crate) fn object(&self, collection: usize, key: &str) -> Option<Arc<Stored>> {
        self.state().image.object(collection, key).cloned()
    }

    /// One object, as it was last accepted: what a change must be built on.
    pub(crate) fn head(&self, collection: usize, key: &str) -> Option<Arc<Stored>> {
        self.state().head(collection, key)
    }

    /// The version up to which everything lasts.
    pub(crate) fn version(&self) -> u64 {
        self.state().image.version()
    }

    /// How many objects a collection has.
    pub(crate) fn count(&self, collection: usize) -> usize {
        self.state().image.count(collection)
    }

    /// The objects of a collection or of a namespace of it.
    pub(crate) fn snapshot(&self, collection: usize, namespace: Option<&str>) -> Snapshot {
        self.state().image.snapshot(collection, namespace)
    }

    /// The same at an earlier version.
    pub(crate) fn snapshot_at(
        &self,
        collection: usize,
        namespace: Option<&str>,
        version: u64,
    ) -> Option<Snapshot> {
        self.state().image.snapshot_at(collection, namespace, version)
    }

    /// Changes after a version; see `Image::since`.
    pub(crate) fn since(
        &self,
        collection: usize,
        version: u64,
        most: usize,
    ) -> Result<(Vec<Arc<Event>>, u64), u64> {
        self.state().image.since(collection, version, most)
    }

    /// Wakes at each change of a collection.
    pub(crate) fn subscribe(&self, collection: usize) -> Option<Bell> {
        self.state().image.subscribe(collection)
    }

    /// The objects that name this uid as an owner.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<Spot> {
        self.state().image.dependents(uid)
    }

    /// Something for the collector to look at.
    pub(crate) fn take_chore(&self) -> Option<Chore> {
        self.state().image.take_chore()
    }

    /// Whether the collector has something to look at.
    pub(crate) fn has_chores(&self) -> bool {
        self.state().image.has_chores()
    }

    /// Puts a chore back.
    pub(crate) fn add_chore(&self, chore: Chore) {
        self.state().image.add_chore(chore);
    }

    /// When the next event goes.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.state().image.next_expiry()
    }

    /// At most so many events whose time has come.
    pub(crate) fn take_expired(&self, now: Instant, most: usize) -> Vec<Expiry> {
        self.state().image.take_expired(now, most)
    }

    /// Makes a change; returns the object after it, or as it last was, once the store has it.
    pub(crate) async fn write(self: &Arc<Self>, plan: Plan) -> Result<Arc<Stored>, Refused> {
        let (stored, answer, start) = {
            let mut state = self.state();
            let accepted = state.accept(plan, self.special.namespaces)?;
            let stored = accepted.stored.clone();
            if self.store.latency() == Latency::None {
                return self.commit_now(&mut state, &accepted).map(|()| stored);
            }
            let (sender, answer) = oneshot::channel();
            state.waiting.push(Waiting { accepted, answer: sender });
            (stored, answer, !std::mem::replace(&mut state.committing, true))
        };
        if start {
            tokio::spawn(commit_waiting(self.clone()));
        }
        match answer.await {
            Ok(Ok(())) => Ok(stored),
            Ok(Err(error)) => Err(Refused::Store(error)),
            Err(_) => Err(Refused::Store(StoreError("the server is stopping".to_owned()))),
        }
    }

    /// Makes a change before the server answers anyone.
    pub(crate) fn write_at_start(&self, plan: Plan) -> Result<(), Refused> {
        let mut state = self.state();
        let accepted = state.accept(plan, self.special.namespaces)?;
        self.commit_now(&mut state, &accepted)
    }

    fn commit_now(&self, state: &mut State, accepted: &Accepted) -> Result<(), Refused> {
        if let Err(error) = self.store.commit(&[self.row(accepted)]) {
            state.ahead.clear();
            return Err(Refused::Store(error));
        }
        state.publish(accepted);
        Ok(())
    }

    fn row(&self, accepted: &Accepted) -> RowChange {
        let collection = self.names.get(accepted.collection).cloned().unwrap_or_else(|| "".into());
        let body = if accepted.goes { None } else { Some(accepted.stored.body.clone()) };
        RowChange { collection, key: accepted.stored.key.clone(), version: accepted.stored.version, body }
    }
}

/// Commits until nothing waits.
async fn commit_waiting(objects: Arc<Objects>) {
    loop {
        let (batch, rows) = {
            let mut state = objects.state();
            if state.waiting.is_empty() {
                state.committing = false;
                return;
            }
            let most = state.waiting.len().min(MOST_IN_COMMIT);
            let batch: Vec<Waiting> = state.waiting.drain(..most).collect();
            let rows: Vec<RowChange> = batch.iter().map(|waiting| objects.row(&waiting.accepted)).collect();
            (batch, rows)
        };
        let store = objects.store.clone();
        let done = tokio::task::spawn_blocking(move || store.commit(&rows)).await;
        let done = done.unwrap_or_else(|_| Err(StoreError("the commit was broken off".to_owned())));
        let mut state = objects.state();
        match done {
            Ok(()) => {
                batch.iter().for_each(|waiting| state.publish(&waiting.accepted));
                drop(state);
                batch.into_iter().for_each(|waiting| drop(waiting.answer.send(Ok(()))));
            }
            Err(error) => {
                // What came meanwhile was decided on changes that never happened.
                tracing::error!(%error, changes = batch.len(), "the store took no change");
                state.ahead.clear();
                let later = std::mem::take(&mut state.waiting);
                drop(state);
                let all = batch.into_iter().chain(later);
                all.for_each(|waiting| drop(waiting.answer.send(Err(error.clone()))));
            }
        }
    }
}

impl State {
    fn head(&self, collection: usize, key: &str) -> Option<Arc<Stored>> {
        let ahead = if self.ahead.is_empty() { None } else { self.ahead.get(&(collection, key.into())) };
        match ahead {
            Some(ahead) => ahead.object.clone(),
            None => self.image.object(collection, key).cloned(),
        }
    }

    fn accept(&mut self, plan: Plan, namespaces: usize) -> Result<Accepted, Refused> {
        if self.waiting.len() >= MOST_WAITING {
            return Err(Refused::Busy);
        }
        match (plan.expect, self.head(plan.collection, &plan.key)) {
            (Expect::Absent, None) => {}
            (Expect::Absent, Some(_)) => return Err(Refused::Exists),
            (Expect::Version(version), Some(head)) if head.version == version => {}
            (Expect::Version(_), _) => return Err(Refused::Changed),
        }
        if let Some(namespace) = &plan.inside {
            match self.head(namespaces, namespace) {
                None => return Err(Refused::NoNamespace),
                Some(namespace) if namespace.life != Life::Alive => {
                    return Err(Refused::NamespaceTerminating);
                }
                Some(_) => {}
            }
        }
        self.version += 1;
        let (mut object, goes) = match plan.next {
            Next::Put(object) => (object, false),
            Next::Delete(object) => (object, true),
        };
        let key: Arc<str> = plan.key.into();
        let stored = Arc::new(Stored::encode(key.clone(), self.version, &mut object));
        let object = if goes { None } else { Some(stored.clone()) };
        self.ahead.insert((plan.collection, key), Ahead { version: self.version, object });
        Ok(Accepted { collection: plan.collection, stored, goes })
    }

    fn publish(&mut self, accepted: &Accepted) {
        let Accepted { collection, stored, goes } = accepted;
        let spot = (*collection, stored.key.clone());
        if self.ahead.get(&spot).is_some_and(|ahead| ahead.version == stored.version) {
            self.ahead.remove(&spot);
        }
        let (put, gone) = if *goes { (None, Some(stored.clone())) } else { (Some(stored.clone()), None) };
        self.image.publish(*collection, stored.version, put, gone);
    }
}
