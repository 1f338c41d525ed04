//! What stands between the operator and the practice Vault: a balancer that keeps a connection on its node, as a TCP balancer does.
//! It numbers connections, because proofs are bound to them. It never repeats a request and opens no socket.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use everleaf_core::failure::ConnectionId;
use everleaf_issuers::wire::{Carried, Over, Request};
use everleaf_practice::{Balancer, Body, Cluster, Practice, TransportError, TransportKind};
use futures::future::BoxFuture;
use tower::Service;

/// The host and port that the issuers of these tests name.
pub const AUTHORITY: &str = "vault.practice:8200";

/// The balancer and the connections through it.
#[derive(Clone)]
pub struct Front {
    cluster: Cluster,
    balancer: Balancer,
    connections: Arc<Mutex<Connections>>,
}

#[derive(Default)]
struct Connections {
    made: u64,
    kept: Option<ConnectionId>,
    nodes: BTreeMap<u64, Practice>,
}

/// Ends a connection whose call failed or was given up, as a client does.
struct Closing {
    connection: ConnectionId,
    front: Front,
    done: bool,
}

impl Drop for Closing {
    fn drop(&mut self) {
        if !self.done {
            let mut connections = self.front.lock();
            connections.nodes.remove(&self.connection.0);
            connections.kept = connections.kept.filter(|kept| *kept != self.connection);
        }
    }
}

impl Front {
    pub fn new(cluster: Cluster, balancer: Balancer) -> Front {
        Front { cluster, balancer, connections: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node at the other end: that of the connection asked for, else of the kept one, else the next in turn.
    fn route(&self, request: &Request) -> Option<(ConnectionId, Practice)> {
        let named = request.uri().authority().map_or("", |authority| authority.as_str());
        let direct = (named != AUTHORITY).then(|| self.cluster.at_address(&format!("http://{named}")));
        let over = request.extensions().get::<Over>().copied();
        let mut connections = self.lock();
        let asked = match over {
            Some(Over::Connection(id)) => Some(id),
            Some(Over::Fresh) => None,
            None => connections.kept,
        };
        if direct.is_none()
            && let Some((id, node)) = asked.and_then(|id| Some((id, connections.nodes.get(&id.0)?.clone())))
        {
            return Some((id, node));
        }
        let node = direct.unwrap_or_else(|| self.balancer.connect())?;
        connections.made += 1;
        let id = ConnectionId(connections.made);
        if named == AUTHORITY {
            connections.kept = Some(id);
            connections.nodes.insert(id.0, node.clone());
        }
        Some((id, node))
    }
}

impl Service<Request> for Front {
    type Response = http::Response<Body>;
    type Error = TransportError;
    type Future = BoxFuture<'static, Result<http::Response<Body>, TransportError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let front = self.clone();
        Box::pin(async move {
            let refused = || TransportError::new(TransportKind::Refused);
            let (connection, node) = front.route(&request).ok_or_else(refused)?;
            let mut closing = Closing { connection, front, done: false };
            let mut answer = node.over_bodies().call(request).await?;
            answer.extensions_mut().insert(Carried(connection));
            closing.done = true;
            Ok(answer)
        })
    }
}
