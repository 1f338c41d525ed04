//! The network between a client and a cluster, in process: an absolute URI leads to the node that it names.
//! A name may belong to a balancer; it keeps its node until that one fails, as a kept-alive connection does.
//! An address that nobody has is refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::{Request, Response, Uri};
use tower::Service;

use super::balancer::Balancer;
use super::handle::Cluster;
use crate::http::body::Body;
use crate::http::transport::{TransportError, TransportKind};
use crate::practice::Practice;
use crate::service::CallFuture;

/// The network in front of a cluster.
#[derive(Debug, Clone)]
pub struct ClusterNetwork {
    cluster: Cluster,
    /// By host and port.
    balancers: BTreeMap<String, Front>,
}

#[derive(Debug, Clone)]
struct Front {
    balancer: Balancer,
    sticky: bool,
    chosen: Arc<Mutex<Option<Practice>>>,
}

impl ClusterNetwork {
    pub(crate) fn new(cluster: Cluster) -> ClusterNetwork {
        ClusterNetwork { cluster, balancers: BTreeMap::new() }
    }

    /// Puts a balancer at this host and port that keeps a connection on its node until it fails.
    pub fn with_balancer(mut self, authority: &str, balancer: Balancer) -> ClusterNetwork {
        self.balancers.insert(authority.to_owned(), Front { balancer, sticky: true, chosen: Arc::default() });
        self
    }

    /// Puts a balancer at this host and port that chooses a node for every request.
    pub fn with_request_balancer(mut self, authority: &str, balancer: Balancer) -> ClusterNetwork {
        self.balancers
            .insert(authority.to_owned(), Front { balancer, sticky: false, chosen: Arc::default() });
        self
    }

    /// Where a request for this URI goes now.
    fn route(&self, uri: &Uri) -> Option<(Practice, Option<Front>)> {
        let authority = uri.authority()?.as_str();
        let Some(front) = self.balancers.get(authority) else {
            let address = format!("{}://{authority}", uri.scheme_str().unwrap_or("http"));
            return Some((self.cluster.at_address(&address)?, None));
        };
        let mut chosen = front.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        if chosen.is_none() || !front.sticky {
            *chosen = front.balancer.connect();
        }
        Some((chosen.clone()?, Some(front.clone())))
    }
}

impl Front {
    fn forget(&self) {
        *self.chosen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl<B> Service<Request<B>> for ClusterNetwork
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = CallFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> CallFuture {
        let route = self.route(request.uri());
        Box::pin(async move {
            let (node, front) = route.ok_or_else(|| TransportError::new(TransportKind::Refused))?;
            let answer = node.over_bodies().call(request).await;
            if let (Err(_), Some(front)) = (&answer, front) {
                front.forget();
            }
            answer
        })
    }
}
