//! All objects in memory, as they were last made to last: what reads and watches see.
//! It also keeps the indexes that come from the objects (who owns whom) and notes what the collector must look at.
//! It changes only by `publish`, in the order of versions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::bell::Bell;
use super::history::{Change, Event, History};
use super::stored::{Life, Stored};

/// How long an event is kept after it was last written: what kube-apiserver keeps.
const EVENT_LIFE: Duration = Duration::from_secs(60 * 60);

/// An object that goes by itself.
#[derive(Debug, Clone)]
pub(crate) struct Expiry {
    pub(crate) at: Instant,
    pub(crate) key: Arc<str>,
    /// Only at this version; a later one has an entry of its own.
    pub(crate) version: u64,
}

/// Which collections are more than a collection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Special {
    pub(crate) namespaces: usize,
    pub(crate) events: usize,
}

/// Where an object is: its collection and its key.
pub(crate) type Spot = (usize, Arc<str>);

/// Something the collector must look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Chore {
    /// An object whose owners may be gone.
    Judge(usize, Arc<str>),
    /// An object in deletion whose dependents must be dealt with.
    Finish(usize, Arc<str>),
    /// A namespace in deletion.
    Empty(Arc<str>),
}

/// A collection as it was at one version.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) objects: Vec<Arc<Stored>>,
    pub(crate) version: u64,
}

struct Collection {
    objects: BTreeMap<Arc<str>, Arc<Stored>>,
    history: History,
    wake: Bell,
}

/// The objects of all collections.
pub(crate) struct Image {
    collections: Vec<Collection>,
    special: Special,
    /// Events in the order in which they go.
    expiring: VecDeque<Expiry>,
    /// The version up to which everything is here.
    version: u64,
    dependents: BTreeMap<Box<str>, BTreeSet<Spot>>,
    /// Objects that wait for their dependents, by uid.
    waiting: BTreeMap<Box<str>, Spot>,
    chores: BTreeSet<Chore>,
}

impl Image {
    /// An image of these objects.
    pub(crate) fn new(collections: usize, special: Special, version: u64) -> Image {
        let empty = || Collection {
            objects: BTreeMap::new(),
            history: History::after(version),
            wake: Bell::default(),
        };
        Image {
            collections: (0..collections).map(|_| empty()).collect(),
            special,
            expiring: VecDeque::new(),
            version,
            dependents: BTreeMap::new(),
            waiting: BTreeMap::new(),
            chores: BTreeSet::new(),
        }
    }

    /// Puts an object there that was read from the store.
    pub(crate) fn restore(&mut self, collection: usize, stored: Arc<Stored>) {
        self.index(collection, &stored);
        self.note_put(collection, &stored);
        if let Some(collection) = self.collections.get_mut(collection) {
            collection.objects.insert(stored.key.clone(), stored);
        }
    }

    /// The version up to which everything is here.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// One object.
    pub(crate) fn object(&self, collection: usize, key: &str) -> Option<&Arc<Stored>> {
        self.collections.get(collection)?.objects.get(key)
    }

    /// How many objects a collection has.
    pub(crate) fn count(&self, collection: usize) -> usize {
        self.collections.get(collection).map_or(0, |collection| collection.objects.len())
    }

    /// The objects of a collection, or of one namespace of it, now.
    pub(crate) fn snapshot(&self, collection: usize, namespace: Option<&str>) -> Snapshot {
        let Some(collection) = self.collections.get(collection) else {
            return Snapshot { objects: Vec::new(), version: self.version };
        };
        let objects = match namespace {
            None => collection.objects.values().cloned().collect(),
            Some(namespace) => {
                let from: Arc<str> = format!("{namespace}/").into();
                let in_it =
                    collection.objects.range(from.clone()..).take_while(|(key, _)| key.starts_with(&*from));
                in_it.map(|(_, stored)| stored.clone()).collect()
            }
        };
        Snapshot { objects, version: self.version }
    }

    /// The same as it was at a version; none when that is forgotten.
    pub(crate) fn snapshot_at(
        &self,
        collection: usize,
        namespace: Option<&str>,
        version: u64,
    ) -> Option<Snapshot> {
        let now = self.snapshot(collection, namespace);
        let history = &self.collections.get(collection)?.history;
        let prefix = namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let mut later =
            history.since(version)?.filter(|event| event.object().key.starts_with(&prefix)).peekable();
        if later.peek().is_none() {
            return Some(Snapshot { objects: now.objects, version });
        }
        let mut objects: BTreeMap<Arc<str>, Arc<Stored>> =
            now.objects.into_iter().map(|stored| (stored.key.clone(), stored)).collect();
        for event in later.rev() {
            let key = event.object().key.clone();
            match event.before() {
                Some(before) => objects.insert(key, before.clone()),
                None => objects.remove(&key),
            };
        }
        Some(Snapshot { objects: objects.into_values().collect(), version })
    }

