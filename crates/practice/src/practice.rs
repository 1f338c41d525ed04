//! A practice Vault as its users hold it: one node, called like a server, without sockets.
//! Clones share all state. Calls run under tokio's clock, paused or not; what a call waits for is a timer or an event.
//! Locks are held for a moment and never across an await.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::clock::{Clock, span};
use crate::exchange::Exchange;
use crate::http::body::Body;
use crate::http::transport::TransportError;
use crate::options::Options;
use crate::world::World;

pub(crate) struct Shared {
    world: Mutex<World>,
    pub(crate) clock: Clock,
    /// Told when something has changed that a waiting call may wait for.
    changed: Notify,
}

/// A connection to a node, where connections matter.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) number: u64,
    last_used: Mutex<Timestamp>,
}

impl Connection {
    /// How long it was idle; it counts as used from now on.
    pub(crate) fn use_at(&self, now: Timestamp) -> Duration {
        let mut last = self.last_used.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = span(*last, now);
        *last = now;
        idle
    }
}

/// One node of a practice Vault.
#[derive(Clone)]
pub struct Practice {
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: usize,
    pub(crate) connection: Option<Arc<Connection>>,
}

impl fmt::Debug for Practice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Practice {{ node {} }}", self.index)
    }
}

impl Practice {
    /// A single Vault: unsealed, with a root token and nothing mounted.
    pub fn new(options: Options) -> Practice {
        Practice::with_nodes(1, options)
    }

    pub(crate) fn with_nodes(count: usize, options: Options) -> Practice {
        let world = World::new(count, &options);
        let shared = Shared { world: Mutex::new(world), clock: options.clock, changed: Notify::new() };
        Practice { shared: Arc::new(shared), index: 0, connection: None }
    }

    pub(crate) fn at_node(&self, index: usize) -> Practice {
        Practice { shared: Arc::clone(&self.shared), index, connection: None }
    }

    /// The same node over a connection of its own, for faults that look at connections.
    pub fn connect(&self) -> Practice {
        let now = self.now();
        let number = self.world().new_connection();
        let connection = Connection { number, last_used: Mutex::new(now) };
        Practice { connection: Some(Arc::new(connection)), ..self.clone() }
    }

    /// Which node of its cluster this is.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The time by this Vault's clock, without the skew that a fault may give the server.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Calls the node. An error is what a client would see below HTTP.
    pub async fn call(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        Exchange::new(self, &request).run().await
    }

    /// The state, with everything done that is due.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        let now = self.now();
        // A panic in another holder is a bug of this crate; the state is still whole enough to go on.
        let mut world = self.shared.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.catch_up(now);
        world
    }

    /// Tells waiting calls to look again.
    pub(crate) fn stir(&self) {
        self.shared.changed.notify_waiters();
    }

    /// Hears of changes from now on. Take it before looking at the state, so that no change falls in between.
    pub(crate) fn changes(&self) -> Notified<'_> {
        self.shared.changed.notified()
    }

    /// Waits until something changes: at this moment, or when somebody does something.
    pub(crate) async fn wait(&self, changed: Pin<&mut Notified<'_>>, moment: Option<Timestamp>) {
        match moment {
            None => changed.await,
            Some(moment) => {
                let wait = span(self.now(), moment);
                tokio::select! {
                    biased;
                    () = changed => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
    }
}
