//! Describes a server: its kinds, its store, its clock and chance, and who decides rights.
//! Building reads the store and makes the first namespaces, so a server that was built can answer.
//! Everything has a default that works on a laptop; nothing is read from the environment.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::auth::{Authorize, allow_all};
use crate::chance::{self, Chance};
use crate::clock::{self, WallClock};
use crate::discovery::Discovery;
use crate::kinds::{KindError, Registry, Role};
use crate::object;
use crate::openapi::OpenApi;
use crate::roles;
use crate::server::{Api, Server};
use crate::store::{Expect, Memory, Next, Objects, Plan, Refused, Special, Store, StoreError};

/// The namespaces that are there from the start, as in Kubernetes.
const FIRST_NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// A server that can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A kind can't be served.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// The store can't be read or written.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
}

/// A server as it is described so far.
#[derive(Default)]
pub struct Builder {
    definitions: Vec<Value>,
    store: Option<Arc<dyn Store>>,
    clock: Option<WallClock>,
    chance: Option<Chance>,
    authorize: Option<Authorize>,
    bookmark_every: Option<Duration>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("definitions", &self.definitions.len()).finish_non_exhaustive()
    }
}

impl Builder {
    /// Serves one more kind, described as a CustomResourceDefinition (`apiextensions.k8s.io/v1`).
    #[must_use]
    pub fn crd(mut self, definition: Value) -> Builder {
        self.definitions.push(definition);
        self
    }

    /// Keeps objects in this store; without one they are in memory only.
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Builder {
        self.store = Some(Arc::new(store));
        self
    }

    /// Reads the time of day here; the system's clock without.
    #[must_use]
    pub fn clock(mut self, clock: WallClock) -> Builder {
        self.clock = Some(clock);
        self
    }

    /// Draws uids and generated names from here.
    #[must_use]
    pub fn chance(mut self, chance: Chance) -> Builder {
        self.chance = Some(chance);
        self
    }

    /// Draws uids and generated names from a stream that this number begins: the same number, the same names.
    #[must_use]
    pub fn seed(self, seed: u64) -> Builder {
        self.chance(chance::seeded(seed))
    }

    /// Decides rights here; without, everybody who is known may do everything.
    #[must_use]
    pub fn authorize(mut self, authorize: Authorize) -> Builder {
        self.authorize = Some(authorize);
        self
    }

    /// Tells a watch this often which version it has reached; once a minute without.
    #[must_use]
    pub fn bookmarks_every(mut self, pause: Duration) -> Builder {
        self.bookmark_every = Some(pause);
        self
    }

    /// Reads the store and builds the server.
    pub fn build(self) -> Result<Server, BuildError> {
        let registry = Registry::with(&self.definitions)?;
        let collection = |role| registry.role(role).map_or(usize::MAX, |resource| resource.collection);
        let special = Special { namespaces: collection(Role::Namespace), events: collection(Role::Event) };
        let store = self.store.unwrap_or_else(|| Arc::new(Memory));
        let objects = Objects::load(store, registry.collections(), special)?;
        let api = Api {
            discovery: Discovery::of(&registry),
            openapi: OpenApi::default(),
            registry,
            objects: Arc::new(objects),
            namespaces: special.namespaces,
            clock: self.clock.unwrap_or_else(clock::system),
            chance: self.chance.unwrap_or_else(chance::from_system),
            authorize: self.authorize.unwrap_or_else(allow_all),
            bookmark_every: self.bookmark_every.unwrap_or(crate::watch::BOOKMARK_EVERY),
            closing: watch::Sender::new(false),
            collecting: AtomicBool::new(false),
            sweeping: AtomicBool::new(false),
        };
        for name in FIRST_NAMESPACES {
            first_namespace(&api, name)?;
        }
        Ok(Server::new(Arc::new(api)))
    }
}

fn first_namespace(api: &Api, name: &str) -> Result<(), StoreError> {
    let Some(resource) = api.registry.role(Role::Namespace) else { return Ok(()) };
    let mut namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    object::set(&mut namespace, "uid", chance::uid(&api.chance));
    object::set(&mut namespace, "creationTimestamp", clock::to_the_second((api.clock)()));
    roles::begin(resource, &mut namespace);
    let plan = Plan {
        collection: api.namespaces,
        key: name.to_owned(),
        expect: Expect::Absent,
        inside: None,
        next: Next::Put(namespace),
    };
    match api.objects.write_at_start(plan) {
        Ok(()) | Err(Refused::Exists) => Ok(()),
        Err(Refused::Store(error)) => Err(error),
        Err(other) => Err(StoreError(format!("namespace {name}: {other:?}"))),
    }
}