    /// At most so many changes of a collection after a version, and the version they lead to;
    /// the oldest version one could go on from when these are forgotten.
    pub(crate) fn since(
        &self,
        collection: usize,
        version: u64,
        most: usize,
    ) -> Result<(Vec<Arc<Event>>, u64), u64> {
        let Some(collection) = self.collections.get(collection) else {
            return Ok((Vec::new(), self.version));
        };
        let Some(later) = collection.history.since(version) else { return Err(collection.history.floor()) };
        let events: Vec<_> = later.take(most).cloned().collect();
        let reached = match events.last() {
            Some(last) if events.len() == most => last.version,
            // A watch from the future keeps its own version.
            _ => self.version.max(version),
        };
        Ok((events, reached))
    }

    /// Wakes at each change of a collection.
    pub(crate) fn subscribe(&self, collection: usize) -> Option<Bell> {
        self.collections.get(collection).map(|collection| collection.wake.clone())
    }

    /// The objects that name this uid as an owner.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<Spot> {
        self.dependents.get(uid).map(|spots| spots.iter().cloned().collect()).unwrap_or_default()
    }

    /// Something to look at.
    pub(crate) fn take_chore(&mut self) -> Option<Chore> {
        self.chores.pop_first()
    }

    /// Whether there is something to look at.
    pub(crate) fn has_chores(&self) -> bool {
        !self.chores.is_empty()
    }

    /// Looks at it again later.
    pub(crate) fn add_chore(&mut self, chore: Chore) {
        self.chores.insert(chore);
    }

    /// When the next event goes.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.expiring.front().map(|expiry| expiry.at)
    }

    /// At most so many events whose time has come.
    pub(crate) fn take_expired(&mut self, now: Instant, most: usize) -> Vec<Expiry> {
        let due = self.expiring.iter().take(most).take_while(|expiry| expiry.at <= now).count();
        self.expiring.drain(..due).collect()
    }

    /// Shows a change that the store has.
    pub(crate) fn publish(
        &mut self,
        at: usize,
        version: u64,
        put: Option<Arc<Stored>>,
        gone: Option<Arc<Stored>>,
    ) {
        self.version = version;
        let Some(collection) = self.collections.get_mut(at) else { return };
        let change = match (put, gone) {
            (Some(now), _) => match collection.objects.insert(now.key.clone(), now.clone()) {
                Some(before) => Change::Modified { before, now },
                None => Change::Added { now },
            },
            (None, Some(last)) => match collection.objects.remove(&last.key) {
                Some(before) => Change::Deleted { before, last },
                None => return,
            },
            (None, None) => return,
        };
        let event = Arc::new(Event { version, change });
        collection.history.push(event.clone());
        self.reindex(at, &event);
        if let Some(collection) = self.collections.get(at) {
            collection.wake.ring();
        }
    }

    fn reindex(&mut self, at: usize, event: &Event) {
        if let Some(before) = event.before() {
            self.unindex(at, before);
        }
        match &event.change {
            Change::Added { now } => {
                self.index(at, now);
                self.note_put(at, now);
            }
            Change::Modified { before, now } => {
                self.index(at, now);
                if before.owners != now.owners || before.life != now.life || at == self.special.events {
                    self.note_put(at, now);
                }
                if before.owners != now.owners {
                    self.note_owners(before);
                }
            }
            Change::Deleted { before, .. } => self.note_gone(before),
        }
    }

    fn index(&mut self, at: usize, stored: &Stored) {
        for owner in &stored.owners {
            self.dependents.entry(owner.clone()).or_default().insert((at, stored.key.clone()));
        }
        if stored.life == Life::DyingWithDependents {
            self.waiting.insert(stored.uid.clone(), (at, stored.key.clone()));
        }
    }

    fn unindex(&mut self, at: usize, stored: &Stored) {
        for owner in &stored.owners {
            if let Some(spots) = self.dependents.get_mut(owner) {
                spots.remove(&(at, stored.key.clone()));
                if spots.is_empty() {
                    self.dependents.remove(owner);
                }
            }
        }
        self.waiting.remove(&stored.uid);
    }

    fn note_put(&mut self, at: usize, stored: &Stored) {
        if at == self.special.events {
            let at = Instant::now() + EVENT_LIFE;
            self.expiring.push_back(Expiry { at, key: stored.key.clone(), version: stored.version });
        }
        if !stored.owners.is_empty() {
            self.chores.insert(Chore::Judge(at, stored.key.clone()));
        }
        match stored.life {
            Life::Alive => {}
            Life::DyingWithDependents => {
                self.chores.insert(Chore::Finish(at, stored.key.clone()));
            }
            Life::Dying if at == self.special.namespaces => {
                self.chores.insert(Chore::Empty(stored.key.clone()));
            }
            Life::Dying => {}
        }
    }

    fn note_gone(&mut self, stored: &Stored) {
        for (at, key) in self.dependents(&stored.uid) {
            self.chores.insert(Chore::Judge(at, key));
        }
        self.note_owners(stored);
        if let (Some(namespace), _) = stored.place() {
            let dying = self.object(self.special.namespaces, namespace).filter(|ns| ns.life != Life::Alive);
            if let Some(namespace) = dying.map(|ns| ns.key.clone()) {
                self.chores.insert(Chore::Empty(namespace));
            }
        }
    }

    /// Owners that wait for this object may go on.
    fn note_owners(&mut self, stored: &Stored) {
        for owner in &stored.owners {
            if let Some((at, key)) = self.waiting.get(owner) {
                self.chores.insert(Chore::Finish(*at, key.clone()));
            }
        }
    }
}
